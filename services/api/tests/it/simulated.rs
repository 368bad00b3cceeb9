//! A device without a connector: it comes online, sends, and sees whatever is put on its way.

use bytes::Bytes;
use rollcall_chassis::clock::Clock as _;
use rollcall_domain::{
    ids::{ConnectorId, DeviceId, InstanceId},
    registry::{
        Command,
        event::{DeclaredCredential, DeviceProfile},
    },
    time::Timestamp,
};
use rollcall_log::{
    Backbone, BackboneError,
    messages::{DeviceMessage, Lane, MessageCursor, MessageProperties, StoredMessage},
    presence::{Beat, HEARTBEAT, PresenceChange, Session},
};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::{
    client::Client,
    world::{World, eventually, id, within},
};

pub(crate) struct Simulated {
    name: String,
    backbone: Backbone,
    instance: InstanceId,
    session: u64,
    /// What [`Self::hear_and_keep`] has heard.
    pub(crate) heard: Vec<(String, Bytes)>,
    downlinks: mpsc::Receiver<Result<StoredMessage, BackboneError>>,
}

impl World {
    /// Pre-registers a truck as another process would.
    pub(crate) async fn create_device(&self, name: &str) {
        let profile = DeviceProfile {
            device: id(name),
            node_id: id(name),
            space: id("space"),
            product: id("truck"),
            name: None,
            tags: Vec::new(),
            policies: Vec::new(),
        };
        let credential = DeclaredCredential::Certificates { primary: None, secondary: None };
        self.command("alpha", Command::PreRegisterDevice { profile, credential, description: None, extension_info: None })
            .await;
    }

    /// A device of `alpha`, offline.
    pub(crate) async fn device(&self, name: &str) -> Simulated {
        let (backbone, instance): (_, InstanceId) = (self.backbone.clone(), id("alpha"));
        let downlinks = backbone.messages.follow(&instance, &[Lane::Downlink], Some(MessageCursor::START)).await.unwrap();
        Simulated { name: name.to_owned(), backbone, instance, session: 0, heard: Vec::new(), downlinks }
    }
}

impl Simulated {
    fn device(&self) -> DeviceId {
        id(&self.name)
    }

    fn place(&self) -> Session {
        Session { connector: connector(&self.name), number: self.session }
    }

    /// Comes online with a new session. Returns before the API has heard of it.
    pub(crate) async fn arrive(&mut self, world: &World) {
        let (backbone, instance, connector) = (self.backbone.clone(), self.instance.clone(), connector(&self.name));
        backbone.presence.heartbeat(&instance, &connector, Beat::default()).await.unwrap();
        if self.session == 0 {
            tokio::spawn(async move {
                while backbone.presence.heartbeat(&instance, &connector, Beat::default()).await.is_ok() {
                    tokio::time::sleep(HEARTBEAT).await;
                }
            });
        }
        self.session += 1;
        let at = Timestamp::from_unix_ms(world.clock.unix_ms());
        let online = PresenceChange::Online { device: self.device(), session: self.place(), at };
        self.backbone.presence.announce(&self.instance, online).await.unwrap();
    }

    /// Comes online, and the API has heard of it when this returns: a message that waits for the device arrives.
    pub(crate) async fn arrive_known(&mut self, world: &World, operator: &Client) {
        let hello = serde_json::json!({"message": "hello", "payload_format": "raw"});
        operator.post(&format!("/devices/{}/messages", self.name), hello).await.ok(201);
        self.arrive(world).await;
        assert_eq!(self.hear().await.1.payload, "hello");
    }

    /// Goes offline; the API has heard of it when this returns.
    pub(crate) async fn leave(&mut self, world: &World, operator: &Client) {
        let at = Timestamp::from_unix_ms(world.clock.unix_ms());
        let offline = PresenceChange::Offline { device: self.device(), session: self.place(), at };
        self.backbone.presence.announce(&self.instance, offline).await.unwrap();
        let command = format!("/devices/{}/commands", self.name);
        eventually("the API hears that a device has left", || async {
            operator.post(&command, serde_json::json!({"paras": {}})).await.status == 403
        })
        .await;
    }

    /// Sends on a topic under `$oc/devices/{id}/sys/`.
    pub(crate) async fn say(&self, topic: &str, payload: impl ToString) {
        let message = DeviceMessage {
            lane: Lane::Uplink,
            space: id("space"),
            device: self.device(),
            topic: format!("$oc/devices/{}/sys/{topic}", self.name),
            payload: Bytes::from(payload.to_string()),
            qos: 1,
            properties: MessageProperties::default(),
        };
        self.backbone.messages.publish(&self.instance, message).await.unwrap();
    }

    /// The next message to this device: what of its topic comes after its own prefix, if it has that, and the message.
    pub(crate) async fn hear(&mut self) -> (String, DeviceMessage) {
        within(async {
            loop {
                let message = self.downlinks.recv().await.unwrap().unwrap().message;
                if message.device == self.device() {
                    let prefix = format!("$oc/devices/{}/", self.name);
                    return (message.topic.strip_prefix(&prefix).unwrap_or(&message.topic).to_owned(), message);
                }
            }
        })
        .await
    }

    /// The next message, which is also kept.
    pub(crate) async fn hear_and_keep(&mut self) -> (String, Bytes) {
        let (topic, message) = self.hear().await;
        self.heard.push((topic.clone(), message.payload.clone()));
        (topic, message.payload)
    }

    /// The next message, as JSON.
    pub(crate) async fn hear_json(&mut self) -> (String, Value) {
        let (topic, message) = self.hear().await;
        (topic, serde_json::from_slice(&message.payload).unwrap())
    }

    /// Answers the next question as the device would: on the topic that it came with.
    pub(crate) async fn answer_next(&mut self, answer: impl ToString) -> Value {
        let (topic, asked) = self.hear_json().await;
        let (kind, request) = topic.rsplit_once('/').unwrap();
        let kind = kind.strip_prefix("sys/").unwrap();
        self.say(&format!("{kind}/response/{request}"), answer).await;
        asked
    }
}

fn connector(device: &str) -> ConnectorId {
    id(&format!("connector-of-{device}"))
}
