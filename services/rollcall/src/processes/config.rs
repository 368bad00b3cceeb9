//! Configuration of the separate processes on NATS: one TOML file for each, checked whole before anything starts.
//!
//! File, then environment (`ROLLCALL_NATS_URL`, `ROLLCALL_NATS_PASSWORD`), then flags. Secrets are named by path, never held in
//! the file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rollcall_chassis::{config::ConfigError, pem, secret_file, telemetry::TelemetryConfig};
use rollcall_log_nats::{Credentials, NatsConfig, NatsConfigError};
use serde::{Deserialize, Serialize};

use super::log_keys::{LogTable, RegistrarLogTable};

/// Memory that views may take by default, bytes.
const VIEW_CACHE_BYTES: u64 = 512 * 1024 * 1024;
/// Longest file with the broker's password or credentials, bytes.
const CREDENTIALS_BYTES_MAX: usize = 16 * 1024;

/// What `rollcall connector --config` reads.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectorProcess {
    /// Where the process keeps its views; disposable.
    pub(crate) data: PathBuf,
    /// Memory that its views may take, bytes.
    #[serde(default = "default_cache")]
    pub(crate) view_cache_bytes_max: u64,
    pub(crate) nats: NatsTable,
    /// How registrars' records are told from others.
    #[serde(default)]
    pub(crate) log: LogTable,
    /// The connector itself.
    #[serde(default)]
    pub(crate) connector: rollcall_connector::Config,
    /// Logs, traces, metrics.
    #[serde(default)]
    pub(crate) telemetry: TelemetryConfig,
}

/// What `rollcall registrar --config` reads.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegistrarProcess {
    /// Where the process keeps its views; disposable.
    pub(crate) data: PathBuf,
    /// Memory that its views may take, bytes.
    #[serde(default = "default_cache")]
    pub(crate) view_cache_bytes_max: u64,
    pub(crate) nats: NatsTable,
    /// How registrars' records are told from others.
    pub(crate) log: RegistrarLogTable,
    /// The registrar itself.
    #[serde(default)]
    pub(crate) registrar: rollcall_registrar::Config,
    /// Logs, traces, metrics.
    #[serde(default)]
    pub(crate) telemetry: TelemetryConfig,
}

/// What `rollcall api --config` reads.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiProcess {
    /// Where the process keeps its views; disposable.
    pub(crate) data: PathBuf,
    /// Memory that its views may take, bytes.
    #[serde(default = "default_cache")]
    pub(crate) view_cache_bytes_max: u64,
    pub(crate) nats: NatsTable,
    /// How registrars' records are told from others.
    #[serde(default)]
    pub(crate) log: LogTable,
    /// The API itself.
    #[serde(default)]
    pub(crate) api: rollcall_api::Config,
    /// Logs, traces, metrics.
    #[serde(default)]
    pub(crate) telemetry: TelemetryConfig,
}

/// How to reach the broker.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NatsTable {
    /// `nats://host:port` or `tls://host:port`; several, with commas between, for a cluster. The environment's
    /// `ROLLCALL_NATS_URL` wins.
    pub(crate) url: String,
    /// A NATS credentials file (JWT and seed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) credentials_file: Option<PathBuf>,
    /// User name, with `password_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<String>,
    /// A file that holds the user's password and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<PathBuf>,
    /// PEM file with the authorities that the broker's certificate may come from; given, TLS is required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Whether a server on another machine may be spoken to without TLS.
    #[serde(default)]
    pub(crate) allow_plaintext: bool,
    /// Copies of each stream; 3 in a cluster.
    #[serde(default = "NatsTable::one_replica")]
    pub(crate) replicas: usize,
}

impl NatsTable {
    const fn one_replica() -> usize {
        1
    }

    /// As the backbone takes it. `name` is what the broker's monitoring calls the connection.
    ///
    /// # Errors
    /// If a file cannot be read or others than its owner may read a secret, user and password are not given together, or the URL may not be used.
    pub(crate) fn to_config(&self, name: &str) -> anyhow::Result<NatsConfig> {
        let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        self.to_config_in(name, environment)
    }

    fn to_config_in(&self, name: &str, environment: impl Fn(&str) -> Option<String>) -> anyhow::Result<NatsConfig> {
        let url = environment("ROLLCALL_NATS_URL").unwrap_or_else(|| self.url.clone());
        let mut config = NatsConfig::new(url);
        let password = environment("ROLLCALL_NATS_PASSWORD").filter(|_| self.password_file.is_none());
        config.credentials = match (&self.credentials_file, &self.user, &self.password_file, password) {
            (Some(file), None, None, _) => {
                // Read here for its mode's sake; the client library reads it again, at every connection.
                secret_file::read(file, CREDENTIALS_BYTES_MAX).context("[nats]: credentials_file cannot be used")?;
                Credentials::File(file.clone())
            }
            (None, Some(user), Some(file), _) => {
                let bytes =
                    secret_file::read(file, CREDENTIALS_BYTES_MAX).context("[nats]: password_file cannot be used")?;
                let password = str::from_utf8(&bytes).with_context(|| format!("{} holds no password", file.display()))?;
                Credentials::User { name: user.clone(), password: password.trim_end().to_owned() }
            }
            (None, Some(user), None, Some(password)) => Credentials::User { name: user.clone(), password },
            (None, None, None, _) => Credentials::None,
            _ => bail!(
                "[nats]: give credentials_file, or user together with password_file (or ROLLCALL_NATS_PASSWORD), or none of them"
            ),
        };
        if let Some(file) = &self.ca_file {
            // The client library would say it in words that repeat the file's content.
            pem::read_certificates(file).context("[nats]: ca_file cannot be used")?;
        }
        config.ca_file = self.ca_file.clone();
        config.allow_plaintext = self.allow_plaintext;
        config.name = name.to_owned();
        config.replicas = self.replicas;
        config.check().map_err(|error| {
            let remedy = remedy(&error);
            anyhow::Error::new(error).context(remedy)
        })?;
        Ok(config)
    }
}

/// What to do about a configuration that is refused, in the words of the file and of the command line.
const fn remedy(error: &NatsConfigError) -> &'static str {
    match error {
        NatsConfigError::Url { .. } => {
            "give nats://host:port or tls://host:port as the broker's URL, several with commas between"
        }
        NatsConfigError::CredentialsInUrl { .. } => {
            "take the credentials out of the broker's URL and give `user` and `password_file`, or `credentials_file`, in [nats] \
             (--nats-user, --nats-password-file, --nats-credentials-file; ROLLCALL_NATS_USER, ROLLCALL_NATS_PASSWORD_FILE, \
             ROLLCALL_NATS_PASSWORD, ROLLCALL_NATS_CREDENTIALS_FILE)"
        }
        NatsConfigError::Plaintext { .. } => {
            "use a tls:// URL for the broker or name its authority with `ca_file` in [nats] (--nats-ca-file); only where the \
             network between is protected otherwise, say `allow_plaintext = true` (--nats-allow-plaintext)"
        }
    }
}

/// Memory that views may take when nothing is said, bytes.
pub(crate) const fn default_cache() -> u64 {
    VIEW_CACHE_BYTES
}

/// Any process's configuration, told apart by its `[connector]`, `[registrar]` or `[api]` table.
#[derive(Debug)]
pub(crate) enum AnyProcess {
    /// A connector's.
    Connector(Box<ConnectorProcess>),
    /// A registrar's.
    Registrar(Box<RegistrarProcess>),
    /// An API's.
    Api(Box<ApiProcess>),
}

impl AnyProcess {
    /// Reads a file, whichever process it is for.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub(crate) fn read(file: &Path) -> Result<Self, ConfigError> {
        let tables: toml::Table = rollcall_chassis::config::load(file)?;
        if tables.contains_key("registrar") {
            rollcall_chassis::config::load(file).map(|config| Self::Registrar(Box::new(config)))
        } else if tables.contains_key("api") {
            rollcall_chassis::config::load(file).map(|config| Self::Api(Box::new(config)))
        } else {
            rollcall_chassis::config::load(file).map(|config| Self::Connector(Box::new(config)))
        }
    }

    /// The whole configuration with every default filled in, as TOML.
    ///
    /// # Errors
    /// If a value cannot be written as TOML.
    pub(crate) fn to_toml(&self) -> Result<String, toml::ser::Error> {
        match self {
            Self::Connector(config) => toml::to_string_pretty(config),
            Self::Registrar(config) => toml::to_string_pretty(config),
            Self::Api(config) => toml::to_string_pretty(config),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn sample(name: &str) -> (PathBuf, toml::Table) {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name);
        let table = rollcall_chassis::config::load(&file).expect(name);
        (file, table)
    }

    /// Every key that `print-config` would fill in stands in the sample, with that value.
    fn is_complete(name: &str) {
        let (file, written) = sample(name);
        let filled = AnyProcess::read(&file).expect(name).to_toml().expect("TOML");
        assert_eq!(written, filled.parse().expect("TOML"), "{name} must name every key");
    }

    #[test]
    fn the_samples_name_every_key() {
        is_complete("connector.toml");
        is_complete("registrar.toml");
        is_complete("api.toml");
    }

    #[test]
    fn the_samples_show_the_defaults() {
        let (_, connector) = sample("connector.toml");
        let limits = rollcall_connector::Config::default().limits;
        assert_eq!(connector["connector"]["limits"], toml::Value::try_from(limits).expect("TOML"));
        let (_, registrar) = sample("registrar.toml");
        let defaults = rollcall_registrar::Config::default();
        assert_eq!(registrar["registrar"], toml::Value::try_from(defaults).expect("TOML"));
        let (_, api) = sample("api.toml");
        let defaults = rollcall_api::Config::default();
        assert_eq!(api["api"]["limits"], toml::Value::try_from(defaults.limits).expect("TOML"));
    }

    #[test]
    fn credentials_come_whole_or_not_at_all() {
        let nats =
            |extra: &str| -> NatsTable { toml::from_str(&format!("url = \"nats://127.0.0.1:1\"\n{extra}")).expect("TOML") };
        assert!(nats("").to_config("x").is_ok());
        let half = nats("user = \"a\"").to_config("x").map(drop).expect_err("must be refused");
        assert!(half.to_string().contains("user together with password_file"), "{half}");
    }

    #[test]
    fn files_of_the_broker_are_their_owners_and_what_they_are_for() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let write = |name: &str, text: &str, mode: u32| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).expect("written");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("permissions");
            file.display().to_string()
        };
        let config = |table: String| -> Result<NatsConfig, String> {
            let nats: NatsTable = toml::from_str(&format!("url = \"nats://127.0.0.1:1\"\n{table}")).expect("TOML");
            nats.to_config("x").map_err(|error| format!("{error:#} {error:?}"))
        };
        let (open, own) = (write("open", "hunter2", 0o644), write("own", "hunter2\n", 0o600));
        for key in ["credentials_file", "user = \"ann\"\npassword_file"] {
            assert!(config(format!("{key} = \"{own}\"")).is_ok(), "{key}");
            let said = config(format!("{key} = \"{open}\"")).map(drop).expect_err("exposed");
            assert!(said.contains("chmod 600") && !said.contains("hunter2"), "{said}");
        }
        let key = "-----BEGIN PRIVATE KEY-----\\nc2VjcmV0c2VjcmV0\\n-----END PRIVATE KEY-----";
        let said = config(format!("ca_file = \"{}\"", write("ca.crt", key, 0o644))).map(drop).expect_err("a key");
        assert!(said.contains("ca.crt") && said.contains("line 1: its line breaks are written out"), "{said}");
        assert!(!said.contains("c2VjcmV0") && !said.contains("99, 50, 86"), "{said}");
    }

    #[test]
    fn credentials_come_from_files_and_the_environment_and_never_from_a_url() {
        let table = |text: &str| -> NatsTable { toml::from_str(text).expect("TOML") };
        let none = |_: &str| None;
        let refused = |text: &str, environment: &dyn Fn(&str) -> Option<String>| {
            let error = table(text).to_config_in("x", environment).map(drop).expect_err(text);
            format!("{error:#}")
        };
        let said = refused("url = \"nats://ann:secret@127.0.0.1:1\"", &none);
        assert!(said.contains("password_file") && said.contains("ROLLCALL_NATS_PASSWORD_FILE"), "{said}");
        assert!(said.contains("nats://127.0.0.1:1") && !said.contains("secret"), "{said}");
        let by_environment = |name: &str| (name == "ROLLCALL_NATS_URL").then(|| "nats://ann:secret@127.0.0.1:1".to_owned());
        let said = refused("url = \"nats://127.0.0.1:1\"", &by_environment);
        assert!(said.contains("carries credentials") && !said.contains("secret"), "{said}");
        let said = refused("url = \"nats://far:1\"", &none);
        assert!(said.contains("nats://far:1") && said.contains("allow_plaintext = true"), "{said}");
        assert!(table("url = \"nats://far:1\"\nallow_plaintext = true").to_config_in("x", none).is_ok());

        let password = |name: &str| (name == "ROLLCALL_NATS_PASSWORD").then(|| "secret".to_owned());
        let config = table("url = \"nats://127.0.0.1:1\"\nuser = \"ann\"").to_config_in("x", password).expect("taken");
        assert!(matches!(config.credentials, Credentials::User { name, password } if name == "ann" && password == "secret"));
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place_and_the_nearest() {
        let text = "data = \"d\"\n[nats]\nurl = \"u\"\n[connector.limits]\nconnection_max = 1\n";
        let error =
            rollcall_chassis::config::parse::<ConnectorProcess>(Path::new("c.toml"), text).expect_err("must be refused");
        let said = error.to_string();
        assert!(said.starts_with("c.toml:5:1: unknown field `connection_max`"), "{said}");
        assert!(said.ends_with("(did you mean `connections_max`?)"), "{said}");
    }
}
