//! What a certificate says, and whether it may say so. Parsed from DER, never through a DN string.
//!
//! [`facts`] reads one certificate; [`path`] proves a chain up to one verified CA certificate; [`authority`] checks a CA
//! certificate at upload and its proof of possession. Reading is not trusting: only [`path`] decides who is genuine.

pub mod authority;
pub mod facts;
pub mod path;

pub use facts::{AttributeFault, CertificateFacts, FactsError, SubjectAttribute, X509Version};
