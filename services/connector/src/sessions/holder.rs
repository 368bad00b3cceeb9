//! The device that a will or a kept session is of, as it is written down with it, and whether that device may still use it.
//!
//! Whoever reads it later has no connection and no certificate, and may be another connector: it asks its own view.

use rollcall_domain::{
    authenticate::{Absent, Identification, absent},
    certificate::{CertificateFacts, path::Proven},
    ids::DeviceId,
    policy::{Action, ClientId, TopicScope, Variables, permits, topic_scope},
    refusal::Refusal,
    registry::{Configuration, Device, Devices},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// See the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Holder {
    /// Tells the device from a later one of its id.
    registered_at_ms: i64,
    /// As the CONNECT said both.
    client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_name: Option<String>,
    /// SHA-256 over the certificate's DER, in hexadecimal.
    sha256: String,
    /// SHA-1 over it, in hexadecimal.
    sha1: String,
    not_after_ms: i64,
    /// SHA-256 over the CA certificate's DER, in hexadecimal.
    ca_sha256: String,
    /// The CAs above the certificate, by name and key, in hexadecimal.
    above: Vec<String>,
}

impl Holder {
    /// The holder of what a connection leaves that was let in with this certificate.
    pub(super) fn new(
        device: &Device,
        identification: &Identification<'_>,
        facts: &CertificateFacts,
        path: &Proven,
    ) -> Self {
        Self {
            registered_at_ms: device.registered_at.unix_ms(),
            client_id: identification.client_id.to_owned(),
            user_name: identification.user_name.map(ToOwned::to_owned),
            sha256: hex::encode(facts.sha256),
            sha1: hex::encode(facts.sha1),
            not_after_ms: facts.not_after.unix_ms(),
            ca_sha256: hex::encode(path.ca_sha256),
            above: path.chain.iter().map(|above| hex::encode(above.name_and_key_sha256)).collect(),
        }
    }

    /// The same for all client ids that are the device's own: an hour is part of the standard form, and a session is not to
    /// end with it. Any other is told apart.
    pub(super) fn of_session(self, device: &Device) -> Self {
        let identification = Identification { client_id: &self.client_id, user_name: self.user_name.as_deref() };
        let client_id = match identification.client_id_of(device) {
            ClientId::Bound(_) => device.id.to_string(),
            ClientId::Unbound(other) => other.to_owned(),
        };
        Self { client_id, user_name: None, ..self }
    }

    /// The device, if it would still be let in as it was.
    ///
    /// # Errors
    /// [`Refusal`]: why it would not.
    pub(crate) fn device(
        &self,
        id: &DeviceId,
        configuration: &Configuration,
        devices: &dyn Devices,
        now: Timestamp,
    ) -> Result<Device, Refusal> {
        // What this version cannot read is no certificate that it knows.
        let digest = |text: &String| digest(text).ok_or(Refusal::CertificateMismatch);
        let above = self.above.iter().map(digest).collect::<Result<Vec<_>, _>>()?;
        let mut sha1 = [0; 20];
        hex::decode_to_slice(&self.sha1, &mut sha1).map_err(|_| Refusal::CertificateMismatch)?;
        let holder = Absent {
            device: id,
            registered_at: Timestamp::from_unix_ms(self.registered_at_ms),
            sha256: digest(&self.sha256)?,
            sha1,
            not_after: Timestamp::from_unix_ms(self.not_after_ms),
            ca_sha256: digest(&self.ca_sha256)?,
            above: &above,
        };
        absent(configuration, devices, &holder, now)
    }

    /// Whether the policies of the device, as they are now, let it publish to a topic; then whose topic it is.
    pub(crate) fn may_publish(&self, topic: &str, device: &Device, configuration: &Configuration) -> Option<TopicScope> {
        let scope = topic_scope(topic, &device.id);
        let identification = Identification { client_id: &self.client_id, user_name: self.user_name.as_deref() };
        let variables = Variables {
            device_id: &device.id,
            node_id: &device.node_id,
            client_id: identification.client_id_of(device),
            product_id: &device.product,
        };
        let permitted = match &scope {
            TopicScope::OwnSystem(_) => true,
            TopicScope::Reserved => false,
            TopicScope::Custom => permits(configuration.policies_of(device), Action::Publish, topic, variables),
        };
        permitted.then_some(scope)
    }
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest).ok()?;
    Some(digest)
}
