//! Views: what a service knows of a log, folded into sled. A view is a cache, never the truth.
//!
//! The job: follow a log, keep what it says looked up fast, say how far it is, notice damage and rebuild. Not its job:
//! any rule (the domain's `evolve` is applied as it is) and any acknowledged record (the log has those).
//!
//! The trust boundary: the files below a view may be torn, stale or of another stream; every value carries a CRC, and a
//! doubt means quarantine and rebuild.
//!
//! Read [`admission`] (what a connector or registrar must know), then `state` (what it stands on), `follow` (how it comes about), `fold`, `rows`
//! (what is written in which order), `store` (when files are believed), then [`directory`] (what people look up), [`fleet`] and
//! [`freshness`] (how old what is known may be), `readiness`.

pub mod admission;
pub mod directory;
pub mod fleet;
mod fold;
mod follow;
mod foreign;
pub mod freshness;
pub mod readiness;
mod rows;
mod state;

mod store;
mod stored;
pub mod supervisor;

#[cfg(test)]
mod tests;
