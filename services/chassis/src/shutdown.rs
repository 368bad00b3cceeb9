//! When to stop: SIGTERM or SIGINT cancels a token that everything watches; a second signal ends the process at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code of a process that was told to stop twice (128 + SIGINT).
const EXIT_IMPATIENT: i32 = 130;

/// A token that the first SIGTERM or SIGINT cancels.
///
/// # Errors
/// The operating system's, if signals cannot be listened for.
pub fn on_signal() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stopping = token.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stopping.is_cancelled() {
                std::process::exit(EXIT_IMPATIENT);
            }
            tracing::info!("stopping; once more to stop at once");
            stopping.cancel();
        }
    });
    Ok(token)
}
