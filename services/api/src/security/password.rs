//! Passwords of operators: the rule for them, hashing, verifying, and generating one.
//!
//! Argon2id with the pepper as its key: a hash alone, out of the log, cannot be tried. Invariant: verifying takes the same time
//! whether the operator exists or not, and says no more than yes or no.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use base64::{Engine as _, engine::general_purpose};
use rollcall_chassis::entropy::Entropy;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::randomness::bytes_32;

/// Shortest password, characters.
pub(crate) const PASSWORD_CHARS_MIN: usize = 12;
/// Longest password, characters.
pub(crate) const PASSWORD_CHARS_MAX: usize = 128;
/// Memory of one hash, KiB; with the two below what OWASP's cheat sheet on password storage gives for Argon2id.
pub(crate) const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over it.
pub(crate) const PASSES: u32 = 2;
/// Argon2's lanes: the threads that one hash could use.
pub(crate) const LANES: u32 = 1;

/// Longest text that is taken for a stored hash, characters.
const HASH_CHARS_MAX: usize = 256;
const SALT_BYTES: usize = 16;
/// The salt that is hashed with where an operator does not exist; it is no secret.
const DUMMY_SALT: [u8; SALT_BYTES] = [0; SALT_BYTES];
/// Generated passwords have six random bits in each of 24 characters.
const GENERATED_BYTES: usize = 18;

/// Why there is no hash of a password.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    /// Against the rule.
    #[error("a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")]
    Length,
    /// Not the operator's fault: no memory, as a rule.
    #[error("the password cannot be hashed: {0}")]
    Hashing(String),
}

/// The key that passwords are hashed with.
pub(crate) struct Pepper(Zeroizing<[u8; 32]>);

impl Pepper {
    pub(super) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// The PHC string to be kept for a new password. Takes tens of milliseconds and 19 MiB: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`PasswordError`].
    pub(crate) fn hash(&self, password: &SecretString, entropy: &dyn Entropy) -> Result<String, PasswordError> {
        if !is_allowed(password) {
            return Err(PasswordError::Length);
        }
        self.hash_with(password, &bytes_32(entropy)[..SALT_BYTES])
    }

    /// Whether `password` is the one of `hash`, a PHC string that [`Pepper::hash`] made; `None` for an operator that does
    /// not exist, which takes as long. `false` too for a text that is no such hash. As slow as [`Pepper::hash`].
    pub(crate) fn verify(&self, password: &SecretString, hash: Option<&str>) -> bool {
        // No operator has such a password, and a long one is not worth a hash.
        if !is_allowed(password) {
            return false;
        }
        let stored = hash.filter(|text| text.len() <= HASH_CHARS_MAX).and_then(|text| PasswordHash::new(text).ok());
        match (stored.filter(is_affordable), self.argon2()) {
            (Some(stored), Ok(argon2)) => argon2.verify_password(password.expose_secret().as_bytes(), &stored).is_ok(),
            (None, _) | (_, Err(_)) => {
                // The result is thrown away: only the time matters.
                drop(self.hash_with(password, &DUMMY_SALT));
                false
            }
        }
    }

    fn hash_with(&self, password: &SecretString, salt: &[u8]) -> Result<String, PasswordError> {
        let failed = |error: &dyn std::fmt::Display| PasswordError::Hashing(error.to_string());
        let argon2 = self.argon2().map_err(|error| failed(&error))?;
        let hash = argon2.hash_password_with_salt(password.expose_secret().as_bytes(), salt);
        hash.map(|hash| hash.to_string()).map_err(|error| failed(&error))
    }

    fn argon2(&self) -> argon2::Result<Argon2<'_>> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
        Argon2::new_with_secret(&self.0[..], Algorithm::Argon2id, Version::V0x13, params)
    }
}

/// Parameters out of a log are not to decide how much memory and time is taken.
fn is_affordable(hash: &PasswordHash) -> bool {
    Params::try_from(hash)
        .is_ok_and(|params| params.m_cost() <= MEMORY_KIB && params.t_cost() <= PASSES && params.p_cost() <= LANES)
}

/// Whether a password is within the rule: its length alone, in characters.
pub(crate) fn is_allowed(password: &SecretString) -> bool {
    let characters = password.expose_secret().chars().take(PASSWORD_CHARS_MAX + 1).count();
    (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&characters)
}

/// A random password: 24 characters of `A-Za-z0-9-_`.
pub(crate) fn generate(entropy: &dyn Entropy) -> SecretString {
    general_purpose::URL_SAFE_NO_PAD.encode(&bytes_32(entropy)[..GENERATED_BYTES]).into()
}

#[cfg(test)]
mod tests {
    use rollcall_chassis::entropy::{CountingEntropy, SystemEntropy};

    use super::*;

    const PASSWORD: &str = "correct horse battery";

    fn pepper(byte: u8) -> Pepper {
        Pepper::new(Zeroizing::new([byte; 32]))
    }

    fn hash(password: &str) -> Result<String, PasswordError> {
        pepper(1).hash(&password.into(), &CountingEntropy::seeded(1))
    }

    #[test]
    fn a_password_is_known_again_with_its_pepper_only() {
        let hash = hash(PASSWORD).expect("a hash");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(pepper(1).verify(&PASSWORD.into(), Some(&hash)));
        assert!(!pepper(1).verify(&"correct horse batterz".into(), Some(&hash)));
        assert!(!pepper(2).verify(&PASSWORD.into(), Some(&hash)));
    }

    /// What docs/operate/security.md says: the log with its hashes is no place to try guesses at. Without a key, as any cracker
    /// would, and with keys that are not the one, the right password is as wrong as any other.
    #[test]
    fn a_hash_out_of_the_log_verifies_nothing_without_the_master_key() {
        let stored = hash(PASSWORD).expect("a hash");
        let parsed = PasswordHash::new(&stored).expect("a PHC string");
        let unkeyed =
            Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(MEMORY_KIB, PASSES, LANES, None).expect("fits"));
        assert!(unkeyed.verify_password(PASSWORD.as_bytes(), &parsed).is_err(), "a guess can be tried without the key");
        for key in [0, 2, 255] {
            assert!(!pepper(key).verify(&PASSWORD.into(), Some(&stored)));
        }
        assert!(pepper(1).verify(&PASSWORD.into(), Some(&stored)));
    }

    #[test]
    fn one_password_has_another_hash_each_time() {
        let hash = || pepper(1).hash(&PASSWORD.into(), &SystemEntropy).expect("a hash");
        assert_ne!(hash(), hash());
    }

    #[test]
    fn nobody_and_nonsense_are_refused_without_an_error() {
        let long = "x".repeat(HASH_CHARS_MAX + 1);
        let greedy = hash(PASSWORD).expect("a hash").replace("m=19456", "m=4000000");
        let plain = "$argon2id$v=19$m=19456,t=2,p=1$AAAA";
        for stored in [None, Some(""), Some("nonsense"), Some(plain), Some(&*long), Some(&*greedy)] {
            assert!(!pepper(1).verify(&PASSWORD.into(), stored), "{stored:?}");
        }
    }

    #[test]
    fn twelve_to_a_hundred_and_twenty_eight_characters_are_allowed() {
        for (password, allowed) in [
            ("\u{7535}".repeat(PASSWORD_CHARS_MIN), true),
            ("x".repeat(PASSWORD_CHARS_MIN - 1), false),
            ("\u{7535}".repeat(PASSWORD_CHARS_MAX), true),
            ("x".repeat(PASSWORD_CHARS_MAX + 1), false),
        ] {
            assert_eq!(is_allowed(&password.clone().into()), allowed, "{password}");
        }
        assert!(matches!(hash("short"), Err(PasswordError::Length)));
    }

    #[test]
    fn a_made_password_is_allowed_and_never_the_same() {
        let make = || generate(&SystemEntropy).expose_secret().to_owned();
        assert_eq!(make().len(), 24);
        assert!(is_allowed(&make().into()));
        assert_ne!(make(), make());
    }
}
