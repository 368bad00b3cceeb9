//! A log in memory that a test can cut off, replace and shorten.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{LogId, Position};
use rollcall_log::{
    BackboneError,
    log::{AppendError, Batch, Entry, Followed, Follower, RegistryLog, StreamIdentity},
};
use tokio::sync::{mpsc, watch};

/// What the log is at a moment.
#[derive(Clone)]
struct State {
    records: Vec<Bytes>,
    identity: u32,
    reachable: bool,
    panics: bool,
    end_held_back: bool,
    interrupted: bool,
}

pub(super) struct TestLog {
    state: watch::Sender<State>,
    _one_at_a_time: Mutex<()>,
}

impl TestLog {
    pub(super) fn of(records: Vec<Bytes>) -> Self {
        let state = State { records, identity: 1, reachable: true, panics: false, end_held_back: false, interrupted: false };
        Self { state: watch::Sender::new(state), _one_at_a_time: Mutex::default() }
    }

    pub(super) fn push(&self, records: impl IntoIterator<Item = Bytes>) {
        self.state.send_modify(|state| state.records.extend(records));
    }

    pub(super) fn reachable(&self, reachable: bool) {
        self.state.send_modify(|state| state.reachable = reachable);
    }

    /// Deleted and made again with these records.
    pub(super) fn replace(&self, records: Vec<Bytes>) {
        self.state.send_modify(|state| *state = State { records, identity: state.identity + 1, ..state.clone() });
    }

    /// Does not say that a follower has caught up, or says it now.
    pub(super) fn holds_back_the_end(&self, held: bool) {
        self.state.send_modify(|state| state.end_held_back = held);
    }

    /// Interrupts its followers, who stay, or lets them go on.
    pub(super) fn interrupts(&self, interrupted: bool) {
        self.state.send_modify(|state| state.interrupted = interrupted);
    }

    /// Asking it anything panics.
    pub(super) fn panics(&self, panics: bool) {
        self.state.send_modify(|state| state.panics = panics);
    }

    /// Loses its last records, as a server does that had not synced them.
    pub(super) fn truncate(&self, records: usize) {
        self.state.send_modify(|state| state.records.truncate(records));
    }

    pub(super) fn len(&self) -> Position {
        Position(self.state.borrow().records.len() as u64)
    }

    fn check(&self) -> Result<State, BackboneError> {
        let state = self.state.borrow().clone();
        assert!(!state.panics, "the test wants a panic");
        if state.reachable { Ok(state) } else { Err(gone()) }
    }
}

fn gone() -> BackboneError {
    BackboneError::Unavailable { attempted: "the test".into(), reason: "it has cut the log off".into() }
}

#[async_trait]
impl RegistryLog for TestLog {
    async fn open(&self, _: &LogId) -> Result<StreamIdentity, BackboneError> {
        Ok(StreamIdentity(format!("stream {}", self.check()?.identity)))
    }

    async fn last(&self, _: &LogId) -> Result<Position, BackboneError> {
        self.check()?;
        Ok(self.len())
    }

    async fn append(&self, _: &LogId, expected: Position, _: Batch) -> Result<Position, AppendError> {
        Err(AppendError::Conflict { expected })
    }

    async fn read(&self, _: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        let records = self.check()?.records;
        let entries = (1..).map(Position).zip(records).map(|(position, record)| Entry::bare(position, record));
        Ok(entries.filter(|entry| entry.position > after).take(max).collect())
    }

    async fn follow(&self, _: &LogId, after: Position) -> Result<Follower, BackboneError> {
        let begun = self.check()?;
        let mut states = self.state.subscribe();
        let (sender, follower) = mpsc::channel(64);
        tokio::spawn(async move {
            let mut position = after;
            let mut state = begun.clone();
            let mut end = Position(state.records.len() as u64);
            let mut end_said = false;
            loop {
                while let Some(record) = state.records.get(usize::try_from(position.0).unwrap()) {
                    if position >= end && !end_said && !state.end_held_back {
                        break;
                    }
                    position = position.next();
                    let entry = Followed::Entry(Entry::bare(position, record.clone()));
                    if sender.send(Ok(entry)).await.is_err() {
                        return;
                    }
                }
                if position >= end && !end_said && !state.end_held_back {
                    let _ = sender.send(Ok(Followed::CaughtUp(end))).await;
                    end_said = true;
                    continue;
                }
                tokio::select! {
                    () = sender.closed() => return,
                    changed = states.changed() => if changed.is_err() { return },
                }
                state = states.borrow_and_update().clone();
                if !state.reachable || state.identity != begun.identity || position.0 > state.records.len() as u64 {
                    let _ = sender.send(Err(gone())).await;
                    return;
                }
                if state.interrupted {
                    let _ = sender.send(Ok(Followed::Interrupted { reason: "the test interrupts".into() })).await;
                    let Ok(resumed) = states.wait_for(|state| !state.interrupted).await.map(|state| state.clone()) else {
                        return;
                    };
                    state = resumed;
                    (end, end_said) = (Position(state.records.len() as u64), false);
                }
            }
        });
        Ok(follower)
    }
}
