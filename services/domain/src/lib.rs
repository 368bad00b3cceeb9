//! The rules of Rollcall, pure: bytes and state in, decisions out.
//!
//! The job: what a certificate says, what a template makes of it, which requests a registry accepts, who may connect
//! and which topics a device may use. Not its job: anything with a clock, randomness, I/O, async or serialisation; its
//! `Cargo.toml` cannot name them. Time, ids and random codes are arguments.
//!
//! The trust boundary: every byte of a certificate, every field of a request and every CONNECT value is hostile.
//! `decide` may refuse; `evolve` may not.
//!
//! Read in this order: [`ids`], [`certificate`], [`template`], [`policy`], [`fleet`], then [`registry`] (state, events,
//! commands, decide, evolve), then [`authenticate`].

pub mod authenticate;
pub mod certificate;
pub mod fault;
pub mod fleet;
pub mod ids;
pub mod limits;
pub mod notice;
pub mod policy;
pub mod refusal;
pub mod registry;
pub mod rejection;
pub mod session;
pub mod template;
pub mod text;
pub mod time;
