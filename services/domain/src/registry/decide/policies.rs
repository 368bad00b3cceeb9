//! Rules on topic policies and what they are bound to.

use super::{Decided, Decision, devices, fields, membership, record_if};
use crate::{
    ids::{PolicyId, SpaceId},
    limits,
    policy::{self, Policy, Statement},
    registry::{
        event::{Event, PolicyTarget},
        state::{BoundPolicy, Configuration, Devices},
    },
    rejection::{Rejection, Subject},
};

pub(super) fn create(
    configuration: &Configuration,
    id: &PolicyId,
    space: &SpaceId,
    name: &str,
    statements: &[Statement],
) -> Decided {
    membership::space(configuration, space)?;
    policy::validate(name, statements).map_err(Rejection::InvalidPolicy)?;
    if let Some(existing) = configuration.policies.get(id) {
        let same = existing.space == *space && *existing.name == *name && existing.statements == statements;
        return if same { Ok(Decision::AlreadySo) } else { Err(Rejection::AlreadyExists(Subject::Policy(id.clone()))) };
    }
    fields::limit(configuration.policies.len() + 1, limits::POLICIES_PER_INSTANCE_MAX, "policies in this instance")?;
    let (space, name, statements) = (space.clone(), name.into(), statements.to_vec());
    Ok(Decision::Record(Event::PolicyCreated { policy: id.clone(), space, name, statements }))
}

pub(super) fn update(
    configuration: &Configuration,
    id: &PolicyId,
    name: Option<&str>,
    statements: Option<&[Statement]>,
) -> Decided {
    let existing = existing(configuration, id)?;
    let name: Box<str> = name.unwrap_or(&existing.name).into();
    let statements = statements.unwrap_or(&existing.statements).to_vec();
    policy::validate(&name, &statements).map_err(Rejection::InvalidPolicy)?;
    let changes = existing.name != name || existing.statements != statements;
    record_if(changes, Event::PolicyUpdated { policy: id.clone(), name, statements })
}

/// Always granted, as the service does: it is unbound from everything. A template that still names it registers no device
/// until it is edited, and each rejected attempt says so.
pub(super) fn delete(configuration: &Configuration, id: &PolicyId) -> Decided {
    existing(configuration, id)?;
    Ok(Decision::Record(Event::PolicyDeleted { policy: id.clone() }))
}

pub(super) fn bind(configuration: &Configuration, devices: &dyn Devices, id: &PolicyId, target: &PolicyTarget) -> Decided {
    existing(configuration, id)?;
    let (space, bound) = look(configuration, devices, target)?;
    membership::policy(configuration, &space, id)?;
    if bound.contains(id) {
        return Ok(Decision::AlreadySo);
    }
    // A device keeps the ids of policies that have been deleted since; they mean nothing and do not count.
    let in_use = bound.iter().filter(|policy| configuration.policies.contains_key(policy)).count();
    fields::limit(in_use + 1, limits::POLICIES_PER_TARGET_MAX, "policies bound to one device, product or resource space")?;
    Ok(Decision::Record(Event::PolicyBound { policy: id.clone(), target: target.clone() }))
}

/// Also of a policy that is gone, where the device still has its id: so an operator can tidy up.
pub(super) fn unbind(configuration: &Configuration, devices: &dyn Devices, id: &PolicyId, target: &PolicyTarget) -> Decided {
    let (_, bound) = look(configuration, devices, target)?;
    if !bound.contains(id) {
        existing(configuration, id)?;
        return Ok(Decision::AlreadySo);
    }
    Ok(Decision::Record(Event::PolicyUnbound { policy: id.clone(), target: target.clone() }))
}

/// The target's resource space, and what is bound to it.
fn look(
    configuration: &Configuration,
    lookup: &dyn Devices,
    target: &PolicyTarget,
) -> Result<(SpaceId, Vec<PolicyId>), Rejection> {
    match target {
        PolicyTarget::Device(id) => {
            let device = devices::existing(lookup, id)?;
            // Of an id that is another policy's now it has nothing.
            let has =
                |bound: &BoundPolicy| configuration.is_bound(bound) || !configuration.policies.contains_key(&bound.policy);
            let bound = device.policies.into_iter().filter(has).map(|bound| bound.policy);
            Ok((device.space, bound.collect()))
        }
        PolicyTarget::Product(space, id) => {
            let product = configuration.products.get(&(space.clone(), id.clone()));
            let product = product.ok_or_else(|| Rejection::NotFound(Subject::Product(id.clone())))?;
            Ok((space.clone(), product.policies.clone()))
        }
        PolicyTarget::Space(id) => {
            let space = membership::space(configuration, id)?;
            Ok((id.clone(), space.policies.clone()))
        }
    }
}

fn existing<'a>(configuration: &'a Configuration, id: &PolicyId) -> Result<&'a Policy, Rejection> {
    configuration.policies.get(id).ok_or_else(|| Rejection::NotFound(Subject::Policy(id.clone())))
}
