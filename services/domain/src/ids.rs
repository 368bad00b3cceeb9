//! Identifiers: checked once where they enter, then cheap to clone and safe to put into subjects and topics.
//!
//! Invariant: a value of one of these types holds 1 to its maximum of `[A-Za-z0-9_-]` and nothing else, so it can never
//! carry a topic level, a wildcard, a NATS token separator or a control character.

use std::{fmt, sync::Arc};

use sha2::{Digest, Sha256};

use crate::{limits, text};

/// Why a text is not an identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("{kind} is empty: give 1 to {max} of letters, digits, '_' and '-'")]
    Empty {
        /// What the text should have been.
        kind: &'static str,
        /// The most characters it may have.
        max: usize,
    },
    /// Longer than its limit.
    #[error("{kind} has {chars} characters: at most {max} are allowed")]
    TooLong {
        /// What the text should have been.
        kind: &'static str,
        /// How many characters it has.
        chars: usize,
        /// The most characters it may have.
        max: usize,
    },
    /// Holds something other than letters, digits, `_` and `-`.
    #[error("{kind} holds {character:?}: only letters, digits, '_' and '-' are allowed")]
    Character {
        /// What the text should have been.
        kind: &'static str,
        /// The first character that is not allowed.
        character: char,
    },
    /// Not of the one form that such a name has.
    #[error("this is no {kind}: give {form}")]
    Form {
        /// What the text should have been.
        kind: &'static str,
        /// What such a text looks like.
        form: &'static str,
    },
}

fn check(kind: &'static str, max: usize, value: &str) -> Result<(), IdError> {
    if value.is_empty() {
        return Err(IdError::Empty { kind, max });
    }
    let chars = value.chars().count();
    if chars > max {
        return Err(IdError::TooLong { kind, chars, max });
    }
    match value.chars().find(|c| !text::is_id(c.encode_utf8(&mut [0; 4]))) {
        Some(character) => Err(IdError::Character { kind, character }),
        None => Ok(()),
    }
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks length and characters.
            ///
            /// # Errors
            /// [`IdError`] says which rule the text breaks.
            pub fn parse(value: &str) -> Result<Self, IdError> {
                check($kind, $max, value)?;
                Ok(Self(value.into()))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(value: &str) -> Result<Self, IdError> {
                Self::parse(value)
            }
        }
    };
}

id!(/// One IoT platform instance.
    InstanceId, "instance id", limits::SHORT_ID_CHARS_MAX);
id!(/// A resource space (`app_id` in the v5 API).
    SpaceId, "resource space id", limits::SHORT_ID_CHARS_MAX);
id!(/// A product; unique within its resource space.
    ProductId, "product id", limits::SHORT_ID_CHARS_MAX);
id!(/// A topic policy.
    PolicyId, "policy id", limits::SHORT_ID_CHARS_MAX);
id!(/// A self-registration template.
    TemplateId, "template id", limits::SHORT_ID_CHARS_MAX);
id!(/// An uploaded CA certificate (`certificate_id` in the v5 API).
    CaId, "CA certificate id", limits::SHORT_ID_CHARS_MAX);
id!(/// A device; unique within its instance.
    DeviceId, "device id", limits::DEVICE_ID_CHARS_MAX);
id!(/// What the owner calls the physical device (serial number, MAC address, IMEI).
    NodeId, "node id", limits::NODE_ID_CHARS_MAX);
id!(/// One request, however often it is sent.
    RequestId, "request id", limits::REQUEST_ID_CHARS_MAX);
id!(/// One connector process, for as long as it runs.
    ConnectorId, "connector id", limits::REQUEST_ID_CHARS_MAX);
id!(/// One registrar process, for as long as it runs.
    RegistrarId, "registrar id", limits::REQUEST_ID_CHARS_MAX);

impl RequestId {
    /// The id of the certificate-connect event of one certificate: the same however often and wherever it connects.
    pub fn of_certificate(sha256: &[u8; 32]) -> Self {
        Self(format!("connect-{}", hex::encode(sha256)).into())
    }

    /// The id of the certificate-connect event of one certificate whose CONNECT claims a device: another request than
    /// the same certificate without the claim, or the one would get the other's ruling.
    pub fn of_claim(sha256: &[u8; 32], claimed: &DeviceId) -> Self {
        let claim = Sha256::digest(claimed.as_str());
        Self(format!("connect-{}-{}", hex::encode(sha256), hex::encode(&claim[..16])).into())
    }
}

/// Which of the instances that one id was ever given to: drawn at random when the instance is made, 16 bytes of a UUID.
///
/// What is proven for one incarnation says nothing of another: an instance that is deleted and made again under its old
/// id takes nothing of the old one's.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(pub [u8; 16]);

impl Incarnation {
    /// Of an instance whose record has none: it was made by version 1.
    pub const NIL: Self = Self([0; 16]);
}

impl fmt::Display for Incarnation {
    /// As RFC 9562 writes a UUID.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which log: the fleet's, or one instance's registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogId {
    /// Instances and operators.
    Fleet,
    /// The registry of one instance.
    Instance(InstanceId),
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fleet => f.write_str("fleet"),
            Self::Instance(id) => write!(f, "instance {id}"),
        }
    }
}

/// Sequence number of a record in its log. The first record has 1; 0 is "before the first".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl Position {
    /// Before the first record.
    pub const START: Self = Self(0);

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A certificate's fingerprint as an operator may give it: SHA-256 (64 hex digits) or SHA-1 (40), over the whole DER.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fingerprint {
    /// What Rollcall itself always pins.
    Sha256([u8; 32]),
    /// Only ever from an operator's pre-registration.
    Sha1([u8; 20]),
}

impl Fingerprint {
    /// Reads 64 or 40 hex digits, either case; `:` between bytes is allowed, as openssl prints it.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let bytes = hex::decode(digits).ok()?;
        match bytes.len() {
            32 => Some(Self::Sha256(bytes.try_into().ok()?)),
            20 => Some(Self::Sha1(bytes.try_into().ok()?)),
            _ => None,
        }
    }

    /// The raw digest: 32 or 20 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(bytes) => bytes,
            Self::Sha1(bytes) => bytes,
        }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.as_bytes()))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
