//! The limits of one connection, by name. The service's figures where it names one.

use rollcall_log::messages::PAYLOAD_BYTES_MAX;

/// Shortest keep-alive that an MQTT 5 client is given, seconds.
pub(crate) const KEEP_ALIVE_S_MIN: u16 = 30;
/// Shortest keep-alive that an older client may ask for, seconds; it cannot be told another.
pub(crate) const KEEP_ALIVE_3_S_MIN: u16 = 5;
/// Longest keep-alive, seconds.
pub(crate) const KEEP_ALIVE_S_MAX: u16 = 1200;
/// A CONNECT packet. Small, because its sender is not authenticated yet. Also every other packet but
/// PUBLISH, none of which has a reason to be larger.
pub(crate) const CONNECT_BYTES_MAX: u32 = 64 * 1024;
/// Topic, packet id and properties of a PUBLISH with the largest payload.
pub(crate) const PUBLISH_HEADER_BYTES_MAX: u32 = 64 * 1024;
/// Client id or user name, bytes.
pub(crate) const IDENTITY_BYTES_MAX: usize = 256;
/// A topic or filter outside `$oc`, bytes.
pub(crate) const TOPIC_BYTES_MAX: usize = 128;
/// A topic or filter that begins with `$`, bytes: it holds a device id of up to 128 and a request id of up to 128.
pub(crate) const SYSTEM_TOPIC_BYTES_MAX: usize = 512;
/// Reason String of MQTT 5, bytes.
pub(crate) const REASON_BYTES_MAX: usize = 512;
/// Bytes that are buffered while the machine waits for its owner; past that it asks for no more input.
pub(crate) const BUFFERED_BYTES_MAX: usize = 64 * 1024;
/// Output that the client has not taken; more is not added, and nothing more is read.
pub(crate) const OUTPUT_BYTES_MAX: usize = 256 * 1024;
/// How long a session that ends, for whatever reason, waits for the answers to the messages that it has taken, milliseconds.
pub(crate) const GOODBYE_MS_MAX: u64 = 5_000;
/// A session that ends and keeps its rights reads until nothing has come for so long, milliseconds: what the client sent
/// before it could know may not be at hand yet.
pub(crate) const GOODBYE_QUIET_MS: u64 = 50;
/// Bytes of one packet that count as activity before the packet is whole: a large message on a slow link takes
/// longer than a keep-alive.
pub(crate) const PROGRESS_BYTES: usize = 1024;
/// Capacity that an empty buffer may keep: an idle connection is to cost next to nothing.
pub(crate) const IDLE_BUFFER_BYTES_MAX: usize = 512;
/// Entries that an empty queue may keep room for.
pub(crate) const IDLE_QUEUE_LEN_MAX: usize = 8;

/// What becomes of a client before MQTT 5 that asks for a keep-alive above the longest, or for none (0).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LongerKeepAlive {
    /// It is refused, as at the service.
    #[default]
    Refuse,
    /// It has what it asks for; none counts as 65,535 s. Connections of clients that are gone stay as long.
    Honour,
}

/// What an operator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Time from the start to a whole CONNECT, milliseconds.
    pub(crate) connect_ms_max: u32,
    pub(crate) longer_keep_alive: LongerKeepAlive,
    /// Payload of a message, bytes.
    pub(crate) payload_bytes_max: u32,
    /// QoS 1 messages of the client that are not acknowledged yet: MQTT 5 Receive Maximum. More are not read, twice as many
    /// before MQTT 5, where the client has not been told.
    pub(crate) receive_maximum: u16,
    /// MQTT 5 topic aliases of the client.
    pub(crate) topic_alias_maximum: u16,
    /// Subscriptions of one session.
    pub(crate) subscriptions_max: u16,
    /// QoS 1 messages for the client that it has not acknowledged yet; its own Receive Maximum may be lower.
    pub(crate) in_flight_max: u16,
    /// QoS 1 messages that wait for one of these to be acknowledged.
    pub(crate) queued_messages_max: u16,
    /// Payload bytes of the messages that wait.
    pub(crate) queued_bytes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_ms_max: 10_000,
            longer_keep_alive: LongerKeepAlive::Refuse,
            payload_bytes_max: PAYLOAD_BYTES_MAX as u32,
            receive_maximum: 32,
            topic_alias_maximum: 16,
            subscriptions_max: 100,
            in_flight_max: 32,
            queued_messages_max: 256,
            queued_bytes_max: 4 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// The largest packet of the client, bytes, fixed header included: MQTT 5 Maximum Packet Size.
    pub(crate) const fn packet_bytes_max(&self) -> u32 {
        self.payload_bytes_max.saturating_add(PUBLISH_HEADER_BYTES_MAX)
    }

    /// Messages of the client, QoS 0 included, that the owner has not answered; more are not read.
    pub(crate) const fn unanswered_max(&self) -> usize {
        2 * self.receive_maximum as usize
    }
}
