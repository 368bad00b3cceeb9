//! What the server repeats of a shard of presence, heard once by a process and handed to the watchers of its instances.
//!
//! Once for the whole shard, because only the shard's sequences have no gaps: of one instance's changes a watcher cannot tell
//! that one is missing. Invariant: a listener gets everything of its instance that was stored after it began to listen,
//! in order, or its channel ends.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use async_nats::{Message, Subscriber};
use futures_util::StreamExt;
use rollcall_domain::ids::InstanceId;
use rollcall_log::BackboneError;
use tokio::sync::mpsc;

use crate::{
    connection::{Connection, link::lost},
    streams,
    subjects::{self, shards::Shard, token::token},
};

/// Changes that wait for a slow watcher; one that is slower is cut off, and watches again.
const LISTENED_WAITING_MAX: usize = 16 * 1024;
/// Says of a repeated message where it stands in its stream.
const SEQUENCE: &str = "Nats-Sequence";

/// A message that the server has repeated.
#[derive(Debug)]
pub(super) struct Repeated {
    pub(super) sequence: u64,
    pub(super) message: Message,
}

/// The taps of a process, by shard. Each lives as long as it has listeners.
#[derive(Default)]
pub(super) struct Taps(tokio::sync::Mutex<HashMap<Shard, Weak<Tap>>>);

/// Listeners by the token of their instance.
#[derive(Default)]
struct Tap(Mutex<Listeners>);

#[derive(Default)]
struct Listeners {
    by_instance: HashMap<String, Vec<mpsc::Sender<Repeated>>>,
    /// Nothing is handed over any more.
    ended: bool,
}

impl Taps {
    /// Listens for what is stored of an instance's presence. When this returns, nothing stored later is missed.
    pub(super) async fn listen(
        &self,
        connection: &Arc<Connection>,
        shard: Shard,
        instance: &InstanceId,
    ) -> Result<mpsc::Receiver<Repeated>, BackboneError> {
        let instance = token(instance.as_str());
        // Held while a tap is opened: two at a time would open two.
        let mut taps = self.0.lock().await;
        if let Some(tap) = taps.get(&shard).and_then(Weak::upgrade)
            && let Some(receiver) = tap.add(&instance)
        {
            return Ok(receiver);
        }
        let attempted = || format!("listening for changes of presence in shard {shard}");
        let epoch = connection.link().borrow().epoch;
        let subscribing = connection.client.subscribe(subjects::presence_repeated(shard));
        let subscription = connection.within(attempted, subscribing).await?;
        connection.round_trip(attempted).await?;
        let info = streams::existing(connection, &subjects::presence_stream(shard), attempted).await?;
        let tap = Arc::new(Tap::default());
        let receiver = tap.add(&instance).ok_or(BackboneError::Closed)?;
        taps.insert(shard, Arc::downgrade(&tap));
        tokio::spawn(run(connection.clone(), shard, tap, subscription, info.state.last_sequence, epoch));
        Ok(receiver)
    }
}

impl Tap {
    /// Another listener; `None` if it has ended.
    fn add(&self, instance: &str) -> Option<mpsc::Receiver<Repeated>> {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if listeners.ended {
            return None;
        }
        let (sender, receiver) = mpsc::channel(LISTENED_WAITING_MAX);
        listeners.by_instance.entry(instance.to_owned()).or_default().push(sender);
        Some(receiver)
    }

    /// Hands a message over.
    fn hand_over(&self, sequence: u64, message: &Message) {
        let Some((instance, ..)) = subjects::read_presence(&message.subject) else { return };
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(senders) = listeners.by_instance.get_mut(instance) {
            senders.retain(|sender| sender.try_send(Repeated { sequence, message: message.clone() }).is_ok());
        }
    }

    /// Whether the last listener has gone; a new one makes a new tap.
    fn is_over(&self) -> bool {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.by_instance.retain(|_, senders| {
            senders.retain(|sender| !sender.is_closed());
            !senders.is_empty()
        });
        listeners.ended |= listeners.by_instance.is_empty();
        listeners.ended
    }

    /// Ends every listener's channel.
    fn end(&self) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.ended = true;
        listeners.by_instance.clear();
    }
}

async fn run(
    connection: Arc<Connection>,
    shard: Shard,
    tap: Arc<Tap>,
    mut subscription: Subscriber,
    mut last: u64,
    epoch: u64,
) {
    let mut looks = tokio::time::interval(connection.config.limits.presence_lease);
    loop {
        let message = tokio::select! {
            message = subscription.next() => message,
            () = lost(connection.link(), epoch) => None,
            _now = looks.tick() => {
                if tap.is_over() {
                    return;
                }
                continue;
            }
        };
        let Some(message) = message else { break };
        let sequence = message.headers.as_ref().and_then(|headers| headers.get(SEQUENCE)?.as_str().parse::<u64>().ok());
        let Some(sequence) = sequence.filter(|sequence| *sequence > last) else { continue };
        if sequence != last + 1 {
            tracing::debug!(%shard, sequence, last, "changes of presence were missed");
            break;
        }
        last = sequence;
        tap.hand_over(sequence, &message);
    }
    tap.end();
}
