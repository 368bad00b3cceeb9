//! What stands beside a record of a log: two headers of our own, which old readers pass over.
//!
//! Does not say what they mean. Invariant: a header that is not exactly what this version writes reads as absent; whatever wrote
//! it has then sealed nothing.

use async_nats::HeaderMap;
use rollcall_log::log::Seal;

/// The seal of the batch that the message begins.
const SEAL: &str = "Rollcall-Seal";
/// SHA-256 over what was asked, 64 hex digits.
const REQUEST_SHA256: &str = "Rollcall-Request-Sha256";

/// The headers of a record.
pub(super) fn request_sha256_header(request_sha256: Option<[u8; 32]>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(digest) = request_sha256 {
        headers.insert(REQUEST_SHA256, hex::encode(digest));
    }
    headers
}

/// Adds the seal to the headers of a batch's first record.
pub(super) fn put_seal(headers: &mut HeaderMap, seal: Option<&Seal>) {
    if let Some(seal) = seal {
        headers.insert(SEAL, seal.to_string());
    }
}

pub(super) fn read(headers: Option<&HeaderMap>) -> (Option<Seal>, Option<[u8; 32]>) {
    let value = |name| headers.and_then(|headers| headers.get(name)).map(async_nats::HeaderValue::as_str);
    let seal = value(SEAL).and_then(Seal::parse);
    let request_sha256 = value(REQUEST_SHA256).and_then(|text| hex::decode(text).ok()?.try_into().ok());
    (seal, request_sha256)
}
