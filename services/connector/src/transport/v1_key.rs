//! Finds the public key of an X.509 v1 certificate. webpki reads version 3 only, and `openssl x509 -req` without an
//! extension file still makes version 1.
//!
//! Not its job: whether the certificate is any good; path building has read it strictly before. Invariant: `None` for
//! whatever is not the DER of a v1 certificate, never a panic.

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;

/// The SubjectPublicKeyInfo (DER, with its outer SEQUENCE) of a version 1 certificate; `None` for any other.
pub(crate) fn v1_key(certificate: &[u8]) -> Option<&[u8]> {
    let (_, certificate, _) = element(certificate, SEQUENCE)?;
    let (_, tbs, _) = element(certificate, SEQUENCE)?;
    // Version 2 and 3 begin with an explicit [0]; version 1 with the serial number (RFC 5280 §4.1).
    let (_, _, rest) = element(tbs, INTEGER)?;
    // Signature algorithm, issuer, validity, subject.
    let rest = (0..4).try_fold(rest, |rest, _| element(rest, SEQUENCE).map(|(_, _, rest)| rest))?;
    element(rest, SEQUENCE).map(|(key, _, _)| key)
}

/// The first element if it has this tag: whole, its content, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8], &[u8])> {
    let (&found, after_tag) = der.split_first()?;
    let (&first, after_first) = after_tag.split_first()?;
    let (length, header) = match first {
        0..=0x7f => (usize::from(first), 2),
        // Two length bytes reach the largest certificate that is accepted; a third is for the room above it.
        0x81..=0x83 => {
            let bytes = after_first.get(..usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), 2 + bytes.len())
        }
        _ => return None,
    };
    let end = header.checked_add(length)?;
    (found == tag).then_some(())?;
    Some((der.get(..end)?, der.get(header..end)?, der.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_v3_certificate_has_no_v1_key() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec![]).unwrap().self_signed(&key).unwrap();
        assert_eq!(v1_key(certificate.der()), None);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let _ = v1_key(&bytes);
        }
    }
}
