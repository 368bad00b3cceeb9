//! The log: what connectors and registrars say to each other through, without a broker.
//!
//! The job: the traits of one ordered registry log for each instance (and one for the fleet), of a queue of requests with
//! their rulings, of rejected attempts, device messages, presence, documents and registrars' announcements; the codec of
//! what they carry; and what every reader and writer of them does the same way. Four crates implement or check the traits:
//! `log-nats` (production, clustered), `log-embedded` (one machine, on disk), `log-memory` (tests and simulation, with
//! seeded faults), and `tests/conformance`, the suite that all three pass. What a record means is the domain's;
//! [`codec`] is the only file where domain and wire types meet ([`proof`] binds bytes and knows no command).
//!
//! The trust boundary: what is read may be forged or damaged; every record is decoded strictly, and an unknown one is an
//! error for the reader to stop at.
//!
//! Read [`log`], [`seal`], [`requests`] with [`proof`], [`messages`], [`presence`], [`attempts`], [`documents`],
//! [`heartbeat`] (the traits), then [`codec`]. [`online`] reduces presence to who is online.
//! [`resume`] is what every loop does that follows something, and
//! [`repeats`] keeps those that try again from filling logs, here and in the crates above.
//!
//! A [`Backbone`] is made by an implementation; its seven parts are shared by clones, and whatever a part's `open`
//! declares must be opened before use.

pub mod attempts;
pub mod codec;
pub mod documents;
mod error;
pub mod examine;
pub mod follow;
pub mod heartbeat;
pub mod limits;
pub mod log;
pub mod messages;
pub mod online;
pub mod presence;
pub mod proof;
pub mod repeats;
pub mod request_client;
pub mod requests;
pub mod resume;
pub mod seal;
pub mod signing;

use std::sync::Arc;

pub use error::BackboneError;

/// All of a backbone, as the composition root hands it out. Cheap to clone.
#[derive(Clone)]
pub struct Backbone {
    pub log: Arc<dyn log::RegistryLog>,
    /// Requests and rulings.
    pub requests: Arc<dyn requests::RequestQueue>,
    pub attempts: Arc<dyn attempts::Attempts>,
    pub messages: Arc<dyn messages::DeviceMessages>,
    /// Who is online.
    pub presence: Arc<dyn presence::Presence>,
    /// What is kept of devices beside the registry.
    pub documents: Arc<dyn documents::Documents>,
    /// What registrars announce of themselves.
    pub heartbeats: Arc<dyn heartbeat::Heartbeats>,
}
