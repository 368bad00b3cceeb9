//! The registry of one instance: its state, what is asked of it, what happens to it.
//!
//! [`state`] is what is known, [`command`] what is asked, [`event`] what happened. [`decide`] may refuse and says which
//! checks it made; [`evolve`] may not refuse, whatever history it is given. Both are pure: the same history gives the
//! same registry everywhere. `collision` is the table of what a certificate is to a device id; the edge asks it too.
//! [`what_if`] says beforehand whom a change of a template would lock out. A certificate that was taken away from its device is
//! a [`Retired`] one, asked for before any holder is.
//!
//! What all of it says to every state and every request is in `golden/decisions.md`, written by a test.

mod attribution;
pub(crate) mod collision;
pub mod command;
pub mod decide;
mod default_policy;
mod device_change;
pub mod event;
pub mod evolve;
pub(crate) mod retirement;
mod retirement_change;
pub mod state;
mod trust;
pub mod what_if;

pub use attribution::Attribution;
pub use command::{Actor, Command, Request, RequestBody};
pub use decide::{
    Below, ChainIssuer, Check, CheckedDecision, Context, DebugOutcome, Debugged, Decision, Previewed, debug, decide,
    forget_retired, issuer_of, preview, supposed, template_fits,
};
pub use default_policy::BesideDefault;
pub use device_change::DeviceChange;
pub use event::{AffectedSessions, Event};
pub use evolve::evolve_device;
pub use retirement::{PinKey, Retired, RetirementReason};
pub use retirement_change::RetirementChange;
pub use state::{
    BoundPolicy, BoundTo, Ca, CaStatus, Configuration, Credential, Device, DeviceEntry, Devices, Distrusted, Pin, Product,
    ProductDetails, Registry, Slot, Space, Template,
};
pub use trust::TrustBasis;
pub use what_if::{WhatIf, what_if};

#[cfg(test)]
pub(crate) mod tests;
