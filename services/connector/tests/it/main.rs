//! The connector as a whole: real sockets, TLS and MQTT from a client, the backbone in memory, and a registrar in the
//! test's own hands that decides by the domain's rules.
//!
//! Read `world` (what runs), `pki` (certificates), `registrar`, `client`; then the tests by subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, helpers included")]

mod client;
mod distrust;
mod drain;
mod field_clients;
mod first_connection;
mod goodbye;
mod messages;
mod order;
mod persistent;
mod pki;
mod proxy;
mod reference;
mod refusals;
mod registrar;
mod sessions;
mod staleness;
mod storm;
mod tls;
mod unproven;
mod view;
mod wills;
mod world;
