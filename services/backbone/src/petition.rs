//! Asking the registrar and waiting for its ruling: the one way in for connectors, operators' tools and the API.
//!
//! A ruling is announced once and kept by nobody, so a lost announcement must not lose the answer: while somebody waits,
//! the request is submitted again every [`RESUBMIT`]; the queue holds it at most once and the registrar answers a request
//! that it has ruled on with the earlier ruling. Invariant: every wait has a deadline, and one that ends leaves nothing
//! behind here (the request itself stays queued).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use rollcall_domain::ids::{LogId, RequestId};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::{
    BackboneError,
    codec::{Ruling, decode_ruling},
    requests::{RequestKind, RequestQueue},
};

/// How often an unanswered request is submitted again.
pub const RESUBMIT: Duration = Duration::from_millis(1500);
/// How long to wait before listening for rulings again after the backbone went away.
const LISTEN_AGAIN: Duration = Duration::from_millis(200);

/// Why there is no ruling.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PetitionError {
    /// Nobody has ruled within the deadline. The request stays queued.
    #[error("request {id} has not been ruled on within {deadline:?}; it stays queued")]
    TimedOut {
        /// The request.
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
pub struct Petitioner {
    log: LogId,
    queue: Arc<dyn RequestQueue>,
    waiting: Arc<Waiting>,
}

/// Who waits for which ruling: one channel for each request, however many wait.
type Waiting = Mutex<HashMap<RequestId, broadcast::Sender<Ruling>>>;

impl Petitioner {
    /// Listens for the log's rulings until `shutdown`.
    pub fn start(log: LogId, queue: Arc<dyn RequestQueue>, shutdown: CancellationToken) -> Self {
        let petitioner = Self { log, queue, waiting: Arc::default() };
        tokio::spawn(petitioner.clone().listen(shutdown));
        petitioner
    }

    /// Submits a request (encoded by [`crate::codec::encode_request`]) and waits for its ruling.
    ///
    /// # Errors
    /// [`PetitionError`]: not answered, or not even queued, within `deadline`.
    pub async fn ask(
        &self,
        kind: RequestKind,
        id: &RequestId,
        request: Bytes,
        deadline: Duration,
    ) -> Result<Ruling, PetitionError> {
        let mut ruling = self.wait_for(id);
        let mut refused = None;
        let answered =
            tokio::time::timeout(deadline, self.submit_until_ruled(kind, id, request, &mut ruling, &mut refused)).await;
        drop(ruling);
        self.forget_if_unwanted(id);
        match (answered, refused) {
            (Ok(outcome), _) => outcome,
            (Err(_), Some(error)) => Err(error.into()),
            (Err(_), None) => Err(PetitionError::TimedOut { id: id.clone(), deadline }),
        }
    }

    /// A backbone that is away may be back before the deadline, and the request may have arrived although it did not say
    /// so: `refused` holds why the last submission failed, and the ruling is waited for all the same.
    async fn submit_until_ruled(
        &self,
        kind: RequestKind,
        id: &RequestId,
        request: Bytes,
        ruling: &mut broadcast::Receiver<Ruling>,
        refused: &mut Option<BackboneError>,
    ) -> Result<Ruling, PetitionError> {
        loop {
            match self.queue.submit(&self.log, kind, id, request.clone()).await {
                Ok(_) => *refused = None,
                Err(error @ BackboneError::Unavailable { .. }) => *refused = Some(error),
                Err(
                    error @ (BackboneError::LimitReached { .. }
                    | BackboneError::Unwritable { .. }
                    | BackboneError::StreamDiffers { .. }
                    | BackboneError::Damaged { .. }
                    | BackboneError::Closed),
                ) => return Err(error.into()),
            }
            if let Ok(Ok(ruling)) = tokio::time::timeout(RESUBMIT, ruling.recv()).await {
                return Ok(ruling);
            }
        }
    }

    fn wait_for(&self, id: &RequestId) -> broadcast::Receiver<Ruling> {
        let mut waiting = self.waiting.lock().expect("nothing panics while it holds this lock");
        waiting.entry(id.clone()).or_insert_with(|| broadcast::channel(1).0).subscribe()
    }

    fn forget_if_unwanted(&self, id: &RequestId) {
        let mut waiting = self.waiting.lock().expect("nothing panics while it holds this lock");
        if waiting.get(id).is_some_and(|sender| sender.receiver_count() == 0) {
            waiting.remove(id);
        }
    }

    async fn listen(self, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(self.listen_once()).await.is_some() {
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    }

    async fn listen_once(&self) {
        let mut rulings = match self.queue.rulings(&self.log).await {
            Ok(rulings) => rulings,
            Err(error) => return tracing::warn!(log = %self.log, %error, "cannot listen for rulings; trying again"),
        };
        while let Some(announced) = rulings.recv().await {
            let waiting = self.waiting.lock().expect("nothing panics while it holds this lock");
            let Some(sender) = waiting.get(&announced.id) else { continue };
            match decode_ruling(&announced.ruling) {
                // No receiver left is fine: whoever waited has given up.
                Ok(ruling) => drop(sender.send(ruling)),
                Err(error) => tracing::error!(log = %self.log, request = %announced.id, %error, "an unreadable ruling"),
            }
        }
    }
}
