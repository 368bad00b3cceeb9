//! A will as it is kept, and the message that becomes of it.

use std::time::Duration;

use bytes::Bytes;
use rollcall_domain::{
    ids::DeviceId,
    policy::TopicScope,
    registry::{Configuration, Devices},
    time::Timestamp,
};
use rollcall_log::{
    documents::Revision,
    messages::{DeviceMessage, Lane, MessageProperties},
};
use serde::{Deserialize, Serialize};

use crate::{mqtt::Will, sessions::holder::Holder};

/// How long who publishes a will has it for itself, milliseconds: longer than storing a message takes.
pub(super) const CLAIM_MS: i64 = 15_000;

/// The will of a live session.
#[derive(Debug)]
pub(crate) struct SessionWill {
    pub(in crate::sessions) will: Box<KeptWill>,
    /// The revision of its document. `None`: whether there is one is not known, because writing it failed, or because this
    /// connector was taken for lost and another may have published the will; then it may not outlive this connector.
    pub(in crate::sessions) stored: Option<Revision>,
}

/// A will, in the form of its document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeptWill {
    holder: Holder,
    topic: String,
    /// In hexadecimal digits.
    payload: String,
    qos: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload_format: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response_topic: Option<String>,
    /// In hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation_data: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    user: Vec<(String, String)>,
    /// How long after the connection's end it is due: as the client wants it, and not after its session.
    delay_s: u32,
    /// Until when another connector leaves it to the one that publishes it, milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claimed_until_ms: Option<i64>,
}

impl KeptWill {
    /// `session_expiry_s`: how long the session outlives its connection. A will is due when that is over at the latest.
    pub(super) fn new(holder: Holder, will: &Will, session_expiry_s: u32) -> Self {
        let properties = &will.properties;
        Self {
            holder,
            topic: will.topic.clone(),
            payload: hex::encode(&will.payload),
            qos: will.qos,
            payload_format: properties.payload_format,
            expiry_s: properties.expiry_s,
            content_type: properties.content_type.clone(),
            response_topic: properties.response_topic.clone(),
            correlation_data: properties.correlation_data.as_ref().map(hex::encode),
            user: properties.user.clone(),
            delay_s: will.delay_s.min(session_expiry_s),
            claimed_until_ms: None,
        }
    }

    /// # Errors
    /// What is wrong with the body, for people.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|error| error.to_string())
    }

    pub(super) fn write(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts and numbers are JSON").into()
    }

    /// How long after the connection's end it is due; a delay ends when the session goes on.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_secs(self.delay_s.into())
    }

    /// About as many as it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let optional = [&self.content_type, &self.response_topic, &self.correlation_data].into_iter().flatten();
        let user = self.user.iter().flat_map(|(name, value)| [name, value]);
        let texts = [&self.topic, &self.payload].into_iter().chain(optional).chain(user);
        size_of::<Self>() + texts.map(String::len).sum::<usize>()
    }

    /// Whether somebody has claimed it, be it that the claim has run out.
    pub(super) const fn is_claimed(&self) -> bool {
        self.claimed_until_ms.is_some()
    }

    /// Nobody has claimed it any more.
    pub(super) const fn release(&mut self) {
        self.claimed_until_ms = None;
    }

    /// Claims it from `now_ms` on.
    ///
    /// # Errors
    /// For how long it is claimed yet, milliseconds, above 0.
    pub(super) fn claim(&mut self, now_ms: i64) -> Result<(), i64> {
        // One from further ahead than any can be was written by a clock that has been set back since.
        match self.claimed_until_ms {
            Some(until_ms) if until_ms > now_ms && until_ms <= now_ms.saturating_add(2 * CLAIM_MS) => Err(until_ms - now_ms),
            Some(_) | None => {
                self.claimed_until_ms = Some(now_ms.saturating_add(CLAIM_MS));
                Ok(())
            }
        }
    }

    /// The message that it is at `now`.
    ///
    /// # Errors
    /// Why the device may not publish it, for people.
    pub(super) fn message(
        &self,
        id: &DeviceId,
        configuration: &Configuration,
        devices: &dyn Devices,
        now: Timestamp,
    ) -> Result<DeviceMessage, String> {
        let device = self.holder.device(id, configuration, devices, now).map_err(|refusal| refusal.to_string())?;
        let lane = match self.holder.may_publish(&self.topic, &device, configuration) {
            Some(TopicScope::OwnSystem(_)) => Lane::Uplink,
            Some(TopicScope::Custom) => Lane::Peer,
            Some(TopicScope::Reserved) | None => return Err("the device may not publish to its topic".to_owned()),
        };
        let bytes = |text: &String| hex::decode(text).map(Bytes::from).map_err(|error| error.to_string());
        Ok(DeviceMessage {
            lane,
            space: device.space,
            device: device.id,
            topic: self.topic.clone(),
            payload: bytes(&self.payload)?,
            qos: self.qos,
            properties: MessageProperties {
                payload_format: self.payload_format,
                expiry_s: self.expiry_s,
                content_type: self.content_type.clone(),
                response_topic: self.response_topic.clone(),
                correlation_data: self.correlation_data.as_ref().map(bytes).transpose()?,
                user: self.user.clone(),
            },
        })
    }
}
