//! The one binary: composition and tools, no rules.
//!
//! The job: put connector, registrar and backbone together (`up`, `connector`, `registrar`), apply a fleet
//! file through the API (`up --fleet`, and `apply` for separate processes), show what happens, hold views against the log
//! (`view verify`), make development certificates (`pki`), connect as a device would (`device`).
//! Not its job: deciding anything; that is the domain's, through the registrar.
//!
//! Read [`cli`] first, then [`up`], then [`fleet_file`].

pub mod announce;
pub mod api_client;
pub mod apply;
pub mod cli;
pub mod demo;
pub mod device;
pub mod events;
pub mod fleet_file;
pub mod log_command;
pub mod log_keys;
pub mod nats_arguments;
pub mod pki;
pub mod process_config;
pub mod processes;
pub mod up;
pub mod view;
