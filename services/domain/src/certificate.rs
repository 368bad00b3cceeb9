//! What a certificate says, and whether it may say so. Parsed from DER, never through a DN string.
//!
//! [`facts`] reads one certificate; [`path`] proves a chain up to one verified CA certificate; [`authority`] checks a CA
//! certificate at upload and its proof of possession. All three start from `outline`, the strict reader of the parts.
//! Reading is not trusting: only [`path`] decides who is genuine.

pub mod authority;
mod der;
mod extensions;
pub mod facts;
#[cfg(test)]
pub(crate) mod forge;
mod keys;
mod name;
mod outline;
pub mod path;
mod second_reader;
mod validity;

pub use facts::{AttributeFault, CertificateFacts, FactsError, SubjectAttribute, X509Version};
