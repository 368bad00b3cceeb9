//! How to reach NATS. Plain data; it touches nothing.

use std::{fmt, path::PathBuf, time::Duration};

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;

use crate::limits::Limits;

/// How long an operation may take before the backbone counts as unavailable.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the first connection is tried for.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Most replicas that JetStream keeps.
pub const REPLICAS_MAX: usize = 5;

/// Who we are to NATS.
#[derive(Clone, Default)]
pub enum Credentials {
    /// Nobody: the server asks for nothing, or the URL says it.
    #[default]
    None,
    /// User and password. Answers come to `_INBOX.<name>`, which is what the server's permissions have to name.
    User {
        /// The user's name.
        name: String,
        /// The password.
        password: String,
    },
    /// A `.creds` file with a JWT and its seed.
    File(PathBuf),
}

/// Where NATS is and how it is used.
#[derive(Clone)]
pub struct NatsConfig {
    /// `nats://host:port` or `tls://host:port`; several, with commas between, for a cluster.
    pub url: String,
    /// Who we are.
    pub credentials: Credentials,
    /// PEM file with the certificate authorities that the server's certificate may come from. Given, TLS is required.
    pub ca_file: Option<PathBuf>,
    /// What the server's monitoring calls this connection.
    pub name: String,
    /// Copies of each stream, 1 to [`REPLICAS_MAX`]; 3 in a cluster.
    pub replicas: usize,
    /// Whether streams that are not there are made. A registrar does; a connector and the API may not by their accounts,
    /// and only look.
    pub declares: bool,
    /// How long the first connection is tried for.
    pub connect_timeout: Duration,
    /// How long an operation may take.
    pub operation_timeout: Duration,
    /// Leases and bounds; as they are, outside tests.
    pub limits: Limits,
}

impl NatsConfig {
    /// One replica, no credentials, the usual times.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            credentials: Credentials::None,
            ca_file: None,
            name: "rollcall".to_owned(),
            replicas: 1,
            declares: true,
            connect_timeout: CONNECT_TIMEOUT,
            operation_timeout: OPERATION_TIMEOUT,
            limits: Limits::default(),
        }
    }

    pub(super) fn servers(&self) -> Result<Vec<ServerAddr>, String> {
        let parse = |url: &str| url.trim().parse().map_err(|error| format!("{} is not a NATS URL: {error}", shown(url)));
        self.url.split(',').map(parse).collect()
    }

    /// Who we are: as said here, or by the first URL, which the client library does not look at.
    pub(super) fn identity(&self) -> Result<Credentials, String> {
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let servers = self.servers()?;
        let by_url = || {
            let first = servers.first()?;
            Some(Credentials::User { name: decoded(first.username()?), password: decoded(first.password()?) })
        };
        Ok(match &self.credentials {
            Credentials::None => by_url().unwrap_or_default(),
            said @ (Credentials::User { .. } | Credentials::File(_)) => said.clone(),
        })
    }

    /// The URLs without the user and password that they may carry.
    pub(super) fn shown_urls(&self) -> String {
        self.url.split(',').map(|url| shown(url.trim())).collect::<Vec<_>>().join(",")
    }
}

fn shown(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => url.to_owned(),
    }
}

impl fmt::Debug for NatsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsConfig").field("url", &self.shown_urls()).field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::NatsConfig;

    #[test]
    fn a_password_in_a_url_is_never_shown() {
        let config = NatsConfig::new("nats://ann:secret@a:4222, tls://b:4222");
        assert_eq!(config.shown_urls(), "nats://a:4222,tls://b:4222");
        assert!(!format!("{config:?}").contains("secret"));
    }
}
