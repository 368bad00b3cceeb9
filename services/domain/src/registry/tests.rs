//! Proof of the rules: `world` builds a registry with real certificates, the other files ask it.

mod collisions;
mod commands;
mod dry_runs;
mod events;
mod failures;
mod histories;
mod retired;
mod table;
mod trust;
pub(crate) mod world;
