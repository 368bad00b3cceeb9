//! The document of a session that outlives its connection.

use bytes::Bytes;
use rollcall_domain::ids::ConnectorId;
use rollcall_log::{
    messages::{MessageCursor, MessagePosition},
    presence::Session as PresenceSession,
};
use serde::{Deserialize, Serialize};

use crate::{
    mqtt::{Subscription, matches},
    sessions::holder::Holder,
};

/// A live session's document is never older, milliseconds. What a connector that was killed has left counts as ended then.
pub(crate) const WRITTEN_MS_MAX: i64 = 300_000;

/// See the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptSession {
    pub(crate) holder: Holder,
    /// The connector that has the session's connection, or had its last.
    pub(super) connector: String,
    /// The number of that connection there.
    pub(super) number: u64,
    /// When that connection began.
    pub(crate) since_ms: i64,
    /// How long the session outlives its connection, seconds.
    pub(crate) expiry_s: u32,
    pub(crate) filters: Vec<KeptFilter>,
    /// Every message up to here has been acknowledged, or was not for this session.
    pub(crate) after: MessageCursor,
    pub(crate) written_ms: i64,
    /// The connection has ended, and this says how far the client has come.
    pub(crate) ended: bool,
}

/// One subscription of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptFilter {
    pub(crate) filter: String,
    pub(crate) qos: u8,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) no_local: bool,
    /// It was subscribed to after this: what came up to here is not for it, even where the session is further behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<MessageCursor>,
}

impl KeptFilter {
    pub(crate) fn new(subscription: &Subscription, after: Option<MessageCursor>) -> Self {
        let Subscription { filter, qos, no_local } = subscription;
        Self { filter: filter.to_string(), qos: *qos, no_local: *no_local, after }
    }

    /// Whether the message at a position was published to a topic of it, after it was subscribed to.
    pub(super) fn takes(&self, topic: &str, position: MessagePosition) -> bool {
        matches(&self.filter, topic) && self.after.is_none_or(|after| !after.covers(&position.into()))
    }
}

impl KeptSession {
    pub(crate) fn new(holder: Holder, owner: &PresenceSession, since_ms: i64, expiry_s: u32, after: MessageCursor) -> Self {
        Self {
            holder,
            connector: owner.connector.to_string(),
            number: owner.number,
            since_ms,
            expiry_s,
            filters: Vec::new(),
            after,
            written_ms: since_ms,
            ended: false,
        }
    }

    /// # Errors
    /// What is wrong with the body, for people.
    pub(crate) fn read(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|error| error.to_string())
    }

    pub(crate) fn write(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts and numbers are JSON").into()
    }

    /// The connection that has it, or had it last.
    pub(crate) fn owner(&self) -> Option<PresenceSession> {
        ConnectorId::parse(&self.connector).ok().map(|connector| PresenceSession { connector, number: self.number })
    }

    /// When it is over, milliseconds since the Unix epoch, unless it is written again.
    pub(crate) fn over_at_ms(&self) -> i64 {
        let unwritten_ms = if self.ended { 0 } else { WRITTEN_MS_MAX };
        self.written_ms.saturating_add(i64::from(self.expiry_s) * 1000).saturating_add(unwritten_ms)
    }
}
