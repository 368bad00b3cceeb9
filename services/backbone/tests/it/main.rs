//! The backbone's implementations, from outside. One binary: each implementation has its module.

mod embedded;
mod memory;
mod nats;
mod nats_server;
