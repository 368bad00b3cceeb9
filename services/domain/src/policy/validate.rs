//! Checks a policy as written against the limits of the v5 API.

use super::{Effect, PolicyFault, RESOURCE_PREFIX, Statement, pattern::VARIABLE_NAMES};
use crate::{limits, text};

/// Checks name and statements against the limits.
///
/// # Errors
/// The first fault.
pub fn validate(name: &str, statements: &[Statement]) -> Result<(), PolicyFault> {
    let name_chars = name.chars().count();
    if !(1..=limits::DOCUMENT_NAME_CHARS_MAX).contains(&name_chars) || !text::is_id(name) {
        let max = limits::DOCUMENT_NAME_CHARS_MAX;
        return Err(fault("policy_name", format!("must be 1 to {max} of letters, digits, '_' and '-'")));
    }
    count("statement", statements.len(), limits::STATEMENTS_PER_POLICY_MAX)?;
    for (n, statement) in statements.iter().enumerate() {
        check_statement(&format!("statement[{n}]"), statement)?;
    }
    let bytes = document_bytes(statements);
    if bytes > limits::POLICY_DOCUMENT_BYTES_MAX {
        let max = limits::POLICY_DOCUMENT_BYTES_MAX;
        return Err(fault("statement", format!("is {bytes} bytes as JSON: at most {max} are allowed")));
    }
    Ok(())
}

fn check_statement(field: &str, statement: &Statement) -> Result<(), PolicyFault> {
    if statement.actions.is_empty() {
        return Err(fault(format!("{field}.actions"), "is empty: name publish, subscribe or both".into()));
    }
    if !statement.actions.is_sorted_by(|a, b| a < b) {
        return Err(fault(format!("{field}.actions"), "holds an action twice".into()));
    }
    count(&format!("{field}.resources"), statement.resources.len(), limits::RESOURCES_PER_STATEMENT_MAX)?;
    for (n, resource) in statement.resources.iter().enumerate() {
        if let Some(rule) = resource_rule(resource) {
            return Err(fault(format!("{field}.resources[{n}]"), rule));
        }
    }
    Ok(())
}

/// The rule that a resource breaks, if any.
fn resource_rule(resource: &str) -> Option<String> {
    let Some(pattern) = resource.strip_prefix(RESOURCE_PREFIX) else {
        return Some(format!("must begin with {RESOURCE_PREFIX:?}"));
    };
    if pattern.is_empty() {
        return Some(format!("has no pattern after {RESOURCE_PREFIX:?}"));
    }
    if let Some(c) = pattern.chars().find(|c| !c.is_ascii_alphanumeric() && !"/{}$=+#?*:._-".contains(*c)) {
        return Some(format!("holds {c:?}: only letters, digits and /{{}}$=+#?*:._- are allowed"));
    }
    // An unknown variable would be matched as text, so a DENY with a misspelt one would silently forbid nothing.
    let mut rest = pattern;
    while let Some(at) = rest.find("${") {
        match VARIABLE_NAMES.iter().find_map(|name| rest[at..].strip_prefix(name)) {
            Some(after) => rest = after,
            None => return Some(format!("holds an unknown variable: use {}", VARIABLE_NAMES.join(", "))),
        }
    }
    None
}

fn count(field: &str, count: usize, max: usize) -> Result<(), PolicyFault> {
    if (1..=max).contains(&count) { Ok(()) } else { Err(fault(field, format!("has {count} entries: give 1 to {max}"))) }
}

/// Size of the statements as the shortest JSON that says them; no character allowed in them needs an escape.
fn document_bytes(statements: &[Statement]) -> usize {
    const STATEMENT: usize = r#"{"effect":"","actions":[],"resources":[]},"#.len();
    const ENTRY: usize = r#""","#.len();
    let of = |statement: &Statement| {
        let effect = match statement.effect {
            Effect::Allow => "ALLOW",
            Effect::Deny => "DENY",
        };
        let actions: usize = statement.actions.iter().map(|action| action.name().len() + ENTRY).sum();
        let resources: usize = statement.resources.iter().map(|resource| resource.len() + ENTRY).sum();
        STATEMENT + effect.len() + actions + resources
    };
    "[]".len() + statements.iter().map(of).sum::<usize>()
}

fn fault(field: impl Into<String>, rule: String) -> PolicyFault {
    PolicyFault { field: field.into(), rule }
}
