//! The process's own TLS keys: a platform CA, and server certificates issued by it.
//!
//! For `rollcall up` on one machine. Certificates that an operator puts where the connector looks are used as they are, and
//! this never runs. Invariant: an existing file is never overwritten, and a private key is readable by its owner only.

use std::{
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use time::{Duration, OffsetDateTime};

use crate::pem::{self, PemFileError};

/// How long the platform CA lasts, days.
const CA_LIFETIME_DAYS: i64 = 3650;
/// How long a server certificate lasts, days.
const SERVER_LIFETIME_DAYS: i64 = 825;
/// A server certificate is made again when it has less than this to go, days.
const RENEW_BEFORE_DAYS: i64 = 30;
/// How far before now validity begins, so that a device whose clock is behind accepts it; hours.
const BACKDATED_HOURS: i64 = 24;

/// Why keys cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file cannot be read or written.
    #[error("cannot {doing} {file}")]
    File {
        /// `read`, `write` or `make`.
        doing: &'static str,
        file: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// The CA's certificate or key cannot be read.
    #[error(transparent)]
    Pem(#[from] PemFileError),
    /// A key or certificate cannot be made or understood.
    #[error("cannot {doing}")]
    Certificate {
        /// What was attempted.
        doing: String,
        #[source]
        source: rcgen::Error,
    },
}

/// The platform CA of a data folder.
pub struct PlatformCa {
    issuer: Issuer<'static, KeyPair>,
    certificate: PathBuf,
    now: OffsetDateTime,
}

impl PlatformCa {
    /// Reads `platform-ca.crt` and `platform-ca.key` in `folder`, or makes them. `unix_ms` is the injected clock's.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn open_or_make(folder: &Path, unix_ms: i64) -> Result<Self, KeysError> {
        let now = OffsetDateTime::from_unix_timestamp(unix_ms.div_euclid(1000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let (certificate, key) = (folder.join("platform-ca.crt"), folder.join("platform-ca.key"));
        std::fs::create_dir_all(folder).map_err(|source| file("make", folder, source))?;
        if !(certificate.exists() && key.exists()) {
            make_ca(&certificate, &key, now)?;
        }
        let issuer = read_issuer(&certificate, &key)?;
        Ok(Self { issuer, certificate, now })
    }

    /// The CA's certificate file, for clients to verify servers with.
    pub fn certificate_file(&self) -> &Path {
        &self.certificate
    }

    /// Makes `<name>.crt` and `<name>.key` in `folder` for a DNS name: if they are not there, and again when what was made
    /// here is for another name or will soon expire. Files that were not made here are left alone. Whether they are
    /// ours is written in `<name>.issued`: the DNS name and the last second of validity.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn issue_server(&self, folder: &Path, name: &str, dns_name: &str) -> Result<(), KeysError> {
        self.issue_server_also_for(folder, name, dns_name, &[])
    }

    /// As [`PlatformCa::issue_server`], for more names than one: `also` has DNS names and IP addresses, in the order in
    /// which they are to be found in `<name>.issued`, joined with commas.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn issue_server_also_for(&self, folder: &Path, name: &str, dns_name: &str, also: &[&str]) -> Result<(), KeysError> {
        let at = |extension: &str| folder.join(format!("{name}.{extension}"));
        let (certificate, key, issued) = (at("crt"), at("key"), at("issued"));
        let names: Vec<String> = std::iter::once(dns_name).chain(also.iter().copied()).map(str::to_owned).collect();
        let subject = names.join(",");
        let is_there = certificate.exists() && key.exists();
        if is_there && !self.is_due(&issued, &subject) {
            return Ok(());
        }
        std::fs::create_dir_all(folder).map_err(|source| file("make", folder, source))?;
        let failed = |source| KeysError::Certificate { doing: format!("make a server certificate for {subject}"), source };
        let mut params = CertificateParams::new(names).map_err(failed)?;
        params.distinguished_name.push(DnType::CommonName, dns_name);
        params.not_before = self.now - Duration::hours(BACKDATED_HOURS);
        params.not_after = self.now + Duration::days(SERVER_LIFETIME_DAYS);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let pair = KeyPair::generate().map_err(failed)?;
        let made = params.signed_by(&pair, &self.issuer).map_err(failed)?;
        let note = format!("{subject} {}\n", params.not_after.unix_timestamp());
        // The certificate comes last: a reader that polls it finds the key that belongs to it.
        for (path, text, mode) in
            [(&issued, note, 0o644), (&key, pair.serialize_pem(), 0o600), (&certificate, made.pem(), 0o644)]
        {
            let fresh = path.with_extension("new");
            drop(std::fs::remove_file(&fresh));
            write_new(&fresh, &text, mode)?;
            std::fs::rename(&fresh, path).map_err(|source| file("write", path, source))?;
        }
        Ok(())
    }

    /// Whether what was issued here is for other names or has less than [`RENEW_BEFORE_DAYS`] to go.
    fn is_due(&self, issued: &Path, subject: &str) -> bool {
        let Ok(note) = std::fs::read_to_string(issued) else { return false };
        let mut words = note.split_whitespace();
        let is_same = words.next() == Some(subject);
        let expires_s: i64 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        !is_same || expires_s < (self.now + Duration::days(RENEW_BEFORE_DAYS)).unix_timestamp()
    }
}

fn make_ca(certificate: &Path, key: &Path, now: OffsetDateTime) -> Result<(), KeysError> {
    let failed = |source| KeysError::Certificate { doing: "make the platform CA".to_owned(), source };
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Rollcall platform CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - Duration::hours(BACKDATED_HOURS);
    params.not_after = now + Duration::days(CA_LIFETIME_DAYS);
    let pair = KeyPair::generate().map_err(failed)?;
    let made = params.self_signed(&pair).map_err(failed)?;
    write_private(key, &pair.serialize_pem())?;
    write_public(certificate, &made.pem())
}

/// The issuer of a CA's certificate and private key, both PEM files. Certificates that follow the CA's own are its issuers'.
///
/// # Errors
/// [`KeysError::Pem`] and [`KeysError::Certificate`].
pub fn read_issuer(certificate: &Path, key: &Path) -> Result<Issuer<'static, KeyPair>, KeysError> {
    let (chain, private) = (pem::read_certificates(certificate)?, pem::read_private_key(key)?);
    let pair = KeyPair::try_from(&private)
        .map_err(|source| KeysError::Certificate { doing: format!("use the key in {}", key.display()), source })?;
    let failed =
        |source| KeysError::Certificate { doing: format!("use the CA certificate in {}", certificate.display()), source };
    let der = chain.first().ok_or_else(|| failed(rcgen::Error::CouldNotParseCertificate))?;
    Issuer::from_ca_cert_der(der, pair).map_err(failed)
}

/// Writes a private key that only its owner may read; refuses to overwrite.
///
/// # Errors
/// [`KeysError::File`].
pub fn write_private(path: &Path, pem: &str) -> Result<(), KeysError> {
    write_new(path, pem, 0o600)
}

/// Writes a certificate with mode 0644; refuses to overwrite.
///
/// # Errors
/// [`KeysError::File`].
pub fn write_public(path: &Path, pem: &str) -> Result<(), KeysError> {
    write_new(path, pem, 0o644)
}

fn write_new(path: &Path, pem: &str, mode: u32) -> Result<(), KeysError> {
    let mut options = std::fs::OpenOptions::new();
    let written = options.write(true).create_new(true).mode(mode).open(path).and_then(|mut file| {
        file.write_all(pem.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|source| file("write", path, source))
}

fn file(doing: &'static str, path: &Path, source: std::io::Error) -> KeysError {
    KeysError::File { doing, file: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_ca_and_its_certificates_are_made_once_and_keys_are_private() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let issue = || {
            let ca = PlatformCa::open_or_make(folder.path(), 1_764_000_000_000).expect("a CA");
            ca.issue_server(&folder.path().join("tls"), "north", "north.example").expect("a server certificate");
            std::fs::read(ca.certificate_file()).expect("the CA certificate")
        };
        assert_eq!(issue(), issue(), "a second start must find what the first made");
        for key in ["platform-ca.key", "tls/north.key"] {
            let mode = std::fs::metadata(folder.path().join(key)).expect(key).permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{key}");
        }
    }

    #[test]
    fn a_server_certificate_follows_its_name_and_an_operators_own_is_left_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ca = PlatformCa::open_or_make(folder.path(), 1_764_000_000_000).expect("a CA");
        let issue = |dns_name: &str| {
            ca.issue_server(folder.path(), "north", dns_name).expect("issued");
            std::fs::read(folder.path().join("north.crt")).expect("the certificate")
        };
        let first = issue("a.example");
        assert_eq!(first, issue("a.example"));
        assert_ne!(first, issue("b.example"), "another access domain needs another certificate");
        std::fs::remove_file(folder.path().join("north.issued")).expect("removed");
        std::fs::write(folder.path().join("north.crt"), "an operator's").expect("written");
        assert_eq!(issue("c.example"), b"an operator's");
    }

    #[test]
    fn a_server_certificate_is_made_again_when_any_of_its_names_changes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ca = PlatformCa::open_or_make(folder.path(), 1_764_000_000_000).expect("a CA");
        let issue = |also: &[&str]| {
            ca.issue_server_also_for(folder.path(), "api", "localhost", also).expect("issued");
            std::fs::read(folder.path().join("api.crt")).expect("the certificate")
        };
        let first = issue(&["127.0.0.1", "::1"]);
        assert_eq!(first, issue(&["127.0.0.1", "::1"]));
        assert_ne!(first, issue(&["127.0.0.1"]));
    }

    #[test]
    fn a_broken_ca_file_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("platform-ca.crt"), "nonsense").expect("written");
        std::fs::write(folder.path().join("platform-ca.key"), "nonsense").expect("written");
        let error = PlatformCa::open_or_make(folder.path(), 0).err().expect("must be refused");
        assert!(error.to_string().contains("platform-ca.crt"), "{error}");
    }
}
