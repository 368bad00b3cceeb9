//! Who sends a request, proven from its text and a secret: signatures, tokens, sessions, passwords, and the limits on guessing.
//!
//! Does not know which operators and keys exist, nor what they may do. No rule reads a clock. Invariant: no secret is in a
//! `Debug`, an error or a log line, every comparison with one takes constant time, and no failure says whether the name or
//! the secret was wrong.
//!
//! Signatures are verified by `rollcall-request-signing`. Read [`master_key`] first, from which every secret is derived; [`access`] holds together what a login
//! and a request are checked with, and [`authenticate`] is the middleware that does it.

pub(crate) mod access;
pub(crate) mod authenticate;
pub(crate) mod command_key;
mod failure_log;
mod login_throttle;
pub(crate) mod master_key;
pub(crate) mod password;
mod password_hasher;
mod randomness;
pub(crate) mod same_origin;
pub(crate) mod sessions;
pub(crate) mod token;
