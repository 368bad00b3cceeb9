//! The parts of one certificate: the fields of its TBSCertificate (RFC 5280 §4.1), and the signature over them. They are
//! found here and checked elsewhere.
//!
//! Every reader of certificates starts here, so that facts, path and authority speak of the same bytes. Invariant: an
//! [`TbsCertificate`] is of exactly one v1 or v3 certificate in strict DER, whose two signature algorithms are the same.

use sha2::{Digest, Sha256};

use super::{
    der::{self, DerFault, Element, Reader},
    validity,
};
use crate::{limits, time::Timestamp};

/// The X.509 version of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum X509Version {
    /// No extensions; still made by `openssl x509 -req` without an extension file.
    V1,
    /// Everything else that is accepted.
    V3,
}

/// The parts of a certificate, borrowed from its DER.
#[derive(Clone, Copy, Debug)]
pub(super) struct TbsCertificate<'a> {
    pub(super) version: X509Version,
    /// What is signed, with tag and length.
    pub(super) signed: &'a [u8],
    /// Content of the AlgorithmIdentifier.
    pub(super) signature_algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
    /// Content of the issuer's Name.
    pub(super) issuer: &'a [u8],
    /// Content of the subject's Name.
    pub(super) subject: &'a [u8],
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    /// SubjectPublicKeyInfo, with tag and length.
    pub(super) public_key: &'a [u8],
    /// Content of Extensions; empty where there are none.
    pub(super) extensions: &'a [u8],
}

/// Why bytes are not a certificate that Rollcall reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TbsFault {
    TooLarge {
        bytes: usize,
    },
    TrailingBytes {
        bytes: usize,
    },
    /// X.509 v2, or a version that does not exist.
    Version,
    Malformed(&'static str),
}

impl From<DerFault> for TbsFault {
    fn from(DerFault(reason): DerFault) -> Self {
        Self::Malformed(reason)
    }
}

impl<'a> TbsCertificate<'a> {
    /// Finds the parts of one certificate.
    pub(super) fn read(der: &'a [u8]) -> Result<Self, TbsFault> {
        let (certificate, serial) = Self::parts(der)?;
        // RFC 5280 §4.1.2.2.
        if serial.content.first().is_some_and(|first| first & 0x80 != 0) {
            return Err(TbsFault::Malformed("it has a negative serial number, which RFC 5280 forbids: issue it anew"));
        }
        serial.magnitude()?;
        Ok(certificate)
    }

    /// The same, whatever its serial number is: to tell people of a certificate that is refused for that, and no more.
    pub(super) fn read_to_blame(der: &'a [u8]) -> Result<Self, TbsFault> {
        Ok(Self::parts(der)?.0)
    }

    /// As [`Self::read_to_blame`], with the content of its serial number.
    pub(super) fn read_with_serial_number(der: &'a [u8]) -> Result<(Self, &'a [u8]), TbsFault> {
        let (certificate, serial) = Self::parts(der)?;
        Ok((certificate, serial.content))
    }

    fn parts(der: &'a [u8]) -> Result<(Self, Element<'a>), TbsFault> {
        if der.len() > limits::CERTIFICATE_BYTES_MAX {
            return Err(TbsFault::TooLarge { bytes: der.len() });
        }
        let mut reader = Reader::new(der);
        let certificate = reader.expect(der::SEQUENCE, "it does not begin with a SEQUENCE")?;
        if !reader.at_end() {
            return Err(TbsFault::TrailingBytes { bytes: reader.rest().len() });
        }
        let mut inside = certificate.inside();
        let signed = inside.expect(der::SEQUENCE, "it has no TBSCertificate")?;
        let algorithm = inside.expect(der::SEQUENCE, "it has no signature algorithm")?;
        let signature = inside.expect(der::BIT_STRING, "it has no signature")?.whole_bytes()?;
        inside.end("something follows its signature")?;
        Self::read_signed(&signed, &algorithm, signature)
    }

    /// SHA-256 over SubjectPublicKeyInfo and the subject's Name: which CA this is, the same for a renewed certificate of it.
    pub(super) fn name_and_key_sha256(&self) -> [u8; 32] {
        // The key's length is inside its DER, so no other name and key give the same bytes.
        Sha256::new().chain_update(self.public_key).chain_update(self.subject).finalize().into()
    }

    fn read_signed(
        signed: &Element<'a>,
        algorithm: &Element<'a>,
        signature: &'a [u8],
    ) -> Result<(Self, Element<'a>), TbsFault> {
        let mut inside = signed.inside();
        let version = version(&mut inside)?;
        let serial = inside.expect(der::INTEGER, "it has no serial number")?;
        let inner = inside.expect(der::SEQUENCE, "its signed part names no signature algorithm")?;
        if inner.content != algorithm.content {
            return Err(TbsFault::Malformed("it names two different signature algorithms"));
        }
        let issuer = inside.expect(der::SEQUENCE, "it has no issuer")?;
        let validity = inside.expect(der::SEQUENCE, "it has no validity")?;
        let subject = inside.expect(der::SEQUENCE, "it has no subject")?;
        let public_key = inside.expect(der::SEQUENCE, "it has no public key")?;
        let extensions = match inside.optional(der::context_constructed(3))? {
            None => &[][..],
            Some(_) if version == X509Version::V1 => {
                return Err(TbsFault::Malformed("it is X.509 v1 and has extensions"));
            }
            Some(tagged) => {
                let mut tagged = tagged.inside();
                let extensions = tagged.expect(der::SEQUENCE, "its extensions are not a SEQUENCE")?;
                tagged.end("something follows its extensions")?;
                extensions.content
            }
        };
        // Unique identifiers ([1] and [2]) are among what is refused here: RFC 5280 §4.1.2.8 forbids them.
        inside.end("its signed part holds something that is not known")?;
        let (not_before, not_after) = validity::read(&validity)?;
        let certificate = Self {
            version,
            signed: signed.whole,
            signature_algorithm: algorithm.content,
            signature,
            issuer: issuer.content,
            subject: subject.content,
            not_before,
            not_after,
            public_key: public_key.whole,
            extensions,
        };
        Ok((certificate, serial))
    }
}

/// `[0] EXPLICIT INTEGER`; absent means v1, which DER does not allow to be written.
fn version(reader: &mut Reader<'_>) -> Result<X509Version, TbsFault> {
    let Some(tagged) = reader.optional(der::context_constructed(0))? else { return Ok(X509Version::V1) };
    let mut tagged = tagged.inside();
    let number = tagged.expect(der::INTEGER, "its version is not an INTEGER")?;
    tagged.end("something follows its version")?;
    match number.content {
        [2] => Ok(X509Version::V3),
        _ => Err(TbsFault::Version),
    }
}
