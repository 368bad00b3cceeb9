//! How old a view may be: registrars announce, fall silent, and differ.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rollcall_connector::{ConnectorStatus, InstanceSettings, StaleSessions, Unready};
use rollcall_domain::ids::LogId;
use rollcall_log::{
    heartbeat::{Announcement, INTERVAL, LogPosition, Source, shard_of},
    signing::SigningKey,
};
use rollcall_projection::freshness::Freshness;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::world::{Connector, World, id, instance_id};

/// What a registrar announces of alpha.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announces {
    /// What the connector's view has.
    Truth,
    Fork,
    Nothing,
}

/// Registrars' announcements, in the test's hand.
struct Centre {
    freshness: Freshness,
    key: Arc<SigningKey>,
    announces: watch::Sender<Announces>,
    counter: Arc<AtomicU64>,
    shutdown: CancellationToken,
}

impl Centre {
    fn of(world: &World) -> Self {
        let (key, shutdown) = (Arc::new(SigningKey::generate()), CancellationToken::new());
        let freshness = Freshness::start(world.backbone.heartbeats.clone(), vec![key.public()], 0, shutdown.clone());
        let announces = watch::Sender::new(Announces::Truth);
        Self { freshness, key, announces, counter: Arc::default(), shutdown }
    }

    /// Announces what the status of a connector shows.
    fn announce(&self, world: &World, status: watch::Receiver<ConnectorStatus>) -> JoinHandle<()> {
        let log = LogId::Instance(instance_id("alpha"));
        let (key, counter, announces) = (self.key.clone(), self.counter.clone(), self.announces.subscribe());
        let heartbeats = world.backbone.heartbeats.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(INTERVAL / 4).await;
                let said = *announces.borrow();
                let view = status.borrow().instances.first().map(|alpha| alpha.view.clone());
                let Some(view) = view.filter(|_| said != Announces::Nothing) else { continue };
                let digest = if said == Announces::Truth { view.digest } else { [0; 32] };
                let announcement = Announcement {
                    source: Source { registrar: id("r-1"), shard: shard_of(&log) },
                    counter: counter.fetch_add(1, Ordering::SeqCst) + 1,
                    logs: vec![LogPosition { log: log.clone(), position: view.position, digest }],
                };
                heartbeats.announce(&announcement.source, announcement.sign(&key)).await.unwrap();
            }
        })
    }
}

impl Drop for Centre {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

async fn until_alpha(connector: &Connector, wanted: impl Fn(&rollcall_connector::InstanceStatus) -> bool) {
    connector.until(|status| status.accepting && status.instances.first().is_some_and(&wanted)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f17_f50_beyond_its_bound_a_view_lets_nobody_in_and_sessions_end_where_they_are_to() {
    let (world, ca) = World::with_ca().await;
    let centre = Centre::of(&world);
    let store = world.store("bounded").await;
    let connector = world
        .configured(world.backbone.clone(), store, centre.freshness.clone(), |config| {
            let alpha = InstanceSettings {
                stale_admission_s_max: Some(2),
                stale_sessions: Some(StaleSessions::End),
                ..InstanceSettings::default()
            };
            config.instances.insert("alpha".to_owned(), alpha);
        })
        .await;
    let announcing = centre.announce(&world, connector.status.clone());
    until_alpha(&connector, |alpha| alpha.ready() && alpha.freshness.age.is_some_and(|age| age < INTERVAL)).await;
    let (known, unknown) = (ca.device("0001"), ca.device("0002"));
    let mut client = world.connect(&connector, &known).await.unwrap();

    centre.announces.send_replace(Announces::Nothing);
    let (_, reason) = client.disconnected().await;
    assert!(reason.starts_with("registry_unavailable: "), "{reason}");
    for device in [&known, &unknown] {
        let refused = world.connect(&connector, device).await.err().unwrap();
        assert_eq!(refused.code, 0x88);
        assert!(refused.reason.starts_with("registry_unavailable: "), "{}", refused.reason);
        assert!(refused.retry_after_s.is_some());
    }
    centre.announces.send_replace(Announces::Truth);
    until_alpha(&connector, |alpha| alpha.freshness.age.is_some_and(|age| age < INTERVAL)).await;
    drop(world.connect(&connector, &known).await.unwrap());
    announcing.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f38_a_view_that_has_diverged_is_not_ready_and_lets_in_whom_it_knows() {
    let (world, ca) = World::with_ca().await;
    let centre = Centre::of(&world);
    let store = world.store("diverged").await;
    let connector = world.configured(world.backbone.clone(), store, centre.freshness.clone(), |_| {}).await;
    let announcing = centre.announce(&world, connector.status.clone());
    until_alpha(&connector, |alpha| alpha.ready()).await;
    centre.announces.send_replace(Announces::Fork);
    until_alpha(&connector, |alpha| matches!(alpha.unready, Some(Unready::Diverged { .. }))).await;
    assert!(!connector.status.borrow().ready());
    let told = world.backbone.presence.connectors(&instance_id("alpha")).await.unwrap();
    assert!(told.iter().all(|told| told.beat.digest.is_some() && told.beat.age_ms.is_some()), "{told:?}");
    drop(world.connect(&connector, &ca.device("0001")).await.unwrap());
    centre.announces.send_replace(Announces::Truth);
    until_alpha(&connector, |alpha| alpha.ready()).await;
    announcing.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_bounds_a_view_without_a_registrars_key_is_told_so() {
    let world = World::new().await;
    let store = world.store("no-key").await;
    let started = tokio::spawn(async move {
        world
            .configured(world.backbone.clone(), store, Freshness::unknown(), |config| config.stale_admission_s_max = 5)
            .await
    });
    // `run` refuses before it binds.
    assert!(started.await.is_err());
}
