//! The backbone's implementations, from outside. One binary: each implementation has its module, and all run the
//! conformance suite.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod embedded;
mod full_disk;
mod killed;
mod memory;
mod nats;
mod nats_server;

use std::time::Duration;

use bytes::Bytes;
use rollcall_backbone::messages::{DeviceMessage, Lane, MessageProperties};
use rollcall_domain::ids::{DeviceId, InstanceId, SpaceId};

/// Leases in tests: long enough to act within on a busy machine, short enough to wait for.
const LEASE: Duration = Duration::from_secs(2);

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
