//! Requests to devices that wait for answers, and how an answer finds them.
//!
//! Invariants: only the device that was asked can answer; how many wait is bounded.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use rollcall_device_model::topics::{self, DeviceRequest, Uplink};
use rollcall_domain::ids::DeviceId;
use rollcall_log::messages::DeviceMessage;
use tokio::sync::{oneshot, watch};

use crate::error::DevicesError;

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
    pub(crate) listening: watch::Sender<bool>,
}

impl Default for Requests {
    fn default() -> Self {
        Self { waiters: Mutex::default(), listening: watch::Sender::new(false) }
    }
}

impl Requests {
    pub(crate) fn wait(
        &self,
        device: &DeviceId,
        kind: DeviceRequest,
        request: &str,
    ) -> Result<(Answer<'_>, bool), DevicesError> {
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
    pub(crate) fn answered(&self, message: &DeviceMessage) {
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
pub(crate) struct Answer<'a> {
    requests: &'a Requests,
    key: RequestKey,
    number: u64,
    receiver: oneshot::Receiver<Bytes>,
}

impl Answer<'_> {
    pub(crate) async fn answer(mut self) -> Option<Bytes> {
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

#[cfg(test)]
mod tests {
    use rollcall_domain::ids::SpaceId;
    use rollcall_log::messages::{Lane, MessageProperties};

    use super::*;

    fn device(id: &str) -> DeviceId {
        DeviceId::parse(id).unwrap()
    }

    fn answer(from: &str, topic: &str) -> DeviceMessage {
        DeviceMessage {
            lane: Lane::Uplink,
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
}
