//! The cookie of a session: 256 random bits, and a code over them.
//!
//! The code is made with the master key, so that a cookie that was made up is told from one of ours without a reading: the store is
//! not asked on behalf of just anybody. It is no second proof; the secret is. Invariant: a secret is in no `Debug`, and only the
//! browser has it.
//!
//! The same key makes the codes of documents ([`SessionDocument`](super::document::SessionDocument)).

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rollcall_chassis::entropy::Entropy;
use rollcall_log::documents::DocumentKey;
use rollcall_request_signing::keyed_hash::{CODE_BYTES, code, is_code};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::security::randomness::bytes_32;

/// `__Host-`: a browser takes it over HTTPS only, from this host alone, and for every path (RFC 6265bis, section 4.1.3.2).
pub(crate) const COOKIE: &str = "__Host-rollcall";
/// What goes with it: out of reach of scripts, and sent with no request that another site has caused.
const ATTRIBUTES: &str = "Path=/; Secure; HttpOnly; SameSite=Strict";
const SECRET_BYTES: usize = 32;
/// Characters of a cookie's value.
const VALUE_CHARS: usize = ((SECRET_BYTES + CODE_BYTES) * 4).div_ceil(3);

/// A `Set-Cookie` header.
pub(crate) type SetCookie = HeaderValue;

/// Takes the cookie away.
pub(crate) const NO_COOKIE: HeaderValue =
    HeaderValue::from_static("__Host-rollcall=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0");

/// What the codes of cookies and of documents are made with. A cookie's is over the 32 bytes of its secret, a document's over more.
#[derive(Clone)]
pub(crate) struct SessionKey(Zeroizing<[u8; 32]>);

pub(crate) struct SessionSecret(Zeroizing<[u8; SECRET_BYTES]>);

impl SessionKey {
    pub(in crate::security) const fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    pub(super) fn code(&self, parts: &[&[u8]]) -> [u8; CODE_BYTES] {
        code(&self.0[..], parts)
    }

    pub(super) fn is_code(&self, parts: &[&[u8]], claimed: &[u8]) -> bool {
        is_code(&self.0[..], parts, claimed)
    }
}

/// The value of the cookie in a request; none if several are sent, which no browser does.
pub(crate) fn sent(headers: &HeaderMap) -> Option<&str> {
    // As bytes: another cookie of this host, which a server at another port may have set, need not be ASCII.
    let lines = headers.get_all(header::COOKIE).iter().map(HeaderValue::as_bytes);
    let pairs = lines.flat_map(|line| line.split(|byte| *byte == b';')).map(<[u8]>::trim_ascii);
    let mut values = pairs.filter_map(|pair| pair.strip_prefix(COOKIE.as_bytes())?.strip_prefix(b"="));
    let value = values.next().filter(|value| !value.is_empty())?;
    values.next().is_none().then(|| str::from_utf8(value).ok()).flatten()
}

impl SessionSecret {
    pub(super) fn new(entropy: &dyn Entropy) -> Self {
        Self(bytes_32(entropy))
    }

    pub(super) fn read(value: &str, key: &SessionKey) -> Option<Self> {
        if value.len() != VALUE_CHARS {
            return None;
        }
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(value).ok()?);
        let (secret, claimed) = bytes.split_first_chunk()?;
        key.is_code(&[secret], claimed).then(|| Self(Zeroizing::new(*secret)))
    }

    /// Which document is this session's.
    pub(crate) fn document(&self) -> DocumentKey {
        DocumentKey::OperatorSession(self.sha256())
    }

    pub(super) fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.0[..]).into()
    }

    pub(super) fn cookie(&self, key: &SessionKey) -> SetCookie {
        let mut value = Zeroizing::new(self.0.to_vec());
        value.extend(key.code(&[&self.0[..]]));
        let text = Zeroizing::new(format!("{COOKIE}={}; {ATTRIBUTES}", URL_SAFE_NO_PAD.encode(&value[..])));
        let mut header = HeaderValue::from_str(&text).expect("base64 and these attributes are a header's characters");
        header.set_sensitive(true);
        header
    }
}

#[cfg(test)]
mod tests {
    use rollcall_chassis::entropy::CountingEntropy;

    use super::*;

    fn key(byte: u8) -> SessionKey {
        SessionKey::new(Zeroizing::new([byte; 32]))
    }

    fn headers(cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, HeaderValue::from_bytes(cookie.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn a_cookie_reads_back_and_every_changed_character_makes_another() {
        let secret = SessionSecret::new(&CountingEntropy::seeded(1));
        let cookie = secret.cookie(&key(1));
        assert!(cookie.is_sensitive());
        let text = cookie.to_str().unwrap();
        assert!(text.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"), "{text}");
        let value = text.split(';').next().unwrap().strip_prefix("__Host-rollcall=").unwrap();
        let document = |value: &str, of: u8| SessionSecret::read(value, &key(of)).map(|secret| secret.document());
        assert_eq!(document(value, 1), Some(secret.document()));
        assert_eq!(document(value, 2), None, "another master key");
        for index in 0..value.len() {
            let mut changed: Vec<u8> = value.bytes().collect();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            assert_eq!(document(&String::from_utf8(changed).unwrap(), 1), None, "character {index}");
        }
        for other in ["", "A", &value[1..], &format!("{value}A"), &"ü".repeat(VALUE_CHARS / 2)] {
            assert_eq!(document(other, 1), None, "{other}");
        }
        assert!(!format!("{:?}", secret.document()).contains(value));
    }

    #[test]
    fn the_cookie_is_found_among_others_and_not_if_there_are_two() {
        assert_eq!(sent(&headers(&["a=b; __Host-rollcall=value; c=d"])), Some("value"));
        assert_eq!(sent(&headers(&["a=b", "__Host-rollcall=value"])), Some("value"));
        assert_eq!(sent(&headers(&["a=ü; __Host-rollcall=value"])), Some("value"));
        for none in [&[][..], &["rollcall=value"], &["__Host-rollcallx=value"], &["__Host-rollcall="]] {
            assert_eq!(sent(&headers(none)), None, "{none:?}");
        }
        assert_eq!(sent(&headers(&["__Host-rollcall=one; __Host-rollcall=two"])), None);
    }
}
