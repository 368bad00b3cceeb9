//! Pulling from a durable consumer: what is there at once, or the first that comes.
//!
//! Every request to the server ends before this function does: a pull left open would lease messages that no caller gets.

use std::time::Duration;

use async_nats::{Message, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt;
use rollcall_log::BackboneError;
use tokio::time::{Instant, timeout_at};

use crate::connection::Connection;

/// What a pull brought.
#[derive(Debug, Default)]
pub(crate) struct Pulled {
    pub(crate) messages: Vec<Message>,
    /// The server does not answer for the consumer: it has to be declared again.
    pub(crate) consumer_is_gone: bool,
}

/// 1 to `max` messages: what there is now, or with a `wait` the first that come within it; none if none come.
pub(crate) async fn pull(
    connection: &Connection,
    stream: &str,
    consumer: &str,
    max: usize,
    wait: Duration,
) -> Result<Pulled, BackboneError> {
    Puller { connection, stream, consumer }.request(max, (!wait.is_zero()).then_some(wait)).await
}

struct Puller<'a> {
    connection: &'a Connection,
    stream: &'a str,
    consumer: &'a str,
}

impl Puller<'_> {
    /// One request to the server: until `batch` messages have come or the server says that there are no more.
    async fn request(&self, batch: usize, wait: Option<Duration>) -> Result<Pulled, BackboneError> {
        let attempted = || format!("taking from {} of stream {}", self.consumer, self.stream);
        let client = &self.connection.client;
        let inbox = client.new_inbox();
        let mut subscription = self
            .connection
            .within(attempted, async {
                let subscription = client.subscribe(inbox.clone()).await.map_err(|error| error.to_string())?;
                let subject = format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", self.stream, self.consumer);
                let request = Bytes::from(request(batch, wait).to_string());
                let sent = client.publish_with_reply(subject, inbox, request).await;
                sent.map(|()| subscription).map_err(|error| error.to_string())
            })
            .await?;
        // The server ends the request; the deadline here is for a server that has gone away.
        let deadline = Instant::now() + wait.unwrap_or_default() + self.connection.config.operation_timeout;
        let mut pulled = Pulled::default();
        while pulled.messages.len() < batch {
            match timeout_at(deadline, subscription.next()).await {
                Ok(Some(message)) => match message.status {
                    None => pulled.messages.push(message),
                    Some(StatusCode::NO_RESPONDERS) => {
                        pulled.consumer_is_gone = true;
                        break;
                    }
                    // No messages, request expired, or the consumer was deleted, whichever: nothing more will come.
                    Some(_over) => break,
                },
                Ok(None) => break,
                Err(_elapsed) if pulled.messages.is_empty() => {
                    let reason = "no answer in time".to_owned();
                    return Err(BackboneError::Unavailable { attempted: attempted(), reason });
                }
                Err(_elapsed) => break,
            }
        }
        Ok(pulled)
    }
}

fn request(batch: usize, wait: Option<Duration>) -> serde_json::Value {
    match wait {
        None => serde_json::json!({ "batch": batch, "no_wait": true }),
        Some(wait) => serde_json::json!({ "batch": batch, "expires": u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX) }),
    }
}
