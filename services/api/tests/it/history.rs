//! What has happened, from the log; finding devices as one types; letting a deleted one come back.

use rollcall_domain::registry::Command;
use serde_json::{Value, json};

use crate::{
    client::Client,
    world::{World, id},
};

fn kinds(page: &Value) -> Vec<String> {
    page["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

/// Reads a history to its beginning.
async fn whole(client: &Client, path: &str, limit: usize) -> Vec<Value> {
    let (mut events, mut before) = (Vec::new(), String::new());
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = client.get(&format!("{path}{separator}limit={limit}{before}")).await.ok(200);
        events.extend(page["events"].as_array().unwrap().clone());
        let Some(next) = page.get("next") else { return events };
        before = format!("&before={next}");
    }
}

#[tokio::test]
async fn a_device_has_its_history_also_when_it_is_gone() {
    let (world, authority) = World::with_ca().await;
    let operator = world.operator().await;
    let der = authority.device("one");
    world.connect("alpha", &der, None).await;
    operator.put("/devices/truck_one", json!({"device_name": "first"})).await.ok(200);
    operator.post("/devices/truck_one/freeze", json!({})).await.ok(204);
    operator.delete("/devices/truck_one").await.ok(204);
    let path = "/rollcall/v1/instances/alpha/devices/truck_one/events";
    let page = operator.get(path).await.ok(200);
    assert_eq!(kinds(&page), ["DeviceDeleted", "DeviceFrozen", "DeviceUpdated", "DeviceRegistered"]);
    let registered = &page["events"][3];
    assert_eq!(registered["body"]["profile"]["device"], "truck_one");
    assert_eq!(registered["body"]["certificate"]["subject"], "CN=one");
    assert_eq!(registered["body"]["certificate"].get("der"), None);
    assert!(registered["actor"]["certificate"].is_string());
    assert_eq!(registered["time"], "2026-06-01T00:00:00.000Z");
    assert_eq!(page["events"][0]["actor"]["operator"].as_str().unwrap().split('-').next(), Some("operator"));
    assert_eq!(whole(&operator, path, 1).await, *page["events"].as_array().unwrap());
    operator.get("/rollcall/v1/instances/alpha/devices/nobody/events").await.refused(404, "IOTDA.014000");
    operator.get(&format!("{path}?limit=51")).await.refused(400, "IOTDA.000017");
    operator.get("/rollcall/v1/instances/beta/devices/truck_one/events").await.refused(404, "IOTDA.014907");
}

#[tokio::test]
async fn a_deleted_device_comes_back_when_it_is_readmitted() {
    let world = World::with_alpha().await;
    world.create_space("alpha", "other").await;
    world.create_product("alpha", "other", "truck").await;
    let operator = world.operator().await;
    operator.post("/devices", json!({"node_id": "n1", "product_id": "truck"})).await.ok(201);
    operator.delete("/devices/truck_n1").await.ok(204);
    let taken = json!({"node_id": "n1", "product_id": "truck", "app_id": "other"});
    operator.post("/devices", taken).await.refused(400, "IOTDA.014031");
    let readmit = "/rollcall/v1/instances/alpha/devices/truck_n1/readmit";
    let stranger = world.operator_of(&["other"]).await;
    stranger.post(readmit, json!({})).await.refused(404, "IOTDA.014000");
    world.viewer().await.post(readmit, json!({})).await.refused(403, "IOTDA.000021");
    operator.post(readmit, json!({})).await.ok(204);
    // It registers anew, in another space: who may only use that one sees nothing of before.
    let elsewhere = json!({"node_id": "n1", "product_id": "truck", "app_id": "other"});
    operator.post("/devices", elsewhere).await.ok(201);
    operator.post(readmit, json!({})).await.ok(204);
    let path = "/rollcall/v1/instances/alpha/devices/truck_n1/events";
    let all = operator.get(path).await.ok(200);
    assert_eq!(kinds(&all), ["DevicePreRegistered", "DeviceReadmitted", "DeviceDeleted", "DevicePreRegistered"]);
    assert_eq!(kinds(&stranger.get(path).await.ok(200)), ["DevicePreRegistered"]);
    world.operator_of(&["space"]).await.get(path).await.refused(404, "IOTDA.014000");
    operator.delete("/devices/truck_n1").await.ok(204);
    stranger.post(readmit, json!({})).await.ok(204);
    operator.post("/rollcall/v1/instances/alpha/devices/nobody/readmit", json!({})).await.refused(404, "IOTDA.014000");
}

#[tokio::test]
async fn an_instance_tells_all_that_has_happened() {
    let (world, _) = World::with_ca().await;
    let operator = world.operator().await;
    for n in 0..30 {
        operator.post("/devices", json!({"node_id": format!("n{n}"), "product_id": "truck"})).await.ok(201);
    }
    world.command("alpha", Command::RenameSpace { space: id("space"), name: "Another".into() }).await;
    let path = "/rollcall/v1/instances/alpha/events";
    let all = whole(&operator, path, 7).await;
    let positions: Vec<u64> = all.iter().map(|event| event["position"].as_u64().unwrap()).collect();
    assert_eq!(positions, (1..=positions.len() as u64).rev().collect::<Vec<_>>());
    let kinds: Vec<&str> = all.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], kinds.last()), ("SpaceRenamed", Some(&"SpaceCreated")));
    assert!(!serde_json::to_string(&all).unwrap().contains("\"der\""));
    let uploaded = whole(&operator, &format!("{path}?type=CaUploaded"), 1).await;
    assert_eq!((uploaded.len(), &uploaded[0]["body"]["certificate"]["subject"]), (1, &json!("CN=Device CA")));
    assert_eq!(whole(&operator, &format!("{path}?type=DevicePreRegistered"), 4).await.len(), 30);
    assert!(whole(&operator, &format!("{path}?type=Nothing"), 4).await.is_empty());
    world.operator_of(&["space"]).await.get(path).await.refused(403, "IOTDA.000021");
}

#[tokio::test]
async fn devices_are_found_as_one_types() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    for (node, name) in [("a2", "Zebra"), ("a1", "Zeppelin"), ("b1", "Aal"), ("a3", "Zebra")] {
        let device = json!({"node_id": node, "product_id": "truck", "device_name": name});
        operator.post("/devices", device).await.ok(201);
    }
    let found = async |query: &str| {
        let (mut nodes, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/rollcall/v1/instances/alpha/devices?limit=1&{query}{cursor}");
            let page = operator.get(&path).await.ok(200);
            let devices = page["devices"].as_array().unwrap();
            nodes.extend(devices.iter().map(|device| device["node_id"].as_str().unwrap().to_owned()));
            let Some(next) = page.get("cursor") else { return nodes };
            cursor = format!("&cursor={}", next.as_str().unwrap());
        }
    };
    assert_eq!(found("").await, ["a1", "a2", "a3", "b1"]);
    assert_eq!(found("prefix=truck_a").await, ["a1", "a2", "a3"]);
    assert_eq!(found("prefix=a&by=node_id").await, ["a1", "a2", "a3"]);
    let zebras = found("prefix=Zeb&by=name").await;
    assert_eq!((zebras.len(), zebras.contains(&"a1".to_owned())), (2, false));
    assert!(found("prefix=nothing").await.is_empty());
    operator.get("/rollcall/v1/instances/alpha/devices?by=colour").await.refused(400, "IOTDA.000006");
    operator.get("/rollcall/v1/instances/alpha/devices?cursor=zz").await.refused(400, "IOTDA.000018");
}
