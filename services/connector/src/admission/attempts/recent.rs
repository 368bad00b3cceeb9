//! The refusals recorded of late: the same certificate with the same code is recorded once a minute.
//!
//! Invariant: at most [`REMEMBERED_MAX`] entries, and so no more attempts of one instance within [`REPEAT_MS_MIN`].

use std::collections::HashMap;

use rollcall_domain::time::Timestamp;

/// Certificates with their codes that are remembered, of one instance. While as many were refused within
/// [`REPEAT_MS_MIN`], no others are kept. On a broker a connector has a share of an instance's attempts, so a storm here
/// pushes out what this connector has recorded and nothing else.
const REMEMBERED_MAX: usize = 4096;
/// After this long the same refusal is recorded again.
const REPEAT_MS_MIN: u64 = 60_000;

/// [`REMEMBERED_MAX`] others were recorded within [`REPEAT_MS_MIN`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// By certificate and code, when it was last recorded.
#[derive(Default)]
pub(super) struct RecentRefusals(HashMap<([u8; 32], Box<str>), Timestamp>);

impl RecentRefusals {
    /// Whether to record a refusal; if so it counts as recorded.
    ///
    /// # Errors
    /// [`Full`]: there is no room to remember it.
    pub(super) fn allows(&mut self, sha256: [u8; 32], code: &str, now: Timestamp) -> Result<bool, Full> {
        let key = (sha256, code.into());
        if self.0.get(&key).is_some_and(|kept| is_recent(*kept, now)) {
            return Ok(false);
        }
        if self.0.len() >= REMEMBERED_MAX && !self.0.contains_key(&key) {
            self.0.retain(|_, kept| is_recent(*kept, now));
            if self.0.len() >= REMEMBERED_MAX {
                return Err(Full);
            }
        }
        self.0.insert(key, now);
        Ok(true)
    }
}

/// In either direction: a clock that was set back must not silence a device until it is there again.
fn is_recent(kept: Timestamp, now: Timestamp) -> bool {
    kept.unix_ms().abs_diff(now.unix_ms()) < REPEAT_MS_MIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(ms.try_into().unwrap())
    }

    #[test]
    fn the_same_certificate_and_code_is_kept_once_a_minute() {
        let mut recent = RecentRefusals::default();
        assert_eq!(recent.allows([1; 32], "device_frozen", at(REPEAT_MS_MIN)), Ok(true));
        assert_eq!(recent.allows([1; 32], "device_frozen", at(2 * REPEAT_MS_MIN - 1)), Ok(false));
        assert_eq!(recent.allows([1; 32], "device_deleted", at(2 * REPEAT_MS_MIN - 1)), Ok(true));
        assert_eq!(recent.allows([2; 32], "device_frozen", at(2 * REPEAT_MS_MIN - 1)), Ok(true));
        assert_eq!(recent.allows([1; 32], "device_frozen", at(2 * REPEAT_MS_MIN)), Ok(true));
        assert_eq!(recent.allows([1; 32], "device_frozen", at(0)), Ok(true), "the clock was set back");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_there_is_room_again_after_a_minute() {
        let mut recent = RecentRefusals::default();
        let certificate = |number: usize| {
            let mut sha256 = [0; 32];
            sha256[..8].copy_from_slice(&number.to_be_bytes());
            sha256
        };
        for number in 0..REMEMBERED_MAX {
            assert_eq!(recent.allows(certificate(number), "device_frozen", at(0)), Ok(true));
        }
        assert_eq!(recent.allows(certificate(REMEMBERED_MAX), "device_frozen", at(REPEAT_MS_MIN - 1)), Err(Full));
        assert_eq!(recent.allows(certificate(0), "device_frozen", at(REPEAT_MS_MIN - 1)), Ok(false));
        assert_eq!(recent.allows(certificate(REMEMBERED_MAX), "device_frozen", at(REPEAT_MS_MIN)), Ok(true));
        assert_eq!(recent.0.len(), 1);
    }
}
