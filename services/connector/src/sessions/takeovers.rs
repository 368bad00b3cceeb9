//! Take-over loops: two clients with one device's certificate, each of which closes the other's session as fast as it
//! reconnects. They are slowed down, so that a device that was copied costs little and is seen.
//!
//! The first take-over of a device is at once. A CONNECT that comes within [`LOOP_WITHIN`] of one waits for [`WAIT_MIN`] before it
//! may be the next, twice as long after each, up to [`WAIT_MAX`]; meanwhile the session that is open works. Does not know
//! sessions: who asks says when one took another's place, here or elsewhere.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use rollcall_domain::ids::DeviceId;
use tokio::time::Instant;

/// A CONNECT that comes later than this after a take-over is no part of a loop.
const LOOP_WITHIN: Duration = Duration::from_secs(5);
/// How long the second take-over waits.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Devices that are remembered; take-overs of more are not slowed down.
const REMEMBERED_MAX: usize = 10_000;

/// The latest take-overs of one instance at this connector.
#[derive(Default)]
pub(crate) struct Takeovers(Mutex<HashMap<DeviceId, Recent>>);

struct Recent {
    at: Instant,
    /// The session that has the device is another connector's.
    elsewhere: bool,
    /// How long the last CONNECT had to wait.
    wait: Duration,
    /// Which CONNECT waits: a newer one takes its place.
    turn: u64,
}

/// A CONNECT that has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) wait: Duration,
    turn: u64,
}

impl Takeovers {
    /// A session has taken another's place.
    pub(crate) fn note(&self, device: &DeviceId, elsewhere: bool, now: Instant) {
        let mut recent = self.lock();
        if recent.len() >= REMEMBERED_MAX && !recent.contains_key(device) {
            recent.retain(|_, recent| now.duration_since(recent.at) < LOOP_WITHIN + WAIT_MAX);
            if recent.len() >= REMEMBERED_MAX {
                return;
            }
        }
        let recent = recent.entry(device.clone()).or_insert(Recent { at: now, elsewhere, wait: Duration::ZERO, turn: 0 });
        (recent.at, recent.elsewhere) = (now, elsewhere);
    }

    /// Whether a CONNECT that comes now has to wait.
    pub(crate) fn begin(&self, device: &DeviceId, has_session: bool, now: Instant) -> Option<Waiting> {
        let mut all = self.lock();
        let recent = all.get_mut(device).filter(|recent| has_session || recent.elsewhere)?;
        // One that waits may take its time: the loop goes on when it is done.
        if now.duration_since(recent.at) >= LOOP_WITHIN + recent.wait {
            all.remove(device);
            return None;
        }
        recent.wait = (recent.wait * 2).clamp(WAIT_MIN, WAIT_MAX);
        recent.turn += 1;
        Some(Waiting { wait: recent.wait, turn: recent.turn })
    }

    /// Whether a newer CONNECT waits.
    pub(crate) fn is_superseded(&self, device: &DeviceId, waiting: Waiting) -> bool {
        self.lock().get(device).is_some_and(|recent| recent.turn != waiting.turn)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceId, Recent>> {
        self.0.lock().expect("nothing panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    #[test]
    fn a_loop_is_slowed_down_and_forgotten_when_it_is_over() {
        let (takeovers, device, mut now) = (Takeovers::default(), DeviceId::parse("truck").unwrap(), Instant::now());
        assert_eq!(takeovers.begin(&device, true, now), None);
        takeovers.note(&device, false, now);
        for wait in [1, 2, 4, 8, 16, 30, 30] {
            let waiting = takeovers.begin(&device, true, now).expect("it waits");
            assert_eq!(waiting.wait, s(wait));
            now += waiting.wait;
            takeovers.note(&device, false, now);
        }
        now += LOOP_WITHIN + WAIT_MAX;
        assert_eq!(takeovers.begin(&device, true, now), None);
        takeovers.note(&device, false, now);
        now += LOOP_WITHIN;
        assert_eq!(takeovers.begin(&device, true, now), None, "the second comes late enough");
        takeovers.note(&device, false, now);
        assert_eq!(takeovers.begin(&device, false, now), None, "there is no session to take over");
        takeovers.note(&device, true, now);
        assert!(takeovers.begin(&device, false, now).is_some(), "it is at another connector");
    }

    #[test]
    fn of_two_that_wait_the_newer_has_the_turn() {
        let (takeovers, device, now) = (Takeovers::default(), DeviceId::parse("truck").unwrap(), Instant::now());
        takeovers.note(&device, false, now);
        let [first, second] = [(); 2].map(|()| takeovers.begin(&device, true, now).expect("it waits"));
        assert!(takeovers.is_superseded(&device, first) && !takeovers.is_superseded(&device, second));
    }
}
