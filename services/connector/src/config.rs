//! The connector's configuration: plain data that touches nothing. Every limit of the edge is here, by name and with its
//! unit last; the defaults are the service's own figures where it states one.

pub(crate) mod instance_settings;
pub(crate) mod proxies;
pub(crate) mod staleness;

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use rollcall_domain::{fleet::AvailabilityRules, ids::InstanceId, limits::CHAIN_BYTES_MAX};
use rollcall_log::codec::AvailabilityTable;
use serde::{Deserialize, Serialize};

use self::{
    instance_settings::{InstanceSettings, StaleSessions},
    proxies::ProxyNetwork,
    staleness::StalenessRule,
};
pub use crate::mqtt::LongerKeepAlive;
use crate::{mqtt, sessions::persistent::routed::PersistentLimits, transport::unproven::Bounds};

/// The configuration of one connector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where MQTT over TLS is accepted.
    pub listen: SocketAddr,
    /// Networks of load balancers, whose connections begin with a PROXY protocol header of version 2, which names the source.
    /// From these it is required, from others it is not read.
    pub proxy_protocol_from: Vec<ProxyNetwork>,
    /// The folder with `<instance-id>.crt` (PEM, the server's own certificate first) and `<instance-id>.key` (PEM); and, for
    /// clients that cannot verify that one, `<instance-id>.rsa.crt` and `<instance-id>.rsa.key`.
    pub tls_folder: PathBuf,
    /// How old the view of an instance may be for accepting devices, seconds since a registrar has confirmed it; 0: known
    /// devices get in for as long as the centre is away.
    pub stale_admission_s_max: u64,
    /// What becomes of live sessions when the view is older than that.
    pub stale_sessions: StaleSessions,
    /// What is limited, and to how much.
    pub limits: Limits,
    /// For single instances, by id.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub instances: BTreeMap<String, InstanceSettings>,
    /// Where self-registration is not available, of instances whose record does not say, which version 1 wrote: any row
    /// that matches forbids. To be the same as the registrars'.
    pub unavailable: AvailabilityTable,
}

/// Every limit of the edge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// How long a starting connector waits, before it listens, for the fleet and for the views and certificates of its instances.
    pub start_ms_max: u64,
    /// TCP connections at a time, from SYN to last byte. One more closes one of the source that has most unproven ones, or is
    /// closed at once.
    pub connections_max: u32,
    /// Connections in the kernel's accept queue.
    pub backlog_max: u32,
    /// Connections that have not sent CONNECT over a verified client certificate yet. Over it, the source (IPv4 address, IPv6
    /// /64) that has most of them loses the one that has let us wait longest.
    pub unproven_max: u32,
    /// Of these, from one source; holds while more than half of `unproven_max` are there.
    pub unproven_per_source_max: u32,
    /// From our part of the TLS handshake to the client's; holds while more than half of `unproven_max` are there.
    pub handshake_answer_ms_max: u64,
    /// TLS handshakes that compute at a time: so many that begin, and so many that go on. More wait their turn, within their
    /// deadline; none holds its turn while it waits for its client.
    pub handshakes_max: u32,
    /// From accept to the end of the TLS handshake.
    pub handshake_ms_max: u64,
    /// From the end of the handshake to a whole CONNECT.
    pub connect_ms_max: u64,
    /// From a certificate-connect event to a view that knows the device.
    pub registration_ms_max: u64,
    /// Registrations at a time, per instance; more are shed with a retry hint.
    pub registrations_max: u32,
    /// Registrations a second under one CA certificate, on average; twice as many in a burst.
    pub registrations_per_ca_per_s_max: u32,
    /// Registrations a second from one source (IPv4 address, IPv6 /64), on average; twice as many in a burst.
    pub registrations_per_source_per_s_max: u32,
    /// What a shed or timed-out client is told to wait at least; it is told up to twice this, at random.
    pub retry_after_s: u32,
    /// Bytes of all certificates that a client presents, together.
    pub chain_bytes_max: u32,
    /// TLS sessions kept for resumption, per instance and trust epoch.
    pub resumable_sessions_max: u32,
    /// What becomes of an MQTT 3.1.1 client that asks for a keep-alive above 1200 s, or for none (0).
    pub longer_keep_alive: LongerKeepAlive,
    /// Subscriptions of one device.
    pub subscriptions_max: u16,
    /// QoS 1 messages under way from one device (MQTT 5: Receive Maximum).
    pub uplinks_in_flight_max: u16,
    /// QoS 1 messages under way to one device.
    pub downlinks_in_flight_max: u16,
    /// Messages waiting for one device.
    pub queue_messages_max: u32,
    /// Bytes waiting for one device.
    pub queue_bytes_max: u32,
    /// How long the session of a device may outlive its connection, seconds; 0: none does.
    pub session_expiry_s_max: u32,
    /// Messages that a device is given when it returns to its session, at most.
    pub session_backlog_max: u32,
    /// Messages a second from one device, on average; twice as many in a burst.
    pub uplinks_per_s_max: u32,
    /// Bytes a second from one device, on average; twice as many in a burst: the service's 1 MB/s.
    pub uplink_bytes_per_s_max: u32,
    /// Bytes of messages from one device that are not on disk yet; more are not read.
    pub uplink_bytes_in_flight_max: u32,
    /// Largest payload of an MQTT message, bytes; a packet may have 64 KB more, for its topic and properties.
    pub payload_bytes_max: u32,
    /// How long a stopping connector waits for its connections to end.
    pub drain_ms_max: u64,
    /// How long a refused client has for reading why.
    pub linger_ms_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([0, 0, 0, 0], 8883)),
            proxy_protocol_from: Vec::new(),
            tls_folder: "tls".into(),
            stale_admission_s_max: 0,
            stale_sessions: StaleSessions::Stay,
            limits: Limits::default(),
            instances: BTreeMap::new(),
            unavailable: AvailabilityTable::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            start_ms_max: 10_000,
            connections_max: 100_000,
            backlog_max: 4096,
            unproven_max: 16_384,
            unproven_per_source_max: 4096,
            handshake_answer_ms_max: 3_000,
            handshakes_max: 64,
            handshake_ms_max: 10_000,
            connect_ms_max: 10_000,
            registration_ms_max: 5_000,
            registrations_max: 4096,
            registrations_per_ca_per_s_max: 5_000,
            registrations_per_source_per_s_max: 2_500,
            retry_after_s: 5,
            chain_bytes_max: CHAIN_BYTES_MAX as u32,
            resumable_sessions_max: 4096,
            longer_keep_alive: LongerKeepAlive::Refuse,
            subscriptions_max: 100,
            uplinks_in_flight_max: 64,
            downlinks_in_flight_max: 64,
            queue_messages_max: 1000,
            queue_bytes_max: 4 * 1024 * 1024,
            session_expiry_s_max: 3600,
            session_backlog_max: 10_000,
            uplinks_per_s_max: 50,
            uplink_bytes_per_s_max: 1024 * 1024,
            uplink_bytes_in_flight_max: 4 * 1024 * 1024,
            payload_bytes_max: 1024 * 1024,
            drain_ms_max: 10_000,
            linger_ms_max: 1_000,
        }
    }
}

impl Limits {
    /// The part of them that the MQTT state machine keeps.
    pub(crate) fn protocol(&self) -> mqtt::Limits {
        mqtt::Limits {
            connect_ms_max: u32::try_from(self.connect_ms_max).unwrap_or(u32::MAX),
            longer_keep_alive: self.longer_keep_alive,
            payload_bytes_max: self.payload_bytes_max,
            receive_maximum: self.uplinks_in_flight_max,
            subscriptions_max: self.subscriptions_max,
            in_flight_max: self.downlinks_in_flight_max,
            queued_messages_max: u16::try_from(self.queue_messages_max).unwrap_or(u16::MAX),
            queued_bytes_max: self.queue_bytes_max,
            ..mqtt::Limits::default()
        }
    }

    /// The part of them that sessions keep which outlive their connection.
    pub(crate) const fn persistent(&self) -> PersistentLimits {
        PersistentLimits { expiry_s_max: self.session_expiry_s_max, backlog_max: self.session_backlog_max }
    }

    /// The part of them that binds connections before they have proven anything.
    pub(crate) fn unproven(&self) -> Bounds {
        Bounds {
            // More can never be there, and half of more might never be taken.
            total_max: self.unproven_max.min(self.connections_max) as usize,
            per_source_max: self.unproven_per_source_max as usize,
            answer_max: Duration::from_millis(self.handshake_answer_ms_max),
        }
    }

    /// [`Self::start_ms_max`].
    pub(crate) fn start(&self) -> Duration {
        Duration::from_millis(self.start_ms_max)
    }

    /// [`Self::handshake_ms_max`].
    pub(crate) fn handshake(&self) -> Duration {
        Duration::from_millis(self.handshake_ms_max)
    }

    /// [`Self::registration_ms_max`].
    pub(crate) fn registration(&self) -> Duration {
        Duration::from_millis(self.registration_ms_max)
    }

    /// [`Self::drain_ms_max`].
    pub(crate) fn drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms_max)
    }

    /// [`Self::linger_ms_max`].
    pub(crate) fn linger(&self) -> Duration {
        Duration::from_millis(self.linger_ms_max)
    }
}

impl Config {
    /// The staleness rule of one instance.
    pub(crate) fn staleness(&self, instance: &InstanceId) -> StalenessRule {
        StalenessRule::of(instance, self.stale_admission_s_max, self.stale_sessions, &self.instances)
    }

    /// What is configured for one instance.
    pub(crate) fn instance(&self, instance: &InstanceId) -> InstanceSettings {
        self.instances.get(instance.as_str()).copied().unwrap_or_default()
    }

    /// Whether TLS can work with what is configured for instances.
    pub(crate) fn has_usable_fragment_sizes(&self) -> bool {
        self.instances.values().all(InstanceSettings::is_fragment_size_usable)
    }

    /// Whether this peer has to say where its connections come from.
    pub(crate) fn is_proxy(&self, peer: IpAddr) -> bool {
        self.proxy_protocol_from.iter().any(|network| network.contains(peer))
    }

    /// The availability table as the rules want it.
    pub(crate) fn availability(&self) -> AvailabilityRules {
        self.unavailable.rules()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_an_instance_have_a_size_that_tls_can_work_with() {
        let usable = |size: usize| {
            let settings = InstanceSettings { max_fragment_size: Some(size), ..InstanceSettings::default() };
            Config { instances: [("north".to_owned(), settings)].into(), ..Config::default() }.has_usable_fragment_sizes()
        };
        assert_eq!([511, 512, 4096, 16_384, 16_385].map(usable), [false, true, true, true, false]);
        assert!(Config::default().has_usable_fragment_sizes());
    }

    #[test]
    fn an_unknown_limit_is_refused() {
        let said = serde_json::from_str::<Config>(r#"{"limits":{"connections":5}}"#).unwrap_err().to_string();
        assert!(said.starts_with("unknown field `connections`"), "{said}");
    }
}
