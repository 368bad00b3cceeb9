//! The instruments of the connector, through the process's global meter. Labels are refusal codes and fixed words,
//! never anything that a client has sent.

use std::sync::LazyLock;

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Histogram, Meter, UpDownCounter},
};
use rollcall_domain::refusal::Refusal;

static METER: LazyLock<Meter> = LazyLock::new(|| global::meter("rollcall.connector"));

/// The instruments. One set for the process: a meter hands out the same instrument for the same name anyway.
pub(crate) struct Metrics {
    connections: UpDownCounter<i64>,
    sessions: UpDownCounter<i64>,
    turned_away: Counter<u64>,
    shed: Counter<u64>,
    handshakes: Counter<u64>,
    handshake_failures: Counter<u64>,
    accepted: Counter<u64>,
    refused: Counter<u64>,
    refusals_kept: Counter<u64>,
    refusals_lost: Counter<u64>,
    closed: Counter<u64>,
    registrations: Counter<u64>,
    registration_ms: Histogram<f64>,
    uplinks: Counter<u64>,
    denied: Counter<u64>,
    delivered: Counter<u64>,
    wills: Counter<u64>,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics {
    connections: METER.i64_up_down_counter("rollcall.connector.connections").build(),
    sessions: METER.i64_up_down_counter("rollcall.connector.sessions").build(),
    turned_away: METER.u64_counter("rollcall.connector.turned_away").build(),
    shed: METER.u64_counter("rollcall.connector.shed").build(),
    handshakes: METER.u64_counter("rollcall.connector.handshakes").build(),
    handshake_failures: METER.u64_counter("rollcall.connector.handshake_failures").build(),
    accepted: METER.u64_counter("rollcall.connector.accepted").build(),
    refused: METER.u64_counter("rollcall.connector.refused").build(),
    refusals_kept: METER.u64_counter("rollcall.connector.refusals_kept").build(),
    refusals_lost: METER.u64_counter("rollcall.connector.refusals_lost").build(),
    closed: METER.u64_counter("rollcall.connector.closed").build(),
    registrations: METER.u64_counter("rollcall.connector.registrations").build(),
    registration_ms: METER.f64_histogram("rollcall.connector.registration").with_unit("ms").build(),
    uplinks: METER.u64_counter("rollcall.connector.uplinks").build(),
    denied: METER.u64_counter("rollcall.connector.denied").build(),
    delivered: METER.u64_counter("rollcall.connector.delivered").build(),
    wills: METER.u64_counter("rollcall.connector.wills").build(),
});

/// The instruments of this process.
pub(crate) fn metrics() -> &'static Metrics {
    &METRICS
}

/// Why a connection that had proven nothing was closed for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shed {
    /// It has not answered the server's flight in time.
    Unanswered,
    /// Its source has too many.
    OfSource,
    /// There are too many in all, and its source has most of them.
    Full,
    /// All connections are taken, and its source has most of those that have proven nothing.
    NoConnectionLeft,
}

impl Shed {
    const fn name(self) -> &'static str {
        match self {
            Self::Unanswered => "unanswered",
            Self::OfSource => "of_source",
            Self::Full => "full",
            Self::NoConnectionLeft => "no_connection_left",
        }
    }
}

/// How a TLS handshake ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandshakeEnd {
    /// Complete, with the chain verified.
    Full,
    /// Complete, resumed.
    Resumed,
    /// A listed load balancer sent no PROXY protocol header that can be read.
    ProxyHeader,
    /// No SNI, or an IP literal in its place.
    NameAbsent,
    /// An SNI that is no instance's access domain.
    NameUnknown,
    /// The instance has no server certificate that can be used.
    NoServerCertificate,
    /// Not within its deadline.
    TimedOut,
    /// Anything else: no common parameters, no or a refused certificate, garbage, gone away.
    Failed,
}

impl HandshakeEnd {
    const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Resumed => "resumed",
            Self::ProxyHeader => "proxy_header",
            Self::NameAbsent => "name_absent",
            Self::NameUnknown => "name_unknown",
            Self::NoServerCertificate => "no_server_certificate",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
        }
    }
}

/// Why a refusal is not among the attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotRecorded {
    /// Too many waited to be kept.
    QueueFull,
    /// Too many certificates were refused within a minute.
    RateLimited,
    /// Too many handshakes were refused of one CA certificate.
    ShareOfCa,
    /// The backbone did not take it.
    WriteFailed,
}

impl NotRecorded {
    const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::RateLimited => "too_many",
            Self::ShareOfCa => "share_of_ca",
            Self::WriteFailed => "not_kept",
        }
    }
}

impl Metrics {
    /// A connection came (`1`) or went (`-1`).
    pub(crate) fn connections(&self, change: i64) {
        self.connections.add(change, &[]);
    }

    /// A session came or went.
    pub(crate) fn sessions(&self, change: i64) {
        self.sessions.add(change, &[]);
    }

    /// A connection was closed before it was served: over the limit of connections.
    pub(crate) fn turned_away(&self) {
        self.turned_away.add(1, &[]);
    }

    /// A connection that had proven nothing was closed for others.
    pub(crate) fn shed(&self, why: Shed) {
        self.shed.add(1, &[KeyValue::new("why", why.name())]);
    }

    /// A handshake ended, unless it was shed.
    pub(crate) fn handshake(&self, end: HandshakeEnd) {
        self.handshakes.add(1, &[KeyValue::new("end", end.name())]);
    }

    /// A handshake failed: why, and the alert that was sent or received.
    pub(crate) fn handshake_failed(&self, kind: &'static str, alert: &'static str) {
        self.handshake_failures.add(1, &[KeyValue::new("kind", kind), KeyValue::new("alert", alert)]);
    }

    /// A device was accepted.
    pub(crate) fn accepted(&self) {
        self.accepted.add(1, &[]);
    }

    /// A CONNECT was refused.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        self.refused.add(1, &[KeyValue::new("code", refusal.code().to_owned())]);
    }

    /// Refusals were recorded among the attempts.
    pub(crate) fn refusals_kept(&self, refusals: usize) {
        self.refusals_kept.add(refusals as u64, &[]);
    }

    /// Refusals that should have been recorded were not.
    pub(crate) fn refusals_lost(&self, why: NotRecorded, refusals: usize) {
        self.refusals_lost.add(refusals as u64, &[KeyValue::new("why", why.name())]);
    }

    /// A session was closed by us.
    pub(crate) fn closed(&self, refusal: &Refusal) {
        self.closed.add(1, &[KeyValue::new("code", refusal.code().to_owned())]);
    }

    /// A registration ended: `applied`, or a refusal's code.
    pub(crate) fn registration(&self, outcome: &str, took_ms: f64) {
        self.registrations.add(1, &[KeyValue::new("outcome", outcome.to_owned())]);
        self.registration_ms.record(took_ms, &[]);
    }

    /// A message was taken from a device.
    pub(crate) fn uplink(&self) {
        self.uplinks.add(1, &[]);
    }

    /// A publish (`publish`), subscribe (`subscribe`) or delivery (`deliver`) was denied.
    pub(crate) fn denied(&self, action: &'static str) {
        self.denied.add(1, &[KeyValue::new("action", action)]);
    }

    /// A message was put into a device's queue.
    pub(crate) fn delivered(&self) {
        self.delivered.add(1, &[]);
    }

    /// Wills were `published`, are `not_published` because their device may not, or were `given_up` because too many waited.
    pub(crate) fn wills(&self, outcome: &'static str, wills: u64) {
        self.wills.add(wills, &[KeyValue::new("outcome", outcome)]);
    }
}
