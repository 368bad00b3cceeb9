//! What readers of a log and those who ask the registrar live with, on a log in memory that fails on demand.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod follow;
mod request_client;
