//! What a certificate says, and whether it may say so. Parsed from DER, never through a DN string.
//!
//! [`facts`] reads one certificate; [`path`] proves a chain up to one verified CA certificate; [`authority`] checks a CA
//! certificate at upload and its proof of possession. All three start from `tbs`, the strict reader of
//! the parts. [`described`] says in words what a certificate holds. Reading is not trusting: only [`path`] decides who is
//! genuine.

pub mod authority;
mod cross_check;
mod der;
pub mod described;
mod extensions;
pub mod facts;
mod keys;
pub mod lapse;
mod name;
pub mod path;
mod tbs;
#[cfg(test)]
pub(crate) mod test_certificates;
mod validity;

pub(crate) use facts::sha1_of;
pub use facts::{CertificateFacts, FactsError, SubjectAttribute};
pub use name::AttributeFault;
pub use tbs::X509Version;
