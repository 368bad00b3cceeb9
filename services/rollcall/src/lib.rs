//! The one binary: composition and tools, no rules.
//!
//! The job: put connector, registrar and backbone together (`up`, `connector`, `registrar`), apply a fleet
//! file through the API (`up --fleet`, and `apply` for separate processes), show what happens, hold views against the log
//! (`view verify`), make development certificates (`pki`), connect as a device would (`device`).
//! Not its job: deciding anything; that is the domain's, through the registrar.
//!
//! Read [`cli`] first, then [`up`] and [`processes`], which start the services, then [`operator`], which asks the API, and
//! [`tools`], which do not go through it.

pub mod cli;
mod operator;
mod processes;
mod tools;
pub mod up;
