//! Take-over loops: two clients with one device's certificate, each of which closes the other's session as fast as it
//! reconnects. They are slowed down, so that a device that was copied costs little and is seen.
//!
//! The first take-over of a device is at once. A CONNECT that comes within [`LOOP_WITHIN`] of one waits for [`WAIT_MIN`] before it
//! may be the next, twice as long after each, up to [`WAIT_MAX`]; meanwhile the session that is open works. Does not know
//! sessions: who asks says when one took another's place, here or elsewhere.
//!
//! A certificate whose connections come in such a loop from one source, another and the first again is on two devices, or copied:
//! that is told once in [`TOLD_INTERVAL`] for a device and two sources. Two that always reach two connectors are not seen, since
//! presence does not say where a connection comes from; nor are two behind one address.

use std::{
    collections::HashMap,
    net::IpAddr,
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
/// Between two times that the same device and sources are told of.
const TOLD_INTERVAL: Duration = Duration::from_secs(3600);
/// Devices with two sources that were told of within [`TOLD_INTERVAL`]; more are not told of.
const TOLD_MAX: usize = 10_000;

/// The latest take-overs of one instance at this connector.
#[derive(Default)]
pub(crate) struct Takeovers {
    recent: Mutex<HashMap<DeviceId, Recent>>,
    told: Mutex<HashMap<(DeviceId, [IpAddr; 2]), Instant>>,
}

/// Where a session was opened from, with which certificate (SHA-256 over the DER).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) source: IpAddr,
    pub(crate) sha256: [u8; 32],
}

struct Recent {
    at: Instant,
    /// The session that has the device is another connector's.
    elsewhere: bool,
    /// How long the last CONNECT had to wait.
    wait: Duration,
    /// Which CONNECT waits: a newer one takes its place.
    turn: u64,
    /// Of the last session and, where that is another, of the one before. Of those since the loop began.
    origins: [Option<Origin>; 2],
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
        let none = Recent { at: now, elsewhere, wait: Duration::ZERO, turn: 0, origins: [None; 2] };
        let recent = recent.entry(device.clone()).or_insert(none);
        (recent.at, recent.elsewhere) = (now, elsewhere);
    }

    /// A session was opened: the two sources that its certificate comes from in turns, if that is to be told.
    pub(crate) fn opened(&self, device: &DeviceId, origin: Origin, now: Instant) -> Option<[IpAddr; 2]> {
        let mut all = self.lock();
        let recent = all.get_mut(device)?;
        let [last, before] = recent.origins;
        if last == Some(origin) {
            return None;
        }
        recent.origins = [Some(origin), last];
        drop(all);
        let last = last.filter(|last| last.sha256 == origin.sha256 && before == Some(origin))?;
        let mut sources = [last.source, origin.source];
        sources.sort_unstable();
        self.is_to_be_told(device, sources, now).then_some(sources)
    }

    fn is_to_be_told(&self, device: &DeviceId, sources: [IpAddr; 2], now: Instant) -> bool {
        let mut told = self.told.lock().expect("nothing panics while it holds this lock");
        let is_recent = |at: &Instant| now.duration_since(*at) < TOLD_INTERVAL;
        let key = (device.clone(), sources);
        if told.get(&key).is_some_and(is_recent) {
            return false;
        }
        if told.len() >= TOLD_MAX {
            told.retain(|_, at| is_recent(at));
        }
        let has_room = told.len() < TOLD_MAX;
        if has_room {
            told.insert(key, now);
        }
        has_room
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
        self.recent.lock().expect("nothing panics while it holds this lock")
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

    fn origin(source: u8, certificate: u8) -> Origin {
        Origin { source: IpAddr::from([192, 0, 2, source]), sha256: [certificate; 32] }
    }

    /// Of sessions that are opened one after another, each by taking the place of the one before, those that are told of.
    fn told(takeovers: &Takeovers, device: &DeviceId, now: Instant, origins: &[Origin]) -> Vec<Option<[IpAddr; 2]>> {
        let opened = |origin: &Origin| {
            takeovers.note(device, false, now);
            takeovers.opened(device, *origin, now)
        };
        origins.iter().map(opened).collect()
    }

    #[test]
    fn f33_one_certificate_from_two_sources_in_turns_is_told_once_an_hour() {
        let (takeovers, device, now) = (Takeovers::default(), DeviceId::parse("truck").unwrap(), Instant::now());
        let [one, other] = [origin(1, 7), origin(2, 7)];
        let pair = Some([one.source, other.source]);
        assert_eq!(told(&takeovers, &device, now, &[one, one, other, other, one]), [None, None, None, None, pair]);
        assert_eq!(told(&takeovers, &device, now, &[other, one, other]), [None, None, None]);
        let third = origin(3, 7);
        let with_third = Some([other.source, third.source]);
        assert_eq!(told(&takeovers, &device, now, &[third, other]), [None, with_third]);
        let hour_later = now + TOLD_INTERVAL;
        assert_eq!(told(&takeovers, &device, hour_later, &[one, other]), [None, pair]);
    }

    #[test]
    fn a_device_that_moves_or_has_two_certificates_is_not_told_of() {
        let device = DeviceId::parse("truck").unwrap();
        for origins in [
            [origin(1, 7), origin(2, 7), origin(3, 7), origin(4, 7)],
            [origin(1, 7), origin(2, 8), origin(1, 7), origin(2, 8)],
            [origin(1, 7), origin(1, 7), origin(1, 7), origin(2, 7)],
        ] {
            let takeovers = Takeovers::default();
            assert_eq!(told(&takeovers, &device, Instant::now(), &origins), [None; 4], "{origins:?}");
        }
        let takeovers = Takeovers::default();
        let opened = [origin(1, 7), origin(2, 7), origin(1, 7)];
        let opened = opened.map(|origin| takeovers.opened(&device, origin, Instant::now()));
        assert_eq!(opened, [None; 3], "none took another's place");
    }

    #[test]
    fn what_is_told_of_is_bounded_and_there_is_room_again_after_an_hour() {
        let (takeovers, now) = (Takeovers::default(), Instant::now());
        let device = |n: usize| DeviceId::parse(&format!("truck-{n}")).unwrap();
        let sources = [origin(1, 7).source, origin(2, 7).source];
        assert!((0..TOLD_MAX).all(|n| takeovers.is_to_be_told(&device(n), sources, now)));
        assert!(!takeovers.is_to_be_told(&device(TOLD_MAX), sources, now));
        assert!(takeovers.is_to_be_told(&device(TOLD_MAX), sources, now + TOLD_INTERVAL));
    }

    #[test]
    fn of_two_that_wait_the_newer_has_the_turn() {
        let (takeovers, device, now) = (Takeovers::default(), DeviceId::parse("truck").unwrap(), Instant::now());
        takeovers.note(&device, false, now);
        let [first, second] = [(); 2].map(|()| takeovers.begin(&device, true, now).expect("it waits"));
        assert!(takeovers.is_superseded(&device, first) && !takeovers.is_superseded(&device, second));
    }
}
