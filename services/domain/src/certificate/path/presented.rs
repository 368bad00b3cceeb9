//! What a device presents, sorted before any signature is verified: its own certificate, and those that may be issuers.
//!
//! Invariant: the work that a chain can cause is bounded here. A name has at most two issuers, and webpki never goes
//! twice through one name and key, so a handful of signatures is all that anybody can make us verify.

use std::collections::HashSet;

use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

use super::{
    super::{
        extensions::Extensions,
        facts::{self, FactsError},
        keys,
        tbs::{TbsCertificate, X509Version},
    },
    PathError,
    fault::{self, Fault},
};
use crate::limits;

/// Issuers presented under one name: an old and a new one, or one that is cross-signed. More only cost signatures.
const ISSUERS_OF_ONE_NAME_MAX: usize = 2;

/// A chain, read but not proven.
pub(super) struct Presented<'a> {
    pub(super) device: TbsCertificate<'a>,
    pub(super) device_der: &'a [u8],
    /// Certificates that may have issued another.
    pub(super) issuers: Vec<CertificateDer<'a>>,
    /// Whether two of them have one name, so that there may be more than one path.
    pub(super) branches: bool,
    /// Subjects of those that may not, and why.
    unfit: Vec<(&'a [u8], PathError)>,
    /// Whether one was left out because its CA is distrusted.
    distrusted: bool,
    /// The first that cannot be read and is left out: many devices send what does not belong to their chain.
    unreadable: Option<PathError>,
}

impl<'a> Presented<'a> {
    /// Certificates of the distrusted CAs, by name and key, are not among those that may issue.
    pub(super) fn read(chain: &[&'a [u8]], distrusted: &HashSet<[u8; 32]>) -> Result<Self, PathError> {
        let (&device_der, others) = chain.split_first().ok_or(PathError::Empty)?;
        if chain.len() > limits::CHAIN_CERTIFICATES_MAX {
            return Err(PathError::TooLong { certificates: chain.len(), max: limits::CHAIN_CERTIFICATES_MAX });
        }
        let mut presented = Self {
            device: read(0, device_der)?,
            device_der,
            issuers: Vec::new(),
            branches: false,
            unfit: Vec::new(),
            distrusted: false,
            unreadable: None,
        };
        // A v1 certificate is proven by an anchor itself, whatever comes with it.
        if presented.device.version == X509Version::V3 {
            let mut names: Vec<&[u8]> = Vec::with_capacity(others.len());
            for (n, der) in (1..).zip(others.iter().copied()) {
                let certificate = match read(n, der) {
                    Ok(certificate) => certificate,
                    Err(error) => {
                        presented.unreadable.get_or_insert(error);
                        continue;
                    }
                };
                if !distrusted.is_empty() && distrusted.contains(&certificate.name_and_key_sha256()) {
                    presented.distrusted = true;
                    continue;
                }
                presented.sort(n, der, &certificate, &mut names)?;
            }
        }
        Ok(presented)
    }

    fn sort(
        &mut self,
        n: usize,
        der: &'a [u8],
        certificate: &TbsCertificate<'a>,
        names: &mut Vec<&'a [u8]>,
    ) -> Result<(), PathError> {
        if der == self.device_der || self.issuers.iter().any(|known| known.as_ref() == der) {
            return Ok(());
        }
        if let Err(error) = fit_to_issue(n, der, certificate) {
            self.unfit.push((certificate.subject, error));
            return Ok(());
        }
        let of_this_name = names.iter().filter(|name| **name == certificate.subject).count();
        if of_this_name == ISSUERS_OF_ONE_NAME_MAX {
            let reason = "more certificates of one name than a chain can need".into();
            return Err(PathError::Malformed { index: n, reason });
        }
        self.branches |= of_this_name > 0;
        names.push(certificate.subject);
        self.issuers.push(CertificateDer::from(der));
        Ok(())
    }

    /// A keyUsage of the device's certificate must allow what TLS does with it: sign.
    pub(super) fn check_purpose(&self) -> Result<(), PathError> {
        let extensions = Extensions::read(self.device.extensions).map_err(|fault| malformed(0, fault.0))?;
        match extensions.key_usage {
            Some(usage) if !usage.digital_signature() => {
                Err(PathError::WrongPurpose { reason: "its keyUsage does not allow digitalSignature".into() })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// What stopped a path. Where there was none: what was left out and may be why.
    pub(super) fn fault(&self, error: &webpki::Error) -> Fault {
        match fault::of_path(error, || self.unaccepted_algorithm()) {
            Fault::NoPath(_) => {
                let unfit = self.unfit.iter().find(|(subject, _)| *subject == self.device.issuer);
                let unfit = unfit.map(|(_, reason)| reason.clone());
                Fault::NoPath(unfit.or(self.distrusted.then_some(PathError::Distrusted)).or(self.unreadable.clone()))
            }
            fault => fault,
        }
    }

    fn unaccepted_algorithm(&self) -> String {
        let issuers = self.issuers.iter().filter_map(|der| TbsCertificate::read(der).ok());
        let mut signed = std::iter::once(self.device).chain(issuers).map(|certificate| certificate.signature_algorithm);
        let unaccepted = signed.find(|algorithm| !keys::is_accepted_signature(algorithm));
        let name = unaccepted.map_or_else(|| "another algorithm".to_owned(), keys::algorithm_name);
        format!("a certificate is signed with {name}: accepted are RSA, ECDSA and Ed25519 with SHA-256 or better")
    }
}

fn read(index: usize, der: &[u8]) -> Result<TbsCertificate<'_>, PathError> {
    TbsCertificate::read(der).map_err(|fault| malformed(index, FactsError::from(fault)))
}

fn malformed(index: usize, reason: impl ToString) -> PathError {
    PathError::Malformed { index, reason: reason.to_string() }
}

/// Whether a certificate may issue others at all.
pub(super) fn fit_to_issue(n: usize, der: &[u8], certificate: &TbsCertificate<'_>) -> Result<(), PathError> {
    let who = || format!("certificate {n} of the chain ({})", facts::subject_shown(certificate.subject));
    let not_permitted = |rule: &str| Err(PathError::NotPermitted { reason: format!("{} {rule}", who()) });
    if certificate.version != X509Version::V3 {
        return not_permitted("is X.509 v1 and cannot be a CA certificate");
    }
    let extensions = Extensions::read(certificate.extensions).map_err(|fault| malformed(n, fault.0))?;
    if !extensions.basic_constraints.is_some_and(|constraints| constraints.ca) {
        return not_permitted("is not a CA certificate (basicConstraints)");
    }
    if extensions.key_usage.is_some_and(|usage| !usage.key_cert_sign()) {
        return not_permitted("may not sign certificates (keyUsage has no keyCertSign)");
    }
    keys::check(certificate.public_key).map_err(|found| PathError::WeakKey { reason: format!("{} has {found}", who()) })?;
    // Whatever else webpki would not read, such as a critical extension that it does not process.
    match EndEntityCert::try_from(&CertificateDer::from(der)) {
        Ok(_) => Ok(()),
        Err(error) => Err(fault::of_certificate(n, certificate, &error)),
    }
}
