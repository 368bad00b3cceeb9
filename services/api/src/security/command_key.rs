//! The key that commands are proven with: in a file of its own, which only API processes have.
//!
//! Does not sign: [`rollcall_log::proof`] does. Unlike the [master key](super::master_key) it is not made where it is
//! missing: a key that no registrar knows proves nothing, and an administrator has to give registrars its public half.

use std::path::{Path, PathBuf};

use rollcall_chassis::{
    entropy::Entropy,
    pem::{self, PemError},
    secret_file::{self, SecretFileError},
};
use rollcall_log::signing::{KeyError, SigningKey};

/// Longest file that is read, bytes: PEM of an Ed25519 key and some comments.
const FILE_BYTES_MAX: usize = 4096;

/// Why there is no command key.
#[derive(Debug, thiserror::Error)]
pub enum CommandKeyError {
    #[error(transparent)]
    File(#[from] SecretFileError),
    #[error("{file} holds no command key")]
    Pem {
        file: PathBuf,
        #[source]
        source: PemError,
    },
    /// A private key of another kind.
    #[error("{file} holds no command key")]
    Content {
        file: PathBuf,
        #[source]
        source: KeyError,
    },
}

/// Reads the key.
///
/// # Errors
/// [`CommandKeyError`]; also if the file is not there.
pub fn read(file: &Path) -> Result<SigningKey, CommandKeyError> {
    parsed(file, &secret_file::read(file, FILE_BYTES_MAX)?)
}

/// Reads the key, or makes one where there is none: for a process that runs the registrar too.
///
/// # Errors
/// [`CommandKeyError`].
pub fn read_or_make(file: &Path, entropy: &dyn Entropy) -> Result<SigningKey, CommandKeyError> {
    let made = || SigningKey::generate().to_pem();
    parsed(file, &secret_file::read_or_make(file, FILE_BYTES_MAX, entropy, made)?)
}

fn parsed(file: &Path, text: &[u8]) -> Result<SigningKey, CommandKeyError> {
    let key = pem::private_key(text).map_err(|source| CommandKeyError::Pem { file: file.to_owned(), source })?;
    SigningKey::from_pkcs8(key.secret_der()).map_err(|source| CommandKeyError::Content { file: file.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use rollcall_chassis::entropy::SystemEntropy;

    use super::*;

    #[test]
    fn a_command_key_is_its_owners_alone_and_is_not_made_by_reading() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("api/command.key");
        assert!(matches!(read(&file), Err(CommandKeyError::File(_))) && !file.exists());
        let made = read_or_make(&file, &SystemEntropy).expect("made").public();
        assert_eq!(read_or_make(&file, &SystemEntropy).expect("read").public(), made);
        assert_eq!(read(&file).expect("read").public(), made);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("permissions");
        assert!(read(&file).expect_err("exposed").to_string().contains("chmod 600"));
    }

    #[test]
    fn f43_a_file_that_holds_another_key_is_named_and_not_quoted() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("command.key");
        std::fs::write(&file, "-----BEGIN PRIVATE KEY-----c2VjcmV0-----END PRIVATE KEY-----").expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("permissions");
        let error = read(&file).expect_err("no key");
        let said = format!("{error} {error:?}");
        assert!(said.contains("command.key") && !said.contains("c2VjcmV0"), "{said}");
    }
}
