//! One session for each device, and only while it has the right to it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use rollcall_domain::{
    ids::{ConnectorId, DeviceId, InstanceId},
    registry::{
        Command,
        command::{Distrust, TemplateChange},
    },
};
use rollcall_log::{
    Backbone, BackboneError,
    presence::{Beat, ConnectorBeat, Presence, PresenceChange},
};
use tokio::sync::{mpsc, watch};

use crate::{
    client::{Client, within},
    world::{ALPHA, NOW_MS, World, id, instance_id},
};

/// Commands, and the code that a live session is closed with.
fn rights() -> Vec<(&'static str, u8, Command)> {
    let device = || -> DeviceId { id("truck_0001") };
    let ca = || id("ca");
    vec![
        ("device_frozen", 0x98, Command::FreezeDevice { device: device() }),
        ("device_deleted", 0x98, Command::DeleteDevice { device: device() }),
        ("ca_not_trusted", 0x98, Command::DeleteCa { ca: ca(), distrust: Distrust::No }),
        (
            "template_not_bound",
            0x98,
            Command::ConfigureCa { ca: ca(), template: TemplateChange::Unbind, self_registration: Some(false) },
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_lost_its_right_is_closed_with_the_reason() {
    for (code, number, command) in rights() {
        let (world, ca) = World::with_ca().await;
        let connector = world.connector().await;
        let mut client = world.connect(&connector, &ca.device("0001")).await.unwrap();
        let mut other = world.connect(&connector, &ca.device("0002")).await.unwrap();
        let only_one = command == Command::FreezeDevice { device: id("truck_0001") };
        world.alpha.command(command).await;
        let (said, reason) = client.disconnected().await;
        assert_eq!(said, number, "{code}");
        assert!(reason.starts_with(&format!("{code}: ")), "{reason}");
        if only_one {
            other.quiet().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f29_a_session_does_not_outlive_its_certificate() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let device = ca.device_until("0001", NOW_MS / 1000 + 60);
    let mut client = world.connect(&connector, &device).await.unwrap();
    client.quiet().await;
    world.clock.set(NOW_MS + 62_000);
    let (_, reason) = client.disconnected().await;
    assert!(reason.starts_with("certificate_expired: "), "{reason}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f30_the_newer_connection_of_a_device_wins() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let device = ca.device("0001");
    let mut older = world.connect(&connector, &device).await.unwrap();
    let mut newer = world.connect(&connector, &device).await.unwrap();
    let (said, reason) = older.disconnected().await;
    assert_eq!(said, 0x8e);
    assert!(reason.starts_with("taken_over: "), "{reason}");
    newer.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f30_the_newer_connection_wins_across_connectors() {
    let (world, ca) = World::with_ca().await;
    let (one, two) = (world.connector().await, world.connector().await);
    let device = ca.device("0001");
    let mut presence = world.backbone.presence.watch(&instance_id("alpha")).await.unwrap();
    let mut older = world.connect(&one, &device).await.unwrap();
    let online = within(async {
        loop {
            if let Some(PresenceChange::Online { device, .. }) = presence.recv().await {
                return device;
            }
        }
    });
    assert_eq!(online.await, id("truck_0001"));
    world.settled(&two).await;
    let mut newer = world.connect(&two, &device).await.unwrap();
    let (said, reason) = older.disconnected().await;
    assert_eq!((said, reason.starts_with("taken_over: ")), (0x8e, true), "{reason}");
    newer.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f30_another_devices_client_id_takes_nothing_over() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut victim = world.connect(&connector, &ca.device("0001")).await.unwrap();
    let config = world.config(&ca.device("0002"));
    let mut thief = Client::handshake(connector.address, ALPHA, config).await.unwrap();
    // The same client id, not in the standard form: the certificate alone says who it is.
    thief.connect("any client").await.unwrap().unwrap();
    victim.quiet().await;
    thief.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_says_who_is_online_and_who_no_longer_is() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let mut presence = world.backbone.presence.watch(&instance_id("alpha")).await.unwrap();
    let client = world.connect(&connector, &ca.device("0001")).await.unwrap();
    let mut next = async || loop {
        match within(presence.recv()).await.unwrap() {
            PresenceChange::Online { device, .. } => return (device, true),
            PresenceChange::Offline { device, .. } => return (device, false),
            PresenceChange::ConnectorLost { .. } | PresenceChange::CaughtUp => {}
        }
    };
    assert_eq!(next().await, (id("truck_0001"), true));
    drop(client);
    assert_eq!(next().await, (id("truck_0001"), false));
}

/// Presence that this connector is cut off from while the test says so.
struct CutOff {
    presence: Arc<dyn Presence>,
    cut: watch::Sender<bool>,
    /// How often the watching of alpha still panics.
    panics: AtomicUsize,
    watched: watch::Sender<bool>,
}

impl CutOff {
    fn of(world: &World, panics: usize) -> (Arc<Self>, Backbone) {
        let (presence, panics) = (world.backbone.presence.clone(), AtomicUsize::new(panics));
        let cut_off =
            Arc::new(Self { presence, cut: watch::Sender::new(false), panics, watched: watch::Sender::new(false) });
        (cut_off.clone(), Backbone { presence: cut_off, ..world.backbone.clone() })
    }

    fn check(&self) -> Result<(), BackboneError> {
        let cut = BackboneError::Unavailable { attempted: "presence".into(), reason: "the test says so".into() };
        if *self.cut.borrow() { Err(cut) } else { Ok(()) }
    }
}

#[async_trait]
impl Presence for CutOff {
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError> {
        self.check()?;
        self.presence.open(instance).await
    }
    async fn announce(&self, instance: &InstanceId, change: PresenceChange) -> Result<(), BackboneError> {
        self.check()?;
        self.presence.announce(instance, change).await
    }
    async fn heartbeat(&self, instance: &InstanceId, connector: &ConnectorId, beat: Beat) -> Result<(), BackboneError> {
        self.check()?;
        self.presence.heartbeat(instance, connector, beat).await
    }
    async fn connectors(&self, instance: &InstanceId) -> Result<Vec<ConnectorBeat>, BackboneError> {
        self.check()?;
        self.presence.connectors(instance).await
    }
    async fn watch(&self, instance: &InstanceId) -> Result<mpsc::Receiver<PresenceChange>, BackboneError> {
        self.check()?;
        if *instance == instance_id("alpha") {
            let left = self.panics.load(Ordering::SeqCst);
            self.panics.store(left.saturating_sub(1), Ordering::SeqCst);
            assert!(left == 0, "the test says so");
            self.watched.send_replace(true);
        }
        let mut changes = self.presence.watch(instance).await?;
        let ((sender, receiver), mut cut) = (mpsc::channel(64), self.cut.subscribe());
        tokio::spawn(async move {
            loop {
                let change = tokio::select! {
                    _ = cut.wait_for(|cut| *cut) => return,
                    change = changes.recv() => change,
                };
                let Some(change) = change else { return };
                if sender.send(change).await.is_err() {
                    return;
                }
            }
        });
        Ok(receiver)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f30_a_connector_that_was_cut_off_does_not_kick_the_newer_session_elsewhere() {
    let (world, ca) = World::with_ca().await;
    let (cut_off, backbone) = CutOff::of(&world, 0);
    let one = world.start(backbone, "cut-off", |_| {}).await;
    world.settled(&one).await;
    let two = world.connector().await;
    let mut presence = world.backbone.presence.watch(&instance_id("alpha")).await.unwrap();
    let mut next_online = async || loop {
        if let PresenceChange::Online { device, session, .. } = within(presence.recv()).await.unwrap() {
            return (device, session.connector);
        }
    };
    let device = ca.device("0001");
    let mut older = world.connect(&one, &device).await.unwrap();
    let (_, place_one) = next_online().await;
    cut_off.cut.send_replace(true);
    let mut newer = world.connect(&two, &device).await.unwrap();
    assert_ne!(next_online().await.1, place_one);
    cut_off.cut.send_replace(false);
    let (_, reason) = older.disconnected().await;
    assert!(reason.starts_with("taken_over: "), "{reason}");
    // Announced after whatever the connector had to say when it was back.
    let _other = world.connect(&one, &ca.device("0002")).await.unwrap();
    assert_eq!(next_online().await, (id("truck_0002"), place_one));
    newer.quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_of_which_a_part_panics_is_started_again() {
    let (world, ca) = World::with_ca().await;
    let (cut_off, backbone) = CutOff::of(&world, 1);
    let one = world.start(backbone, "panics", |_| {}).await;
    within(cut_off.watched.subscribe().wait_for(|watched| *watched)).await.unwrap();
    world.settled(&one).await;
    let two = world.connector().await;
    let mut presence = world.backbone.presence.watch(&instance_id("alpha")).await.unwrap();
    let device = ca.device("0001");
    let mut older = world.connect(&one, &device).await.unwrap();
    while !matches!(within(presence.recv()).await.unwrap(), PresenceChange::Online { .. }) {}
    let _newer = world.connect(&two, &device).await.unwrap();
    // Found out by the part that had panicked.
    let (_, reason) = older.disconnected().await;
    assert!(reason.starts_with("taken_over: "), "{reason}");
}
