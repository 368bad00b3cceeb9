//! Certificates for tests, made byte by byte: rcgen makes only v3, and only such as are well-formed.
//!
//! Signatures are genuine, so that what a test finds wrong is what it put in.

use rcgen::{KeyPair, PublicKeyData, SigningKey};

use crate::time::Timestamp;

/// When tests happen: 2026-01-01T00:00:00Z.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_s(1_767_225_600);
pub(crate) const DAY_S: i64 = 86_400;

pub(crate) const CN: u8 = 3;
pub(crate) const SERIAL_NUMBER: u8 = 5;
pub(crate) const C: u8 = 6;
pub(crate) const ST: u8 = 8;
pub(crate) const O: u8 = 10;
pub(crate) const OU: u8 = 11;
pub(crate) const DN_QUALIFIER: u8 = 46;
pub(crate) const UTF8: u8 = 0x0c;

/// Tag, length, content.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut der = vec![tag];
    match content.len() {
        short @ 0..=0x7f => der.push(short as u8),
        long => {
            let octets = (long as u32).to_be_bytes();
            let octets = &octets[octets.iter().take_while(|octet| **octet == 0).count()..];
            der.push(0x80 | octets.len() as u8);
            der.extend_from_slice(octets);
        }
    }
    der.extend_from_slice(content);
    der
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

/// One AttributeTypeAndValue of 2.5.4.
pub(crate) fn attribute(number: u8, tag: u8, value: &[u8]) -> Vec<u8> {
    sequence(&[&[0x06, 0x03, 0x55, 0x04, number], &tlv(tag, value)])
}

/// One RDN of one attribute.
pub(crate) fn rdn(number: u8, tag: u8, value: &[u8]) -> Vec<u8> {
    tlv(0x31, &attribute(number, tag, value))
}

/// A Name (its content) that is one CN.
pub(crate) fn cn(text: &str) -> Vec<u8> {
    rdn(CN, UTF8, text.as_bytes())
}

pub(crate) fn extension(number: u8, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    sequence(&[&[0x06, 0x03, 0x55, 0x1d, number], critical, &tlv(0x04, value)])
}

pub(crate) fn basic_constraints(critical: bool, ca: bool, path_length: Option<u8>) -> Vec<u8> {
    let ca: &[u8] = if ca { &[0x01, 0x01, 0xff] } else { &[] };
    let path_length = path_length.map_or_else(Vec::new, |length| vec![0x02, 0x01, length]);
    extension(19, critical, &sequence(&[ca, &path_length]))
}

/// keyUsage of one byte of bits.
pub(crate) fn key_usage(bits: u8) -> Vec<u8> {
    extension(15, true, &[0x03, 0x02, bits.trailing_zeros() as u8, bits])
}

/// extKeyUsage of id-kp purposes.
pub(crate) fn extended_key_usage(purposes: &[u8]) -> Vec<u8> {
    let purposes: Vec<_> =
        purposes.iter().flat_map(|purpose| [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, *purpose]).collect();
    extension(37, false, &tlv(0x30, &purposes))
}

pub(crate) fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

/// A CA or an intermediate: its name, its key, its certificate.
pub(crate) struct Authority {
    pub(crate) name: Vec<u8>,
    pub(crate) key: KeyPair,
    pub(crate) der: Vec<u8>,
}

impl Authority {
    /// Self-signed and beyond reproach.
    pub(crate) fn root(name: &str) -> Self {
        Self::made(Blank::authority(cn(name)), key())
    }

    /// Self-signed, as `blank` says.
    pub(crate) fn made(blank: Blank, key: KeyPair) -> Self {
        let der = blank.issued(&blank.subject.clone(), &key, &key);
        Self { name: blank.subject, key, der }
    }

    /// An intermediate under this one.
    pub(crate) fn below(&self, blank: Blank) -> Self {
        let key = key();
        let der = self.issue(&blank, &key);
        Self { name: blank.subject, key, der }
    }

    pub(crate) fn issue(&self, blank: &Blank, key: &KeyPair) -> Vec<u8> {
        blank.issued(&self.name, key, &self.key)
    }

    /// A device certificate.
    pub(crate) fn device(&self, name: &str) -> Vec<u8> {
        self.issue(&Blank::device(cn(name)), &key())
    }
}

/// A certificate not yet issued.
#[derive(Clone)]
pub(crate) struct Blank {
    /// With tag; empty for v1.
    pub(crate) version: Vec<u8>,
    /// Content of the INTEGER.
    pub(crate) serial: Vec<u8>,
    /// Content of the Name.
    pub(crate) subject: Vec<u8>,
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    /// In place of that of the key.
    pub(crate) public_key: Option<Vec<u8>>,
    /// Unique ids, with their tags.
    pub(crate) unique_ids: Vec<u8>,
    pub(crate) extensions: Vec<Vec<u8>>,
    /// In place of the one that signs.
    pub(crate) inner_algorithm: Option<Vec<u8>>,
    pub(crate) algorithm: Option<Vec<u8>>,
}

impl Blank {
    pub(crate) fn v1(subject: Vec<u8>) -> Self {
        Self {
            version: Vec::new(),
            serial: vec![0x01],
            subject,
            not_before: NOW.plus_s(-DAY_S),
            not_after: NOW.plus_s(DAY_S),
            public_key: None,
            unique_ids: Vec::new(),
            extensions: Vec::new(),
            inner_algorithm: None,
            algorithm: None,
        }
    }

    pub(crate) fn device(subject: Vec<u8>) -> Self {
        Self { version: vec![0xa0, 0x03, 0x02, 0x01, 0x02], ..Self::v1(subject) }
    }

    pub(crate) fn authority(subject: Vec<u8>) -> Self {
        Self { extensions: vec![basic_constraints(true, true, None), key_usage(0x06)], ..Self::device(subject) }
    }

    pub(crate) fn with(mut self, extension: Vec<u8>) -> Self {
        self.extensions.push(extension);
        self
    }

    pub(crate) fn valid(mut self, from_s: i64, to_s: i64) -> Self {
        (self.not_before, self.not_after) = (NOW.plus_s(from_s), NOW.plus_s(to_s));
        self
    }

    /// Issued under the name `issuer` and signed with `signer`.
    pub(crate) fn issued(&self, issuer: &[u8], key: &KeyPair, signer: &KeyPair) -> Vec<u8> {
        let algorithm = self.algorithm.clone().unwrap_or_else(|| algorithm_of(signer));
        let extensions =
            if self.extensions.is_empty() { Vec::new() } else { tlv(0xa3, &tlv(0x30, &self.extensions.concat())) };
        let signed = sequence(&[
            &self.version,
            &tlv(0x02, &self.serial),
            self.inner_algorithm.as_ref().unwrap_or(&algorithm),
            &tlv(0x30, issuer),
            &sequence(&[&time(self.not_before), &time(self.not_after)]),
            &tlv(0x30, &self.subject),
            self.public_key.as_ref().unwrap_or(&key.subject_public_key_info()),
            &self.unique_ids,
            &extensions,
        ]);
        let signature = signer.sign(&signed).unwrap();
        sequence(&[&signed, &algorithm, &tlv(0x03, &[&[0x00], &signature[..]].concat())])
    }
}

/// The AlgorithmIdentifier of what a key signs with.
fn algorithm_of(key: &KeyPair) -> Vec<u8> {
    let algorithm = key.algorithm();
    if algorithm == &rcgen::PKCS_ECDSA_P256_SHA256 {
        sequence(&[&[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]])
    } else if algorithm == &rcgen::PKCS_ECDSA_P384_SHA384 {
        sequence(&[&[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03]])
    } else if algorithm == &rcgen::PKCS_ED25519 {
        sequence(&[&[0x06, 0x03, 0x2b, 0x65, 0x70]])
    } else {
        sequence(&[&[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b], &[0x05, 0x00]])
    }
}

/// GeneralizedTime; the civil-from-days algorithm, so that the reader is not tested against itself.
fn time(at: Timestamp) -> Vec<u8> {
    let (days, seconds) = (at.unix_s().div_euclid(DAY_S), at.unix_s().rem_euclid(DAY_S));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    tlv(0x18, format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z").as_bytes())
}
