//! HTTP: sockets, middleware, what requests and answers look like, and the one place where an error becomes an answer.
//!
//! Knows no operation. [`router`] is the top: it puts the operations of `v5` and `rollcall_v1` behind the middleware.

pub(crate) mod codes;
pub(crate) mod error;
pub(crate) mod errors;
pub(crate) mod event_stream;
pub(crate) mod extract;
pub(crate) mod json_integer;
mod leftover_body;
pub(crate) mod metrics;
pub(crate) mod middleware;
mod openapi;
pub(crate) mod paging;
mod parameters;
pub(crate) mod peer;
pub(crate) mod pem;
pub(crate) mod request_body;
pub(crate) mod responses;
pub(crate) mod route;
pub(crate) mod router;
pub(crate) mod serve;
pub(crate) mod server_certificates;
pub(crate) mod times;
mod unknown;
mod write_deadline;
