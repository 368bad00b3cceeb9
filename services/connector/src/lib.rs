//! The edge: accepts devices over TCP, TLS and MQTT by the instance's own view, and carries their messages in both
//! directions.
//!
//! Everything between a socket and a live session, for many instances at once, chosen by SNI. It does not have the
//! rules (domain), does not register (registrar; a connector may only ask), and does not decide what a record means
//! (projection).
//!
//! The trust boundary: every byte of a client is hostile, its certificate and CONNECT included. A ruling is not believed
//! either: an accepted device was found in the view. A connector keeps no truth; it may be killed at any time.
//!
//! Read in the order in which a connection goes: [`run()`]; `transport` (`listener`, `unproven`, `handshake` with `sni`, `turns`, `tls_stream`, `trust`,
//! `client_verifier` and `chain_verifier`; [`run_below_tls`] goes round all of it); `connection`, which drives the rest; `admission` (`accept`, `authenticate`,
//! `staleness`, `registration`, `attempts`); `sessions` (`table`, `topic_authorization`, `reauthorize`, `presence`,
//! `downlinks`, `uplinks`). `mqtt` is the protocol as a state machine and knows none of these. `context` is what
//! connections share, `instance` the state of one instance, `instances` follows the fleet and runs their tasks.

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
    Config, Limits, LongerKeepAlive,
    instance_settings::{InstanceSettings, StaleSessions},
    proxies::{ProxyNetwork, ProxyNetworkError},
};
pub use rollcall_projection::readiness::Unready;
pub use run::{Parts, RunError, run, run_below_tls};
pub use status::{ConnectorStatus, InstanceStatus};
pub use transport::below_tls::Client as ClientBelowTls;
