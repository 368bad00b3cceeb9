//! The API's configuration: plain data that touches nothing.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use rollcall_domain::fleet::AvailabilityRules;
use rollcall_log::codec::AvailabilityTable;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The address on which HTTPS is accepted.
    pub listen: SocketAddr,
    /// Plain HTTP instead of HTTPS; only on a loopback address.
    pub plain_http: bool,
    /// The certificate and key (`<name>.crt`, `<name>.key`, PEM) shown for every name that is no instance's access domain.
    pub certificate: PathBuf,
    /// The key of `certificate`, PEM.
    pub key: PathBuf,
    /// Where `<instance-id>.crt` and `<instance-id>.key` of the instances are, shown for their access domains.
    pub tls_folder: PathBuf,
    /// The file with the key that every access key's secret, password and token of the fleet hangs on; made if it is not
    /// there. To be the same file for every API process.
    pub master_key_file: PathBuf,
    /// The file with the private key that proves commands to the registrars, which have its public half in `command_keys`.
    /// Made by `rollcall pki command-key`.
    pub command_key_file: PathBuf,
    /// A folder with a built console, served instead of the one in the program; read at each request.
    pub console_dir: Option<PathBuf>,
    /// Where self-registration is not available, of instances whose record does not say, which version 1 wrote; to be the
    /// same as the registrars' and connectors'.
    pub unavailable: AvailabilityTable,
    /// Live devices in one instance whose record does not say, which version 1 wrote; to be the same as the registrars',
    /// which enforce it. Here it is only spoken of.
    pub devices_max: u64,
    pub limits: Limits,
}

/// Every limit, by name. Units last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Connections at a time; more are closed at once.
    pub connections_max: u32,
    /// Connections of one source (an IPv4 address, an IPv6 /64) at a time of which no request has proven yet who sends it; binds
    /// only while more than half of `connections_max` are open.
    pub connections_of_source_max: u32,
    /// How long such a connection may have no request under way, while more than half of `connections_max` are open.
    pub silent_ms_max: u64,
    /// How long a TLS handshake may take.
    pub handshake_ms_max: u64,
    /// How long a client may take over the head of a request, and so how long a connection may idle between two.
    pub head_ms_max: u64,
    /// How long a client may take nothing of an answer that it is sent.
    pub write_ms_max: u64,
    /// Largest body, bytes.
    pub body_bytes_max: u64,
    /// Bytes of bodies at a time of which it is not proven yet who sends them.
    pub unproven_bytes_max: u64,
    /// The same of one source; binds only while more than half of `unproven_bytes_max` is held.
    pub unproven_bytes_of_source_max: u64,
    /// Changes that wait for a ruling at a time, for each instance.
    pub changes_max: u32,
    /// How long a change may take: ruling and view.
    pub change_ms_max: u64,
    /// How long a device may take to answer a command or a property request.
    pub device_answer_ms_max: u64,
    /// Requests a second of one operator, in bursts of ten seconds' worth.
    pub requests_per_s_max: u32,
    /// SQL searches and lists of devices as CSV a second of one operator, in bursts of ten seconds' worth.
    pub searches_per_s_max: u32,
    /// Streams of events at a time.
    pub streams_max: u32,
    /// Streams of events of one operator at a time.
    pub streams_of_operator_max: u32,
    /// How long there may be no room for the next event of a stream because its client does not read.
    pub stream_stall_ms_max: u64,
    /// The lifetime of a token.
    pub token_s_max: u64,
    /// How long a browser's session may go unused. Its last use is written once a minute at most, so it may end that much earlier.
    pub session_idle_s_max: u64,
    /// The lifetime of a browser's session, however much it is used.
    pub session_s_max: u64,
    /// Sessions of one operator; with one more the one that was used longest ago ends.
    pub sessions_of_operator_max: u32,
    /// Sessions of all operators; one more is refused.
    pub sessions_max: u32,
    /// How long requests under way may take when the process stops.
    pub drain_ms_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8943)),
            plain_http: false,
            certificate: "tls/api.crt".into(),
            key: "tls/api.key".into(),
            tls_folder: "tls".into(),
            master_key_file: "api/master.key".into(),
            command_key_file: "api/command.key".into(),
            console_dir: None,
            unavailable: AvailabilityTable::default(),
            devices_max: 1_000_000,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 1000,
            connections_of_source_max: 64,
            silent_ms_max: 3_000,
            handshake_ms_max: 10_000,
            head_ms_max: 30_000,
            write_ms_max: 30_000,
            body_bytes_max: 1024 * 1024,
            unproven_bytes_max: 32 * 1024 * 1024,
            unproven_bytes_of_source_max: 4 * 1024 * 1024,
            changes_max: 256,
            change_ms_max: 5_000,
            device_answer_ms_max: 20_000,
            requests_per_s_max: 100,
            searches_per_s_max: 1,
            streams_max: 64,
            streams_of_operator_max: 8,
            stream_stall_ms_max: 10_000,
            token_s_max: 24 * 3600,
            session_idle_s_max: 30 * 60,
            session_s_max: 12 * 3600,
            sessions_of_operator_max: 16,
            sessions_max: 4096,
            drain_ms_max: 5_000,
        }
    }
}

impl Config {
    /// The availability table as the rules take it.
    pub fn availability(&self) -> AvailabilityRules {
        self.unavailable.rules()
    }
}

impl Limits {
    pub const fn change(&self) -> Duration {
        Duration::from_millis(self.change_ms_max)
    }

    pub const fn stream_stall(&self) -> Duration {
        Duration::from_millis(self.stream_stall_ms_max)
    }

    pub const fn device_answer(&self) -> Duration {
        Duration::from_millis(self.device_answer_ms_max)
    }
}
