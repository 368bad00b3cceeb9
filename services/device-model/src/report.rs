//! What devices say on their own: reports of property values, and requests for their shadow.
//!
//! Devices write what they like: a payload that is not as the service has it is malformed, and is counted and dropped.

use rollcall_domain::time::Timestamp;
use serde::Deserialize;

use crate::{
    shadow::{Properties, Reported},
    times,
};

/// Most services in one report.
const SERVICES_MAX: usize = 500;
/// Most characters of a service id.
pub const SERVICE_ID_CHARS_MAX: usize = 64;

#[derive(Deserialize)]
struct Report {
    services: Vec<ServiceReport>,
}

#[derive(Deserialize)]
struct ServiceReport {
    service_id: String,
    properties: Properties,
    #[serde(default)]
    event_time: Option<String>,
}

#[derive(Default, Deserialize)]
struct ShadowRequest {
    #[serde(default)]
    service_id: Option<String>,
}

/// Reads a report that arrived at a time; `None`: it is malformed.
pub fn read(payload: &[u8], arrived_ms: i64) -> Option<Vec<Reported>> {
    let report: Report = serde_json::from_slice(payload).ok()?;
    if report.services.len() > SERVICES_MAX {
        return None;
    }
    let services = report.services.into_iter().map(|service| {
        let known = (1..=SERVICE_ID_CHARS_MAX).contains(&service.service_id.chars().count());
        // As the service has it: a time that is not given, or is none, is the time of arrival.
        let at_ms = service.event_time.as_deref().and_then(times::parse_any).map_or(arrived_ms, Timestamp::unix_ms);
        known.then_some(Reported { service_id: service.service_id, properties: service.properties, at_ms })
    });
    services.collect()
}

/// The service whose shadow a device asks for; the inner `None`: all of them. `None`: it is malformed.
pub fn shadow_wanted(payload: &[u8]) -> Option<Option<String>> {
    if payload.iter().all(u8::is_ascii_whitespace) {
        return Some(None);
    }
    let request: ShadowRequest = serde_json::from_slice(payload).ok()?;
    Some(request.service_id.filter(|service| !service.is_empty()))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn one(event_time: Value) -> i64 {
        let payload = json!({"services": [{"service_id": "light", "properties": {"on": true}, "event_time": event_time}]});
        let mut read = read(payload.to_string().as_bytes(), 42).unwrap();
        assert_eq!(read.len(), 1);
        read.remove(0).at_ms
    }

    #[test]
    fn the_time_of_a_report_is_the_devices_if_it_gives_one() {
        assert_eq!(one(json!("20151212T121212Z")), 1_449_922_332_000);
        assert_eq!(one(json!("20151212T121212.345Z")), 1_449_922_332_345);
        assert_eq!(one(json!("2015-12-12T12:12:12.345Z")), 1_449_922_332_345);
        assert_eq!(one(json!(null)), 42);
        assert_eq!(one(json!("")), 42);
        assert_eq!(one(json!("yesterday")), 42);
    }

    #[test]
    fn a_malformed_report_is_none() {
        let long = json!({"services": [{"service_id": "x".repeat(65), "properties": {}}]}).to_string();
        let cases = [
            "",
            "{}",
            "[]",
            "\u{0}",
            r#"{"services":[{"service_id":"a"}]}"#,
            r#"{"services":[{"service_id":"","properties":{}}]}"#,
            &long,
        ];
        for payload in cases {
            assert_eq!(read(payload.as_bytes(), 0), None, "{payload}");
        }
        assert_eq!(read(br#"{"services":[]}"#, 0), Some(vec![]));
    }

    #[test]
    fn a_device_asks_for_one_service_or_for_all() {
        assert_eq!(shadow_wanted(b""), Some(None));
        assert_eq!(shadow_wanted(br#"{"object_device_id":"d"}"#), Some(None));
        assert_eq!(shadow_wanted(br#"{"service_id":"light"}"#), Some(Some("light".to_owned())));
        assert_eq!(shadow_wanted(b"light"), None);
    }
}
