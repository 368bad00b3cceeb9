//! Tokens for `X-Auth-Token`: an operator gets one for a password and sends it instead until it expires.
//!
//! A token carries its operator's name and times under an HMAC, so that no process keeps a list of tokens; to end one early,
//! all of an operator's are ended at once ([`TokenKey::verify`]'s `sessions_since`). Invariant: nothing in
//! a token is believed before its code has been verified.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rollcall_request_signing::keyed_hash::{CODE_BYTES, code, is_code};
use secrecy::SecretString;
use zeroize::Zeroizing;

/// Longest name of an operator, bytes.
pub(crate) const OPERATOR_BYTES_MAX: usize = 256;
/// Longest text that is read as a token, characters.
pub(crate) const TOKEN_CHARS_MAX: usize = (1 + 8 + 8 + OPERATOR_BYTES_MAX + CODE_BYTES).div_ceil(3) * 4;

/// The first byte of a token; another layout gets another value.
const LAYOUT: u8 = 1;
/// How far the clock of another API process may be ahead, ms.
const AHEAD_MS_MAX: i64 = 60 * 1000;

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// Not issued with this master key, or changed since.
    #[error("the token is not one that was issued here")]
    Forged,
    #[error("the token has expired")]
    Expired,
    /// The operator was deleted or disabled, or their sessions were ended since.
    #[error("the token has been ended")]
    Ended,
}

/// What a token says. All times in milliseconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Name of the operator.
    pub(crate) operator: String,
    /// When it was issued.
    pub(crate) issued_ms: i64,
    pub(crate) expires_ms: i64,
}

/// What tokens are signed with.
pub(crate) struct TokenKey(Zeroizing<[u8; 32]>);

impl TokenKey {
    pub(super) fn new(key: Zeroizing<[u8; 32]>) -> Self {
        Self(key)
    }

    /// A token for an operator, issued at `now_ms` and good for `lifetime_ms`.
    ///
    /// Its name has at most [`OPERATOR_BYTES_MAX`] bytes, which the caller sees to: a token for a longer one is never
    /// accepted.
    pub(crate) fn issue(&self, operator: &str, now_ms: i64, lifetime_ms: i64) -> SecretString {
        let mut token = vec![LAYOUT];
        token.extend(now_ms.to_be_bytes());
        token.extend(now_ms.saturating_add(lifetime_ms).to_be_bytes());
        token.extend(operator.as_bytes());
        let signed = code(&self.0[..], &[&token]);
        token.extend(signed);
        URL_SAFE_NO_PAD.encode(token).into()
    }

    /// The claims of a token that is valid at `now_ms`.
    ///
    /// `sessions_since` says of an operator from when on its tokens count: the time of its last change of password, or the
    /// like; 0 if there was none, and `None` if there is no such operator or it is disabled.
    ///
    /// # Errors
    /// [`TokenError`].
    pub(crate) fn verify(
        &self,
        token: &str,
        now_ms: i64,
        sessions_since: impl FnOnce(&str) -> Option<i64>,
    ) -> Result<Claims, TokenError> {
        let claims = self.opened(token).ok_or(TokenError::Forged)?;
        if claims.issued_ms > now_ms.saturating_add(AHEAD_MS_MAX) {
            return Err(TokenError::Forged);
        }
        if claims.expires_ms <= now_ms {
            return Err(TokenError::Expired);
        }
        let since_ms = sessions_since(&claims.operator).ok_or(TokenError::Ended)?;
        if claims.issued_ms < since_ms { Err(TokenError::Ended) } else { Ok(claims) }
    }

    fn opened(&self, token: &str) -> Option<Claims> {
        if token.len() > TOKEN_CHARS_MAX {
            return None;
        }
        let token = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signed, claimed) = token.split_last_chunk::<CODE_BYTES>()?;
        if !is_code(&self.0[..], &[signed], claimed) {
            return None;
        }
        let (layout, rest) = signed.split_first()?;
        let (issued, rest) = rest.split_first_chunk()?;
        let (expires, operator) = rest.split_first_chunk()?;
        let operator = str::from_utf8(operator).ok()?.to_owned();
        let (issued_ms, expires_ms) = (i64::from_be_bytes(*issued), i64::from_be_bytes(*expires));
        (*layout == LAYOUT).then_some(Claims { operator, issued_ms, expires_ms })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    const NOW_MS: i64 = 1_764_000_000_000;
    const TOKEN_LIFETIME_MS: i64 = 24 * 60 * 60 * 1000;

    fn key(byte: u8) -> TokenKey {
        TokenKey::new(Zeroizing::new([byte; 32]))
    }

    fn token(operator: &str) -> String {
        key(1).issue(operator, NOW_MS, TOKEN_LIFETIME_MS).expose_secret().to_owned()
    }

    fn verified(token: &str, now_ms: i64) -> Result<Claims, TokenError> {
        key(1).verify(token, now_ms, |_| Some(0))
    }

    #[test]
    fn a_token_says_whose_it_is_for_a_day() {
        let claims = verified(&token("anna"), NOW_MS).expect("claims");
        let expected = Claims { operator: "anna".into(), issued_ms: NOW_MS, expires_ms: NOW_MS + TOKEN_LIFETIME_MS };
        assert_eq!(claims, expected);
        assert!(verified(&token("anna"), NOW_MS + TOKEN_LIFETIME_MS - 1).is_ok());
        assert_eq!(verified(&token("anna"), NOW_MS + TOKEN_LIFETIME_MS), Err(TokenError::Expired));
    }

    #[test]
    fn every_changed_character_makes_a_forgery() {
        let token = token("anna");
        for index in 0..token.len() {
            let mut changed: Vec<u8> = token.bytes().collect();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ASCII");
            assert_eq!(verified(&changed, NOW_MS), Err(TokenError::Forged), "{changed}");
        }
        for other in ["", "A", &token[1..], &format!("{token}A"), &"A".repeat(TOKEN_CHARS_MAX + 1), "ü"] {
            assert_eq!(verified(other, NOW_MS), Err(TokenError::Forged), "{other}");
        }
        assert_eq!(key(2).verify(&token, NOW_MS, |_| Some(0)), Err(TokenError::Forged), "another master key");
        assert_eq!(verified(&token, NOW_MS - AHEAD_MS_MAX - 1), Err(TokenError::Forged), "from the future");
    }

    #[test]
    fn tokens_end_with_their_operators_sessions() {
        let token = token("anna");
        let ended = |since: Option<i64>| {
            key(1).verify(&token, NOW_MS, |operator| {
                assert_eq!(operator, "anna");
                since
            })
        };
        assert!(ended(Some(NOW_MS)).is_ok());
        assert_eq!(ended(Some(NOW_MS + 1)), Err(TokenError::Ended));
        assert_eq!(ended(None), Err(TokenError::Ended));
    }

    #[test]
    fn the_longest_name_fits() {
        assert!(verified(&token(&"x".repeat(OPERATOR_BYTES_MAX)), NOW_MS).is_ok());
    }
}
