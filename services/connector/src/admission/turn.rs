//! Lets a device that was let in open its session, at once unless its sessions take each other's place.

use std::time::Duration;

use rollcall_domain::{ids::DeviceId, refusal::Refusal};
use tokio::time::{Instant, sleep};

use crate::instance::Instance;

/// Why a client that connects gets no session.
#[derive(Debug)]
pub(crate) enum NotAccepted {
    Refused(Refusal),
    /// It has closed its connection, or that has broken.
    Left,
}

impl From<Refusal> for NotAccepted {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// Between two looks whether the session that is waited for has ended by itself, or the client that waits has left.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Waits until a device that was let in may open its session: at once, unless its sessions take each other's place.
///
/// A client that `has_left` is not waited for: it would take the place of one that works. What it may have sent behind its
/// CONNECT is not read either.
///
/// # Errors
/// [`Refusal::TakenOver`]: a newer CONNECT of the device waits in its place. [`Refusal::ShuttingDown`].
/// [`NotAccepted::Left`].
pub(crate) async fn wait_for_turn(
    instance: &Instance,
    device: &DeviceId,
    has_left: impl Fn() -> bool,
) -> Result<(), NotAccepted> {
    let had_session = instance.sessions.of(device).is_some();
    let Some(waiting) = instance.takeovers.begin(device, had_session, Instant::now()) else { return Ok(()) };
    let wait_s = waiting.wait.as_secs();
    tracing::info!(instance = %instance.id, %device, wait_s, "sessions of a device take each other's place; the next one waits");
    let until = Instant::now() + waiting.wait;
    while Instant::now() < until {
        if instance.retiring.is_cancelled() {
            return Err(Refusal::ShuttingDown.into());
        }
        if instance.takeovers.is_superseded(device, waiting) {
            return Err(Refusal::TakenOver.into());
        }
        if has_left() {
            return Err(NotAccepted::Left);
        }
        // It has ended by itself: there is nothing to take over.
        if had_session && instance.sessions.of(device).is_none() {
            return Ok(());
        }
        sleep(POLL_INTERVAL).await;
    }
    Ok(())
}
