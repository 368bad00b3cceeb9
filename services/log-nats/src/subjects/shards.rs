//! Which shard an instance's requests, attempts, messages, presence and documents are in.
//!
//! The registry has a stream for each log, because a position is a stream's sequence. What needs no order across an
//! instance shares streams: a broker carries some thousand of them, and reserves each one's bytes. How many shards there
//! are is written down when the fleet's log is made, in the metadata of its stream, and read from there by every process.
//! Not a record: it says where records' requests are found, so it has to be known before the first can be asked for, and
//! only this crate has a use for it.
//!
//! Invariant: which shard is a log's never changes. So the count comes from the stream or, for a fleet that version 0.1
//! made, from a constant that nothing else uses, and the hash is pinned by a test.

use std::{collections::HashMap, fmt};

use rollcall_domain::ids::{InstanceId, LogId};
use rollcall_log::{BackboneError, limits::SHARDS_MAX};
use sha2::{Digest as _, Sha256};

use crate::subjects::token::log_token;

/// Names the count in the metadata of the fleet's registry stream.
pub(crate) const COUNT: &str = "rollcall-shards";
/// How many a fleet has whose stream says nothing: version 0.1 made it, before there were shards.
const COUNT_SINCE_0_1: u32 = 16;

/// The shards of a fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shards {
    count: u32,
    /// Whether version 0.1 made the fleet, so that instances may have streams of their own beside the shards.
    pub(crate) since_0_1: bool,
}

/// One of them, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shard(u32);

impl Shards {
    /// As the metadata of the fleet's registry stream says.
    pub(crate) fn read(stream: &str, metadata: &HashMap<String, String>) -> Result<Self, BackboneError> {
        let Some(said) = metadata.get(COUNT) else { return Ok(Self { count: COUNT_SINCE_0_1, since_0_1: true }) };
        match said.parse() {
            Ok(count) if (1..=SHARDS_MAX).contains(&count) => Ok(Self { count, since_0_1: false }),
            _ => Err(BackboneError::Damaged {
                what: format!("stream {stream}"),
                reason: format!("its metadata {COUNT} is {said:?}, which is no number from 1 to {SHARDS_MAX}"),
            }),
        }
    }

    /// The metadata that says so.
    pub(crate) fn write(count: u32) -> HashMap<String, String> {
        HashMap::from([(COUNT.to_owned(), count.to_string())])
    }

    /// The shard of a log.
    pub(crate) fn of(self, log: &LogId) -> Shard {
        let digest = Sha256::digest(log_token(log).as_bytes());
        let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        Shard(u32::try_from(number % u64::from(self.count)).unwrap_or_default())
    }

    /// The shard of an instance.
    pub(crate) fn of_instance(self, instance: &InstanceId) -> Shard {
        self.of(&LogId::Instance(instance.clone()))
    }

    /// All of them.
    pub(crate) fn all(self) -> impl Iterator<Item = Shard> {
        (0..self.count).map(Shard)
    }
}

impl Shard {
    /// Counted from 0.
    pub(crate) const fn number(self) -> u32 {
        self.0
    }
}

/// As a token of subjects and stream names. No id can hold `~`, so none is taken for a shard.
impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "~{:02}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(shards: Shards, instance: &str) -> String {
        shards.of_instance(&InstanceId::parse(instance).unwrap()).to_string()
    }

    #[test]
    fn an_instance_stays_in_the_shard_that_it_has_always_been_in() {
        let shards = Shards::read("registry_fleet", &Shards::write(16)).unwrap();
        let found = ["north", "south", "west", "plant-1", "a"].map(|instance| shard(shards, instance));
        assert_eq!(found, ["~01", "~03", "~12", "~09", "~10"]);
        assert_eq!(shards.of(&LogId::Fleet).to_string(), "~13");
    }

    #[test]
    fn instances_spread_over_all_shards() {
        let shards = Shards::read("registry_fleet", &Shards::write(16)).unwrap();
        let mut instances: HashMap<String, usize> = HashMap::new();
        (0..1000).for_each(|n| *instances.entry(shard(shards, &format!("instance-{n}"))).or_default() += 1);
        assert_eq!(instances.len(), shards.all().count());
        assert!(instances.values().all(|count| (30..100).contains(count)), "{instances:?}");
    }

    #[test]
    fn a_fleet_that_says_nothing_is_of_version_0_1_and_nonsense_is_refused() {
        let shards = Shards::read("registry_fleet", &HashMap::new()).unwrap();
        assert_eq!((shards.all().count(), shards.since_0_1), (16, true));
        for said in ["0", "257", "-1", "many", ""] {
            let metadata = HashMap::from([(COUNT.to_owned(), said.to_owned())]);
            assert!(matches!(Shards::read("registry_fleet", &metadata), Err(BackboneError::Damaged { .. })), "{said:?}");
        }
    }
}
