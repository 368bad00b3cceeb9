//! Who waits for the view to learn what became of a request: the second way to an answer, for a ruling that was lost
//! on its way.
//!
//! Invariant: it holds an entry for a request only while somebody waits for it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use rollcall_domain::ids::RequestId;
use tokio::sync::oneshot;

/// The waiting, by request.
#[derive(Default)]
pub(crate) struct AppliedRequests(Mutex<HashMap<RequestId, Vec<oneshot::Sender<()>>>>);

impl AppliedRequests {
    /// The view has folded a record that came of this request.
    pub(crate) fn arrived(&self, cause: &RequestId) {
        for waiting in self.lock().remove(cause).into_iter().flatten() {
            // Who has given up meanwhile does not mind.
            let _ = waiting.send(());
        }
    }

    /// Returns once [`Self::arrived`] has been called for the request.
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

/// Takes its entry away when the waiting ends, however it ends.
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
