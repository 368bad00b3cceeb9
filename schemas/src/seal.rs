//! The seal of a batch of records: beside its first record, never in it, so that a reader of older versions does not stumble.
//!
//! One line of text, nine fields with single blanks between: version, log (`~fleet` or the instance's id), incarnation
//! (UUID), key (16 hex digits), position of the first record, number of records, digest before them, digest after them
//! (64 hex digits each), Ed25519 signature (base64). Signed is [`Seal::signed`]: a fixed line, then the first eight fields
//! as they stand. Not here: what a valid seal means, nor any cryptography.
//!
//! Invariant: a seal has one text only; what is read as a seal is written as the same bytes again.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use uuid::{Uuid, fmt::Hyphenated};

/// What stands before the signed fields, so that a signature of something else is never taken for a seal.
const SIGNED_AS: &str = "rollcall log seal\n";
/// What the fleet's own log is called; no instance's id holds `~`.
pub const FLEET: &str = "~fleet";
/// Longest text of a seal, bytes; more is not looked at.
pub const SEAL_BYTES_MAX: usize = 1024;
/// The only version there is.
const VERSION: &str = "1";

/// A seal as it stands beside the first record of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// [`FLEET`], or an instance's id.
    pub log: Box<str>,
    /// Which of the instances that had this id; nil for the fleet and for instances made by version 0.1.
    pub incarnation: Uuid,
    /// First eight bytes of SHA-256 over the public key.
    pub key: [u8; 8],
    /// Position of the first record.
    pub first: u64,
    /// How many records, 1 or more.
    pub count: u32,
    /// The log's digest before the first record.
    pub before: [u8; 32],
    /// The log's digest after the last record.
    pub after: [u8; 32],
    /// Ed25519 (RFC 8032) over [`signed`](Self::signed).
    pub signature: [u8; 64],
}

impl Seal {
    /// What is signed.
    pub fn signed(&self) -> String {
        let mut text = SIGNED_AS.to_owned();
        self.write_fields(&mut text).expect("text takes whatever is written");
        text
    }

    /// Reads the one text that a seal has. Each field is held to its one form rather than the whole written again and compared:
    /// a log that grew a device at a time has a seal beside every record, and a rebuild reads them all.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > SEAL_BYTES_MAX {
            return None;
        }
        let mut fields = text.split(' ');
        let mut next = || fields.next();
        if next()? != VERSION {
            return None;
        }
        let seal = Self {
            log: next()?.into(),
            incarnation: uuid(next()?)?,
            key: bytes(next()?)?,
            first: number(next()?)?,
            count: number(next()?)?,
            before: bytes(next()?)?,
            after: bytes(next()?)?,
            signature: signature(next()?)?,
        };
        (fields.next().is_none() && seal.count > 0).then_some(seal)
    }

    fn write_fields(&self, out: &mut impl fmt::Write) -> fmt::Result {
        let (key, before, after) = (hex::encode(self.key), hex::encode(self.before), hex::encode(self.after));
        let Self { log, incarnation, first, count, .. } = self;
        write!(out, "{VERSION} {log} {incarnation} {key} {first} {count} {before} {after}")
    }
}

/// Lower-case hex digits, two a byte.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(is_lower_case(text).then_some(text)?, &mut bytes).ok()?;
    Some(bytes)
}

/// Decimal digits without a sign or leading zeros.
fn number<N: FromStr>(text: &str) -> Option<N> {
    let is_plain = text.starts_with(|first: char| first.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    text.parse().ok().filter(|_| is_plain)
}

/// The hyphenated form in lower case, of the forms that a UUID has.
fn uuid(text: &str) -> Option<Uuid> {
    let is_hyphenated = text.len() == Hyphenated::LENGTH;
    Uuid::try_parse(text).ok().filter(|_| is_hyphenated && is_lower_case(text))
}

/// Base64 with its padding; the decoder refuses bits that are left over.
fn signature(text: &str) -> Option<[u8; 64]> {
    // The decoder asks for room for whole groups of three.
    let mut bytes = [0; 66];
    let length = STANDARD.decode_slice(text, &mut bytes).ok()?;
    bytes.get(..length)?.try_into().ok()
}

fn is_lower_case(text: &str) -> bool {
    !text.bytes().any(|byte| byte.is_ascii_uppercase())
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_fields(f)?;
        write!(f, " {}", STANDARD.encode(self.signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As version 0.2 wrote it; never edited.
    const GOLDEN: &str = include_str!("../golden/seal/seal.v1.txt");

    #[test]
    fn the_golden_seal_is_read_and_written_as_it_is() {
        let text = GOLDEN.trim_end();
        let seal = Seal::parse(text).expect("the golden seal");
        assert_eq!((&*seal.log, seal.first, seal.count), ("north", 9, 3));
        assert_eq!((seal.before, seal.after, seal.signature), ([0x11; 32], [0x22; 32], [0x33; 64]));
        assert_eq!(seal.to_string(), text);
        let (fields, _) = text.rsplit_once(' ').expect("nine fields");
        assert_eq!(seal.signed(), format!("rollcall log seal\n{fields}"));
    }

    #[test]
    fn anything_else_is_no_seal() {
        let text = GOLDEN.trim_end();
        let upper = text.replace("0a1b", "0A1B");
        for other in [
            "",
            &text[1..],
            &format!("{text} "),
            &format!("2{}", &text[1..]),
            &text.replace(" 9 ", " +9 "),
            &text.replace(" 9 ", " 09 "),
            &text.replace(" 3 ", " 0 "),
            &text.replace(' ', "  "),
            &upper,
            &text.replace("=", ""),
            &text.replace("==", "="),
            &"1 ".repeat(SEAL_BYTES_MAX),
        ] {
            assert_eq!(Seal::parse(other), None, "{other}");
        }
    }

    /// Any one byte put in another's place, taken out or put in: what is still read as a seal is written as it was read.
    #[test]
    fn what_is_read_is_written_as_it_was() {
        let text = GOLDEN.trim_end();
        let mut read = 0;
        for at in 0..=text.len() {
            for byte in (b' '..=b'~').map(char::from) {
                for end in [at, at + 1] {
                    let Some(rest) = text.get(end..) else { continue };
                    let changed = format!("{}{byte}{rest}", &text[..at]);
                    if let Some(seal) = Seal::parse(&changed) {
                        read += 1;
                        assert_eq!(seal.to_string(), changed);
                    }
                }
            }
            if let Some(rest) = text.get(at + 1..)
                && let Some(seal) = Seal::parse(&format!("{}{rest}", &text[..at]))
            {
                read += 1;
                assert_eq!(format!("{}{rest}", &text[..at]), seal.to_string());
            }
        }
        assert!(read > text.len(), "digits may be others: {read}");
    }
}
