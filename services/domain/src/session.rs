//! One connection of one device, as connectors announce it and everything that follows presence tells sessions apart.
//!
//! Invariant: which of two sessions of a device is over follows from the two alone, so that it is the same for every watcher.

use crate::ids::ConnectorId;

/// One connection of one device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session {
    /// The connector that holds it.
    pub connector: ConnectorId,
    /// Unique within the connector's life, and rising: a later session of the connector has a higher number.
    pub number: u64,
}

impl Session {
    /// Whether the end of this session is the end of `other` too: of itself, and of every earlier one of its connector. A
    /// connector has one session of a device at a time, and may say nothing of one that a newer one took over from.
    pub fn ends(&self, other: &Self) -> bool {
        self.connector == other.connector && other.number <= self.number
    }
}
