//! What a registrar announces: how far its views are, under a counter that rises. Not a record: of each registrar and shard
//! of logs the last one is kept and nothing else.
//!
//! Not here: what a valid announcement means, nor any cryptography. Signed is [`Announcement::signed`], a text with one form
//! for one announcement, and not the JSON: that has several.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    encoding::{Base64, Sha256},
    error::{WireError, read},
    ruling::check_version,
};

/// The one version there is.
pub const VERSION: u32 = 1;
/// Largest announcement, bytes: one shard of some thousand logs, each of some 150 bytes.
pub const ANNOUNCEMENT_BYTES_MAX: usize = 512 * 1024;
/// What stands before the signed fields, so that a signature of something else is never taken for an announcement.
const SIGNED_AS: &str = "rollcall announcement\n";

/// `{"version": 1, "registrar": …, "shard": …, "counter": …, "key": …, "logs": […], "signature": …}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// The version of the shape.
    version: u32,
    /// One registrar process, for as long as it runs.
    pub registrar: String,
    /// Which shard of logs it is of.
    pub shard: u32,
    /// Rises with each announcement of this registrar, and from one registrar's life to the next.
    pub counter: u64,
    /// Names the key: the first eight bytes of SHA-256 over the public key, as 16 lower-case hex digits.
    pub key: String,
    /// The logs of this shard that the registrar serves.
    pub logs: Vec<Standing>,
    /// Ed25519 (RFC 8032) over [`signed`](Self::signed).
    pub signature: Base64,
}

/// How far a registrar's view of one log is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// [`FLEET`](Self::FLEET), or an instance's id.
    pub log: String,
    /// The last record that it has folded; 0 before the first.
    pub position: u64,
    /// The log's digest there.
    pub digest: Sha256,
}

impl Standing {
    /// What the fleet's own log is called; no instance's id holds `~`.
    pub const FLEET: &'static str = "~fleet";
}

impl Announcement {
    /// One without a signature yet.
    pub fn unsigned(registrar: String, shard: u32, counter: u64, key: String, logs: Vec<Standing>) -> Self {
        Self { version: VERSION, registrar, shard, counter, key, logs, signature: Base64(Vec::new()) }
    }

    /// What is signed: a fixed line, then a line of the fields before the logs and one for each log, blanks between.
    pub fn signed(&self) -> String {
        let Self { version, registrar, shard, counter, key, logs, signature: _ } = self;
        let mut text = format!("{SIGNED_AS}{version} {registrar} {shard} {counter} {key} {}\n", logs.len());
        for Standing { log, position, digest } in logs {
            writeln!(text, "{log} {position} {digest}").expect("text takes whatever is written");
        }
        text
    }

    /// As compact JSON.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("structs and maps with text keys are always JSON")
    }

    /// Reads an announcement. Nothing says that its signature is valid.
    ///
    /// # Errors
    /// [`WireError`] names what is unknown, missing or wrong.
    pub fn from_json(bytes: &[u8]) -> Result<Self, WireError> {
        if bytes.len() > ANNOUNCEMENT_BYTES_MAX {
            return Err(WireError::TooLarge { bytes: bytes.len(), max: ANNOUNCEMENT_BYTES_MAX });
        }
        check_version("announcement", VERSION, bytes)?;
        read(bytes)
    }

    /// The JSON Schema of the whole message.
    pub(crate) fn schema() -> schemars::Schema {
        schemars::schema_for!(Announcement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pinned: a signature of an earlier release must verify in the next.
    #[test]
    fn what_is_signed_stays_what_it_is() {
        let standing = Standing { log: "north".to_owned(), position: 7, digest: Sha256([1; 32]) };
        let announcement = Announcement::unsigned("r-1".to_owned(), 3, 42, "00ff".to_owned(), vec![standing]);
        let expected = format!("rollcall announcement\n1 r-1 3 42 00ff 1\nnorth 7 {}\n", "01".repeat(32));
        assert_eq!(announcement.signed(), expected);
    }
}
