//! How to reach NATS. Plain data; it touches nothing.

use std::{fmt, net::IpAddr, path::PathBuf, time::Duration};

use async_nats::ServerAddr;
use rollcall_log::limits::Limits;

/// How long an operation may take before the backbone counts as unavailable.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the first connection is tried for.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// Most replicas that JetStream keeps.
pub const REPLICAS_MAX: usize = 5;

/// Who we are to NATS.
#[derive(Clone, Default)]
pub enum Credentials {
    /// No user: the server asks for none.
    #[default]
    None,
    /// User and password. Answers come to `_INBOX.<name>`, which is what the server's permissions have to name.
    User {
        /// The user's name.
        name: String,
        password: String,
    },
    /// A `.creds` file with a JWT and its seed.
    File(PathBuf),
}

/// Why a configuration is refused before anything is connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NatsConfigError {
    /// The client library cannot read it.
    #[error("{url} is not a NATS URL: {reason}")]
    Url {
        /// Without what may stand before its `@`.
        url: String,
        /// The library's words.
        reason: String,
    },
    /// User, password or token stand in a URL, which logs, process lists and error texts show.
    #[error("the URL of {url} carries credentials")]
    CredentialsInUrl { url: String },
    /// Passwords, certificates and messages would cross a network as they are.
    #[error("{url} is not on this machine and is not reached by TLS")]
    Plaintext { url: String },
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
    /// Whether a server on another machine may be spoken to without TLS.
    pub allow_plaintext: bool,
    /// What the server's monitoring calls this connection.
    pub name: String,
    /// Copies of each stream, 1 to [`REPLICAS_MAX`]; 3 in a cluster.
    pub replicas: usize,
    /// Whether streams that are not there are made. A registrar does; a connector and the API may not by their accounts,
    /// and only look.
    pub declares: bool,
    /// Spreads the delays between attempts to connect; to differ between processes, so that they do not all come back at once.
    pub retry_seed: u64,
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
            allow_plaintext: false,
            name: "rollcall".to_owned(),
            replicas: 1,
            declares: true,
            retry_seed: 0,
            connect_timeout: CONNECT_TIMEOUT,
            operation_timeout: OPERATION_TIMEOUT,
            limits: Limits::default(),
        }
    }

    /// Whether it may be used: URLs that can be read and carry no credentials, and TLS to other machines.
    ///
    /// # Errors
    /// [`NatsConfigError`], for the first URL with a fault.
    pub fn check(&self) -> Result<(), NatsConfigError> {
        self.servers().map(drop)
    }

    pub(super) fn servers(&self) -> Result<Vec<ServerAddr>, NatsConfigError> {
        let parse = |url: &str| {
            let (url, shown) = (url.trim(), shown(url.trim()));
            let server: ServerAddr = match url.parse() {
                Ok(server) => server,
                Err(error) => return Err(NatsConfigError::Url { url: shown, reason: error.to_string() }),
            };
            if server.has_user_pass() || server.password().is_some() {
                return Err(NatsConfigError::CredentialsInUrl { url: shown });
            }
            if !self.allow_plaintext && !self.is_encrypted(&server) && !is_loopback(&server) {
                return Err(NatsConfigError::Plaintext { url: shown });
            }
            Ok(server)
        };
        self.url.split(',').map(parse).collect()
    }

    fn is_encrypted(&self, server: &ServerAddr) -> bool {
        self.ca_file.is_some() || matches!(server.scheme(), "tls" | "wss")
    }

    /// Whether every connection is to use TLS, also to servers that others name.
    pub(super) fn requires_tls(&self) -> Result<bool, NatsConfigError> {
        Ok(self.servers()?.iter().all(|server| self.is_encrypted(server)))
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

fn is_loopback(server: &ServerAddr) -> bool {
    let host = server.host();
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

impl fmt::Debug for NatsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NatsConfig").field("url", &self.shown_urls()).field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{NatsConfig, NatsConfigError};

    #[test]
    fn a_password_in_a_url_is_never_shown() {
        let config = NatsConfig::new("nats://ann:secret@a:4222, tls://b:4222");
        assert_eq!(config.shown_urls(), "nats://a:4222,tls://b:4222");
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn credentials_in_a_url_are_refused() {
        for url in ["nats://ann:secret@127.0.0.1:1", "tls://b:1, tls://secret@a:1", "nats://:secret@127.0.0.1:1"] {
            let error = NatsConfig::new(url).check().expect_err(url);
            assert!(matches!(error, NatsConfigError::CredentialsInUrl { .. }), "{url}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn other_machines_are_reached_by_tls_unless_a_setting_says_otherwise() {
        for url in
            ["nats://127.0.0.1:1", "nats://127.8.0.1:1", "nats://[::1]:1", "nats://localhost:1,tls://far:1", "127.0.0.1:1"]
        {
            assert_eq!(NatsConfig::new(url).check(), Ok(()), "{url}");
        }
        for url in [
            "nats://10.0.0.1:1",
            "nats://far:1",
            "nats://[fd00::1]:1",
            "nats://localhost.example:1",
            "tls://a:1,nats://b:1",
            "far:1",
        ] {
            let mut config = NatsConfig::new(url);
            assert!(matches!(config.check(), Err(NatsConfigError::Plaintext { .. })), "{url}");
            config.ca_file = Some("ca.crt".into());
            assert_eq!(config.check(), Ok(()), "an authority means TLS: {url}");
            config.ca_file = None;
            config.allow_plaintext = true;
            assert_eq!(config.check(), Ok(()), "{url}");
        }
    }
}
