//! The extensions (RFC 5280 §4.2) that say what a certificate may be used for.
//!
//! Path building by webpki looks at basic constraints, extended key usage and name constraints of what a device presents.
//! It does not look at keyUsage at all, nor at anything of an anchor but its name constraints: that is what this is for.

use super::der::{self, DerFault, Reader};

const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const CLIENT_AUTH: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02];
const ANY_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37, 0];

/// keyUsage bits (RFC 5280 §4.2.1.3), as they lie in the first byte.
const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_CERT_SIGN: u8 = 0x04;

/// basicConstraints as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BasicConstraints {
    pub(super) critical: bool,
    pub(super) ca: bool,
    /// CA certificates that may follow, those issued to the same name not counted.
    pub(super) path_length: Option<u64>,
}

/// keyUsage as written; the first byte holds every bit that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyUsage(u8);

impl KeyUsage {
    pub(super) const fn digital_signature(self) -> bool {
        self.0 & DIGITAL_SIGNATURE != 0
    }

    pub(super) const fn key_cert_sign(self) -> bool {
        self.0 & KEY_CERT_SIGN != 0
    }
}

/// The extensions of one certificate.
#[derive(Clone, Debug, Default)]
pub(super) struct Extensions<'a> {
    pub(super) basic_constraints: Option<BasicConstraints>,
    pub(super) key_usage: Option<KeyUsage>,
    /// Content of NameConstraints.
    pub(super) name_constraints: Option<&'a [u8]>,
    /// The first critical extension that is not processed: its OBJECT IDENTIFIER, content.
    pub(super) unknown_critical: Option<&'a [u8]>,
}

impl<'a> Extensions<'a> {
    /// Reads the content of Extensions.
    ///
    /// # Errors
    /// What is malformed, or there twice.
    pub(super) fn read(extensions: &'a [u8]) -> Result<Self, DerFault> {
        let mut read = Self::default();
        let mut seen: Vec<&[u8]> = Vec::new();
        let mut reader = Reader::new(extensions);
        while !reader.at_end() {
            let mut extension = reader.expect(der::SEQUENCE, "an extension is not a SEQUENCE")?.inside();
            let oid = extension.expect(der::OBJECT_IDENTIFIER, "an extension has no identifier")?.content;
            let critical = match extension.optional(der::BOOLEAN)? {
                Some(critical) => critical.boolean()?,
                None => false,
            };
            let value = extension.expect(der::OCTET_STRING, "an extension has no value")?.content;
            extension.end("something follows the value of an extension")?;
            if seen.contains(&oid) {
                return Err(DerFault("an extension is there twice"));
            }
            seen.push(oid);
            read.take(oid, critical, value)?;
        }
        Ok(read)
    }

    fn take(&mut self, oid: &'a [u8], critical: bool, value: &'a [u8]) -> Result<(), DerFault> {
        match oid {
            BASIC_CONSTRAINTS => self.basic_constraints = Some(basic_constraints(critical, value)?),
            KEY_USAGE => self.key_usage = Some(key_usage(value)?),
            NAME_CONSTRAINTS => {
                let mut reader = Reader::new(value);
                let constraints = reader.expect(der::SEQUENCE, "its name constraints are not a SEQUENCE")?;
                reader.end("something follows its name constraints")?;
                self.name_constraints = Some(constraints.content);
            }
            // Says nothing about issuing; for what a device presents webpki reads it itself.
            SUBJECT_ALT_NAME => {}
            EXTENDED_KEY_USAGE if !critical || allows_client_authentication(value)? => {}
            _ if critical => self.unknown_critical = self.unknown_critical.or(Some(oid)),
            _ => {}
        }
        Ok(())
    }
}

fn basic_constraints(critical: bool, value: &[u8]) -> Result<BasicConstraints, DerFault> {
    const MALFORMED: &str = "its basic constraints cannot be read";
    let mut outer = Reader::new(value);
    let mut inside = outer.expect(der::SEQUENCE, MALFORMED)?.inside();
    outer.end(MALFORMED)?;
    let ca = match inside.optional(der::BOOLEAN)? {
        Some(ca) => ca.boolean()?,
        None => false,
    };
    let path_length = match inside.optional(der::INTEGER)? {
        // More than any chain is as good as no limit.
        Some(length) => {
            Some(length.magnitude()?.iter().fold(0_u64, |length, byte| length.saturating_mul(256) | u64::from(*byte)))
        }
        None => None,
    };
    inside.end(MALFORMED)?;
    Ok(BasicConstraints { critical, ca, path_length })
}

fn key_usage(value: &[u8]) -> Result<KeyUsage, DerFault> {
    const MALFORMED: &str = "its key usage cannot be read";
    let mut outer = Reader::new(value);
    let bits = outer.expect(der::BIT_STRING, MALFORMED)?;
    outer.end(MALFORMED)?;
    match bits.content {
        [0..=7, first, ..] => Ok(KeyUsage(*first)),
        [0] => Ok(KeyUsage(0)),
        _ => Err(DerFault(MALFORMED)),
    }
}

fn allows_client_authentication(value: &[u8]) -> Result<bool, DerFault> {
    const MALFORMED: &str = "its extended key usage cannot be read";
    let mut outer = Reader::new(value);
    let mut purposes = outer.expect(der::SEQUENCE, MALFORMED)?.inside();
    outer.end(MALFORMED)?;
    let mut allowed = false;
    while !purposes.at_end() {
        let purpose = purposes.expect(der::OBJECT_IDENTIFIER, MALFORMED)?.content;
        allowed |= purpose == CLIENT_AUTH || purpose == ANY_EXTENDED_KEY_USAGE;
    }
    Ok(allowed)
}

/// What is wrong with the name constraints of an anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameConstraintFault {
    /// A kind of GeneralName that path building refuses even where it would match.
    Kind(&'static str),
    Malformed(&'static str),
}

impl From<DerFault> for NameConstraintFault {
    fn from(DerFault(reason): DerFault) -> Self {
        Self::Malformed(reason)
    }
}

/// Checks name constraints (their content): only DNS names and IP addresses, minimum and maximum left out.
pub(super) fn check_name_constraints(constraints: &[u8]) -> Result<(), NameConstraintFault> {
    const MALFORMED: &str = "its name constraints cannot be read";
    let mut reader = Reader::new(constraints);
    let permitted = reader.optional(der::context_constructed(0))?;
    let excluded = reader.optional(der::context_constructed(1))?;
    reader.end(MALFORMED)?;
    for subtrees in [permitted, excluded].into_iter().flatten() {
        let mut subtrees = subtrees.inside();
        while !subtrees.at_end() {
            let mut subtree = subtrees.expect(der::SEQUENCE, MALFORMED)?.inside();
            let base = subtree.next()?;
            subtree.end("its name constraints hold a minimum or a maximum, which RFC 5280 forbids")?;
            check_base(base.tag, base.content)?;
        }
    }
    Ok(())
}

fn check_base(tag: u8, content: &[u8]) -> Result<(), NameConstraintFault> {
    const DNS_NAME: u8 = der::context(2);
    const IP_ADDRESS: u8 = der::context(7);
    let kind = match tag {
        DNS_NAME if content.is_ascii() => return Ok(()),
        DNS_NAME => return Err(NameConstraintFault::Malformed("its name constraints hold a DNS name that is not ASCII")),
        IP_ADDRESS if is_network(content) => return Ok(()),
        IP_ADDRESS => {
            return Err(NameConstraintFault::Malformed("its name constraints hold an IP address without a proper mask"));
        }
        _ => match tag & 0x1f {
            0 => "otherName",
            1 => "rfc822Name",
            3 => "x400Address",
            4 => "directoryName",
            5 => "ediPartyName",
            6 => "uniformResourceIdentifier",
            8 => "registeredID",
            _ => "unknown",
        },
    };
    Err(NameConstraintFault::Kind(kind))
}

/// An address and a mask of leading ones, of IPv4 or IPv6.
fn is_network(content: &[u8]) -> bool {
    let mask = match content.len() {
        8 => &content[4..],
        32 => &content[16..],
        _ => return false,
    };
    let zeros_after_ones = |byte: &u8| byte.leading_ones() + byte.trailing_zeros() >= 8;
    let partial = mask.iter().position(|byte| *byte != 0xff).unwrap_or(mask.len());
    mask.iter().skip(partial).take(1).all(zeros_after_ones) && mask.iter().skip(partial + 1).all(|byte| *byte == 0)
}

/// An OBJECT IDENTIFIER (its content) as people write it, bounded.
pub(super) fn dotted(oid: &[u8]) -> String {
    const ARCS_MAX: usize = 32;
    let mut arcs = Vec::new();
    let mut arc = 0_u64;
    for byte in oid {
        arc = arc.saturating_mul(128) | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if arcs.is_empty() {
                let first = (arc / 40).min(2);
                arcs.extend([first, arc - first * 40]);
            } else {
                arcs.push(arc);
            }
            arc = 0;
        }
    }
    arcs.iter().take(ARCS_MAX).map(u64::to_string).collect::<Vec<_>>().join(".")
}
