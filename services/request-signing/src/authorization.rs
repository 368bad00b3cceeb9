//! The `Authorization` header of a signed request: which algorithm, whose key, which headers, which signature.

use crate::error::SigningError;

/// Longest header that is read, characters. The SDK's has some 250.
pub(crate) const AUTHORIZATION_CHARS_MAX: usize = 4096;
/// Longest access key id, characters.
pub(crate) const ACCESS_KEY_CHARS_MAX: usize = 64;
/// Most headers that a request may sign. The SDK signs at most nine.
pub(crate) const SIGNED_HEADERS_MAX: usize = 64;

/// Longest region in a credential, characters; any region will do, because the client chose it.
const REGION_CHARS_MAX: usize = 64;
/// The service in a credential, the only one that is served here.
const SERVICE: &str = "iotdm";
/// A signature is an HMAC-SHA256.
const SIGNATURE_BYTES: usize = 32;

/// How a request was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// With the secret itself.
    SdkHmacSha256,
    /// With a key derived from the secret for a day, a region and a service.
    V11HmacSha256(Scope),
}

/// The scope of a derived key: `yyyyMMdd/region/iotdm`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    text: String,
}

impl Scope {
    /// As it was sent.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn date(&self) -> &str {
        self.text.split('/').next().unwrap_or_default()
    }
}

/// The claim of a signature, before it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    algorithm: Algorithm,
    access_key: String,
    signed_headers: Vec<String>,
    signature: [u8; SIGNATURE_BYTES],
}

impl Credentials {
    /// Reads an `Authorization` header.
    ///
    /// # Errors
    /// [`SigningError::Malformed`] with what is wrong; it never repeats what was sent.
    pub fn parse(authorization: &str) -> Result<Self, SigningError> {
        let malformed = SigningError::Malformed;
        if authorization.len() > AUTHORIZATION_CHARS_MAX {
            return Err(malformed("it is too long"));
        }
        let (name, rest) = authorization.trim().split_once(' ').ok_or(malformed("nothing follows the algorithm"))?;
        let fields = fields(rest)?;
        let (algorithm, access_key) = match (name, fields.key) {
            ("SDK-HMAC-SHA256", Key::Access(key)) => (Algorithm::SdkHmacSha256, key),
            ("V11-HMAC-SHA256", Key::Credential(credential)) => {
                let (key, scope) = credential.split_once('/').ok_or(malformed("Credential has no date"))?;
                (Algorithm::V11HmacSha256(scope_of(scope)?), key)
            }
            ("SDK-HMAC-SHA256", Key::Credential(_)) => return Err(malformed("SDK-HMAC-SHA256 needs Access=")),
            ("V11-HMAC-SHA256", Key::Access(_)) => return Err(malformed("V11-HMAC-SHA256 needs Credential=")),
            (_, Key::Access(_) | Key::Credential(_)) => return Err(malformed("the algorithm is not known")),
        };
        if !is_word(access_key, ACCESS_KEY_CHARS_MAX) {
            return Err(malformed("the access key is not one"));
        }
        let mut signature = [0; SIGNATURE_BYTES];
        hex::decode_to_slice(fields.signature, &mut signature).map_err(|_| malformed("Signature is not 64 hex digits"))?;
        Ok(Self {
            algorithm,
            access_key: access_key.to_owned(),
            signed_headers: signed_headers(fields.signed_headers)?,
            signature,
        })
    }

    pub(crate) fn algorithm(&self) -> &Algorithm {
        &self.algorithm
    }

    /// The id of the key whose secret the signature is to be verified with.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// Names of the headers under the signature, in lower case and in the order in which they were signed.
    pub(crate) fn signed_headers(&self) -> &[String] {
        &self.signed_headers
    }

    pub(crate) fn signature(&self) -> &[u8] {
        &self.signature
    }
}

enum Key<'a> {
    Access(&'a str),
    Credential(&'a str),
}

struct Fields<'a> {
    key: Key<'a>,
    signed_headers: &'a str,
    signature: &'a str,
}

fn fields(text: &str) -> Result<Fields<'_>, SigningError> {
    let (mut key, mut headers, mut signature) = (None, None, None);
    for field in text.split(',') {
        let (name, value) = field.trim().split_once('=').ok_or(SigningError::Malformed("a field has no value"))?;
        let is_first = match name {
            "Access" => key.replace(Key::Access(value)).is_none(),
            "Credential" => key.replace(Key::Credential(value)).is_none(),
            "SignedHeaders" => headers.replace(value).is_none(),
            "Signature" => signature.replace(value).is_none(),
            _ => return Err(SigningError::Malformed("a field is not known")),
        };
        if !is_first {
            return Err(SigningError::Malformed("a field is repeated"));
        }
    }
    match (key, headers, signature) {
        (Some(key), Some(signed_headers), Some(signature)) => Ok(Fields { key, signed_headers, signature }),
        (None, _, _) => Err(SigningError::Malformed("the access key is missing")),
        (_, None, _) => Err(SigningError::Malformed("SignedHeaders is missing")),
        (_, _, None) => Err(SigningError::Malformed("Signature is missing")),
    }
}

fn scope_of(text: &str) -> Result<Scope, SigningError> {
    let mut parts = text.split('/');
    let (Some(date), Some(region), Some(service), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(SigningError::Malformed("Credential is not key/date/region/service"));
    };
    let is_date = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
    if !is_date || !is_word(region, REGION_CHARS_MAX) {
        return Err(SigningError::Malformed("Credential's date or region is not one"));
    }
    if service != SERVICE {
        return Err(SigningError::Malformed("Credential is for another service than iotdm"));
    }
    Ok(Scope { text: text.to_owned() })
}

fn signed_headers(text: &str) -> Result<Vec<String>, SigningError> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split(';') {
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_name {
            return Err(SigningError::Malformed("SignedHeaders is not a list of lower-case names"));
        }
        if names.len() == SIGNED_HEADERS_MAX {
            return Err(SigningError::Malformed("SignedHeaders has too many names"));
        }
        if names.iter().any(|known| known == name) {
            return Err(SigningError::Malformed("SignedHeaders repeats a name"));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn is_word(text: &str, chars_max: usize) -> bool {
    let fits = (1..=chars_max).contains(&text.len());
    fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
