//! What every process needs and that knows no device.
//!
//! Clock and entropy (the only places that read them), configuration files, telemetry and trace context, shutdown, retries and
//! rate limits, what sources share, TLS on either side, PEM, the process's own TLS keys, other secrets and data folders. Nothing
//! here names a device, an instance or a log.
//!
//! Read [`clock`] and [`entropy`] first: everything else in the workspace takes them as arguments.

pub mod clock;
pub mod config;
pub mod entropy;
pub mod keys;
pub mod pem;
pub mod private_files;
pub mod rate_limit;
pub mod retry;
pub mod secret_file;
pub mod server_certificate;
pub mod shutdown;
pub mod sources;
pub mod telemetry;
pub mod tls_client;
pub mod tls_server;
pub mod trace_context;
