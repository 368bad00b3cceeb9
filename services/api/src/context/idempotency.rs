//! `Idempotency-Key`: what makes a request that is sent again the same request, and another one under its key a mistake.
//!
//! A key is its operator's, in one log: the same key of another operator, or in another instance, is another. By which address of the
//! API a request comes makes no difference. Nothing is stored for it: the hashes are in the id under which the change stands in
//! its log, and a view knows an id for a week. Invariant: what was refused stands nowhere, so that it binds nothing.

use axum::http::HeaderMap;
use rollcall_domain::ids::RequestId;
use sha2::{Digest, Sha256};

use crate::http::{codes::Code, error::ApiError};

const IDEMPOTENCY_HEADER: &str = "idempotency-key";
/// Characters of a key.
const IDEMPOTENCY_CHARS_MAX: usize = 128;
/// Bytes of each of the two hashes, so that both fit into a request's id.
const HASH_BYTES: usize = 16;
/// What the ids of requests of this process begin with.
const ID_PREFIX: &str = "api-";

/// `None`: the request came without a key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Idempotency(Option<Keyed>);

#[derive(Clone, Debug)]
struct Keyed {
    /// Over the operator and the key, in hexadecimal.
    key: String,
    /// Over the request, and the key, so that nobody who reads the log can try what the body was; in hexadecimal.
    request: String,
}

impl Idempotency {
    /// Reads the key; `request` is everything that tells one request of an operator in one log from another.
    ///
    /// # Errors
    /// [`Code::InvalidInput`]: the key is empty, too long or not printable ASCII.
    pub(crate) fn of(headers: &HeaderMap, operator: &str, request: &[&[u8]]) -> Result<Self, ApiError> {
        let Some(key) = headers.get(IDEMPOTENCY_HEADER) else { return Ok(Self(None)) };
        let good = key.to_str().is_ok_and(|key| (1..=IDEMPOTENCY_CHARS_MAX).contains(&key.len()));
        if !good {
            let rule = format!("give 1 to {IDEMPOTENCY_CHARS_MAX} printable ASCII characters");
            return Err(ApiError::invalid("Idempotency-Key", rule));
        }
        let whose: [&[u8]; 2] = [operator.as_bytes(), key.as_bytes()];
        Ok(Self(Some(Keyed { key: hash(&whose), request: hash(&[&whose, request].concat()) })))
    }

    pub(super) const fn is_given(&self) -> bool {
        self.0.is_some()
    }

    /// The same whenever the same request comes with the same key; 64 hexadecimal digits.
    pub(super) fn request_text(&self) -> Option<String> {
        self.0.as_ref().map(|keyed| format!("{}{}", keyed.key, keyed.request))
    }

    /// The same whenever any request comes with the same key; 32 hexadecimal digits.
    pub(super) fn key_text(&self) -> Option<String> {
        self.0.as_ref().map(|keyed| keyed.key.clone())
    }

    /// The id of the request's `n`th change: the same at each sending. `None` without a key.
    pub(super) fn request_id(&self, n: usize) -> Option<RequestId> {
        let text = format!("{ID_PREFIX}{}-{n}", self.request_text()?);
        Some(RequestId::parse(&text).expect("hex digits and dashes, within the length of a request id"))
    }

    /// Checks that the key was not used for another request. `first_from` finds the first request at or after a text of which a
    /// change stands in the log.
    ///
    /// # Errors
    /// [`Code::IdempotencyKeyUsed`].
    pub(super) fn require_unused(&self, first_from: impl FnOnce(&str) -> Option<RequestId>) -> Result<(), ApiError> {
        let Some(keyed) = &self.0 else { return Ok(()) };
        let of_key = format!("{ID_PREFIX}{}", keyed.key);
        let found = first_from(&of_key).filter(|found| found.as_str().starts_with(&of_key));
        if found.is_none_or(|found| found.as_str().starts_with(&format!("{of_key}{}", keyed.request))) {
            return Ok(());
        }
        let text =
            "Idempotency-Key: the key was used for another request within a week: send this one with a key of its own";
        Err(ApiError::new(Code::IdempotencyKeyUsed, text))
    }
}

/// Each part is hashed behind its length, so that two lists of parts never hash alike.
fn hash(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let hash = hasher.finalize();
    hex::encode(hash.get(..HASH_BYTES).unwrap_or_default())
}
