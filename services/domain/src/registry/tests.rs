//! Proof of the registry's rules: `world` is the stage, the others play on it.

mod collisions;
mod commands;
mod dry_runs;
mod events;
mod failures;
mod histories;
mod table;
pub(crate) mod world;
