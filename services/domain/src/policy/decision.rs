//! Which statement decides whether a device may publish or subscribe.
//!
//! Permission itself is asked for here too ([`permits`](super::permits)), so that what people are told of a decision is what was
//! decided.

use super::{Action, Effect, Policy, Statement, Variables};

/// Whether policies together let a device do something on a topic, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// The topic begins with `$`, and is not a policy's business: see [`topic_scope`](super::topic_scope).
    NotAsked,
    /// This ALLOW covers the topic, and no DENY does.
    Allowed(DecidingStatement<'a>),
    /// This DENY covers the topic, whatever else allows it.
    Denied(DecidingStatement<'a>),
    /// Nothing covers the topic, so that it is denied.
    NothingAllows,
}

/// A statement that has decided: the first that does, in the order of the policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecidingStatement<'a> {
    pub policy: &'a Policy,
    /// Its place in [`Policy::statements`], from 0.
    pub index: usize,
    /// The resource that covers the topic, as written.
    pub resource: &'a str,
}

impl Decision<'_> {
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }
}

/// Whether `policies` together let the device do `action` on `topic` (a topic name, or a filter string as subscribed), and which
/// statement says so. Costs what [`permits`](super::permits) does.
pub fn decide<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    action: Action,
    topic: &str,
    variables: Variables<'_>,
) -> Decision<'a> {
    // Not a policy's business, whatever a pattern says.
    if topic.starts_with('$') {
        return Decision::NotAsked;
    }
    let mut decision = Decision::NothingAllows;
    for (policy, index, statement) in statements(policies).filter(|(_, _, statement)| statement.actions.contains(&action)) {
        // After the first ALLOW only a DENY can change anything.
        if statement.effect == Effect::Allow && decision.is_allowed() {
            continue;
        }
        let Some(resource) = statement.covering(topic, variables) else { continue };
        let deciding = DecidingStatement { policy, index, resource };
        match statement.effect {
            Effect::Allow => decision = Decision::Allowed(deciding),
            Effect::Deny => return Decision::Denied(deciding),
        }
    }
    decision
}

fn statements<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
) -> impl Iterator<Item = (&'a Policy, usize, &'a Statement)> {
    let each = |policy: &'a Policy| policy.statements.iter().enumerate().map(move |(index, it)| (policy, index, it));
    policies.into_iter().flat_map(each)
}
