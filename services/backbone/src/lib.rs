//! The backbone: what connectors and registrars say to each other through.
//!
//! The job: one ordered registry log for each instance (and one for the fleet), a queue of requests with their rulings,
//! rejected attempts, device messages, presence, documents, registrars' announcements. Three implementations behind the same traits: `nats`, `embedded`,
//! `memory`; one suite, `conformance`, that all three pass. Not its job: what a record means; that is the domain's,
//! and [`codec`] is the only file where domain and wire types meet ([`proof`] binds bytes and knows no command).
//!
//! The trust boundary: what is read from a broker may be forged or damaged; every record is decoded strictly, and an
//! unknown one is an error for the reader to stop at.
//!
//! Read [`log`], [`seal`], [`requests`] with [`proof`], [`messages`], [`presence`], [`attempts`], [`documents`], [`heartbeat`] (the traits), then [`codec`], then one
//! implementation. [`repeats`] keeps loops that try again from filling logs, here and in the crates above.
//!
//! A [`Backbone`] is made by [`embedded::open`] (one machine, on disk) or [`memory::new`] (tests and simulation, with
//! seeded faults); its seven parts are shared by clones, and whatever a part's `open` declares must be opened before use.

pub mod attempts;
pub mod codec;
pub mod conformance;
pub mod documents;
pub mod embedded;
pub mod examine;
pub mod follow;
pub mod heartbeat;
pub mod limits;
mod local;
pub mod log;
pub mod memory;
pub mod messages;
pub mod nats;
pub mod petition;
pub mod presence;
pub mod proof;
pub mod repeats;
pub mod requests;
pub mod seal;
pub mod signing;

use std::sync::Arc;

/// All of a backbone, as the composition root hands it out. Cheap to clone.
#[derive(Clone)]
pub struct Backbone {
    /// Registry logs.
    pub log: Arc<dyn log::RegistryLog>,
    /// Requests and rulings.
    pub requests: Arc<dyn requests::RequestQueue>,
    /// Rejected attempts.
    pub attempts: Arc<dyn attempts::Attempts>,
    /// Device messages.
    pub messages: Arc<dyn messages::DeviceMessages>,
    /// Who is online.
    pub presence: Arc<dyn presence::Presence>,
    /// What is kept of devices beside the registry.
    pub documents: Arc<dyn documents::Documents>,
    /// What registrars announce of themselves.
    pub heartbeats: Arc<dyn heartbeat::Heartbeats>,
}

/// Why the backbone cannot do something. Every trait of this crate uses it; conflicts are a case of their own.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BackboneError {
    /// It cannot be reached or did not answer in time; whether the operation took effect is not known.
    #[error("{attempted}: the backbone is unavailable: {reason}")]
    Unavailable {
        /// What was attempted, and on what.
        attempted: String,
        /// What the client library said.
        reason: String,
    },
    /// The live stream is configured differently from what this version declares: an operator must look.
    #[error("stream {stream} differs from its declaration: {difference}")]
    StreamDiffers {
        /// The stream's name.
        stream: String,
        /// Which settings, found and wanted.
        difference: String,
    },
    /// A named limit of this backbone is reached (queue full, message too large).
    #[error("{what} is over its limit of {max}")]
    LimitReached {
        /// What.
        what: String,
        /// The limit.
        max: u64,
    },
    /// The broker has no room for another stream, or for what is to be stored: nothing was made, and all else goes on.
    /// Waiting does not help; an operator has to make room.
    #[error(
        "{attempted}: the broker is full: {reason}; {usage}. Give it more room (max_file_store, or the account's limits), or lower what other streams reserve"
    )]
    Full {
        /// What was attempted, and on what.
        attempted: String,
        /// What the broker said.
        reason: String,
        /// What is used, reserved and left, as far as the broker tells.
        usage: String,
    },
    /// It can be read, and its disk takes no writes: full, or failing. Whether a write that met this first took effect is not
    /// known; later ones have not. It goes on by itself.
    #[error("{what} takes no writes: {reason}: see to its disk (is it full?); it goes on by itself when there is room")]
    Unwritable {
        /// What, with its path.
        what: String,
        /// What the operating system said.
        reason: String,
    },
    /// What is stored cannot be right: a gap, an unreadable entry, a database that fails its own checks.
    #[error("{what} is damaged: {reason}")]
    Damaged {
        /// What.
        what: String,
        /// How it shows.
        reason: String,
    },
    /// This backbone has been closed.
    #[error("the backbone has been closed")]
    Closed,
}
