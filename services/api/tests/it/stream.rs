//! What happens in an instance, as callers hear it over one connection.

use rollcall_domain::{
    fleet::{FleetCommand, Role, Scope},
    ids::SpaceId,
    registry::{
        Command,
        event::{DeclaredCredential, DeviceProfile},
    },
};
use serde_json::{Value, json};

use crate::{
    attempts::{refused, self_registration},
    client::{Client, Event, Events},
    world::{NOW_MS, World, eventually, id},
};

const STREAM: &str = "/rollcall/v1/instances/alpha/stream";
const EVENTS: &str = "/rollcall/v1/instances/alpha/events?limit=50";
const ATTEMPTS: &str = "/rollcall/v1/instances/alpha/attempts?limit=50";

/// A stream that follows by now, and what it said first.
async fn opened(client: &Client, query: &str, last: Option<&str>) -> (Events, Event) {
    let header: Vec<_> = last.iter().map(|id| ("last-event-id", *id)).collect();
    let mut stream = client.events(&format!("{STREAM}{query}"), &header).await;
    let first = stream.next().await.unwrap();
    assert_eq!(first.name, "opened", "{first:?}");
    assert_eq!(first.id.as_deref(), first.data["marker"].as_str());
    (stream, first)
}

/// The next items of a kind, whatever else comes between them.
async fn next(stream: &mut Events, kind: &str, count: usize) -> Vec<Event> {
    let mut found = Vec::new();
    while found.len() < count {
        let event = stream.next().await.unwrap();
        assert_ne!(event.name, "ended", "{event:?}");
        if event.name == kind {
            found.push(event);
        }
    }
    found
}

async fn gap(stream: &mut Events) -> [String; 2] {
    let event = stream.next().await.unwrap();
    assert_eq!(event.name, "gap", "{event:?}");
    ["kind", "reason"].map(|field| event.data[field].as_str().unwrap().to_owned())
}

/// All of a list, oldest first.
async fn listed(client: &Client, path: &str, list: &str) -> Vec<Value> {
    let mut page = client.get(path).await.ok(200);
    assert_eq!(page["next"], Value::Null, "one page holds all");
    let mut items = std::mem::take(page[list].as_array_mut().unwrap());
    items.reverse();
    items
}

fn data(events: &[Event]) -> Vec<Value> {
    events.iter().map(|event| event.data.clone()).collect()
}

/// Pre-registers a device in the resource space `other`.
async fn create_device_of_other(world: &World, name: &str) {
    let profile = DeviceProfile {
        device: id(name),
        node_id: id(name),
        space: id("other"),
        product: id("bus"),
        name: None,
        tags: Vec::new(),
        policies: Vec::new(),
    };
    let credential = DeclaredCredential::Certificates { primary: None, secondary: None };
    let command = Command::PreRegisterDevice { profile, credential, description: None, extension_info: None };
    world.command("alpha", command).await;
}

async fn freeze(world: &World, device: &str) {
    world.command("alpha", Command::FreezeDevice { device: id(device) }).await;
}

#[tokio::test]
async fn events_refusals_and_presence_come_as_the_lists_have_them() {
    let (world, authority) = World::with_ca().await;
    let (viewer, operator) = (world.viewer().await, world.operator().await);
    let before = listed(&viewer, EVENTS, "events").await.len();
    let (mut stream, first) = opened(&viewer, "", None).await;
    assert_eq!(first.data["kinds"], json!(["event", "refusal", "presence"]));
    world.create_device("t1").await;
    self_registration(&world, false).await;
    refused(&world, &authority.device("SN1")).await;
    let events = next(&mut stream, "event", 2).await;
    assert_eq!(data(&events), listed(&viewer, EVENTS, "events").await[before..]);
    let refusals = next(&mut stream, "refusal", 1).await;
    assert_eq!(data(&refusals), listed(&viewer, ATTEMPTS, "attempts").await);
    let mut device = world.device("t1").await;
    device.arrive_known(&world, &operator).await;
    let at = "2026-06-01T00:00:00.000Z";
    let [came] = next(&mut stream, "presence", 1).await.try_into().unwrap();
    assert_eq!(came.data, json!({"device_id": "t1", "online": true, "at": at, "connector": came.data["connector"]}));
    assert!(came.data["connector"].is_string(), "{came:?}");
    device.leave(&world, &operator).await;
    let [went] = next(&mut stream, "presence", 1).await.try_into().unwrap();
    assert_eq!(went.data, json!({"device_id": "t1", "online": false, "at": at}));
    // Only what was asked for.
    let (mut only, first) = opened(&viewer, "?kinds=refusal", None).await;
    assert_eq!(first.data["kinds"], json!(["refusal"]));
    freeze(&world, "t1").await;
    refused(&world, &authority.device("SN2")).await;
    assert_eq!(only.next().await.unwrap().data["certificate"]["subject"], "CN=SN2");
    for wrong in ["?kinds=events", "?kinds=event,", "?kinds=Event"] {
        viewer.get(&format!("{STREAM}{wrong}")).await.refused(400, "IOTDA.000006");
    }
    viewer.get(&format!("{STREAM}?marker=12")).await.refused(400, "IOTDA.000018");
}

#[tokio::test]
async fn it_goes_on_at_another_process_without_a_gap_or_a_double() {
    let (world, authority) = World::with_ca().await;
    let viewer = world.viewer().await;
    self_registration(&world, false).await;
    let (mut stream, first) = opened(&viewer, "", None).await;
    world.create_device("t0").await;
    refused(&world, &authority.device("SN0")).await;
    let mut events = next(&mut stream, "event", 1).await;
    let mut refusals = next(&mut stream, "refusal", 1).await;
    let last = refusals[0].id.clone().unwrap();
    drop(stream);
    for number in 1..4 {
        world.create_device(&format!("t{number}")).await;
        refused(&world, &authority.device(&format!("SN{number}"))).await;
    }
    let (address, stop) = world.second_api().await;
    let elsewhere = Client { address, ..viewer.clone() };
    eventually("the second process serves the instance", || async { elsewhere.get(EVENTS).await.status == 200 }).await;
    let (mut again, opened_again) = opened(&elsewhere, "", Some(&last)).await;
    assert_eq!(opened_again.id.as_deref(), Some(&*last));
    assert_eq!(gap(&mut again).await, ["presence", "not_replayed"]);
    world.create_device("t4").await;
    refused(&world, &authority.device("SN4")).await;
    while events.len() < 5 || refusals.len() < 5 {
        let event = again.next().await.unwrap();
        match event.name.as_str() {
            "event" => events.push(event),
            "refusal" => refusals.push(event),
            other => panic!("{other}"),
        }
    }
    let all = listed(&viewer, EVENTS, "events").await;
    assert_eq!(data(&events), all[all.len() - 5..]);
    assert_eq!(data(&refusals), listed(&viewer, ATTEMPTS, "attempts").await);
    stop.cancel();
    assert_eq!(again.end().await, "shutting_down");
    // From any marker in between, that of the first event included.
    let from_start = first.id.unwrap();
    for (marker, missing) in [(&from_start, 5), (events[2].id.as_ref().unwrap(), 2)] {
        let (mut between, _) = opened(&viewer, &format!("?kinds=event&marker={marker}"), None).await;
        assert_eq!(data(&next(&mut between, "event", missing).await), all[all.len() - missing..]);
    }
}

#[tokio::test]
async fn what_may_be_missing_is_told() {
    let (world, authority) = World::with_ca().await;
    let viewer = world.viewer().await;
    self_registration(&world, false).await;
    refused(&world, &authority.device("SN0")).await;
    let (stream, first) = opened(&viewer, "", None).await;
    let start = first.id.unwrap();
    drop(stream);
    // Refusals are kept for 30 days: the two go as the third comes.
    refused(&world, &authority.device("SN1")).await;
    world.clock.set(NOW_MS + 31 * 24 * 3600 * 1000);
    refused(&world, &authority.device("SN2")).await;
    let (mut stream, _) = opened(&viewer, "?kinds=event,refusal", Some(&start)).await;
    assert_eq!(gap(&mut stream).await, ["refusal", "forgotten"]);
    assert_eq!(next(&mut stream, "refusal", 1).await[0].data["certificate"]["subject"], "CN=SN2");
    // Of a log that went on farther, and of another instance under the id.
    let beyond = format!("{}{}{}", &start[..8], "0".repeat(8), "f".repeat(24));
    let (mut stream, _) = opened(&viewer, "?kinds=event,refusal", Some(&beyond)).await;
    assert_eq!(gap(&mut stream).await, ["event", "another_log"]);
    let other = format!("{:08x}{}", !u32::from_str_radix(&start[..8], 16).unwrap(), &start[8..]);
    let (mut stream, opened) = opened(&viewer, "?kinds=event,refusal", Some(&other)).await;
    assert_eq!(gap(&mut stream).await, ["event", "another_log"]);
    assert_eq!(gap(&mut stream).await, ["refusal", "another_log"]);
    assert_eq!(opened.id.unwrap()[..8], start[..8]);
}

#[tokio::test]
async fn an_operator_of_a_space_hears_of_its_devices_and_of_nothing_else() {
    let world = World::with_alpha().await;
    world.create_space("alpha", "other").await;
    world.create_product("alpha", "other", "bus").await;
    world.create_device("t1").await;
    let (theirs, operator) = (world.operator_of(&["other"]).await, world.operator().await);
    theirs.get(&format!("{STREAM}?kinds=event,refusal")).await.refused(403, "IOTDA.000021");
    let (mut stream, first) = opened(&theirs, "", None).await;
    assert_eq!(first.data["kinds"], json!(["event", "presence"]));
    let mut truck = world.device("t1").await;
    truck.arrive_known(&world, &operator).await;
    freeze(&world, "t1").await;
    world.create_product("alpha", "other", "tram").await;
    create_device_of_other(&world, "b1").await;
    freeze(&world, "b1").await;
    world.command("alpha", Command::DeleteDevice { device: id("t1") }).await;
    world.command("alpha", Command::DeleteDevice { device: id("b1") }).await;
    let heard = next(&mut stream, "event", 3).await;
    let of = |event: &Event| (event.data["type"].as_str().unwrap().to_owned(), event.data["body"].to_string());
    for (event, kind) in heard.iter().zip(["DevicePreRegistered", "DeviceFrozen", "DeviceDeleted"]) {
        let (found, body) = of(event);
        assert!(found == kind && body.contains("b1"), "{event:?}");
    }
    // Presence of the other space's device came before all of this, and another of the own one's comes now.
    create_device_of_other(&world, "b2").await;
    let mut bus = world.device("b2").await;
    bus.arrive(&world).await;
    loop {
        let event = stream.next().await.unwrap();
        if event.name == "presence" {
            assert_eq!(event.data["device_id"], "b2");
            break;
        }
        assert!(of(&event).1.contains("b2"), "{event:?}");
    }
}

#[tokio::test]
async fn it_ends_with_the_right_to_hear_it_and_has_a_place_among_the_streams() {
    let world = World::with_limits(|limits| limits.streams_of_operator_max = 1).await;
    world.create_instance("alpha").await;
    let spaces = |names: &[&str]| Some(names.iter().map(|name| id::<SpaceId>(name)).collect());
    let rescoped = world.client(Role::Viewer, Scope { instances: None, spaces: spaces(&["space"]) }).await;
    let (by_key, by_instance) = (world.viewer().await, world.viewer().await);
    let mut streams = Vec::new();
    for client in [&by_key, &rescoped, &by_instance] {
        streams.push(opened(client, "", None).await.0);
    }
    by_key.get(STREAM).await.refused(403, "IOTDA.014924");
    world.fleet_command(FleetCommand::SwitchAccessKey { key: id(&by_key.access_key), enabled: false }).await;
    assert_eq!(streams[0].end().await, "rights_ended");
    let me = rescoped.get("/rollcall/v1/me").await.ok(200);
    let scope = Some(Scope { instances: None, spaces: spaces(&["other"]) });
    let name = id(me["name"].as_str().unwrap());
    world.fleet_command(FleetCommand::UpdateOperator { name, role: None, scope, enabled: None }).await;
    assert_eq!(streams[1].end().await, "rights_ended");
    world.create_space("alpha", "space").await;
    assert_eq!(next(&mut streams[2], "event", 1).await[0].data["type"], "SpaceCreated");
    world.fleet_command(FleetCommand::DeleteInstance(id("alpha"))).await;
    assert_eq!(streams[2].end().await, "instance_deleted");
}
