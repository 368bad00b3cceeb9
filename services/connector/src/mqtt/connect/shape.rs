//! The structure of a CONNECT, from its protocol name to its last byte, without looking into its texts and properties.

use rollcall_domain::refusal::Refusal;

use super::{Failure, Peer, malformed};
use crate::mqtt::{
    interface::Version,
    properties::{self, Holder},
};

/// The bits of the connect flags (MQTT 5 §3.1.2.3).
pub(super) mod flag {
    pub(in crate::mqtt::connect) const RESERVED: u8 = 0x01;
    pub(in crate::mqtt::connect) const CLEAN: u8 = 0x02;
    pub(in crate::mqtt::connect) const WILL: u8 = 0x04;
    pub(in crate::mqtt::connect) const WILL_QOS_AND_RETAIN: u8 = 0x38;
    pub(in crate::mqtt::connect) const PASSWORD: u8 = 0x40;
    pub(in crate::mqtt::connect) const USER_NAME: u8 = 0x80;
}

/// What a structure says before its contents are read.
pub(super) struct Shape {
    pub(super) version: Version,
    pub(super) flags: u8,
    /// Where the flags are in the body.
    pub(super) flags_at: usize,
    pub(super) client_id_empty: bool,
}

/// Walks the structure to its end.
pub(super) fn walk(body: &[u8]) -> Result<Shape, Failure> {
    let mut rest = Walk(body);
    let version = rest.version()?;
    let cut = || malformed("it ends too early", Some(Peer::unknown(version)));
    let wrong = |rule| malformed(rule, Some(Peer::unknown(version)));

    let flags_at = body.len() - rest.0.len();
    let flags = rest.byte().ok_or_else(cut)?;
    // MQTT 3.1 §3.1 leaves the bit unused.
    if flags & flag::RESERVED != 0 && version != Version::V3_1 {
        return Err(wrong("the reserved flag is set"));
    }
    if flags & flag::WILL == 0 && flags & flag::WILL_QOS_AND_RETAIN != 0 {
        return Err(wrong("will QoS or will retain without a will"));
    }
    if version != Version::V5 && flags & flag::PASSWORD != 0 && flags & flag::USER_NAME == 0 {
        return Err(wrong("a password without a user name"));
    }
    rest.take(2).ok_or_else(cut)?;
    rest.properties(version, Holder::Connect)?;
    let client_id = rest.field().ok_or_else(cut)?;
    if flags & flag::WILL != 0 {
        rest.properties(version, Holder::Will)?;
        rest.field().ok_or_else(cut)?;
        rest.field().ok_or_else(cut)?;
    }
    for present in [flag::USER_NAME, flag::PASSWORD] {
        if flags & present != 0 {
            rest.field().ok_or_else(cut)?;
        }
    }
    if !rest.0.is_empty() {
        return Err(wrong("bytes follow its end"));
    }
    Ok(Shape { version, flags, flags_at, client_id_empty: client_id.is_empty() })
}

struct Walk<'a>(&'a [u8]);

impl<'a> Walk<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    /// A two-byte length and that many bytes.
    fn field(&mut self) -> Option<&'a [u8]> {
        let length = self.take(2)?;
        self.take(usize::from(u16::from_be_bytes([length[0], length[1]])))
    }

    /// Checks the properties, which only MQTT 5 has.
    fn properties(&mut self, version: Version, holder: Holder) -> Result<(), Failure> {
        if version != Version::V5 {
            return Ok(());
        }
        let cut = || malformed("it ends too early", Some(Peer::unknown(version)));
        let (length, bytes) = properties::length(self.0).ok_or_else(cut)?;
        self.take(bytes).ok_or_else(cut)?;
        let properties = self.take(length).ok_or_else(cut)?;
        let checked = properties::walk(properties, holder, |_| {});
        checked.map_err(|violation| Failure::Violated(violation, Some(Peer::unknown(version))))
    }

    /// Protocol name and level.
    fn version(&mut self) -> Result<Version, Failure> {
        let name = self.field().ok_or_else(|| malformed("it has no protocol name", None))?;
        let level = self.byte().ok_or_else(|| malformed("it has no protocol level", None))?;
        match (name, level) {
            (b"MQIsdp", 3) => Ok(Version::V3_1),
            (b"MQTT", 4) => Ok(Version::V3_1_1),
            (b"MQTT", 5) => Ok(Version::V5),
            // A client from the future is answered in the newest form, as short as it gets, because nothing is known of
            // how it reads it; a bridge sets the highest bit and falls back to an older version.
            (b"MQTT", 6..0x80) => {
                let future = Peer { problem_information: false, ..Peer::unknown(Version::V5) };
                Err(Failure::Refused(Refusal::ProtocolVersion, future))
            }
            (b"MQTT" | b"MQIsdp", _) => Err(Failure::Refused(Refusal::ProtocolVersion, Peer::unknown(Version::V3_1_1))),
            _ => Err(malformed("its protocol name is not MQTT", None)),
        }
    }
}
