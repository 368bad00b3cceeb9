//! Passwords hashed and verified where blocking is allowed, a few at a time.
//!
//! Each takes some 20 ms of a processor and 19 MiB. Invariant: whoever knocks often costs no more than the named bounds,
//! and the runtime's threads go on with their work.

use std::sync::Arc;

use rollcall_chassis::entropy::Entropy;
use rollcall_domain::fleet::PasswordHash;
use secrecy::SecretString;
use tokio::sync::Semaphore;

use super::password::{PasswordError, Pepper};
use crate::http::{codes::Code, error::ApiError};

/// Hashes under way at a time.
const HASHES_MAX: usize = 2;
/// Hashes under way or waiting; one more is refused.
const WAITING_MAX: usize = 64;

/// See the file.
pub(super) struct PasswordHasher {
    pepper: Arc<Pepper>,
    under_way: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl PasswordHasher {
    pub(super) fn new(pepper: Pepper) -> Self {
        Self {
            pepper: Arc::new(pepper),
            under_way: Arc::new(Semaphore::new(HASHES_MAX)),
            waiting: Arc::new(Semaphore::new(WAITING_MAX)),
        }
    }

    /// The hash to be kept of a password that came in `field`.
    pub(super) async fn hash(
        &self,
        field: &'static str,
        password: SecretString,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<PasswordHash, ApiError> {
        let entropy = Arc::clone(entropy);
        let hash = self.blocking(move |pepper| pepper.hash(&password, &*entropy)).await?;
        let failed = |error: &dyn std::fmt::Display| {
            tracing::error!(%error, "a password could not be hash");
            ApiError::new(Code::Internal, "the password could not be hash")
        };
        match hash {
            Ok(hash) => PasswordHash::parse(&hash).map_err(|error| failed(&error)),
            Err(rule @ PasswordError::Length) => Err(ApiError::invalid(field, rule)),
            Err(error @ PasswordError::Hashing(_)) => Err(failed(&error)),
        }
    }

    /// Whether it is the password of the hash. Takes as long without one.
    pub(super) async fn verify(&self, password: SecretString, hash: Option<PasswordHash>) -> Result<bool, ApiError> {
        self.blocking(move |pepper| pepper.verify(&password, hash.as_ref().map(PasswordHash::as_str))).await
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Pepper) -> T + Send + 'static) -> Result<T, ApiError> {
        let overloaded =
            || ApiError::new(Code::Overloaded, "too many passwords are being checked: try again").retry_after(1);
        let waiting = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| overloaded())?;
        let under_way = Arc::clone(&self.under_way).acquire_owned().await.map_err(|_| overloaded())?;
        let pepper = Arc::clone(&self.pepper);
        let done = tokio::task::spawn_blocking(move || {
            // Given back when the work is done, also when nobody waits for it any more.
            let _permits = (waiting, under_way);
            work(&pepper)
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "a password could not be checked");
            ApiError::new(Code::Internal, "the password could not be checked")
        })
    }
}
