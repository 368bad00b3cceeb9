//! What this crate counts, through the process's global meter.

use std::sync::LazyLock;

use opentelemetry::{KeyValue, global, metrics::Counter};

// Called as before it had a crate of its own: dashboards know it by that name.
static REPORTS_DROPPED: LazyLock<Counter<u64>> =
    LazyLock::new(|| global::meter("rollcall.api").u64_counter("rollcall.api.reports_dropped").build());

/// What a device has said could not be put into its shadow.
pub(crate) fn report_dropped(reason: &'static str) {
    REPORTS_DROPPED.add(1, &[KeyValue::new("reason", reason)]);
}
