//! The v5 REST API.

pub mod access;
