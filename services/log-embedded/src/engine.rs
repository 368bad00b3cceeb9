//! The log inside one process: streams in a redb database, in a file or in memory.
//!
//! The rules (conditional append, one request per key, retention, following) are written once for both. They differ in who
//! runs a write: with a file a thread gives many writes one sync, in memory each runs at once in its caller, which keeps a
//! simulation deterministic. Rulings and presence are hubs in memory.
//!
//! Invariant: answers, followers and takers of requests are told only of what has been committed.
//!
//! Read [`store`], [`batch`], [`core`], then one file per trait, and [`parts`], which puts them together.

pub(crate) mod attempts;
pub(crate) mod batch;
mod beside;
pub(crate) mod core;
pub(crate) mod cursor;
pub(crate) mod disk;
pub(crate) mod document_batch;
pub(crate) mod documents;
pub(crate) mod frame;
pub(crate) mod heartbeat;
pub(crate) mod job;
pub(crate) mod leases;
pub(crate) mod log;
pub(crate) mod message_form;
pub(crate) mod messages;
pub(crate) mod parts;
pub(crate) mod presence;
pub(crate) mod queue;
pub(crate) mod requests;
pub(crate) mod rulings;
pub(crate) mod shared;
pub(crate) mod store;
pub(crate) mod stream;
pub(crate) mod tails;
