//! Distinguished encoding rules (X.690 §8–§10), read strictly and without copying.
//!
//! Not a general decoder: definite minimal lengths and one-byte tags are all that a certificate holds. The libraries at
//! hand are lenient in ways that matter here: x509-parser ignores unread bytes inside a SEQUENCE, takes lengths longer
//! than needed, and ends a Name silently at the first RDN that it cannot read, so that the rest of a Subject vanishes.
//! Invariant: whatever is accepted has been read to its last byte, and there was one way only to write it.

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The number of a tag that does not fit one byte starts with these bits.
const LONG_TAG: u8 = 0x1f;
/// Length octets that are looked at: enough for 4 GB, far beyond any input.
const LENGTH_OCTETS_MAX: usize = 4;

/// `[n]` constructed: EXPLICIT, or IMPLICIT of something constructed.
pub(super) const fn context_constructed(number: u8) -> u8 {
    0xa0 | number
}

/// `[n]` primitive: IMPLICIT of something primitive.
pub(super) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// What is wrong with an encoding, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DerFault(pub(super) &'static str);

/// One value with its tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    /// Without tag and length.
    pub(super) content: &'a [u8],
    /// With tag and length.
    pub(super) whole: &'a [u8],
}

/// Reads one value after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// What has not been read.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The next value, whatever it is.
    pub(super) fn next(&mut self) -> Result<Element<'a>, DerFault> {
        let bytes = self.0;
        let (&tag, after_tag) = bytes.split_first().ok_or(DerFault("it ends where a value should begin"))?;
        if tag & LONG_TAG == LONG_TAG {
            return Err(DerFault("it holds a tag that does not fit one byte"));
        }
        let (length, after_length) = length(after_tag)?;
        let (content, rest) = after_length.split_at_checked(length).ok_or(DerFault("a length goes beyond the end"))?;
        self.0 = rest;
        Ok(Element { tag, content, whole: &bytes[..bytes.len() - rest.len()] })
    }

    /// The next value, which must have this tag; otherwise `fault`.
    pub(super) fn expect(&mut self, tag: u8, fault: &'static str) -> Result<Element<'a>, DerFault> {
        match self.next()? {
            element if element.tag == tag => Ok(element),
            _ => Err(DerFault(fault)),
        }
    }

    /// The next value if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, DerFault> {
        if self.0.first() == Some(&tag) { self.next().map(Some) } else { Ok(None) }
    }

    /// Nothing may be left; otherwise `fault`.
    pub(super) fn end(self, fault: &'static str) -> Result<(), DerFault> {
        if self.at_end() { Ok(()) } else { Err(DerFault(fault)) }
    }
}

impl<'a> Element<'a> {
    /// A reader over what is inside.
    pub(super) const fn inside(&self) -> Reader<'a> {
        Reader::new(self.content)
    }

    /// A BOOLEAN: 00 or FF, nothing else (X.690 §11.1).
    pub(super) fn boolean(&self) -> Result<bool, DerFault> {
        match self.content {
            [0x00] => Ok(false),
            [0xff] => Ok(true),
            _ => Err(DerFault("a BOOLEAN is neither 00 nor FF")),
        }
    }

    /// The magnitude of an INTEGER that is not negative, without a leading zero.
    pub(super) fn magnitude(&self) -> Result<&'a [u8], DerFault> {
        match self.content {
            [] => Err(DerFault("an INTEGER is empty")),
            [0x00, next, ..] if next & 0x80 == 0 => Err(DerFault("an INTEGER is longer than needed")),
            [0x00, rest @ ..] => Ok(rest),
            [first, ..] if first & 0x80 != 0 => Err(DerFault("an INTEGER is negative that may not be")),
            whole => Ok(whole),
        }
    }

    /// A BIT STRING of whole bytes.
    pub(super) fn whole_bytes(&self) -> Result<&'a [u8], DerFault> {
        match self.content {
            [0x00, rest @ ..] => Ok(rest),
            _ => Err(DerFault("a BIT STRING does not hold whole bytes")),
        }
    }
}

/// A definite length, written as short as can be, and what follows it.
fn length(bytes: &[u8]) -> Result<(usize, &[u8]), DerFault> {
    let (&first, rest) = bytes.split_first().ok_or(DerFault("it ends where a length should be"))?;
    if first & 0x80 == 0 {
        return Ok((usize::from(first), rest));
    }
    let octets = usize::from(first & 0x7f);
    if octets == 0 || octets > LENGTH_OCTETS_MAX {
        return Err(DerFault("a length is indefinite or absurd"));
    }
    let (octets, rest) = rest.split_at_checked(octets).ok_or(DerFault("it ends inside a length"))?;
    let length = octets.iter().fold(0_usize, |length, octet| length << 8 | usize::from(*octet));
    if octets[0] == 0 || length < 0x80 {
        return Err(DerFault("a length is written longer than needed"));
    }
    Ok((length, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_has_one_spelling() {
        for (bytes, holds) in [
            (&[0x04, 0x01, 0xaa][..], true),
            (&[0x04, 0x81, 0x01, 0xaa], false),
            (&[0x04, 0x82, 0x00, 0x01, 0xaa], false),
            (&[0x04, 0x80, 0xaa, 0x00, 0x00], false),
            (&[0x04, 0x02, 0xaa], false),
            (&[0x04, 0x85, 0, 0, 0, 0, 1, 0xaa], false),
            (&[0x1f, 0x01, 0xaa], false),
            (&[0x04], false),
            (&[], false),
        ] {
            assert_eq!(Reader::new(bytes).next().is_ok(), holds, "{bytes:02x?}");
        }
    }

    #[test]
    fn an_integer_has_one_spelling() {
        let of = |content| Element { tag: INTEGER, content, whole: content }.magnitude();
        assert_eq!(of(&[0x00]), Ok(&[][..]));
        assert_eq!(of(&[0x00, 0x80]), Ok(&[0x80][..]));
        assert_eq!(of(&[0x7f]), Ok(&[0x7f][..]));
        assert!(of(&[]).is_err() && of(&[0x80]).is_err() && of(&[0x00, 0x7f]).is_err());
    }
}
