//! What concerns the readers of a log and no state, version 1. Either may stand in the fleet's log and in an instance's.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoding::Sha256;

/// The records up to `prefix_end`, which carry no proof of their writer, are taken over as they are: an operator vouches
/// for them by their digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogAdopted {
    /// Position of the last record that is taken over; 0: there is none.
    pub prefix_end: u64,
    /// The running digest over all records up to there.
    pub prefix_digest: Sha256,
}

/// The record at `position`, or the damaged batch that begins there, is passed over by every reader: an operator has
/// looked at it, and no version can read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordSkipped {
    /// Position of the record.
    pub position: u64,
}

/// A key of registrars, named by a registrar whose key is trusted already: what it signs is theirs from this record on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegistrarKeyNamed {
    /// The public key: `ed25519:` and its 32 bytes in standard base64.
    #[schemars(regex(pattern = "^ed25519:[A-Za-z0-9+/]{43}=$"))]
    pub public_key: String,
}
