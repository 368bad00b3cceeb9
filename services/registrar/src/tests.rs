//! Registrars on the backbone in memory: one, two in a race, with faults, killed between any two steps.
//!
//! Time is paused: leases and retries pass at once, and nothing here waits for a clock.

mod announcing;
mod answers;
mod foreign;
mod forgetting;
mod full;
mod kills;
mod log_states;
mod pki;
mod proofs;
mod races;
mod world;
