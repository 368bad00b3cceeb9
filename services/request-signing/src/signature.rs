//! Making a signature of a request, and verifying one.
//!
//! Invariant: a comparison with a secret takes the same time wherever it fails.

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{
    authorization::{Algorithm, Credentials, Scope},
    canonical::{SignedRequest, the_header},
    date::{self, DATE_HEADER},
    error::{DATE_OFF_MS_MAX, SigningError},
    keyed_hash::{code, is_code},
};

/// Without these under the signature a request could be sent to another instance, or at another time.
const SIGNED_AT_LEAST: [&str; 2] = ["host", DATE_HEADER];
/// To be under the signature if they are sent, as the service's SDKs have them: what they say decides which instance a change
/// is made in, for which project, and whether it is one that was made already.
const SIGNED_IF_SENT: [&str; 3] = ["instance-id", "idempotency-key", "x-project-id"];

/// Whether the request was signed with the secret, lately.
///
/// `now_unix_ms` is the injected clock's.
///
/// # Errors
/// [`SigningError`].
pub fn verify(
    credentials: &Credentials,
    secret: &SecretString,
    request: &SignedRequest<'_>,
    now_unix_ms: i64,
) -> Result<(), SigningError> {
    let date = date_of_head(credentials, request.headers, now_unix_ms)?;
    let canonical = request.canonical(credentials.signed_headers())?;
    let hash = hex::encode(Sha256::digest(&canonical));
    let is_right = match credentials.algorithm() {
        Algorithm::SdkHmacSha256 => {
            let key = secret.expose_secret().as_bytes();
            is_code(key, &[b"SDK-HMAC-SHA256\n", date.text.as_bytes(), b"\n", hash.as_bytes()], credentials.signature())
        }
        Algorithm::V11HmacSha256(scope) => {
            let key = derived_key(credentials.access_key(), secret, scope);
            let (info, text) = (scope.as_str().as_bytes(), date.text.as_bytes());
            let parts: [&[u8]; 6] = [b"V11-HMAC-SHA256\n", text, b"\n", info, b"\n", hash.as_bytes()];
            is_code(key.as_bytes(), &parts, credentials.signature())
        }
    };
    if is_right { Ok(()) } else { Err(SigningError::Signature) }
}

/// All of [`verify`] that needs neither the secret nor the body: for refusing a request before its body is read.
///
/// # Errors
/// [`SigningError`], but for [`SigningError::Signature`] and [`SigningError::ContentHash`].
pub fn verify_head(credentials: &Credentials, headers: &[(&str, &[u8])], now_unix_ms: i64) -> Result<(), SigningError> {
    date_of_head(credentials, headers, now_unix_ms).map(drop)
}

fn date_of_head<'a>(
    credentials: &Credentials,
    headers: &[(&'a str, &'a [u8])],
    now_unix_ms: i64,
) -> Result<date::Date<'a>, SigningError> {
    let is_sent = |name: &str| headers.iter().any(|(sent, _)| sent.eq_ignore_ascii_case(name));
    for name in SIGNED_AT_LEAST.into_iter().chain(SIGNED_IF_SENT.into_iter().filter(|name| is_sent(name))) {
        if !credentials.signed_headers().iter().any(|signed| signed == name) {
            return Err(SigningError::MissingSignedHeader(name.to_owned()));
        }
    }
    let date = date::Date::parse(the_header(headers, DATE_HEADER)?)?;
    let off_ms = now_unix_ms.saturating_sub(date.unix_ms).unsigned_abs();
    if off_ms > DATE_OFF_MS_MAX.unsigned_abs() {
        return Err(SigningError::TimeOff { off_s: off_ms / 1000 });
    }
    match credentials.algorithm() {
        Algorithm::V11HmacSha256(scope) if scope.date() != date.day() => Err(SigningError::ScopeDate),
        Algorithm::V11HmacSha256(_) | Algorithm::SdkHmacSha256 => Ok(date),
    }
}

/// The `Authorization` header (`SDK-HMAC-SHA256`) of a request that is to be sent, with all of its headers signed; `host`
/// and [`DATE_HEADER`] must be among them.
///
/// # Errors
/// [`SigningError`]: a header is missing or repeated, or the date does not have its form.
pub fn sign(access_key: &str, secret: &SecretString, request: &SignedRequest<'_>) -> Result<String, SigningError> {
    let mut names: Vec<String> = request.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.sort();
    let date = date::Date::parse(request.the_header(DATE_HEADER)?)?;
    let hash = hex::encode(Sha256::digest(request.canonical(&names)?));
    let key = secret.expose_secret().as_bytes();
    let signature = code(key, &[b"SDK-HMAC-SHA256\n", date.text.as_bytes(), b"\n", hash.as_bytes()]);
    let (names, signature) = (names.join(";"), hex::encode(signature));
    Ok(format!("SDK-HMAC-SHA256 Access={access_key}, SignedHeaders={names}, Signature={signature}"))
}

/// The time of signing as [`DATE_HEADER`] has it.
pub fn date_text(unix_ms: i64) -> String {
    date::text(unix_ms)
}

/// HKDF-SHA256 with the access key as salt and one block of output; the signing key is that block's hexadecimal *text*.
fn derived_key(access_key: &str, secret: &SecretString, scope: &Scope) -> Zeroizing<String> {
    let extracted = Zeroizing::new(code(access_key.as_bytes(), &[secret.expose_secret().as_bytes()]));
    let expanded = Zeroizing::new(code(&extracted[..], &[scope.as_str().as_bytes(), &[1]]));
    Zeroizing::new(hex::encode(&expanded[..]))
}

#[cfg(test)]
mod tests;
