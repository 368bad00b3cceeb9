//! The keys that prove registry logs, as processes are configured with them: a registrar reads its private key from a file;
//! every process lists the public keys as text.
//!
//! It does not verify anything: [`rollcall_log::seal`] does.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rollcall_chassis::{entropy::SystemEntropy, pem, secret_file};
use rollcall_log::{
    seal::SealKeys,
    signing::{PublicKey, SigningKey},
};
use serde::{Deserialize, Serialize};

/// Longest file that is read, bytes: PEM of an Ed25519 key and some comments.
const FILE_BYTES_MAX: usize = 4096;
/// Where `rollcall up` keeps the key, in its data folder.
const KEY: &str = "registrar.key";
/// Public keys that were in use before, in the same folder: oldest first, one a line.
const EARLIER: &str = "registrar.keys";

/// How a process tells registrars' records from others: the `[log]` table of connectors and APIs.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogTable {
    /// The registrars' public keys, oldest first, as `rollcall pki registrar-key` prints them. A key that was in use once
    /// stays listed. None: nothing can be proven, and everything that stands in a log is taken for a registrar's.
    pub(crate) registrar_keys: Vec<PublicKey>,
}

/// How a registrar seals: its `[log]` table.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegistrarLogTable {
    /// The private key that this fleet's registrars share; only its owner may have access to the file.
    pub(crate) registrar_key_file: PathBuf,
    /// As for connectors and APIs; the public half of the private key need not be listed.
    #[serde(default)]
    pub(crate) registrar_keys: Vec<PublicKey>,
}

impl LogTable {
    pub(crate) fn keys(&self) -> SealKeys {
        self.registrar_keys.iter().copied().collect()
    }
}

impl RegistrarLogTable {
    /// The private key, and all public ones.
    ///
    /// # Errors
    /// A file that cannot be read, that others have access to, or that holds something else.
    pub(crate) fn read(&self) -> anyhow::Result<(SigningKey, SealKeys)> {
        let key = read(&self.registrar_key_file)?;
        let keys = with_own(&self.registrar_keys, &key);
        Ok((key, keys))
    }
}

/// The key of a data folder, made at the first start, and its public half.
///
/// # Errors
/// A file that cannot be read or made, that others have access to, or that holds something else.
pub(crate) fn open_or_make(data: &Path) -> anyhow::Result<(SigningKey, SealKeys)> {
    let file = data.join(KEY);
    let made = || SigningKey::generate().to_pem();
    let text = secret_file::read_or_make(&file, FILE_BYTES_MAX, &SystemEntropy, made)?;
    let key = parsed(&file, &text)?;
    let keys = with_own(&earlier(data)?, &key);
    Ok((key, keys))
}

/// The key that was made in a data folder.
///
/// # Errors
/// As for [`open_or_make`]; also if none was made there.
pub(crate) fn existing_in_data_folder(data: &Path) -> anyhow::Result<SigningKey> {
    read(&data.join(KEY)).context("give the registrar's key with --key-file")
}

/// The public keys for a tool: those that are named, or else that of the data folder, if one was made there.
///
/// # Errors
/// As for [`open_or_make`].
pub(crate) fn for_tool(named: &[PublicKey], data: &Path) -> anyhow::Result<SealKeys> {
    let file = data.join(KEY);
    if named.is_empty() && file.exists() {
        return Ok(with_own(&earlier(data)?, &read(&file)?));
    }
    Ok(named.iter().copied().collect())
}

fn earlier(data: &Path) -> anyhow::Result<Vec<PublicKey>> {
    let file = data.join(EARLIER);
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    let lines = (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty());
    lines.map(|(number, line)| line.parse().with_context(|| format!("{}:{number}", file.display()))).collect()
}

/// Reads a private key.
///
/// # Errors
/// A file that cannot be read, that others have access to, or that holds something else.
pub(crate) fn read(file: &Path) -> anyhow::Result<SigningKey> {
    parsed(file, &secret_file::read(file, FILE_BYTES_MAX)?)
}

fn parsed(file: &Path, text: &[u8]) -> anyhow::Result<SigningKey> {
    let holds = || format!("{} holds no registrar's key", file.display());
    let key = pem::private_key(text).with_context(holds)?;
    SigningKey::from_pkcs8(key.secret_der()).with_context(holds)
}

fn with_own(listed: &[PublicKey], key: &SigningKey) -> SealKeys {
    let own = Some(key.public()).filter(|own| !listed.contains(own));
    listed.iter().copied().chain(own).collect()
}
