//! Whether a topic matches a pattern: `*` is any run of characters, `?` any one, `${devices.…}` a value of the device,
//! everything else itself.
//!
//! The pattern is cut at its stars before anything is put in, so a value can never become a star, whatever it holds.
//! No recursion and no backtracking: between two stars the leftmost place that fits is the right one.

use super::{ClientId, Variables};

/// A variable of the v5 API and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variable {
    Device,
    Client,
    Product,
}

const CLIENT_ID: &str = "${devices.clientId}";

const VARIABLES: [(&str, Variable); 3] =
    [("${devices.deviceId}", Variable::Device), (CLIENT_ID, Variable::Client), ("${devices.productId}", Variable::Product)];

/// The names of the variables, as written.
pub(super) const VARIABLE_NAMES: [&str; 3] = [VARIABLES[0].0, VARIABLES[1].0, VARIABLES[2].0];

/// What `?` and the variables stand for in one pattern.
#[derive(Clone, Copy, Debug)]
struct Values<'a> {
    variables: Variables<'a>,
    /// `None`: the client id stands for nothing here, so a pattern that names it matches nothing.
    client_id: Option<&'a str>,
    /// Whether `?` may be a `+` or `#`. As a filter either is a whole level, not one character.
    one_is_wildcard: bool,
}

impl<'a> Values<'a> {
    fn of(&self, variable: Variable) -> Option<&'a str> {
        match variable {
            Variable::Device => Some(self.variables.device_id.as_str()),
            Variable::Client => self.client_id,
            Variable::Product => Some(self.variables.product_id.as_str()),
        }
    }

    fn one_may_be(&self, character: char) -> bool {
        self.one_is_wildcard || !matches!(character, '+' | '#')
    }
}

/// Whether an ALLOW of the pattern grants the topic or filter.
pub(super) fn grants(pattern: &str, topic: &str, variables: Variables<'_>) -> bool {
    let client_id = match variables.client_id {
        ClientId::Bound(client_id) => Some(client_id),
        ClientId::Unbound(_) => None,
    };
    matches(pattern, topic, &Values { variables, client_id, one_is_wildcard: false })
}

/// Whether a DENY of the pattern forbids the topic or filter. The client id is what was sent, and also each id of the device:
/// a device that connects by another name is denied no less. The standard form has an hour in it, which is whatever the client
/// says, so only the one that was sent is looked at.
pub(super) fn forbids(pattern: &str, topic: &str, variables: Variables<'_>) -> bool {
    let (ClientId::Bound(sent) | ClientId::Unbound(sent)) = variables.client_id;
    let with = |client_id| matches(pattern, topic, &Values { variables, client_id: Some(client_id), one_is_wildcard: true });
    with(sent) || (pattern.contains(CLIENT_ID) && (with(variables.device_id.as_str()) || with(variables.node_id.as_str())))
}

/// Whether the whole of `topic` matches `pattern`.
fn matches(pattern: &str, topic: &str, values: &Values<'_>) -> bool {
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
                characters.next().filter(|character| values.one_may_be(*character))?;
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
