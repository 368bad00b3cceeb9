//! What the centre counts, through the process's global meter. Labels are codes and fixed words, never anything that a
//! requester has sent.

use std::{sync::LazyLock, time::Duration};

use opentelemetry::{
    KeyValue, global,
    metrics::{Counter, Histogram},
};
use rollcall_log::proof::Unproven;

use crate::{draft::DraftRuling, request::Unfit};

pub(crate) struct Metrics {
    rulings: Counter<u64>,
    batch: Histogram<u64>,
    append_ms: Histogram<f64>,
    decided_again: Counter<u64>,
    unreadable: Counter<u64>,
    unproven: Counter<u64>,
    attempts_lost: Counter<u64>,
    left: Counter<u64>,
}

static METRICS: LazyLock<Metrics> = LazyLock::new(|| {
    let meter = global::meter("rollcall.registrar");
    Metrics {
        rulings: meter.u64_counter("rollcall.registrar.rulings").build(),
        batch: meter.u64_histogram("rollcall.registrar.batch").with_unit("{record}").build(),
        append_ms: meter.f64_histogram("rollcall.registrar.append").with_unit("ms").build(),
        decided_again: meter.u64_counter("rollcall.registrar.decided_again").build(),
        unreadable: meter.u64_counter("rollcall.registrar.unreadable").build(),
        unproven: meter.u64_counter("rollcall.registrar.unproven").build(),
        attempts_lost: meter.u64_counter("rollcall.registrar.attempts_lost").build(),
        left: meter.u64_counter("rollcall.registrar.left").build(),
    }
});

/// The instruments of this process.
pub(crate) fn metrics() -> &'static Metrics {
    &METRICS
}

/// Why a batch is decided again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryReason {
    /// The log ended elsewhere.
    Conflict,
    /// The log did not answer.
    Unavailable,
    /// The view met damage.
    Damage,
    /// The log is sealed by a key that this registrar does not have.
    OtherKey,
    /// A request of the draft may be another registrar's by now.
    Lease,
}

impl Metrics {
    /// A request was ruled on.
    pub(crate) fn ruled(&self, ruling: &DraftRuling) {
        match ruling {
            DraftRuling::Recorded(_) => self.rulings.add(1, &[KeyValue::new("outcome", "recorded")]),
            DraftRuling::AlreadySo => self.rulings.add(1, &[KeyValue::new("outcome", "already_so")]),
            DraftRuling::RuledBefore(_) => self.rulings.add(1, &[KeyValue::new("outcome", "ruled_before")]),
            DraftRuling::Rejected(rejected) => {
                let code = rejected.ruling.code.clone();
                self.rulings.add(1, &[KeyValue::new("outcome", "rejected"), KeyValue::new("code", code)]);
            }
            DraftRuling::Unfit(Unfit::Unreadable(_)) => self.unreadable.add(1, &[]),
            // Counted when it was taken.
            DraftRuling::Unfit(Unfit::Unproven(_)) => {}
        }
    }

    /// A command without a good proof was taken.
    pub(crate) fn unproven(&self, unproven: &Unproven) {
        self.unproven.add(1, &[KeyValue::new("why", unproven.name())]);
    }

    /// A batch is in the log.
    pub(crate) fn appended(&self, records: usize, took: Duration) {
        self.batch.record(records as u64, &[]);
        self.append_ms.record(took.as_secs_f64() * 1000.0, &[]);
    }

    /// A batch is decided again.
    pub(crate) fn decided_again(&self, why: RetryReason) {
        let why = match why {
            RetryReason::Conflict => "conflict",
            RetryReason::Unavailable => "unavailable",
            RetryReason::Damage => "damage",
            RetryReason::OtherKey => "other_key",
            RetryReason::Lease => "lease",
        };
        self.decided_again.add(1, &[KeyValue::new("why", why)]);
    }

    /// Taken requests were left to their next taker: their lease may have run out before they were ruled on.
    pub(crate) fn left(&self, requests: usize) {
        if requests > 0 {
            self.left.add(requests as u64, &[]);
        }
    }

    /// Rejected attempts could not be kept.
    pub(crate) fn attempts_lost(&self, attempts: usize) {
        self.attempts_lost.add(attempts as u64, &[]);
    }
}
