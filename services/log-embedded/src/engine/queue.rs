//! The queues of all logs: their leases, takers that wait for a request, and how a request is laid out in its row.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use rollcall_domain::ids::RequestId;
use rollcall_log::{BackboneError, requests::RequestKind};
use tokio::sync::Notify;

use super::{
    frame::Row,
    leases::{Lease, Leases},
    stream::StreamName,
};

pub(crate) struct Queue {
    leases: Mutex<Leases>,
    /// Told when a request has arrived or come back.
    pub(crate) arrival: Notify,
}

impl Queue {
    pub(crate) fn leases(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every declared queue.
pub(crate) struct Queues {
    term: Duration,
    queues: Mutex<BTreeMap<StreamName, Arc<Queue>>>,
}

impl Queues {
    pub(crate) fn new(term: Duration) -> Self {
        Self { term, queues: Mutex::default() }
    }

    pub(crate) fn get(&self, stream: &StreamName) -> Option<Arc<Queue>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).get(stream).cloned()
    }

    /// A queue exists, with these requests in it. One that is known already is left as it is.
    pub(crate) fn declare(&self, stream: &StreamName, waiting: impl IntoIterator<Item = u64>) {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.entry(stream.clone()).or_insert_with(|| {
            let leases = Mutex::new(Leases::new(self.term, waiting));
            Arc::new(Queue { leases, arrival: Notify::new() })
        });
    }

    /// A queue holds exactly these requests. Those that are taken stay so.
    pub(crate) fn hold(&self, stream: &StreamName, positions: Vec<u64>) {
        match self.get(stream) {
            None => self.declare(stream, positions),
            Some(queue) => {
                queue.leases().hold(&positions.into_iter().collect());
                queue.arrival.notify_waiters();
            }
        }
    }

    pub(crate) fn arrived(&self, stream: &StreamName, position: u64) {
        if let Some(queue) = self.get(stream) {
            queue.leases().arrived(position);
            queue.arrival.notify_waiters();
        }
    }

    pub(crate) fn removed(&self, stream: &StreamName, positions: &[u64]) {
        if let Some(queue) = self.get(stream) {
            let mut leases = queue.leases();
            positions.iter().for_each(|position| leases.removed(*position));
        }
    }
}

/// Leases that go back to their queue unless they are kept: the taker's future may be dropped at any await.
pub(crate) struct LeaseGuard {
    queue: Arc<Queue>,
    leases: Vec<Lease>,
}

impl LeaseGuard {
    pub(crate) fn new(queue: &Arc<Queue>, leases: Vec<Lease>) -> Self {
        Self { queue: Arc::clone(queue), leases }
    }

    pub(crate) fn leases(&self) -> &[Lease] {
        &self.leases
    }

    /// They are the caller's now.
    pub(crate) fn keep(mut self) {
        self.leases.clear();
    }
}

impl Drop for LeaseGuard {
    fn drop(&mut self) {
        if self.leases.is_empty() {
            return;
        }
        let mut leases = self.queue.leases();
        self.leases.drain(..).for_each(|lease| leases.give_back(lease));
        drop(leases);
        self.queue.arrival.notify_waiters();
    }
}

/// What may wait once in a queue. No id holds a dot.
pub(crate) fn key(kind: RequestKind, id: &RequestId) -> String {
    format!("{}.{id}", kind_byte(kind))
}

const fn kind_byte(kind: RequestKind) -> u8 {
    match kind {
        RequestKind::Connect => 1,
        RequestKind::Command => 2,
    }
}

/// A request as its row's body: its kind, length of the id, the id, the request.
pub(crate) fn encode(kind: RequestKind, id: &RequestId, request: &[u8]) -> Bytes {
    let id = id.as_str().as_bytes();
    let mut body = Vec::with_capacity(2 + id.len() + request.len());
    body.push(kind_byte(kind));
    // An id has at most 128 characters of ASCII; one that were longer would fail to decode, not pass for another.
    body.push(u8::try_from(id.len()).unwrap_or(u8::MAX));
    body.extend_from_slice(id);
    body.extend_from_slice(request);
    body.into()
}

/// The kind, the id and the request in a row.
///
/// # Errors
/// [`BackboneError::Damaged`].
pub(crate) fn decode(stream: &StreamName, row: &Row) -> Result<(RequestKind, RequestId, Bytes), BackboneError> {
    let damaged = || stream.damaged(format!("the row at position {} does not hold a request", row.position));
    let (header, rest) = row.body.split_at_checked(2).ok_or_else(damaged)?;
    let [kind, length] = header else { return Err(damaged()) };
    let kinds = [RequestKind::Connect, RequestKind::Command];
    let kind = kinds.into_iter().find(|known| kind_byte(*known) == *kind).ok_or_else(damaged)?;
    let length = usize::from(*length);
    let id = rest.get(..length).and_then(|id| std::str::from_utf8(id).ok()).ok_or_else(damaged)?;
    Ok((kind, RequestId::parse(id).map_err(|_| damaged())?, row.body.slice(2 + length..)))
}
