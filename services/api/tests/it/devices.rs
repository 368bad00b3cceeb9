//! Devices: entered, shown, changed, frozen, deleted; and what is said to who asks for what cannot be.

use std::sync::Arc;

use rollcall_chassis::clock::Clock as _;
use rollcall_domain::{ids::LogId, time::Timestamp};
use rollcall_log::presence::{Beat, PresenceChange, Session};
use serde_json::{Value, json};

use crate::{
    client::Client,
    world::{NOW_MS, PATIENCE, World, eventually, id},
};

#[tokio::test]
async fn a_device_is_added_and_read_back() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let wanted = json!({
        "node_id": "n1", "product_id": "truck", "device_name": "Lkw 卡车", "description": "blue, new",
        "auth_info": {"auth_type": "CERTIFICATES", "fingerprint": "AB".repeat(20), "secure_access": true, "timeout": 0},
        "extension_info": {"depot": {"gate": 7}}, "gateway_id": "truck_n1", "of_no_use_here": [1],
    });
    let added = operator.post("/devices", wanted).await.ok(201);
    let expected = json!({
        "app_id": "space", "app_name": "space", "device_id": "truck_n1", "node_id": "n1", "gateway_id": "truck_n1",
        "device_name": "Lkw 卡车", "node_type": "GATEWAY", "description": "blue, new", "product_id": "truck",
        "product_name": "truck", "status": "INACTIVE", "tags": [], "create_time": "20260601T000000Z", "modules": [],
        "auth_info": {"auth_type": "CERTIFICATES", "fingerprint": "ab".repeat(20), "secure_access": true, "timeout": 0},
        "extension_info": {"depot": {"gate": 7}}, "origin": {"registered_by": "operator"},
    });
    assert_eq!(added, expected);
    assert_eq!(operator.get("/devices/truck_n1").await.ok(200), expected);
    let listed = operator.get("/devices").await.ok(200);
    let mut summary = expected;
    for alone in ["create_time", "modules", "auth_info", "extension_info", "origin"] {
        summary.as_object_mut().unwrap().remove(alone);
    }
    assert_eq!(listed["devices"], json!([summary]));
}

#[tokio::test]
async fn a_device_has_a_secret_unless_it_says_otherwise_and_nobody_hears_it() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let wanted = json!({"node_id": "n1", "product_id": "truck", "auth_info": {"secret": "s3cr3t_s3cr3t"}});
    let added = operator.post("/devices", wanted).await.ok(201);
    assert_eq!(added["auth_info"], json!({"auth_type": "SECRET", "secure_access": true, "timeout": 0}));
    let log = world.backbone.log.read(&LogId::Instance(id("alpha")), id_position(0), 100).await;
    for entry in log.unwrap() {
        assert!(!String::from_utf8_lossy(&entry.record).contains("s3cr3t"), "the log must not hold a secret");
    }
    let refused = json!({"node_id": "n2", "product_id": "truck", "auth_info": {"secret": "s3cr3t!"}});
    let text = operator.post("/devices", refused).await.refused(400, "IOTDA.000006");
    assert!(text.contains("auth_info.secret") && !text.contains("s3cr3t"), "{text}");
    let reset = operator.post("/devices/truck_n1/reset-fingerprint", json!({"fingerprint": "ab".repeat(32)})).await;
    reset.refused(400, "IOTDA.014934");
}

fn id_position(n: u64) -> rollcall_domain::ids::Position {
    rollcall_domain::ids::Position(n)
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_its_code() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let device = |change: Value| {
        let mut device = json!({"node_id": "n1", "product_id": "truck"});
        device.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        device
    };
    let cases = [
        (device(json!({"node_id": "n 1"})), 400, "IOTDA.000006", "node_id"),
        (device(json!({"node_id": 1})), 400, "IOTDA.000006", "node_id"),
        (device(json!({"device_id": "x".repeat(129)})), 400, "IOTDA.000006", "device_id"),
        (device(json!({"device_name": "<b>"})), 400, "IOTDA.000006", "device_name"),
        (device(json!({"extension_info": {"x": "x".repeat(1025)}})), 400, "IOTDA.000006", "extension_info"),
        (device(json!({"extension_info": "text"})), 400, "IOTDA.000006", "extension_info"),
        (device(json!({"auth_info": {"auth_type": "TOKEN"}})), 400, "IOTDA.000006", "auth_info.auth_type"),
        (device(json!({"auth_info": {"fingerprint": "ab".repeat(20)}})), 400, "IOTDA.000006", "auth_info.fingerprint"),
        (device(json!({"auth_info": {"secure_access": false}})), 400, "IOTDA.014914", "secure_access"),
        (device(json!({"auth_info": {"timeout": 60}})), 400, "IOTDA.014914", "timeout"),
        (device(json!({"gateway_id": "another"})), 400, "IOTDA.014914", "gateway_id"),
        (device(json!({"shadow": [{"service_id": "", "desired": {}}]})), 400, "IOTDA.000006", "shadow[0].service_id"),
        (device(json!({"product_id": "ship"})), 404, "IOTDA.014901", "ship"),
        (device(json!({"app_id": "nowhere"})), 403, "IOTDA.001000", "nowhere"),
        (json!({"product_id": "truck"}), 400, "IOTDA.000006", "node_id"),
    ];
    for (wanted, status, code, named) in cases {
        let text = operator.post("/devices", wanted.clone()).await.refused(status, code);
        assert!(text.contains(named), "{wanted}: {text}");
    }
    for path in ["/devices/nobody", "/devices/no%20body"] {
        operator.get(path).await.refused(404, "IOTDA.014000");
        operator.put(path, json!({})).await.refused(404, "IOTDA.014000");
        operator.delete(path).await.refused(404, "IOTDA.014000");
        operator.post(&format!("{path}/freeze"), json!({})).await.refused(404, "IOTDA.014000");
    }
    assert_eq!(operator.get("/devices").await.ok(200)["page"]["count"], 0);
}

#[tokio::test]
async fn an_id_is_taken_once_and_a_repeated_request_is_the_same_device() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let wanted = || json!({"node_id": "n1", "product_id": "truck", "auth_info": {"auth_type": "CERTIFICATES"}});
    let first = operator.post_once("key-1", "/devices", wanted()).await.ok(201);
    assert_eq!(operator.post_once("key-1", "/devices", wanted()).await.ok(201), first);
    operator.post("/devices", wanted()).await.refused(400, "IOTDA.014031");
    let another = json!({"node_id": "other", "product_id": "truck", "device_id": "truck_n1"});
    operator.post_once("key-2", "/devices", another).await.refused(400, "IOTDA.014031");
    assert_eq!(operator.get("/devices").await.ok(200)["page"]["count"], 1);
    // Deleted, it comes back when it is added again, as with the service.
    operator.delete("/devices/truck_n1").await.ok(204);
    operator.get("/devices/truck_n1").await.refused(404, "IOTDA.014000");
    operator.post("/devices", wanted()).await.ok(201);
    assert_eq!(operator.get("/devices").await.ok(200)["page"]["count"], 1);
}

#[tokio::test]
async fn a_product_is_looked_for_in_the_default_space_first() {
    let world = World::with_alpha().await;
    for space in ["second", "third"] {
        world.clock.set(world.clock.unix_ms() + 1000);
        world.create_space("alpha", space).await;
        world.create_product("alpha", space, "truck").await;
        world.create_product("alpha", space, "ship").await;
    }
    let operator = world.operator().await;
    let space_of = async |body: Value| operator.post("/devices", body).await.ok(201)["app_id"].clone();
    assert_eq!(space_of(json!({"node_id": "n1", "product_id": "truck"})).await, "space");
    assert_eq!(space_of(json!({"node_id": "n2", "product_id": "truck", "app_id": "third"})).await, "third");
    assert_eq!(space_of(json!({"node_id": "n3", "product_id": "ship"})).await, "second", "the oldest");
    operator
        .post("/devices", json!({"node_id": "n4", "product_id": "ship", "app_id": "space"}))
        .await
        .refused(404, "IOTDA.014901");
    let limited = world.operator_of(&["third"]).await;
    let made = limited.post("/devices", json!({"node_id": "n5", "product_id": "truck"})).await.ok(201);
    assert_eq!(made["app_id"], "third", "the only one that they may use");
}

#[tokio::test]
async fn an_update_leaves_what_it_does_not_name() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let device = json!({"node_id": "n1", "product_id": "truck", "device_name": "old", "description": "kept"});
    operator.post("/devices", device).await.ok(201);
    let change = json!({"device_name": "new", "extension_info": {"a": 1}, "auth_info": {"secure_access": true}});
    let updated = operator.put("/devices/truck_n1", change).await.ok(200);
    assert_eq!((&updated["device_name"], &updated["description"]), (&json!("new"), &json!("kept")));
    assert_eq!(updated["extension_info"], json!({"a": 1}));
    assert_eq!(operator.put("/devices/truck_n1", json!({})).await.ok(200), updated);
    let emptied = operator.put("/devices/truck_n1", json!({"device_name": "", "description": null})).await.ok(200);
    assert_eq!((emptied.get("device_name"), &emptied["description"]), (None, &json!("kept")));
    operator.put("/devices/truck_n1", json!({"auth_info": {"timeout": 1}})).await.refused(400, "IOTDA.014914");
    assert_eq!(operator.get("/devices/truck_n1").await.ok(200), emptied);
}

#[tokio::test]
async fn freezing_and_fingerprints_can_be_changed_and_changed_back() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let certificates = json!({"auth_type": "CERTIFICATES", "fingerprint": "ab".repeat(32)});
    operator.post("/devices", json!({"node_id": "n1", "product_id": "truck", "auth_info": certificates})).await.ok(201);
    let field = async |field: &str| operator.get("/devices/truck_n1").await.ok(200)[field].clone();
    for _ in 0..2 {
        operator.post("/devices/truck_n1/freeze", Value::Null).await.ok(204);
        assert_eq!(field("status").await, "FROZEN");
    }
    operator.post("/devices/truck_n1/unfreeze", Value::Null).await.ok(204);
    assert_eq!(field("status").await, "INACTIVE");

    let path = "/devices/truck_n1/reset-fingerprint";
    let spare = json!({"fingerprint": "CD".repeat(20), "fingerprint_type": "SECONDARY", "force_disconnect": true});
    let expected = json!({"device_id": "truck_n1", "fingerprint": "cd".repeat(20), "fingerprint_type": "SECONDARY"});
    assert_eq!(operator.post(path, spare).await.ok(200), expected);
    let both = json!({
        "auth_type": "CERTIFICATES", "fingerprint": "ab".repeat(32), "secondary_fingerprint": "cd".repeat(20),
        "secure_access": true, "timeout": 0,
    });
    assert_eq!(field("auth_info").await, both);
    let cleared = json!({"device_id": "truck_n1", "fingerprint_type": "PRIMARY"});
    assert_eq!(operator.post(path, json!({})).await.ok(200), cleared);
    assert_eq!(field("auth_info").await.get("fingerprint"), None);
    for wrong in [json!({"fingerprint": "ab"}), json!({"fingerprint": "ab:".repeat(20)}), json!({"force_disconnect": 1})] {
        operator.post(path, wrong).await.refused(400, "IOTDA.000006");
    }
    let held = json!({"auth_type": "CERTIFICATES", "fingerprint": "cd".repeat(20)});
    let held = json!({"node_id": "n2", "product_id": "truck", "auth_info": held});
    operator.post("/devices", held).await.refused(409, "IOTDA.014933");
}

#[tokio::test]
async fn a_device_is_online_while_a_session_of_it_is() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let certificates = json!({"auth_type": "CERTIFICATES"});
    operator.post("/devices", json!({"node_id": "n1", "product_id": "truck", "auth_info": certificates})).await.ok(201);
    let (device, session) = (id("truck_n1"), Session { connector: id("c1"), number: 1 });
    let presence = Arc::clone(&world.backbone.presence);
    let at = |ms| Timestamp::from_unix_ms(NOW_MS + ms);
    presence.heartbeat(&id("alpha"), &id("c1"), Beat::default()).await.unwrap();
    let online = PresenceChange::Online { device, session: session.clone(), at: at(1) };
    presence.announce(&id("alpha"), online).await.unwrap();
    let status = async || operator.get("/devices/truck_n1").await.ok(200)["status"].clone();
    eventually("online", async || status().await == "ONLINE").await;
    let offline = PresenceChange::Offline { device: id("truck_n1"), session, at: at(2345) };
    presence.announce(&id("alpha"), offline).await.unwrap();
    eventually("offline", async || status().await == "OFFLINE").await;
    eventually("remembered", async || {
        let shown = operator.get("/devices/truck_n1").await.ok(200);
        shown["active_time"] == "2026-06-01T00:00:00.001Z"
            && shown["connection_status_update_time"] == "2026-06-01T00:00:02.345Z"
    })
    .await;
}

#[tokio::test]
async fn what_a_scope_leaves_out_is_not_there_and_cannot_be_touched() {
    let world = World::with_alpha().await;
    world.create_space("alpha", "other").await;
    world.create_product("alpha", "other", "truck").await;
    let (all, limited) = (world.operator().await, world.operator_of(&["other"]).await);
    all.post("/devices", json!({"node_id": "n1", "product_id": "truck"})).await.ok(201);
    all.post("/devices", json!({"node_id": "n2", "product_id": "truck", "app_id": "other"})).await.ok(201);
    limited.get("/devices/truck_n2").await.ok(200);
    limited.get("/devices/truck_n1").await.refused(404, "IOTDA.014000");
    limited.put("/devices/truck_n1", json!({"device_name": "mine"})).await.refused(404, "IOTDA.014000");
    limited.delete("/devices/truck_n1").await.refused(404, "IOTDA.014000");
    for action in ["freeze", "unfreeze", "reset-fingerprint"] {
        limited.post(&format!("/devices/truck_n1/{action}"), json!({})).await.refused(404, "IOTDA.014000");
    }
    let theirs = json!({"node_id": "n3", "product_id": "truck", "app_id": "space"});
    limited.post("/devices", theirs).await.refused(403, "IOTDA.001000");
    limited.post("/devices", json!({"node_id": "n3", "product_id": "truck"})).await.ok(201);
    let viewer = world.viewer().await;
    viewer.get("/devices/truck_n1").await.ok(200);
    viewer.delete("/devices/truck_n1").await.refused(403, "IOTDA.000021");
}

#[tokio::test]
async fn a_device_says_by_which_ca_and_template_it_came() {
    let (world, authority) = World::with_ca().await;
    let operator = world.operator().await;
    world.connect("alpha", &authority.device("one"), None).await;
    let origin = async |device: &str| operator.get(&format!("/devices/{device}")).await.ok(200)["origin"].clone();
    let by_itself = json!({
        "registered_by": "self_registration", "certificate_id": "ca", "template_id": "template", "template_version": 1,
    });
    assert_eq!(origin("truck_one").await, by_itself);
    let entered = json!({"node_id": "two", "product_id": "truck", "auth_info": {"auth_type": "CERTIFICATES"}});
    let entered = operator.post("/devices", entered).await.ok(201);
    assert_eq!(entered["origin"], json!({"registered_by": "operator"}), "no certificate has been proven");
    world.connect("alpha", &authority.device("two"), None).await;
    assert_eq!(origin("truck_two").await, json!({"registered_by": "operator", "certificate_id": "ca"}));
}

#[tokio::test]
async fn a_change_under_way_is_answered_before_an_api_stops() {
    let world = World::with_alpha().await;
    let (address, stop) = world.second_api().await;
    let operator = Client { address, ..world.operator().await };
    eventually("it is served", || async { operator.get("/devices").await.status == 200 }).await;
    world.hold();
    let stopping = async {
        let (queue, log) = (&world.backbone.requests, LogId::Instance(id("alpha")));
        let waiting = queue.take(&log, 1, PATIENCE).await.unwrap();
        // It is submitted again, to the next registrar.
        queue.finish(&log, waiting.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
        stop.cancel();
        world.resume();
    };
    let (changed, ()) = tokio::join!(operator.post("/devices", json!({"node_id": "n1", "product_id": "truck"})), stopping);
    changed.ok(201);
}

#[tokio::test]
async fn without_a_registrar_nothing_is_half_done() {
    let world = World::with_limits(|limits| limits.change_ms_max = 300).await;
    world.create_instance("alpha").await;
    world.create_space("alpha", "space").await;
    world.create_product("alpha", "space", "truck").await;
    let operator = world.operator().await;
    world.hold();
    let wanted = || json!({"node_id": "n1", "product_id": "truck"});
    operator.post_once("again", "/devices", wanted()).await.refused(503, "IOTDA.014950");
    operator.get("/devices/truck_n1").await.refused(404, "IOTDA.014000");
    world.resume();
    eventually("granted once", async || operator.post_once("again", "/devices", wanted()).await.status == 201).await;
    assert_eq!(operator.get("/devices").await.ok(200)["page"]["count"], 1);
}
