//! Where an uplink stands, as 24 hex digits: opaque to callers, in the order of positions.

use rollcall_log::messages::MessagePosition;

use crate::http::{codes::Code, error::ApiError};

/// Digits of the shard: 0 for the instance's own stream, else one more than its number.
const SHARD_DIGITS: usize = 8;

pub(super) fn of(position: MessagePosition) -> String {
    let shard = position.shard().map_or(0, |shard| shard.saturating_add(1));
    format!("{shard:08x}{:016x}", position.sequence())
}

/// # Errors
/// [`Code::PageOutOfRange`].
pub(super) fn read(text: &str) -> Result<MessagePosition, ApiError> {
    let refused =
        || ApiError::new(Code::PageOutOfRange, "marker: give the 24 hex digits that an uplink or a page came with");
    let is_hex = text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let (shard, sequence) = text.split_at_checked(SHARD_DIGITS).filter(|_| is_hex).ok_or_else(refused)?;
    let shard = u32::from_str_radix(shard, 16).map_err(|_| refused())?;
    let sequence = u64::from_str_radix(sequence, 16).map_err(|_| refused())?;
    Ok(shard.checked_sub(1).map_or(MessagePosition::own(sequence), |shard| MessagePosition::sharded(shard, sequence)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_reads_back_and_is_in_the_order_of_positions() {
        let positions = [
            MessagePosition::own(0),
            MessagePosition::own(0x1234),
            MessagePosition::own(u64::MAX),
            MessagePosition::sharded(0, 0),
            MessagePosition::sharded(15, 7),
        ];
        let markers = positions.map(of);
        assert!(markers.is_sorted(), "{markers:?}");
        for (marker, position) in markers.iter().zip(positions) {
            assert_eq!(read(marker), Ok(position));
            assert_eq!(read(&marker.to_uppercase()), Ok(position));
        }
        for wrong in [
            "",
            "12",
            "00000000000000000000000g",
            "+00000000000000000000001",
            "0000000000000000000000001",
            "é0000000000000000000000",
        ] {
            assert_eq!(read(wrong).map_err(|error| error.code), Err(Code::PageOutOfRange), "{wrong:?}");
        }
    }
}
