//! Sessions that outlive their connection.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use rmqtt_codec::{
    types::QoS,
    v5::{self, DisconnectReasonCode, Packet, PublishAckReason, SubscribeAckReason},
};
use rollcall_domain::{
    ids::{InstanceId, LogId},
    policy::Action,
    registry::Command,
};
use rollcall_log::{
    Backbone, BackboneError,
    documents::DocumentKey,
    messages::{
        DeviceMessage, DeviceMessages, KeptMessages, Lane, LatestMessages, MessageCursor, MessagePosition, MessagesOf,
        Replayed, StoredMessage, Unstored,
    },
};
use tokio::sync::mpsc;

use crate::{
    client::Client,
    messages::deny,
    pki::Identity,
    wills::{Cut, Refusing, no_will_is_left, will},
    world::{ALPHA, Connector, NOW_MS, World, eventually, id, instance_id},
};

async fn connect(
    world: &World,
    connector: &Connector,
    identity: &Identity,
    settings: v5::Connect,
) -> (Client, v5::ConnectAck) {
    let mut client = Client::handshake(connector.address, ALPHA, world.config(identity)).await.unwrap();
    let client_id = if settings.client_id.is_empty() { "any client".into() } else { settings.client_id.clone() };
    let ack = client.connect_as(v5::Connect { client_id, ..settings }).await.unwrap().unwrap();
    (client, ack)
}

/// Wants its session to go on, and to be kept.
fn lasting() -> v5::Connect {
    v5::Connect { session_expiry_interval_secs: 600, ..v5::Connect::default() }
}

async fn subscribe(client: &mut Client, filter: &str) {
    assert_eq!(client.subscribe(filter, QoS::AtLeastOnce).await, SubscribeAckReason::GrantedQos1);
}

async fn leave(mut client: Client) {
    client.send(Packet::Disconnect(v5::Disconnect::new(DisconnectReasonCode::NormalDisconnection))).await;
}

async fn session_of(world: &World, device: &str) -> Option<serde_json::Value> {
    let key = DocumentKey::Session(id(device));
    let found = world.backbone.documents.get(&LogId::Instance(instance_id("alpha")), &key).await.unwrap()?;
    Some(serde_json::from_slice(&found.body).unwrap())
}

/// The device is away, and how far it has come is written down.
async fn is_away(world: &World, device: &str) {
    eventually("the session is written as ended", || async {
        session_of(world, device).await.is_some_and(|session| session["ended"] == true)
    })
    .await;
}

async fn say(sender: &mut Client, topic: &str, payload: &'static [u8]) {
    assert_eq!(sender.publish(topic, payload).await, PublishAckReason::Success);
}

async fn hear(client: &mut Client, payload: &[u8]) {
    let (_, heard, qos) = client.message().await;
    assert_eq!((String::from_utf8_lossy(&heard), qos), (String::from_utf8_lossy(payload), 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_while_a_device_was_away_is_delivered_once_and_in_order_at_any_connector() {
    let (world, ca) = World::with_ca().await;
    let (one, two) = (world.connector().await, world.connector().await);
    let truck = ca.device("0001");
    let mut sender = world.connect(&one, &ca.device("sender")).await.unwrap();
    say(&mut sender, "yard/1", b"before").await;
    let (mut client, ack) = connect(&world, &one, &truck, lasting()).await;
    assert_eq!((ack.session_present, ack.session_expiry_interval_secs), (false, None), "600 s, as asked for");
    subscribe(&mut client, "yard/#").await;
    say(&mut sender, "yard/1", b"live").await;
    hear(&mut client, b"live").await;
    for (round, back_to) in [&two, &one, &one].into_iter().enumerate() {
        leave(client).await;
        is_away(&world, "truck_0001").await;
        for payload in [b"1" as &[u8], b"2", b"3"] {
            say(&mut sender, "yard/1", payload).await;
            say(&mut sender, "elsewhere", b"not for it").await;
        }
        let ack;
        (client, ack) = connect(&world, back_to, &truck, lasting()).await;
        assert!(ack.session_present, "round {round}");
        say(&mut sender, "yard/1", b"after").await;
        for payload in [b"1" as &[u8], b"2", b"3", b"after"] {
            hear(&mut client, payload).await;
        }
        client.quiet().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_has_not_acknowledged_comes_again() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let truck = ca.device("0001");
    let mut sender = world.connect(&connector, &ca.device("sender")).await.unwrap();
    let (mut client, _) = connect(&world, &connector, &truck, lasting()).await;
    subscribe(&mut client, "yard/#").await;
    say(&mut sender, "yard/1", b"acknowledged").await;
    hear(&mut client, b"acknowledged").await;
    client.quiet().await;
    for payload in [b"1" as &[u8], b"2"] {
        say(&mut sender, "yard/1", payload).await;
        assert!(matches!(client.receive().await.unwrap(), Packet::Publish(_)), "it is there, and not acknowledged");
    }
    drop(client);
    is_away(&world, "truck_0001").await;
    let (mut client, _) = connect(&world, &connector, &truck, lasting()).await;
    hear(&mut client, b"1").await;
    hear(&mut client, b"2").await;
    client.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_mailbox_holds_is_delivered_as_the_client_takes_it() {
    const MESSAGES: usize = 120;
    let (world, ca) = World::with_ca().await;
    let connector = world
        .connector_with(|limits| {
            (limits.queue_messages_max, limits.downlinks_in_flight_max, limits.uplinks_per_s_max) = (10, 4, 10_000)
        })
        .await;
    let truck = ca.device("0001");
    let mut sender = world.connect(&connector, &ca.device("sender")).await.unwrap();
    let (mut client, _) = connect(&world, &connector, &truck, lasting()).await;
    subscribe(&mut client, "yard/#").await;
    leave(client).await;
    is_away(&world, "truck_0001").await;
    for number in 0..MESSAGES {
        say(&mut sender, &format!("yard/{number}"), b"x").await;
    }
    let (mut client, _) = connect(&world, &connector, &truck, lasting()).await;
    for number in 0..MESSAGES {
        assert_eq!(client.message().await.0, format!("yard/{number}"));
    }
    say(&mut sender, "yard/live", b"x").await;
    assert_eq!(client.message().await.0, "yard/live");
    client.quiet().await;
}

/// A connector that gives a client a few messages before it waits for acknowledgements.
async fn narrow(world: &World, backlog_max: u32) -> Connector {
    world
        .connector_with(|limits| {
            (limits.queue_messages_max, limits.downlinks_in_flight_max, limits.uplinks_per_s_max) = (10, 4, 10_000);
            limits.session_backlog_max = backlog_max;
        })
        .await
}

async fn say_numbered(sender: &mut Client, what: &str, count: usize) {
    for number in 0..count {
        say(sender, &format!("{what}/{number}"), b"x").await;
    }
}

async fn hear_numbered(client: &mut Client, what: &str, count: usize) {
    for number in 0..count {
        assert_eq!(client.message().await.0, format!("{what}/{number}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_came_while_a_device_was_away_counts_against_the_backlog_bound() {
    let (world, ca) = World::with_ca().await;
    let connector = narrow(&world, 30).await;
    let truck = ca.device("0001");
    let mut sender = world.connect(&connector, &ca.device("sender")).await.unwrap();
    let (mut client, _) = connect(&world, &connector, &truck, lasting()).await;
    for filter in ["away/+", "back/+"] {
        subscribe(&mut client, filter).await;
    }
    leave(client).await;
    is_away(&world, "truck_0001").await;
    say_numbered(&mut sender, "away", 35).await;
    let (mut client, _) = connect(&world, &connector, &truck, lasting()).await;
    // It has yet to take what came while it was away.
    say_numbered(&mut sender, "back", 60).await;
    hear_numbered(&mut client, "away", 30).await;
    hear_numbered(&mut client, "back", 60).await;
    say_numbered(&mut sender, "back", 1).await;
    hear_numbered(&mut client, "back", 1).await;
    client.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_that_is_new_gets_nothing_that_came_before_it_however_far_behind_its_session_is() {
    let (world, ca) = World::with_ca().await;
    let connector = narrow(&world, 1000).await;
    let mut sender = world.connect(&connector, &ca.device("sender")).await.unwrap();
    for (number, stays) in [("0001", true), ("0002", false)] {
        let truck = ca.device(number);
        let (mut client, _) = connect(&world, &connector, &truck, lasting()).await;
        subscribe(&mut client, "yard/+").await;
        leave(client).await;
        is_away(&world, &format!("truck_{number}")).await;
        for _ in 0..5 {
            say_numbered(&mut sender, "yard", 10).await;
            say_numbered(&mut sender, "depot", 2).await;
        }
        let (mut client, _) = connect(&world, &connector, &truck, lasting()).await;
        let packet_id = std::num::NonZeroU16::new(77).unwrap();
        let options = v5::SubscriptionOptions { qos: QoS::AtLeastOnce, ..Default::default() };
        // The old one too: that makes it none that is new.
        let topic_filters = ["yard/+", "depot/+"].map(|filter| (filter.into(), options)).to_vec();
        client.send(Packet::Subscribe(v5::Subscribe { packet_id, id: None, user_properties: vec![], topic_filters })).await;
        let mut unacknowledged = Vec::new();
        loop {
            match client.receive().await.unwrap() {
                Packet::Publish(publish) => unacknowledged.push(publish),
                Packet::SubscribeAck(_) => break,
                other => panic!("{other:?}"),
            }
        }
        say_numbered(&mut sender, "depot", 3).await;
        let mut left = 50;
        if stays {
            for (number, publish) in unacknowledged.iter().enumerate() {
                assert_eq!(*publish.topic, format!("yard/{number}"));
                client.acknowledge(publish).await;
            }
            left -= unacknowledged.len();
        } else {
            drop(client);
            is_away(&world, "truck_0002").await;
            (client, _) = connect(&world, &connector, &truck, lasting()).await;
        }
        for number in 50 - left..50 {
            assert_eq!(client.message().await.0, format!("yard/{}", number % 10));
        }
        hear_numbered(&mut client, "depot", 3).await;
        client.quiet().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_by_clean_start_expiry_or_another_client_id() {
    let (world, ca) = World::with_ca().await;
    let (one, two) = (world.connector().await, world.connector().await);
    let truck = ca.device("0001");
    let away = async |settings: v5::Connect| {
        let (mut client, ack) = connect(&world, &one, &truck, settings).await;
        subscribe(&mut client, "yard/#").await;
        leave(client).await;
        is_away(&world, "truck_0001").await;
        ack
    };
    let gone =
        async || eventually("the session is gone", || async { session_of(&world, "truck_0001").await.is_none() }).await;
    let clean = || v5::Connect { clean_start: true, ..v5::Connect::default() };

    away(lasting()).await;
    let (client, ack) = connect(&world, &one, &truck, clean()).await;
    assert!(!ack.session_present);
    gone().await;
    drop(client);
    // At a connector that does not know of it: the one that does hears of the connection.
    assert!(!away(lasting()).await.session_present);
    let (client, _) = connect(&world, &two, &truck, clean()).await;
    gone().await;
    drop(client);
    assert!(!away(lasting()).await.session_present);
    let other = v5::Connect { client_id: "another client".into(), ..lasting() };
    assert!(!away(other).await.session_present, "a session is its client id's");
    assert!(away(v5::Connect { client_id: "another client".into(), ..lasting() }).await.session_present);
    // It expires, by the clock of who is asked.
    world.clock.set(NOW_MS + 601_000);
    assert!(!away(lasting()).await.session_present);
    // Longer than the stream is promised to keep anything: told.
    let ack = away(v5::Connect { session_expiry_interval_secs: u32::MAX, ..lasting() }).await;
    assert_eq!((ack.session_present, ack.session_expiry_interval_secs), (true, Some(3600)));
    // A client may change its mind.
    let (mut client, _) = connect(&world, &one, &truck, lasting()).await;
    let goodbye = v5::Disconnect::new(DisconnectReasonCode::NormalDisconnection);
    client.send(Packet::Disconnect(v5::Disconnect { session_expiry_interval_secs: Some(0), ..goodbye })).await;
    gone().await;
    // A session that goes on and is not kept again.
    away(lasting()).await;
    let mut sender = world.connect(&two, &ca.device("sender")).await.unwrap();
    say(&mut sender, "yard/1", b"missed").await;
    let (mut client, ack) = connect(&world, &one, &truck, v5::Connect::default()).await;
    assert!(ack.session_present);
    hear(&mut client, b"missed").await;
    gone().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_that_was_taken_takes_the_session_or_its_filters() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let (truck, other) = (ca.device("0001"), ca.device("0002"));
    for identity in [&truck, &other] {
        let (mut client, _) = connect(&world, &connector, identity, lasting()).await;
        subscribe(&mut client, "yard/#").await;
        subscribe(&mut client, "secret/plan").await;
        leave(client).await;
    }
    is_away(&world, "truck_0001").await;
    is_away(&world, "truck_0002").await;
    deny(&world, &[Action::Subscribe], &["topic:secret/plan"]).await;
    world.settled(&connector).await;
    let mut sender = world.connect(&connector, &ca.device("sender")).await.unwrap();
    say(&mut sender, "secret/plan", b"secret").await;
    say(&mut sender, "yard/1", b"plain").await;
    let (mut client, ack) = connect(&world, &connector, &truck, lasting()).await;
    assert!(ack.session_present);
    hear(&mut client, b"plain").await;
    client.quiet().await;

    // The other one is away while it is frozen and let in again: that ended its session.
    world.alpha.command(Command::FreezeDevice { device: id("truck_0002") }).await;
    eventually("the session is gone", || async { session_of(&world, "truck_0002").await.is_none() }).await;
    world.alpha.command(Command::UnfreezeDevice { device: id("truck_0002") }).await;
    world.settled(&connector).await;
    let (mut client, ack) = connect(&world, &connector, &other, lasting()).await;
    assert!(!ack.session_present);
    client.quiet().await;
    // A session that is open when the right is taken is not kept.
    world.alpha.command(Command::FreezeDevice { device: id("truck_0002") }).await;
    assert_eq!(client.disconnected().await.0, 0x98);
    eventually("the session is gone", || async { session_of(&world, "truck_0002").await.is_none() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delayed_will_is_not_published_if_the_session_goes_on_and_is_if_it_does_not() {
    let (world, ca) = World::with_ca().await;
    let (one, two) = (world.connector().await, world.connector().await);
    let truck = ca.device("0001");
    let mut listener = world.connect(&two, &ca.device("listener")).await.unwrap();
    subscribe(&mut listener, "yard/#").await;
    let delayed = |payload: &'static [u8]| v5::Connect {
        last_will: Some(v5::LastWill { will_delay_interval_sec: Some(500), ..will("yard/1", payload) }),
        ..lasting()
    };
    for back_to in [&one, &two] {
        let (client, _) = connect(&world, &one, &truck, delayed(b"cancelled")).await;
        drop(client);
        is_away(&world, "truck_0001").await;
        let (client, ack) = connect(&world, back_to, &truck, lasting()).await;
        assert!(ack.session_present);
        no_will_is_left(&world).await;
        drop(client);
        is_away(&world, "truck_0001").await;
    }
    // A connection that takes over and goes on cancels it too; one that starts clean ends the session, and with it the delay.
    let (_first, _) = connect(&world, &one, &truck, delayed(b"cancelled")).await;
    let (_second, _) = connect(&world, &two, &truck, delayed(b"published")).await;
    let clean = v5::Connect { clean_start: true, ..v5::Connect::default() };
    let (_third, _) = connect(&world, &one, &truck, clean).await;
    hear(&mut listener, b"published").await;
    no_will_is_left(&world).await;
    listener.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delayed_will_is_published_when_a_goodbye_ends_the_session() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut listener = world.connect(&connector, &ca.device("listener")).await.unwrap();
    subscribe(&mut listener, "yard/#").await;
    let last_will = v5::LastWill { will_delay_interval_sec: Some(500), ..will("yard/1", b"due") };
    let delayed = v5::Connect { last_will: Some(last_will), ..lasting() };
    let (mut client, _) = connect(&world, &connector, &ca.device("0001"), delayed).await;
    let goodbye = v5::Disconnect::new(DisconnectReasonCode::DisconnectWithWillMessage);
    client.send(Packet::Disconnect(v5::Disconnect { session_expiry_interval_secs: Some(0), ..goodbye })).await;
    hear(&mut listener, b"due").await;
    no_will_is_left(&world).await;
}

/// Messages as one connector reads them: from where each reading began, and none for a while.
struct Readings {
    inner: Arc<dyn DeviceMessages>,
    refusing: AtomicBool,
    began: Mutex<Vec<MessageCursor>>,
}

type Received<T> = mpsc::Receiver<Result<T, BackboneError>>;

#[async_trait]
impl DeviceMessages for Readings {
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError> {
        self.inner.open(instance).await
    }

    async fn publish_in_order(
        &self,
        instance: &InstanceId,
        messages: &[DeviceMessage],
    ) -> Result<MessagePosition, Unstored> {
        self.inner.publish_in_order(instance, messages).await
    }

    async fn follow_of(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        of: &MessagesOf,
        after: Option<MessageCursor>,
    ) -> Result<Received<StoredMessage>, BackboneError> {
        self.inner.follow_of(instance, lanes, of, after).await
    }

    async fn end(&self, instance: &InstanceId) -> Result<MessageCursor, BackboneError> {
        self.inner.end(instance).await
    }

    async fn replay(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        of: &MessagesOf,
        after: MessageCursor,
    ) -> Result<Received<Replayed>, BackboneError> {
        if self.refusing.load(Ordering::SeqCst) {
            return Err(BackboneError::Unavailable { attempted: "reading".into(), reason: "the test refuses it".into() });
        }
        self.began.lock().unwrap().push(after);
        self.inner.replay(instance, lanes, of, after).await
    }

    async fn latest(
        &self,
        instance: &InstanceId,
        lane: Lane,
        of: &MessagesOf,
        before: Option<MessagePosition>,
        max: usize,
    ) -> Result<LatestMessages, BackboneError> {
        self.inner.latest(instance, lane, of, before, max).await
    }

    async fn kept(&self, instance: &InstanceId) -> Result<KeptMessages, BackboneError> {
        self.inner.kept(instance).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_far_behind_that_takes_nothing_is_not_read_on_for_while_others_wait() {
    let (world, ca) = World::with_ca().await;
    let (refusing, began) = (AtomicBool::new(true), Mutex::default());
    let messages = Arc::new(Readings { inner: world.backbone.messages.clone(), refusing, began });
    let narrow = |limits: &mut rollcall_connector::Limits| {
        (limits.queue_messages_max, limits.downlinks_in_flight_max, limits.uplinks_per_s_max) = (10, 4, 10_000);
    };
    let reading = Backbone { messages: messages.clone(), ..world.backbone.clone() };
    let connector = world.start(reading, "reading", narrow).await;
    world.settled(&connector).await;
    let (slow, other) = (ca.device("0001"), ca.device("0002"));
    let mut sender = world.connect(&connector, &ca.device("sender")).await.unwrap();
    for (identity, filter, device) in [(&slow, "slow/+", "truck_0001"), (&other, "other/+", "truck_0002")] {
        let (mut client, _) = connect(&world, &connector, identity, lasting()).await;
        subscribe(&mut client, filter).await;
        leave(client).await;
        is_away(&world, device).await;
        say_numbered(&mut sender, "slow", 100).await;
    }
    say_numbered(&mut sender, "other", 1).await;
    // It acknowledges nothing.
    let (_slow, _) = connect(&world, &connector, &slow, lasting()).await;
    let (mut client, _) = connect(&world, &connector, &other, lasting()).await;
    messages.refusing.store(false, Ordering::SeqCst);
    hear_numbered(&mut client, "other", 1).await;
    let began = messages.began.lock().unwrap().clone();
    assert_eq!(began.len(), 2, "{began:?}");
    assert!(began[1].own() + began[1].sharded(0) >= 100 + began[0].own() + began[0].sharded(0), "{began:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_could_not_be_kept_takes_no_newer_one_with_it_whose_clock_is_behind() {
    let (world, ca) = World::with_ca().await;
    let documents = Refusing::of(&world);
    let one = world.start(Backbone { documents: documents.clone(), ..world.backbone.clone() }, "refused", |_| {}).await;
    let two = world.connector().await;
    world.settled(&one).await;
    let truck = ca.device("0001");
    documents.puts.store(true, Ordering::SeqCst);
    let (mut unkept, ack) = connect(&world, &one, &truck, lasting()).await;
    assert_eq!(ack.session_expiry_interval_secs, Some(0), "it is told that its session ends with its connection");
    documents.puts.store(false, Ordering::SeqCst);
    world.clock.set(NOW_MS - 5000);
    let (kept, ack) = connect(&world, &two, &truck, lasting()).await;
    assert_eq!(ack.session_expiry_interval_secs, None, "this one is promised");
    assert_eq!(unkept.disconnected().await.0, 0x8e);
    // All that it had to do is done.
    one.shutdown.cancel();
    one.ended.await.unwrap();
    assert!(session_of(&world, "truck_0001").await.is_some());
    leave(kept).await;
    is_away(&world, "truck_0001").await;
    assert!(connect(&world, &two, &truck, lasting()).await.1.session_present);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_could_not_be_kept_leaves_nothing_of_the_one_before() {
    let (world, ca) = World::with_ca().await;
    let documents = Refusing::of(&world);
    let one = world.start(Backbone { documents: documents.clone(), ..world.backbone.clone() }, "refused", |_| {}).await;
    let two = world.connector().await;
    world.settled(&one).await;
    let truck = ca.device("0001");
    for before in [&one, &two] {
        let (earlier, _) = connect(&world, before, &truck, lasting()).await;
        leave(earlier).await;
        is_away(&world, "truck_0001").await;
        if std::ptr::eq(before, &two) {
            // Nobody else sees to it.
            two.shutdown.cancel();
            eventually("it has stopped", || async { two.ended.is_finished() }).await;
        }
        documents.puts.store(true, Ordering::SeqCst);
        let (unkept, ack) = connect(&world, &one, &truck, lasting()).await;
        assert!(!ack.session_present);
        eventually("nothing is left", || async { session_of(&world, "truck_0001").await.is_none() }).await;
        documents.puts.store(false, Ordering::SeqCst);
        leave(unkept).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lost_connector_has_kept_is_watched_until_it_is_over() {
    let (world, ca) = World::with_ca().await;
    let (presence, lost_documents, documents) = (Cut::of(&world), Refusing::of(&world), Refusing::of(&world));
    let lost = Backbone { presence: presence.clone(), documents: lost_documents.clone(), ..world.backbone.clone() };
    let one = world.start(lost, "lost", |_| {}).await;
    let two = world.start(Backbone { documents: documents.clone(), ..world.backbone.clone() }, "other", |_| {}).await;
    world.settled(&one).await;
    world.settled(&two).await;
    let mut listener = world.connect(&two, &ca.device("listener")).await.unwrap();
    subscribe(&mut listener, "yard/#").await;
    let kept = v5::Connect { last_will: Some(will("yard/1", b"lost")), ..lasting() };
    let (_client, _) = connect(&world, &one, &ca.device("0001"), kept).await;
    presence.cut.store(true, Ordering::SeqCst);
    lost_documents.puts.store(true, Ordering::SeqCst);
    lost_documents.deletes.store(true, Ordering::SeqCst);
    hear(&mut listener, b"lost").await;
    no_will_is_left(&world).await;

    // A record that takes nothing from it, then one that does.
    let read = documents.read.load(Ordering::SeqCst);
    deny(&world, &[Action::Subscribe], &["topic:secret/plan"]).await;
    eventually("it has been looked at", || async { documents.read.load(Ordering::SeqCst) > read }).await;
    world.settled(&two).await;
    assert!(session_of(&world, "truck_0001").await.is_some());
    world.alpha.command(Command::FreezeDevice { device: id("truck_0001") }).await;
    eventually("it is gone", || async { session_of(&world, "truck_0001").await.is_none() }).await;
}
