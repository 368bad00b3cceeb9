//! Wills: who publishes them, when, and through which policies.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use rmqtt_codec::{
    types::QoS,
    v5::{self, DisconnectReasonCode, Packet, PublishAckReason, SubscribeAckReason},
};
use rollcall_domain::{
    ids::{ConnectorId, InstanceId, LogId},
    policy::Action,
    registry::Command,
};
use rollcall_log::{
    Backbone, BackboneError,
    documents::{Document, DocumentKey, Documents, PutError, Revision, SessionDocuments},
    presence::{Beat, ConnectorBeat, Presence, PresenceChange},
};
use tokio::sync::mpsc;

use crate::{
    client::Client,
    messages::deny,
    pki::{Authority, Identity},
    world::{ALPHA, Connector, World, eventually, id, instance_id},
};

pub(crate) fn will(topic: &str, payload: &'static [u8]) -> v5::LastWill {
    v5::LastWill {
        qos: QoS::AtLeastOnce,
        retain: false,
        topic: topic.to_owned().into(),
        message: payload.into(),
        will_delay_interval_sec: None,
        correlation_data: None,
        message_expiry_interval: None,
        content_type: None,
        user_properties: Vec::new(),
        is_utf8_payload: None,
        response_topic: None,
    }
}

async fn with_will(world: &World, connector: &Connector, identity: &Identity, will: v5::LastWill) -> Client {
    let mut client = Client::handshake(connector.address, ALPHA, world.config(identity)).await.unwrap();
    let connect =
        v5::Connect { client_id: "any client".into(), clean_start: true, last_will: Some(will), ..v5::Connect::default() };
    client.connect_as(connect).await.unwrap().unwrap();
    client
}

async fn listener(world: &World, connector: &Connector, ca: &Authority) -> Client {
    let mut listener = world.connect(connector, &ca.device("listener")).await.unwrap();
    assert_eq!(listener.subscribe("yard/#", QoS::AtLeastOnce).await, SubscribeAckReason::GrantedQos1);
    listener
}

async fn leave(mut client: Client, reason: DisconnectReasonCode) {
    client.send(Packet::Disconnect(v5::Disconnect::new(reason))).await;
}

/// No will is kept or due: whatever was to be published has been.
pub(crate) async fn no_will_is_left(world: &World) {
    eventually("no will is left", || async { wills(world).await == 0 }).await;
}

async fn wills(world: &World) -> usize {
    let mut listed = world.backbone.documents.sessions(&LogId::Instance(instance_id("alpha"))).await.unwrap();
    let mut wills = 0;
    while let Some(next) = listed.recv().await {
        wills += usize::from(matches!(next.unwrap().0, DocumentKey::Will(..)));
    }
    wills
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_will_is_published_whole_unless_the_client_says_goodbye() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut listener = listener(&world, &connector, &ca).await;
    let truck = ca.device("0001");
    let full = v5::LastWill {
        content_type: Some("text/plain".into()),
        response_topic: Some("reply".into()),
        correlation_data: Some(vec![0, 255].into()),
        user_properties: vec![("k".into(), "v".into())],
        is_utf8_payload: Some(true),
        ..will("yard/1", b"broken")
    };
    drop(with_will(&world, &connector, &truck, full).await);
    let heard = listener.publish_packet().await;
    let properties = heard.properties.unwrap();
    assert_eq!((&*heard.topic, &heard.payload[..], heard.qos), ("yard/1", &b"broken"[..], QoS::AtLeastOnce));
    assert_eq!(properties.content_type.as_deref(), Some("text/plain"));
    assert_eq!(properties.response_topic.as_deref(), Some("reply"));
    assert_eq!(properties.correlation_data.as_deref(), Some(&[0, 255][..]));
    assert_eq!(properties.user_properties, vec![("k".into(), "v".into())]);
    no_will_is_left(&world).await;

    let said_goodbye = with_will(&world, &connector, &truck, will("yard/1", b"not to be heard")).await;
    leave(said_goodbye, DisconnectReasonCode::NormalDisconnection).await;
    no_will_is_left(&world).await;
    let with_the_will = with_will(&world, &connector, &truck, will("yard/1", b"goodbye with the will")).await;
    leave(with_the_will, DisconnectReasonCode::DisconnectWithWillMessage).await;
    assert_eq!(listener.message().await, ("yard/1".into(), b"goodbye with the will".to_vec(), 1));
    no_will_is_left(&world).await;
    listener.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f27_a_will_is_published_through_the_rights_that_the_device_has_then() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut listener = listener(&world, &connector, &ca).await;
    let denied = with_will(&world, &connector, &ca.device("0001"), will("yard/denied", b"x")).await;
    let reserved = will("$oc/devices/truck_listener/sys/messages/up", b"x");
    let reserved = with_will(&world, &connector, &ca.device("0002"), reserved).await;
    let mut frozen = with_will(&world, &connector, &ca.device("0003"), will("yard/frozen", b"x")).await;
    deny(&world, &[Action::Publish], &["topic:yard/denied"]).await;
    world.settled(&connector).await;
    drop((denied, reserved));
    world.alpha.command(Command::FreezeDevice { device: id("truck_0003") }).await;
    assert_eq!(frozen.disconnected().await.0, 0x98);
    no_will_is_left(&world).await;
    let mut sender = world.connect(&connector, &ca.device("0004")).await.unwrap();
    assert_eq!(sender.publish("yard/last", b"last").await, PublishAckReason::Success);
    assert_eq!(listener.message().await.0, "yard/last", "none of the wills has been published");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_take_over_ends_the_session_and_publishes_its_will_once() {
    let (world, ca) = World::with_ca().await;
    let (one, two) = (world.connector().await, world.connector().await);
    let mut listener = listener(&world, &two, &ca).await;
    let truck = ca.device("0001");
    let first = with_will(&world, &one, &truck, will("yard/1", b"first")).await;
    let second = with_will(&world, &one, &truck, will("yard/1", b"second")).await;
    assert_eq!(listener.message().await.1, b"first");
    let third = with_will(&world, &two, &truck, will("yard/1", b"third")).await;
    assert_eq!(listener.message().await.1, b"second");
    drop((first, second));
    leave(third, DisconnectReasonCode::NormalDisconnection).await;
    no_will_is_left(&world).await;
    listener.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wills_of_a_connector_that_stops_are_published_before_it_is_gone() {
    let (world, ca) = World::with_ca().await;
    let (one, two) = (world.connector().await, world.connector().await);
    let mut listener = listener(&world, &two, &ca).await;
    let _truck = with_will(&world, &one, &ca.device("0001"), will("yard/1", b"stopped")).await;
    one.shutdown.cancel();
    one.ended.await.unwrap();
    assert_eq!(listener.message().await.1, b"stopped");
    no_will_is_left(&world).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_will_that_was_stored_and_not_acknowledged_is_published_once_or_not_at_all() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut listener = listener(&world, &connector, &ca).await;
    let truck = ca.device("0001");
    drop(world.connect(&connector, &truck).await.unwrap());
    for (goodbye, payload) in [(true, b"not to be heard" as &[u8]), (false, b"broken")] {
        world.lose_acknowledgements().await;
        let client = with_will(&world, &connector, &truck, will("yard/1", payload)).await;
        world.find_backbone();
        assert_eq!(wills(&world).await, 1, "it is stored all the same");
        if goodbye {
            leave(client, DisconnectReasonCode::NormalDisconnection).await;
        } else {
            drop(client);
            assert_eq!(listener.message().await.1, b"broken");
        }
        no_will_is_left(&world).await;
    }
    // A connector that begins looks for what is left.
    let _another = world.connector().await;
    listener.quiet().await;
}

/// Presence as one connector reaches it, or does not.
pub(crate) struct Cut {
    inner: Arc<dyn Presence>,
    pub(crate) cut: AtomicBool,
}

impl Cut {
    /// Reaches it yet.
    pub(crate) fn of(world: &World) -> Arc<Self> {
        Arc::new(Self { inner: world.backbone.presence.clone(), cut: AtomicBool::new(false) })
    }

    fn reach(&self) -> Result<(), BackboneError> {
        if !self.cut.load(Ordering::SeqCst) {
            return Ok(());
        }
        Err(BackboneError::Unavailable { attempted: "presence".into(), reason: "the test has cut it off".into() })
    }
}

#[async_trait]
impl Presence for Cut {
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError> {
        self.inner.open(instance).await
    }

    async fn announce(&self, instance: &InstanceId, change: PresenceChange) -> Result<(), BackboneError> {
        self.reach()?;
        self.inner.announce(instance, change).await
    }

    async fn heartbeat(&self, instance: &InstanceId, connector: &ConnectorId, beat: Beat) -> Result<(), BackboneError> {
        self.reach()?;
        self.inner.heartbeat(instance, connector, beat).await
    }

    async fn connectors(&self, instance: &InstanceId) -> Result<Vec<ConnectorBeat>, BackboneError> {
        self.inner.connectors(instance).await
    }

    async fn watch(&self, instance: &InstanceId) -> Result<mpsc::Receiver<PresenceChange>, BackboneError> {
        self.inner.watch(instance).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_that_was_taken_for_lost_and_is_back_has_the_wills_of_its_sessions_again() {
    let (world, ca) = World::with_ca().await;
    let presence = Cut::of(&world);
    let one = world.start(Backbone { presence: presence.clone(), ..world.backbone.clone() }, "cut", |_| {}).await;
    let two = world.connector().await;
    world.settled(&one).await;
    let mut listener = listener(&world, &two, &ca).await;
    let broken = with_will(&world, &one, &ca.device("0001"), will("yard/1", b"broken")).await;
    let said_goodbye = with_will(&world, &one, &ca.device("0002"), will("yard/2", b"said goodbye")).await;
    presence.cut.store(true, Ordering::SeqCst);
    // Its lease runs out, and the other publishes what it seems to have left.
    let mut heard = [listener.message().await.1, listener.message().await.1];
    heard.sort();
    assert_eq!(heard, [b"broken".to_vec(), b"said goodbye".to_vec()]);
    no_will_is_left(&world).await;
    presence.cut.store(false, Ordering::SeqCst);
    eventually("both wills are kept again", || async { wills(&world).await == 2 }).await;
    leave(said_goodbye, DisconnectReasonCode::NormalDisconnection).await;
    drop(broken);
    assert_eq!(listener.message().await.1, b"broken");
    no_will_is_left(&world).await;
    listener.quiet().await;
}

/// Documents as one connector reaches them: for a while they cannot be put, or not be deleted.
pub(crate) struct Refusing {
    inner: Arc<dyn Documents>,
    pub(crate) puts: AtomicBool,
    pub(crate) deletes: AtomicBool,
    /// There is no room for what is put.
    full: AtomicBool,
    pub(crate) refused: AtomicUsize,
    pub(crate) read: AtomicUsize,
}

impl Refusing {
    /// Refuses nothing yet.
    pub(crate) fn of(world: &World) -> Arc<Self> {
        let inner = world.backbone.documents.clone();
        let [puts, deletes, full] = [(); 3].map(|()| AtomicBool::new(false));
        Arc::new(Self { inner, puts, deletes, full, refused: AtomicUsize::new(0), read: AtomicUsize::new(0) })
    }

    fn refuse(&self, refusing: &AtomicBool) -> Result<(), BackboneError> {
        if !refusing.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.refused.fetch_add(1, Ordering::SeqCst);
        Err(BackboneError::Unavailable { attempted: "writing".into(), reason: "the test refuses it".into() })
    }
}

#[async_trait]
impl Documents for Refusing {
    async fn open(&self, log: &LogId) -> Result<(), BackboneError> {
        self.inner.open(log).await
    }

    async fn sessions(&self, log: &LogId) -> Result<SessionDocuments, BackboneError> {
        self.inner.sessions(log).await
    }

    async fn get(&self, log: &LogId, key: &DocumentKey) -> Result<Option<Document>, BackboneError> {
        let found = self.inner.get(log, key).await;
        self.read.fetch_add(1, Ordering::SeqCst);
        found
    }

    async fn put(&self, log: &LogId, key: &DocumentKey, expected: Revision, body: Bytes) -> Result<Revision, PutError> {
        self.refuse(&self.puts)?;
        if self.full.load(Ordering::SeqCst) {
            return Err(BackboneError::LimitReached { what: "the test".into(), max: 0 }.into());
        }
        self.inner.put(log, key, expected, body).await
    }

    async fn delete(&self, log: &LogId, key: &DocumentKey, expected: Revision) -> Result<(), PutError> {
        self.refuse(&self.deletes)?;
        self.inner.delete(log, key, expected).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_will_of_a_lost_connector_is_published_once_also_where_there_is_no_room_to_claim_it() {
    const WILLS: usize = 10;
    let (world, ca) = World::with_ca().await;
    let (presence, documents) = (Cut::of(&world), Refusing::of(&world));
    let lost = Backbone { presence: presence.clone(), ..world.backbone.clone() };
    let others = Backbone { documents: documents.clone(), ..world.backbone.clone() };
    let one = world.start(lost, "lost", |_| {}).await;
    let two = world.start(others.clone(), "two", |_| {}).await;
    let three = world.start(others, "three", |_| {}).await;
    for connector in [&one, &two, &three] {
        world.settled(connector).await;
    }
    let mut listener = listener(&world, &two, &ca).await;
    let mut clients = Vec::new();
    for number in 0..WILLS {
        let truck = ca.device(&format!("000{number}"));
        clients.push(with_will(&world, &one, &truck, will(&format!("yard/{number}"), b"lost")).await);
    }
    documents.full.store(true, Ordering::SeqCst);
    presence.cut.store(true, Ordering::SeqCst);
    let mut heard = Vec::new();
    for _ in 0..WILLS {
        heard.push(listener.message().await.0);
    }
    heard.sort();
    assert_eq!(heard, (0..WILLS).map(|number| format!("yard/{number}")).collect::<Vec<_>>());
    no_will_is_left(&world).await;
    // All that it had to do is done.
    three.shutdown.cancel();
    three.ended.await.unwrap();
    listener.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_will_that_has_been_published_and_cannot_be_deleted_yet_is_not_published_again() {
    let (world, ca) = World::with_ca().await;
    let documents = Refusing::of(&world);
    documents.deletes.store(true, Ordering::SeqCst);
    let connector =
        world.start(Backbone { documents: documents.clone(), ..world.backbone.clone() }, "undeletable", |_| {}).await;
    world.settled(&connector).await;
    let mut listener = listener(&world, &connector, &ca).await;
    drop(with_will(&world, &connector, &ca.device("0001"), will("yard/1", b"once")).await);
    assert_eq!(listener.message().await.1, b"once");
    eventually("it is tried again", || async { documents.refused.load(Ordering::SeqCst) > 1 }).await;
    documents.deletes.store(false, Ordering::SeqCst);
    no_will_is_left(&world).await;
    listener.quiet().await;
}
