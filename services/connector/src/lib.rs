//! The edge: devices in over TCP, TLS and MQTT, judged by the instance's own view, and their messages in and out.
//!
//! The job: everything between a socket and a live session, for many instances at once, picked by SNI. Not its job: the
//! rules (domain), registering (registrar; a connector may only ask), what a record means (projection, domain).
//!
//! The trust boundary: every byte of a client is hostile, its certificate and CONNECT included. A ruling is not believed
//! either: who is let in was found in the view. A connector keeps no truth; it may be killed at any time.
//!
//! Read in the order in which a connection goes: [`run()`], `listener`, `connection` (`serve`), `handshake` with `sni`,
//! `trust`, `client_verifier` and `prover`; then `entrance`, `admission`, `staleness`, `registration`, `refusals` (kept for people); then
//! `session` and `sessions`, `judge` (who loses the right), `presence` (who is newer elsewhere), `router` (messages to
//! devices), `uplinks` (messages from them). [`mqtt`] is the protocol as a state machine and knows none of this.

mod admission;
mod client_verifier;
pub mod config;
mod connection;
mod edge;
mod entrance;
mod filters;
mod handshake;
mod instance;
mod instances;
mod judge;
mod listener;
mod mailbox;
mod metrics;
pub mod mqtt;
mod pace;
mod presence;
mod prover;
mod refusals;
mod registration;
mod router;
mod run;
mod server_certificate;
mod session;
mod sessions;
mod sni;
mod staleness;
mod status;
mod trust;
mod uplinks;
mod v1_key;

pub use config::Config;
pub use rollcall_projection::readiness::Unready;
pub use run::{Parts, RunError, run};
pub use staleness::{InstanceStaleness, StaleSessions};
pub use status::{ConnectorStatus, InstanceStatus};
