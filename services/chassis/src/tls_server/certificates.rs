//! The certificates of a TLS server, by name, read from files again when these change.
//!
//! One task at a time looks at the files; handshakes read what it last published and never wait for a disk.

use std::{
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use rustls::{
    crypto::CryptoProvider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{
    sync::{Mutex, watch},
    time::Instant,
};

/// Most names with a certificate of their own; those after them get the default.
pub const NAMES_MAX: usize = 1024;
/// Largest file that is read, bytes: a chain of a few certificates has some thousand.
pub const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Why a pair of files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsServerError {
    /// A file is not there or cannot be read.
    #[error("cannot read {file}")]
    Read {
        /// Which.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{file} holds no PEM {wanted}: {reason}")]
    Content {
        /// Which.
        file: PathBuf,
        /// `certificate` or `private key`.
        wanted: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Each file is good, but the key is not the certificate's.
    #[error("{certificate} and {key} cannot be used together")]
    Pair {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// The cryptography of this build does not do.
    #[error("this build offers no TLS version that is safe")]
    Provider(#[source] rustls::Error),
}

/// A certificate with its intermediates, and its private key; both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemPair {
    /// The certificate, followed by its intermediates.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
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
    default: Watched,
    named: HashMap<String, Watched>,
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
        let mut default = Watched::new(default);
        default.look(&provider)?;
        // Whatever comes after this is seen as a change.
        let named = watched(&names.borrow_and_update(), HashMap::new());
        let mut files = Files { default, named, names, looked: Instant::now() };
        let shown = files.look(&provider).ok_or_else(|| TlsServerError::Content {
            file: files.default.pair.certificate.clone(),
            wanted: "certificate",
            reason: "it has gone".to_owned(),
        })?;
        Ok(Self { shown: RwLock::new(shown), files: Arc::new(Mutex::new(files)), reread_every, provider })
    }

    /// Looks at the files if it is time to, or if the names have changed. If somebody else is at it, what is shown stays.
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
fn watched(names: &[NamedPair], mut known: HashMap<String, Watched>) -> HashMap<String, Watched> {
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
        let same = known.remove(&name).filter(|watched| watched.pair == *pair);
        named.insert(name, same.unwrap_or_else(|| Watched::new(pair.clone())));
    }
    named
}

impl Files {
    /// What is to be shown now. Whatever cannot be used is said once for each change of it.
    fn look(&mut self, provider: &CryptoProvider) -> Option<Shown> {
        for watched in std::iter::once(&mut self.default).chain(self.named.values_mut()) {
            if let Err(error) = watched.look(provider) {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, cause, "a server certificate cannot be used");
            }
        }
        let named = self.named.iter().filter_map(|(name, watched)| Some((name.clone(), watched.usable.clone()?)));
        Some(Shown { default: self.default.usable.clone()?, named: named.collect() })
    }
}

/// When a file was last written and how long it is: enough to notice a change without reading it.
type Stamp = Option<(SystemTime, u64)>;

/// A pair of files, as last seen.
struct Watched {
    pair: PemPair,
    seen: Option<[Stamp; 2]>,
    usable: Option<Arc<CertifiedKey>>,
}

impl Watched {
    fn new(pair: PemPair) -> Self {
        Self { pair, seen: None, usable: None }
    }

    /// Reads the files if they have changed. On an error what was usable stays so.
    fn look(&mut self, provider: &CryptoProvider) -> Result<(), TlsServerError> {
        // Before reading: a change in between is seen the next time.
        let now = [&self.pair.certificate, &self.pair.key].map(|file| stamp(file));
        if self.seen.replace(now) != Some(now) {
            self.usable = Some(Arc::new(certified_key(&self.pair, provider)?));
        }
        Ok(())
    }
}

fn stamp(file: &Path) -> Stamp {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn certified_key(pair: &PemPair, provider: &CryptoProvider) -> Result<CertifiedKey, TlsServerError> {
    let PemPair { certificate, key } = pair;
    let unfit = |file: &Path, wanted, reason: String| TlsServerError::Content { file: file.to_owned(), wanted, reason };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&content(certificate, "certificate")?)
        .collect::<Result<_, _>>()
        .map_err(|error| unfit(certificate, "certificate", error.to_string()))?;
    if chain.is_empty() {
        return Err(unfit(certificate, "certificate", "there is none in it".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_slice(&content(key, "private key")?)
        .map_err(|error| unfit(key, "private key", error.to_string()))?;
    CertifiedKey::from_der(chain, private, provider).map_err(|source| TlsServerError::Pair {
        certificate: certificate.clone(),
        key: key.clone(),
        source,
    })
}

fn content(file: &Path, wanted: &'static str) -> Result<Vec<u8>, TlsServerError> {
    let failed = |source| TlsServerError::Read { file: file.to_owned(), source };
    let length = std::fs::metadata(file).map_err(failed)?.len();
    if length > FILE_BYTES_MAX {
        let reason = format!("it has {length} bytes, and more than {FILE_BYTES_MAX} are not read");
        return Err(TlsServerError::Content { file: file.to_owned(), wanted, reason });
    }
    std::fs::read(file).map_err(failed)
}
