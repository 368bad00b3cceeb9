//! Ages, divergence and the wait after a suspension, by a clock that the test moves.

use std::time::Duration;

use rollcall_domain::ids::{InstanceId, LogId, Position, RegistrarId};
use rollcall_log::{
    heartbeat::{Announcement, INTERVAL, LogPosition, Source, shard_of},
    signing::SigningKey,
};
use rollcall_log_memory::MemoryConfig;
use tokio::time::{Instant, advance, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Freshness, Point, SETTLE, SUSPENDED_AFTER, TICK, Uncounted, core::Core};
use crate::{
    fleet,
    readiness::{AGE_MAX, unready},
};

fn log() -> LogId {
    LogId::Instance(InstanceId::parse("north").unwrap())
}

fn point(position: u64, digest: u8) -> Point {
    Point { position: Position(position), digest: [digest; 32] }
}

fn said(registrar: &str, counter: u64, at: Point) -> Announcement {
    Announcement {
        source: Source { registrar: RegistrarId::parse(registrar).unwrap(), shard: 1 },
        counter,
        logs: vec![LogPosition { log: log(), position: at.position, digest: at.digest }],
    }
}

/// A core with a clock, and one view.
struct Bench {
    core: Core,
    now: Instant,
    view: Point,
}

impl Bench {
    fn new() -> Self {
        let now = Instant::now();
        let mut core = Core::new(now, true);
        core.track(log(), now);
        let epoch = core.epoch(now);
        core.listen(epoch, now);
        Self { core, now, view: point(7, 7) }
    }

    fn runs(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += TICK;
            self.core.tick(self.now, TICK);
            self.core.look(&log(), self.view, self.now);
        }
    }

    fn hears(&mut self, registrar: &str, counter: u64, at: Point) {
        let view = self.view;
        self.core.hear(&said(registrar, counter, at), self.now, |_| Some(view));
    }

    fn may_go_on(&mut self) -> bool {
        self.core.may_go_on(&log(), self.now)
    }

    fn age(&self) -> Duration {
        self.core.seen(&log(), self.now).age.unwrap()
    }

    /// A view that was confirmed just now.
    fn fresh() -> Self {
        let mut bench = Self::new();
        bench.hears("r1", 1, bench.view);
        bench.hears("r1", 2, bench.view);
        assert_eq!(bench.age(), Duration::ZERO);
        bench
    }
}

#[test]
fn f50_only_a_counter_that_rises_makes_a_view_fresh() {
    let mut bench = Bench::new();
    bench.runs(INTERVAL);
    bench.hears("r1", 10, bench.view);
    assert_eq!(bench.age(), INTERVAL, "the first that is heard may be of any time");
    bench.hears("r1", 10, bench.view);
    bench.hears("r1", 9, bench.view);
    assert_eq!(bench.age(), INTERVAL, "an old announcement, again");
    bench.hears("r1", 11, bench.view);
    assert_eq!(bench.age(), Duration::ZERO);
    bench.runs(2 * INTERVAL);
    assert_eq!(bench.age(), 2 * INTERVAL);
    assert_eq!(bench.core.uncounted(), Uncounted { replayed: 2, ..Uncounted::default() });
}

#[test]
fn what_a_dead_registrar_has_announced_long_ago_is_not_heard_again() {
    let mut bench = Bench::new();
    let hour_ms = 3_600_000;
    bench.hears("r2", 5 * hour_ms, bench.view);
    bench.runs(INTERVAL);
    bench.hears("r1", 4 * hour_ms, bench.view);
    bench.hears("r1", 4 * hour_ms + 1000, bench.view);
    assert_eq!(bench.age(), INTERVAL);
    assert_eq!(bench.core.uncounted().replayed, 2);
}

#[test]
fn f50_a_view_is_as_old_as_the_last_rise_whose_position_it_has_reached() {
    let mut bench = Bench::fresh();
    bench.runs(INTERVAL);
    bench.hears("r1", 3, point(8, 8));
    bench.runs(INTERVAL);
    assert_eq!(bench.age(), 2 * INTERVAL, "the view is behind what was announced");
    bench.view = point(8, 8);
    bench.runs(TICK);
    assert_eq!(bench.age(), INTERVAL + TICK, "since it was announced, not since it was reached");
    bench.view = point(20, 20);
    bench.hears("r1", 4, point(9, 9));
    assert_eq!(bench.age(), Duration::ZERO, "a view may be ahead of a registrar's");
}

#[test]
fn an_instance_that_is_new_is_not_old() {
    let mut bench = Bench::fresh();
    bench.runs(60 * INTERVAL);
    let new = LogId::Instance(InstanceId::parse("new").unwrap());
    bench.core.track(new.clone(), bench.now);
    bench.runs(INTERVAL);
    assert_eq!(bench.core.seen(&new, bench.now).age, Some(INTERVAL));
    assert!(bench.core.may_go_on(&new, bench.now));
}

#[test]
fn a_view_that_is_always_a_little_behind_is_confirmed_all_the_same() {
    let mut bench = Bench::fresh();
    for step in 0..60 {
        bench.hears("r1", 3 + step, point(8 + step, 0));
        bench.runs(INTERVAL);
        bench.view = point(7 + step.saturating_sub(2), 0);
    }
    assert!(bench.age() <= 5 * INTERVAL, "{:?}", bench.age());
}

#[test]
fn f38_a_view_that_differs_at_one_position_has_diverged_until_it_agrees_again() {
    let mut bench = Bench::fresh();
    bench.runs(INTERVAL);
    bench.hears("r1", 3, point(7, 6));
    let seen = bench.core.seen(&log(), bench.now);
    let divergence = seen.diverged.clone().expect("seen at once");
    assert_eq!((divergence.position, divergence.ours, divergence.theirs), (Position(7), [7; 32], [6; 32]));
    assert_eq!((seen.age, seen.divergences), (Some(INTERVAL), 1), "what disagrees confirms nothing");
    bench.hears("r1", 4, point(7, 6));
    assert_eq!(bench.core.take_divergences(bench.now, Duration::from_secs(60)).len(), 1, "told once");
    assert_eq!(bench.core.take_divergences(bench.now, Duration::from_secs(60)).len(), 0);
    // Being ahead says nothing; agreeing does.
    bench.view = point(9, 9);
    bench.hears("r1", 5, point(8, 8));
    assert!(bench.core.seen(&log(), bench.now).diverged.is_some());
    bench.hears("r1", 6, point(9, 9));
    let seen = bench.core.seen(&log(), bench.now);
    assert_eq!((seen.diverged, seen.age, seen.divergences), (None, Some(Duration::ZERO), 2));
}

#[test]
fn after_a_suspension_one_waits_until_something_new_is_heard() {
    let mut bench = Bench::fresh();
    assert!(bench.may_go_on());
    bench.now += 5 * SUSPENDED_AFTER;
    // Whatever is asked first notices: here admission, before any tick.
    assert!(!bench.may_go_on());
    assert!(bench.core.take_suspended());
    // What was waiting in the socket rises and rises, and is not heard.
    for counter in 3..8 {
        bench.hears("r1", counter, bench.view);
    }
    assert!(!bench.may_go_on());
    let epoch = bench.core.epoch(bench.now);
    bench.core.listen(epoch, bench.now);
    bench.hears("r1", 8, bench.view);
    assert!(!bench.may_go_on(), "the last one before may have been made before");
    bench.runs(TICK);
    bench.hears("r1", 9, point(8, 8));
    assert!(!bench.may_go_on(), "what waits in the log has not been read");
    bench.view = point(8, 8);
    bench.runs(TICK);
    assert!(bench.may_go_on() && bench.core.take_opened());
}

#[test]
fn a_suspended_process_does_not_wait_its_time_out_while_suspended() {
    let mut bench = Bench::fresh();
    for _ in 0..10 {
        bench.now += 2 * SUSPENDED_AFTER;
        bench.core.tick(bench.now, TICK);
        assert!(!bench.may_go_on());
    }
    bench.runs(SETTLE - 2 * TICK);
    assert!(!bench.may_go_on());
    bench.runs(2 * TICK);
    assert!(bench.may_go_on(), "the centre may be away: one goes on with what is known");
}

#[test]
fn nobody_waits_while_the_centre_is_away() {
    let mut bench = Bench::fresh();
    for _ in 0..600 {
        bench.runs(TICK);
        // The process runs all the time, so it is not news that waits to be read.
        assert!(bench.may_go_on());
    }
    assert_eq!(bench.age(), 60 * INTERVAL);
}

#[test]
fn at_a_start_one_waits_for_the_first_announcement_or_for_its_time() {
    let mut bench = Bench::new();
    assert!(!bench.may_go_on());
    bench.runs(SETTLE);
    assert!(bench.may_go_on());
    let mut without_key = Core::new(bench.now, false);
    assert!(without_key.may_go_on(&log(), bench.now), "nothing will ever be announced");
    assert!(!without_key.may_go_on(&log(), bench.now + 2 * SUSPENDED_AFTER), "the view may have to read on");
    assert_eq!(without_key.seen(&log(), bench.now).age, None);
}

#[tokio::test(start_paused = true)]
async fn announcements_of_the_backbone_make_views_fresh_and_silence_makes_them_old() {
    let (backbone, key, shutdown) =
        (rollcall_log_memory::new(MemoryConfig::seeded(1)), SigningKey::generate(), CancellationToken::new());
    let freshness = Freshness::start(backbone.heartbeats.clone(), vec![key.public()], 0, shutdown.clone());
    freshness.track(log(), || Some(point(7, 7)));
    let announce = async |counter: u64, key: &SigningKey| {
        let announcement = said("r1", counter, point(7, 7));
        backbone.heartbeats.announce(&announcement.source, announcement.sign(key)).await.unwrap();
        sleep(INTERVAL).await;
    };
    for counter in 1..4 {
        announce(counter, &key).await;
    }
    let age = |seen: super::Seen| seen.age.unwrap();
    assert!(age(freshness.of_log(&log())) <= INTERVAL + TICK);
    timeout(TICK, freshness.settled(&log())).await.expect("at once");
    for counter in 4..8 {
        announce(counter, &SigningKey::generate()).await;
    }
    assert!(age(freshness.of_log(&log())) >= 4 * INTERVAL);
    assert_eq!(freshness.uncounted().disbelieved, 4);

    // Suspended, and nothing is announced: what is left is to wait its time out.
    advance(10 * SUSPENDED_AFTER).await;
    timeout(SETTLE - 3 * TICK, freshness.settled(&log())).await.expect_err("too early");
    timeout(SETTLE, freshness.settled(&log())).await.expect("over");
    shutdown.cancel();
}

#[tokio::test(start_paused = true)]
async fn f50_f54_a_fleet_that_no_registrar_confirms_any_more_is_not_ready() {
    let backbone = rollcall_log_memory::new(MemoryConfig::seeded(2));
    backbone.heartbeats.open().await.unwrap();
    let (key, shutdown) = (SigningKey::generate(), CancellationToken::new());
    let mut fleet = fleet::follow(backbone.log.clone(), [key.public()].into_iter().collect(), 0, shutdown.clone());
    let freshness = Freshness::start(backbone.heartbeats.clone(), vec![key.public()], 0, shutdown.clone());
    freshness.track_fleet(fleet.clone());
    let status = fleet.wait_for(|fleet| fleet.caught_up).await.unwrap().status();
    let why = || unready(&status, &freshness.of_log(&LogId::Fleet)).map(|unready| unready.code());
    let source = Source { registrar: RegistrarId::parse("r1").unwrap(), shard: shard_of(&LogId::Fleet) };
    for counter in 1..20 {
        let logs = vec![LogPosition { log: LogId::Fleet, position: status.position, digest: status.digest }];
        let announcement = Announcement { source: source.clone(), counter, logs };
        backbone.heartbeats.announce(&source, announcement.sign(&key)).await.unwrap();
        sleep(INTERVAL).await;
        assert_eq!(why(), None, "confirmed {counter} times");
    }
    let seen = freshness.of_log(&LogId::Fleet);
    assert_eq!(seen.point, Some(Point { position: status.position, digest: status.digest }));
    assert_eq!(seen.fleet_beat().map(|beat| beat.age_ms), Some(seen.age_ms()));
    assert!(seen.age.is_some_and(|age| age <= INTERVAL), "{seen:?}");
    sleep(AGE_MAX + INTERVAL).await;
    assert_eq!(why(), Some("unconfirmed"));
    shutdown.cancel();
}
