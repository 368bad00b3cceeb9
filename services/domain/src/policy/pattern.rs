//! Whether a topic matches a pattern: `*` is any run of characters, `?` any one, `${devices.…}` a value of the device,
//! everything else itself.
//!
//! The pattern is cut at its stars before anything is put in, so a value can never become a star, whatever it holds.
//! No recursion and no backtracking: between two stars the leftmost place that fits is the right one.

use super::{Action, Variables};

/// A variable of the v5 API and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variable {
    Device,
    Client,
    Product,
}

const VARIABLES: [(&str, Variable); 3] = [
    ("${devices.deviceId}", Variable::Device),
    ("${devices.clientId}", Variable::Client),
    ("${devices.productId}", Variable::Product),
];

/// The names of the variables, as written.
pub(super) const VARIABLE_NAMES: [&str; 3] = [VARIABLES[0].0, VARIABLES[1].0, VARIABLES[2].0];

/// What variables stand for in one statement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values<'a> {
    variables: Variables<'a>,
    /// `None`: the client id may not stand for anything here.
    client_id: Option<&'a str>,
}

impl<'a> Values<'a> {
    /// For a statement that allows. A client id with `+` or `#` stands for nothing in a subscription: it would be matched
    /// as text here and then subscribe as a wildcard, to everybody's topics. Ids cannot hold either.
    pub(super) fn granting(action: Action, variables: Variables<'a>) -> Self {
        let becomes_wildcard = action == Action::Subscribe && variables.client_id.contains(['+', '#']);
        Self { variables, client_id: (!becomes_wildcard).then_some(variables.client_id) }
    }

    /// For a statement that denies: as text, whatever it holds.
    pub(super) fn forbidding(variables: Variables<'a>) -> Self {
        Self { variables, client_id: Some(variables.client_id) }
    }

    fn of(&self, variable: Variable) -> Option<&'a str> {
        match variable {
            Variable::Device => Some(self.variables.device_id.as_str()),
            Variable::Client => self.client_id,
            Variable::Product => Some(self.variables.product_id.as_str()),
        }
    }
}

/// Whether the whole of `topic` matches `pattern`.
pub(super) fn matches(pattern: &str, topic: &str, values: &Values<'_>) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = strip(topic, first, values) else { return false };
    let Some(last) = pieces.next_back() else { return rest.is_empty() };
    for piece in pieces {
        match rest.char_indices().map(|(at, _)| at).chain([rest.len()]).find_map(|at| strip(&rest[at..], piece, values)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    ends_with(rest, last, values)
}

/// Takes one piece (a pattern without stars) off the front of `text`.
fn strip<'t>(mut text: &'t str, mut piece: &str, values: &Values<'_>) -> Option<&'t str> {
    while let Some((part, rest)) = next_part(piece) {
        piece = rest;
        text = match part {
            Part::One => {
                let mut characters = text.chars();
                characters.next()?;
                characters.as_str()
            }
            Part::Text(literal) => text.strip_prefix(literal)?,
            Part::Variable(variable) => text.strip_prefix(values.of(variable)?)?,
        };
    }
    Some(text)
}

/// Whether `text` ends with one piece. A piece covers a known number of characters, so there is one place to look.
fn ends_with(text: &str, piece: &str, values: &Values<'_>) -> bool {
    let mut characters = 0;
    let mut unread = piece;
    while let Some((part, rest)) = next_part(unread) {
        unread = rest;
        characters += match part {
            Part::One => 1,
            Part::Text(literal) => literal.chars().count(),
            Part::Variable(variable) => match values.of(variable) {
                Some(value) => value.chars().count(),
                None => return false,
            },
        };
    }
    let from = match characters.checked_sub(1) {
        None => return true,
        Some(others) => text.char_indices().rev().nth(others).map(|(at, _)| at),
    };
    from.and_then(|from| strip(&text[from..], piece, values)).is_some_and(str::is_empty)
}

/// A part of a piece.
enum Part<'p> {
    One,
    Text(&'p str),
    Variable(Variable),
}

fn next_part(piece: &str) -> Option<(Part<'_>, &str)> {
    if piece.is_empty() {
        return None;
    }
    if let Some(rest) = piece.strip_prefix('?') {
        return Some((Part::One, rest));
    }
    for (name, variable) in VARIABLES {
        if let Some(rest) = piece.strip_prefix(name) {
            return Some((Part::Variable(variable), rest));
        }
    }
    // A `$` that begins no variable is itself; the search for the next part starts behind its first character.
    let end = piece.char_indices().skip(1).find(|(_, c)| matches!(c, '?' | '$')).map_or(piece.len(), |(at, _)| at);
    Some((Part::Text(&piece[..end]), &piece[end..]))
}
