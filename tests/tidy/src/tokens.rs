//! Rust sources as tokens, without what is compiled for tests alone, and the crates that they belong to.
//!
//! A lexer is enough: `use` trees, paths and names of enums are read off the tokens. A parser would not see into macros.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::repository::{Source, files};

/// A module's path below the root of its crate; the root itself is empty.
pub(crate) type ModulePath = Vec<String>;

pub(crate) struct Crate {
    /// Its folder, such as `services/domain`.
    pub(crate) folder: String,
    pub(crate) modules: Vec<Module>,
}

/// One file that is part of what is shipped, or of a crate of tests.
pub(crate) struct Module {
    pub(crate) path: ModulePath,
    pub(crate) file: String,
    pub(crate) tokens: Vec<TokenTree>,
}

/// Every crate of the workspace.
pub(crate) fn crates() -> Vec<Crate> {
    let manifests = files(|path| path.ends_with("/Cargo.toml"));
    let sources = files(|path| path.ends_with(".rs"));
    let folders = manifests.iter().filter_map(|manifest| manifest.path.strip_suffix("/Cargo.toml"));
    folders.map(|folder| read(folder, &sources)).filter(|found| !found.modules.is_empty()).collect()
}

/// A crate's root is in `src`, or beside the manifest where the whole crate is one test binary.
fn read(folder: &str, sources: &[Source]) -> Crate {
    let in_src = format!("{folder}/src/");
    let base = if sources.iter().any(|source| source.path.starts_with(&in_src)) { in_src } else { format!("{folder}/") };
    let mut modules = Vec::new();
    let mut only_for_tests = Vec::new();
    for source in sources {
        let Some(name) = source.path.strip_prefix(&base).and_then(|path| path.strip_suffix(".rs")) else { continue };
        let path: ModulePath =
            if matches!(name, "lib" | "main") { Vec::new() } else { name.split('/').map(String::from).collect() };
        let mut tokens = Vec::new();
        split_off_tests(lex(source), &path, &mut tokens, &mut only_for_tests);
        modules.push(Module { path, file: source.path.clone(), tokens });
    }
    modules.retain(|module| !only_for_tests.iter().any(|test| module.path.starts_with(test)));
    Crate { folder: folder.to_owned(), modules }
}

fn lex(source: &Source) -> TokenStream {
    source.text.parse().unwrap_or_else(|error| panic!("{} is not Rust: {error}", source.path))
}

/// Copies the tokens of a file without its `#[cfg(test)]` items; notes the modules that such items declare.
fn split_off_tests(tokens: TokenStream, path: &ModulePath, kept: &mut Vec<TokenTree>, tests: &mut Vec<ModulePath>) {
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        let attribute = rest.peek().map(ToString::to_string).unwrap_or_default().replace(' ', "");
        if !is_punct(&token, '#') || attribute != "[cfg(test)]" {
            kept.push(token);
            continue;
        }
        // An item ends with its body or its semicolon.
        let item: Vec<TokenTree> = take_through(&mut rest, |token| is_punct(token, ';') || braced(token).is_some());
        let name = item.windows(2).find(|pair| is_word(&pair[0], "mod")).map(|pair| pair[1].to_string());
        tests.extend(name.map(|name| [path.as_slice(), &[name]].concat()));
    }
}

fn take_through(rest: &mut impl Iterator<Item = TokenTree>, is_last: impl Fn(&TokenTree) -> bool) -> Vec<TokenTree> {
    let mut taken = Vec::new();
    for token in rest {
        let last = is_last(&token);
        taken.push(token);
        if last {
            break;
        }
    }
    taken
}

pub(crate) fn is_punct(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

pub(crate) fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

/// What stands between braces.
pub(crate) fn braced(token: &TokenTree) -> Option<Vec<TokenTree>> {
    match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group.stream().into_iter().collect()),
        _ => None,
    }
}

/// What stands between brackets of any kind.
pub(crate) fn grouped(token: &TokenTree) -> Option<Vec<TokenTree>> {
    match token {
        TokenTree::Group(group) => Some(group.stream().into_iter().collect()),
        _ => None,
    }
}

/// The path that begins at `start`, such as `a::b::C`, and the index behind it. `None` where no path begins.
pub(crate) fn path_at(tokens: &[TokenTree], start: usize) -> Option<(Vec<String>, usize)> {
    let TokenTree::Ident(first) = tokens.get(start)? else { return None };
    let (mut path, mut next) = (vec![first.to_string()], start + 1);
    while let [colon, second, TokenTree::Ident(ident), ..] = &tokens[next..]
        && is_punct(colon, ':')
        && is_punct(second, ':')
    {
        path.push(ident.to_string());
        next += 3;
    }
    Some((path, next))
}

/// Every identifier, those inside groups included.
pub(crate) fn identifiers(tokens: &[TokenTree], found: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => found.push(ident.to_string()),
            TokenTree::Group(group) => identifiers(&group.stream().into_iter().collect::<Vec<_>>(), found),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

#[test]
fn items_for_tests_alone_are_left_out() {
    let text =
        "use a::b; #[cfg(test)] mod tests; #[cfg(test)] pub(crate) mod forge { fn x() {} } #[cfg(test)] fn y() {} fn z() {}";
    let (mut kept, mut tests) = (Vec::new(), Vec::new());
    split_off_tests(text.parse().unwrap(), &vec!["here".into()], &mut kept, &mut tests);
    let mut words = Vec::new();
    identifiers(&kept, &mut words);
    assert_eq!(words, ["use", "a", "b", "fn", "z"]);
    assert_eq!(tests, [["here", "tests"], ["here", "forge"]]);
}
