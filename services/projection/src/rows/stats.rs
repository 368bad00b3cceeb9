//! What the rows of a generation come to: how many devices live, and a sum that tells one set of rows from another.
//!
//! Kept up with every write and compared with the rows themselves when a generation is read through.

use rollcall_domain::registry::DeviceEntry;
use sha2::{Digest, Sha256};

/// The effect of writing one device's row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowStats {
    /// Live devices.
    pub(crate) live: u64,
    /// Wrapping sum of the rows' hashes.
    pub(crate) sum: u64,
}

impl RowStats {
    pub(crate) fn add(&mut self, row: &[u8], value: &[u8], entry: &DeviceEntry) {
        self.sum = self.sum.wrapping_add(row_hash(row, value));
        self.live += u64::from(matches!(entry, DeviceEntry::Live(_)));
    }

    pub(crate) fn subtract(&mut self, row: &[u8], value: &[u8], entry: &DeviceEntry) {
        self.sum = self.sum.wrapping_sub(row_hash(row, value));
        self.live = self.live.saturating_sub(u64::from(matches!(entry, DeviceEntry::Live(_))));
    }
}

fn row_hash(row: &[u8], value: &[u8]) -> u64 {
    // Without the generation: equal rows have equal sums in every view.
    let hash = Sha256::new().chain_update(row.get(size_of::<u32>()..).unwrap_or_default()).chain_update(value).finalize();
    hash.first_chunk().copied().map_or(0, u64::from_be_bytes)
}
