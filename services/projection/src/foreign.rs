//! Telling people of records that are not ours: each is counted, and a log line says so once in a while, however many come.

use std::{sync::LazyLock, time::Duration};

use opentelemetry::{KeyValue, global, metrics::Counter};
use rollcall_backbone::seal::Foreign;
use rollcall_domain::ids::{LogId, Position};
use tokio::time::Instant;

/// At least this long between two lines about one log.
const AGAIN: Duration = Duration::from_secs(60);

/// When a log was last told of.
#[derive(Debug, Default)]
pub(crate) struct ForeignNotice {
    told: Option<Instant>,
    since: u64,
}

impl ForeignNotice {
    /// Says that a record is stepped over, unless that was just said.
    pub(crate) fn tell(&mut self, log: &LogId, position: Position, why: Foreign) {
        self.since += 1;
        if self.told.is_none_or(|told| told.elapsed() >= AGAIN) {
            let (why, since) = (why.name(), std::mem::take(&mut self.since));
            tracing::error!(%log, %position, why, since, "the log holds records that no registrar has sealed; they are stepped over");
            self.told = Some(Instant::now());
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
