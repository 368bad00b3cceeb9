//! The log in memory from outside: bounds, and faults that a seed repeats.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bounds;
mod faults;
