//! Ed25519 keys (RFC 8032): what proves that a registrar has written a record, or that the API has given a command.
//!
//! Does not know what is signed, nor where keys are kept. Invariants: a private key is never shown (its `Debug` is
//! its id, its errors name no byte of it); a signature is made and checked over the exact bytes that it is given.

use std::{fmt, str::FromStr};

use aws_lc_rs::{
    encoding::AsBigEndian as _,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// What a public key's text begins with.
const PREFIX: &str = "ed25519:";
/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// Why a text is not a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not a private key in PKCS #8, or not one for Ed25519.
    #[error("this is no Ed25519 private key: make one as `rollcall pki` or `openssl genpkey -algorithm ed25519` does")]
    Private,
    /// Not the text of a public key.
    #[error("this is no public key: give `ed25519:` and the key's 32 bytes in base64, as `rollcall pki` prints it")]
    Public,
}

/// A private key. Whoever has it can do what it proves.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// Checks what a [`SigningKey`] has signed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

/// Names a key: the first eight bytes of SHA-256 over the public key; 16 hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 8]);

impl SigningKey {
    /// A new key, from the operating system's randomness.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    pub fn generate() -> Self {
        Self::of(Ed25519KeyPair::generate().expect("the operating system has randomness"))
    }

    /// Reads PKCS #8 in DER: what stands in the PEM of [`to_pem`](Self::to_pem) or `openssl genpkey -algorithm ed25519`.
    ///
    /// # Errors
    /// [`KeyError::Private`].
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        Ed25519KeyPair::from_pkcs8(der).map(Self::of).map_err(|_| KeyError::Private)
    }

    /// PKCS #8 in PEM: to be kept where only its owner reads it.
    ///
    /// # Panics
    /// Never: a key in memory can be written.
    pub fn to_pem(&self) -> Zeroizing<String> {
        let seed = self.pair.seed().and_then(|seed| seed.as_be_bytes()).expect("a key in memory has its seed");
        // RFC 8410 section 7: the same 16 bytes stand before every seed.
        let mut der = Zeroizing::new(vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20]);
        der.extend_from_slice(seed.as_ref());
        let body = Zeroizing::new(STANDARD.encode(&*der));
        Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", &*body))
    }

    /// Its other half.
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs the bytes.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.pair.sign(message).as_ref().try_into().expect("an Ed25519 signature has 64 bytes")
    }

    fn of(pair: Ed25519KeyPair) -> Self {
        let public = PublicKey(pair.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes"));
        Self { pair, public }
    }
}

impl PublicKey {
    /// Whether the holder of the private key has signed exactly these bytes.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(message, signature).is_ok()
    }

    pub fn id(&self) -> KeyId {
        let digest: [u8; 32] = Sha256::digest(self.0).into();
        let (first, _) = digest.split_at(8);
        KeyId(first.try_into().expect("eight bytes"))
    }

    /// The raw key, as RFC 8032 has it.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A raw key, as RFC 8032 has it. One that is no point of the curve verifies nothing.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(KeyError::Public)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| KeyError::Public)?;
        bytes.try_into().map(Self).map_err(|_| KeyError::Public)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD.encode(self.0))
    }
}

/// As its text.
impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        hex::decode(text).ok().and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(KeyError::Public)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn der(key: &SigningKey) -> Vec<u8> {
        STANDARD.decode(key.to_pem().lines().nth(1).unwrap()).unwrap()
    }

    #[test]
    fn what_is_signed_is_verified_and_nothing_else() {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let signature = key.sign(b"nine records");
        assert!(key.public().verifies(b"nine records", &signature));
        assert!(!key.public().verifies(b"ten records", &signature));
        assert!(!other.public().verifies(b"nine records", &signature));
        assert!(!key.public().verifies(b"nine records", &signature[..63]));
    }

    #[test]
    fn keys_are_read_back_from_their_texts() {
        let key = SigningKey::generate();
        let again = SigningKey::from_pkcs8(&der(&key)).unwrap();
        assert_eq!(again.public(), key.public());
        assert_eq!(key.public().to_string().parse(), Ok(key.public()));
        assert_eq!(key.public().id().to_string().parse(), Ok(key.public().id()));
    }

    #[test]
    fn f43_a_broken_key_file_is_refused_without_a_byte_of_it() {
        let der = der(&SigningKey::generate());
        for broken in [&der[1..], &der[..der.len() - 1], &[], &[0x30, 0x2e]] {
            assert_eq!(SigningKey::from_pkcs8(broken).unwrap_err(), KeyError::Private);
        }
        let shown = format!("{:?}", SigningKey::from_pkcs8(&der).unwrap());
        assert!(
            !shown.contains(&hex::encode(&der[16..20])) && !shown.contains(&STANDARD.encode(&der[16..])[..8]),
            "{shown}"
        );
        assert!("ed25519:AAAA".parse::<PublicKey>().is_err() && "rsa:AAAA".parse::<PublicKey>().is_err());
    }
}
