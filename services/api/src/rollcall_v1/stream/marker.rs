//! Where a stream stands, as 40 hex digits: opaque to callers.
//!
//! Presence has no positions and is not in it.

use rollcall_domain::ids::{Incarnation, Position};

use crate::http::{codes::Code, error::ApiError};

/// Digits of the incarnation's part.
const INCARNATION_DIGITS: usize = 8;
/// Digits of a position.
const POSITION_DIGITS: usize = 16;
/// Stands for a position that was not followed.
const NOT_FOLLOWED: u64 = u64::MAX;

/// What a client has had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// Tells one instance of an id from the next: the beginning of its incarnation.
    pub(super) incarnation: [u8; INCARNATION_DIGITS / 2],
    /// In the registry log.
    pub(super) events: Position,
    /// Among the attempts; `None`: refusals were not followed.
    pub(super) refusals: Option<Position>,
}

impl Marker {
    /// The part of an incarnation that markers have.
    pub(super) fn part(incarnation: Incarnation) -> [u8; INCARNATION_DIGITS / 2] {
        let [a, b, c, d, ..] = incarnation.0;
        [a, b, c, d]
    }

    pub(super) fn text(&self) -> String {
        let refusals = self.refusals.map_or(NOT_FOLLOWED, |position| position.0);
        format!("{:08x}{:016x}{refusals:016x}", u32::from_be_bytes(self.incarnation), self.events.0)
    }

    /// # Errors
    /// [`Code::PageOutOfRange`].
    pub(super) fn read(text: &str) -> Result<Self, ApiError> {
        let refused = || ApiError::new(Code::PageOutOfRange, "marker: give the 40 hex digits that an event came with");
        let is_hex =
            text.len() == INCARNATION_DIGITS + 2 * POSITION_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let (incarnation, positions) = text.split_at_checked(INCARNATION_DIGITS).filter(|_| is_hex).ok_or_else(refused)?;
        let (events, refusals) = positions.split_at_checked(POSITION_DIGITS).ok_or_else(refused)?;
        let position = |digits| u64::from_str_radix(digits, 16).map_err(|_| refused());
        let refusals = position(refusals)?;
        Ok(Self {
            incarnation: u32::from_str_radix(incarnation, 16).map_err(|_| refused())?.to_be_bytes(),
            events: Position(position(events)?),
            refusals: (refusals != NOT_FOLLOWED).then_some(Position(refusals)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_reads_back() {
        for (events, refusals) in [(0, Some(0)), (1, None), (u64::MAX, Some(0x1234))] {
            let marker =
                Marker { incarnation: [0, 1, 0xfe, 0xff], events: Position(events), refusals: refusals.map(Position) };
            assert_eq!(Marker::read(&marker.text()), Ok(marker));
            assert_eq!(Marker::read(&marker.text().to_uppercase()), Ok(marker));
        }
        for wrong in
            [String::new(), "12".into(), "g".repeat(40), format!("+{}", "0".repeat(39)), "0".repeat(41), "é".repeat(20)]
        {
            assert_eq!(Marker::read(&wrong).map_err(|error| error.code), Err(Code::PageOutOfRange), "{wrong:?}");
        }
    }
}
