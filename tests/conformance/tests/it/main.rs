//! Every implementation of the log runs the suite, a module for each.

mod embedded;
mod memory;
mod nats;

use std::time::Duration;

/// Leases in these tests: long enough to act within on a busy machine, short enough to wait for.
const LEASE: Duration = Duration::from_secs(2);
