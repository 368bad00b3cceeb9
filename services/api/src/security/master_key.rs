//! The master key of an API, from which every other secret is derived: secrets of access keys, the key that tokens are signed
//! with and cookies of sessions are coded with, the pepper of passwords.
//!
//! None of them has to be stored: a reader of the log or a view learns no secret, and several API processes share one file only.
//! The price: with another master key every access key and token is void. Invariant: the key is in memory once, wiped when
//! dropped, and in no `Debug`.

use std::path::{Path, PathBuf};

use base64::{Engine as _, engine::general_purpose};
use rollcall_chassis::{
    entropy::Entropy,
    secret_file::{self, SecretFileError},
};
use rollcall_request_signing::keyed_hash::code;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::{password::Pepper, randomness::bytes_32, sessions::SessionKey, token::TokenKey};

/// Length of the key, bytes.
pub(crate) const KEY_BYTES: usize = 32;
/// Length of an access key's secret, characters.
pub(crate) const ACCESS_SECRET_CHARS: usize = 40;

/// Longest file that is read, bytes: the key in hexadecimal and some white space.
const FILE_BYTES_MAX: usize = 256;

/// Labels of the derived secrets. No label is the beginning of another, since a name follows some of them.
const ACCESS_SECRET: &[u8] = b"rollcall access secret v1\0";
const TOKEN_KEY: &[u8] = b"rollcall token key v1\0";
const SESSION_KEY: &[u8] = b"rollcall session key v1\0";
const PEPPER: &[u8] = b"rollcall password pepper v1\0";

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// Not a key: too short, too long or neither hexadecimal nor base64.
    #[error("the master key {file} must hold {KEY_BYTES} bytes in hexadecimal or base64")]
    Content { file: PathBuf },
}

pub struct MasterKey(Zeroizing<[u8; KEY_BYTES]>);

impl MasterKey {
    /// Reads the key in `file`, or makes one there. Two processes that start at once get the same.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub fn open_or_make(file: &Path, entropy: &dyn Entropy) -> Result<Self, MasterKeyError> {
        let made = || Zeroizing::new(format!("{}\n", Zeroizing::new(hex::encode(&bytes_32(entropy)[..])).as_str()));
        let text = secret_file::read_or_make(file, FILE_BYTES_MAX, entropy, made)?;
        decoded(&text).map(Self).ok_or_else(|| MasterKeyError::Content { file: file.to_owned() })
    }

    /// The secret of an access key: [`ACCESS_SECRET_CHARS`] characters of `A-Za-z0-9-_`. The same each time.
    pub fn access_secret(&self, access_key: &str) -> SecretString {
        let derived = Zeroizing::new(code(&self.0[..], &[ACCESS_SECRET, access_key.as_bytes()]));
        // Three bytes are four characters, without padding.
        general_purpose::URL_SAFE_NO_PAD.encode(&derived[..ACCESS_SECRET_CHARS / 4 * 3]).into()
    }

    pub(crate) fn token_key(&self) -> TokenKey {
        TokenKey::new(Zeroizing::new(code(&self.0[..], &[TOKEN_KEY])))
    }

    pub(crate) fn session_key(&self) -> SessionKey {
        SessionKey::new(Zeroizing::new(code(&self.0[..], &[SESSION_KEY])))
    }

    pub(crate) fn pepper(&self) -> Pepper {
        Pepper::new(Zeroizing::new(code(&self.0[..], &[PEPPER])))
    }
}

fn decoded(text: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let text = text.trim_ascii();
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    if hex::decode_to_slice(text, &mut key[..]).is_ok() {
        return Some(key);
    }
    let bytes = [general_purpose::STANDARD, general_purpose::URL_SAFE_NO_PAD]
        .iter()
        .find_map(|engine| engine.decode(text).ok().map(Zeroizing::new))?;
    if bytes.len() != KEY_BYTES {
        return None;
    }
    key.copy_from_slice(&bytes);
    Some(key)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use rollcall_chassis::entropy::{CountingEntropy, SystemEntropy};
    use secrecy::ExposeSecret as _;

    use super::*;

    fn written(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("master.key");
        std::fs::write(&file, text).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).expect("permissions");
        (folder, file)
    }

    fn opened(file: &Path) -> Result<MasterKey, MasterKeyError> {
        MasterKey::open_or_make(file, &CountingEntropy::seeded(1))
    }

    fn refusal(file: &Path) -> String {
        opened(file).err().expect("must be refused").to_string()
    }

    #[test]
    fn a_key_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("secrets/master.key");
        let secret = || {
            let key = MasterKey::open_or_make(&file, &SystemEntropy).expect("a key");
            key.access_secret("AK1").expose_secret().to_owned()
        };
        assert_eq!(secret(), secret(), "a second start must find what the first made");
        assert_eq!(std::fs::metadata(&file).expect("the file").permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path().join("secrets")).expect("the folder").count(), 1);
    }

    #[test]
    fn every_secret_is_of_its_own_and_the_same_each_time() {
        let (_folder, file) = written(&"0f".repeat(KEY_BYTES), 0o600);
        let key = opened(&file).expect("a key");
        let secret = |name: &str| key.access_secret(name).expose_secret().to_owned();
        assert_eq!(secret("AK1"), "lDVrSK2AmKuFwotf_ZPKbhNQWO208X_97UziuZdK");
        assert_ne!(secret("AK1"), secret("AK2"));
        assert_eq!(secret("AK1").len(), ACCESS_SECRET_CHARS);
        let (_folder, other) = written(&"f0".repeat(KEY_BYTES), 0o600);
        assert_ne!(secret("AK1"), opened(&other).expect("a key").access_secret("AK1").expose_secret());
    }

    #[test]
    fn a_key_may_be_hexadecimal_or_base64() {
        let secrets: Vec<String> = [
            format!("{}\n", "FF".repeat(KEY_BYTES)),
            general_purpose::STANDARD.encode([0xff; KEY_BYTES]),
            general_purpose::URL_SAFE_NO_PAD.encode([0xff; KEY_BYTES]),
        ]
        .iter()
        .map(|text| {
            let (_folder, file) = written(text, 0o400);
            opened(&file).expect(text).access_secret("AK1").expose_secret().to_owned()
        })
        .collect();
        assert!(secrets.iter().all(|secret| *secret == secrets[0]), "{secrets:?}");
    }

    #[test]
    fn a_key_that_is_no_key_or_that_others_can_read_is_refused() {
        for text in ["", "secret", &"0f".repeat(KEY_BYTES - 1), &"0f".repeat(KEY_BYTES + 1)] {
            let (_folder, file) = written(text, 0o600);
            assert!(refusal(&file).contains("must hold 32 bytes"), "{text}");
        }
        let (_folder, file) = written(&"0f".repeat(4096), 0o600);
        assert!(refusal(&file).contains("more than 256 bytes"));
        for mode in [0o644, 0o640, 0o604, 0o620] {
            let (_folder, file) = written(&"0f".repeat(KEY_BYTES), mode);
            let said = refusal(&file);
            assert!(said.contains("chmod 600") && said.contains(&format!("{mode:o}")), "{said}");
        }
    }

    #[test]
    fn processes_that_start_at_once_have_one_key() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("master.key");
        let secrets: Vec<String> = std::thread::scope(|scope| {
            let start = || MasterKey::open_or_make(&file, &SystemEntropy).expect("a key").access_secret("AK1");
            let started: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            started.into_iter().map(|one| one.join().expect("joined").expose_secret().to_owned()).collect()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0]));
    }
}
