//! The embedded log from outside: restarts, one opener, damage, kills and full disks.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod folder;
mod full_disk;
mod killed;

use std::time::Duration;

use bytes::Bytes;
use rollcall_domain::ids::{DeviceId, InstanceId, SpaceId};
use rollcall_log::messages::{DeviceMessage, Lane, MessageProperties};

/// Leases in tests: long enough to act within on a busy machine, short enough to wait for.
const LEASE: Duration = Duration::from_secs(2);

/// How long a test waits for something that should come at once.
const PATIENCE: Duration = Duration::from_secs(30);

fn instance() -> InstanceId {
    InstanceId::parse("plant-1").unwrap()
}

fn message(lane: Lane, payload: &str) -> DeviceMessage {
    DeviceMessage {
        lane,
        space: SpaceId::parse("space-1").unwrap(),
        device: DeviceId::parse("device-1").unwrap(),
        topic: "$oc/devices/device-1/sys/messages/up".to_owned(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        qos: 1,
        properties: MessageProperties::default(),
    }
}
