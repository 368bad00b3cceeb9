//! Every refusal, rejection and code is made somewhere: a page in docs/operate/codes promises what can happen.
//!
//! Told from tokens: `Enum::Variant` outside tests is taken for a construction unless it stands in the pattern of a
//! `match` arm or in `matches!`. Patterns of `if let` and comparisons count too, so this finds less than there may be.

use std::collections::BTreeSet;

use proc_macro2::TokenTree;
use rollcall_api::Code;

use crate::{
    repository::assert_none,
    tokens::{Crate, braced, crates, grouped, is_punct, is_word, path_at},
};

/// Enums of the domain with a code for each variant.
const CODED: [&str; 6] = ["Refusal", "Rejection", "Notice", "AuthorityFault", "ProofFault", "EvaluationFault"];

#[test]
fn every_code_can_be_given() {
    let crates = crates();
    let mut made = BTreeSet::new();
    let modules = crates.iter().filter(|found| !found.folder.starts_with("tests/")).flat_map(|found| &found.modules);
    modules.for_each(|module| constructions(&module.tokens, "", &mut made));
    let of_the_domain = CODED.iter().flat_map(|name| variants(&crates, name).into_iter().map(|variant| (*name, variant)));
    let of_the_api = Code::ALL.iter().map(|code| ("Code", format!("{code:?}")));
    let mut findings = Vec::new();
    for (name, variant) in of_the_domain.chain(of_the_api) {
        if !made.contains(&(name.to_owned(), variant.clone())) {
            findings.push(format!("{name}::{variant} is never made: remove it with its page"));
        }
    }
    assert_none(&findings, "a code that nothing gives");
}

/// The variants of an enum of the domain.
fn variants(crates: &[Crate], name: &str) -> Vec<String> {
    let domain = crates.iter().find(|found| found.folder == "services/domain").expect("the domain");
    let body = domain.modules.iter().find_map(|module| {
        let mut triples = module.tokens.windows(3);
        triples.find(|of| is_word(&of[0], "enum") && is_word(&of[1], name)).and_then(|of| braced(&of[2]))
    });
    let body = body.unwrap_or_else(|| panic!("the domain has no enum {name}"));
    let items = body.split(|token| is_punct(token, ','));
    let names = items.filter_map(|item| item.iter().find(|token| matches!(token, TokenTree::Ident(_))));
    names.map(ToString::to_string).collect()
}

/// Adds each `Enum::Variant` that stands outside a pattern. `own` is the type that `Self` stands for here.
fn constructions(tokens: &[TokenTree], own: &str, made: &mut BTreeSet<(String, String)>) {
    let mut own = own.to_owned();
    let mut at = 0;
    while at < tokens.len() {
        let pattern = pattern_at(tokens, at);
        if pattern > 0 {
            at += pattern;
        } else if let Some(inner) = grouped(&tokens[at]) {
            constructions(&inner, &own, made);
            at += 1;
        } else if let Some((path, next)) = path_at(tokens, at) {
            if let [.., name, variant] = path.as_slice() {
                made.insert((if name == "Self" { own.clone() } else { name.clone() }, variant.clone()));
            }
            // `impl A for B`: the last of these paths before the body is the type.
            if matches!(path[0].as_str(), "impl" | "for")
                && let Some((implementing, _)) = path_at(tokens, next)
            {
                own = implementing[implementing.len() - 1].clone();
            }
            at = next;
        } else {
            at += 1;
        }
    }
}

/// How many tokens from `at` are the pattern of an arm or a whole `matches!`; 0 where neither begins.
fn pattern_at(tokens: &[TokenTree], at: usize) -> usize {
    if is_word(&tokens[at], "matches") && tokens.get(at + 1).is_some_and(|next| is_punct(next, '!')) {
        return 3.min(tokens.len() - at);
    }
    let begins = at == 0 || is_punct(&tokens[at - 1], ',') || braced(&tokens[at - 1]).is_some();
    if !begins {
        return 0;
    }
    // It ends with its arrow. What separates arms and statements comes first where there is none.
    let length = tokens[at..].iter().take_while(|token| !is_punct(token, ',') && !is_punct(token, ';')).count();
    let arrow = tokens[at..at + length].windows(2).position(|of| is_punct(&of[0], '=') && is_punct(&of[1], '>'));
    arrow.unwrap_or(0)
}

#[test]
fn patterns_are_told_from_constructions() {
    let made = |text: &str| -> Vec<String> {
        let (tokens, mut made) = (text.parse::<proc_macro2::TokenStream>().unwrap(), BTreeSet::new());
        constructions(&tokens.into_iter().collect::<Vec<_>>(), "", &mut made);
        let of_e = made.into_iter().filter(|(name, _)| name == "E");
        of_e.map(|(_, variant)| variant).collect()
    };
    assert_eq!(
        made("match x { E::A | E::B { .. } => E::C, Err(E::D(y)) => { f(E::F(y)) } E::G => E::H, _ => return }"),
        ["C", "F", "H"]
    );
    assert_eq!(made("let x = E::A; Err(crate::m::E::B { y })"), ["A", "B"]);
    assert_eq!(made("impl From<X> for E { fn from() -> Self { match x { Self::A => Self::B } } }"), ["B"]);
    assert_eq!(made("impl E { fn f() { Self::C } } impl F { fn f() { Self::D } }"), ["C"]);
    assert!(made("matches!(x, E::A | E::B(_))").is_empty());
}
