//! The properties of MQTT 5 packets from clients, walked before the codec reads them: which may be there, how often, and with
//! which values (MQTT 5 §2.2.2.2).
//!
//! The codec says no more than that something is wrong, takes a zero for malformed where the standard says otherwise, and
//! passes over what the developer of a client would want to hear.

use std::ops::Range;

use super::violation::Violation;

/// What has properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Connect,
    Will,
    Publish,
}

/// One property of a packet.
pub(super) struct Property {
    pub(super) id: u8,
    /// Where its value is in the properties.
    pub(super) value: Range<usize>,
}

pub(super) mod id {
    pub(in crate::mqtt) const PAYLOAD_FORMAT: u8 = 0x01;
    pub(in crate::mqtt) const MESSAGE_EXPIRY: u8 = 0x02;
    pub(in crate::mqtt) const TOPIC_ALIAS: u8 = 0x23;
    pub(super) const SUBSCRIPTION_ID: u8 = 0x0b;
    pub(super) const USER: u8 = 0x26;
}

/// How a value is written.
#[derive(Clone, Copy)]
enum Kind {
    /// 0 or 1.
    Flag,
    /// So many bytes.
    Integer(usize),
    /// So many bytes, not zero.
    Positive(usize),
    Variable,
    /// Two bytes of length and that much: a text, or binary data.
    Field,
    /// Two of them.
    Pair,
}

/// Name, how it is written, and whether CONNECT, a will and PUBLISH may have it.
fn describe(id: u8) -> Option<(&'static str, Kind, [bool; 3])> {
    const CONNECT: [bool; 3] = [true, false, false];
    const WILL: [bool; 3] = [false, true, false];
    const MESSAGE: [bool; 3] = [false, true, true];
    const PUBLISH: [bool; 3] = [false, false, true];
    const NONE: [bool; 3] = [false; 3];
    Some(match id {
        id::PAYLOAD_FORMAT => ("Payload Format Indicator", Kind::Flag, MESSAGE),
        id::MESSAGE_EXPIRY => ("Message Expiry Interval", Kind::Integer(4), MESSAGE),
        0x03 => ("Content Type", Kind::Field, MESSAGE),
        0x08 => ("Response Topic", Kind::Field, MESSAGE),
        0x09 => ("Correlation Data", Kind::Field, MESSAGE),
        id::SUBSCRIPTION_ID => ("Subscription Identifier", Kind::Variable, PUBLISH),
        0x11 => ("Session Expiry Interval", Kind::Integer(4), CONNECT),
        0x12 => ("Assigned Client Identifier", Kind::Field, NONE),
        0x13 => ("Server Keep Alive", Kind::Integer(2), NONE),
        0x15 => ("Authentication Method", Kind::Field, CONNECT),
        0x16 => ("Authentication Data", Kind::Field, CONNECT),
        0x17 => ("Request Problem Information", Kind::Flag, CONNECT),
        0x18 => ("Will Delay Interval", Kind::Integer(4), WILL),
        0x19 => ("Request Response Information", Kind::Flag, CONNECT),
        0x1a => ("Response Information", Kind::Field, NONE),
        0x1c => ("Server Reference", Kind::Field, NONE),
        0x1f => ("Reason String", Kind::Field, NONE),
        0x21 => ("Receive Maximum", Kind::Positive(2), CONNECT),
        0x22 => ("Topic Alias Maximum", Kind::Integer(2), CONNECT),
        // Zero has a reason code of its own.
        id::TOPIC_ALIAS => ("Topic Alias", Kind::Integer(2), PUBLISH),
        0x24 => ("Maximum QoS", Kind::Flag, NONE),
        0x25 => ("Retain Available", Kind::Flag, NONE),
        id::USER => ("User Property", Kind::Pair, [true; 3]),
        0x27 => ("Maximum Packet Size", Kind::Positive(4), CONNECT),
        0x28 => ("Wildcard Subscription Available", Kind::Flag, NONE),
        0x29 => ("Subscription Identifier Available", Kind::Flag, NONE),
        0x2a => ("Shared Subscription Available", Kind::Flag, NONE),
        _ => return None,
    })
}

impl Holder {
    const fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::Will => "the will of CONNECT",
            Self::Publish => "PUBLISH",
        }
    }
}

/// Walks properties, without their length in front, and shows each.
///
/// # Errors
/// The first that the standard does not allow, by its name.
pub(super) fn walk(properties: &[u8], holder: Holder, mut show: impl FnMut(&Property)) -> Result<(), Violation> {
    let packet = holder.name();
    let malformed = |rule| Violation::Malformed { packet, rule };
    let (mut at, mut seen) = (0, 0_u64);
    while let Some(&id) = properties.get(at) {
        let (property, kind, allowed) = describe(id).ok_or(malformed("it has a property that MQTT 5 does not know"))?;
        if !allowed[holder as usize] {
            return Err(Violation::PropertyNotAllowed { packet, property });
        }
        if seen & (1 << id) != 0 && !matches!(id, id::USER | id::SUBSCRIPTION_ID) {
            return Err(Violation::PropertyRepeated { packet, property });
        }
        seen |= 1 << id;
        let rest = &properties[at + 1..];
        let bytes = kind.bytes(rest).filter(|bytes| *bytes <= rest.len()).ok_or(malformed("a property is cut off"))?;
        if !kind.allows(&rest[..bytes]) {
            return Err(Violation::PropertyValue { packet, property });
        }
        show(&Property { id, value: at + 1..at + 1 + bytes });
        at += 1 + bytes;
    }
    Ok(())
}

impl Kind {
    /// How many bytes a value takes; `None` if its length is cut off.
    fn bytes(self, rest: &[u8]) -> Option<usize> {
        let field = |at: usize| {
            let length = rest.get(at..at + 2)?;
            Some(at + 2 + usize::from(u16::from_be_bytes([length[0], length[1]])))
        };
        match self {
            Self::Flag => Some(1),
            Self::Integer(bytes) | Self::Positive(bytes) => Some(bytes),
            Self::Variable => rest.iter().take(4).position(|byte| byte & 0x80 == 0).map(|last| last + 1),
            Self::Field => field(0),
            Self::Pair => field(0).and_then(field),
        }
    }

    fn allows(self, value: &[u8]) -> bool {
        match self {
            Self::Flag => value.iter().all(|byte| *byte <= 1),
            Self::Positive(_) => value.iter().any(|byte| *byte != 0),
            Self::Integer(_) | Self::Variable | Self::Field | Self::Pair => true,
        }
    }
}

/// The length that stands in front of properties, and how many bytes it takes.
pub(super) fn length(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0_usize;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((length, index + 1));
        }
    }
    None
}
