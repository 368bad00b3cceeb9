//! What goes on between the API and devices: messages, commands, properties, shadows. A map.
//!
//! Not for HTTP, and not for how a message reaches a device: the backbone's lanes end there, and connectors begin. Several
//! processes serve the same devices, so what a device is brought is claimed in a document first (`claim`, `documents`).
//! Invariants: nothing that was answered for is lost; whatever a device gets, it gets once in the ordinary case.
//!
//! Messages: `queue` (what becomes of each, pure), `content` (what it says, pure), `messages`. Shadows: `shadow` (pure),
//! `wishes` (what is desired, and telling devices), `report` (what devices report, pure), `reports` (reading it off the
//! stream of uplinks). Commands and properties: `exchange`. `arrivals` does what is to be done when a device comes online.

mod arrivals;
mod claim;
pub(crate) mod content;
mod documents;
pub(crate) mod exchange;
pub(crate) mod messages;
pub(crate) mod queue;
mod report;
mod reports;
pub(crate) mod shadow;
pub(crate) mod topics;
pub(crate) mod wishes;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt as _;
use rollcall_backbone::{
    BackboneError,
    messages::{DeviceMessage, Lane, MessageProperties},
    repeats::Repeats,
};
use rollcall_chassis::{clock::Clock, entropy::Entropy};
use rollcall_domain::{ids::DeviceId, registry::Device};

use self::{arrivals::Again, exchange::Exchange};
use crate::{error::ApiError, realm::Realm};

/// What an instance's realm holds for its devices.
pub(crate) struct Devices {
    /// What is asked of devices and waits for an answer.
    pub(crate) exchange: Exchange,
    again: Again,
    /// What was said of devices that could not be served, told or sent something: one for all, or each would say it.
    told: Repeats,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Devices {
    /// Before anything has been asked.
    pub(crate) fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { exchange: Exchange::default(), again: Again::default(), told: Repeats::default(), clock, entropy }
    }

    fn now_ms(&self) -> i64 {
        self.clock.unix_ms()
    }

    fn new_claim(&self) -> String {
        self.entropy.uuid_v4().simple().to_string()
    }

    /// Has a device looked at again soon: somebody else is bringing it something, or nobody knows whether it has it.
    fn look_again(&self, device: &DeviceId) {
        self.again.put(device);
    }
}

/// Starts what runs for the devices of a realm, until it stops. To be called before presence is watched: who is online
/// then is an arrival too.
pub(crate) fn start(realm: &Arc<Realm>) {
    let jobs = [
        arrivals::run(Arc::downgrade(realm), realm.online.arrivals()).boxed(),
        exchange::run(Arc::downgrade(realm)).boxed(),
        reports::run(Arc::downgrade(realm)).boxed(),
    ];
    for job in jobs {
        let stop = realm.stop.clone();
        tokio::spawn(async move { stop.run_until_cancelled(job).await });
    }
}

/// Deletes what is kept of a device that has been deleted. What stays because this fails is nobody's, but takes room.
pub(crate) async fn forget(realm: &Realm, device: &DeviceId) -> Result<(), ApiError> {
    messages::forget(realm, device).await?;
    wishes::forget(realm, device).await
}

/// Puts a message for a device on its way.
async fn send(
    realm: &Realm,
    device: &Device,
    topic: String,
    payload: Bytes,
    properties: MessageProperties,
) -> Result<(), BackboneError> {
    // At QoS 1 for who has subscribed so; the topics of the system go out at QoS 0 to who has not.
    let message = DeviceMessage {
        lane: Lane::Down,
        space: device.space.clone(),
        device: device.id.clone(),
        topic,
        payload,
        qos: 1,
        properties,
    };
    realm.backbone.messages.publish(&realm.id, message).await.map(drop)
}
