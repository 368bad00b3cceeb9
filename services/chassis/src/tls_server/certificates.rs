//! The certificates of a TLS server, by name, read from files again when these change.
//!
//! One task at a time looks at the files; handshakes read what it last published and never wait for a disk.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    crypto::CryptoProvider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};

use crate::server_certificate::{PemPair, ServerCertificate, ServerCertificateError};

/// Most names with a certificate of their own; those after them get the default.
const NAMES_MAX: usize = 1024;

/// Why a server cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsServerError {
    /// The default pair cannot be used.
    #[error(transparent)]
    Certificate(#[from] ServerCertificateError),
    /// The cryptography of this build does not do.
    #[error("this build offers no TLS version that is safe")]
    Provider(#[source] rustls::Error),
}

/// A pair for those who ask for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPair {
    /// The whole name; no wildcard. If it is listed twice, the first counts.
    pub dns_name: String,
    /// What is shown.
    pub pair: PemPair,
}

/// What is shown to whom, and where it comes from.
pub(super) struct Certificates {
    shown: RwLock<Shown>,
    files: Arc<Mutex<Files>>,
    reread_every: Duration,
    provider: Arc<CryptoProvider>,
}

#[derive(Clone)]
struct Shown {
    default: Arc<CertifiedKey>,
    named: HashMap<String, Arc<CertifiedKey>>,
}

struct Files {
    default: ServerCertificate,
    named: HashMap<String, ServerCertificate>,
    names: watch::Receiver<Vec<NamedPair>>,
    looked: Instant,
}

impl Certificates {
    pub(super) fn read(
        default: PemPair,
        mut names: watch::Receiver<Vec<NamedPair>>,
        reread_every: Duration,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, TlsServerError> {
        let mut default = ServerCertificate::new(default);
        default.refresh(&provider)?;
        // Whatever comes after this is seen as a change.
        let named = watched(&names.borrow_and_update(), HashMap::new());
        let mut files = Files { default, named, names, looked: Instant::now() };
        let shown = files.look(&provider).expect("the default pair has been read, and what was read stays in use");
        Ok(Self { shown: RwLock::new(shown), files: Arc::new(Mutex::new(files)), reread_every, provider })
    }

    /// Looks at the files if it is time to, or if the names have changed. If another task is at it, what is shown stays.
    pub(super) async fn refresh(&self) {
        let Ok(mut files) = self.files.clone().try_lock_owned() else { return };
        // A closed channel has no further names: the last ones stay.
        let is_renamed = files.names.has_changed().unwrap_or(false);
        if !is_renamed && files.looked.elapsed() < self.reread_every {
            return;
        }
        let provider = self.provider.clone();
        let looked = tokio::task::spawn_blocking(move || {
            if is_renamed {
                let known = std::mem::take(&mut files.named);
                let renamed = watched(&files.names.borrow_and_update(), known);
                files.named = renamed;
            }
            files.looked = Instant::now();
            files.look(&provider)
        });
        if let Ok(Some(shown)) = looked.await {
            *self.shown.write().unwrap_or_else(PoisonError::into_inner) = shown;
        }
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let shown = self.shown.read().unwrap_or_else(PoisonError::into_inner);
        let named = hello.server_name().and_then(|name| shown.named.get(&name.to_ascii_lowercase()));
        Some(named.unwrap_or(&shown.default).clone())
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").finish_non_exhaustive()
    }
}

/// What is to be watched for a list of names; pairs that were watched before go on from there.
fn watched(names: &[NamedPair], mut known: HashMap<String, ServerCertificate>) -> HashMap<String, ServerCertificate> {
    let mut named = HashMap::new();
    for NamedPair { dns_name, pair } in names {
        let name = dns_name.to_ascii_lowercase();
        if named.contains_key(&name) {
            continue;
        }
        if named.len() == NAMES_MAX {
            tracing::warn!(NAMES_MAX, names = names.len(), "too many names with a certificate of their own");
            break;
        }
        let same = known.remove(&name).filter(|certificate| certificate.pair() == pair);
        named.insert(name, same.unwrap_or_else(|| ServerCertificate::new(pair.clone())));
    }
    named
}

impl Files {
    /// What is to be shown now. Whatever cannot be used is said once for each change of it.
    fn look(&mut self, provider: &CryptoProvider) -> Option<Shown> {
        for certificate in std::iter::once(&mut self.default).chain(self.named.values_mut()) {
            if let Err(error) = certificate.refresh(provider) {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, cause, "a server certificate cannot be used");
            }
        }
        let named =
            self.named.iter().filter_map(|(name, certificate)| Some((name.clone(), certificate.current().cloned()?)));
        Some(Shown { default: self.default.current().cloned()?, named: named.collect() })
    }
}
