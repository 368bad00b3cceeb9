//! One verified CA certificate, as path building needs it.

use rustls_pki_types::{CertificateDer, TrustAnchor};
use sha2::{Digest, Sha256};
use webpki::VerifiedPath;

use super::{
    super::{extensions::Extensions, name::NameText, tbs::TbsCertificate},
    ChainCertificate,
};
use crate::ids::CaId;

/// What webpki does not know of an anchor.
#[derive(Debug)]
pub(super) struct Anchor {
    pub(super) ca: CaId,
    /// Over the DER.
    pub(super) sha256: [u8; 32],
    /// Content of the subject's Name.
    pub(super) subject: Box<[u8]>,
    /// The same as text, read when the store is made and not for each chain that is refused.
    pub(super) subject_text: Option<NameText>,
    /// SubjectPublicKeyInfo, DER.
    pub(super) public_key: Box<[u8]>,
    pub(super) certificate: ChainCertificate,
    pub(super) path_length: Option<u64>,
}

impl Anchor {
    pub(super) fn read(ca: CaId, der: &[u8]) -> Option<(Self, TrustAnchor<'static>)> {
        let certificate = TbsCertificate::read(der).ok()?;
        let extensions = Extensions::read(certificate.extensions).ok()?;
        let sha256 = Sha256::digest(der).into();
        let der = CertificateDer::from(der);
        let trusted = webpki::anchor_from_trusted_cert(&der).ok()?.to_owned();
        let anchor = Self {
            ca,
            sha256,
            subject: certificate.subject.into(),
            subject_text: NameText::of(certificate.subject),
            public_key: certificate.public_key.into(),
            certificate: ChainCertificate::of(&certificate),
            path_length: extensions.basic_constraints.and_then(|constraints| constraints.path_length),
        };
        Some((anchor, trusted))
    }

    /// Whether the anchor's path length (RFC 5280 §4.2.1.9) allows the intermediates of a path. Those issued to their own
    /// name do not count.
    pub(super) fn permits(&self, path: &VerifiedPath<'_>) -> Result<(), webpki::Error> {
        let counted = path.intermediate_certificates().filter(|issuer| issuer.issuer() != issuer.subject()).count();
        match self.path_length {
            Some(max) if u64::try_from(counted).unwrap_or(u64::MAX) > max => Err(webpki::Error::PathLenConstraintViolated),
            Some(_) | None => Ok(()),
        }
    }
}
