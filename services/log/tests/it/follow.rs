//! Readers of a log that others write into, that was restored, and that holds what nobody can read.

use std::sync::Arc;

use rollcall_domain::{
    fleet::FleetEvent,
    ids::{InstanceId, LogId, Position, RequestId},
    registry::Actor,
    time::Timestamp,
};
use rollcall_log::{
    Backbone,
    codec::{AnyEvent, LogEvent, Record, encode_record},
    follow::{LogFollower, Step, Stop},
    log::{Batch, NewRecord},
    seal::{Digest, Point, START, SealKeys, SealedLog, seal},
    signing::SigningKey,
};
use rollcall_log_memory::{MemoryConfig, new};

/// A fleet's log, its registrar's key, and the digest of what was appended.
struct World {
    backbone: Backbone,
    key: Arc<SigningKey>,
    digest: Digest,
}

impl World {
    async fn new(key: &Arc<SigningKey>) -> Self {
        let backbone = new(MemoryConfig::seeded(1));
        backbone.log.open(&LogId::Fleet).await.unwrap();
        Self { backbone, key: Arc::clone(key), digest: START }
    }

    async fn end(&self) -> Position {
        self.backbone.log.last(&LogId::Fleet).await.unwrap()
    }

    /// A sealed batch of these records.
    async fn seal(&mut self, records: Vec<NewRecord>) -> Position {
        let end = self.end().await;
        let made = seal(&self.key, &SealedLog::FLEET, (end, self.digest), &records);
        self.digest = made.after;
        self.backbone.log.append(&LogId::Fleet, end, Batch { seal: Some(made), records }).await.unwrap()
    }

    async fn good(&mut self, names: &[&str]) -> Position {
        self.seal(names.iter().map(|name| deleted(name).into()).collect()).await
    }

    async fn foreign(&self) -> Position {
        let end = self.end().await;
        self.backbone.log.append(&LogId::Fleet, end, vec![deleted("forged")].into()).await.unwrap()
    }

    fn keys(&self) -> SealKeys {
        [self.key.public()].into_iter().collect()
    }

    fn follower(&self, from: Point) -> LogFollower {
        LogFollower::new(Arc::clone(&self.backbone.log), SealedLog::FLEET, self.keys(), from)
    }

    fn start(&self) -> Point {
        Point::start(&SealedLog::FLEET, &self.keys())
    }
}

fn record(event: AnyEvent) -> bytes::Bytes {
    encode_record(&Record {
        id: uuid::Uuid::nil(),
        log: LogId::Fleet,
        time: Timestamp::from_unix_s(1_780_272_000),
        cause: RequestId::parse("request").unwrap(),
        actor: Actor::Operator("olga".into()),
        traceparent: None,
        event,
    })
}

fn deleted(name: &str) -> bytes::Bytes {
    record(AnyEvent::Fleet(FleetEvent::InstanceDeleted(InstanceId::parse(name).unwrap())))
}

/// What a follower that begins at `point` says until it has caught up or is parked: names of what was deleted, foreign positions, where it is parked.
async fn told(follower: &mut LogFollower, mut point: Point) -> Result<(Vec<String>, Vec<u64>, Option<u64>, Point), Stop> {
    let (mut names, mut foreign) = (Vec::new(), Vec::new());
    loop {
        for step in follower.next().await? {
            match step {
                Step::Batch(batch) => {
                    for read in batch.records {
                        if let AnyEvent::Fleet(FleetEvent::InstanceDeleted(id)) = &read.record.event {
                            names.push(id.to_string());
                        }
                    }
                    point = batch.after;
                }
                Step::Foreign { position, after, .. } => {
                    foreign.push(position.0);
                    point = after;
                }
                Step::CaughtUp(_) => return Ok((names, foreign, None, point)),
                Step::Parked { at, .. } => return Ok((names, foreign, Some(at.0), point)),
                Step::Interrupted { .. } => {}
            }
        }
    }
}

#[tokio::test]
async fn a_reader_goes_on_from_where_it_was_and_steps_over_what_is_not_ours() {
    let key = Arc::new(SigningKey::generate());
    let mut world = World::new(&key).await;
    world.good(&["a", "b"]).await;
    world.foreign().await;
    let (names, foreign, parked, point) = told(&mut world.follower(world.start()), world.start()).await.unwrap();
    assert_eq!((names, foreign, parked), (vec!["a".to_owned(), "b".to_owned()], vec![3], None));
    assert_eq!((point.position, point.digest), (Position(3), world.digest));
    world.foreign().await;
    world.good(&["c"]).await;
    let (names, foreign, ..) = told(&mut world.follower(point), point).await.unwrap();
    assert_eq!((names, foreign), (vec!["c".to_owned()], vec![4]), "nothing twice, nothing left out");
}

#[tokio::test]
async fn f38_a_log_that_is_not_the_one_that_was_read_is_noticed_before_anything_of_it_is_used() {
    let key = Arc::new(SigningKey::generate());
    let mut world = World::new(&key).await;
    world.good(&["a"]).await;
    world.good(&["b", "c"]).await;
    let (.., point) = told(&mut world.follower(world.start()), world.start()).await.unwrap();
    // Restored from a backup and gone on with, by the same registrar: as long, longer, shorter.
    for others in [&[&["x", "y"][..]][..], &[&["x", "y"], &["z"]], &[]] {
        let mut restored = World::new(&key).await;
        restored.good(&["a"]).await;
        for batch in others {
            restored.good(batch).await;
        }
        let stop = told(&mut restored.follower(point), point).await.unwrap_err();
        assert!(matches!(stop, Stop::Diverged { position: Position(3), .. }), "{stop}");
    }
    // The same batch, but with one of ours where there was none of ours.
    let mut forked = World::new(&key).await;
    forked.good(&["a"]).await;
    forked.good(&["b", "c"]).await;
    forked.good(&["d"]).await;
    let beyond = Point { position: Position(4), ..point };
    assert!(matches!(told(&mut forked.follower(beyond), beyond).await, Err(Stop::Diverged { .. })));
    assert_eq!(told(&mut forked.follower(point), point).await.unwrap().0, ["d"]);
}

#[tokio::test]
async fn a_reader_that_is_parked_goes_on_once_an_operator_has_the_record_passed_over() {
    let key = Arc::new(SigningKey::generate());
    let mut world = World::new(&key).await;
    world.good(&["a"]).await;
    let unreadable = NewRecord::from(bytes::Bytes::from_static(b"{\"of\": \"a later version\"}"));
    world.seal(vec![deleted("b").into(), unreadable, deleted("c").into()]).await;
    world.good(&["d"]).await;
    let mut follower = world.follower(world.start());
    let (names, _, parked, point) = told(&mut follower, world.start()).await.unwrap();
    assert_eq!(
        (names, parked, point.position),
        (vec!["a".to_owned()], Some(3), Position(1)),
        "a batch is folded whole or not"
    );
    // Somebody else's word on it lets nobody on.
    let skipped = |at| record(AnyEvent::Log(LogEvent::RecordSkipped { position: Position(at) }));
    let end = world.end().await;
    world.backbone.log.append(&LogId::Fleet, end, vec![skipped(3)].into()).await.unwrap();
    world.seal(vec![skipped(2).into()]).await;
    world.seal(vec![skipped(3).into()]).await;
    let (names, foreign, parked, point) = told(&mut follower, point).await.unwrap();
    assert_eq!(names, ["b", "c", "d"]);
    assert_eq!((foreign, parked), (vec![6], None));
    assert_eq!((point.position, point.digest), (world.end().await, world.digest));
    // So does everybody who reads it from the start.
    let (names, _, parked, _) = told(&mut world.follower(world.start()), world.start()).await.unwrap();
    assert_eq!((names, parked), (vec!["a".to_owned()], Some(3)), "first it is found out");
}
