//! The API over HTTP, in one process with a real registrar: what a client of it sees.

mod client;
mod device_data;
mod pki;
mod simulated;
mod world;
