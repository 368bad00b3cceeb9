//! The document of a session.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Times are in milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionDocument {
    pub(super) operator: String,
    pub(super) created_ms: i64,
    /// When it was used last, as far as it has been written.
    pub(super) seen_ms: i64,
    /// When it ends however much it is used.
    pub(super) ends_ms: i64,
}

impl SessionDocument {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    pub(super) fn write(&self) -> Bytes {
        // Texts and numbers only.
        serde_json::to_vec(self).unwrap_or_default().into()
    }

    /// When it ends unless it is used before.
    pub(super) fn over_at_ms(&self, idle_ms: i64) -> i64 {
        self.ends_ms.min(self.seen_ms.saturating_add(idle_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_ends_unused_or_in_the_end() {
        let document = SessionDocument { operator: "anna".into(), created_ms: 0, seen_ms: 100, ends_ms: 1000 };
        assert_eq!(document.over_at_ms(500), 600);
        assert_eq!(document.over_at_ms(5000), 1000);
        assert_eq!(document.over_at_ms(i64::MAX), 1000);
        assert_eq!(SessionDocument::read(&document.write()), Some(document));
        assert_eq!(SessionDocument::read(b"{}"), None);
    }
}
