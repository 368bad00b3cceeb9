//! What devices have sent, as callers see it: newest first, and live.

use bytes::Bytes;
use rollcall_domain::{
    fleet::{FleetCommand, Role, Scope},
    ids::SpaceId,
};
use rollcall_log::messages::{DeviceMessage, Lane, MessageProperties};
use serde_json::{Value, json};

use crate::{
    client::{Client, Events},
    world::{NOW_MS, World, eventually, id},
};

const OF_INSTANCE: &str = "/rollcall/v1/instances/alpha/uplinks";
const OF_DEVICE: &str = "/rollcall/v1/instances/alpha/devices/t1/uplinks";

fn uplink(space: &str, device: &str, payload: impl Into<Bytes>) -> DeviceMessage {
    DeviceMessage {
        lane: Lane::Uplink,
        space: id(space),
        device: id(device),
        topic: format!("$oc/devices/{device}/sys/messages/up"),
        payload: payload.into(),
        qos: 1,
        properties: MessageProperties::default(),
    }
}

async fn publish(world: &World, message: DeviceMessage) {
    world.backbone.messages.publish(&id("alpha"), message).await.unwrap();
}

/// An instance with a device, and another resource space.
async fn with_device() -> (World, Client) {
    let world = World::with_alpha().await;
    world.create_device("t1").await;
    world.create_space("alpha", "other").await;
    let viewer = world.viewer().await;
    (world, viewer)
}

fn payloads(page: &Value) -> Vec<Value> {
    page["uplinks"].as_array().unwrap().iter().map(|uplink| uplink["payload"].clone()).collect()
}

#[tokio::test]
async fn what_a_device_has_sent_is_shown_as_it_was_sent() {
    let (world, viewer) = with_device().await;
    let mut full = uplink("space", "t1", Bytes::from_static(&[0xff, 0]));
    full.qos = 0;
    full.properties = MessageProperties {
        payload_format: Some(0),
        expiry_s: Some(60),
        content_type: Some("application/x".to_owned()),
        response_topic: Some("back".to_owned()),
        correlation_data: Some(Bytes::from_static(b"c")),
        user: vec![("k".to_owned(), "1".to_owned()), ("k".to_owned(), "2".to_owned())],
    };
    publish(&world, uplink("space", "t1", r#"{"t": 21.5}"#)).await;
    publish(&world, uplink("space", "t1", "as a text")).await;
    publish(&world, full).await;
    let page = viewer.get(OF_DEVICE).await.ok(200);
    let shown = page["uplinks"].as_array().unwrap();
    let common = |marker: &Value| {
        json!({
            "marker": marker, "time": "2026-06-01T00:00:00.000Z", "device_id": "t1", "app_id": "space",
            "topic": "$oc/devices/t1/sys/messages/up",
        })
    };
    let more = [
        json!({"qos": 0, "payload_encoding": "base64", "payload": "/wA=", "properties": {
            "payload_format_indicator": 0, "message_expiry_interval": 60, "content_type": "application/x",
            "response_topic": "back", "correlation_data": "Yw==",
            "user_properties": [{"name": "k", "value": "1"}, {"name": "k", "value": "2"}],
        }}),
        json!({"qos": 1, "payload_encoding": "text", "payload": "as a text"}),
        json!({"qos": 1, "payload_encoding": "json", "payload": {"t": 21.5}}),
    ];
    assert_eq!(shown.len(), more.len());
    for (shown, more) in shown.iter().zip(more) {
        let mut expected = common(&shown["marker"]);
        expected.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(*shown, expected);
    }
    assert_eq!(page.get("marker"), None, "it is the only page");
}

#[tokio::test]
async fn pages_lead_from_the_newest_to_the_oldest() {
    let (world, viewer) = with_device().await;
    for number in 0..7 {
        publish(&world, uplink("space", "t1", number.to_string())).await;
        publish(&world, uplink("space", "t2", "of another device")).await;
    }
    let (mut seen, mut marker) = (Vec::new(), String::new());
    loop {
        let page = viewer.get(&format!("{OF_DEVICE}?limit=3{marker}")).await.ok(200);
        seen.extend(payloads(&page));
        // What comes meanwhile is not on later pages.
        publish(&world, uplink("space", "t1", "meanwhile")).await;
        match page["marker"].as_str() {
            Some(next) => marker = format!("&marker={next}"),
            None => break,
        }
    }
    assert_eq!(seen, [6, 5, 4, 3, 2, 1, 0].map(Value::from));
    assert_eq!(viewer.get(&format!("{OF_INSTANCE}?limit=50")).await.ok(200)["uplinks"].as_array().unwrap().len(), 17);
    viewer.get("/rollcall/v1/instances/alpha/devices/none/uplinks").await.refused(404, "IOTDA.014000");
    viewer.get(&format!("{OF_DEVICE}?limit=51")).await.refused(400, "IOTDA.000017");
    viewer.get(&format!("{OF_DEVICE}?marker=12")).await.refused(400, "IOTDA.000018");
    viewer.get("/rollcall/v1/instances/beta/uplinks").await.refused(404, "IOTDA.014907");
}

#[tokio::test]
async fn an_operator_of_a_space_sees_what_was_sent_in_it() {
    let (world, viewer) = with_device().await;
    for (space, device) in [("space", "t1"), ("other", "o1"), ("space", "t2"), ("other", "t1")] {
        publish(&world, uplink(space, device, format!("{space} {device}"))).await;
    }
    let (ours, theirs) = (world.operator_of(&["space"]).await, world.operator_of(&["other", "elsewhere"]).await);
    let of = async |client: &Client, path: &str| payloads(&client.get(path).await.ok(200));
    assert_eq!(of(&ours, OF_INSTANCE).await, ["space t2", "space t1"]);
    assert_eq!(of(&theirs, OF_INSTANCE).await, ["other t1", "other o1"]);
    assert_eq!(of(&viewer, OF_INSTANCE).await.len(), 4);
    assert_eq!(of(&viewer, &format!("{OF_INSTANCE}?app_id=other")).await, ["other t1", "other o1"]);
    // The id was another device's when it was in the other space.
    assert_eq!(of(&ours, OF_DEVICE).await, ["space t1"]);
    for path in [OF_DEVICE.to_owned(), format!("{OF_DEVICE}/stream")] {
        theirs.get(&path).await.refused(404, "IOTDA.014000");
    }
    for path in [format!("{OF_INSTANCE}?app_id=space"), format!("{OF_INSTANCE}/stream?app_id=space")] {
        theirs.get(&path).await.refused(403, "IOTDA.001000");
    }
    let mut stream = opened(&ours, OF_INSTANCE, None).await;
    publish(&world, uplink("other", "o1", "hidden")).await;
    publish(&world, uplink("space", "t1", "seen")).await;
    assert_eq!(stream.uplink().await.data["payload"], "seen");
}

/// A stream that is open, after an uplink if one is named.
async fn opened(client: &Client, of: &str, last: Option<&str>) -> Events {
    let header: Vec<_> = last.iter().map(|id| ("last-event-id", *id)).collect();
    let mut stream = client.events(&format!("{of}/stream"), &header).await;
    let first = stream.next().await.unwrap();
    assert_eq!((first.name.as_str(), &first.data["complete"]), ("opened", &Value::from(true)), "{first:?}");
    assert_eq!(first.id.as_deref(), first.data["marker"].as_str());
    if let Some(last) = last {
        assert_eq!(first.id.as_deref(), Some(last));
    }
    stream
}

#[tokio::test]
async fn a_stream_goes_on_after_the_last_event_also_at_another_process() {
    let (world, viewer) = with_device().await;
    publish(&world, uplink("space", "t1", "before")).await;
    let mut stream = viewer.events(&format!("{OF_DEVICE}/stream"), &[]).await;
    let start = stream.next().await.unwrap().id.unwrap();
    for number in 0..4 {
        publish(&world, uplink("space", "t2", "of another device")).await;
        publish(&world, uplink("space", "t1", number.to_string())).await;
    }
    let mut last = String::new();
    for number in 0..2 {
        let event = stream.uplink().await;
        assert_eq!(event.data["payload"], number);
        last = event.id.unwrap();
    }
    drop(stream);
    let (address, stop) = world.second_api().await;
    let elsewhere = Client { address, ..viewer.clone() };
    eventually("the second process serves the instance", || async { elsewhere.get(OF_DEVICE).await.status == 200 }).await;
    let mut again = opened(&elsewhere, OF_DEVICE, Some(&last)).await;
    for number in 2..4 {
        assert_eq!(again.uplink().await.data["payload"], number);
    }
    publish(&world, uplink("space", "t1", "4")).await;
    assert_eq!(again.uplink().await.data["payload"], 4);
    // A process that stops says so.
    stop.cancel();
    assert_eq!(again.end().await, "shutting_down");
    // Before the first event there was a place to come back to, too; and an uplink of a page is one.
    let mut from_start = opened(&viewer, OF_DEVICE, Some(&start)).await;
    assert_eq!(from_start.uplink().await.data["payload"], 0);
    let page = viewer.get(&format!("{OF_DEVICE}?limit=2")).await.ok(200);
    let marker = page["uplinks"][1]["marker"].as_str().unwrap();
    let mut from_page = viewer.events(&format!("{OF_DEVICE}/stream?marker={marker}"), &[]).await;
    assert_eq!(from_page.next().await.unwrap().name, "opened");
    assert_eq!(from_page.uplink().await.data["payload"], 4);
    // One of another stream: what there was cannot be told.
    let unknown = viewer.events(&format!("{OF_DEVICE}/stream"), &[("last-event-id", &"f".repeat(24))]).await.next().await;
    assert_eq!(unknown.unwrap().data["complete"], false);
    viewer.get(&format!("{OF_DEVICE}/stream?marker=12")).await.refused(400, "IOTDA.000018");
    viewer
        .send(hyper::Method::GET, &format!("{OF_DEVICE}/stream"), None, &[("last-event-id", "12")])
        .await
        .refused(400, "IOTDA.000018");
}

#[tokio::test]
async fn a_stream_ends_with_the_right_to_see_it() {
    let world = World::with_alpha().await;
    let spaces = |names: &[&str]| Some(names.iter().map(|name| id::<SpaceId>(name)).collect());
    let rescoped = world.client(Role::Viewer, Scope { instances: None, spaces: spaces(&["space"]) }).await;
    let (by_key, by_operator, by_instance) = (world.viewer().await, world.viewer().await, world.viewer().await);
    let name = async |client: &Client| {
        let me = client.get("/rollcall/v1/me").await.ok(200);
        me["name"].as_str().unwrap().to_owned()
    };
    let mut streams = Vec::new();
    for client in [&by_key, &by_operator, &rescoped, &by_instance] {
        streams.push(opened(client, OF_INSTANCE, None).await);
    }
    let key = id(&by_key.access_key);
    world.fleet_command(FleetCommand::SwitchAccessKey { key, enabled: false }).await;
    assert_eq!(streams[0].end().await, "rights_ended");
    let update = |name: &str, scope, enabled| FleetCommand::UpdateOperator { name: id(name), role: None, scope, enabled };
    world.fleet_command(update(&name(&by_operator).await, None, Some(false))).await;
    assert_eq!(streams[1].end().await, "rights_ended");
    let scope = Scope { instances: None, spaces: spaces(&["other"]) };
    world.fleet_command(update(&name(&rescoped).await, Some(scope), None)).await;
    assert_eq!(streams[2].end().await, "rights_ended");
    // The others went on meanwhile.
    publish(&world, uplink("space", "t1", "1")).await;
    assert_eq!(streams[3].uplink().await.data["payload"], 1);
    world.fleet_command(FleetCommand::DeleteInstance(id("alpha"))).await;
    assert_eq!(streams[3].end().await, "instance_deleted");
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let world = World::with_alpha().await;
    let admin = world.admin().await;
    let made = admin.post("/rollcall/v1/operators", json!({"name": "anna", "role": "viewer"})).await.ok(201);
    let login = json!({"operator": "anna", "password": made["password"]});
    let session = world.nobody().post("/rollcall/v1/login", login).await.ok(200);
    let token = [("x-auth-token", session["token"].as_str().unwrap())];
    let mut stream = world.nobody().events(&format!("{OF_INSTANCE}/stream"), &token).await;
    assert_eq!(stream.next().await.unwrap().name, "opened");
    world.clock.set(NOW_MS + 25 * 3600 * 1000);
    // Not sent any more.
    publish(&world, uplink("space", "t1", "1")).await;
    assert_eq!(stream.end().await, "rights_ended");
}

#[tokio::test]
async fn streams_are_bounded_and_one_that_was_closed_makes_room() {
    let world = World::with_limits(|limits| (limits.streams_max, limits.streams_of_operator_max) = (2, 1)).await;
    world.create_instance("alpha").await;
    let [anna, ben, carl] = [world.viewer().await, world.viewer().await, world.viewer().await];
    eventually("the instance is served", || async { anna.get(OF_INSTANCE).await.status == 200 }).await;
    let path = format!("{OF_INSTANCE}/stream");
    let first = opened(&anna, OF_INSTANCE, None).await;
    let text = anna.get(&path).await.refused(403, "IOTDA.014924");
    assert!(text.contains("1 streams"), "{text}");
    let _second = opened(&ben, OF_INSTANCE, None).await;
    carl.get(&path).await.refused(503, "IOTDA.014953");
    drop(first);
    eventually("the client's end is noticed", || async { carl.status(&path).await == 200 }).await;
}

#[tokio::test]
async fn a_reader_that_is_too_slow_is_dropped_and_comes_back_without_a_gap() {
    /// Of a megabyte each: more than the buffers on the way hold.
    const COUNT: usize = 24;
    let world = World::with_limits(|limits| (limits.stream_stall_ms_max, limits.streams_max) = (50, 1)).await;
    world.create_instance("alpha").await;
    let viewer = world.viewer().await;
    eventually("the instance is served", || async { viewer.get(OF_INSTANCE).await.status == 200 }).await;
    let mut stream = opened(&viewer, OF_INSTANCE, None).await;
    for number in 0..COUNT {
        publish(&world, uplink("space", "t1", vec![b'a' + u8::try_from(number % 26).unwrap(); 1_000_000])).await;
    }
    // Its place is free before it has read anything.
    let path = format!("{OF_INSTANCE}/stream");
    eventually("the server gives it up", || async { viewer.status(&path).await == 200 }).await;
    let (mut found, mut last, mut drops) = (Vec::new(), String::new(), 0);
    while found.len() < COUNT {
        let event = stream.next().await.unwrap();
        match event.name.as_str() {
            "uplink" => {
                last = event.id.unwrap();
                found.push(event.data["payload"].as_str().unwrap().bytes().next().unwrap());
            }
            "ended" => {
                assert_eq!(event.data["reason"], "slow_reader");
                drops += 1;
                stream = opened(&viewer, OF_INSTANCE, Some(&last)).await;
            }
            other => panic!("{other}"),
        }
    }
    assert!(drops >= 1);
    assert!(found.iter().copied().eq((0..COUNT).map(|number| b'a' + u8::try_from(number % 26).unwrap())), "{found:?}");
}
