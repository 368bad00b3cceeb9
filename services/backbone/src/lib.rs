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
mod error;
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

pub use error::BackboneError;

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
