//! The API: the part of the IoTDA v5 API that self-registration lives in, and what operators need beside it.
//!
//! The job: HTTP in, requests for the registrar out, and answers from this process's own view; messages, commands,
//! properties and shadows of devices. Not its job: the rules (domain), ruling (registrar), devices' connections (connector).
//!
//! The trust boundary: a caller is who a signature or token proves, and nothing else of a request is believed. An API process
//! may submit commands and downlinks; it may not append to a registry log.
//!
//! Read [`run()`], then `serve` and `answer` (what stands round every request), [`access`] and `permission` (who may come in), `parameters` (what a query may say),
//! `call` (how an operation reads and changes an instance) with `realms`, `realm` and `changes`; then `router` and any file
//! of `v5` or `rollcall_v1`: one for each kind of thing. What goes on between the API and devices is the crate `rollcall-devices`.

#![expect(unused_qualifications, reason = "utoipa's macros write types out in full, with the place of what they were given")]

pub mod access;
mod answer;
mod bootstrap;
mod call;
mod certificates;
mod changes;
pub mod codes;
pub mod command_key;
pub mod config;
pub mod error;
mod extract;
mod foresight;
mod metrics;
pub mod openapi;
mod paging;
mod parameters;
mod pem;
mod permission;
mod realm;
mod realms;
mod recent_attempts;
mod records;
mod rollcall_v1;
mod router;
mod run;
mod search_sql;
mod serve;
mod state;
mod times;
mod trace;
mod v5;
mod whole;
mod writable;

pub use bootstrap::{AccessCredentials, Welcome};
pub use codes::Code;
pub use config::Config;
pub use run::{Parts, RunError, run};
