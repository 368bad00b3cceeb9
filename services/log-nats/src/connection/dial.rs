//! Making the connection: the first time with a deadline, afterwards for ever, and saying what stands in the way.

use std::{sync::Arc, time::Duration};

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event};
use rollcall_log::{repeats::Repeats, resume::spread};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    config::{Credentials, NatsConfig},
    connection::link::Link,
    subjects::token::token,
};

/// Shortest pause between two attempts to connect.
const RECONNECT_PAUSE_MIN: Duration = Duration::from_millis(50);
/// Longest pause between two attempts to connect.
const RECONNECT_PAUSE_MAX: Duration = Duration::from_secs(1);
/// How often the server is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(3);
/// Messages that one subscription may hold unread. A push consumer's flow control stops at 32 MB, which is this many
/// messages of some 130 bytes; past it the client drops and the replay starts again from the last position.
const SUBSCRIPTION_MESSAGES_MAX: usize = 256 * 1024;
/// Messages that wait for the socket.
const OUTGOING_MESSAGES_MAX: usize = 4096;

/// Connects, trying until the deadline; afterwards `link` says how it stands.
pub(super) async fn connect(config: &NatsConfig, link: &watch::Sender<Link>, deadline: Instant) -> Result<Client, String> {
    let mut failures = 0;
    loop {
        let attempt = options(config, link.clone()).await?.connect(config.servers().map_err(|error| error.to_string())?);
        let reason = match timeout_at(deadline, attempt).await {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(error)) if is_final(error.kind()) => return Err(chain(&error)),
            Ok(Err(error)) => chain(&error),
            Err(_elapsed) => "no answer in time".to_owned(),
        };
        let next = Instant::now() + pause(config.retry_seed, &config.name, failures);
        if next >= deadline {
            return Err(format!("{reason} (tried for {} s)", config.connect_timeout.as_secs()));
        }
        tracing::debug!(reason, "NATS is not there yet");
        sleep_until(next).await;
        failures += 1;
    }
}

/// How long to wait after so many failures to reach the server or a stream of it: longer after each, and another time in
/// each process.
pub(crate) fn pause(seed: u64, name: &str, failures: usize) -> Duration {
    let doubled = u32::try_from(failures).map_or(u32::MAX, |n| 2_u32.saturating_pow(n.min(16)));
    let pause = RECONNECT_PAUSE_MIN.saturating_mul(doubled).min(RECONNECT_PAUSE_MAX);
    spread(pause, seed, "connection", name, failures as u64)
}

/// What waiting will not mend.
const fn is_final(kind: ConnectErrorKind) -> bool {
    match kind {
        ConnectErrorKind::ServerParse
        | ConnectErrorKind::Authentication
        | ConnectErrorKind::AuthorizationViolation
        | ConnectErrorKind::Tls => true,
        ConnectErrorKind::Dns | ConnectErrorKind::TimedOut | ConnectErrorKind::Io | ConnectErrorKind::MaxReconnects => false,
    }
}

async fn options(config: &NatsConfig, link: watch::Sender<Link>) -> Result<ConnectOptions, String> {
    let told = Arc::new(Told::default());
    let (seed, name) = (config.retry_seed, config.name.clone());
    let mut options = ConnectOptions::new()
        .name(&config.name)
        .connection_timeout(config.operation_timeout)
        .request_timeout(Some(config.operation_timeout))
        .ping_interval(PING_INTERVAL)
        .subscription_capacity(SUBSCRIPTION_MESSAGES_MAX)
        .client_capacity(OUTGOING_MESSAGES_MAX)
        .max_reconnects(None)
        .reconnect_delay_callback(move |attempts| pause(seed, &name, attempts))
        .event_callback(move |event| {
            let (link, told) = (link.clone(), Arc::clone(&told));
            async move { note(&link, &told, &event) }
        });
    match config.credentials.clone() {
        Credentials::None => {}
        Credentials::User { name, password } => {
            // An inbox of the user's own: the server can then keep others from listening to what comes there.
            let inbox = format!("_INBOX.{}", token(&name));
            options = options.user_and_password(name, password).custom_inbox_prefix(inbox);
        }
        Credentials::File(path) => {
            options = options
                .credentials_file(&path)
                .await
                .map_err(|error| format!("the credentials file {} cannot be used: {error}", path.display()))?;
        }
    }
    if let Some(path) = &config.ca_file {
        // Looked at here because the client library's error does not say which file.
        let looked_at = tokio::fs::File::open(path).await;
        looked_at.map_err(|error| format!("the CA file {} cannot be read: {error}", path.display()))?;
        options = options.add_root_certificates(path.clone());
    }
    if config.requires_tls().map_err(|error| error.to_string())? {
        // Also for servers that the first one names: their names come without a scheme.
        options = options.require_tls(true);
    } else if !config.allow_plaintext {
        // This machine's own, without TLS: others of its cluster may be on other machines.
        options = options.ignore_discovered_servers();
    }
    Ok(options)
}

/// What was said of the connection.
#[derive(Default)]
struct Told {
    standing: Repeats,
    refused: Repeats,
}

fn note(link: &watch::Sender<Link>, told: &Told, event: &Event) {
    match event {
        Event::Connected => {
            link.send_if_modified(|link| {
                let again = !link.up;
                *link = Link { up: true, epoch: link.epoch + u64::from(again) };
                again
            });
            if link.borrow().epoch == 0 || told.standing.recovered() {
                tracing::info!("connected to NATS");
            }
        }
        Event::Disconnected | Event::Closed => {
            link.send_modify(|link| link.up = false);
            if let Some(left_out) = told.standing.failed("down") {
                tracing::warn!(left_out, "the connection to NATS is down");
            }
        }
        Event::LameDuckMode | Event::Draining | Event::SlowConsumer(_) => tracing::info!(%event, "NATS"),
        Event::ServerError(error) => {
            if let Some(left_out) = told.refused.failed(error) {
                tracing::warn!(%error, left_out, "NATS refused something");
            }
        }
        Event::ClientError(error) => tracing::debug!(error = without_content(error.to_string()), "NATS client"),
    }
}

/// An error with its causes: the client library says "IO error" and keeps the file's name in the source.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    without_content(text)
}

/// What the client library says of a CA file that it cannot read ends in the line that it stopped at: a private key's, if
/// that is what the file holds. Processes check the file at their start and say more; it may have changed since.
fn without_content(mut text: String) -> String {
    const OF_THE_FILE: &str = "could not load certificates";
    if let Some(at) = text.find(OF_THE_FILE) {
        text.truncate(at + OF_THE_FILE.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f53_processes_that_lost_one_broker_do_not_come_back_at_one_moment() {
        let pauses = |seed| (0..10).map(|failures| pause(seed, "rollcall-connector", failures)).collect::<Vec<_>>();
        let (one, other) = (pauses(1), pauses(2));
        for (failures, pause) in one.iter().chain(&other).enumerate() {
            let wanted = (RECONNECT_PAUSE_MIN * (1 << (failures % 10))).min(RECONNECT_PAUSE_MAX);
            assert!((wanted * 3 / 4..=wanted * 5 / 4).contains(pause), "{pause:?} is not round {wanted:?}");
        }
        assert!(one.iter().zip(&other).all(|(one, other)| one != other), "{one:?} {other:?}");
    }

    #[test]
    fn f43_what_the_client_library_says_of_a_ca_file_is_cut_before_the_files_content() {
        let said = "TLS error: could not load certificates: illegal section start: [45, 45, 45, 45, 45]".to_owned();
        assert_eq!(without_content(said), "TLS error: could not load certificates");
        assert_eq!(without_content("timed out".to_owned()), "timed out");
    }
}
