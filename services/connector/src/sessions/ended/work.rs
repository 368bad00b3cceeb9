//! What there is to do with a document of an ended session.

use std::{sync::Arc, time::Duration};

use rollcall_log::{BackboneError, documents::Revision, presence::Session as PresenceSession};

use super::will::KeptWill;
use crate::sessions::session::Session;

/// How often a will's document is looked for before there is none: a write that was reported as failed may take effect
/// later, and who is asked may not have heard of it yet.
pub(super) const LOOKS: u8 = 2;
/// Before what has failed is tried again.
pub(super) const RETRY_DELAY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) enum Work {
    /// Publish the will, then delete its document.
    Publish(Source),
    /// Delete the will's document, whatever has become of it: the client has said goodbye. Its revision, if that is known,
    /// and how often it is looked for yet.
    Discard { revision: Option<Revision>, looks: u8 },
    /// Delete the will's document if nobody has written it since: the will has been published.
    Delete(Revision),
    /// Delete the will's document if it waits for a delay: its session goes on.
    Withdraw,
    /// Put the will of a live session again.
    KeepAgain(Arc<Session>),
    /// Write down how far a kept session has come, or that it is over.
    Keep(Arc<Session>),
    /// Look whether the session that is kept of a device that is away is over; of the one that is named, because a newer
    /// connection has done without it.
    Check(Option<PresenceSession>),
}

/// Where a will is that is to be published.
#[derive(Debug)]
pub(crate) enum Source {
    /// In its document, which is looked for so often yet.
    Document { looks: u8 },
    /// In its document, which a connector that is gone has left in this revision. Where that connector is back it has written
    /// the document again, and the will is its own.
    Left { listed: Revision, looks: u8 },
    /// In its document, which this connector has claimed so.
    Claimed(Revision),
    /// Here: its document may be there or not.
    Here(Box<KeptWill>),
}

/// What is left of a thing to do.
pub(super) enum Next {
    Nothing,
    /// The same again, after this time.
    Later(Duration),
    /// This in its place, after this time.
    Then(Duration, Work),
    /// This in its place, because that could not be done yet.
    Failed(BackboneError, Work),
}

impl Work {
    pub(super) const fn publish_document() -> Self {
        Self::Publish(Source::Document { looks: LOOKS })
    }

    pub(super) const fn discard(revision: Option<Revision>) -> Self {
        Self::Discard { revision, looks: LOOKS }
    }

    /// What is to be done with the document of a will that is given up.
    pub(super) fn given_up(&self) -> Option<Self> {
        match self {
            Self::Publish(_) => Some(Self::discard(None)),
            Self::Discard { .. }
            | Self::Delete(_)
            | Self::Withdraw
            | Self::KeepAgain(_)
            | Self::Keep(_)
            | Self::Check(_) => None,
        }
    }

    /// Bytes that a will takes here because it may be nowhere else.
    pub(super) fn unstored_bytes(&self) -> usize {
        match self {
            Self::Publish(Source::Here(will)) => will.bytes(),
            Self::Publish(Source::Document { .. } | Source::Left { .. } | Source::Claimed(_))
            | Self::Discard { .. }
            | Self::Delete(_)
            | Self::Withdraw
            | Self::KeepAgain(_)
            | Self::Keep(_)
            | Self::Check(_) => 0,
        }
    }
}
