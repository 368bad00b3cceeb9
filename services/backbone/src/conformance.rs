//! One suite of checks that every backbone passes.
