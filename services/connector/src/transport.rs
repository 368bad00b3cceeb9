//! From a TCP socket to a TLS connection whose client certificate chain has been verified.

pub(crate) mod below_tls;
pub(crate) mod chain_verifier;
pub(crate) mod client_stream;
pub(crate) mod client_verifier;
pub(crate) mod failure_lines;
pub(crate) mod failures;
pub(crate) mod handshake;
pub(crate) mod listener;
mod proxy_protocol;
#[cfg(test)]
mod reference;
pub(crate) mod refused_chain;
mod server_certificates;
mod sni;
mod tls_stream;
pub(crate) mod trust;
pub(crate) mod turns;
pub(crate) mod unproven;
