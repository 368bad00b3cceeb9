//! A server's certificate and private key, from two PEM files that are read again when they change.
//!
//! Does not say who is shown it. Invariant: what was good stays in use until something better is there; an error is told once
//! for each change of the files.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rustls::{crypto::CryptoProvider, sign::CertifiedKey};

use crate::pem::{self, PemFileError};

/// A certificate with its intermediates, and its private key; both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemPair {
    /// Intermediates follow the certificate.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl PemPair {
    /// `<name>.crt` and `<name>.key` in a folder.
    pub fn named(folder: &Path, name: &str) -> Self {
        Self { certificate: folder.join(format!("{name}.crt")), key: folder.join(format!("{name}.key")) }
    }
}

/// Why a pair of files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerCertificateError {
    /// A file is not there, holds something else, or others than its owner may read the key.
    #[error(transparent)]
    File(#[from] PemFileError),
    /// Each file is good, but the key is not the certificate's.
    #[error("{certificate} and {key} cannot be used together")]
    Pair {
        certificate: PathBuf,
        key: PathBuf,
        #[source]
        source: rustls::Error,
    },
}

/// When a file was last written, how long it is and who may read it: enough to notice a change without reading it.
type Stamp = Option<(SystemTime, u64, u32)>;

/// A pair of files, as last read.
pub struct ServerCertificate {
    pair: PemPair,
    seen: Option<[Stamp; 2]>,
    current: Option<Arc<CertifiedKey>>,
}

impl ServerCertificate {
    /// Reads nothing yet.
    pub fn new(pair: PemPair) -> Self {
        Self { pair, seen: None, current: None }
    }

    pub fn pair(&self) -> &PemPair {
        &self.pair
    }

    /// What can be shown; `None` until a [`refresh`](Self::refresh) has found a good pair.
    pub fn current(&self) -> Option<&Arc<CertifiedKey>> {
        self.current.as_ref()
    }

    /// Reads the files if they have changed; `true` if there is another certificate in use now. Blocking, but two `stat`s
    /// long unless something has changed.
    ///
    /// # Errors
    /// [`ServerCertificateError`], once for each change of the files: the certificate in use stays.
    pub fn refresh(&mut self, provider: &CryptoProvider) -> Result<bool, ServerCertificateError> {
        // Before reading: a change in between is seen the next time.
        let now = [&self.pair.certificate, &self.pair.key].map(|file| stamp(file));
        if self.seen.replace(now) == Some(now) {
            return Ok(false);
        }
        let read = certified_key(&self.pair, provider)?;
        let changed = self.current.as_ref().is_none_or(|current| current.cert != read.cert);
        self.current = Some(Arc::new(read));
        Ok(changed)
    }
}

fn stamp(file: &Path) -> Stamp {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.permissions().mode()))
}

fn certified_key(pair: &PemPair, provider: &CryptoProvider) -> Result<CertifiedKey, ServerCertificateError> {
    let PemPair { certificate, key } = pair;
    let (chain, private) = (pem::read_certificates(certificate)?, pem::read_private_key(key)?);
    CertifiedKey::from_der(chain, private, provider).map_err(|source| ServerCertificateError::Pair {
        certificate: certificate.clone(),
        key: key.clone(),
        source,
    })
}
