//! Runs for the instances of a fleet: those that appear, vanish, are made again, end by themselves. Time is paused.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rollcall_domain::{
    fleet::{Edition, Fleet, FleetEvent, Instance},
    ids::{Incarnation, InstanceId},
    time::Timestamp,
};
use tokio::{sync::watch, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    fleet::FleetSnapshot,
    supervisor::{RetryDelay, Run, Running, supervise},
};

/// Longest wait for a state; paused time, so only ever waited out by a failing test.
const BOUND: Duration = Duration::from_secs(3600);
/// How long a run of the tests takes to end once it is told to.
const GOODBYE: Duration = Duration::from_secs(3);

/// What has happened to runs, in order, with the milliseconds since the test began.
#[derive(Clone)]
struct Events {
    began: Instant,
    seen: watch::Sender<Vec<(u128, String)>>,
}

impl Events {
    fn new() -> Self {
        Self { began: Instant::now(), seen: watch::Sender::new(Vec::new()) }
    }

    fn note(&self, what: String) {
        self.seen.send_modify(|seen| seen.push((self.began.elapsed().as_millis(), what)));
    }

    /// What has happened once there is so much of it, without the times.
    async fn first(&self, count: usize) -> Vec<String> {
        self.timed(count).await.into_iter().map(|(_, what)| what).collect()
    }

    async fn timed(&self, count: usize) -> Vec<(u128, String)> {
        let mut seen = self.seen.subscribe();
        let waited = tokio::time::timeout(BOUND, seen.wait_for(|seen| seen.len() >= count)).await;
        waited.unwrap_or_else(|_| panic!("{count} events, not {:?}", self.seen.borrow())).unwrap().clone()
    }
}

struct World {
    fleet: watch::Sender<Arc<FleetSnapshot>>,
    events: Events,
    running: Running<String>,
    shutdown: CancellationToken,
}

impl World {
    fn of(instances: &[(&str, u8)]) -> Self {
        let world = Self {
            fleet: watch::Sender::new(Arc::default()),
            events: Events::new(),
            running: Running::default(),
            shutdown: CancellationToken::new(),
        };
        world.has(instances);
        world
    }

    /// From now on the fleet has these instances, by id and incarnation.
    fn has(&self, instances: &[(&str, u8)]) {
        self.fleet.send_replace(Arc::new(FleetSnapshot { fleet: fleet(instances), ..FleetSnapshot::default() }));
    }

    /// Runs that show their name, say when they begin and end, and last until they are told to stop.
    fn supervise(&self) -> JoinHandle<()> {
        let (events, running) = (self.events.clone(), self.running.clone());
        self.supervise_with(move |run| {
            let (events, running) = (events.clone(), running.clone());
            async move {
                let name = format!("{} {}", run.instance.id, run.instance.incarnation.0[0]);
                let _showing = running.show(&run, Arc::new(name.clone()));
                events.note(format!("{name} begins"));
                run.stop.cancelled().await;
                tokio::time::sleep(GOODBYE).await;
                events.note(format!("{name} has ended"));
                Ok(())
            }
        })
    }

    fn supervise_with<R>(&self, run: impl Fn(Run) -> R + Clone + Send + 'static) -> JoinHandle<()>
    where
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        let delay: RetryDelay = Arc::new(|failures| Duration::from_secs(1) * 2_u32.pow(failures.min(3)));
        let (fleet, shutdown) = (self.fleet.subscribe(), self.shutdown.clone());
        tokio::spawn(supervise(fleet, delay, shutdown, move |_| run.clone()))
    }

    fn shown(&self) -> Vec<String> {
        self.running.all().into_iter().map(|name| name.to_string()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_appears_is_run_and_one_that_vanishes_is_not() {
    let world = World::of(&[("a", 1)]);
    let _supervising = world.supervise();
    assert_eq!(world.events.first(1).await, ["a 1 begins"]);
    assert!(world.running.has_all(&fleet(&[("a", 1)])) && !world.running.has_all(&fleet(&[("a", 1), ("b", 1)])));
    world.has(&[("a", 1), ("b", 1)]);
    assert_eq!(world.events.first(2).await[1], "b 1 begins");
    assert_eq!(world.shown(), ["a 1", "b 1"]);

    world.has(&[("b", 1)]);
    assert_eq!(world.events.first(3).await[2], "a 1 has ended");
    assert_eq!((world.shown(), world.running.get(&id("a"))), (vec!["b 1".to_owned()], None));
}

#[tokio::test(start_paused = true)]
async fn what_a_run_shows_goes_as_soon_as_it_is_told_to_stop() {
    let world = World::of(&[("a", 1)]);
    let _supervising = world.supervise();
    world.events.first(1).await;
    let shown = world.running.get(&id("a")).expect("it is shown");
    world.shutdown.cancel();
    assert_eq!((world.shown(), shown.as_str()), (Vec::new(), "a 1"), "before the run has seen it");
    assert_eq!(world.running.get_ending(&id("a")), Some(shown), "it still ends");
    assert_eq!(world.events.first(2).await[1], "a 1 has ended");
    assert_eq!(world.running.get_ending(&id("a")), None);
}

#[tokio::test(start_paused = true)]
async fn an_instance_made_again_under_its_id_is_run_after_the_former_has_ended() {
    let world = World::of(&[("a", 1)]);
    let _supervising = world.supervise();
    world.events.first(1).await;
    world.has(&[("a", 2)]);
    assert_eq!(world.events.first(3).await, ["a 1 begins", "a 1 has ended", "a 2 begins"]);
    assert!(world.running.has_all(&fleet(&[("a", 2)])) && !world.running.has_all(&fleet(&[("a", 1)])));
}

#[tokio::test(start_paused = true)]
async fn an_update_of_an_instance_is_no_other_instance_and_the_next_run_has_it() {
    let world = World::of(&[("a", 1)]);
    let (events, ended) = (world.events.clone(), CancellationToken::new());
    let (told, end) = (events.clone(), ended.clone());
    let _supervising = world.supervise_with(move |run| {
        let (told, end) = (told.clone(), end.clone());
        async move {
            told.note(format!("in {}", run.instance.region));
            run.stop.run_until_cancelled(end.cancelled()).await;
            Ok(())
        }
    });
    assert_eq!(events.first(1).await, ["in north"]);
    let mut moved = fleet(&[("a", 1)]);
    let instance = Instance { region: "south".into(), ..moved.instances[&id("a")].clone() };
    moved.evolve(&FleetEvent::InstanceUpdated(instance), Timestamp::from_unix_s(0));
    world.fleet.send_replace(Arc::new(FleetSnapshot { fleet: moved, ..FleetSnapshot::default() }));
    tokio::time::sleep(BOUND).await;
    assert_eq!(events.seen.borrow().len(), 1, "the run goes on");
    ended.cancel();
    assert_eq!(events.first(2).await[1], "in south");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_fails_or_panics_is_followed_by_another_after_a_growing_delay() {
    let world = World::of(&[("a", 1), ("b", 1)]);
    let (events, others) = (world.events.clone(), Arc::new(Mutex::new(0)));
    let seen = Arc::clone(&others);
    let _supervising = world.supervise_with(move |run| {
        let (events, seen) = (events.clone(), Arc::clone(&seen));
        async move {
            if run.instance.id == id("b") {
                *seen.lock().unwrap() += 1;
                run.stop.cancelled().await;
                return Ok(());
            }
            let before = events.seen.borrow().len();
            events.note("a begins".to_owned());
            match before {
                0 => Ok(()),
                1 => Err("it cannot go on".to_owned()),
                2 => panic!("the test wants a panic"),
                3 => {
                    // Well for long enough that its end is a first one.
                    tokio::time::sleep(Duration::from_secs(60)).await;
                    Ok(())
                }
                _ => std::future::pending().await,
            }
        }
    });
    let times: Vec<u128> = world.events.timed(5).await.into_iter().map(|(at, _)| at).collect();
    assert_eq!(times, [0, 1_000, 3_000, 7_000, 68_000]);
    assert_eq!(*others.lock().unwrap(), 1, "the other is left alone");
}

#[tokio::test(start_paused = true)]
async fn shutting_down_waits_for_every_run_and_for_no_delay() {
    let world = World::of(&[("a", 1), ("b", 1)]);
    let supervising = world.supervise();
    world.events.first(2).await;
    let failing = World::of(&[("c", 1)]);
    let idle = failing.supervise_with(|_| std::future::ready(Err("not today".to_owned())));
    tokio::task::yield_now().await;
    let told = Instant::now();
    world.shutdown.cancel();
    failing.shutdown.cancel();
    tokio::time::timeout(BOUND, idle).await.expect("a delay is cut short").unwrap();
    assert_eq!(told.elapsed(), Duration::ZERO);
    tokio::time::timeout(BOUND, supervising).await.expect("it ends").unwrap();
    assert_eq!(told.elapsed(), GOODBYE);
    let mut ends = world.events.first(4).await.split_off(2);
    ends.sort();
    assert_eq!(ends, ["a 1 has ended", "b 1 has ended"]);
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_nothing_keeps_up_is_run_as_it_was_last() {
    let mut world = World::of(&[("a", 1)]);
    let supervising = world.supervise();
    world.fleet = watch::Sender::new(Arc::default());
    assert_eq!(world.events.first(1).await, ["a 1 begins"]);
    tokio::time::sleep(BOUND).await;
    assert_eq!(world.shown(), ["a 1"]);
    world.shutdown.cancel();
    tokio::time::timeout(BOUND, supervising).await.expect("it ends").unwrap();
}

fn fleet(instances: &[(&str, u8)]) -> Fleet {
    let mut fleet = Fleet::default();
    for (name, incarnation) in instances {
        let instance = Instance {
            id: id(name),
            access_domain: format!("{name}.example.com").into(),
            edition: Edition::Enterprise,
            region: "north".into(),
            incarnation: Incarnation([*incarnation; 16]),
            devices_max: None,
            self_registration_available: None,
        };
        fleet.evolve(&FleetEvent::InstanceCreated(instance), Timestamp::from_unix_s(0));
    }
    fleet
}

fn id(name: &str) -> InstanceId {
    InstanceId::parse(name).unwrap()
}
