//! The server side of MQTT 3.1, 3.1.1 and 5.0 for one connection, as a state machine without I/O, clock or runtime.
//!
//! Bytes from the client, the owner's decisions and the time go in; bytes to write and [`Effect`]s come out. The
//! machine keeps to the standard: packets, their order, limits, acknowledgements, aliases, subscriptions. It does not
//! decide who may connect, which topics a device may use or where messages go: it asks its owner, which asks the
//! domain.
//!
//! Invariants: no input makes it panic; it buffers at most what its [`Limits`] name, and never because of a length that
//! was only announced; how the bytes are split makes no difference.
//!
//! Read [`interface`] (what the machine and its owner exchange), then [`protocol`], then `established`.

mod interface;
mod limits;
mod protocol;
mod reason_codes;
mod subscriptions;
mod topic;
mod violation;

mod connect;
mod downlink;
mod established;
mod frame;
mod inbound;
mod outbound;
mod properties;
mod uplink;

#[cfg(test)]
mod tests;

pub(crate) use interface::{
    Closing, Connect, Delivered, Delivery, Effect, FilterOutcome, FilterRequest, Grant, Ignored, Publish, PublishOutcome,
    PublishRef, SessionGrant, Will,
};
pub(crate) use limits::Limits;
pub use limits::LongerKeepAlive;
pub(crate) use protocol::Protocol;
pub(crate) use subscriptions::Subscription;
pub(crate) use topic::matches;
pub(crate) use violation::Violation;
