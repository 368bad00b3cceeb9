//! Requests that wait for the view to apply a record that they caused: the second way to an answer, for a ruling that
//! was lost.
//!
//! Invariant: there is an entry for a request only while a registration waits for it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use rollcall_domain::ids::RequestId;
use tokio::sync::oneshot;

/// Who to notify, by request.
#[derive(Default)]
pub(crate) struct AppliedRequests(Mutex<HashMap<RequestId, Vec<oneshot::Sender<()>>>>);

impl AppliedRequests {
    /// Ends the waiting for a request: the view has applied a record that it caused.
    pub(crate) fn notify(&self, cause: &RequestId) {
        for waiting in self.lock().remove(cause).into_iter().flatten() {
            // An error means that the waiting registration has ended.
            let _ = waiting.send(());
        }
    }

    /// Returns once [`Self::notify`] has been called for the request.
    pub(crate) async fn wait(&self, cause: &RequestId) {
        let (sender, arrived) = oneshot::channel();
        self.lock().entry(cause.clone()).or_default().push(sender);
        let forget = Forget { applied: self, cause, arrived };
        forget.arrived().await;
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RequestId, Vec<oneshot::Sender<()>>>> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}

/// Removes its entry when it is dropped.
struct Forget<'a> {
    applied: &'a AppliedRequests,
    cause: &'a RequestId,
    arrived: oneshot::Receiver<()>,
}

impl Forget<'_> {
    async fn arrived(mut self) {
        // An error would mean that the entry is gone without an arrival; the deadline above ends that wait.
        if (&mut self.arrived).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.arrived.close();
        let mut waiting = self.applied.lock();
        if let Some(senders) = waiting.get_mut(self.cause) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiting.remove(self.cause);
            }
        }
    }
}
