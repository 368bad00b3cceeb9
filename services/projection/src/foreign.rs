//! Telling people of records that are not ours: each is counted, and a log line says so less and less often, however many
//! come.

use std::sync::LazyLock;

use opentelemetry::{KeyValue, global, metrics::Counter};
use rollcall_domain::ids::{LogId, Position};
use rollcall_log::{repeats::Repeats, seal::Foreign};

/// What was stepped over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForeignSeen {
    /// How many records.
    pub count: u64,
    /// Position of the last of them.
    pub last: Position,
}

/// What was said of one log.
#[derive(Debug, Default)]
pub(crate) struct ForeignNotice(Repeats);

impl ForeignNotice {
    /// Says that a record is stepped over, unless that was said of others before it.
    pub(crate) fn tell(&self, log: &LogId, position: Position, why: Foreign) {
        let why = why.name();
        if let Some(left_out) = self.0.failed(why) {
            tracing::error!(%log, %position, why, left_out, "the log holds records that no registrar has sealed; they are stepped over");
        }
    }
}

/// What is counted here.
pub(crate) struct Metrics {
    foreign: Counter<u64>,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| Metrics {
    foreign: global::meter("rollcall.projection").u64_counter("rollcall.log.foreign").with_unit("{record}").build(),
});

/// The instruments of this process.
pub(crate) fn metrics() -> &'static Metrics {
    &METRICS
}

impl Metrics {
    /// A record was stepped over.
    pub(crate) fn foreign(&self, why: Foreign) {
        self.foreign.add(1, &[KeyValue::new("why", why.name())]);
    }
}
