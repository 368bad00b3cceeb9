//! The one reader of PEM (RFC 7468): certificates and private keys, from files and from texts that were sent.
//!
//! rustls-pki-types parses; [`fault`] says what is wrong with what it refuses. Does not check what certificates and keys say.
//! Invariant: no error, shown or debugged, repeats a byte of what was read, because that may be a private key wherever
//! something else was meant. The parser's own errors list the line that they stopped at, and end here.

use std::{
    fmt,
    io::Read as _,
    path::{Path, PathBuf},
};

use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};

pub use self::fault::{Fault, Label, PemError};
use crate::secret_file::{self, SecretFileError};

mod fault;

/// Largest file of certificates that is read, bytes: a bundle of all public authorities has some 250,000.
const CERTIFICATE_FILE_BYTES_MAX: usize = 1024 * 1024;
/// Largest file with a private key that is read, bytes: it may hold a chain as well.
const KEY_FILE_BYTES_MAX: usize = 64 * 1024;

/// What a reader asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    Certificate,
    PrivateKey,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "certificate",
            Self::PrivateKey => "private key",
        })
    }
}

/// Why nothing can be taken from a file.
#[derive(Debug, thiserror::Error)]
pub enum PemFileError {
    /// The file is not there or cannot be read.
    #[error("cannot read {file}")]
    Read {
        file: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A private key's file cannot be read, or others than its owner may read it.
    #[error(transparent)]
    Key(#[from] SecretFileError),
    #[error("{file} has more than {max} bytes: it is not the file that was meant")]
    TooLong {
        file: PathBuf,
        /// The most that is read, bytes.
        max: usize,
    },
    /// The file holds something else.
    #[error("{file} holds no {wanted} that can be read: {fault}")]
    Content { file: PathBuf, wanted: Wanted, fault: PemError },
}

/// The certificates of a text, in its order; other sections are passed over.
///
/// # Errors
/// [`PemError`]: there is none, or one of them cannot be read.
pub fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match read {
        // The parser passes over a section that does not begin a line: what is dropped would be missed much later.
        Ok(found) if !found.is_empty() && found.len() == fault::certificates_begun(text) => Ok(found),
        Ok(_) | Err(_) => Err(fault::find(text, Wanted::Certificate)),
    }
}

/// The only certificate of a text.
///
/// # Errors
/// As for [`certificates`]; also if there are several.
pub fn certificate(text: &[u8]) -> Result<CertificateDer<'static>, PemError> {
    let mut found = certificates(text)?;
    match (found.pop(), found.len()) {
        (Some(only), 0) => Ok(only),
        (_, others) => Err(fault::several(text, others + 1)),
    }
}

/// The first private key of a text.
///
/// # Errors
/// [`PemError`]: there is none, or a section before it cannot be read.
pub fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|_| fault::find(text, Wanted::PrivateKey))
}

/// As [`certificates`], from a file.
///
/// # Errors
/// [`PemFileError`].
pub fn read_certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, PemFileError> {
    certificates(&content(file)?).map_err(|fault| unusable(file, Wanted::Certificate, fault))
}

/// As [`certificate`], from a file.
///
/// # Errors
/// [`PemFileError`].
pub fn read_certificate(file: &Path) -> Result<CertificateDer<'static>, PemFileError> {
    certificate(&content(file)?).map_err(|fault| unusable(file, Wanted::Certificate, fault))
}

/// As [`private_key`], from a file that only its owner has access to.
///
/// # Errors
/// [`PemFileError`].
pub fn read_private_key(file: &Path) -> Result<PrivateKeyDer<'static>, PemFileError> {
    let text = secret_file::read(file, KEY_FILE_BYTES_MAX)?;
    private_key(&text).map_err(|fault| unusable(file, Wanted::PrivateKey, fault))
}

fn content(file: &Path) -> Result<Vec<u8>, PemFileError> {
    let mut text = Vec::new();
    let read = std::fs::File::open(file)
        .and_then(|opened| opened.take(CERTIFICATE_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut text));
    read.map_err(|source| PemFileError::Read { file: file.to_owned(), source })?;
    if text.len() > CERTIFICATE_FILE_BYTES_MAX {
        return Err(PemFileError::TooLong { file: file.to_owned(), max: CERTIFICATE_FILE_BYTES_MAX });
    }
    Ok(text)
}

fn unusable(file: &Path, wanted: Wanted, fault: PemError) -> PemFileError {
    PemFileError::Content { file: file.to_owned(), wanted, fault }
}

#[cfg(test)]
mod tests;
