//! Requests to a device, answered by it: commands, and reading and setting properties.
//!
//! Does not know what is kind. One follower of uplinks hands every answer to the requests that wait for it; it begins at
//! the present, while `reports` may have hours to catch up on, which is why the two do not share one. Invariants: only the
//! device that was kind can answer; nothing is kind before answers are followed; how many wait is bounded.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use rollcall_backbone::{
    BackboneError,
    messages::{DeviceMessage, Lane, MessageCursor, MessageProperties},
    repeats::Repeats,
};
use rollcall_device_model::topics::{self, DeviceRequest, Uplink};
use rollcall_domain::{ids::DeviceId, registry::Device};
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use crate::{
    error::DevicesError,
    instance::{Devices, RETRY_DELAY},
};

/// Requests of an instance that wait for answers at a time.
const WAITING_MAX: usize = 4096;
/// A request, as its answer names it: the kind and the request id.
type RequestKey = (DeviceRequest, String);

struct Waiting {
    number: u64,
    device: DeviceId,
    answer: oneshot::Sender<Bytes>,
}

#[derive(Default)]
struct Waiters {
    last_number: u64,
    count: usize,
    by_request: HashMap<RequestKey, Vec<Waiting>>,
}

/// See the file.
pub(crate) struct Requests {
    waiters: Mutex<Waiters>,
    listening: watch::Sender<bool>,
}

impl Default for Requests {
    fn default() -> Self {
        Self { waiters: Mutex::default(), listening: watch::Sender::new(false) }
    }
}

/// Asks a device. `None`: it did not answer within `deadline`.
///
/// # Errors
/// [`DevicesError::NotOnline`], [`DevicesError::NotListening`], [`DevicesError::TooManyRequests`]: it was not asked;
/// [`DevicesError::Backbone`]: it may have been.
pub async fn ask(
    devices: &Devices,
    device: &Device,
    kind: DeviceRequest,
    request: &str,
    payload: Value,
    deadline: Duration,
) -> Result<Option<Value>, DevicesError> {
    if !devices.presence().is_online(&device.id) {
        return Err(DevicesError::NotOnline(device.id.clone()));
    }
    let ends = tokio::time::Instant::now() + deadline;
    let requests = &devices.requests;
    let mut listening = requests.listening.subscribe();
    let heard = async { listening.wait_for(|listening| *listening).await.is_ok() };
    if !tokio::time::timeout_at(ends, heard).await.unwrap_or(false) {
        return Err(DevicesError::NotListening);
    }
    let (waiting, is_first) = requests.wait(&device.id, kind, request)?;
    // The same request sent again while it is open waits for the same answer.
    if is_first {
        let topic = kind.topic(&device.id, request);
        devices.publish(device, topic, payload.to_string().into(), MessageProperties::default()).await?;
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

impl Requests {
    fn wait(&self, device: &DeviceId, kind: DeviceRequest, request: &str) -> Result<(Answer<'_>, bool), DevicesError> {
        let mut waiters = self.lock();
        if waiters.count >= WAITING_MAX {
            return Err(DevicesError::TooManyRequests { max: WAITING_MAX });
        }
        waiters.last_number += 1;
        waiters.count += 1;
        let number = waiters.last_number;
        let key = (kind, request.to_owned());
        let same = waiters.by_request.entry(key.clone()).or_default();
        let is_first = same.iter().all(|waiting| waiting.device != *device);
        let (answer, receiver) = oneshot::channel();
        same.push(Waiting { number, device: device.clone(), answer });
        Ok((Answer { requests: self, key, number, receiver }, is_first))
    }

    /// Hands an answer to every request that waits for it.
    fn answered(&self, message: &DeviceMessage) {
        let Uplink::Answer(kind, request) = topics::uplink(&message.device, &message.topic) else { return };
        let mut waiters = self.lock();
        let Some(waiting) = waiters.by_request.get_mut(&(kind, request.to_owned())) else { return };
        let answered: Vec<Waiting> = waiting.extract_if(.., |waiting| waiting.device == message.device).collect();
        drop(waiters);
        for waiting in answered {
            // A request that was given up meanwhile does not need it.
            let _ = waiting.answer.send(message.payload.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiters> {
        // Nothing in here panics between two statements that belong together.
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One answer that is waited for, until this is dropped.
struct Answer<'a> {
    requests: &'a Requests,
    key: RequestKey,
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
        let mut waiters = self.requests.lock();
        waiters.count -= 1;
        if let Some(waiting) = waiters.by_request.get_mut(&self.key) {
            waiting.retain(|waiting| waiting.number != self.number);
            if waiting.is_empty() {
                waiters.by_request.remove(&self.key);
            }
        }
    }
}

/// Follows answers until the future is dropped.
pub(crate) async fn run(devices: Arc<Devices>) {
    // After an interruption the rest follows: a request may still wait for it.
    let (mut after, told) = (None, Repeats::default());
    loop {
        if let Err(error) = follow(&devices, &mut after, &told).await {
            if let Some(left_out) = told.failed(&error) {
                tracing::warn!(instance = %devices.instance, %error, left_out, "answers of devices cannot be followed; trying again");
            }
            // A stream that was made anew has other positions.
            if matches!(error, BackboneError::Damaged { .. }) {
                after = None;
            }
        }
        devices.requests.listening.send_replace(false);
        tokio::time::sleep(RETRY_DELAY).await;
    }
}

async fn follow(devices: &Devices, after: &mut Option<MessageCursor>, told: &Repeats) -> Result<(), BackboneError> {
    let mut uplinks = devices.backbone.messages.follow(&devices.instance, &[Lane::Up], *after).await?;
    if told.recovered() {
        tracing::info!(instance = %devices.instance, "answers of devices are followed again");
    }
    devices.requests.listening.send_replace(true);
    while let Some(stored) = uplinks.recv().await {
        let stored = stored?;
        after.get_or_insert_default().advance(stored.position);
        devices.requests.answered(&stored.message);
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
        let requests = Requests::default();
        let (waiting, is_first) = requests.wait(&device("d1"), DeviceRequest::Command, "7").unwrap();
        assert!(is_first);
        requests.answered(&answer("d2", "$oc/devices/d2/sys/commands/response/request_id=7"));
        requests.answered(&answer("d2", "$oc/devices/d1/sys/commands/response/request_id=7"));
        requests.answered(&answer("d1", "$oc/devices/d1/sys/properties/get/response/request_id=7"));
        let (again, is_first) = requests.wait(&device("d1"), DeviceRequest::Command, "7").unwrap();
        assert!(!is_first, "the request is open already");
        requests.answered(&answer("d1", "$oc/devices/d1/sys/commands/response/request_id=7"));
        assert_eq!(waiting.answer().await.unwrap(), "yes");
        assert_eq!(again.answer().await.unwrap(), "yes");
        assert_eq!(requests.lock().count, 0);
        assert!(requests.lock().by_request.is_empty());
    }

    #[test]
    fn how_many_wait_is_bounded_and_who_gives_up_makes_room() {
        let requests = Requests::default();
        let mut waiting: Vec<_> = (0..WAITING_MAX)
            .map(|n| requests.wait(&device("d1"), DeviceRequest::Command, &n.to_string()).unwrap().0)
            .collect();
        assert_eq!(
            requests.wait(&device("d1"), DeviceRequest::Command, "x").err().unwrap().to_string(),
            format!("{WAITING_MAX} commands and property requests wait for answers of devices")
        );
        waiting.pop();
        requests.wait(&device("d1"), DeviceRequest::Command, "x").unwrap();
    }

    #[test]
    fn an_answer_that_is_not_json_is_shown_as_it_is() {
        assert_eq!(readable(&Bytes::from_static(b"{\"a\":1}")), serde_json::json!({"a": 1}));
        assert_eq!(readable(&Bytes::from_static(b"done!")), serde_json::json!("done!"));
        assert_eq!(readable(&Bytes::from_static(&[0xff, 0])), serde_json::json!({"base64": "/wA="}));
    }
}
