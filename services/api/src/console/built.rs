//! The files of the built console: those embedded in this program, or those of a folder.
//!
//! Invariants: a name is looked up only if it is of a form that the build makes, so no path leads upwards, to a hidden file or to
//! one that a link of the folder leads out to; what is read of a folder is bounded.
//!
//! A debug build embeds too: it would otherwise read the folder of the machine that it was built on, and a test of it would not
//! be one of what is shipped.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use axum::{body::Bytes, http::HeaderValue};
use sha2::{Digest as _, Sha256};

/// Longest file that is served of a folder, bytes; the largest that the build makes is a tenth of it.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

pub(super) const IS_EMBEDDED: bool = cfg!(console);

/// Where the files are.
#[derive(Debug)]
pub(super) enum Built {
    Embedded,
    Folder(PathBuf),
}

pub(super) struct File {
    pub(super) bytes: Bytes,
    /// SHA-256 of the bytes.
    digest: [u8; 32],
}

impl File {
    /// Strong (RFC 9110 section 8.8.1): each coding of a file has bytes of its own and so another.
    pub(super) fn etag(&self) -> HeaderValue {
        let text = format!("\"{}\"", hex::encode(self.digest.first_chunk::<16>().unwrap_or(&[0; 16])));
        HeaderValue::from_str(&text).expect("hex digits in quotes are a header value")
    }
}

impl Built {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        let Some(folder) = folder else { return Self::Embedded };
        if !folder.join("index.html").is_file() {
            tracing::warn!(folder = %folder.display(), "console_dir has no index.html: there is no console until it has");
        }
        Self::Folder(folder)
    }

    /// The file of this name below `/console/`, if the build made one.
    pub(super) async fn read(&self, name: &str) -> Option<File> {
        if !is_name(name) {
            return None;
        }
        match self {
            Self::Embedded => embedded(name),
            Self::Folder(folder) => {
                let (folder, name) = (folder.clone(), name.to_owned());
                let reading = tokio::task::spawn_blocking(move || in_folder(&folder, &name));
                match reading.await.ok()? {
                    Ok(bytes) => Some(File { digest: Sha256::digest(&bytes).into(), bytes: bytes.into() }),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                    Err(error) => {
                        tracing::warn!(%error, "a file of console_dir cannot be served");
                        None
                    }
                }
            }
        }
    }
}

/// Whether each part of a path is one of letters, digits, `-`, `_` and `.`, and begins with no dot.
fn is_name(path: &str) -> bool {
    let is_part = |part: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(allowed)
    };
    path.split('/').all(is_part)
}

fn in_folder(folder: &Path, name: &str) -> io::Result<Vec<u8>> {
    let folder = folder.canonicalize()?;
    let path = folder.join(name).canonicalize()?;
    // A link may lead to another file of the folder, and a package's folder may itself be one.
    if !path.starts_with(&folder) {
        return Err(io::Error::other(format!("{} leads out of it", folder.join(name).display())));
    }
    // Before it is opened: opening a pipe would wait for its writer.
    if !fs::metadata(&path)?.is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    let mut bytes = Vec::new();
    fs::File::open(&path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("{} has more than {FILE_BYTES_MAX} bytes", path.display())));
    }
    Ok(bytes)
}

#[cfg(console)]
#[derive(rust_embed::Embed)]
#[folder = "../console/dist/"]
struct Embedded;

#[cfg(console)]
fn embedded(name: &str) -> Option<File> {
    use std::borrow::Cow;

    let file = Embedded::get(name)?;
    let bytes = match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    Some(File { bytes, digest: file.metadata.sha256_hash() })
}

#[cfg(not(console))]
const fn embedded(_: &str) -> Option<File> {
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_names_that_the_build_makes_are_looked_up() {
        for name in ["index.html", "assets/index-Bx_9-a1.js.br", "favicon.svg"] {
            assert!(is_name(name), "{name}");
        }
        for name in [
            "",
            "/",
            "/etc/passwd",
            "../x.js",
            "assets/../../x.js",
            "a//b.js",
            ".env.js",
            "a/.git/b.js",
            "%2e%2e/x.js",
            "a\\b.js",
            "a\0.js",
        ] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[tokio::test]
    async fn nothing_outside_the_folder_is_served() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("console");
        fs::create_dir_all(folder.join("assets")).unwrap();
        fs::write(outer.path().join("secret.js"), "secret").unwrap();
        fs::write(folder.join("index.html"), "index").unwrap();
        fs::write(folder.join(".hidden.js"), "hidden").unwrap();
        symlink("../secret.js", folder.join("out.js")).unwrap();
        symlink("..", folder.join("up")).unwrap();
        symlink("index.html", folder.join("in.html")).unwrap();
        // As a package that keeps versions side by side would have it.
        let linked = outer.path().join("current");
        symlink("console", &linked).unwrap();
        let built = Built::new(Some(linked));
        for name in ["index.html", "in.html"] {
            assert_eq!(built.read(name).await.unwrap().bytes, "index", "{name}");
        }
        for name in ["out.js", "up/secret.js", "../secret.js", ".hidden.js", "assets", "none.js", "index.html/x.js"] {
            assert!(built.read(name).await.is_none(), "{name}");
        }
    }

    #[tokio::test]
    async fn a_console_is_in_the_program_or_is_not() {
        assert_eq!(Built::Embedded.read("index.html").await.is_some(), IS_EMBEDDED);
        assert!(Built::Embedded.read(".gitkeep").await.is_none());
    }

    #[tokio::test]
    async fn a_file_that_is_too_long_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::File::create(folder.path().join("long.js")).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
        assert!(Built::new(Some(folder.path().to_owned())).read("long.js").await.is_none());
    }
}
