//! One connection to NATS: made with a deadline, kept for ever, and never waited for without a bound.
//!
//! Invariant: every operation through [`Connection::within`] ends within the configured time, with an answer or with
//! [`BackboneError::Unavailable`]. The client library reconnects by itself; what was in flight is unknown to it, so
//! whoever holds state on the server (a subscription with a consumer behind it) watches [`Connection::link`] and starts again.

use std::{fmt::Display, future::Future, time::Duration};

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, jetstream};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

use super::{
    config::{Credentials, NatsConfig},
    subjects,
};
use crate::BackboneError;

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
/// Oldest server that coalesces the syncs of atomic batches, and acknowledges them only when they are on disk.
const SERVER_VERSION_MIN: (u64, u64) = (2, 15);

/// Whether the connection stands, and how often it has been made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) up: bool,
    pub(super) epoch: u64,
}

/// The client with what this crate needs to know of it.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) jetstream: jetstream::Context,
    pub(super) config: NatsConfig,
    link: watch::Receiver<Link>,
}

impl Connection {
    /// Connects, retrying until the configured deadline, and checks that the server is one that can be used.
    pub(super) async fn open(config: NatsConfig) -> Result<Self, BackboneError> {
        let attempted = format!("connecting to NATS at {}", config.shown_urls());
        let (link_sender, link) = watch::channel(Link { up: true, epoch: 0 });
        let deadline = Instant::now() + config.connect_timeout;
        let client = connect(&config, &link_sender, deadline)
            .await
            .map_err(|reason| BackboneError::Unavailable { attempted: attempted.clone(), reason })?;
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(config.operation_timeout)
            .ack_timeout(config.operation_timeout)
            .build(client.clone());
        let connection = Self { client, jetstream, config, link };
        connection.check_server(&attempted).await?;
        Ok(connection)
    }

    async fn check_server(&self, attempted: &str) -> Result<(), BackboneError> {
        let info = self.client.server_info();
        if !is_new_enough(&info.version) {
            let (major, minor) = SERVER_VERSION_MIN;
            return Err(BackboneError::Unavailable {
                attempted: attempted.to_owned(),
                reason: format!(
                    "nats-server {} is too old: {major}.{minor} or newer is needed, because older ones do not sync atomic batches \
                     together",
                    info.version
                ),
            });
        }
        if !info.jetstream {
            return Err(BackboneError::Unavailable {
                attempted: attempted.to_owned(),
                reason: "JetStream is off: add a `jetstream { }` block to the server's configuration".to_owned(),
            });
        }
        let needed = crate::messages::PAYLOAD_BYTES_MAX + super::HEADERS_BYTES_MAX;
        if info.max_payload < needed {
            tracing::warn!(
                max_payload = info.max_payload,
                needed,
                "the NATS server's max_payload is below the largest device message: set max_payload to 2MB"
            );
        }
        Ok(())
    }

    /// Follows whether the connection stands.
    pub(super) fn link(&self) -> watch::Receiver<Link> {
        self.link.clone()
    }

    /// Most bytes of headers and payload that the server takes in one message.
    pub(super) fn message_bytes_max(&self) -> usize {
        self.client.server_info().max_payload
    }

    /// Waits for the connection if it is down, then for `operation`; both together at most the configured time.
    pub(super) async fn within<T, E: Display>(
        &self,
        attempted: impl Fn() -> String,
        operation: impl Future<Output = Result<T, E>>,
    ) -> Result<T, BackboneError> {
        self.by(Instant::now() + self.config.operation_timeout, attempted, operation).await
    }

    /// The same with a deadline of the caller's.
    pub(super) async fn by<T, E: Display>(
        &self,
        deadline: Instant,
        attempted: impl Fn() -> String,
        operation: impl Future<Output = Result<T, E>>,
    ) -> Result<T, BackboneError> {
        let epoch = self.standing(deadline, &attempted).await?;
        let unavailable = |reason| Err(BackboneError::Unavailable { attempted: attempted(), reason });
        tokio::select! {
            biased;
            done = timeout_at(deadline, operation) => match done {
                Ok(Ok(done)) => Ok(done),
                Ok(Err(error)) => unavailable(error.to_string()),
                Err(_elapsed) => unavailable("no answer in time".to_owned()),
            },
            // The answer went to the old connection: waiting on would only be slower to say so.
            () = lost(self.link(), epoch) => unavailable("the connection was lost before the answer came".to_owned()),
        }
    }

    /// Waits until the connection stands. While it is down the client would queue what it is given and send it later, long
    /// after the caller was told that it had failed.
    async fn standing(&self, deadline: Instant, attempted: &impl Fn() -> String) -> Result<u64, BackboneError> {
        let mut link = self.link.clone();
        match timeout_at(deadline, link.wait_for(|link| link.up)).await {
            Ok(Ok(up)) => Ok(up.epoch),
            Ok(Err(_ended)) => Err(BackboneError::Closed),
            Err(_elapsed) => Err(BackboneError::Unavailable {
                attempted: attempted(),
                reason: format!("not connected to {}", self.config.shown_urls()),
            }),
        }
    }

    /// Returns when the server has worked through everything sent before: a message to ourselves comes back behind it.
    pub(super) async fn round_trip(&self, attempted: impl Fn() -> String) -> Result<(), BackboneError> {
        self.within(attempted, async {
            let inbox = self.client.new_inbox();
            let mut echo = self.client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
            self.client.publish(inbox, Bytes::new()).await.map_err(|error| error.to_string())?;
            echo.next().await.map(|_echo| ()).ok_or_else(|| "the subscription ended".to_owned())
        })
        .await
    }

    /// A name that nobody else has: batches and consumers are called by it. It is the client library's own randomness,
    /// which is also behind its inboxes; nothing that is decided or written down depends on it.
    pub(super) fn unique(&self) -> String {
        let inbox = self.client.new_inbox();
        inbox.rsplit('.').next().unwrap_or(&inbox).to_owned()
    }
}

/// Returns when the connection of this epoch is down, or is another by now.
pub(super) async fn lost(mut link: watch::Receiver<Link>, epoch: u64) {
    // An error means that the client has ended, and with it the connection.
    let _ = link.wait_for(|link| !link.up || link.epoch != epoch).await;
}

async fn connect(config: &NatsConfig, link: &watch::Sender<Link>, deadline: Instant) -> Result<Client, String> {
    let mut pause = RECONNECT_PAUSE_MIN;
    loop {
        let attempt = options(config, link.clone()).await?.connect(config.servers()?);
        let reason = match timeout_at(deadline, attempt).await {
            Ok(Ok(client)) => return Ok(client),
            Ok(Err(error)) if is_final(error.kind()) => return Err(chain(&error)),
            Ok(Err(error)) => chain(&error),
            Err(_elapsed) => "no answer in time".to_owned(),
        };
        let next = Instant::now() + pause;
        if next >= deadline {
            return Err(format!("{reason} (tried for {} s)", config.connect_timeout.as_secs()));
        }
        tracing::debug!(reason, "NATS is not there yet");
        sleep_until(next).await;
        pause = (pause * 2).min(RECONNECT_PAUSE_MAX);
    }
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
    let mut options = ConnectOptions::new()
        .name(&config.name)
        .connection_timeout(config.operation_timeout)
        .request_timeout(Some(config.operation_timeout))
        .ping_interval(PING_INTERVAL)
        .subscription_capacity(SUBSCRIPTION_MESSAGES_MAX)
        .client_capacity(OUTGOING_MESSAGES_MAX)
        .max_reconnects(None)
        .reconnect_delay_callback(|attempts| {
            let doubled = u32::try_from(attempts).map_or(u32::MAX, |n| 2_u32.saturating_pow(n.min(16)));
            RECONNECT_PAUSE_MIN.saturating_mul(doubled).min(RECONNECT_PAUSE_MAX)
        })
        .event_callback(move |event| {
            let link = link.clone();
            async move { note(&link, &event) }
        });
    match &config.credentials {
        Credentials::None => {}
        Credentials::User { name, password } => {
            // An inbox of the user's own: the server can then keep others from listening to what comes there.
            options = options
                .user_and_password(name.clone(), password.clone())
                .custom_inbox_prefix(format!("_INBOX.{}", subjects::token(name)));
        }
        Credentials::File(path) => {
            options = options
                .credentials_file(path)
                .await
                .map_err(|error| format!("the credentials file {} cannot be used: {error}", path.display()))?;
        }
    }
    if let Some(path) = &config.ca_file {
        options = options.add_root_certificates(path.clone()).require_tls(true);
    }
    Ok(options)
}

fn note(link: &watch::Sender<Link>, event: &Event) {
    match event {
        Event::Connected => {
            link.send_if_modified(|link| {
                let again = !link.up;
                *link = Link { up: true, epoch: link.epoch + u64::from(again) };
                again
            });
            tracing::info!("connected to NATS");
        }
        Event::Disconnected | Event::Closed => {
            link.send_modify(|link| link.up = false);
            tracing::warn!("the connection to NATS is down");
        }
        Event::LameDuckMode | Event::Draining | Event::SlowConsumer(_) => tracing::info!(%event, "NATS"),
        Event::ServerError(error) => tracing::warn!(%error, "NATS refused something"),
        Event::ClientError(error) => tracing::debug!(%error, "NATS client"),
    }
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split(['.', '-']).map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= SERVER_VERSION_MIN,
        _ => false,
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
    text
}

#[cfg(test)]
mod tests {
    use super::is_new_enough;

    #[test]
    fn versions_are_compared_by_number() {
        assert!(is_new_enough("2.15.0"));
        assert!(is_new_enough("2.15.1-RC.1"));
        assert!(is_new_enough("3.0.0"));
        assert!(!is_new_enough("2.9.25"));
        assert!(!is_new_enough("2.14.9"));
        assert!(!is_new_enough("nonsense"));
    }
}
