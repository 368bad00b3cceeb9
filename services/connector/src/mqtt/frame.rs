//! Cuts the byte stream into packets (MQTT 5 §2.1).
//!
//! Invariant: what is allocated is what has arrived, never what was announced; a length over the limit is refused as
//! soon as its bytes are there. A packet that arrives whole is copied once, into a buffer of exactly its size, so that
//! an idle connection holds no read buffer and a kept payload holds nothing else alive.

use bytes::{Buf, BufMut, BytesMut};

use super::{
    limits::{CONNECT_BYTES_MAX, Limits},
    violation::Violation,
};

/// First byte of PUBLISH without its flags.
pub(super) const PUBLISH: u8 = 0x30;
/// Longest fixed header: first byte and four of length.
const HEADER_BYTES_MAX: usize = 5;
/// Spare room in a packet's buffer: the codec asks for it after each packet and would allocate again.
const SPARE_BYTES: usize = 8;

/// One packet: the whole of it, fixed header included.
#[derive(Debug)]
pub(super) struct Frame {
    /// Header and body.
    pub(super) bytes: BytesMut,
    /// How long the header is.
    pub(super) header_bytes: usize,
}

impl Frame {
    /// Packet type and flags.
    pub(super) fn first_byte(&self) -> u8 {
        self.bytes.first().copied().unwrap_or(0)
    }

    /// Replaces the flags by those that the codec expects.
    pub(super) fn ignore_flags(&mut self, expected: u8) {
        if let Some(first) = self.bytes.first_mut() {
            *first = *first & 0xf0 | expected;
        }
    }

    /// What follows the fixed header.
    pub(super) fn body(&self) -> &[u8] {
        self.bytes.get(self.header_bytes..).unwrap_or(&[])
    }

    /// Whether the length is written in as few bytes as possible, as MQTT 5 demands (§1.5.5).
    pub(super) fn is_minimal(&self) -> bool {
        self.header_bytes == 2 || self.bytes.get(self.header_bytes - 1).is_some_and(|last| *last != 0)
    }
}

/// The bytes that are not a whole packet yet, or that wait until packets are read again.
#[derive(Debug, Default)]
pub(super) struct Frames {
    buffered: BytesMut,
}

struct Header {
    header_bytes: usize,
    total_bytes: usize,
}

impl Frames {
    pub(super) fn buffered_bytes(&self) -> usize {
        self.buffered.len()
    }

    /// The first byte of the next packet.
    pub(super) fn first_byte(&self, fresh: &[u8]) -> Option<u8> {
        self.buffered.first().or(fresh.first()).copied()
    }

    /// Keeps bytes for later.
    pub(super) fn buffer(&mut self, fresh: &[u8]) {
        self.buffered.extend_from_slice(fresh);
    }

    /// Drops the buffer.
    pub(super) fn clear(&mut self) {
        self.buffered = BytesMut::new();
    }

    /// The next whole packet of the buffered bytes and then `fresh`, which moves on past what was used. `None`: all of it is
    /// used and more must come.
    pub(super) fn next(&mut self, fresh: &mut &[u8], limits: &Limits) -> Result<Option<Frame>, Violation> {
        if self.buffered.is_empty() {
            return self.next_fresh(fresh, limits);
        }
        let header = loop {
            if let Some(header) = header(&self.buffered, limits)? {
                break header;
            }
            if fresh.is_empty() {
                return Ok(None);
            }
            self.buffered.put_u8(fresh.get_u8());
        };
        let missing = header.total_bytes.saturating_sub(self.buffered.len()).min(fresh.len());
        self.buffered.extend_from_slice(&fresh[..missing]);
        fresh.advance(missing);
        if self.buffered.len() < header.total_bytes {
            return Ok(None);
        }
        let bytes = if self.buffered.len() == header.total_bytes {
            std::mem::take(&mut self.buffered)
        } else {
            self.buffered.split_to(header.total_bytes)
        };
        Ok(Some(Frame { bytes, header_bytes: header.header_bytes }))
    }

    fn next_fresh(&mut self, fresh: &mut &[u8], limits: &Limits) -> Result<Option<Frame>, Violation> {
        let whole = header(fresh, limits)?.filter(|header| fresh.len() >= header.total_bytes);
        let Some(header) = whole else {
            self.buffer(fresh);
            *fresh = &[];
            return Ok(None);
        };
        let mut bytes = BytesMut::with_capacity(header.total_bytes + SPARE_BYTES);
        bytes.extend_from_slice(&fresh[..header.total_bytes]);
        fresh.advance(header.total_bytes);
        Ok(Some(Frame { bytes, header_bytes: header.header_bytes }))
    }
}

/// Reads a fixed header; `None` if more bytes are needed.
fn header(bytes: &[u8], limits: &Limits) -> Result<Option<Header>, Violation> {
    let Some((&first_byte, length_bytes)) = bytes.split_first() else { return Ok(None) };
    let mut length = 0_usize;
    for (index, byte) in length_bytes.iter().take(HEADER_BYTES_MAX - 1).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            let header_bytes = 2 + index;
            let total_bytes = header_bytes + length;
            // Only PUBLISH has a reason to be large; other packets get what a CONNECT gets.
            let max = if first_byte & 0xf0 == PUBLISH { limits.packet_bytes_max() } else { CONNECT_BYTES_MAX };
            return if total_bytes > max as usize {
                Err(Violation::TooLarge)
            } else {
                Ok(Some(Header { header_bytes, total_bytes }))
            };
        }
    }
    if bytes.len() >= HEADER_BYTES_MAX {
        return Err(Violation::Malformed { packet: "packet", rule: "its length has more than four bytes" });
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn f26_an_announced_length_allocates_nothing() {
        let mut frames = Frames::default();
        let limits = Limits::default();
        let announced = limits.packet_bytes_max() - 4;
        let length = [announced, announced >> 7, announced >> 14].map(|part| (part & 0x7f) as u8);
        let bytes = [PUBLISH, length[0] | 0x80, length[1] | 0x80, length[2], 0];
        assert!(frames.next(&mut &bytes[..], &limits).is_ok_and(|frame| frame.is_none()));
        assert!(frames.buffered.capacity() < 256, "{}", frames.buffered.capacity());
        assert_eq!(frames.buffered_bytes(), bytes.len());
    }

    proptest! {
        #[test]
        fn f26_what_is_held_is_what_has_come(pieces in vec(vec(any::<u8>(), 0..600), 0..30)) {
            let mut frames = Frames::default();
            let mut come = 0;
            for piece in pieces {
                come += piece.len();
                let mut fresh = &*piece;
                while let Ok(Some(frame)) = frames.next(&mut fresh, &Limits::default()) {
                    come -= frame.bytes.len();
                }
                prop_assert!(frames.buffered_bytes() <= come);
                prop_assert!(frames.buffered.capacity() <= 2 * come + 64);
            }
        }
    }
}
