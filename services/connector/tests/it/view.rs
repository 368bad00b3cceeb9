//! What a connector may judge by: nothing that it has not read yet, anything that it knew before the log went away.

use std::sync::Arc;

use async_trait::async_trait;
use rollcall_connector::ConnectorStatus;
use rollcall_domain::ids::{LogId, Position};
use rollcall_log::{
    Backbone, BackboneError,
    log::{AppendError, Batch, Entry, Follower, RegistryLog, StreamIdentity},
};
use tokio::sync::{mpsc, watch};

use crate::world::{ALPHA, World, attempt, eventually, instance_id, set_up, trust};

/// A log that cannot be followed: it says so, or it says nothing at all.
struct Unfollowed {
    log: Arc<dyn RegistryLog>,
    silent: bool,
}

#[async_trait]
impl RegistryLog for Unfollowed {
    async fn open(&self, log: &LogId) -> Result<StreamIdentity, BackboneError> {
        self.log.open(log).await
    }
    async fn last(&self, log: &LogId) -> Result<Position, BackboneError> {
        self.log.last(log).await
    }
    async fn append(&self, _: &LogId, expected: Position, _: Batch) -> Result<Position, AppendError> {
        Err(AppendError::Conflict { expected })
    }
    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        self.log.read(log, after, max).await
    }
    async fn follow(&self, log: &LogId, _: Position) -> Result<Follower, BackboneError> {
        if self.silent {
            std::future::pending::<()>().await;
        }
        Err(BackboneError::Unavailable { attempted: format!("follow {log}"), reason: "the test says so".into() })
    }
}

fn unfollowed(world: &World, silent: bool) -> Backbone {
    let log = Arc::new(Unfollowed { log: world.backbone.log.clone(), silent });
    Backbone { log, ..world.backbone.clone() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_that_has_not_read_the_log_says_so_instead_of_unknown_ca() {
    let (world, ca) = World::with_ca().await;
    let connector = world.start(unfollowed(&world, true), "fresh", |limits| limits.start_ms_max = 1).await;
    let shaking = |status: &ConnectorStatus| status.instances.iter().all(|instance| instance.trust_epoch.is_some());
    connector.until(|status| status.complete && status.accepting && shaking(status)).await;
    assert!(!connector.status.borrow().ready());
    let refused = world.connect(&connector, &ca.device("0001")).await.err().unwrap();
    assert_eq!(refused.code, 0x88);
    assert!(refused.reason.starts_with("not_ready: "), "{}", refused.reason);
    assert!(refused.retry_after_s.is_some());
}

/// A log that can be followed once it is released.
struct Held {
    log: Arc<dyn RegistryLog>,
    released: watch::Sender<bool>,
}

#[async_trait]
impl RegistryLog for Held {
    async fn open(&self, log: &LogId) -> Result<StreamIdentity, BackboneError> {
        self.log.open(log).await
    }
    async fn last(&self, log: &LogId) -> Result<Position, BackboneError> {
        self.log.last(log).await
    }
    async fn append(&self, log: &LogId, expected: Position, batch: Batch) -> Result<Position, AppendError> {
        self.log.append(log, expected, batch).await
    }
    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        self.log.read(log, after, max).await
    }
    async fn follow(&self, log: &LogId, after: Position) -> Result<Follower, BackboneError> {
        drop(self.released.subscribe().wait_for(|released| *released).await);
        self.log.follow(log, after).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_starting_connector_listens_once_it_can_serve_and_its_address_is_known_before() {
    let (world, ca) = World::with_ca().await;
    let held = Arc::new(Held { log: world.backbone.log.clone(), released: watch::Sender::new(false) });
    let backbone = Backbone { log: held.clone(), ..world.backbone.clone() };
    let connector = world.start(backbone, "held", |limits| limits.start_ms_max = 600_000).await;
    let served = |status: &ConnectorStatus| status.instances.iter().all(|instance| instance.trust_epoch.is_some());
    connector.until(|status| status.complete && served(status)).await;
    let refused = tokio::net::TcpStream::connect(connector.address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    held.released.send_replace(true);
    connector.until(|status| status.accepting).await;
    // Neither "unknown CA" nor "not ready", even at the first moment.
    world.connect(&connector, &ca.device("0001")).await.unwrap().quiet().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f17_a_connector_that_starts_without_the_log_admits_whom_it_knew() {
    let (world, ca) = World::with_ca().await;
    let known = ca.device("0001");
    {
        let connector = world.start(world.backbone.clone(), "kept", |_| {}).await;
        world.settled(&connector).await;
        drop(world.connect(&connector, &known).await.unwrap());
        connector.shutdown.cancel();
        connector.ended.await.unwrap();
    }
    let connector = world.start(unfollowed(&world, false), "kept", |limits| {
        // The other instance was empty and stays unknown.
        limits.start_ms_max = 1;
        limits.registration_ms_max = 400;
    });
    let connector = connector.await;
    let knows =
        |status: &ConnectorStatus| status.instances.iter().any(|instance| instance.view_ready && instance.trusted_cas == 1);
    connector.until(|status| status.accepting && knows(status)).await;
    world.connect(&connector, &known).await.unwrap().quiet().await;
    let refused = world.connect(&connector, &ca.device("0002")).await.err().unwrap();
    assert!(refused.reason.starts_with("registry_unavailable: "), "{}", refused.reason);
}

/// A log that can be exchanged for another, or make whoever opens it panic.
struct Unsteady {
    logs: [Arc<dyn RegistryLog>; 2],
    turn: watch::Sender<Turn>,
}

#[derive(Clone, Copy, PartialEq)]
enum Turn {
    First,
    Second,
    Panic,
}

impl Unsteady {
    fn of(first: &World, second: &World) -> (Arc<Self>, Backbone) {
        let logs = [first, second].map(|world| world.backbone.log.clone());
        let unsteady = Arc::new(Self { logs, turn: watch::Sender::new(Turn::First) });
        (unsteady.clone(), Backbone { log: unsteady, ..first.backbone.clone() })
    }

    fn log(&self) -> &Arc<dyn RegistryLog> {
        &self.logs[usize::from(*self.turn.borrow() == Turn::Second)]
    }
}

#[async_trait]
impl RegistryLog for Unsteady {
    async fn open(&self, log: &LogId) -> Result<StreamIdentity, BackboneError> {
        // The instance that the test looks at, and no other that happens to come first.
        if *log == LogId::Instance(instance_id("alpha")) {
            let panic = |turn: &mut Turn| *turn == Turn::Panic && std::mem::replace(turn, Turn::First) == Turn::Panic;
            assert!(!self.turn.send_if_modified(panic), "the test says so");
        }
        self.log().open(log).await
    }
    async fn last(&self, log: &LogId) -> Result<Position, BackboneError> {
        self.log().last(log).await
    }
    async fn append(&self, _: &LogId, expected: Position, _: Batch) -> Result<Position, AppendError> {
        Err(AppendError::Conflict { expected })
    }
    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        self.log().read(log, after, max).await
    }
    async fn follow(&self, log: &LogId, after: Position) -> Result<Follower, BackboneError> {
        let (turn, mut turns) = (*self.turn.borrow(), self.turn.subscribe());
        let mut followed = self.log().follow(log, after).await?;
        let (sender, receiver) = mpsc::channel(64);
        tokio::spawn(async move {
            loop {
                let next = tokio::select! {
                    _ = turns.wait_for(|now| *now != turn) => return,
                    next = followed.recv() => next,
                };
                let Some(next) = next else { return };
                if sender.send(next).await.is_err() {
                    return;
                }
            }
        });
        Ok(receiver)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connector_whose_view_has_ended_opens_it_again() {
    let (world, ca) = World::with_ca().await;
    let (unsteady, backbone) = Unsteady::of(&world, &world);
    let connector = world.start(backbone, "ended", |_| {}).await;
    world.settled(&connector).await;
    let mut client = world.connect(&connector, &ca.device("0001")).await.unwrap();
    unsteady.turn.send_replace(Turn::Panic);
    let (_, reason) = client.disconnected().await;
    assert!(reason.starts_with("shutting_down: "), "{reason}");
    // Only a view that moves learns of a device that was not registered before.
    let unknown = world.config(&ca.device("0002"));
    let let_in = async || attempt(&connector, ALPHA, unknown.clone()).await.is_ok_and(|answer| answer.is_ok());
    eventually("a new device is let in again", let_in).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_judged_again_when_the_log_has_lost_records() {
    let ((world, ca), restored) = (World::with_ca().await, World::new().await);
    set_up(&restored.alpha, "space").await;
    trust(&restored.alpha, &ca, "ca", "space").await;
    let (unsteady, backbone) = Unsteady::of(&world, &restored);
    let connector = world.start(backbone, "restored", |_| {}).await;
    world.settled(&connector).await;
    let mut client = world.connect(&connector, &ca.device("0001")).await.unwrap();
    unsteady.turn.send_replace(Turn::Second);
    let (_, reason) = client.disconnected().await;
    // Its CA is trusted in either; the device is in the first alone.
    assert!(reason.starts_with("device_deleted: "), "{reason}");
}
