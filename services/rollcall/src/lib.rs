//! The one binary: composition and tools, no rules.
//!
//! [`up`] and `processes` put connector, registrar and API together; `operator` applies a fleet file through the API;
//! `tools` make development certificates, connect as a device does, verify views, and verify and mend logs.
//! The binary does not decide anything: the domain does, through the registrar.
//!
//! Read [`cli`] first, then [`up`] and `processes`, which start the services, then `operator`, which asks the API, and
//! `tools`, which do not go through it.

pub mod cli;
mod operator;
mod processes;
mod tools;
pub mod up;
