//! What a view writes: the domain's state in a compact form of its own, so that the domain needs no serialisation and
//! can change its types without every view on disk becoming garbage unnoticed.
//!
//! Not a wire format and never sent: a change here raises [`SCHEMA`], and views are rebuilt. Invariant: what cannot be
//! read back as exactly a valid value is a [`Fault`](crate::files::Fault), not a guess.

pub(crate) mod certificate;
pub(crate) mod configuration;
pub(crate) mod device;
pub(crate) mod retired;

use serde::{Deserialize, Serialize};

/// Version of everything in [`stored`](self) and of the keys in [`rows`](crate::rows). A view of another version is
/// rebuilt, and served meanwhile if it is one of [`SERVED_SCHEMAS`].
pub(crate) const SCHEMA: u32 = 8;
/// The older versions whose rows this code still reads as they are.
pub(crate) const SERVED_SCHEMAS: &[u32] = &[];

/// How far a generation has been folded: always to the end of a batch. Written last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredProgress<'a> {
    /// The last position that is wholly in the rows, or was stepped over.
    pub(crate) position: u64,
    /// The log's digest.
    pub(crate) digest: [u8; 32],
    /// How what follows has to be proven.
    pub(crate) sealing: StoredSealing,
    /// The last batch that was folded: first and last position, the digest before it.
    pub(crate) batch: Option<(u64, u64, [u8; 32])>,
    /// Records that were not ours, and the last of them.
    pub(crate) foreign: Option<(u64, u64)>,
    /// Which of the instances with this id it was folded for.
    pub(crate) incarnation: [u8; 16],
    pub(crate) live: u64,
    /// Certificates that are retired.
    pub(crate) retired: u64,
    /// Wrapping sum of a hash of every row of a device or a retired certificate: a row that silently went back to an older value shows.
    pub(crate) rows_sum: u64,
    /// Which stream was folded.
    #[serde(borrow)]
    pub(crate) stream: &'a str,
}

/// [`rollcall_log::seal::Sealing`], as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum StoredSealing {
    /// Everything counts as ours.
    Unsigned,
    /// Nothing has been sealed yet.
    Awaited,
    /// By this public key.
    By([u8; 32]),
}
