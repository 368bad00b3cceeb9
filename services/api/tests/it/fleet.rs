//! The fleet: instances, connectors, health.

use std::sync::Arc;

use bytes::Bytes;
use hyper::Method;
use rollcall_api::{Config, Parts, run};
use rollcall_chassis::entropy::CountingEntropy;
use rollcall_domain::{
    fleet::{Role, Scope},
    ids::{LogId, Position},
};
use rollcall_log::{
    heartbeat::{Announcement, LogPosition, Source, shard_of},
    presence::{Beat, FleetBeat},
};
use serde_json::json;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::{
    client::Client,
    world::{World, eventually, id, within},
};

const INSTANCES: &str = "/rollcall/v1/instances";

#[tokio::test]
async fn an_instance_is_added_served_changed_and_taken_out() {
    let world = World::empty().await;
    let admin = world.admin().await;
    let wanted = json!({"id": "north", "access_domain": "North.Example", "edition": "standard", "region": "cn-north-4"});
    let made = admin.post(INSTANCES, wanted).await.ok(201);
    assert_eq!(made["access_domain"], "north.example");
    let incarnation = made["incarnation"].as_str().expect("a new instance has one").to_owned();
    assert_eq!((&made["devices_max"], &made["self_registration_available"]), (&json!(1_000_000), &json!(true)));
    let one = format!("{INSTANCES}/north");
    eventually("the instance is served", || async { admin.get(&one).await.ok(200)["status"]["caught_up"] == true }).await;
    let status = admin.get(&one).await.ok(200)["status"].clone();
    assert_eq!((&status["devices"], &status["online"], &status["connectors"]), (&json!(0), &json!(0), &json!(0)));

    let same_domain = json!({"id": "south", "access_domain": "north.example", "edition": "basic", "region": "r"});
    admin.post(INSTANCES, same_domain).await.refused(409, "IOTDA.014922");
    let wrong = json!({"id": "south", "access_domain": "south.example", "edition": "gold", "region": "r"});
    assert!(admin.post(INSTANCES, wrong).await.refused(400, "IOTDA.000006").contains("edition"));
    let change = json!({"access_domain": "n.example", "edition": "enterprise", "region": "cn-east-3"});
    let changed = admin.put(&one, change).await.ok(200);
    assert_eq!((changed["access_domain"].as_str(), changed["edition"].as_str()), (Some("n.example"), Some("enterprise")));
    let change = json!({"access_domain": "n.example", "edition": "standard", "region": "cn-east-3", "devices_max": 50});
    let changed = admin.put(&one, change).await.ok(200);
    assert_eq!((&changed["devices_max"], &changed["self_registration_available"]), (&json!(50), &json!(false)));
    assert_eq!(changed["incarnation"], json!(incarnation));
    let too_many =
        json!({"access_domain": "n.example", "edition": "standard", "region": "cn-east-3", "devices_max": 2_000_000_000});
    assert!(admin.put(&one, too_many).await.refused(400, "IOTDA.000006").contains("devices_max"));
    admin.delete(&one).await.ok(204);
    admin.get(&one).await.refused(404, "IOTDA.014907");
    assert_eq!(admin.get(INSTANCES).await.ok(200)["instances"], json!([]));
}

#[tokio::test]
async fn an_instance_made_again_under_its_id_is_served_as_another() {
    let world = World::empty().await;
    let admin = world.admin().await;
    let (wanted, one) = (
        json!({"id": "north", "access_domain": "n.example", "edition": "standard", "region": "r"}),
        format!("{INSTANCES}/north"),
    );
    let mut incarnations = Vec::new();
    for _ in 0..2 {
        let made = admin.post(INSTANCES, wanted.clone()).await.ok(201);
        incarnations.push(made["incarnation"].as_str().expect("a new instance has one").to_owned());
        eventually("it is served", || async { admin.get(&one).await.ok(200)["status"]["caught_up"] == true }).await;
        admin.delete(&one).await.ok(204);
        admin.get(&format!("{one}/connectors")).await.refused(404, "IOTDA.014907");
    }
    assert_ne!(incarnations.first(), incarnations.get(1));
}

#[tokio::test]
async fn connectors_say_how_far_behind_they_are() {
    let world = World::with_alpha().await;
    let path = format!("{INSTANCES}/alpha/connectors");
    let viewer = world.viewer().await;
    assert_eq!(viewer.get(&path).await.ok(200), json!({"connectors": []}));
    let own = world.fleet.borrow().point;
    let fleet = Some(FleetBeat { position: own.position, digest: [0; 32], age_ms: Some(40) });
    let beat = Beat { position: Position(1), sessions: 7, fleet, ..Beat::default() };
    world.backbone.presence.heartbeat(&id("alpha"), &id("edge-1"), beat).await.unwrap();
    let last = world.backbone.log.last(&LogId::Instance(id("alpha"))).await.unwrap().0;
    let shown = viewer.get(&path).await.ok(200)["connectors"][0].clone();
    assert_eq!((shown["connector"].as_str(), &shown["sessions"]), (Some("edge-1"), &json!(7)));
    assert_eq!((&shown["position"], &shown["lag"]), (&json!(1), &json!(last - 1)));
    let of_the_fleet = json!({"position": own.position.0, "digest": hex::encode([0; 32]), "age_ms": 40, "agrees": false});
    assert_eq!(shown["fleet"], of_the_fleet, "it has another digest at one position");
    assert!(shown["last_heartbeat"].as_str().unwrap().ends_with('Z'), "{shown}");
}

#[tokio::test]
async fn health_tells_operators_whether_every_instance_is_ready_and_everybody_else_whether_all_are() {
    let world = World::with_alpha().await;
    assert_eq!(world.nobody().get("/rollcall/v1/health").await.ok(200), json!({"status": "ok"}));
    world
        .nobody()
        .send(Method::GET, "/rollcall/v1/health", None, &[("x-auth-token", "guessed")])
        .await
        .refused(403, "IOTDA.000004");
    let elsewhere = Scope { instances: Some([id("beta")].into()), spaces: None };
    let elsewhere = world.client(Role::Viewer, elsewhere).await.get("/rollcall/v1/health").await.ok(200);
    assert_eq!(elsewhere["instances"], json!([]));
    let health = world.viewer().await.get("/rollcall/v1/health").await.ok(200);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        health,
        json!({"status": "ok", "version": version, "fleet": {"ready": true}, "instances": [{"id": "alpha", "ready": true}]})
    );
}

#[tokio::test]
async fn f38_a_fleet_that_differs_from_a_registrars_is_not_ready_and_the_reason_is_told() {
    let world = World::with_alpha().await;
    let admin = world.admin().await;
    let fleet = async || admin.get(INSTANCES).await.ok(200)["fleet"].clone();
    eventually("a registrar has confirmed it", || async {
        fleet().await["age_ms"].as_u64().is_some_and(|age_ms| age_ms < 3000)
    })
    .await;
    let position = world.backbone.log.last(&LogId::Fleet).await.unwrap();
    let digest = hex::encode(world.fleet.borrow().point.digest);
    let shown = fleet().await;
    assert_eq!((&shown["position"], &shown["digest"], shown.get("unready")), (&json!(position.0), &json!(digest), None));
    let source = Source { registrar: id("another"), shard: shard_of(&LogId::Fleet) };
    let logs = vec![LogPosition { log: LogId::Fleet, position, digest: [0; 32] }];
    let forked = Announcement { source, counter: u64::MAX / 2, logs };
    world.backbone.heartbeats.announce(&forked.source, forked.sign(&world.key)).await.unwrap();
    let told = not_ready(&world, &admin).await;
    assert_eq!(told["fleet"], json!({"ready": false, "reason": "diverged"}));
    assert_eq!((&told["status"], &told["instances"][0]["ready"]), (&json!("degraded"), &json!(true)));
    assert!(fleet().await["unready"].as_str().unwrap().contains(&format!("position {position}")));
}

#[tokio::test]
async fn f54_a_fleet_that_stands_before_a_record_it_cannot_read_is_not_ready_and_serves_what_it_knows() {
    let world = World::with_alpha().await;
    let admin = world.admin().await;
    let end = world.backbone.log.last(&LogId::Fleet).await.unwrap();
    world.backbone.log.append(&LogId::Fleet, end, vec![Bytes::from_static(b"{}")].into()).await.unwrap();
    let told = not_ready(&world, &admin).await;
    assert_eq!(told["fleet"], json!({"ready": false, "reason": "parked"}));
    let shown = admin.get(INSTANCES).await.ok(200);
    assert!(shown["fleet"]["unready"].as_str().unwrap().contains("cannot be read"), "{shown}");
    assert_eq!(shown["instances"][0]["id"], "alpha");
}

/// What health says once it is not ready.
async fn not_ready(world: &World, operator: &Client) -> serde_json::Value {
    let health = async || world.nobody().get("/rollcall/v1/health").await;
    eventually("it is not ready", || async { health().await.status == 503 }).await;
    assert_eq!(health().await.ok(503), json!({"status": "unavailable"}));
    operator.get("/rollcall/v1/health").await.ok(503)
}

#[tokio::test]
async fn f38_an_instance_whose_view_differs_from_a_registrars_is_not_ready_and_the_reason_is_told() {
    let world = World::with_alpha().await;
    let log = LogId::Instance(id("alpha"));
    let (admin, path) = (world.admin().await, format!("{INSTANCES}/alpha"));
    eventually("a registrar has confirmed the view", || async {
        admin.get(&path).await.ok(200)["status"]["age_ms"].as_u64().is_some_and(|age_ms| age_ms < 3000)
    })
    .await;
    let health = async || admin.get("/rollcall/v1/health").await;
    assert_eq!(health().await.ok(200)["instances"][0], json!({"id": "alpha", "ready": true}));
    let position = world.backbone.log.last(&log).await.unwrap();
    let source = Source { registrar: id("another"), shard: shard_of(&log) };
    let logs = vec![LogPosition { log: log.clone(), position, digest: [0; 32] }];
    let forked = Announcement { source, counter: u64::MAX / 2, logs };
    world.backbone.heartbeats.announce(&forked.source, forked.sign(&world.key)).await.unwrap();
    eventually("it is noticed", || async { health().await.status == 503 }).await;
    let told = health().await.ok(503);
    assert_eq!((&told["status"], &told["instances"][0]["reason"]), (&json!("degraded"), &json!("diverged")));
    let status = admin.get(&path).await.ok(200)["status"].clone();
    assert!(status["unready"].as_str().unwrap().contains(&format!("position {position}")), "{status}");
}

#[tokio::test]
async fn a_freeze_says_where_it_is_and_which_connectors_may_not_hear_of_it() {
    let (world, authority) = World::with_ca().await;
    let admin = world.admin().await;
    let own = || async { admin.get(&format!("{INSTANCES}/alpha")).await.ok(200)["status"].clone() };
    let now = own().await;
    let position = Position(now["position"].as_u64().unwrap());
    let digest = <[u8; 32]>::try_from(hex::decode(now["digest"].as_str().unwrap()).unwrap()).unwrap();
    let near = Beat { position, sessions: 0, digest: Some(digest), age_ms: Some(100), ..Beat::default() };
    let heartbeat = async |connector: &str, beat: Beat| {
        world.backbone.presence.heartbeat(&id("alpha"), &id(connector), beat).await.unwrap();
    };
    heartbeat("near", near).await;
    heartbeat("cut-off", Beat { age_ms: Some(60_000), ..near }).await;
    heartbeat("forked", Beat { digest: Some([0; 32]), ..near }).await;
    heartbeat("of-0-1", Beat { digest: None, age_ms: None, ..near }).await;
    let shown = admin.get(&format!("{INSTANCES}/alpha/connectors")).await.ok(200);
    let agrees = |name: &str| {
        let found = shown["connectors"].as_array().unwrap().iter().find(|shown| shown["connector"] == name).unwrap();
        found.get("agrees").cloned()
    };
    assert_eq!((agrees("near"), agrees("forked"), agrees("of-0-1")), (Some(json!(true)), Some(json!(false)), None));

    world.connect("alpha", &authority.device("one"), None).await;
    let frozen = admin.post("/devices/truck_one/freeze", json!({})).await;
    let header = |name: &str| frozen.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let end = world.backbone.log.last(&LogId::Instance(id("alpha"))).await.unwrap();
    assert_eq!(header("rollcall-position"), Some(end.to_string()));
    assert_eq!(header("rollcall-out-of-reach").as_deref(), Some("cut-off"));
    frozen.ok(204);
}

#[tokio::test]
async fn a_second_process_shows_no_password_and_the_same_key() {
    let world = World::empty().await;
    let folder = tempfile::TempDir::new().unwrap();
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        plain_http: true,
        master_key_file: folder.path().join("master.key"),
        command_key_file: world.command_key_file(),
        ..Config::default()
    };
    let ((bound, _address), (first_administrator, told)) = (oneshot::channel(), oneshot::channel());
    let parts = Parts {
        backbone: world.backbone.clone(),
        store: world.store.clone(),
        freshness: world.freshness.clone(),
        fleet: world.fleet.clone(),
        clock: Arc::new(world.clock.clone()),
        entropy: Arc::new(CountingEntropy::seeded(9_000_000)),
        bound,
        first_administrator,
        fleet_file_credentials: None,
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(config, parts, stop.clone()));
    let second = within(told).await.unwrap();
    assert!(second.password.is_none());
    assert_eq!(
        (second.access_key, second.project_id),
        (world.first_administrator.access_key.clone(), world.first_administrator.project_id.clone())
    );
    stop.cancel();
    within(running).await.unwrap().unwrap();
}
