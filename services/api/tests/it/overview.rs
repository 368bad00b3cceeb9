//! What a console shows first: devices by how they stand, and what has gone on minute by minute.

use rollcall_domain::registry::Command;
use serde_json::{Value, json};

use crate::{
    attempts::refused,
    client::Client,
    world::{NOW_MS, World, eventually, id},
};

const MINUTE_MS: i64 = 60_000;
const LIST: &str = "/rollcall/v1/instances/alpha/device-list";
const ACTIVITY: &str = "/rollcall/v1/instances/alpha/activity";

async fn listed(client: &Client, query: &str) -> Vec<String> {
    let devices = client.all_pages(&format!("{LIST}?{query}"), "devices", 2).await;
    devices.iter().map(|device| device["device_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn devices_are_listed_by_how_they_stand() {
    let (world, authority) = World::with_ca().await;
    for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
        world.clock.set(NOW_MS + n as i64 * MINUTE_MS);
        world.connect("alpha", &authority.device(name), None).await;
    }
    world.create_device("entered").await;
    world.command("alpha", Command::FreezeDevice { device: id("truck_a") }).await;
    let (operator, viewer) = (world.operator().await, world.viewer().await);
    let mut online = world.device("truck_b").await;
    online.arrive_known(&world, &operator).await;
    for (query, expected) in [
        ("", vec!["entered", "truck_c", "truck_b", "truck_a"]),
        ("status=FROZEN", vec!["truck_a"]),
        ("status=ONLINE", vec!["truck_b"]),
        ("status=OFFLINE", vec!["truck_c"]),
        ("status=INACTIVE", vec!["entered"]),
        ("registered_since=20260601T000100Z&registered_until=20260601T000100Z", vec!["truck_b"]),
        ("registered_until=20260601T000159Z&product_id=truck&app_id=space", vec!["truck_b", "truck_a"]),
        ("certificate_ends_until=20260601T000000Z", vec![]),
        ("certificate_ends_since=20260602T000000Z&status=OFFLINE", vec!["truck_c"]),
    ] {
        assert_eq!(listed(&viewer, query).await, expected, "{query}");
    }
    let frozen = viewer.get(&format!("{LIST}?status=FROZEN")).await.ok(200)["devices"][0].clone();
    assert_eq!((&frozen["status"], &frozen["create_time"]), (&json!("FROZEN"), &json!("20260601T000000Z")));
    assert!(frozen["certificate_end"].is_string(), "{frozen}");
    let reversed = "registered_since=20260602T000000Z&registered_until=20260601T000000Z";
    viewer.get(&format!("{LIST}?{reversed}")).await.refused(400, "IOTDA.000010");
    viewer.get(&format!("{LIST}?status=LOST")).await.refused(400, "IOTDA.000006");
    world.create_space("alpha", "other").await;
    assert_eq!(listed(&world.operator_of(&["other"]).await, "").await, [""; 0]);
}

#[tokio::test]
async fn who_was_refused_lately_is_found_by_its_certificate() {
    let (world, authority) = World::with_ca().await;
    let (one, two) = (authority.device("one"), authority.device("two"));
    for der in [&one, &two] {
        world.connect("alpha", der, None).await;
    }
    let operator = world.operator().await;
    assert_eq!(listed(&operator, "refused_since=20260101T000000Z").await, [""; 0]);
    // Another certificate for the second device's id: the registrar refuses it, and the device is the one that was meant.
    refused(&world, &authority.device("two")).await;
    assert_eq!(listed(&operator, "refused_since=20260101T000000Z").await, ["truck_two"]);
    world.clock.set(NOW_MS + MINUTE_MS);
    // Its own certificate after the CA certificate was deleted: an attempt cannot say whose it was, the view can.
    world
        .command("alpha", Command::DeleteCa { ca: id("ca"), distrust: rollcall_domain::registry::command::Distrust::No })
        .await;
    refused(&world, &one).await;
    assert_eq!(listed(&operator, "refused_since=20260101T000000Z").await, ["truck_two", "truck_one"]);
    assert_eq!(listed(&operator, "refused_since=20260601T000100Z").await, ["truck_one"]);
    assert_eq!(listed(&operator, "refused_since=20260601T000200Z").await, [""; 0]);
    let found = operator.get(&format!("{LIST}?refused_since=20260601T000100Z")).await.ok(200);
    assert_eq!(found["devices"][0]["refused_at"], "20260601T000100Z");
}

async fn minutes(client: &Client) -> Vec<Value> {
    client.get(ACTIVITY).await.ok(200)["minutes"].as_array().unwrap().clone()
}

fn minute(at: &str, registrations: u64, connects: u64, refusals: u64) -> Value {
    json!({"minute": at, "registrations": registrations, "connects": connects, "refusals": refusals})
}

#[tokio::test]
async fn registrations_connections_and_refusals_are_counted_by_the_minute_for_a_day() {
    let (world, authority) = World::with_ca().await;
    let operator = world.operator().await;
    world.connect("alpha", &authority.device("a"), None).await;
    world.clock.set(NOW_MS + MINUTE_MS);
    world.connect("alpha", &authority.device("b"), None).await;
    world.connect("alpha", &authority.device("c"), None).await;
    crate::attempts::self_registration(&world, false).await;
    refused(&world, &authority.device("d")).await;
    world.clock.set(NOW_MS + 2 * MINUTE_MS + 5);
    let mut device = world.device("truck_a").await;
    device.arrive(&world).await;
    device.arrive(&world).await;
    let expected = [
        minute("2026-06-01T00:00:00Z", 1, 0, 0),
        minute("2026-06-01T00:01:00Z", 2, 0, 1),
        minute("2026-06-01T00:02:00Z", 0, 2, 0),
    ];
    eventually("both connections are counted", || async { minutes(&operator).await.last() == expected.last() }).await;
    assert_eq!(minutes(&operator).await, expected);
    let later = operator.get(&format!("{ACTIVITY}?since=20260601T000130Z")).await.ok(200);
    assert_eq!((&later["since"], later["minutes"].as_array().map(Vec::len)), (&json!("2026-06-01T00:01:00Z"), Some(2)));
    world.clock.set(NOW_MS + 24 * 60 * MINUTE_MS + MINUTE_MS);
    assert_eq!(minutes(&operator).await, expected[1..], "a day");
    world.operator_of(&["space"]).await.get(ACTIVITY).await.refused(403, "IOTDA.000021");
}
