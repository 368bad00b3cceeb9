//! Views: what a service knows of a log, folded into sled. A view is a cache, never the truth.
//!
//! The job: follow a log, keep what it says looked up fast, say how far it is, notice damage and rebuild. It holds
//! no rule (the domain's `evolve` is applied as it is) and no acknowledged record (the log has those).
//!
//! The trust boundary: the files below a view may be torn, stale or of another stream; every value carries a CRC, and a
//! doubt means quarantine and rebuild.
//!
//! Read [`admission`] (what a connector or registrar must know) and [`directory`] (what people look up), then the rooms
//! below them, each of which names only those before it: `files` (a database's life: when it is believed, its generations),
//! `rows` (what is written in which order), `seen` and `standings` (when devices were
//! connected, how many stand how), `fold` (what a record changes), `views` (who is followed, and how a view
//! stands). Beside them [`fleet`], which is in memory, [`supervisor`] (what runs for each of its instances), [`freshness`]
//! and [`readiness`] (how old what is known may be).

pub mod admission;
pub mod directory;
mod files;
pub mod fleet;
mod fold;
mod foreign;
pub mod freshness;
pub mod readiness;
mod request_age;
mod rows;
mod seen;
mod standings;
pub mod supervisor;
mod views;

#[cfg(test)]
mod tests;
