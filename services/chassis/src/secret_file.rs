//! Files that hold one secret of a process: read only where none but their owner has access, made whole or not at all.
//!
//! Does not know what the secret is. Invariants: a file that the group or others may do anything with is refused; an existing
//! file is never overwritten; of processes that start at once all read what one of them has made; no byte of a secret is
//! in an error.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::entropy::Entropy;

/// A file that the group or others may do anything with is refused.
const OTHERS: u32 = 0o077;

/// Why a secret cannot be had from a file.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The file cannot be read or made.
    #[error("cannot {doing} {file}")]
    File {
        /// `read`, `make` or `write`.
        doing: &'static str,
        file: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Others than the owner may read or write it.
    #[error("{file} has mode {mode:o}: nobody but its owner may have access to it (chmod 600)")]
    Exposed { file: PathBuf, mode: u32 },
    /// No secret of its kind is as long.
    #[error("{file} holds more than {max} bytes: it is not the file that was meant")]
    TooLong {
        file: PathBuf,
        /// The most that is read, bytes.
        max: usize,
    },
}

/// What `file` holds, white space at its ends and all; at most `max` bytes.
///
/// # Errors
/// [`SecretFileError`].
pub fn read(file: &Path, max: usize) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    let failed = |source| SecretFileError::File { doing: "read", file: file.to_owned(), source };
    let opened = std::fs::File::open(file).map_err(failed)?;
    // Of what is open, not of what the path leads to by now.
    let mode = opened.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & OTHERS != 0 {
        return Err(SecretFileError::Exposed { file: file.to_owned(), mode });
    }
    let mut secret = Zeroizing::new(Vec::with_capacity(max + 1));
    opened.take(max as u64 + 1).read_to_end(&mut secret).map_err(failed)?;
    if secret.len() > max {
        return Err(SecretFileError::TooLong { file: file.to_owned(), max });
    }
    Ok(secret)
}

/// As [`read`], after putting there what `make` gives if there is no such file.
///
/// # Errors
/// [`SecretFileError`].
pub fn read_or_make(
    file: &Path,
    max: usize,
    entropy: &dyn Entropy,
    make: impl FnOnce() -> Zeroizing<String>,
) -> Result<Zeroizing<Vec<u8>>, SecretFileError> {
    match read(file, max) {
        Err(SecretFileError::File { source, .. }) if source.kind() == ErrorKind::NotFound => {
            let failed = |source| SecretFileError::File { doing: "make", file: file.to_owned(), source };
            put(file, entropy, &make()).map_err(failed)?;
            read(file, max)
        }
        had => had,
    }
}

/// Writes a secret for the file's owner alone, from the first byte on, in place of what was there; whole or not at all.
///
/// # Errors
/// [`SecretFileError::File`].
pub fn replace(file: &Path, secret: &str) -> Result<(), SecretFileError> {
    let aside = file.with_extension("new");
    // What a process that was killed has left.
    drop(std::fs::remove_file(&aside));
    let mut options = std::fs::OpenOptions::new();
    let written = options.write(true).create_new(true).mode(0o600).open(&aside).and_then(|mut opened| {
        opened.write_all(secret.as_bytes())?;
        opened.sync_all()?;
        std::fs::rename(&aside, file)
    });
    written.map_err(|source| SecretFileError::File { doing: "write", file: file.to_owned(), source })
}

/// Writes the secret aside and links it into place: the link fails where a file is, and half of one is never read.
fn put(file: &Path, entropy: &dyn Entropy, secret: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let aside = file.with_extension(format!("{}.new", entropy.uuid_v4().simple()));
    let mut options = std::fs::OpenOptions::new();
    let mut written = options.write(true).create_new(true).mode(0o600).open(&aside)?;
    let linked = written
        .write_all(secret.as_bytes())
        .and_then(|()| written.sync_all())
        .and_then(|()| std::fs::hard_link(&aside, file))
        .or_else(|error| if error.kind() == ErrorKind::AlreadyExists { Ok(()) } else { Err(error) });
    std::fs::remove_file(&aside)?;
    linked
}
