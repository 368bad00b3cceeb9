//! Requests to a device, answered by it: commands, and reading and setting properties.
//!
//! Does not know what is asked. One follower of uplinks hands every answer to the requests that wait for it; it begins at
//! the present, while `reports` may have hours to catch up on, which is why the two do not share one. Invariants: only the
//! device that was asked can answer; none is asked before answers are followed; how many requests wait is bounded.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use rollcall_device_model::topics::DeviceRequest;
use rollcall_domain::registry::Device;
use rollcall_log::{
    BackboneError,
    messages::{Lane, MessageCursor, MessageProperties},
    resume::Resume,
};
use serde_json::Value;

use crate::{error::DevicesError, instance::Devices};

/// The longest delay before answers are followed again: until then every request is refused, or waits.
const LISTEN_DELAY_MAX: Duration = Duration::from_millis(500);

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

/// Follows answers until the future is dropped.
pub(crate) async fn run(devices: Arc<Devices>) {
    let mut resume = devices.resume("answers of devices").at_most(LISTEN_DELAY_MAX);
    // After an interruption the rest follows: a request may still wait for it.
    let mut after = None;
    loop {
        let ended = follow(&devices, &mut after, &mut resume).await;
        // A stream that was made anew has other positions.
        if matches!(ended, Err(BackboneError::Damaged { .. })) {
            after = None;
        }
        devices.requests.listening.send_replace(false);
        resume.pause(ended).await;
    }
}

async fn follow(devices: &Devices, after: &mut Option<MessageCursor>, resume: &mut Resume) -> Result<(), BackboneError> {
    let mut uplinks = devices.backbone.messages.follow(&devices.instance, &[Lane::Uplink], *after).await?;
    resume.follows();
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
    use super::*;

    #[test]
    fn an_answer_that_is_not_json_is_shown_as_it_is() {
        assert_eq!(readable(&Bytes::from_static(b"{\"a\":1}")), serde_json::json!({"a": 1}));
        assert_eq!(readable(&Bytes::from_static(b"done!")), serde_json::json!("done!"));
        assert_eq!(readable(&Bytes::from_static(&[0xff, 0])), serde_json::json!({"base64": "/wA="}));
    }
}
