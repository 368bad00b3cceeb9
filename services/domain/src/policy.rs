//! Topic policies: which custom topics a device may publish and subscribe.
//!
//! DENY wins; without an ALLOW it is denied. `*` is any run of characters (it crosses `/`), `?` any one; `+` and `#` are
//! literal. Variables are replaced by the connecting device's values, which are matched literally whatever they hold.
//! Topics that start with `$` are not a policy's business: see [`topic_scope`].
//!
//! Where a reading is in doubt, an ALLOW takes the narrower and a DENY the wider one. In an ALLOW `?` is no wildcard of a
//! filter, and a client id that names no particular device stands for nothing; in a DENY both keep what they could mean.
//! Invariant: a filter that an ALLOW without `+` and `#` grants brings no topic that this ALLOW does not match, but the
//! parent of a filter that ends with `/#` (MQTT 5 section 4.7.1.2), as at the service.

use crate::{
    ids::{DeviceId, NodeId, PolicyId, ProductId, SpaceId},
    time::Timestamp,
};

mod decision;
mod pattern;
mod topic;
mod validate;

#[cfg(test)]
mod tests;

pub use decision::{DecidingStatement, Decision, decide};
pub use topic::{TopicScope, topic_scope};
pub use validate::validate;

/// What every resource begins with.
const RESOURCE_PREFIX: &str = "topic:";

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Permits, unless some statement denies.
    Allow,
    /// Forbids, whatever else permits.
    Deny,
}

/// What a device wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// `iotda:devices:publish`.
    Publish,
    /// `iotda:devices:subscribe`.
    Subscribe,
}

impl Action {
    /// The name in the v5 API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Publish => "iotda:devices:publish",
            Self::Subscribe => "iotda:devices:subscribe",
        }
    }
}

/// One checked statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Allow or deny.
    pub effect: Effect,
    /// One or both actions, sorted, unique.
    pub actions: Vec<Action>,
    /// `topic:<pattern>` as written, 1 to 10 of them.
    pub resources: Vec<Box<str>>,
}

/// A policy of one resource space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub id: PolicyId,
    /// Which of all policies that the instance ever had, counted from 1: the id may be another's after a deletion.
    pub made: u64,
    /// The resource space it belongs to.
    pub space: SpaceId,
    pub name: Box<str>,
    /// At most 10.
    pub statements: Vec<Statement>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its name or statements were last changed.
    pub updated_at: Timestamp,
}

/// The values that variables stand for.
#[derive(Clone, Copy, Debug)]
pub struct Variables<'a> {
    /// `${devices.deviceId}`.
    pub device_id: &'a DeviceId,
    /// Has no variable of its own; it may be the client id.
    pub node_id: &'a NodeId,
    /// `${devices.clientId}`.
    pub client_id: ClientId<'a>,
    /// `${devices.productId}`.
    pub product_id: &'a ProductId,
}

/// A client id, as far as policies may believe it: the client chooses it freely, and the certificate says nothing of it.
/// [`crate::authenticate::Identification::client_id_of`] tells the two apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientId<'a> {
    /// Only this device has it.
    Bound(&'a str),
    /// Another device could have sent the same.
    Unbound(&'a str),
}

/// What is wrong with a policy, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct PolicyFault {
    /// Path of the field, such as `statement[0].resources[2]`.
    pub field: String,
    /// The rule that it breaks.
    pub rule: String,
}

/// Whether `policies` together let the device do `action` on `topic` (a topic name, or a filter string as subscribed).
///
/// A filter is matched as the text that it is: what a DENY of topics means for a wider filter is [`forbids`]'s.
///
/// Cheap enough for every publish: patterns are matched as they are written, without an allocation, in at most
/// (length of the pattern) × (length of the topic) steps. [`decide`] says which statement it comes from.
pub fn permits<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    action: Action,
    topic: &str,
    variables: Variables<'_>,
) -> bool {
    decide(policies, action, topic, variables).is_allowed()
}

/// Whether some DENY of `policies` covers a topic name that a message is about to be delivered on.
///
/// A filter is matched as the text that it is, as at the service, so an ALLOW of `*` lets a device subscribe `#`, and a
/// DENY of `secret/*` does not match that text. What the DENY means is kept here: no message of `secret/…` arrives.
pub fn forbids<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    action: Action,
    topic: &str,
    variables: Variables<'_>,
) -> bool {
    let statements = policies.into_iter().flat_map(|policy| &policy.statements);
    statements
        .filter(|statement| statement.effect == Effect::Deny && statement.actions.contains(&action))
        .any(|statement| statement.covers(topic, variables))
}

impl Statement {
    fn covers(&self, topic: &str, variables: Variables<'_>) -> bool {
        self.covering(topic, variables).is_some()
    }

    /// The first resource that covers the topic.
    fn covering(&self, topic: &str, variables: Variables<'_>) -> Option<&str> {
        let covers = |pattern| match self.effect {
            Effect::Allow => pattern::grants(pattern, topic, variables),
            Effect::Deny => pattern::forbids(pattern, topic, variables),
        };
        self.resources
            .iter()
            .map(|resource| &**resource)
            .find(|resource| resource.strip_prefix(RESOURCE_PREFIX).is_some_and(covers))
    }
}

/// Name of the policy that every new resource space gets, at the service and, unless it is to have none, here.
const SYSTEM_DEFAULT_NAME: &str = "system_default_policy";
/// Its resource: everything that is a policy's business.
const EVERY_TOPIC: &str = "topic:*";

impl Policy {
    /// Whether it is still what [`system_default`] has made: an operator may have changed its statements since.
    pub fn is_system_default(&self) -> bool {
        let denies = self.statements.iter().any(|statement| statement.effect == Effect::Deny);
        *self.name == *SYSTEM_DEFAULT_NAME && allow_every_topic(&self.statements) && !denies
    }
}

/// Whether statements allow to publish and to subscribe every custom topic. Where they are bound to a whole resource space,
/// what others allow there changes nothing; what they deny does.
pub fn allow_every_topic(statements: &[Statement]) -> bool {
    [Action::Publish, Action::Subscribe].iter().all(|action| {
        allowing(statements).any(|statement| {
            let is_open = statement.resources.iter().any(|resource| **resource == *EVERY_TOPIC);
            is_open && statement.actions.contains(action)
        })
    })
}

/// Whether statements allow some topics and not all: what a policy is written for that is to isolate.
pub fn allow_some_topics(statements: &[Statement]) -> bool {
    allowing(statements).next().is_some() && !allow_every_topic(statements)
}

fn allowing(statements: &[Statement]) -> impl Iterator<Item = &Statement> {
    statements.iter().filter(|statement| statement.effect == Effect::Allow)
}

/// The policy that a new resource space gets at `at` unless it is to have none, as at the service: everything outside `$oc`
/// is allowed.
pub(crate) fn system_default(id: PolicyId, made: u64, space: SpaceId, at: Timestamp) -> Policy {
    Policy {
        id,
        made,
        space,
        name: SYSTEM_DEFAULT_NAME.into(),
        statements: vec![Statement {
            effect: Effect::Allow,
            actions: vec![Action::Publish, Action::Subscribe],
            resources: vec![EVERY_TOPIC.into()],
        }],
        created_at: at,
        updated_at: at,
    }
}
