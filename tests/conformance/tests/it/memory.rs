//! The log in memory, without faults.

use rollcall_conformance::UnderTest;
use rollcall_log_memory::{MemoryConfig, new};

use crate::LEASE;

rollcall_conformance::conformance_tests!(under_test);

async fn under_test() -> (UnderTest, ()) {
    let mut config = MemoryConfig::seeded(1);
    config.limits.request_lease = LEASE;
    config.limits.presence_lease = LEASE;
    let (backbone, prefix) = (new(config), "memory".to_owned());
    (UnderTest { backbone, prefix, request_lease: LEASE, presence_lease: LEASE }, ())
}
