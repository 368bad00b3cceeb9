//! Counts the log lines of a test, by level.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};

/// Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Lines(Arc<Mutex<BTreeMap<Level, usize>>>);

impl Lines {
    /// Counts what this thread logs, and so all tasks of a test's own runtime, until the guard is dropped.
    pub(super) fn count(&self) -> tracing::subscriber::DefaultGuard {
        tracing::subscriber::set_default(self.clone())
    }

    pub(super) fn of(&self, level: Level) -> usize {
        self.0.lock().unwrap().get(&level).copied().unwrap_or_default()
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("rollcall")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        *self.0.lock().unwrap().entry(*event.metadata().level()).or_default() += 1;
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
