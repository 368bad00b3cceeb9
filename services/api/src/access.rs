//! Who may ask: signatures of requests, tokens, passwords, and what slows down whoever guesses.
//!
//! The job: to prove who sent a request, from its text and a secret. Not its job: which operators and keys there are, or
//! what they may do. Nothing here does I/O (but for [`master_key`], which reads its file once) and no rule reads a clock.
//! Invariant: no secret is in a `Debug`, an error or a log line, and every comparison with one takes constant time.
//!
//! Read [`signing`] first, then [`master_key`], from which every secret is derived.

mod keyed_hash;
pub mod lockout;
pub mod master_key;
pub mod pace;
pub mod password;
mod randomness;
pub mod signing;
pub mod token;
