//! What of an instance is hardly as it was meant: each with a stable code, and with what to do.
//!
//! No fault and no refusal: all of it may be wanted. Invariant: a warning is of one resource space in scope, or of the instance
//! as a whole.

use std::collections::BTreeSet;

use rollcall_domain::{
    ids::SpaceId,
    policy::Policy,
    registry::{BoundPolicy, Ca, Configuration, Device, Space},
};
use rollcall_projection::{
    directory::{Condition, DeviceQuery},
    readiness::Unready,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::declared::isolates_nothing;
use crate::instances::served::ServedInstance;

/// What is hardly as it was meant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InstanceWarning {
    /// `unready`, `unwritable`, `self_registration_unavailable`, `default_policy_beside_own`, `no_policy_bound`,
    /// `policy_unbound`, `ca_without_template` or `self_registration_off`.
    #[schema(example = "ca_without_template")]
    code: &'static str,
    /// What is so, and what to do.
    text: String,
    /// The resource space that it is about; absent where it is about the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    app_id: Option<String>,
    /// The id of the policy or CA certificate that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

/// How the instance as a whole stands.
pub(super) struct Standing {
    pub(super) unready: Option<Unready>,
    pub(super) unwritable: Option<String>,
    /// Whether edition and region let devices register themselves.
    pub(super) may_register: bool,
}

impl InstanceWarning {
    const fn of_instance(code: &'static str, text: String) -> Self {
        Self { code, text, app_id: None, target: None }
    }

    fn of_space(code: &'static str, space: &SpaceId, target: Option<String>, text: String) -> Self {
        Self { code, text, app_id: Some(space.to_string()), target }
    }
}

/// All warnings, those of the instance first. `None`: the view is being built again.
pub(super) fn of(
    instance: &ServedInstance,
    configuration: &Configuration,
    spaces: Option<&BTreeSet<SpaceId>>,
    standing: &Standing,
) -> Option<Vec<InstanceWarning>> {
    let mut found = of_instance(standing);
    let in_scope = |space: &SpaceId| spaces.is_none_or(|spaces| spaces.contains(space));
    for space in configuration.spaces.values().filter(|space| in_scope(&space.id)) {
        of_policies(instance, configuration, space, &mut found)?;
    }
    found.extend(configuration.cas.values().filter(|ca| in_scope(&ca.space)).filter_map(|ca| of_ca(configuration, ca)));
    Some(found)
}

fn of_instance(standing: &Standing) -> Vec<InstanceWarning> {
    let unready = standing.unready.as_ref().map(|unready| InstanceWarning::of_instance("unready", unready.to_string()));
    let unwritable = standing.unwritable.as_ref().map(|why| {
        let text = format!("nothing can be changed, and no new device is let in: {why}");
        InstanceWarning::of_instance("unwritable", text)
    });
    let unavailable = (!standing.may_register).then(|| {
        let text =
            "the instance's edition and region do not let devices register themselves: enter them beforehand".to_owned();
        InstanceWarning::of_instance("self_registration_unavailable", text)
    });
    unready.into_iter().chain(unwritable).chain(unavailable).collect()
}

fn of_policies(
    instance: &ServedInstance,
    configuration: &Configuration,
    space: &Space,
    found: &mut Vec<InstanceWarning>,
) -> Option<()> {
    if let Some(beside) = configuration.beside_default(&space.id) {
        let text = isolates_nothing(&space.id, &beside);
        let target = Some(beside.open.id.to_string());
        found.push(InstanceWarning::of_space("default_policy_beside_own", &space.id, target, text));
    }
    let own: Vec<&Policy> = configuration.policies.values().filter(|policy| policy.space == space.id).collect();
    let mut unbound = Vec::new();
    for policy in &own {
        if !is_bound(instance, configuration, policy)? {
            unbound.push(*policy);
        }
    }
    let has_products = configuration.products.keys().any(|(of, _)| *of == space.id);
    if unbound.len() == own.len() && has_products {
        let text = format!(
            "no policy is bound to resource space {}, to a product or device of it, or named by a template: its devices may neither \
             publish nor subscribe custom topics; bind one",
            space.id
        );
        found.push(InstanceWarning::of_space("no_policy_bound", &space.id, None, text));
        return Some(());
    }
    found.extend(unbound.into_iter().map(|policy| {
        let text = format!(
            "policy {} ({}) is bound to nothing and named by no template: bind or delete it",
            policy.id, policy.name
        );
        InstanceWarning::of_space("policy_unbound", &space.id, Some(policy.id.to_string()), text)
    }));
    Some(())
}

/// Whether a policy applies to anything, or will to devices that a template makes.
fn is_bound(instance: &ServedInstance, configuration: &Configuration, policy: &Policy) -> Option<bool> {
    let mut products = configuration.products.values().filter(|product| product.space == policy.space);
    let is_bound_to_many = configuration.spaces.get(&policy.space).is_some_and(|space| space.policies.contains(&policy.id))
        || products.any(|product| product.policies.contains(&policy.id))
        || configuration.templates.values().any(|template| template.body.policy_ids.contains(&policy.id));
    if is_bound_to_many {
        return Some(true);
    }
    let status = |device: &Device| instance.status_of(device);
    let bound = BoundPolicy { policy: policy.id.clone(), made: policy.made };
    let mut query = DeviceQuery::all(1, &status);
    query.narrow(&Condition::Policy(policy.space.clone(), bound));
    Some(!instance.view.list(&query)?.devices.is_empty())
}

fn of_ca(configuration: &Configuration, ca: &Ca) -> Option<InstanceWarning> {
    if !ca.is_verified() {
        return None;
    }
    let bound = ca.template.as_ref().filter(|template| configuration.templates.contains_key(template));
    let (code, text) = match (bound, ca.self_registration) {
        (Some(_), true) => return None,
        (None, _) => {
            let rest =
                "is verified and has no template: devices that are not entered beforehand are refused; bind a template";
            ("ca_without_template", rest)
        }
        (Some(_), false) => {
            let rest = "is verified and self-registration is off: devices that are not entered beforehand are refused; switch it on";
            ("self_registration_off", rest)
        }
    };
    let text = format!("CA certificate {} ({}) {text}", ca.id, ca.cn_name);
    Some(InstanceWarning::of_space(code, &ca.space, Some(ca.id.to_string()), text))
}
