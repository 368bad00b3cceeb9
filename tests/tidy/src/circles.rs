//! No circles of imports between the files of a crate: a file can be read after those that it names, and moved with them.
//!
//! One circle is allowed: a module's file and files below it, which are one thing in several files. The root of a crate
//! is no such module, since everything is below it.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::TokenTree;

use crate::{
    repository::assert_none,
    tokens::{Crate, Module, ModulePath, braced, crates, grouped, is_punct, is_word, path_at},
};

type Names = BTreeMap<ModulePath, BTreeSet<ModulePath>>;

#[test]
fn imports_run_in_no_circle() {
    let mut findings = Vec::new();
    for checked in crates() {
        let names = names_of(&checked);
        findings.extend(circles(&names).iter().map(|circle| told(&checked, &names, circle)));
    }
    assert_none(&findings, "files name each other in a circle: move what both need into a file of its own");
}

/// A circle, and within it who names whom.
fn told(checked: &Crate, names: &Names, circle: &[ModulePath]) -> String {
    let shown = |path: &ModulePath| if path.is_empty() { "the root".into() } else { path.join("/") };
    let lines = circle.iter().map(|from| {
        let to: Vec<String> = names[from].iter().filter(|to| circle.contains(to)).map(shown).collect();
        format!("\n    {} names {}", shown(from), to.join(", "))
    });
    format!("{}: {} files{}", checked.folder, circle.len(), lines.collect::<String>())
}

/// Which file names which.
fn names_of(checked: &Crate) -> Names {
    let known: BTreeSet<&ModulePath> = checked.modules.iter().map(|module| &module.path).collect();
    let mut names = Names::new();
    for Module { path, tokens, .. } in &checked.modules {
        let mut reader = Reader { known: &known, imported: BTreeMap::new(), named: BTreeSet::new() };
        reader.imports(tokens, path);
        reader.paths(tokens, path);
        reader.named.remove(path);
        names.entry(path.clone()).or_default().extend(reader.named);
    }
    names
}

/// Sets of files that reach each other, but for those of a module and what is below it.
fn circles(names: &Names) -> Vec<Vec<ModulePath>> {
    let reached: BTreeMap<&ModulePath, BTreeSet<&ModulePath>> =
        names.keys().map(|from| (from, reach(names, from))).collect();
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for from in names.keys() {
        let circle: Vec<ModulePath> =
            reached[from].iter().filter(|to| reached[*to].contains(from)).map(|to| (*to).clone()).collect();
        let of_one_module = circle.iter().any(|top| !top.is_empty() && circle.iter().all(|path| path.starts_with(top)));
        if circle.len() > 1 && !of_one_module && seen.insert(circle.clone()) {
            found.push(circle);
        }
    }
    found
}

fn reach<'a>(names: &'a Names, from: &'a ModulePath) -> BTreeSet<&'a ModulePath> {
    let (mut reached, mut waiting) = (BTreeSet::new(), vec![from]);
    while let Some(next) = waiting.pop() {
        waiting.extend(names.get(next).into_iter().flatten().filter(|to| reached.insert(*to)));
    }
    reached
}

/// Reads what one file names.
struct Reader<'a> {
    known: &'a BTreeSet<&'a ModulePath>,
    /// Modules of this crate by the names that `use` gives them here.
    imported: BTreeMap<String, ModulePath>,
    named: BTreeSet<ModulePath>,
}

impl Reader<'_> {
    /// The `use` declarations in a file, at any depth. `here` is the module that the tokens stand in.
    fn imports(&mut self, tokens: &[TokenTree], here: &ModulePath) {
        for (at, token) in tokens.iter().enumerate() {
            if begins_use(tokens, at) {
                self.tree(&tokens[at + 1..], here, &[]);
            } else if let Some(inner) = grouped(token) {
                self.imports(&inner, &inner_module(tokens, at, here));
            }
        }
    }

    /// One tree of a `use` declaration, up to its `;` or its end; `prefix` is what stands before its braces.
    fn tree(&mut self, tokens: &[TokenTree], here: &ModulePath, prefix: &[String]) {
        let mut at = 0;
        while at < tokens.len() && !is_punct(&tokens[at], ';') {
            let Some((mut path, next)) = path_at(tokens, at) else {
                // A comma, or braces with nothing of their own before them.
                if let Some(inner) = braced(&tokens[at]) {
                    self.tree(&inner, here, prefix);
                }
                at += 1;
                continue;
            };
            path.splice(0..0, prefix.iter().cloned());
            at = next;
            // `a::{…}`; after `a::*` only punctuation is left.
            if let [colon, _, group, ..] = &tokens[at..]
                && is_punct(colon, ':')
                && let Some(inner) = braced(group)
            {
                self.tree(&inner, here, &path);
                at += 3;
                continue;
            }
            let renamed = tokens.get(at).is_some_and(|token| is_word(token, "as"));
            let name = if renamed { tokens[at + 1].to_string() } else { path[path.len() - 1].clone() };
            at += if renamed { 2 } else { 0 };
            self.import(path, name, here);
        }
    }

    fn import(&mut self, mut path: Vec<String>, name: String, here: &ModulePath) {
        // `a::{self}` is `a`.
        if path.len() > 1 && path[path.len() - 1] == "self" {
            path.pop();
        }
        let name = if name == "self" { path[path.len() - 1].clone() } else { name };
        let Some(absolute) = self.absolute(&path, here) else { return };
        if self.known.contains(&absolute) {
            self.imported.insert(name, absolute.clone());
        }
        self.note(&absolute);
    }

    /// Paths that stand in the code itself.
    fn paths(&mut self, tokens: &[TokenTree], here: &ModulePath) {
        let mut at = 0;
        while at < tokens.len() {
            if begins_use(tokens, at) {
                at += tokens[at..].iter().take_while(|token| !is_punct(token, ';')).count();
            } else if let Some(inner) = grouped(&tokens[at]) {
                // `pub(in crate::a)` says who may name this, not what this names.
                if at == 0 || !is_word(&tokens[at - 1], "pub") {
                    self.paths(&inner, &inner_module(tokens, at, here));
                }
                at += 1;
            } else if let Some((path, next)) = path_at(tokens, at) {
                let imported = self.imported.get(&path[0]).filter(|_| path.len() > 1);
                let absolute = imported.map(|module| [module.as_slice(), &path[1..]].concat());
                let absolute = absolute.or_else(|| self.absolute(&path, here).filter(|_| path.len() > 1));
                if let Some(absolute) = absolute {
                    self.note(&absolute);
                }
                at = next;
            } else {
                at += 1;
            }
        }
    }

    /// The path from the root of the crate; `None` for what belongs to another crate or to no module.
    fn absolute(&self, path: &[String], here: &ModulePath) -> Option<ModulePath> {
        let (mut base, mut rest) = (here.clone(), path);
        match path[0].as_str() {
            "crate" => (base, rest) = (Vec::new(), &path[1..]),
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            child if !self.known.contains(&[here.as_slice(), &[child.to_owned()]].concat()) => return None,
            _ => {}
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    /// Notes the file that an absolute path leads to: the longest part of it that is one.
    fn note(&mut self, absolute: &ModulePath) {
        let lengths = (0..=absolute.len()).rev();
        let file = lengths.map(|length| absolute[..length].to_vec()).find(|part| self.known.contains(part));
        self.named.extend(file);
    }
}

/// Whether a `use` declaration begins here, as against the `use<…>` of a type.
fn begins_use(tokens: &[TokenTree], at: usize) -> bool {
    is_word(&tokens[at], "use") && tokens.get(at + 1).is_some_and(|next| !is_punct(next, '<'))
}

/// The module that the group at `at` stands for: `mod name { … }` is one of its own.
fn inner_module(tokens: &[TokenTree], at: usize, here: &ModulePath) -> ModulePath {
    match &tokens[..at] {
        [.., keyword, TokenTree::Ident(name)] if is_word(keyword, "mod") => [here.as_slice(), &[name.to_string()]].concat(),
        _ => here.clone(),
    }
}

#[cfg(test)]
fn crate_of(files: &[(&str, &str)]) -> Crate {
    let modules = files.iter().map(|(name, text)| {
        let path = name.split('/').filter(|part| !part.is_empty()).map(String::from).collect();
        let tokens: proc_macro2::TokenStream = text.parse().unwrap();
        Module { path, file: format!("{name}.rs"), tokens: tokens.into_iter().collect() }
    });
    Crate { folder: "example".into(), modules: modules.collect() }
}

#[test]
fn every_way_to_name_a_file_is_read() {
    let named = |text: &str| -> Vec<String> {
        let others = ["", "a", "a/b", "a/c", "d", "here/child"].map(|name| (name, ""));
        let checked = crate_of(&[others.as_slice(), &[("here", text)]].concat());
        names_of(&checked)[&vec!["here".to_owned()]].iter().map(|path| path.join("/")).collect()
    };
    assert_eq!(named("use crate::{a::{b::X as Y, c::*}, d};"), ["a/b", "a/c", "d"]);
    assert_eq!(named("use super::d::Z; use std::a::b;"), ["d"]);
    assert_eq!(named("use crate::a; fn f() { a::b::g(); }"), ["a", "a/b"]);
    assert_eq!(named("use crate::a::{self as other}; fn f() { other::c::g() }"), ["a", "a/c"]);
    assert_eq!(named("fn f() { vec![crate::a::b::X, child::Y]; }"), ["a/b", "here/child"]);
    assert_eq!(named("mod inner { use super::child::X; use super::super::d; }"), ["d", "here/child"]);
    assert_eq!(named("use crate::Root;"), [""]);
    assert_eq!(named("// crate::a\n/// [`crate::d`]\nfn f() { \"crate::a::b\"; } pub(in crate::a) fn g() {}"), [""; 0]);
}

#[test]
fn circles_are_found_and_a_module_with_its_own_is_none() {
    let found = |files: &[(&str, &str)]| circles(&names_of(&crate_of(files)));
    let three = [("", ""), ("a", "use crate::b::X;"), ("b", "use crate::c::X;"), ("c", "use crate::a::Y;")];
    assert_eq!(found(&three), [["a", "b", "c"].map(|name| vec![name.to_owned()])]);
    assert!(found(&[("", ""), ("a", "use b::X;"), ("a/b", "use super::Y;"), ("c", "use crate::a::X;")]).is_empty());
    assert_eq!(found(&[("", ""), ("a/b", "use super::c::X;"), ("a/c", "use super::b::Y;")]).len(), 1, "siblings are two");
    assert_eq!(found(&[("", "pub use a::X;"), ("a", "use crate::Y;")]).len(), 1, "the root is no module with its own");
}
