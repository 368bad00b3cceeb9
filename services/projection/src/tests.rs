//! Views against the fold in memory: live, reopened, torn, damaged, of another version, of another log.

mod damage;
mod directory;
mod ending;
mod fleet;
mod history;
mod lines;
mod log;
mod reopening;
mod serving;
mod supervisor;

use std::{sync::Arc, time::Duration};

use rollcall_domain::{
    ids::{Incarnation, InstanceId, Position},
    registry::{Devices, PinKey, Registry},
};
use rollcall_log::seal::SealKeys;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use self::{history::History, log::TestLog};
use crate::admission::{AdmissionView, Store, StoreConfig, ViewStatus};

/// Longest wait for a state; only ever waited out by a failing test.
const BOUND: Duration = Duration::from_secs(60);

fn config(folder: &TempDir) -> StoreConfig {
    StoreConfig {
        folder: folder.path().join("views"),
        cache_bytes_max: 16 << 20,
        directory: false,
        keys: SealKeys::default(),
        retry_seed: 0,
    }
}

fn instance() -> InstanceId {
    InstanceId::parse("one").unwrap()
}

/// A store with one view that follows.
struct Running {
    store: Store,
    view: AdmissionView,
    shutdown: CancellationToken,
}

impl Running {
    fn start(store: Store, log: &Arc<TestLog>) -> Self {
        let shutdown = CancellationToken::new();
        let view = store.admission(&instance(), Incarnation::NIL, log.clone(), shutdown.clone()).unwrap();
        Self { store, view, shutdown }
    }

    fn open(folder: &TempDir, log: &Arc<TestLog>) -> Self {
        Self::start(Store::open(&config(folder)).unwrap(), log)
    }

    async fn until(&self, what: &str, state: impl FnMut(&ViewStatus) -> bool) -> ViewStatus {
        let mut status = self.view.status();
        let waited = tokio::time::timeout(BOUND, status.wait_for(state)).await;
        match waited {
            Ok(found) => found.unwrap().clone(),
            Err(_) => panic!("no view that {what}; the last status is {:?}", self.view.status().borrow()),
        }
    }

    async fn reached(&self, position: Position) -> ViewStatus {
        self.until("has reached the position and caught up", |status| status.position >= position && status.caught_up).await
    }

    async fn close(self) {
        self.shutdown.cancel();
        drop(self.view);
        tokio::time::timeout(BOUND, self.store.close()).await.expect("the store closes");
    }
}

/// The view knows exactly what the registry in memory knows.
fn assert_equal(view: &AdmissionView, history: &History, registry: &Registry) {
    assert_eq!(*view.configuration(), registry.configuration);
    for device in history.device_ids() {
        assert_eq!(view.entry(&device), registry.entry(&device), "the entry of {device}");
    }
    for fingerprint in history.fingerprints() {
        let typed = history.spaces().map(|space| PinKey::typed(fingerprint, &space));
        for key in std::iter::once(PinKey::proven(fingerprint)).chain(typed) {
            assert_eq!(view.holder(&key), registry.holder(&key), "who holds {key:?}");
            assert_eq!(view.retired(&key), registry.retired(&key), "whether {key:?} is retired");
        }
    }
    for instant in history.ends() {
        let ended = |devices: &dyn Devices| {
            let mut ended = devices.retired_and_ended(instant, 10);
            ended.sort();
            ended
        };
        assert_eq!(ended(view), ended(registry), "what ended before {instant}");
    }
    assert_eq!(view.retired_count(), registry.retired_count());
    for (space, product) in history.products() {
        let any = registry.any_of_product(&space, &product);
        assert_eq!(view.any_of_product(&space, &product), any, "devices of {space} {product}");
    }
    assert_eq!(view.count(), registry.count());
}
