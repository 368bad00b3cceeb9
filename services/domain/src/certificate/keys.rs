//! Which keys and signatures are accepted: RSA of 2048 to 8192 bits, P-256, P-384 and Ed25519, under SHA-256 or better.
//!
//! One list for certificates of CAs, intermediates and devices. Not its job: the signature of a handshake, which its own
//! TLS library checks with the same key.

use rustls_pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer};
use webpki::{RawPublicKeyEntity, aws_lc_rs as algorithms};

use super::{
    der::{self, DerFault, Reader},
    extensions,
    tbs::TbsCertificate,
};
use crate::limits;

/// The signature algorithms that path building may use. SHA-1, MD5 and P-521 are left out by not being here.
pub(super) static ACCEPTED: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P256_SHA512,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::ECDSA_P384_SHA512,
    algorithms::ED25519,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    algorithms::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    algorithms::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// Why a signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignatureFault {
    /// The algorithm is not one of [`ACCEPTED`].
    Algorithm,
    /// It is, and the key did not make this signature.
    NotGenuine,
}

/// Whether `public_key` (SubjectPublicKeyInfo, DER) made the signature of a certificate.
pub(super) fn verify(certificate: &TbsCertificate<'_>, public_key: &[u8]) -> Result<(), SignatureFault> {
    let public_key = SubjectPublicKeyInfoDer::from(public_key);
    let key = RawPublicKeyEntity::try_from(&public_key).map_err(|_| SignatureFault::NotGenuine)?;
    if !is_accepted_signature(certificate.signature_algorithm) {
        return Err(SignatureFault::Algorithm);
    }
    // One ECDSA identifier is in the list once for each curve: those of another key fail before any arithmetic.
    let genuine = candidates(certificate.signature_algorithm)
        .any(|algorithm| key.verify_signature(algorithm, certificate.signed, certificate.signature).is_ok());
    if genuine { Ok(()) } else { Err(SignatureFault::NotGenuine) }
}

/// Whether an AlgorithmIdentifier (its content) names a signature that is accepted.
pub(super) fn is_accepted_signature(algorithm: &[u8]) -> bool {
    candidates(algorithm).next().is_some()
}

/// What people call a signature algorithm (the content of its AlgorithmIdentifier); its OBJECT IDENTIFIER if they do not.
pub(super) fn algorithm_name(algorithm: &[u8]) -> String {
    let oid = Reader::new(algorithm).expect(der::OBJECT_IDENTIFIER, "no algorithm").map(|oid| oid.content);
    match oid {
        Ok([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04]) => "RSA with MD5".into(),
        Ok([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05]) => "RSA with SHA-1".into(),
        Ok([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0e]) => "RSA with SHA-224".into(),
        Ok([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01]) => "ECDSA with SHA-1".into(),
        Ok([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x01]) => "ECDSA with SHA-224".into(),
        Ok([0x2b, 0x65, 0x71]) => "Ed448".into(),
        Ok([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b]) => "RSA with SHA-256".into(),
        Ok([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c]) => "RSA with SHA-384".into(),
        Ok([0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d]) => "RSA with SHA-512".into(),
        Ok([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]) => "ECDSA with SHA-256".into(),
        Ok([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03]) => "ECDSA with SHA-384".into(),
        Ok([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04]) => "ECDSA with SHA-512".into(),
        Ok([0x2b, 0x65, 0x70]) => "Ed25519".into(),
        // Its parameters say with which hash.
        Ok(RSA_PSS) if is_accepted_signature(algorithm) => "RSA-PSS with SHA-256 or better".into(),
        Ok(other) => format!("the algorithm {}", extensions::dotted(other)),
        Err(_) => "an algorithm that cannot be read".into(),
    }
}

fn candidates(algorithm: &[u8]) -> impl Iterator<Item = &'static dyn SignatureVerificationAlgorithm> {
    ACCEPTED.iter().copied().filter(move |accepted| accepted.signature_alg_id().as_ref() == algorithm)
}

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const ELLIPTIC_CURVE: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const NULL_PARAMETERS: &[u8] = &[0x05, 0x00];
const P256_PARAMETERS: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384_PARAMETERS: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];

/// Whether a SubjectPublicKeyInfo (DER) holds a key that is accepted; else what was found.
///
/// Looks at sizes and identifiers only, so that an oversized key costs nothing.
pub(super) fn check(public_key: &[u8]) -> Result<(), String> {
    let Parts { algorithm, parameters, key } = parts(public_key).map_err(unreadable)?;
    match algorithm {
        RSA if parameters == NULL_PARAMETERS => check_rsa(key),
        RSA_PSS => Err("RSA for PSS only; accepted is RSA with the usual identifier".into()),
        ELLIPTIC_CURVE if parameters == P256_PARAMETERS => check_point(key, 32),
        ELLIPTIC_CURVE if parameters == P384_PARAMETERS => check_point(key, 48),
        ELLIPTIC_CURVE => Err("an elliptic curve other than P-256 and P-384".into()),
        ED25519 if parameters.is_empty() && key.len() == 32 => Ok(()),
        _ => Err("neither RSA nor ECDSA on P-256 or P-384 nor Ed25519".into()),
    }
}

/// What people call a key that [`check`] accepts.
pub(super) fn key_name(public_key: &[u8]) -> String {
    let Ok(Parts { algorithm, parameters, key }) = parts(public_key) else { return "a key that cannot be read".into() };
    match (algorithm, parameters) {
        (RSA, _) => rsa_bits(key).map_or_else(|_| "RSA".into(), |bits| format!("RSA, {bits} bits")),
        (ELLIPTIC_CURVE, P384_PARAMETERS) => "ECDSA, P-384".into(),
        (ELLIPTIC_CURVE, _) => "ECDSA, P-256".into(),
        _ => "Ed25519".into(),
    }
}

fn unreadable(fault: DerFault) -> String {
    format!("a public key that cannot be read: {}", fault.0)
}

struct Parts<'a> {
    /// Content of the OBJECT IDENTIFIER.
    algorithm: &'a [u8],
    parameters: &'a [u8],
    key: &'a [u8],
}

fn parts(public_key: &[u8]) -> Result<Parts<'_>, DerFault> {
    const MALFORMED: &str = "it is no SubjectPublicKeyInfo";
    let mut inside = Reader::new(public_key).expect(der::SEQUENCE, MALFORMED)?.inside();
    let mut identifier = inside.expect(der::SEQUENCE, MALFORMED)?.inside();
    let algorithm = identifier.expect(der::OBJECT_IDENTIFIER, MALFORMED)?.content;
    let key = inside.expect(der::BIT_STRING, MALFORMED)?.whole_bytes()?;
    inside.end(MALFORMED)?;
    Ok(Parts { algorithm, parameters: identifier.rest(), key })
}

fn check_rsa(key: &[u8]) -> Result<(), String> {
    let bits = rsa_bits(key)?;
    let (min, max) = (limits::RSA_BITS_MIN, limits::RSA_BITS_MAX);
    if (min..=max).contains(&bits) { Ok(()) } else { Err(format!("RSA of {bits} bits; accepted are {min} to {max}")) }
}

fn rsa_bits(key: &[u8]) -> Result<usize, String> {
    let modulus = || -> Result<&[u8], DerFault> {
        const MALFORMED: &str = "it is no RSA key";
        let mut outer = Reader::new(key);
        let mut inside = outer.expect(der::SEQUENCE, MALFORMED)?.inside();
        outer.end(MALFORMED)?;
        let modulus = inside.expect(der::INTEGER, MALFORMED)?.magnitude()?;
        inside.expect(der::INTEGER, MALFORMED)?.magnitude()?;
        inside.end(MALFORMED)?;
        Ok(modulus)
    };
    let modulus = modulus().map_err(unreadable)?;
    Ok(modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize))
}

/// A point (SEC 1 §2.3.3), uncompressed or compressed; whether it is on the curve is found out when it is used.
fn check_point(key: &[u8], coordinate_bytes: usize) -> Result<(), String> {
    match key.first() {
        Some(0x04) if key.len() == 1 + 2 * coordinate_bytes => Ok(()),
        Some(0x02 | 0x03) if key.len() == 1 + coordinate_bytes => Ok(()),
        _ => Err("an elliptic curve key of the wrong size".into()),
    }
}
