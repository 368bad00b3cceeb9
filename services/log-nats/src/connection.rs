//! One connection to NATS: made with a deadline, kept for ever, and never waited for without a bound.
//!
//! Invariant: every operation through [`Connection::within`] ends within the configured time, with an answer or with
//! [`BackboneError::Unavailable`]. The client library reconnects by itself; what was in flight is unknown to it, so
//! what holds state on the server (a subscription with a consumer behind it) watches [`Connection::link`] and starts again.
//!
//! Below it: `dial` (making it), `link` (whether it stands), `full` (a broker that has no room, as against one that is away).

pub(crate) mod dial;
pub(crate) mod full;
pub(crate) mod link;

use std::{
    collections::{HashMap, HashSet},
    fmt::Display,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use async_nats::{Client, jetstream};
use bytes::Bytes;
use futures_util::StreamExt;
use rollcall_log::{BackboneError, repeats::Repeats};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{
    config::NatsConfig,
    subjects::{shards::Shards, submitter::Submitter},
};
use link::{Link, lost};

/// Oldest server that coalesces the syncs of atomic batches, and acknowledges them only when they are on disk.
const SERVER_VERSION_MIN: (u64, u64) = (2, 15);
/// Room for headers beside the largest payload.
pub(super) const HEADERS_BYTES_MAX: usize = 64 * 1024;

/// The client with what this crate needs to know of it.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) jetstream: jetstream::Context,
    pub(super) config: NatsConfig,
    /// Who this process is in subjects that say who submitted.
    pub(super) submitter: Submitter,
    link: watch::Receiver<Link>,
    /// What is shared, as far as it is known.
    shards: Mutex<Option<Shards>>,
    said: Mutex<Said>,
}

/// What this process has said of the broker.
#[derive(Default)]
struct Said {
    /// What needs no saying again.
    once: HashSet<String>,
    /// What comes again and again, by its kind.
    repeats: HashMap<&'static str, Arc<Repeats>>,
}

impl Connection {
    /// Connects, retrying until the configured deadline, and checks that the server is one that can be used.
    pub(super) async fn open(config: NatsConfig) -> Result<Self, BackboneError> {
        let attempted = format!("connecting to NATS at {}", config.shown_urls());
        let (link_sender, link) = watch::channel(Link { up: true, epoch: 0 });
        let deadline = Instant::now() + config.connect_timeout;
        let client = dial::connect(&config, &link_sender, deadline)
            .await
            .map_err(|reason| BackboneError::Unavailable { attempted: attempted.clone(), reason })?;
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(config.operation_timeout)
            .ack_timeout(config.operation_timeout)
            .build(client.clone());
        let submitter = Submitter::of(&config.credentials);
        let (shards, said) = (Mutex::default(), Mutex::default());
        let connection = Self { client, jetstream, config, submitter, link, shards, said };
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
        let needed = rollcall_log::messages::PAYLOAD_BYTES_MAX + HEADERS_BYTES_MAX;
        if info.max_payload < needed {
            tracing::warn!(
                max_payload = info.max_payload,
                needed,
                "the NATS server's max_payload is below the largest device message: set max_payload to 2MB"
            );
        }
        Ok(())
    }

    /// The fleet's shards, if they have been looked up.
    pub(super) fn known_shards(&self) -> Option<Shards> {
        *self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers what the fleet's log has been found to say. Another count than before means another fleet.
    pub(super) fn know_shards(&self, found: Shards) -> Shards {
        *self.shards.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        found
    }

    /// Says something unless it has been said by this process: what is found at every opening is no news the second time.
    pub(super) fn once(&self, what: &str, say: impl FnOnce()) {
        if self.said.lock().unwrap_or_else(PoisonError::into_inner).once.insert(what.to_owned()) {
            say();
        }
    }

    /// What has been said of troubles of one kind, whatever is watched, read or stored anew meanwhile.
    pub(super) fn repeats(&self, kind: &'static str) -> Arc<Repeats> {
        Arc::clone(self.said.lock().unwrap_or_else(PoisonError::into_inner).repeats.entry(kind).or_default())
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

    /// A name that is used once: batches and consumers are called by it. It is the client library's own randomness,
    /// which is also behind its inboxes; nothing that is decided or written down depends on it.
    pub(super) fn unique(&self) -> String {
        let inbox = self.client.new_inbox();
        inbox.rsplit('.').next().unwrap_or(&inbox).to_owned()
    }
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.trim_start_matches('v').split(['.', '-']).map(str::parse::<u64>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= SERVER_VERSION_MIN,
        _ => false,
    }
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
