//! A backbone inside one process: what `embedded` and `memory` are both made of.
//!
//! Both keep their streams in a redb database, one in a file and one in memory, so that the rules (conditional append,
//! one request per key, retention, following) are written once. They differ in who runs a write: `embedded` has a
//! thread that gives many writes one sync, `memory` runs each at once in its caller, which keeps a simulation
//! deterministic. Rulings and presence are hubs in memory.
//!
//! Invariant: whoever is answered, followed or handed a request is told only of what has been committed.
//!
//! Read [`store`], [`batch`], [`core`], then one file per trait.

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
pub(crate) mod presence;
pub(crate) mod queue;
pub(crate) mod requests;
pub(crate) mod rulings;
pub(crate) mod store;
pub(crate) mod stream;
pub(crate) mod tails;
