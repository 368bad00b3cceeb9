//! The context of one authenticated request: who sends it, for which instance, and how it reads and changes something there.
//!
//! An operation takes a [`FleetContext`] or an [`InstanceContext`]; authentication puts the [`Caller`] and the
//! [`Idempotency`] that both are made of into the request. Does not know what any operation does. Invariants: a change is
//! one request that the registrar rules on; it is answered when this process's own view has applied it; with an
//! `Idempotency-Key` the same request is the same change, however often it is sent.

mod caller;
mod change;
mod fleet;
mod idempotency;
mod instance;
mod scope;

pub(crate) use self::{
    caller::{Caller, Credential},
    fleet::FleetContext,
    idempotency::Idempotency,
    instance::InstanceContext,
    scope::{device_not_found, space_not_found},
};
