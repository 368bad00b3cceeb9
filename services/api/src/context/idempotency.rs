//! `Idempotency-Key`: what makes a request that is sent again the same request.

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};

use crate::http::error::ApiError;

const IDEMPOTENCY_HEADER: &str = "idempotency-key";
/// Characters of a key.
const IDEMPOTENCY_CHARS_MAX: usize = 128;

/// A hash over the caller, the request and the key that the caller gave. `None`: no key was given.
#[derive(Clone, Debug, Default)]
pub(crate) struct Idempotency(pub(crate) Option<[u8; 32]>);

impl Idempotency {
    /// Reads the key; `request` is everything else that tells one request from another. Each part is hashed behind its
    /// length, so that two lists of parts never hash alike.
    ///
    /// # Errors
    /// [`Code::InvalidInput`](crate::http::codes::Code::InvalidInput): the key is empty, too long or not printable ASCII.
    pub(crate) fn of(headers: &HeaderMap, request: &[&[u8]]) -> Result<Self, ApiError> {
        let Some(key) = headers.get(IDEMPOTENCY_HEADER) else { return Ok(Self(None)) };
        let good = key.to_str().is_ok_and(|key| (1..=IDEMPOTENCY_CHARS_MAX).contains(&key.len()));
        if !good {
            let rule = format!("give 1 to {IDEMPOTENCY_CHARS_MAX} printable ASCII characters");
            return Err(ApiError::invalid("Idempotency-Key", rule));
        }
        let mut hasher = Sha256::new();
        for part in request.iter().chain([&key.as_bytes()]) {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Ok(Self(Some(hasher.finalize().into())))
    }
}
