//! The backbone's implementations, from outside. One binary: each implementation has its module.

mod embedded;
mod memory;
