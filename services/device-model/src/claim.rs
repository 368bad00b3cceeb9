//! Which process is delivering to a device: a claim in the document that says what waits.
//!
//! Several processes see the same device connect. The one whose write of the claim wins delivers; the others leave it to it.
//! Invariant: a claim ends by itself, so that what a process that died had claimed is delivered by another, perhaps twice.

use serde::{Deserialize, Serialize};

/// How long a claim holds, milliseconds: longer than storing a few messages takes.
pub const CLAIM_MS_MAX: i64 = 15_000;
/// So long before its end a claim is renewed rather than worked on, milliseconds.
const RENEWED_MS_BEFORE: i64 = 5_000;

/// See the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Unlike that of any other claim.
    pub by: String,
    /// When it ends, milliseconds since the Unix epoch.
    pub until_ms: i64,
}

impl Claim {
    /// A claim from `now_ms` on, for [`CLAIM_MS_MAX`].
    pub fn new(by: &str, now_ms: i64) -> Self {
        Self { by: by.to_owned(), until_ms: now_ms.saturating_add(CLAIM_MS_MAX) }
    }

    /// Whether it holds at `now_ms`.
    pub fn holds(&self, now_ms: i64) -> bool {
        // One from further ahead than any can be was written by a clock that has been set back since.
        (now_ms..=now_ms.saturating_add(2 * CLAIM_MS_MAX)).contains(&self.until_ms)
    }

    /// Whether there is time for one more delivery under a claim made at `since_ms`.
    pub fn has_time(since_ms: i64, now_ms: i64) -> bool {
        now_ms.saturating_sub(since_ms) < CLAIM_MS_MAX - RENEWED_MS_BEFORE
    }
}
