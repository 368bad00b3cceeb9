//! What happens in an instance is told as it happens, also across the death of what tells it.

use rollcall_harness::{
    api::{Api, Events},
    certificates::{Authority, Key, Pair},
    clients::{PahoOptions, Target, folder},
    fleet::Instance,
    up::Up,
    wait,
};
use serde_json::Value;

const STREAM: &str = "/rollcall/v1/instances/north/stream";

/// A device connects for the first time, and goes.
fn register(target: &Target, device: &Pair) {
    let mut paho = target.paho(device, &PahoOptions::default());
    paho.accepted().expect("an id");
    paho.disconnect();
}

/// A device connects under an id that is not its own, and is refused.
fn claim(target: &Target, device: &Pair, id: &str) {
    let options =
        PahoOptions { client_id: format!("{id}_0_0_2026112812"), user_name: Some(id.into()), ..PahoOptions::default() };
    let connack = target.paho(device, &options).expect("connack");
    assert_ne!(connack["code"], 0, "{connack}");
}

/// The devices that the stream has said were registered.
fn registered(events: &[Value]) -> Vec<String> {
    let of = |event: &Value| (event["data"]["type"] == "DeviceRegistered").then(|| event["data"]["body"].to_string());
    let bodies = events.iter().filter_map(of);
    bodies
        .map(|body| ["truck-1", "truck-2", "truck-3"].into_iter().find(|name| body.contains(name)).unwrap_or("?").into())
        .collect()
}

/// Waits until a stream has told of so many registrations and refusals, and of no more of either.
fn told(stream: &Events, registrations: &[&str], refusals: usize) -> Vec<Value> {
    let events = wait::until("what has happened to be told", || {
        let events = stream.read();
        let refused = events.iter().filter(|event| event["event"] == "refusal").count();
        let registered = registered(&events);
        if registered.len() >= registrations.len() && refused >= refusals { Ok(events) } else { Err(format!("{events:?}")) }
    });
    assert_eq!(registered(&events), registrations);
    assert_eq!(events.iter().filter(|event| event["event"] == "refusal").count(), refusals);
    events
}

#[test]
fn events_and_refusals_are_neither_missed_nor_doubled_across_a_kill() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let devices = ["truck-1", "truck-2", "truck-3"].map(|name| ca.quick_device(up.folder(), name));
    let stream = Api::of(&up.announced()["api"]).events(STREAM, None, up.folder());
    stream.expect("opened", 1);
    register(&up.target("north.test"), &devices[0]);
    claim(&up.target("north.test"), &devices[0], "truck_truck-9");
    let presence = stream.expect("presence", 2);
    assert_eq!(presence[0]["data"]["device_id"], "truck_truck-1");
    assert_eq!([&presence[0], &presence[1]].map(|event| event["data"]["online"] == true), [true, false]);
    let events = told(&stream, &["truck-1"], 1);
    let last = events.last().expect("events")["id"].as_str().expect("an id").to_owned();

    up.process().kill();
    up.restart();
    register(&up.target("north.test"), &devices[1]);
    claim(&up.target("north.test"), &devices[1], "truck_truck-9");
    let again = Api::of(&up.announced()["api"]).events(STREAM, Some(&last), up.folder());
    assert_eq!(again.expect("gap", 1)[0]["data"]["kind"], "presence");
    register(&up.target("north.test"), &devices[2]);
    told(&again, &["truck-2", "truck-3"], 1);
}
