//! The API over HTTP, in one process with a real registrar: what a client of it sees.

mod client;
mod device_certificates;
mod device_lists;
mod devices;
mod history;
mod pki;
mod world;
