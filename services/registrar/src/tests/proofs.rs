//! Commands that no API has signed, or signed for something else, or too long ago.

use std::time::Duration;

use bytes::Bytes;
use rollcall_chassis::clock::Clock as _;
use rollcall_domain::{
    fleet::{FleetCommand, NewOperator, OperatorName, ProjectId, Role, Scope},
    ids::{DeviceId, InstanceId, LogId, RequestId},
    registry::{Command, Devices, Request, RequestBody},
    time::Timestamp,
};
use rollcall_log::{
    codec::{AnyRequest, RejectedRuling, Ruling, encode_request},
    proof::{Bound, LIFE, prove},
    requests::{RequestKind, Submitted},
    signing::SigningKey,
};

use super::world::{World, accepted, create_template, instance, log, operator, queued, rejected};
use crate::Config;

const BOUND: Duration = Duration::from_secs(60);

/// A command that would be granted, as JSON.
fn command(id: &str) -> (RequestId, Bytes) {
    let id = RequestId::parse(id).unwrap();
    let body = RequestBody::Command(create_template(id.as_str(), id.as_str()));
    let bytes = encode_request(&queued(AnyRequest::Registry(Request { id: id.clone(), actor: operator(), body })));
    (id, bytes)
}

/// What the instance's registrar says to these bytes.
async fn said(world: &World, id: &RequestId, bytes: Bytes) -> RejectedRuling {
    match world.instance.ask(RequestKind::Command, id, || bytes.clone(), BOUND).await.unwrap() {
        Ruling::Rejected(rejected) => rejected,
        Ruling::Accepted { position } => panic!("{id} is accepted at {position}"),
    }
}

#[tokio::test(start_paused = true)]
async fn f37_a_command_is_ruled_on_only_behind_a_proof_of_its_own() {
    let world = World::new(21).await;
    let _registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    let before = world.records().await.len();
    let (key, stranger) = (&world.command_key, SigningKey::generate());
    let (alpha, now) = (log(), Timestamp::from_unix_ms(world.clock.unix_ms()));
    let beta = LogId::Instance(InstanceId::parse("beta").unwrap());
    let other = RequestId::parse("other").unwrap();
    let later = |ms: i64| Timestamp::from_unix_ms(now.unix_ms() + ms);
    let life_ms = i64::try_from(LIFE.as_millis()).unwrap();

    for (id, reason) in [
        ("bare", "carries no proof"),
        ("strangers", "not among this registrar's command_keys"),
        ("of-another-log", "for another log"),
        ("of-the-fleet", "for another log"),
        ("of-another-life", "another incarnation"),
        ("of-another-request", "another request id"),
        ("altered", "another request body"),
        ("early", "from the future"),
        ("late", "older than 10 minutes"),
    ] {
        let (id, json) = command(id);
        let good = Bound { log: &alpha, incarnation: world.incarnation(&alpha), request: &id };
        let bytes = match id.as_str() {
            "bare" => json,
            "strangers" => prove(&stranger, good, &json, now),
            "of-another-log" => prove(key, Bound { log: &beta, ..good }, &json, now),
            "of-the-fleet" => prove(key, Bound { log: &LogId::Fleet, ..good }, &json, now),
            "of-another-life" => prove(key, Bound { incarnation: uuid::Uuid::from_u128(1), ..good }, &json, now),
            "of-another-request" => prove(key, Bound { request: &other, ..good }, &json, now),
            "altered" => {
                let proven = String::from_utf8(prove(key, good, &json, now).to_vec()).unwrap();
                proven.replace("alice", "malory").into()
            }
            "early" => prove(key, good, &json, later(life_ms)),
            _ => prove(key, good, &json, later(-life_ms - 1)),
        };
        let said = said(&world, &id, bytes).await;
        assert_eq!(said.code, "command_unproven", "{id}");
        assert!(said.message.contains(reason), "{id}: {}", said.message);
    }
    assert_eq!(world.records().await.len(), before, "nothing is recorded");
    assert_eq!(world.attempts().await, [], "forgeries push out no attempt");
    world.assert_all_finished().await;
}

#[tokio::test(start_paused = true)]
async fn a_proven_command_that_is_replayed_changes_nothing() {
    let world = World::new(22).await;
    let _registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    accepted(world.connect(&world.ca.device("0001")).await);
    let device = DeviceId::parse("sensor_0001").unwrap();
    let id = RequestId::parse("delete").unwrap();
    let body = RequestBody::Command(Command::DeleteDevice { device: device.clone() });
    let request = AnyRequest::Registry(Request { id: id.clone(), actor: operator(), body });
    let stolen = world.bytes(RequestKind::Command, &log(), &id, request);
    let ask = || world.instance.ask(RequestKind::Command, &id, || stolen.clone(), BOUND);
    let first = accepted(ask().await.unwrap());
    world.grant("readmit", Command::ReadmitDevice { device: device.clone() }).await;
    accepted(world.connect(&world.ca.device("0001")).await);
    let records = world.records().await.len();

    assert_eq!(accepted(ask().await.unwrap()), first, "it gets the ruling that it had");
    assert_eq!(world.records().await.len(), records);
    assert!(world.registry().await.entry(&device).is_some(), "the device is still there");
}

#[tokio::test(start_paused = true)]
async fn a_command_that_outlived_its_proof_is_ruled_on_when_it_is_asked_for_again() {
    let world = World::new(23).await;
    let registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    registrar.shutdown.cancel();
    registrar.task.await.unwrap();
    // Asked for while no registrar runs, and given up by the operator; the queue keeps it.
    let (id, body) = (RequestId::parse("late").unwrap(), RequestBody::Command(create_template("late", "late")));
    let request = AnyRequest::Registry(Request { id: id.clone(), actor: operator(), body });
    let make = || world.bytes(RequestKind::Command, &log(), &id, request.clone());
    let submitted = world.backbone.requests.submit(&log(), RequestKind::Command, &id, make()).await.unwrap();
    assert_eq!(submitted, Submitted::Queued);
    world.clock.set(world.clock.unix_ms() + i64::try_from(LIFE.as_millis()).unwrap() + 1);

    let waiting = world.instance.ask(RequestKind::Command, &id, make, BOUND);
    let later = async {
        tokio::time::sleep(Duration::from_millis(10)).await;
        world.registrar(1, world.backbone.clone())
    };
    let (ruling, _registrar) = tokio::join!(waiting, later);
    let position = accepted(ruling.unwrap());
    let again = world.instance.ask(RequestKind::Command, &id, make, BOUND).await.unwrap();
    assert_eq!(accepted(again), position, "and once only");
    world.assert_all_finished().await;
}

#[tokio::test(start_paused = true)]
async fn a_registrar_without_command_keys_takes_no_command_and_registers_devices() {
    let world = World::new(24).await;
    let furnisher = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    furnisher.shutdown.cancel();
    furnisher.task.await.unwrap();
    let _keyless = world.configured_registrar(1, world.backbone.clone(), Config::default());
    let ruling = world.command("template", create_template("mine", "mine")).await;
    let Ruling::Rejected(refused) = &ruling else { panic!("{ruling:?}") };
    assert_eq!(refused.code, "command_unproven");
    assert!(refused.message.contains("has no command key"), "{}", refused.message);
    accepted(world.connect(&world.ca.device("0001")).await);
}

#[tokio::test(start_paused = true)]
async fn f37_nobody_becomes_an_operator_without_a_proof() {
    let world = World::new(25).await;
    let _registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    let id = RequestId::parse("first-start-operator").unwrap();
    let command = FleetCommand::CreateOperator(NewOperator {
        name: OperatorName::parse("malory").unwrap(),
        role: Role::Admin,
        scope: Scope::default(),
        project: ProjectId::parse("0123456789abcdef0123456789abcdef").unwrap(),
        password_hash: None,
    });
    let forged = encode_request(&queued(AnyRequest::Fleet { id: id.clone(), actor: operator(), command: command.clone() }));
    world.backbone.requests.submit(&LogId::Fleet, RequestKind::Command, &id, forged).await.unwrap();
    // The operator who may give it comes second under the same id, and is not refused for what was forged.
    accepted(world.fleet_command("first-start-operator", command).await);
    // A proof for an instance's log is none for the fleet's.
    let delete = AnyRequest::Fleet { id: id.clone(), actor: operator(), command: FleetCommand::DeleteInstance(instance()) };
    let elsewhere = world.bytes(RequestKind::Command, &log(), &id, delete);
    let ruling = world.ask_fleet(&id, elsewhere).await;
    assert_eq!(rejected(ruling), "command_unproven");
}
