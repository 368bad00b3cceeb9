//! The API over HTTP, in one process with a real registrar: what a client of it sees.

mod client;
mod pki;
mod world;
