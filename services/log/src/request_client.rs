//! Asking the registrar and waiting for its ruling: the one way in for connectors, operators' tools and the API.
//!
//! A ruling is announced once and not kept, so a lost announcement must not lose the answer: while a caller waits,
//! the request is submitted again every [`RESUBMIT`]; the queue holds it at most once and the registrar answers a request
//! that it has ruled on with the earlier ruling. Invariant: every wait has a deadline, and one that ends leaves nothing
//! behind here (the request itself stays queued).
//!
//! What is submitted is made anew each time, so that a command carries a [proof](crate::proof) that is as young as the
//! submission. The queue may still hold what was submitted under the same id long ago, with a proof that has died since:
//! the first refusal of a proof may speak of that one, and is answered by submitting once more.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use rollcall_domain::ids::{LogId, RequestId};
use tokio::sync::broadcast;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    codec::{Ruling, decode_ruling},
    error::BackboneError,
    repeats::Repeats,
    requests::{RequestKind, RequestQueue},
    resume::Resume,
};

/// How often an unanswered request is submitted again.
pub const RESUBMIT: Duration = Duration::from_millis(1500);
/// The longest delay before rulings are listened for again after the backbone went away: a request that waits has a few
/// seconds in all.
const LISTEN_DELAY_MAX: Duration = Duration::from_millis(250);

/// Why there is no ruling.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RequestClientError {
    /// No registrar has ruled within the deadline. The request stays queued.
    #[error("request {id} has not been ruled on within {deadline:?}; it stays queued")]
    TimedOut {
        id: RequestId,
        /// How long was waited.
        deadline: Duration,
    },
    /// The request could not be queued: the queue is full or broken, or the backbone was still away at the deadline.
    #[error(transparent)]
    Backbone(#[from] BackboneError),
}

/// Asks the registrar of one log. Cheap to clone.
#[derive(Clone)]
pub struct RequestClient {
    log: LogId,
    queue: Arc<dyn RequestQueue>,
    waiting: Arc<Waiting>,
}

/// What a wait has come to before its deadline.
#[derive(Default)]
struct SoFar {
    /// Why the last submission failed.
    refused: Option<BackboneError>,
    /// A first refusal of the proof.
    unproven: Option<Ruling>,
}

fn is_of_the_proof(ruling: &Ruling) -> bool {
    matches!(ruling, Ruling::Rejected(rejected) if rejected.is_of_the_proof())
}

/// Who waits for which ruling: one channel for each request, however many wait.
type Waiting = Mutex<HashMap<RequestId, broadcast::Sender<Ruling>>>;

/// One caller that waits for a ruling, until this is dropped: callers may stop waiting at any moment.
struct WaitingForRuling<'a> {
    waiting: &'a Waiting,
    id: &'a RequestId,
    receiver: broadcast::Receiver<Ruling>,
}

impl<'a> WaitingForRuling<'a> {
    fn new(waiting: &'a Waiting, id: &'a RequestId) -> Self {
        let receiver = {
            let mut waiting = waiting.lock().expect("nothing panics while it holds this lock");
            waiting.entry(id.clone()).or_insert_with(|| broadcast::channel(1).0).subscribe()
        };
        Self { waiting, id, receiver }
    }
}

impl Drop for WaitingForRuling<'_> {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock().expect("nothing panics while it holds this lock");
        // This caller's own receiver is still there.
        if waiting.get(self.id).is_some_and(|sender| sender.receiver_count() <= 1) {
            waiting.remove(self.id);
        }
    }
}

impl RequestClient {
    /// Listens for the log's rulings until `shutdown`, by one task of `tasks`.
    pub fn start(log: LogId, queue: Arc<dyn RequestQueue>, tasks: &TaskTracker, shutdown: CancellationToken) -> Self {
        let request_client = Self { log, queue, waiting: Arc::default() };
        tasks.spawn(request_client.clone().listen(shutdown));
        request_client
    }

    /// Submits a request and waits for its ruling. `make` gives what is to be queued at each submission: the request
    /// (encoded by [`crate::codec::encode_request`]), for a command behind a fresh proof ([`crate::proof::prove`]).
    ///
    /// # Errors
    /// [`RequestClientError`]: not answered, or not even queued, within `deadline`.
    pub async fn ask(
        &self,
        kind: RequestKind,
        id: &RequestId,
        make: impl Fn() -> Bytes + Send,
        deadline: Duration,
    ) -> Result<Ruling, RequestClientError> {
        let mut ruling = WaitingForRuling::new(&self.waiting, id);
        let mut so_far = SoFar::default();
        let asking = self.submit_until_ruled(kind, id, make, &mut ruling.receiver, &mut so_far);
        let answered = tokio::time::timeout(deadline, asking).await;
        match (answered, so_far) {
            (Ok(outcome), _) => outcome,
            (Err(_), SoFar { unproven: Some(ruling), .. }) => Ok(ruling),
            (Err(_), SoFar { refused: Some(error), .. }) => Err(error.into()),
            (Err(_), SoFar { refused: None, unproven: None }) => {
                Err(RequestClientError::TimedOut { id: id.clone(), deadline })
            }
        }
    }

    /// A backbone that is away may be back before the deadline, and the request may have arrived although it did not say
    /// so: the ruling is waited for all the same.
    async fn submit_until_ruled(
        &self,
        kind: RequestKind,
        id: &RequestId,
        make: impl Fn() -> Bytes + Send,
        ruling: &mut broadcast::Receiver<Ruling>,
        so_far: &mut SoFar,
    ) -> Result<Ruling, RequestClientError> {
        loop {
            let again = tokio::time::Instant::now() + RESUBMIT;
            match self.queue.submit(&self.log, kind, id, make()).await {
                Ok(_) => so_far.refused = None,
                Err(error @ BackboneError::Unavailable { .. }) => so_far.refused = Some(error),
                Err(
                    error @ (BackboneError::LimitReached { .. }
                    | BackboneError::Full { .. }
                    | BackboneError::Unwritable { .. }
                    | BackboneError::StreamDiffers { .. }
                    | BackboneError::Damaged { .. }
                    | BackboneError::Closed),
                ) => return Err(error.into()),
            }
            match tokio::time::timeout(RESUBMIT, ruling.recv()).await {
                Ok(Ok(ruled)) if so_far.unproven.is_none() && is_of_the_proof(&ruled) => {
                    so_far.unproven = Some(ruled);
                    // A registrar of version 0.1 announces before it finishes: what was refused leaves the queue only after this.
                    tokio::time::sleep_until(again).await;
                }
                Ok(Ok(ruled)) => return Ok(ruled),
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }

    async fn listen(self, shutdown: CancellationToken) {
        // No seed that differs between processes: so short a delay spreads nothing.
        let mut resume = Resume::new("rulings", &self.log, 0).at_most(LISTEN_DELAY_MAX);
        let reading = Repeats::default();
        let listening = async {
            loop {
                let ended = self.listen_once(&mut resume, &reading).await;
                resume.pause(ended).await;
            }
        };
        shutdown.run_until_cancelled(listening).await;
    }

    async fn listen_once(&self, resume: &mut Resume, reading: &Repeats) -> Result<(), BackboneError> {
        let mut rulings = self.queue.rulings(&self.log).await?;
        resume.follows();
        while let Some(announced) = rulings.recv().await {
            let waiting = self.waiting.lock().expect("nothing panics while it holds this lock");
            let Some(sender) = waiting.get(&announced.id) else { continue };
            match decode_ruling(&announced.ruling) {
                // No receiver left is fine: the caller has given up.
                Ok(ruling) => drop(sender.send(ruling)),
                Err(error) => {
                    if let Some(left_out) = reading.failed(&error) {
                        tracing::error!(log = %self.log, request = %announced.id, %error, left_out, "an unreadable ruling");
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_that_stops_waiting_leaves_nothing_behind() {
        let (waiting, id) = (Waiting::default(), RequestId::parse("request").unwrap());
        let known = || waiting.lock().unwrap().len();
        let (one, other) = (WaitingForRuling::new(&waiting, &id), WaitingForRuling::new(&waiting, &id));
        drop(one);
        assert_eq!(known(), 1, "another caller waits for the same ruling");
        drop(other);
        assert_eq!(known(), 0);
    }
}
