//! What the rows of a generation come to: how many devices live, how many certificates are retired, and a sum that tells one set of rows from another.
//!
//! Kept up with every write and compared with the rows themselves when a generation is read through.

use sha2::{Digest, Sha256};

/// Counted over all rows of a generation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RowStats {
    pub(crate) live: u64,
    pub(crate) retired: u64,
    /// Wrapping sum of the rows' hashes.
    pub(crate) sum: u64,
}

impl RowStats {
    pub(crate) fn add(&mut self, row: &[u8], value: &[u8]) {
        self.sum = self.sum.wrapping_add(row_hash(row, value));
    }

    pub(crate) fn subtract(&mut self, row: &[u8], value: &[u8]) {
        self.sum = self.sum.wrapping_sub(row_hash(row, value));
    }
}

fn row_hash(row: &[u8], value: &[u8]) -> u64 {
    // Without the generation: equal rows have equal sums in every view.
    let hash = Sha256::new().chain_update(row.get(size_of::<u32>()..).unwrap_or_default()).chain_update(value).finalize();
    hash.first_chunk().copied().map_or(0, u64::from_be_bytes)
}
