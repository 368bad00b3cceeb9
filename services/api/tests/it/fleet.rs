//! The fleet: instances, connectors, health.

use std::sync::Arc;

use rollcall_api::{Config, Parts, run};
use rollcall_backbone::presence::Beat;
use rollcall_chassis::entropy::CountingEntropy;
use rollcall_domain::ids::{LogId, Position};
use serde_json::json;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::world::{World, eventually, id, within};

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
    assert_eq!(admin.get(INSTANCES).await.ok(200), json!({"instances": []}));
}

#[tokio::test]
async fn connectors_say_how_far_behind_they_are() {
    let world = World::with_alpha().await;
    let path = format!("{INSTANCES}/alpha/connectors");
    let viewer = world.viewer().await;
    assert_eq!(viewer.get(&path).await.ok(200), json!({"connectors": []}));
    let beat = Beat { position: Position(1), sessions: 7 };
    world.backbone.presence.heartbeat(&id("alpha"), &id("edge-1"), beat).await.unwrap();
    let last = world.backbone.log.last(&LogId::Instance(id("alpha"))).await.unwrap().0;
    let shown = viewer.get(&path).await.ok(200)["connectors"][0].clone();
    assert_eq!((shown["connector"].as_str(), &shown["sessions"]), (Some("edge-1"), &json!(7)));
    assert_eq!((&shown["position"], &shown["lag"]), (&json!(1), &json!(last - 1)));
    assert!(shown["last_heartbeat"].as_str().unwrap().ends_with('Z'), "{shown}");
}

#[tokio::test]
async fn health_tells_whether_every_instance_is_ready_and_nothing_else() {
    let world = World::with_alpha().await;
    let health = world.nobody().get("/rollcall/v1/health").await.ok(200);
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(health, json!({"status": "ok", "version": version, "instances": [{"id": "alpha", "ready": true}]}));
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
    let ((bound, _address), (welcome, welcomed)) = (oneshot::channel(), oneshot::channel());
    let parts = Parts {
        backbone: world.backbone.clone(),
        store: world.store.clone(),
        fleet: world.fleet.clone(),
        clock: Arc::new(world.clock.clone()),
        entropy: Arc::new(CountingEntropy::seeded(9_000_000)),
        bound,
        welcome,
        applier: None,
    };
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(config, parts, stop.clone()));
    let second = within(welcomed).await.unwrap();
    assert!(second.password.is_none());
    assert_eq!((second.access_key, second.project_id), (world.welcome.access_key.clone(), world.welcome.project_id.clone()));
    stop.cancel();
    within(running).await.unwrap().unwrap();
}
