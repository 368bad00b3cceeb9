//! Messages that cannot be read: stepped over, counted and said, so that one of them does not end what reads the others.
//!
//! A registry log ends at damage, because a gap in it is another truth. Messages are a pipe: to stop at one that is lost
//! would lose those behind it too.

use std::sync::LazyLock;

use opentelemetry::{global, metrics::Counter};

use crate::{error::BackboneError, repeats::Repeats};

static DAMAGED: LazyLock<Counter<u64>> =
    LazyLock::new(|| global::meter("rollcall.backbone").u64_counter("rollcall.backbone.messages_damaged").build());

/// Counts messages that are stepped over, and says so as often as `told` lets it. One that is met again counts again.
pub fn step_over(error: &BackboneError, stream: &str, told: &Repeats) {
    DAMAGED.add(1, &[]);
    if let Some(left_out) = told.failed(format_args!("damage in {stream}")) {
        tracing::error!(%error, left_out, "a device message cannot be read; it is stepped over");
    }
}
