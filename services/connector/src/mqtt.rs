//! The server side of MQTT 3.1, 3.1.1 and 5.0 for one connection, as a state machine without I/O, clock or runtime.
//!
//! Bytes that came in, the owner's decisions and the time go in; bytes to write and [`Effect`]s come out. Its job is the
//! standard: packets, their order, limits, acknowledgements, aliases, subscriptions. Not its job: who may connect, which
//! topics a device may use, where messages go; it asks the owner, which asks the domain.
//!
//! Invariants: nothing received makes it panic; it never holds more than its [`Limits`] name, and never because of a
//! length that was only announced; where the same bytes are cut makes no difference.
//!
//! Read [`interface`] (what is said between the machine and its owner), then [`protocol`], then `established`.

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
mod uplink;

#[cfg(test)]
mod tests;

pub(crate) use interface::{
    Closing, Connect, Delivered, Delivery, Effect, FilterOutcome, FilterRequest, Grant, Publish, PublishOutcome, PublishRef,
};
pub(crate) use limits::Limits;
pub(crate) use protocol::Protocol;
