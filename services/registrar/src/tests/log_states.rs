//! A worker on a log state that misbehaves: one that panics over a request, one whose lookups meet damage.

use std::{sync::Arc, time::Duration};

use rollcall_chassis::{clock::SetClock, entropy::CountingEntropy};
use rollcall_domain::{
    fleet::{FleetCommand, FleetEvent},
    ids::{InstanceId, LogId, Position, RequestId},
    rejection::Rejection,
    time::Timestamp,
};
use rollcall_log::{
    codec::{AnyEvent, AnyRequest, RejectedRuling, Ruling, encode_request},
    proof::{Bound, prove},
    request_client::RequestClient,
    requests::RequestKind,
};
use rollcall_log::{
    seal::{self, SealKeys, SealedLog, Sealing},
    signing::SigningKey,
};
use rollcall_log_memory::{MemoryConfig, with_control};
use rollcall_projection::{
    admission::{Store, StoreConfig},
    fleet,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    pki::NOW_UNIX_S,
    world::{accepted, instance, operator, queued, rejected},
};
use crate::{
    Config, Parts,
    log_state::{Closed, Decided, LogState, Rejected, Tip},
    worker::LogWorker,
};

const BOUND: Duration = Duration::from_secs(600);

/// Grants everything, except that it panics over the request `poison` and finds nothing in its first `damaged` rounds.
struct Misbehaving {
    seen: Position,
    rounds: u32,
    damaged: u32,
}

impl LogState for Misbehaving {
    async fn catch_up(&mut self, last: Position) -> Result<(), Closed> {
        self.seen = last;
        Ok(())
    }

    fn tip(&self) -> Tip {
        Tip { position: self.seen, digest: seal::START, sealing: Sealing::Unsigned }
    }

    fn sealed_log(&self) -> &SealedLog {
        &SealedLog::FLEET
    }

    fn begin(&mut self) {
        self.rounds += 1;
    }

    fn decide(&mut self, request: &AnyRequest, now: Timestamp) -> Decided {
        let AnyRequest::Fleet { id, .. } = request else { panic!("only the fleet's requests here") };
        assert_ne!(id.as_str(), "poison", "the test wants a panic");
        if self.rounds <= self.damaged {
            let rejection = Rejection::InvalidField { field: "instance".into(), rule: "must be there".into() };
            let ruling = RejectedRuling::from(&rejection);
            return Decided::Reject(Box::new(Rejected { at: now, ruling, attribution: None, checks: Vec::new() }));
        }
        Decided::Grant(AnyEvent::Fleet(FleetEvent::InstanceDeleted(instance())))
    }

    fn apply_pending(&mut self, _: &RequestId, _: &AnyEvent, _: Timestamp, _: Position) {}

    fn is_sound(&self) -> bool {
        self.rounds > self.damaged
    }
}

/// What a worker on such a state answers to these requests, asked together.
async fn asked<const N: usize>(damaged: u32, ids: [&str; N]) -> [Ruling; N] {
    let (backbone, _) = with_control(MemoryConfig::seeded(1));
    backbone.log.open(&LogId::Fleet).await.unwrap();
    backbone.requests.open(&LogId::Fleet).await.unwrap();
    let shutdown = CancellationToken::new();
    let _stop = shutdown.clone().drop_guard();
    let request_client =
        RequestClient::start(LogId::Fleet, backbone.requests.clone(), &TaskTracker::new(), shutdown.clone());
    let folder = tempfile::tempdir().unwrap();
    let parts = Parts {
        fleet: fleet::follow(backbone.log.clone(), SealKeys::default(), 0, shutdown.clone()),
        store: Store::open(&StoreConfig {
            folder: folder.path().join("views"),
            cache_bytes_max: 8 << 20,
            directory: false,
            keys: SealKeys::default(),
            retry_seed: 0,
        })
        .unwrap(),
        backbone: backbone.clone(),
        key: Arc::new(SigningKey::generate()),
        clock: Arc::new(SetClock::at(NOW_UNIX_S * 1000)),
        entropy: Arc::new(CountingEntropy::seeded(1)),
    };
    let key = SigningKey::generate();
    let config = Config { command_keys: vec![key.public()], ..Config::default() };
    let asking = ids.map(|id| {
        let (request_client, id) = (request_client.clone(), RequestId::parse(id).unwrap());
        let command = FleetCommand::DeleteInstance(InstanceId::parse("one").unwrap());
        let request = encode_request(&queued(AnyRequest::Fleet { id: id.clone(), actor: operator(), command }));
        let bound = Bound { log: &LogId::Fleet, incarnation: uuid::Uuid::nil(), request: &id };
        let proven = prove(&key, bound, &request, Timestamp::from_unix_s(NOW_UNIX_S));
        tokio::spawn(async move { request_client.ask(RequestKind::Command, &id, || proven.clone(), BOUND).await })
    });
    // All of it waits before the worker looks.
    tokio::time::sleep(Duration::from_millis(10)).await;
    let state = Misbehaving { seen: Position::START, rounds: 0, damaged };
    let worker = tokio::spawn(LogWorker::new(LogId::Fleet, &config, &parts, Arc::default(), state).run(shutdown.clone()));
    let mut rulings = Vec::new();
    for asking in asking {
        rulings.push(asking.await.unwrap().expect("the worker answers"));
    }
    shutdown.cancel();
    worker.await.expect("the worker has not failed").expect("its state was never closed");
    rulings.try_into().expect("one for each")
}

#[tokio::test(start_paused = true)]
async fn a_request_that_panics_is_answered_and_the_others_are_ruled_on() {
    let [before, poison, after] = asked(0, ["before", "poison", "the-one-after"]).await;
    assert_eq!(rejected(poison), "malformed_request");
    accepted(before);
    accepted(after);
}

#[tokio::test(start_paused = true)]
async fn f21_what_a_damaged_view_did_not_find_is_looked_for_again() {
    let [ruling] = asked(3, ["there"]).await;
    assert_eq!(accepted(ruling), Position(1), "a refusal for what was not found is never told");
}
