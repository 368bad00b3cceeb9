//! Events of devices that the platform itself answers or shows: requests for the time, and what software a device runs.
//!
//! Others are for applications, which read them off the uplinks. Devices write what they like: an event of a known kind that is
//! not as the service has it is passed over.

use rollcall_domain::{ids::DeviceId, text, time::Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::times;

/// Most events in one message.
const EVENTS_MAX: usize = 500;
/// Most characters of a version, and of an event's id.
const TEXT_CHARS_MAX: usize = 256;

/// An event that concerns the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceEvent {
    TimeRequested(TimeRequest),
    /// The device says what it runs.
    InfoReported(DeviceInfo),
}

/// A device asks for the time (`$time_sync`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeRequest {
    /// When the device sent it by its own clock, milliseconds since the Unix epoch: it comes back in the answer.
    pub device_send_time: i64,
    /// Comes back in the answer, if the device gave one.
    pub event_id: Option<String>,
}

/// What software a device runs (`$sdk_info`), as it says itself; `None`: it has not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_sdk_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sw_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fw_version: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    services: Vec<RawEvent>,
}

#[derive(Deserialize)]
struct RawEvent {
    service_id: String,
    #[serde(default)]
    event_type: String,
    #[serde(default)]
    event_id: Option<String>,
    #[serde(default)]
    paras: Value,
}

impl DeviceInfo {
    /// Takes over what `later` says; what it does not say stays.
    pub fn update(&mut self, later: &Self) {
        for (held, later) in [
            (&mut self.device_sdk_version, &later.device_sdk_version),
            (&mut self.sw_version, &later.sw_version),
            (&mut self.fw_version, &later.fw_version),
        ] {
            if later.is_some() {
                held.clone_from(later);
            }
        }
    }
}

/// Reads the events of a message that concern the platform; `None`: it is malformed.
pub fn read(payload: &[u8]) -> Option<Vec<DeviceEvent>> {
    let message: Message = serde_json::from_slice(payload).ok()?;
    if message.services.len() > EVENTS_MAX {
        return None;
    }
    Some(message.services.into_iter().filter_map(known).collect())
}

fn known(event: RawEvent) -> Option<DeviceEvent> {
    match (event.service_id.as_str(), event.event_type.as_str()) {
        ("$time_sync", "time_sync_request") => Some(DeviceEvent::TimeRequested(TimeRequest {
            device_send_time: event.paras["device_send_time"].as_i64()?,
            event_id: event.event_id.filter(|id| (1..=TEXT_CHARS_MAX).contains(&id.chars().count())),
        })),
        ("$sdk_info", "sdk_info_report") => {
            let version = |name: &str| event.paras[name].as_str().filter(|version| !version.is_empty());
            let info = DeviceInfo {
                device_sdk_version: version("device_sdk_version").map(shown),
                sw_version: version("sw_version").map(shown),
                fw_version: version("fw_version").map(shown),
            };
            (info != DeviceInfo::default()).then_some(DeviceEvent::InfoReported(info))
        }
        _ => None,
    }
}

/// As it is kept and shown: bounded, without control characters.
fn shown(version: &str) -> String {
    text::shown(version, TEXT_CHARS_MAX)
}

/// The answer to a request for the time that arrived at `received_ms` and is answered at `sent_ms`, milliseconds since the
/// Unix epoch.
pub fn time_answer(device: &DeviceId, request: &TimeRequest, received_ms: i64, sent_ms: i64) -> Value {
    let mut event = json!({
        "service_id": "$time_sync",
        "event_type": "time_sync_response",
        "event_time": times::basic(Timestamp::from_unix_ms(sent_ms)),
        "paras": {
            "device_send_time": request.device_send_time,
            "server_recv_time": received_ms,
            "server_send_time": sent_ms,
        },
    });
    if let Some(id) = &request.event_id {
        event["event_id"] = id.as_str().into();
    }
    json!({"object_device_id": device.as_str(), "services": [event]})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(event: Value) -> Option<DeviceEvent> {
        let mut read = read(json!({"object_device_id": "d", "services": [event]}).to_string().as_bytes()).unwrap();
        assert!(read.len() < 2);
        read.pop()
    }

    #[test]
    fn a_request_for_the_time_is_answered_with_all_three_times() {
        let asked = json!({"service_id": "$time_sync", "event_type": "time_sync_request", "event_time": "20151212T121212Z",
            "event_id": "e-1", "paras": {"device_send_time": 1_449_922_332_345_i64}});
        let Some(DeviceEvent::TimeRequested(request)) = one(asked) else { panic!("a request for the time") };
        let device = DeviceId::parse("meter-1").unwrap();
        let answer = time_answer(&device, &request, 1_449_922_333_000, 1_449_922_334_000);
        let expected = json!({"object_device_id": "meter-1", "services": [{
            "service_id": "$time_sync", "event_type": "time_sync_response", "event_time": "20151212T121214Z", "event_id": "e-1",
            "paras": {"device_send_time": 1_449_922_332_345_i64, "server_recv_time": 1_449_922_333_000_i64,
                "server_send_time": 1_449_922_334_000_i64},
        }]});
        assert_eq!(answer, expected);
    }

    #[test]
    fn info_is_merged_and_what_is_not_said_stays() {
        let said = |paras: Value| one(json!({"service_id": "$sdk_info", "event_type": "sdk_info_report", "paras": paras}));
        let Some(DeviceEvent::InfoReported(mut info)) =
            said(json!({"device_sdk_version": "C_v1.1.0", "sw_version": "v1.0", "fw_version": ""}))
        else {
            panic!("device info")
        };
        assert_eq!((info.sw_version.as_deref(), info.fw_version.as_deref()), (Some("v1.0"), None));
        let Some(DeviceEvent::InfoReported(later)) = said(json!({"sw_version": "v2\u{202e}\n", "fw_version": 7})) else {
            panic!("device info")
        };
        info.update(&later);
        assert_eq!(info.device_sdk_version.as_deref(), Some("C_v1.1.0"));
        let software = info.sw_version.unwrap();
        assert!(software.starts_with("v2") && !software.contains('\n') && !software.contains('\u{202e}'), "{software:?}");
        assert_eq!(said(json!({})), None);
    }

    #[test]
    fn what_is_not_as_the_service_has_it_is_passed_over() {
        assert_eq!(one(json!({"service_id": "$time_sync", "event_type": "time_sync_request", "paras": {}})), None);
        assert_eq!(one(json!({"service_id": "$log", "event_type": "log_report", "paras": {"content": "x"}})), None);
        assert_eq!(one(json!({"service_id": "engine", "event_type": "overheated", "paras": null})), None);
        for malformed in ["", "{}", "[]", r#"{"services":{}}"#, r#"{"services":[{}]}"#] {
            assert_eq!(read(malformed.as_bytes()), None, "{malformed}");
        }
        let many = json!({"services": vec![json!({"service_id": "$log"}); 501]}).to_string();
        assert_eq!(read(many.as_bytes()), None);
    }
}
