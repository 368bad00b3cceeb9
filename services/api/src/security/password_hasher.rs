//! Passwords hashed and verified where blocking is allowed, a few at a time.
//!
//! Each takes some 20 ms of a processor and 19 MiB. Invariant: attempts to log in cost no more than the named bounds, and the
//! runtime's threads are not blocked.

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

    /// The hash to be stored for a password; `field` is named in the error.
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
            // Released when the work is done, also if the request was dropped meanwhile.
            let _permits = (waiting, under_way);
            work(&pepper)
        });
        done.await.map_err(|error| {
            tracing::error!(%error, "a password could not be checked");
            ApiError::new(Code::Internal, "the password could not be checked")
        })
    }
}
