//! A broker without room for another instance's log.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use rollcall_domain::{
    fleet::{Edition, FleetCommand, FleetEvent, InstanceDraft},
    ids::{InstanceId, LogId, Position},
};
use rollcall_log::{
    Backbone, BackboneError,
    codec::{AnyEvent, Ruling},
    log::{AppendError, Batch, Entry, Follower, RegistryLog, StreamIdentity},
};

use super::world::{World, accepted, instance};

/// A log that has no room for the instance `late`, as long as it is full.
struct Crowded {
    inner: Arc<dyn RegistryLog>,
    full: Arc<AtomicBool>,
}

#[async_trait]
impl RegistryLog for Crowded {
    async fn open(&self, log: &LogId) -> Result<StreamIdentity, BackboneError> {
        if self.full.load(Ordering::SeqCst) && *log == LogId::Instance(late()) {
            return Err(BackboneError::Full {
                attempted: "opening stream registry_late".into(),
                reason: "insufficient storage resources available".into(),
                usage: "0 MiB are left".into(),
            });
        }
        self.inner.open(log).await
    }

    async fn last(&self, log: &LogId) -> Result<Position, BackboneError> {
        self.inner.last(log).await
    }

    async fn append(&self, log: &LogId, expected: Position, batch: Batch) -> Result<Position, AppendError> {
        self.inner.append(log, expected, batch).await
    }

    async fn read(&self, log: &LogId, after: Position, max: usize) -> Result<Vec<Entry>, BackboneError> {
        self.inner.read(log, after, max).await
    }

    async fn follow(&self, log: &LogId, after: Position) -> Result<Follower, BackboneError> {
        self.inner.follow(log, after).await
    }
}

fn late() -> InstanceId {
    InstanceId::parse("late").unwrap()
}

fn create(id: &str) -> FleetCommand {
    FleetCommand::CreateInstance(InstanceDraft {
        id: InstanceId::parse(id).unwrap(),
        access_domain: format!("{id}.example.com").into(),
        edition: Edition::Enterprise,
        region: "cn-north-4".into(),
        devices_max: None,
    })
}

/// The instances that the fleet's log says were created.
async fn created(world: &World) -> Vec<InstanceId> {
    let records = world.records_of(&LogId::Fleet).await;
    let created = records.into_iter().filter_map(|record| match record.event {
        AnyEvent::Fleet(FleetEvent::InstanceCreated(instance)) => Some(instance.id),
        _ => None,
    });
    created.collect()
}

#[tokio::test(start_paused = true)]
async fn f52_an_instance_that_a_full_broker_has_no_log_for_is_refused_and_all_else_goes_on() {
    let world = World::new(52).await;
    let full = Arc::new(AtomicBool::new(true));
    let log = Arc::new(Crowded { inner: world.backbone.log.clone(), full: full.clone() });
    let _registrar = world.registrar(1, Backbone { log, ..world.backbone.clone() });
    world.furnish().await;

    let Ruling::Rejected(refused) = world.fleet_command("create-late", create("late")).await else {
        panic!("it is granted")
    };
    assert_eq!(refused.code, "log_not_made");
    for said in ["instance late", "insufficient storage", "0 MiB are left", "max_file_store"] {
        assert!(refused.message.contains(said), "{}", refused.message);
    }
    assert_eq!(created(&world).await, [instance()], "nothing is half done");
    accepted(world.connect(&world.ca.device("1")).await);
    accepted(world.fleet_command("create-other", create("other")).await);

    full.store(false, Ordering::SeqCst);
    accepted(world.fleet_command("create-late-again", create("late")).await);
    assert_eq!(created(&world).await, [instance(), InstanceId::parse("other").unwrap(), late()]);
}
