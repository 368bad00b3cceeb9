//! The document of a session.
//!
//! A code made with the master key is over all of it and over its own key: who may write the store, and has a cookie, could
//! otherwise make that cookie anybody's, or lengthen it, with documents alone.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::cookie::SessionKey;

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

/// As it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    session: SessionDocument,
    /// Keyed hash over the session and its key, in hexadecimal.
    code: String,
}

impl SessionDocument {
    /// The document under a key, the SHA-256 of a secret, and whether an API process with this master key has written it.
    pub(super) fn read(body: &[u8], of: &[u8; 32], key: &SessionKey) -> Option<(Self, bool)> {
        let Stored { session, code } = serde_json::from_slice(body).ok()?;
        let is_ours = hex::decode(code).is_ok_and(|code| session.with_parts(of, |parts| key.is_code(parts, &code)));
        Some((session, is_ours))
    }

    pub(super) fn write(&self, of: &[u8; 32], key: &SessionKey) -> Bytes {
        let code = hex::encode(self.with_parts(of, |parts| key.code(parts)));
        // Texts and numbers only.
        serde_json::to_vec(&Stored { session: self.clone(), code }).unwrap_or_default().into()
    }

    /// All but the name have a length of their own, so that no two documents have the same parts joined.
    fn with_parts<T>(&self, of: &[u8; 32], then: impl FnOnce(&[&[u8]]) -> T) -> T {
        let Self { operator, created_ms, seen_ms, ends_ms } = self;
        let [created, seen, ends] = [created_ms, seen_ms, ends_ms].map(|ms| ms.to_be_bytes());
        then(&[of, &created, &seen, &ends, operator.as_bytes()])
    }

    /// When it ends unless it is used before.
    pub(super) fn over_at_ms(&self, idle_ms: i64) -> i64 {
        self.ends_ms.min(self.seen_ms.saturating_add(idle_ms))
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn anna() -> SessionDocument {
        SessionDocument { operator: "anna".into(), created_ms: 0, seen_ms: 100, ends_ms: 1000 }
    }

    #[test]
    fn a_session_ends_unused_or_in_the_end() {
        assert_eq!(anna().over_at_ms(500), 600);
        assert_eq!(anna().over_at_ms(5000), 1000);
        assert_eq!(anna().over_at_ms(i64::MAX), 1000);
    }

    #[test]
    fn a_document_that_no_api_has_written_so_is_told_from_ours() {
        let key = |byte| SessionKey::new(Zeroizing::new([byte; 32]));
        let read = |body: &[u8], of: u8, with: u8| SessionDocument::read(body, &[of; 32], &key(with));
        let body = anna().write(&[7; 32], &key(1));
        assert_eq!(read(&body, 7, 1), Some((anna(), true)));
        assert_eq!(read(&body, 8, 1), Some((anna(), false)), "under another key");
        assert_eq!(read(&body, 7, 2), Some((anna(), false)), "with another master key");
        let text = std::str::from_utf8(&body).unwrap();
        for (was, is) in [
            ("anna", "annb"),
            ("_ms\":0", "_ms\":1"),
            (":100,", ":101,"),
            (":1000}", ":1001}"),
            ("code\":\"", "code\":\"00"),
        ] {
            let changed = text.replacen(was, is, 1);
            assert_ne!(changed, text, "{was}");
            assert_eq!(read(changed.as_bytes(), 7, 1).map(|(_, is_ours)| is_ours), Some(false), "{changed}");
        }
        assert_eq!(read(b"{}", 7, 1), None);
    }
}
