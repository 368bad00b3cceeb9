//! The default policy of a resource space, and whether the space's own policies stand beside it.
//!
//! Every ALLOW counts, so beside a policy that allows all to a whole space what others allow isolates nothing. That is no
//! fault (the service does the same, and a DENY counts beside it), but hardly what the author of such a policy means.

use super::state::Configuration;
use crate::{
    ids::SpaceId,
    policy::{Policy, allow_every_topic, allow_some_topics},
};

/// Policies of a space whose ALLOWs change nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BesideDefault<'a> {
    /// The policy that is bound to the whole space and allows every custom topic.
    pub open: &'a Policy,
    /// The others of the space that allow some topics, bound or not; never empty.
    pub others: Vec<&'a Policy>,
}

impl Configuration {
    /// The policy that the space was made with, if it is still bound and says what it said.
    pub fn default_policy(&self, space: &SpaceId) -> Option<&Policy> {
        self.bound_to_space(space).find(|policy| policy.is_system_default())
    }

    /// What of the space's own policies stands beside a policy that allows everything; `None`: nothing does.
    pub fn beside_default(&self, space: &SpaceId) -> Option<BesideDefault<'_>> {
        let open = self.bound_to_space(space).find(|policy| allow_every_topic(&policy.statements))?;
        let own = self.policies.values().filter(|policy| policy.space == *space);
        let others: Vec<_> = own.filter(|policy| allow_some_topics(&policy.statements)).collect();
        (!others.is_empty()).then_some(BesideDefault { open, others })
    }

    /// A policy of another space never applies, even if its id was once bound here.
    fn bound_to_space(&self, space: &SpaceId) -> impl Iterator<Item = &Policy> {
        let bound = self.spaces.get(space).into_iter().flat_map(|space| &space.policies);
        bound.filter_map(|id| self.policies.get(id)).filter(move |policy| policy.space == *space)
    }
}
