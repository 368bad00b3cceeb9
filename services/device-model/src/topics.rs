//! The system topics that the API and devices talk on: made and taken apart here and nowhere else.
//!
//! Not for who may use a topic, which the connector sees to. Invariant: an uplink counts only on a topic of the device that
//! sent it; what it asks for or answers is named by the kind and the request id.

use rollcall_domain::ids::DeviceId;

/// What is asked of a device, and answered by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeviceRequest {
    /// To carry out a command.
    Command,
    /// To take property values.
    SetProperties,
    /// To say property values.
    GetProperties,
}

/// What an uplink of a device is, as far as the API deals with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uplink<'a> {
    /// The answer to what was asked with this id.
    Answer(DeviceRequest, &'a str),
    /// Property values that the device reports.
    Report,
    Events,
    /// The device asks for its shadow, with this id.
    ShadowWanted(&'a str),
    Other,
}

const REQUEST_ID: &str = "request_id=";

impl DeviceRequest {
    const fn under(self) -> &'static str {
        match self {
            Self::Command => "commands",
            Self::SetProperties => "properties/set",
            Self::GetProperties => "properties/get",
        }
    }

    /// Where a device is asked.
    pub fn topic(self, device: &DeviceId, request: &str) -> String {
        format!("{}{}/{REQUEST_ID}{request}", system(device), self.under())
    }
}

/// Where a device gets its shadow after asking for it.
pub fn shadow_answer(device: &DeviceId, request: &str) -> String {
    format!("{}shadow/get/response/{REQUEST_ID}{request}", system(device))
}

/// Where a device gets events of the platform.
pub fn events_down(device: &DeviceId) -> String {
    format!("{}events/down", system(device))
}

/// Where a device gets messages that name no topic.
pub fn messages_down(device: &DeviceId) -> String {
    format!("{}messages/down", system(device))
}

/// What custom topics of a device begin with.
pub fn user(device: &DeviceId) -> String {
    format!("$oc/devices/{device}/user/")
}

/// Sorts an uplink of a device by its topic.
pub fn uplink<'a>(device: &DeviceId, topic: &'a str) -> Uplink<'a> {
    let own = topic.strip_prefix("$oc/devices/").and_then(|rest| rest.strip_prefix(device.as_str()));
    let Some(rest) = own.and_then(|rest| rest.strip_prefix("/sys/")) else { return Uplink::Other };
    // What devices add after a question mark concerns nobody here.
    let rest = rest.split('?').next().unwrap_or_default();
    match rest {
        "properties/report" => return Uplink::Report,
        "events/up" => return Uplink::Events,
        _ => {}
    }
    if let Some(request) = rest.strip_prefix("shadow/get/").and_then(request_of) {
        return Uplink::ShadowWanted(request);
    }
    [DeviceRequest::Command, DeviceRequest::SetProperties, DeviceRequest::GetProperties]
        .into_iter()
        .find_map(|kind| {
            let answer = rest.strip_prefix(kind.under())?.strip_prefix("/response/")?;
            Some(Uplink::Answer(kind, request_of(answer)?))
        })
        .unwrap_or(Uplink::Other)
}

fn request_of(level: &str) -> Option<&str> {
    level.strip_prefix(REQUEST_ID).filter(|request| !request.is_empty() && !request.contains('/'))
}

fn system(device: &DeviceId) -> String {
    format!("$oc/devices/{device}/sys/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uplinks_are_sorted_by_the_topics_of_the_service() {
        let device = DeviceId::parse("meter-1").unwrap();
        let cases = [
            ("$oc/devices/meter-1/sys/properties/report", Uplink::Report),
            ("$oc/devices/meter-1/sys/properties/report?request_id=7", Uplink::Report),
            ("$oc/devices/meter-1/sys/commands/response/request_id=a-1", Uplink::Answer(DeviceRequest::Command, "a-1")),
            (
                "$oc/devices/meter-1/sys/properties/set/response/request_id=b",
                Uplink::Answer(DeviceRequest::SetProperties, "b"),
            ),
            (
                "$oc/devices/meter-1/sys/properties/get/response/request_id=c",
                Uplink::Answer(DeviceRequest::GetProperties, "c"),
            ),
            ("$oc/devices/meter-1/sys/shadow/get/request_id=d", Uplink::ShadowWanted("d")),
            ("$oc/devices/meter-1/sys/events/up", Uplink::Events),
            ("$oc/devices/meter-1/sys/events/down", Uplink::Other),
            ("$oc/devices/meter-1/sys/commands/response/request_id=", Uplink::Other),
            ("$oc/devices/meter-1/sys/messages/up", Uplink::Other),
            ("$oc/devices/meter-2/sys/properties/report", Uplink::Other),
            ("$oc/devices/meter-12/sys/properties/report", Uplink::Other),
            ("properties/report", Uplink::Other),
        ];
        for (topic, expected) in cases {
            assert_eq!(uplink(&device, topic), expected, "{topic}");
        }
        assert_eq!(DeviceRequest::SetProperties.topic(&device, "9"), "$oc/devices/meter-1/sys/properties/set/request_id=9");
    }
}
