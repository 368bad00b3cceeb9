//! Real processes, real certificates, clients of other projects: what the acceptance tests are made of.
//!
//! Everything listens on 127.0.0.1 with ports from the operating system, lives in a temporary folder, and is stopped by its
//! process id when its value is dropped. Waits are for a state, with a bound; a wait that fails says what was last seen, and
//! a failed test shows the last output of its processes. It panics and returns no errors, because a broken test environment
//! is a failed test.
//!
//! Read [`process`] and [`wait`], then [`up`] and [`deployment`] (Rollcall whole, and in separate processes),
//! [`certificates`], [`clients`] (of other projects), [`raw`] and [`storm`] for what these do not do, and [`earlier`] for
//! data of another day.

pub mod api;
pub mod certificates;
pub mod clients;
pub mod deployment;
pub mod earlier;
pub mod fleet;
pub mod nats;
pub mod nats_cluster;
pub mod operator;
pub mod process;
pub mod raw;
pub mod sdk;
pub mod storm;
pub mod up;
pub mod wait;
pub mod wire;
