//! What every login and request is checked with: the master key and what is derived from it, throttles and rates.
//!
//! Does not know which operators and keys exist: the fleet is an argument. Invariant: an answer does not tell whether a name
//! exists.

use std::{net::IpAddr, sync::Arc};

use rollcall_chassis::{entropy::Entropy, rate_limit::RateLimit};
use rollcall_domain::{
    fleet::{AccessKeyId, Fleet, Operator, OperatorName, PasswordHash},
    time::Timestamp,
};
use rollcall_projection::fleet::FleetSnapshot;
use secrecy::SecretString;

use crate::{
    config::Config,
    http::{codes::Code, error::ApiError},
    security::{
        login_throttle::LoginThrottle,
        master_key::{MasterKey, MasterKeyError},
        password_hasher::PasswordHasher,
        randomness::bytes_32,
        token::{Claims, TokenKey},
    },
};

/// Attempts to log in a second from one address; each costs 20 ms of a processor.
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
    pub(super) master: MasterKey,
    token_key: TokenKey,
    token_ms: i64,
    password_hasher: PasswordHasher,
    /// By access key id.
    pub(super) key_throttle: LoginThrottle,
    operator_throttle: LoginThrottle,
    pub(super) request_rate: RateLimit<OperatorName>,
    /// By the address of the client, if that is known.
    login_rate: RateLimit<Option<IpAddr>>,
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
            key_throttle: LoginThrottle::default(),
            operator_throttle: LoginThrottle::default(),
            request_rate: RateLimit::per_second(rate, rate.saturating_mul(BURST_S)),
            login_rate: RateLimit::per_second(LOGINS_PER_S_MAX, LOGINS_PER_S_MAX * BURST_S),
        })
    }

    /// The secret of an access key, the same each time.
    pub(crate) fn secret_of(&self, key: &AccessKeyId) -> SecretString {
        self.master.access_secret(key.as_str())
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

    /// The operator of this name and password. `source` is the address of the client.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`], the same whatever was wrong; [`Code::Locked`] after too many; [`Code::RateLimited`],
    /// [`Code::Overloaded`].
    pub(crate) async fn check_password(
        &self,
        fleet: &Fleet,
        name: &str,
        password: SecretString,
        source: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Operator, ApiError> {
        self.login_rate.check(&source).map_err(|wait| {
            ApiError::new(Code::RateLimited, "too many attempts to log in from this address").retry_after(wait.seconds)
        })?;
        let operator = OperatorName::parse(name).ok().and_then(|name| fleet.operators.get(&name));
        let attempt = self.operator_throttle.attempt(name, operator.is_some());
        attempt.check(now)?;
        let enabled = operator.filter(|operator| operator.enabled);
        let hash = enabled.and_then(|operator| operator.password_hash.clone());
        let is_right = self.password_hasher.verify(password, hash).await?;
        // Other attempts may have failed while this one waited: many at once are still no more than five.
        attempt.check(now)?;
        match enabled {
            Some(operator) if is_right => {
                attempt.succeeded();
                Ok(operator.clone())
            }
            Some(_) | None => {
                attempt.failed(now);
                let text = "operator or password is wrong, or the operator is not enabled";
                Err(ApiError::new(Code::Unauthenticated, text))
            }
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
        now: Timestamp,
    ) -> Result<(&'a Operator, Claims), ApiError> {
        let enabled = |name: &str| {
            let operator = fleet.operators.get(&OperatorName::parse(name).ok()?)?;
            operator.enabled.then_some(operator)
        };
        let since = |name: &str| enabled(name).map(|operator| operator.sessions_since.unix_ms());
        let refused = |text: String| ApiError::new(Code::InvalidToken, text);
        let claims = self
            .token_key
            .verify(token, now.unix_ms(), since)
            .map_err(|fault| refused(format!("{fault}: log in again with POST /rollcall/v1/login")))?;
        let operator = enabled(&claims.operator).ok_or_else(|| refused("the token has been ended".to_owned()))?;
        Ok((operator, claims))
    }
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
