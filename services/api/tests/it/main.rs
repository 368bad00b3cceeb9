//! The API over HTTP, in one process with a real registrar: what a client of it sees.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, helpers included")]

mod attempts;
mod authentication;
mod before_proof;
mod certificates;
mod chain_debug;
mod client;
mod console;
mod declared;
mod device_certificates;
mod device_data;
mod device_list_filters;
mod device_lists;
mod device_policies;
mod devices;
mod distrust;
mod fleet;
mod history;
mod impact;
mod inspection;
mod instance_overview;
mod openapi;
mod operators;
mod overview;
mod parsers;
mod pki;
mod policies;
mod preview;
mod products;
mod refusals;
mod retired_certificates;
mod sessions;
mod simulated;
mod stream;
mod templates;
mod uplinks;
mod what_if;
mod world;
