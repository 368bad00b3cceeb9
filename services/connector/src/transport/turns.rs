//! Whose handshake is computed next, so that a storm of handshakes leaves time for those who are connected.
//!
//! A permit is held for the one step that computes, never while bytes are waited for. So the permits bound how much work of handshakes
//! stands before anybody else's in the runtime's queues; what waits for a permit stands in none of them. Invariant: those who
//! have answered our flight do not wait behind those who have only begun, or in a storm nobody would get to the end.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Permits to compute.
pub(crate) struct Turns {
    begin: Semaphore,
    go_on: Semaphore,
}

impl Turns {
    /// So many of each kind at a time.
    pub(crate) fn new(handshakes_max: u32) -> Self {
        let permits = || Semaphore::new(handshakes_max as usize);
        Self { begin: permits(), go_on: permits() }
    }

    /// For the answer to a ClientHello.
    pub(super) async fn begin(&self) -> SemaphorePermit<'_> {
        self.begin.acquire().await.expect("the semaphore is never closed")
    }

    /// For everything after that.
    pub(super) async fn go_on(&self) -> SemaphorePermit<'_> {
        self.go_on.acquire().await.expect("the semaphore is never closed")
    }
}
