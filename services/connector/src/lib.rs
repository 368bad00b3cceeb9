//! The edge: devices in over TCP, TLS and MQTT, judged by the instance's own view, and their messages in and out.
//!
//! The job: everything between a socket and a live session, for many instances at once, picked by SNI. Not its job: the
//! rules (domain), registering (registrar; a connector may only ask), what a record means (projection, domain).
//!
//! The trust boundary: every byte of a client is hostile, its certificate and CONNECT included. A ruling is not believed
//! either: who is let in was found in the view. A connector keeps no truth; it may be killed at any time.
//!
//! Read in the order in which a connection goes: [`run()`], `transport` (`listener`, `handshake`, `sni`, `trust`), `connection`
//! (`serve`), `admission` (`entrance`, `authenticate`, `staleness`, `registration`, `refusals`), `sessions` (`table`, `session`,
//! `judge`, `presence`, `router`, `uplinks`). `mqtt` is the protocol as a state machine and knows none of this.

mod admission;
mod config;
mod connection;
mod context;
mod instance;
mod instances;
mod metrics;
mod mqtt;
mod run;
mod sessions;
mod status;
mod transport;

pub use config::{
    Config, Limits,
    staleness::{InstanceStaleness, StaleSessions},
};
pub use rollcall_projection::readiness::Unready;
pub use run::{Parts, RunError, run};
pub use status::{ConnectorStatus, InstanceStatus};
