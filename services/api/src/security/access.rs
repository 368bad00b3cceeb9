//! What every login and request is checked with: the master key and what is derived from it, delays, rates, and what is told of
//! failures.
//!
//! Does not know which operators and keys exist: the fleet is an argument. Invariant: an answer does not tell whether a name
//! exists.

use std::{sync::Arc, time::Duration};

use rollcall_chassis::{entropy::Entropy, rate_limit::RateLimit, sources::SourceNetwork};
use rollcall_domain::{
    fleet::{AccessKeyId, Fleet, Operator, OperatorName, PasswordHash},
    time::Timestamp,
};
use rollcall_projection::fleet::FleetSnapshot;
use secrecy::SecretString;

use crate::{
    config::Config,
    http::{codes::Code, error::ApiError, metrics::metrics},
    security::{
        failure_log::{Failure, FailureLog, Line},
        login_throttle::LoginThrottle,
        master_key::{MasterKey, MasterKeyError},
        password_hasher::PasswordHasher,
        randomness::bytes_32,
        sessions::SessionKey,
        token::{Claims, TokenError, TokenKey},
    },
};

/// How often failures are told that come after a source's first.
const FAILURES_TOLD_EVERY: Duration = Duration::from_secs(60);
/// Attempts to log in a second from one source; each costs 20 ms of a processor.
const LOGINS_PER_S_MAX: u32 = 10;
/// A burst is as many requests as this many seconds allow.
const BURST_S: u32 = 10;
/// The beginning of an access key id, by which people and secret scanners recognise one.
const ACCESS_KEY_PREFIX: &str = "RC";
/// Characters of an access key id after that: five random bits each.
const ACCESS_KEY_RANDOM_CHARS: usize = 18;
/// RFC 4648 section 6.
const BASE32: [u8; 32] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

pub(crate) struct Access {
    master: MasterKey,
    token_key: TokenKey,
    token_ms: i64,
    password_hasher: PasswordHasher,
    /// Access keys have none: their secrets have 240 random bits.
    operator_throttle: LoginThrottle,
    failures: FailureLog,
    pub(super) request_rate: RateLimit<OperatorName>,
    login_rate: RateLimit<SourceNetwork>,
}

/// A token and its end.
pub(crate) struct Issued {
    pub(crate) token: SecretString,
    pub(crate) expires_at: Timestamp,
}

impl Access {
    /// Reads the master key, or makes it. Blocks for the time that a file takes.
    ///
    /// # Errors
    /// [`MasterKeyError`].
    pub(crate) fn open(config: &Config, entropy: &dyn Entropy) -> Result<Self, MasterKeyError> {
        let master = MasterKey::open_or_make(&config.master_key_file, entropy)?;
        let rate = config.limits.requests_per_s_max;
        Ok(Self {
            token_key: master.token_key(),
            token_ms: i64::try_from(config.limits.token_s_max.saturating_mul(1000)).unwrap_or(i64::MAX),
            password_hasher: PasswordHasher::new(master.pepper()),
            master,
            operator_throttle: LoginThrottle::default(),
            failures: FailureLog::default(),
            request_rate: RateLimit::per_second(rate, rate.saturating_mul(BURST_S)),
            login_rate: RateLimit::per_second(LOGINS_PER_S_MAX, LOGINS_PER_S_MAX * BURST_S),
        })
    }

    /// The secret of an access key, the same each time.
    pub(crate) fn secret_of(&self, key: &AccessKeyId) -> SecretString {
        self.master.access_secret(key.as_str())
    }

    /// What the cookies of sessions are made with.
    pub(crate) fn session_key(&self) -> SessionKey {
        self.master.session_key()
    }

    /// An id for a new access key.
    pub(crate) fn new_access_key(&self, entropy: &dyn Entropy) -> AccessKeyId {
        let random = bytes_32(entropy);
        let chars = random.iter().take(ACCESS_KEY_RANDOM_CHARS).map(|byte| char::from(BASE32[usize::from(byte % 32)]));
        let id: String = ACCESS_KEY_PREFIX.chars().chain(chars).collect();
        AccessKeyId::parse(&id).expect("20 upper-case letters and digits")
    }

    /// The hash to be stored for a new password; `field` is named in the error.
    ///
    /// # Errors
    /// [`Code::InvalidInput`] for one that breaks the rule, [`Code::Overloaded`].
    pub(crate) async fn hash_password(
        &self,
        field: &'static str,
        password: SecretString,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<PasswordHash, ApiError> {
        self.password_hasher.hash(field, password, entropy).await
    }

    /// The operator of this name and password.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`], the same whatever was wrong; [`Code::Delayed`] after too many; [`Code::RateLimited`],
    /// [`Code::Overloaded`].
    pub(crate) async fn check_password(
        &self,
        fleet: &Fleet,
        name: &str,
        password: SecretString,
        source: SourceNetwork,
        now: Timestamp,
    ) -> Result<Operator, ApiError> {
        let operator = OperatorName::parse(name).ok().and_then(|name| fleet.operators.get(&name));
        let known_name = operator.map(|operator| operator.name.as_str());
        let delayed = |error| {
            self.failed(source, Failure::Delayed, known_name);
            error
        };
        self.login_rate.check(&source).map_err(|wait| {
            let text = "too many attempts to log in from this address";
            delayed(ApiError::new(Code::RateLimited, text).retry_after(wait.seconds))
        })?;
        let attempt = self.operator_throttle.attempt(name, operator.is_some(), source);
        attempt.check(now).map_err(delayed)?;
        let enabled = operator.filter(|operator| operator.enabled);
        let hash = enabled.and_then(|operator| operator.password_hash.clone());
        let is_right = self.password_hasher.verify(password, hash).await?;
        // Other attempts may have failed while this one waited: many at once are no more than one after the other.
        attempt.check(now).map_err(delayed)?;
        match enabled {
            Some(operator) if is_right => {
                attempt.succeeded();
                Ok(operator.clone())
            }
            Some(_) | None => {
                attempt.failed(now);
                self.failed(source, Failure::Password, known_name);
                let text = "operator or password is wrong, or the operator is not enabled";
                Err(ApiError::new(Code::Unauthenticated, text))
            }
        }
    }

    /// Counts a failed attempt to authenticate, and logs it if its source has not failed lately. `name`: the operator or access
    /// key that was named, `None` unless it exists.
    pub(super) fn failed(&self, source: SourceNetwork, failure: Failure, name: Option<&str>) {
        metrics().authentication_failed(failure.name());
        if let Some(line) = self.failures.failed(source, failure, name) {
            tell(&line);
        }
    }

    /// Logs the failures that come after a source's first, once a minute. Does not end.
    pub(crate) async fn tell_failures(&self) {
        loop {
            tokio::time::sleep(FAILURES_TOLD_EVERY).await;
            self.failures.end_minute().iter().for_each(tell);
        }
    }

    /// A token for an operator whose password was right.
    pub(crate) fn issue(&self, operator: &Operator, now: Timestamp) -> Issued {
        // `sessions_since` is a registrar's time: its clock may be ahead, and the token must not begin before it.
        let from = now.unix_ms().max(operator.sessions_since.unix_ms());
        let token = self.token_key.issue(operator.name.as_str(), from, self.token_ms);
        Issued { token, expires_at: Timestamp::from_unix_ms(from.saturating_add(self.token_ms)) }
    }

    /// The operator whose token it is, and what else it says.
    ///
    /// # Errors
    /// [`Code::InvalidToken`].
    pub(super) fn of_token<'a>(
        &self,
        fleet: &'a Fleet,
        token: &str,
        source: SourceNetwork,
        now: Timestamp,
    ) -> Result<(&'a Operator, Claims), ApiError> {
        let enabled = |name: &str| {
            let operator = fleet.operators.get(&OperatorName::parse(name).ok()?)?;
            operator.enabled.then_some(operator)
        };
        let since = |name: &str| enabled(name).map(|operator| operator.sessions_since.unix_ms());
        let refused = |text: String| ApiError::new(Code::InvalidToken, text);
        let claims = self.token_key.verify(token, now.unix_ms(), since).map_err(|fault| {
            // One that has expired or was ended is what a session comes to by itself.
            if fault == TokenError::Forged {
                self.failed(source, Failure::Token, None);
            }
            refused(format!("{fault}: log in again with POST /rollcall/v1/login"))
        })?;
        let operator = enabled(&claims.operator).ok_or_else(|| refused("the token has been ended".to_owned()))?;
        Ok((operator, claims))
    }
}

fn tell(line: &Line) {
    let source = line.source.map_or_else(|| "other sources".to_owned(), |source| source.to_string());
    let (failures, last, name) = (line.failures, line.last.name(), line.name.as_deref());
    tracing::warn!(source, failures, last, name, "attempts to authenticate failed");
}

/// The fleet, once its whole log is read: an operator that is missing before may well exist.
///
/// # Errors
/// [`Code::NotReady`].
pub(crate) fn caught_up(fleet: &FleetSnapshot) -> Result<&Fleet, ApiError> {
    if fleet.caught_up {
        return Ok(&fleet.fleet);
    }
    let text = "the fleet's operators are being read from its log: try again";
    Err(ApiError::new(Code::NotReady, text).retry_after(2))
}
