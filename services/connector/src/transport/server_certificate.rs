//! The server certificate of one instance, from `<instance-id>.crt` and `<instance-id>.key`, read again when they change.
//!
//! Invariant: the last usable certificate stays in use until another one loads; a broken file is reported once for each
//! change.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rollcall_domain::ids::InstanceId;
use rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

/// Largest file that is read, bytes: a chain of a few certificates is some kilobytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerCertificateError {
    /// A file is not there or cannot be read.
    #[error("cannot read {file}")]
    Read {
        file: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Not a certificate file at all.
    #[error("{file} has more than {FILE_BYTES_MAX} bytes: it should hold one PEM certificate chain or key")]
    TooLarge { file: PathBuf },
    /// No PEM of the right kind.
    #[error("{file} holds no PEM {wanted}: {reason}")]
    Content {
        file: PathBuf,
        /// `CERTIFICATE` or `PRIVATE KEY`.
        wanted: &'static str,
        /// What the reader said.
        reason: String,
    },
    /// Each file is good, but they are not a pair.
    #[error("{certificate} and {key} cannot be used together: {reason}")]
    Pair {
        /// The certificate file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What rustls said.
        reason: String,
    },
}

/// When both files were last written and how long they are: enough to notice a change without reading them.
type Stamp = [Option<(SystemTime, u64)>; 2];

/// Watches the two files of one instance.
pub(crate) struct ServerCertificate {
    certificate: PathBuf,
    key: PathBuf,
    seen: Option<Stamp>,
    current: Option<Arc<CertifiedKey>>,
}

impl ServerCertificate {
    /// Of an instance, in the folder for server certificates.
    pub(crate) fn of(instance: &InstanceId, folder: &Path) -> Self {
        Self {
            certificate: folder.join(format!("{instance}.crt")),
            key: folder.join(format!("{instance}.key")),
            seen: None,
            current: None,
        }
    }

    /// The one in use.
    pub(crate) fn current(&self) -> Option<&Arc<CertifiedKey>> {
        self.current.as_ref()
    }

    /// Looks at the files; `true` if there is another certificate in use now. Blocking, but two `stat`s long unless
    /// something has changed.
    ///
    /// # Errors
    /// [`ServerCertificateError`], once for each change of the files: the one in use stays.
    pub(crate) fn refresh(&mut self, provider: &CryptoProvider) -> Result<bool, ServerCertificateError> {
        let stamp = [stamp(&self.certificate), stamp(&self.key)];
        if self.seen == Some(stamp) {
            return Ok(false);
        }
        self.seen = Some(stamp);
        let loaded = load(&self.certificate, &self.key, provider)?;
        let changed = self.current.as_ref().is_none_or(|current| current.cert != loaded.cert);
        self.current = Some(Arc::new(loaded));
        Ok(changed)
    }
}

fn stamp(file: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn load(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, ServerCertificateError> {
    let content =
        |file: &Path, wanted, reason: String| ServerCertificateError::Content { file: file.into(), wanted, reason };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|error| content(certificate, "CERTIFICATE", error.to_string()))?;
    if chain.is_empty() {
        return Err(content(certificate, "CERTIFICATE", "there is none".into()));
    }
    let private =
        PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| content(key, "PRIVATE KEY", error.to_string()))?;
    CertifiedKey::from_der(chain, private, provider).map_err(|error| ServerCertificateError::Pair {
        certificate: certificate.into(),
        key: key.into(),
        reason: error.to_string(),
    })
}

fn read(file: &Path) -> Result<Vec<u8>, ServerCertificateError> {
    let refused = |source| ServerCertificateError::Read { file: file.into(), source };
    if std::fs::metadata(file).map_err(refused)?.len() > FILE_BYTES_MAX {
        return Err(ServerCertificateError::TooLarge { file: file.into() });
    }
    std::fs::read(file).map_err(refused)
}
