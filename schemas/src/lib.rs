//! What Rollcall writes down or sends between processes, as Rust types: records of the log, requests, rulings, attempts,
//! registrars' announcements.
//!
//! The job: shapes, their versions, and strict reading. Not its job: meaning. Whether an id is well-formed or a template
//! makes sense is the domain's; the two meet in the backbone's codec and nowhere else.
//!
//! The trust boundary: what is read here may be damaged or forged. An unknown type, version or field, a missing field
//! and a value of the wrong kind are each an error that names what is wrong; nothing is skipped and nothing is guessed.
//!
//! Invariants: a released shape never changes. It lives in `event/v1` or `request/v1` with a golden file under `golden/`
//! that is never edited; `latest` is what other code imports; `upcast` has one row for each released (type, version).
//!
//! Read [`encoding`] (how scalars look), [`event`], [`record`], then [`request`], [`proof`], [`ruling`], [`attempt`],
//! [`announcement`], [`seal`];
//! [`json_schema`] is what `generated/` is made of.

mod catalogue;

pub mod announcement;
pub mod attempt;
pub mod encoding;
pub mod error;
pub mod event;
pub mod json_schema;
pub mod proof;
pub mod record;
pub mod request;
pub mod ruling;
pub mod seal;

pub use error::WireError;
