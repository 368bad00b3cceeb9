//! The devices of one instance, as the API runs them: on the backbone in memory and a view of a log that the test writes.
//!
//! Read `world` (what runs, and the gate before the message stream), then the tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, helpers included")]

mod stopping;
mod world;
