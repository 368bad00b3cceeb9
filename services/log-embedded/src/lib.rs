//! The log in the process that uses it: everything in one file, one machine, nothing else to run.
//!
//! ```no_run
//! # use std::{path::Path, sync::Arc};
//! # use rollcall_log::BackboneError;
//! # use rollcall_log_embedded::{EmbeddedConfig, open};
//! # async fn example(clock: Arc<dyn Fn() -> i64 + Send + Sync>, ids: Arc<dyn Fn() -> uuid::Uuid + Send + Sync>)
//! # -> Result<(), BackboneError> {
//! let backbone = open(Path::new("/var/lib/rollcall/backbone"), EmbeddedConfig::new(clock, ids))?;
//! # Ok(()) }
//! ```
//!
//! Invariants: what was acknowledged has been synced to disk and is there after SIGKILL or a power cut; one process at a
//! time has a folder; a damaged file is an error when it is opened, or at the latest when the damaged row is read,
//! never a panic and never a silent gap. A damaged message is said and stepped over.
//!
//! Rulings and presence are in memory: they are for the processes' own clients, which are in this process.
//!
//! Read `engine` (the rules of every stream), then `file` and `writer`. [`in_memory`] is the same engine without a disk,
//! for `log-memory`.

mod engine;
mod file;
pub mod in_memory;
mod writer;

use std::{path::Path, sync::Arc};

use rollcall_log::{
    Backbone, BackboneError,
    limits::{Limits, NewId, NowMs},
};

use crate::engine::{core::Core, parts::parts, shared::Shared};

/// Memory for pages of the database, bytes. Views hold what is looked up; this holds the end of the log.
pub const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// What the embedded backbone is given.
#[derive(Clone)]
pub struct EmbeddedConfig {
    /// The clock: retention and the times of messages.
    pub now_ms: NowMs,
    /// Where the identities of new streams come from.
    pub new_id: NewId,
    /// Leases and bounds; leave them at their default outside tests.
    pub limits: Limits,
    /// Memory for pages of the database, bytes.
    pub cache_bytes: usize,
}

impl EmbeddedConfig {
    /// With the default limits.
    pub fn new(now_ms: NowMs, new_id: NewId) -> Self {
        Self { now_ms, new_id, limits: Limits::default(), cache_bytes: CACHE_BYTES }
    }
}

/// Opens the backbone in a folder, which is made if it does not exist. Reads the whole database and checks it, so this
/// takes about a second per gigabyte: call it before the runtime is busy, or from `spawn_blocking`.
///
/// The folder is released when the last clone of the [`Backbone`] and of its parts is dropped; dropping waits for the
/// write under way.
///
/// # Errors
/// [`BackboneError::Unavailable`] if another process has the folder open or it cannot be written to,
/// [`BackboneError::Damaged`] if the database fails its checks.
pub fn open(folder: &Path, config: EmbeddedConfig) -> Result<Backbone, BackboneError> {
    let opened = file::open(folder, config.cache_bytes)?;
    let shared = Arc::new(Shared::load(Arc::new(opened.store), config.limits, config.now_ms)?);
    let writer = writer::Writer::start(Arc::clone(&shared), opened.lock)?;
    let core = Core::new(Box::new(writer), shared, config.new_id);
    Ok(parts(&core).into())
}
