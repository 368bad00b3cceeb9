//! Asking a device something and waiting for its answer.
//!
//! Not for what is asked. One follower of uplinks hands every answer to whoever waits for it. Invariants: only the device
//! that was asked can answer; nothing is asked before answers are listened for; how many wait is bounded.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use bytes::Bytes;
use rollcall_backbone::{
    BackboneError,
    messages::{DeviceMessage, Lane, MessageCursor, MessageProperties},
    repeats::Repeats,
};
use rollcall_domain::{ids::DeviceId, registry::Device};
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use super::topics::{self, Asked, Uplink};
use crate::{codes::Code, error::ApiError, realm::Realm};

/// Most questions of an instance that wait for answers at a time.
const WAITING_MAX: usize = 4096;
/// How long to wait before following again.
const AGAIN: Duration = Duration::from_millis(500);

/// A question, as its answer names it.
type Question = (Asked, String);

struct Waiting {
    number: u64,
    device: DeviceId,
    answer: oneshot::Sender<Bytes>,
}

#[derive(Default)]
struct Waiters {
    last_number: u64,
    count: usize,
    by_question: HashMap<Question, Vec<Waiting>>,
}

/// See the file.
pub(crate) struct Exchange {
    waiters: Mutex<Waiters>,
    listening: watch::Sender<bool>,
}

impl Default for Exchange {
    fn default() -> Self {
        Self { waiters: Mutex::default(), listening: watch::Sender::new(false) }
    }
}

/// Asks a device. `None`: it did not answer within `deadline`.
///
/// # Errors
/// [`Code::DeviceNotOnline`]; [`Code::Overloaded`]; the backbone's: it may have been asked.
pub(crate) async fn ask(
    realm: &Realm,
    device: &Device,
    asked: Asked,
    request: &str,
    payload: Value,
    deadline: Duration,
) -> Result<Option<Value>, ApiError> {
    if !realm.online.is_online(&device.id) {
        return Err(ApiError::new(Code::DeviceNotOnline, format!("The device is not online: {:?}", device.id)));
    }
    let ends = tokio::time::Instant::now() + deadline;
    let exchange = &realm.devices.exchange;
    let mut listening = exchange.listening.subscribe();
    let heard = async { listening.wait_for(|listening| *listening).await.is_ok() };
    if !tokio::time::timeout_at(ends, heard).await.unwrap_or(false) {
        let text = "answers of devices cannot be listened for at the moment: try again";
        return Err(ApiError::new(Code::BackboneAway, text).retry_after(2));
    }
    let (waiting, is_first) = exchange.wait(&device.id, asked, request)?;
    // Whoever sends the same question again while it is open waits for the same answer.
    if is_first {
        let topic = asked.topic(&device.id, request);
        super::send(realm, device, topic, payload.to_string().into(), MessageProperties::default()).await?;
    }
    match tokio::time::timeout_at(ends, waiting.answer()).await {
        Ok(answer) => Ok(answer.map(|answer| readable(&answer))),
        Err(_) => Ok(None),
    }
}

/// An answer as a caller is to see it: JSON, else text, else Base64.
fn readable(answer: &Bytes) -> Value {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    if let Ok(value) = serde_json::from_slice(answer) {
        return value;
    }
    match std::str::from_utf8(answer) {
        Ok(text) => Value::String(text.to_owned()),
        Err(_) => serde_json::json!({ "base64": STANDARD.encode(answer) }),
    }
}

impl Exchange {
    fn wait(&self, device: &DeviceId, asked: Asked, request: &str) -> Result<(Answer<'_>, bool), ApiError> {
        let mut waiters = self.lock();
        if waiters.count >= WAITING_MAX {
            let text = format!("{WAITING_MAX} commands and property requests wait for answers of devices: try again");
            return Err(ApiError::new(Code::Overloaded, text).retry_after(1));
        }
        waiters.last_number += 1;
        waiters.count += 1;
        let number = waiters.last_number;
        let question = (asked, request.to_owned());
        let same = waiters.by_question.entry(question.clone()).or_default();
        let is_first = same.iter().all(|waiting| waiting.device != *device);
        let (answer, receiver) = oneshot::channel();
        same.push(Waiting { number, device: device.clone(), answer });
        Ok((Answer { exchange: self, question, number, receiver }, is_first))
    }

    /// Hands an answer to everybody who waits for it.
    fn answered(&self, message: &DeviceMessage) {
        let Uplink::Answer(asked, request) = topics::uplink(&message.device, &message.topic) else { return };
        let mut waiters = self.lock();
        let Some(waiting) = waiters.by_question.get_mut(&(asked, request.to_owned())) else { return };
        let answered: Vec<Waiting> = waiting.extract_if(.., |waiting| waiting.device == message.device).collect();
        drop(waiters);
        for waiting in answered {
            // Whoever has given up meanwhile does not mind.
            let _ = waiting.answer.send(message.payload.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        // Nothing in here panics between two statements that belong together.
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One answer that is waited for; nobody waits any more when this is dropped.
struct Answer<'a> {
    exchange: &'a Exchange,
    question: Question,
    number: u64,
    receiver: oneshot::Receiver<Bytes>,
}

impl Answer<'_> {
    async fn answer(mut self) -> Option<Bytes> {
        (&mut self.receiver).await.ok()
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        let mut waiters = self.exchange.lock();
        waiters.count -= 1;
        if let Some(waiting) = waiters.by_question.get_mut(&self.question) {
            waiting.retain(|waiting| waiting.number != self.number);
            if waiting.is_empty() {
                waiters.by_question.remove(&self.question);
            }
        }
    }
}

/// Listens for answers until the realm is gone.
pub(crate) async fn run(realm: Weak<Realm>) {
    // After an interruption the rest follows: somebody is still waiting for it.
    let (mut after, told) = (None, Repeats::default());
    while let Some(realm) = realm.upgrade() {
        if let Err(error) = listen(&realm, &mut after, &told).await {
            if let Some(left_out) = told.failed(&error) {
                tracing::warn!(instance = %realm.id, %error, left_out, "answers of devices cannot be followed; trying again");
            }
            // A stream that was made anew has other positions.
            if matches!(error, BackboneError::Damaged { .. }) {
                after = None;
            }
        }
        realm.devices.exchange.listening.send_replace(false);
        drop(realm);
        tokio::time::sleep(AGAIN).await;
    }
}

async fn listen(realm: &Arc<Realm>, after: &mut Option<MessageCursor>, told: &Repeats) -> Result<(), BackboneError> {
    let mut uplinks = realm.backbone.messages.follow(&realm.id, &[Lane::Up], *after).await?;
    if told.recovered() {
        tracing::info!(instance = %realm.id, "answers of devices are followed again");
    }
    realm.devices.exchange.listening.send_replace(true);
    while let Some(stored) = uplinks.recv().await {
        let stored = stored?;
        after.get_or_insert_default().advance(stored.position);
        realm.devices.exchange.answered(&stored.message);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rollcall_domain::ids::SpaceId;

    use super::*;

    fn device(id: &str) -> DeviceId {
        DeviceId::parse(id).unwrap()
    }

    fn answer(from: &str, topic: &str) -> DeviceMessage {
        DeviceMessage {
            lane: Lane::Up,
            space: SpaceId::parse("s").unwrap(),
            device: device(from),
            topic: topic.to_owned(),
            payload: Bytes::from_static(b"yes"),
            qos: 1,
            properties: MessageProperties::default(),
        }
    }

    #[tokio::test]
    async fn only_the_device_that_was_asked_can_answer() {
        let exchange = Exchange::default();
        let (waiting, is_first) = exchange.wait(&device("d1"), Asked::Command, "7").unwrap();
        assert!(is_first);
        exchange.answered(&answer("d2", "$oc/devices/d2/sys/commands/response/request_id=7"));
        exchange.answered(&answer("d2", "$oc/devices/d1/sys/commands/response/request_id=7"));
        exchange.answered(&answer("d1", "$oc/devices/d1/sys/properties/get/response/request_id=7"));
        let (again, is_first) = exchange.wait(&device("d1"), Asked::Command, "7").unwrap();
        assert!(!is_first, "the question is open already");
        exchange.answered(&answer("d1", "$oc/devices/d1/sys/commands/response/request_id=7"));
        assert_eq!(waiting.answer().await.unwrap(), "yes");
        assert_eq!(again.answer().await.unwrap(), "yes");
        assert_eq!(exchange.lock().count, 0);
        assert!(exchange.lock().by_question.is_empty());
    }

    #[test]
    fn how_many_wait_is_bounded_and_who_gives_up_makes_room() {
        let exchange = Exchange::default();
        let mut waiting: Vec<_> =
            (0..WAITING_MAX).map(|n| exchange.wait(&device("d1"), Asked::Command, &n.to_string()).unwrap().0).collect();
        assert_eq!(exchange.wait(&device("d1"), Asked::Command, "x").err().unwrap().code, Code::Overloaded);
        waiting.pop();
        exchange.wait(&device("d1"), Asked::Command, "x").unwrap();
    }

    #[test]
    fn an_answer_that_is_not_json_is_shown_as_it_is() {
        assert_eq!(readable(&Bytes::from_static(b"{\"a\":1}")), serde_json::json!({"a": 1}));
        assert_eq!(readable(&Bytes::from_static(b"done!")), serde_json::json!("done!"));
        assert_eq!(readable(&Bytes::from_static(&[0xff, 0])), serde_json::json!({"base64": "/wA="}));
    }
}
