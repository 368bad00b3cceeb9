//! Whose a topic is, before any policy is asked.
//!
//! Invariant: what is called a device's own can only ever match topics of that device. A filter such as `$oc/devices/+/…`
//! belongs to no device, because the id is compared as text and cannot hold a wildcard; `#` and `+/…` are custom filters, which
//! MQTT keeps away from topics that begin with `$` (3.1.1 §4.7.2).

use crate::ids::DeviceId;

/// Where the system topics of devices begin.
const DEVICES_PREFIX: &str = "$oc/devices/";

/// Whose a topic is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicScope {
    /// `$oc/devices/{own id}/…`: the device's own; the rest after the id and its slash.
    OwnSystem(Box<str>),
    /// Anything else that begins with `$`: the platform's alone. Shared subscriptions (`$share/…`) are among it.
    Reserved,
    /// A custom topic: policies decide.
    Custom,
}

/// Sorts a topic or filter for one device.
pub fn topic_scope(topic: &str, device_id: &DeviceId) -> TopicScope {
    if !topic.starts_with('$') {
        return TopicScope::Custom;
    }
    let own = topic.strip_prefix(DEVICES_PREFIX).and_then(|rest| rest.strip_prefix(device_id.as_str()));
    match own.and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) if !rest.is_empty() => TopicScope::OwnSystem(rest.into()),
        _ => TopicScope::Reserved,
    }
}
