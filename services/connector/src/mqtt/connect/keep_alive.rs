//! The keep-alive that a client gets for the one that it asks for.

use crate::mqtt::{
    interface::Version,
    limits::{KEEP_ALIVE_3_S_MIN, KEEP_ALIVE_S_MAX, KEEP_ALIVE_S_MIN, LongerKeepAlive},
};

/// Seconds; `None`: refused. MQTT 5 has Server Keep Alive to say another; an older client can only be served as it asked, or
/// not.
pub(super) fn granted_s(version: Version, asked_s: u16, longer: LongerKeepAlive) -> Option<u16> {
    match (version, asked_s) {
        (Version::V5, 0) => Some(KEEP_ALIVE_S_MAX),
        (Version::V5, _) => Some(asked_s.clamp(KEEP_ALIVE_S_MIN, KEEP_ALIVE_S_MAX)),
        (Version::V3_1 | Version::V3_1_1, KEEP_ALIVE_3_S_MIN..=KEEP_ALIVE_S_MAX) => Some(asked_s),
        (Version::V3_1 | Version::V3_1_1, 1..KEEP_ALIVE_3_S_MIN) => None,
        (Version::V3_1 | Version::V3_1_1, 0 | 1201..) => match longer {
            LongerKeepAlive::Refuse => None,
            // None at all is the longest that a client can say, so that a connection whose client is gone ends some day.
            LongerKeepAlive::Honour if asked_s == 0 => Some(u16::MAX),
            LongerKeepAlive::Honour => Some(asked_s),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mqtt_5_is_told_another_and_older_versions_are_served_as_they_ask_or_not() {
        use LongerKeepAlive::{Honour, Refuse};
        for (asked_s, given_s) in [(0, 1200), (1, 30), (29, 30), (30, 30), (600, 600), (1200, 1200), (1201, 1200)] {
            for longer in [Refuse, Honour] {
                assert_eq!(granted_s(Version::V5, asked_s, longer), Some(given_s), "{asked_s}");
            }
        }
        for version in [Version::V3_1, Version::V3_1_1] {
            for asked_s in [5, 29, 30, 600, 1200] {
                assert_eq!(granted_s(version, asked_s, Refuse), Some(asked_s));
            }
            for (asked_s, honoured_s) in
                [(0, Some(u16::MAX)), (1, None), (4, None), (1201, Some(1201)), (u16::MAX, Some(u16::MAX))]
            {
                assert_eq!(granted_s(version, asked_s, Refuse), None);
                assert_eq!(granted_s(version, asked_s, Honour), honoured_s);
            }
        }
    }
}
