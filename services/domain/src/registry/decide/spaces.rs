//! Rules on resource spaces.

use super::{Decided, Decision, fields, membership, record_if};
use crate::{
    ids::{PolicyId, SpaceId},
    limits,
    registry::{event::Event, state::Configuration},
    rejection::{Rejection, Subject},
};

/// The id of the default policy is not part of what must be the same: the policy may have been deleted since. A space that
/// has one is another than a space that is to have none.
pub(super) fn create(
    configuration: &Configuration,
    space: &SpaceId,
    name: &str,
    default_policy: Option<&PolicyId>,
) -> Decided {
    fields::space_name(name)?;
    if let Some(existing) = configuration.spaces.get(space) {
        let is_open_unasked = default_policy.is_none() && configuration.default_policy(space).is_some();
        return if *existing.name == *name && !is_open_unasked {
            Ok(Decision::AlreadySo)
        } else {
            Err(Rejection::AlreadyExists(Subject::Space(space.clone())))
        };
    }
    fields::limit(configuration.spaces.len() + 1, limits::SPACES_PER_INSTANCE_MAX, "resource spaces in this instance")?;
    if let Some(policy) = default_policy {
        if configuration.policies.contains_key(policy) {
            return Err(Rejection::AlreadyExists(Subject::Policy(policy.clone())));
        }
        fields::limit(configuration.policies.len() + 1, limits::POLICIES_PER_INSTANCE_MAX, "policies in this instance")?;
    }
    Ok(Decision::Record(Event::SpaceCreated {
        space: space.clone(),
        name: name.into(),
        // The first, and the next one after the default space was deleted: requests without a space need one.
        default_space: !configuration.spaces.values().any(|other| other.default_space),
        default_policy: default_policy.cloned(),
    }))
}

pub(super) fn rename(configuration: &Configuration, space: &SpaceId, name: &str) -> Decided {
    let existing = membership::space(configuration, space)?;
    fields::space_name(name)?;
    record_if(*existing.name != *name, Event::SpaceRenamed { space: space.clone(), name: name.into() })
}

/// Devices need no look of their own: each belongs to a product, and no product goes before its devices.
pub(super) fn delete(configuration: &Configuration, space: &SpaceId) -> Decided {
    membership::space(configuration, space)?;
    let used_by = |user: String| Err(Rejection::InUse { subject: Subject::Space(space.clone()), user });
    if let Some((_, product)) = configuration.products.keys().find(|(of, _)| of == space) {
        return used_by(Subject::Product(product.clone()).to_string());
    }
    if let Some(ca) = configuration.cas.values().find(|ca| ca.space == *space) {
        return used_by(Subject::Ca(ca.id.clone()).to_string());
    }
    Ok(Decision::Record(Event::SpaceDeleted { space: space.clone() }))
}
