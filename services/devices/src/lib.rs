//! The device data plane: reads what devices send, keeps their documents, and brings them what waits for them.
//!
//! The job, for one instance ([`Devices`]): who is online, shadows, messages, commands and property requests. Runs inside
//! `rollcall api` and `rollcall up`. Does not speak HTTP (api) or MQTT (connector), and does not decide who may ask for
//! what. What each step does to a document is in `device-model`; this crate reads, writes and times.
//!
//! Several processes serve the same devices, so what a device is brought is claimed in a document first. Invariants:
//! nothing that was answered for is lost; a device gets each thing once in the ordinary case.
//!
//! The trust boundary: uplinks are whatever devices sent; the topic names the device that the connector has let in.
//!
//! Read [`start`], [`presence`] with `watch` and [`reach`], then `documents`; then one of [`messages`], [`desired`], `reports`,
//! [`requests`] with `waiting`. `on_connect` does what is to be done when a device comes online.

pub mod desired;
mod documents;
mod error;
mod instance;
pub mod messages;
mod metrics;
mod on_connect;
pub mod presence;
pub mod reach;
mod recheck;
mod reports;
pub mod requests;
mod run;
mod waiting;
mod watch;

pub use error::DevicesError;
pub use instance::{Devices, Parts};
pub use run::{forget, start};
