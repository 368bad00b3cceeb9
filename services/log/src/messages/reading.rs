//! What may be asked of the messages of an instance beside following its lanes: those of a space or a device, the latest of
//! them, and how much is kept.

use std::collections::BTreeSet;

use rollcall_domain::ids::{DeviceId, SpaceId};

use super::{MessagePosition, StoredMessage};

/// Most messages of one page of the latest.
pub const LATEST_MAX: usize = 100;
/// A page ends with the message that makes it this long, bytes as stored.
pub const LATEST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Whose messages are read or followed, of the lanes that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessagesOf {
    /// Those of every device of the instance.
    Instance,
    /// Those of devices of these resource spaces.
    Spaces(BTreeSet<SpaceId>),
    /// Those of one device while it was in this resource space: an id that was used again elsewhere is another device.
    Device { space: SpaceId, device: DeviceId },
}

impl MessagesOf {
    /// Whether a message with these ids is among them.
    pub fn holds(&self, space: &str, device: &str) -> bool {
        match self {
            Self::Instance => true,
            Self::Spaces(spaces) => spaces.iter().any(|held| held.as_str() == space),
            Self::Device { space: of, device: id } => of.as_str() == space && id.as_str() == device,
        }
    }
}

/// Some of the latest messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatestMessages {
    /// Newest first: the order is that of positions, turned round.
    pub messages: Vec<StoredMessage>,
    /// How many were stepped over because they cannot be read.
    pub damaged: u64,
    /// What to give as `before` for those that came earlier; `None`: there are none, or not any more.
    pub next: Option<MessagePosition>,
}

impl LatestMessages {
    /// Whether a page of at most `max` has as many messages or bytes as it may.
    pub fn is_full(&self, max: usize) -> bool {
        let bytes = || self.messages.iter().map(|stored| stored.message.payload.len()).sum::<usize>();
        self.messages.len() >= max.min(LATEST_MAX) || bytes() >= LATEST_BYTES_MAX
    }
}

/// What is kept of an instance's messages. What it shares a stream with counts too: something may be kept where nothing of
/// the instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptMessages {
    /// Messages up to this position may have been forgotten, those after it have not.
    pub after: MessagePosition,
    /// The last that was stored, kept or not.
    pub last: MessagePosition,
}
