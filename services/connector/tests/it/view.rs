//! What a connector may judge by: nothing that it has not read yet, anything that it knew before the log went away.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_backbone::{
    Backbone, BackboneError,
    log::{AppendError, Follower, RegistryLog, StreamIdentity},
};
use rollcall_connector::ConnectorStatus;
use rollcall_domain::ids::{LogId, Position};

use crate::world::World;

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
    async fn append(&self, _: &LogId, expected: Position, _: Vec<Bytes>) -> Result<Position, AppendError> {
        Err(AppendError::Conflict { expected })
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
    let connector = world.start(unfollowed(&world, true), "fresh", |_| {}).await;
    let shaking = |status: &ConnectorStatus| status.instances.iter().all(|instance| instance.trust_epoch.is_some());
    connector.until(|status| status.complete && shaking(status)).await;
    assert!(!connector.status.borrow().ready());
    let refused = world.connect(&connector, &ca.device("0001")).await.err().unwrap();
    assert_eq!(refused.code, 0x88);
    assert!(refused.reason.starts_with("not_ready: "), "{}", refused.reason);
    assert!(refused.retry_after_s.is_some());
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
    let connector = world.start(unfollowed(&world, false), "kept", |limits| limits.registration_ms_max = 400).await;
    connector.until(|status| status.instances.iter().any(|instance| instance.view_ready && instance.trusted_cas == 1)).await;
    world.connect(&connector, &known).await.unwrap().quiet().await;
    let refused = world.connect(&connector, &ca.device("0002")).await.err().unwrap();
    assert!(refused.reason.starts_with("registry_unavailable: "), "{}", refused.reason);
}
