//! The API: the part of the IoTDA v5 API that self-registration lives in, and what operators need beside it.
//!
//! HTTP in, requests for the registrar out, answers from this process's own view; messages, commands, properties and shadows
//! of devices. Does not hold the rules (domain), rule on requests (registrar) or serve devices' connections (connector).
//!
//! The trust boundary: a caller is the operator that a signature or token proves, and nothing else of a request is believed. An
//! API process may submit commands and downlinks; it may not append to a registry log.
//!
//! Read [`run()`], then `http` (sockets and middleware) and `security` (who sends a request), `context` (how an operation
//! reads and changes an instance) with `instances` and `change_client`; then `http::router` and any file of `v5` or
//! `rollcall_v1`: one for each kind of thing. `console` serves the built
//! console. What happens between the API and devices is the crate `rollcall-devices`.

#![expect(unused_qualifications, reason = "utoipa's macros write types out in full, with the place of what they were given")]

mod bootstrap;
mod change_client;
mod code_pages;
mod config;
mod console;
mod context;
mod dry_run;
mod http;
mod instances;
mod rollcall_v1;
mod run;
mod security;
mod state;
mod streams;
mod v5;
mod writable;

pub use bootstrap::{AccessCredentials, FirstAdministrator};
pub use code_pages::{CodePage, code_page};
pub use config::{Config, Limits};
pub use console::CONSOLE_IS_EMBEDDED;
pub use http::{codes::Code, router::openapi_json};
pub use run::{Parts, RunError, run};
pub use security::master_key::{MasterKey, MasterKeyError};

/// The key that commands are proven with.
pub mod command_key {
    pub use crate::security::command_key::{CommandKeyError, read, read_or_make};
}
