//! The v5 REST API.

pub mod access;
pub mod search_sql;
