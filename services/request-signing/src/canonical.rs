//! The canonical request: the one text that both sides make of a request, whatever its spelling on the wire.
//!
//! Invariant: two requests with one canonical text mean the same to a handler that decodes path and query once and reads
//! `+` as a plus, as the API does.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use sha2::{Digest as _, Sha256};

use crate::error::SigningError;

/// The header with the body's hash as the client signed it.
pub(crate) const CONTENT_HASH_HEADER: &str = "x-sdk-content-sha256";
/// In place of a hash: the client has not signed the body.
pub(crate) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// All but the unreserved characters of RFC 3986, section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A request as it was received.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    /// Such as `GET`.
    pub method: &'a str,
    /// The path as received, still percent-encoded.
    pub path: &'a str,
    /// The query as received, without `?`; empty if there is none.
    pub query: &'a str,
    /// Names and values as received. Names in any case. Over HTTP/2 the caller puts `:authority` here as `host`.
    pub headers: &'a [(&'a str, &'a [u8])],
    pub body: &'a [u8],
}

impl<'a> SignedRequest<'a> {
    /// The canonical request.
    pub(crate) fn canonical(&self, signed_headers: &[String]) -> Result<Vec<u8>, SigningError> {
        let mut text = Vec::with_capacity(512);
        text.extend(self.method.to_ascii_uppercase().as_bytes());
        text.push(b'\n');
        text.extend(canonical_path(self.path).as_bytes());
        text.push(b'\n');
        text.extend(canonical_query(self.query).as_bytes());
        text.push(b'\n');
        for name in signed_headers {
            text.extend(name.as_bytes());
            text.push(b':');
            text.extend(self.the_header(name)?);
            text.push(b'\n');
        }
        text.push(b'\n');
        text.extend(signed_headers.join(";").as_bytes());
        text.push(b'\n');
        text.extend(self.content_hash()?.as_bytes());
        Ok(text)
    }

    pub(crate) fn the_header(&self, name: &str) -> Result<&'a [u8], SigningError> {
        the_header(self.headers, name)
    }

    /// What stands for the body. A client that sends the hash itself has it taken verbatim, in whatever case, but only if
    /// it is true: else a signature would say nothing about the body although it seems to.
    fn content_hash(&self) -> Result<String, SigningError> {
        let own = hex::encode(Sha256::digest(self.body));
        let is_sent = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(CONTENT_HASH_HEADER));
        if self.body.is_empty() || !is_sent {
            return Ok(own);
        }
        let sent = str::from_utf8(self.the_header(CONTENT_HASH_HEADER)?).map_err(|_| SigningError::ContentHash)?;
        if sent == UNSIGNED_PAYLOAD || sent.eq_ignore_ascii_case(&own) {
            Ok(sent.to_owned())
        } else if sent.is_empty() {
            Ok(own)
        } else {
            Err(SigningError::ContentHash)
        }
    }
}

/// The trimmed value of a header that must be there once.
pub(crate) fn the_header<'a>(headers: &[(&'a str, &'a [u8])], name: &str) -> Result<&'a [u8], SigningError> {
    let mut found = headers.iter().filter(|(sent, _)| sent.eq_ignore_ascii_case(name));
    match (found.next(), found.next()) {
        (Some((_, value)), None) => Ok(value.trim_ascii()),
        (None, _) => Err(SigningError::MissingSignedHeader(name.to_owned())),
        (Some(_), Some(_)) => Err(SigningError::RepeatedSignedHeader(name.to_owned())),
    }
}

fn raw_pairs(query: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let split = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    split.map(|(name, value)| (percent_decode_str(name).collect(), percent_decode_str(value).collect())).collect()
}

/// Sorted before it is encoded: that is the SDKs' order, which differs for characters outside ASCII.
fn canonical_query(query: &str) -> String {
    let mut pairs = raw_pairs(query);
    pairs.sort();
    let encoded = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    encoded.collect::<Vec<_>>().join("&")
}

/// Decoded before it is split, as the SDKs do: they send an id with a `/` in it as `%2F` and sign a `/`. No id of ours
/// may hold one, so that both spellings lead nowhere.
fn canonical_path(path: &str) -> String {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let mut canonical = decoded.split(|byte| *byte == b'/').map(encode).collect::<Vec<_>>().join("/");
    if !canonical.ends_with('/') {
        canonical.push('/');
    }
    canonical
}

fn encode(bytes: &[u8]) -> String {
    percent_encode(bytes, RESERVED).to_string()
}
