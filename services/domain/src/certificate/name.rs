//! Names (RFC 5280 §4.1.2.4): their attributes one by one, and the text that an attribute's value spells.
//!
//! Invariant: text comes from the value's own ASN.1 tag and bytes, never from a DN string, and never from a guess: bytes
//! that could mean two texts mean none.

use super::der::{self, DerFault, Reader};

/// Bytes of a Name whose text is compared: a client may send sixteen times as many.
const NAME_TEXT_BYTES_MAX: usize = 1024;
/// Attributes of a Name whose text is compared.
const NAME_TEXT_ATTRIBUTES_MAX: usize = 32;

/// Why an attribute cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AttributeFault {
    /// Not in the Subject.
    #[error("it is not in the Subject")]
    Absent,
    /// More than once in the Subject: which one is meant is anybody's guess.
    #[error("it stands in the Subject more than once")]
    Repeated,
    /// There, with nothing in it.
    #[error("it is empty")]
    Empty,
    /// Holds a control, bidirectional-formatting or zero-width character.
    #[error("it holds a control character or an invisible one")]
    ControlCharacter,
    /// Its bytes are not what its ASN.1 tag says, or the tag is not a text.
    #[error("its bytes are not the text that its ASN.1 type says")]
    Undecodable,
}

/// One AttributeTypeAndValue (RFC 5280 §4.1.2.4), borrowed from its DER.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attribute<'a> {
    /// Content of the OBJECT IDENTIFIER.
    pub(super) oid: &'a [u8],
    tag: u8,
    value: &'a [u8],
}

/// Calls `each` for every attribute of a Name (its content), in order, those of multi-valued RDNs included.
pub(super) fn walk<'a>(name: &'a [u8], mut each: impl FnMut(Attribute<'a>)) -> Result<(), DerFault> {
    let mut rdns = Reader::new(name);
    while !rdns.at_end() {
        let mut attributes = rdns.expect(der::SET, "a part of its name is not a SET")?.inside();
        if attributes.at_end() {
            return Err(DerFault("a part of its name is empty"));
        }
        while !attributes.at_end() {
            let mut attribute = attributes.expect(der::SEQUENCE, "an attribute of its name is not a SEQUENCE")?.inside();
            let oid = attribute.expect(der::OBJECT_IDENTIFIER, "an attribute of its name has no type")?;
            let value = attribute.next()?;
            attribute.end("something follows the value of an attribute of its name")?;
            each(Attribute { oid: oid.content, tag: value.tag, value: value.content });
        }
    }
    Ok(())
}

/// What a Name says, however it is encoded: its attributes in order, their texts as RFC 5280 §7.1 compares them, without case
/// and without blanks that say nothing. For people: no rule goes by it.
///
/// Costs an allocation for each attribute, so whoever compares many Names with one makes this once of each.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NameText(Vec<(Box<[u8]>, String)>);

impl NameText {
    /// Of a Name (its content). `None`: not all of it can be read, or it is longer than anybody calls a CA.
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        if name.len() > NAME_TEXT_BYTES_MAX {
            return None;
        }
        let (mut texts, mut usable) = (Vec::new(), true);
        walk(name, |attribute| {
            usable = usable && texts.len() < NAME_TEXT_ATTRIBUTES_MAX;
            if !usable {
                return;
            }
            match attribute.text() {
                Ok(text) => texts.push((attribute.oid.into(), comparable(&text))),
                Err(_) => usable = false,
            }
        })
        .ok()?;
        usable.then_some(Self(texts))
    }
}

fn comparable(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
thread_local! {
    static TEXTS_READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// How many texts of attributes this thread has read, for tests of what a client can make us do.
#[cfg(test)]
pub(super) fn texts_read() -> usize {
    TEXTS_READ.get()
}

impl Attribute<'_> {
    /// The text of the value, fit for use.
    ///
    /// # Errors
    /// `Undecodable`, `Empty` or `ControlCharacter`.
    pub(super) fn text(&self) -> Result<Box<str>, AttributeFault> {
        #[cfg(test)]
        TEXTS_READ.set(TEXTS_READ.get() + 1);
        let text = decode(self.tag, self.value).ok_or(AttributeFault::Undecodable)?;
        if text.is_empty() {
            Err(AttributeFault::Empty)
        } else if text.chars().any(is_unseen) {
            Err(AttributeFault::ControlCharacter)
        } else {
            Ok(text)
        }
    }
}

fn decode(tag: u8, bytes: &[u8]) -> Option<Box<str>> {
    match tag {
        // UTF8String.
        0x0c => std::str::from_utf8(bytes).ok().map(Into::into),
        // NumericString.
        0x12 => ascii(bytes, |byte| byte.is_ascii_digit() || byte == b' '),
        // PrintableString (X.680 §41.4).
        0x13 => ascii(bytes, |byte| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)),
        // TeletexString: only what T.61 and Latin-1, which most software writes into it, have in common.
        0x14 => ascii(bytes, |byte| byte.is_ascii() && !b"#$\\^`{}~".contains(&byte)),
        // IA5String.
        0x16 => ascii(bytes, |byte| byte.is_ascii()),
        // VisibleString.
        0x1a => ascii(bytes, |byte| (0x20..=0x7e).contains(&byte)),
        // UniversalString: UCS-4. BMPString: UCS-2, in which a surrogate is no character.
        0x1c => characters::<4>(bytes, u32::from_be_bytes),
        0x1e => characters::<2>(bytes, |pair| u32::from(u16::from_be_bytes(pair))),
        _ => None,
    }
}

fn ascii(bytes: &[u8], allowed: impl Fn(u8) -> bool) -> Option<Box<str>> {
    if bytes.iter().all(|byte| allowed(*byte)) { std::str::from_utf8(bytes).ok().map(Into::into) } else { None }
}

fn characters<const N: usize>(bytes: &[u8], code: impl Fn([u8; N]) -> u32) -> Option<Box<str>> {
    let (units, rest) = bytes.as_chunks::<N>();
    if !rest.is_empty() {
        return None;
    }
    units.iter().map(|unit| char::from_u32(code(*unit))).collect::<Option<String>>().map(Into::into)
}

/// Controls, line and paragraph separators, bidirectional formatting and what has no width: all that makes a text look
/// other than it is, or end a line where it is written.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{034f}' | '\u{061c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}
