//! The API over HTTP, in one process with a real registrar: what a client of it sees.

mod attempts;
mod client;
mod door;
mod fleet;
mod operators;
mod pki;
mod refusals;
mod world;
