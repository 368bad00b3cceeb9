//! The embedded log.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rollcall_conformance::UnderTest;
use rollcall_log_embedded::{EmbeddedConfig, open};
use tempfile::TempDir;
use uuid::Uuid;

use crate::LEASE;

rollcall_conformance::conformance_tests!(under_test);

/// A folder of its own for each check.
async fn under_test() -> (UnderTest, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let ids = AtomicU64::new(1);
    let new_id = move || Uuid::from_u128(ids.fetch_add(1, Ordering::SeqCst).into());
    let mut config = EmbeddedConfig::new(Arc::new(|| 1_700_000_000_000), Arc::new(new_id));
    config.limits.request_lease = LEASE;
    config.limits.presence_lease = LEASE;
    let backbone = open(folder.path(), config).expect("an empty folder can be opened");
    (UnderTest { backbone, prefix: "embedded".to_owned(), request_lease: LEASE, presence_lease: LEASE }, folder)
}
