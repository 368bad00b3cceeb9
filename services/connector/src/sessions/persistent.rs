//! Sessions that outlive their connection (MQTT 5 §3.1.2.11.2; before MQTT 5, Clean Session 0): filters, and a position in
//! the message stream.
//!
//! A document for each device, written before CONNACK and SUBACK, now and then while the client acknowledges, and at the
//! end. Messages are not copied into it: what came meanwhile is read from the message stream on return, so it is kept as
//! long as that keeps it. Which connector the device returns to makes no difference. Invariants: the position is before
//! every message that the client has not acknowledged, so each comes at least once; messages to a session come in the
//! order of the stream; a device whose connection asks for nothing that lasts costs no document.
//!
//! What the platform sends a device is no part of it: that has queues of its own, and what is due only now (a command) must
//! not come an hour late.
//!
//! Read [`form`] (the document), [`state`] (what a live session has of it), [`begin`], [`save`], then [`routed`] and
//! [`replay`] (how a session that was away catches up with what is routed live).

pub(crate) mod begin;
pub(crate) mod form;
pub(crate) mod replay;
pub(crate) mod routed;
pub(crate) mod save;
pub(crate) mod state;
