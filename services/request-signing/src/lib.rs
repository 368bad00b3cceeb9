//! Signatures of requests, `SDK-HMAC-SHA256` and `V11-HMAC-SHA256`, as the service's SDKs make them.
//!
//! The job: [`sign`] for who sends a request, [`Credentials::parse`] and [`verify`] for who receives it. Without I/O and without a
//! clock; does not know whether a key exists or is enabled.
//!
//! The trust boundary: everything of a request is its sender's, and is read under named limits. Invariant: what is verified is what
//! was received; a request of which anything signed has changed is refused.
//!
//! Read `signature`, then `authorization` (the header), `canonical` (the one text of a request), `date`; [`keyed_hash`] is what
//! signatures and the API's tokens are made of.

mod authorization;
mod canonical;
mod date;
mod error;
pub mod keyed_hash;
mod signature;

pub use authorization::Credentials;
pub use canonical::SignedRequest;
pub use date::DATE_HEADER;
pub use error::SigningError;
pub use signature::{date_text, sign, verify, verify_head};
