//! Which policies apply to a device, and which statement of them decides a topic.
//!
//! Holds no rule: the domain decides, as it does for a connected device. Invariant: nothing is published or subscribed, and the
//! device need not be online.

use axum::{Json, extract::Path};
use rollcall_domain::{
    authenticate::Identification,
    fleet::Role,
    policy::{Action, ClientId, DecidingStatement, Decision, Effect, Policy, TopicScope, Variables, decide, topic_scope},
    registry::{BoundTo, Configuration, Device},
};
use rollcall_log::codec::statements_to_json;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    context::InstanceContext,
    http::{error::ApiError, errors::Errors, extract::Body, route::Routes},
    v5::policies::PolicyStatement,
};

/// Bytes of a topic that is tested: what MQTT can carry is longer, what a connector takes is not.
const TOPIC_BYTES_MAX: usize = 1024;
/// The variable whose value the client chooses.
const CLIENT_ID_VARIABLE: &str = "${devices.clientId}";

/// What a policy that applies to a device is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum PolicyThrough {
    /// The device itself.
    Device,
    /// Its product.
    Product,
    /// Its resource space.
    App,
    /// Its resource space, by the policy that it was made with and that nobody has changed.
    Default,
}

/// A policy that applies to a device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyInEffect {
    policy_id: String,
    policy_name: String,
    /// What it says.
    #[schema(value_type = Vec<PolicyStatement>)]
    statement: serde_json::Value,
    /// Through what it applies to the device.
    through: PolicyThrough,
    /// The id of that: of the device, its product or its resource space.
    target_id: String,
}

/// The policies that apply to a device.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PoliciesInEffect {
    /// The device's own, then its product's, then its resource space's. One that applies in two ways is there twice.
    policies: Vec<PolicyInEffect>,
}

/// What a device would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum TestedAction {
    Publish,
    Subscribe,
}

/// A topic, and what a device would do with it.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PolicyTest {
    /// Publish to the topic, or subscribe the filter.
    action: TestedAction,
    /// A topic name; to subscribe, a filter, which policies match as the text that it is.
    #[schema(min_length = 1, max_length = 1024)]
    topic: String,
    /// The client id that it would connect with, for `${devices.clientId}`; its device id when absent.
    #[schema(max_length = 256)]
    client_id: Option<String>,
}

/// Whose a topic is, before any policy is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum TestedTopicScope {
    /// Policies decide.
    Custom,
    /// Below `$oc/devices/{its own id}/`: always the device's.
    OwnSystem,
    /// Anything else that begins with `$`: never a device's.
    Reserved,
}

/// A statement that has decided.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyDecidedBy {
    policy_id: String,
    policy_name: String,
    /// Its place in the policy's `statement`, from 0.
    statement_index: usize,
    /// `ALLOW` or `DENY`.
    #[schema(example = "ALLOW")]
    effect: &'static str,
    /// The resource of the statement that covers the topic, as written.
    resource: String,
    /// Through what the policy applies to the device; where it does in several ways, the first of them.
    through: PolicyThrough,
    /// The id of that.
    target_id: String,
}

/// Whether a device may, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyTestAnswer {
    allowed: bool,
    /// Whose the topic is.
    topic_scope: TestedTopicScope,
    /// The statement that decided; absent where no policy was asked, or no statement covers the topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<PolicyDecidedBy>,
    /// The client id that it was asked with.
    client_id: String,
    /// Whether an ALLOW with `${devices.clientId}` believes it: the device id, the node id and the standard form are the device's
    /// alone, and any other could be sent by another device.
    client_id_is_bound: bool,
    /// All of it, for people.
    text: String,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(list)).operation(Role::Viewer, routes!(test))
}

/// List the policies that apply to a device, and through what each does
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/devices/{device_id}/policies", tag = "Device policies",
    params(("instance_id" = String, Path), ("device_id" = String, Path)), responses((status = 200, body = PoliciesInEffect), Errors))]
async fn list(
    context: InstanceContext,
    Path((_instance, device_id)): Path<(String, String)>,
) -> Result<Json<PoliciesInEffect>, ApiError> {
    let device = context.device(&device_id)?.device;
    let configuration = context.configuration();
    let shown = |(to, policy): (BoundTo, &Policy)| {
        let (through, target_id) = through(to, policy, &device);
        PolicyInEffect {
            policy_id: policy.id.to_string(),
            policy_name: policy.name.to_string(),
            statement: statements_to_json(&policy.statements),
            through,
            target_id,
        }
    };
    Ok(Json(PoliciesInEffect { policies: configuration.bindings_of(&device).map(shown).collect() }))
}

/// Test whether a device may publish to a topic or subscribe a filter, and which statement says so
#[utoipa::path(post, path = "/rollcall/v1/instances/{instance_id}/devices/{device_id}/policy-test", tag = "Device policies",
    params(("instance_id" = String, Path), ("device_id" = String, Path)), request_body = PolicyTest,
    responses((status = 200, body = PolicyTestAnswer), Errors))]
async fn test(
    context: InstanceContext,
    Path((_instance, device_id)): Path<(String, String)>,
    Body(wanted): Body<PolicyTest>,
) -> Result<Json<PolicyTestAnswer>, ApiError> {
    let device = context.device(&device_id)?.device;
    if let Some(rule) = topic_rule(wanted.action, &wanted.topic) {
        return Err(ApiError::invalid("topic", rule));
    }
    Ok(Json(tested(&context.configuration(), &device, &wanted)))
}

/// The rule of MQTT that a topic name or filter breaks: a device that sends such a one is disconnected, whatever policies say.
fn topic_rule(action: TestedAction, topic: &str) -> Option<String> {
    if topic.is_empty() || topic.len() > TOPIC_BYTES_MAX || topic.chars().any(char::is_control) {
        return Some(format!("give 1 to {TOPIC_BYTES_MAX} bytes without control characters"));
    }
    let has_wildcard = |level: &str| level.contains(['+', '#']);
    let mut levels = topic.split('/').rev();
    let (last, mut before) = (levels.next().unwrap_or_default(), levels);
    match action {
        TestedAction::Publish => has_wildcard(topic).then(|| "a topic name has no '+' and '#': give one name".to_owned()),
        TestedAction::Subscribe => {
            let misplaced = |level: &str| level != "+" && has_wildcard(level);
            let is_wrong = (last != "#" && misplaced(last)) || before.any(misplaced);
            is_wrong.then(|| "in a filter '+' stands alone in its level, and '#' alone in the last".to_owned())
        }
    }
}

fn tested(configuration: &Configuration, device: &Device, wanted: &PolicyTest) -> PolicyTestAnswer {
    let sent = wanted.client_id.as_deref().unwrap_or_default();
    // The standard form counts with the device id as user name; nothing else depends on that.
    let identification = Identification { client_id: sent, user_name: Some(device.id.as_str()) };
    let client_id = identification.client_id_of(device);
    let (ClientId::Bound(value) | ClientId::Unbound(value)) = client_id;
    let variables = Variables { device_id: &device.id, node_id: &device.node_id, client_id, product_id: &device.product };
    let action = match wanted.action {
        TestedAction::Publish => Action::Publish,
        TestedAction::Subscribe => Action::Subscribe,
    };
    let decision = decide(configuration.policies_of(device), action, &wanted.topic, variables);
    let topic_scope = match topic_scope(&wanted.topic, &device.id) {
        TopicScope::Custom => TestedTopicScope::Custom,
        TopicScope::OwnSystem(_) => TestedTopicScope::OwnSystem,
        TopicScope::Reserved => TestedTopicScope::Reserved,
    };
    let client_id_is_bound = matches!(client_id, ClientId::Bound(_));
    let mut text = text_of(&decision, topic_scope);
    if topic_scope == TestedTopicScope::Custom {
        if let Some(more) = of_client_id(configuration, device, value).filter(|_| !client_id_is_bound) {
            text.push_str(&more);
        }
        if decision.is_allowed() && action == Action::Subscribe && denies_some(configuration, device) {
            text.push_str(
                "; messages on topics that a DENY of subscribing covers are not delivered, whatever filter they come by",
            );
        }
    }
    PolicyTestAnswer {
        allowed: topic_scope == TestedTopicScope::OwnSystem || decision.is_allowed(),
        topic_scope,
        decided_by: match decision {
            Decision::Allowed(by) | Decision::Denied(by) => Some(decided_by(configuration, device, &by)),
            Decision::NotAsked | Decision::NothingAllows => None,
        },
        client_id: value.to_owned(),
        client_id_is_bound,
        text,
    }
}

fn text_of(decision: &Decision<'_>, topic_scope: TestedTopicScope) -> String {
    let by = |by: &DecidingStatement<'_>| {
        format!("statement {} of policy {} ({}), by {:?}", by.index, by.policy.id, by.policy.name, by.resource)
    };
    match (topic_scope, decision) {
        (TestedTopicScope::OwnSystem, _) => "a system topic of the device's own is always allowed: no policy is asked".into(),
        (TestedTopicScope::Reserved, _) | (_, Decision::NotAsked) => {
            "what begins with $ is the platform's, but for $oc/devices/{device_id}/… of the device itself: no policy is asked".into()
        }
        (TestedTopicScope::Custom, Decision::Allowed(statement)) => format!("allowed by {}", by(statement)),
        (TestedTopicScope::Custom, Decision::Denied(statement)) => {
            format!("denied by {}: a DENY counts before every ALLOW", by(statement))
        }
        (TestedTopicScope::Custom, Decision::NothingAllows) => {
            "denied, since no ALLOW of a policy that applies to the device covers it".into()
        }
    }
}

/// What is to be said of a client id that any device could send, if some policy asks for it.
fn of_client_id(configuration: &Configuration, device: &Device, client_id: &str) -> Option<String> {
    let mut resources =
        configuration.policies_of(device).flat_map(|policy| &policy.statements).flat_map(|statement| &statement.resources);
    resources.any(|resource| resource.contains(CLIENT_ID_VARIABLE)).then(|| {
        format!(
            "; client id {client_id:?} is neither the device's id nor its node id nor the standard form, so an ALLOW with \
             {CLIENT_ID_VARIABLE} matches nothing"
        )
    })
}

fn denies_some(configuration: &Configuration, device: &Device) -> bool {
    let mut statements = configuration.policies_of(device).flat_map(|policy| &policy.statements);
    statements.any(|statement| statement.effect == Effect::Deny && statement.actions.contains(&Action::Subscribe))
}

fn decided_by(configuration: &Configuration, device: &Device, by: &DecidingStatement<'_>) -> PolicyDecidedBy {
    let effect = by.policy.statements.get(by.index).map(|statement| statement.effect);
    let bound = configuration.bindings_of(device).find(|(_, policy)| policy.id == by.policy.id);
    let (through, target_id) = through(bound.map_or(BoundTo::Device, |(to, _)| to), by.policy, device);
    PolicyDecidedBy {
        policy_id: by.policy.id.to_string(),
        policy_name: by.policy.name.to_string(),
        statement_index: by.index,
        effect: if effect == Some(Effect::Deny) { "DENY" } else { "ALLOW" },
        resource: by.resource.to_owned(),
        through,
        target_id,
    }
}

fn through(to: BoundTo, policy: &Policy, device: &Device) -> (PolicyThrough, String) {
    match to {
        BoundTo::Device => (PolicyThrough::Device, device.id.to_string()),
        BoundTo::Product => (PolicyThrough::Product, device.product.to_string()),
        BoundTo::Space if policy.is_system_default() => (PolicyThrough::Default, device.space.to_string()),
        BoundTo::Space => (PolicyThrough::App, device.space.to_string()),
    }
}
