//! How a command reaches the broker: the same arguments for each command that opens the backbone.
//!
//! A process has the same in the `[nats]` table of its file, and both become one [`NatsConfig`](rollcall_log_nats::NatsConfig)
//! in one place: [`NatsTable::to_config`].

use std::path::PathBuf;

use clap::Args;

use crate::processes::config::NatsTable;

/// Where NATS is, who we are to it, and how many copies of each stream it keeps.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "NATS")]
pub(crate) struct NatsArguments {
    /// NATS server (2.15 or newer, JetStream on), `nats://host:port` or `tls://host:port`; several, with commas between, for a
    /// cluster
    #[arg(long = "nats", value_name = "URL", env = "ROLLCALL_NATS_URL")]
    pub(crate) url: Option<String>,
    /// User name, with --nats-password-file or ROLLCALL_NATS_PASSWORD
    #[arg(long = "nats-user", value_name = "NAME", env = "ROLLCALL_NATS_USER")]
    pub(crate) user: Option<String>,
    /// File that holds the user's password and nothing else
    #[arg(long = "nats-password-file", value_name = "FILE", env = "ROLLCALL_NATS_PASSWORD_FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// NATS credentials file (JWT and seed), instead of a user
    #[arg(long = "nats-credentials-file", value_name = "FILE", env = "ROLLCALL_NATS_CREDENTIALS_FILE")]
    pub(crate) credentials_file: Option<PathBuf>,
    /// PEM file with the authorities that the server's certificate may come from; given, TLS is required
    #[arg(long = "nats-ca-file", value_name = "FILE", env = "ROLLCALL_NATS_CA_FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// Copies of each stream; 3 in a cluster
    #[arg(long = "nats-replicas", value_name = "N", default_value_t = 1, env = "ROLLCALL_NATS_REPLICAS")]
    pub(crate) replicas: usize,
    /// Speak to a server on another machine without TLS: passwords and messages can be read on the way
    #[arg(long = "nats-allow-plaintext", env = "ROLLCALL_NATS_ALLOW_PLAINTEXT")]
    pub(crate) allow_plaintext: bool,
}

impl NatsArguments {
    /// As a process's file would say it; `None` without a URL.
    pub(crate) fn to_table(&self) -> Option<NatsTable> {
        Some(NatsTable {
            url: self.url.clone()?,
            credentials_file: self.credentials_file.clone(),
            user: self.user.clone(),
            password_file: self.password_file.clone(),
            ca_file: self.ca_file.clone(),
            allow_plaintext: self.allow_plaintext,
            replicas: self.replicas,
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        nats: NatsArguments,
    }

    #[test]
    fn every_argument_reaches_the_configuration() {
        let arguments = [
            "x",
            "--nats",
            "nats://far:4222",
            "--nats-user",
            "ann",
            "--nats-password-file",
            "password",
            "--nats-ca-file",
            "ca.crt",
            "--nats-replicas",
            "3",
            "--nats-allow-plaintext",
        ];
        let table = Command::parse_from(arguments).nats.to_table().expect("a URL");
        let written = toml::to_string(&table).expect("TOML");
        let expected = "url = \"nats://far:4222\"\nuser = \"ann\"\npassword_file = \"password\"\nca_file = \"ca.crt\"\n\
                        allow_plaintext = true\nreplicas = 3\n";
        assert_eq!(written, expected);
        let credentials = Command::parse_from(["x", "--nats", "n", "--nats-credentials-file", "c"]).nats.to_table();
        assert_eq!(credentials.expect("a URL").credentials_file.as_deref(), Some("c".as_ref()));
        assert!(Command::parse_from(["x"]).nats.to_table().is_none());
    }
}
