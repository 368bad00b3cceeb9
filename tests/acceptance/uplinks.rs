//! What devices have sent is read back newest first and followed live, also across a restart of what serves it.

use rollcall_harness::{
    api::{Api, Events},
    certificates::{Authority, Key, Pair},
    clients::{PahoOptions, Target, folder},
    deployment::Deployment,
    fleet::Instance,
    up::Up,
    wait,
};
use serde_json::{Value, json};

const OF_DEVICE: &str = "/rollcall/v1/instances/north/devices/truck_truck-1/uplinks";
const OF_INSTANCE: &str = "/rollcall/v1/instances/north/uplinks";

/// A device connects and says these numbers, each acknowledged.
fn say(target: &Target, device: &Pair, numbers: impl IntoIterator<Item = u64>) {
    let mut paho = target.paho(device, &PahoOptions::default());
    let id = paho.accepted().expect("an id");
    for number in numbers {
        let topic = format!("$oc/devices/{id}/sys/messages/up");
        assert_eq!(paho.publish_acknowledged(&topic, &json!({"n": number}).to_string())["code"], 0);
    }
    paho.disconnect();
}

fn numbers(uplinks: &[Value]) -> Vec<u64> {
    uplinks.iter().map(|uplink| uplink["payload"]["n"].as_u64().expect("JSON, as it was sent")).collect()
}

/// All that is kept, newest first, by pages of two.
fn read_back(api: &Api, of: &str) -> Vec<u64> {
    let (mut found, mut marker) = (Vec::new(), String::new());
    loop {
        let page = wait::until("the instance to be served", || {
            let answer = api.ask("GET", &format!("{of}?limit=2{marker}"), None, &json!({}));
            if answer.status == 200 { Ok(answer.body) } else { Err(answer.body.to_string()) }
        });
        found.extend(numbers(page["uplinks"].as_array().expect("a list")));
        match page["marker"].as_str() {
            Some(next) => marker = format!("&marker={next}"),
            None => return found,
        }
    }
}

/// A stream that follows by now.
fn opened(api: &Api, of: &str, last: Option<&str>, folder: &std::path::Path) -> Events {
    let stream = api.events(&format!("{of}/stream"), last, folder);
    assert_eq!(stream.expect("opened", 1)[0]["data"]["complete"], true);
    stream
}

/// The first uplinks of a stream, and that no other has come before the last of them.
fn heard(stream: &Events, expected: std::ops::Range<u64>) -> Vec<Value> {
    let count = expected.clone().count();
    let events = stream.expect("uplink", count);
    let uplinks: Vec<Value> = events.iter().map(|event| event["data"].clone()).collect();
    assert_eq!(numbers(&uplinks), expected.collect::<Vec<_>>());
    events
}

fn id(event: &Value) -> &str {
    event["id"].as_str().expect("an id")
}

#[test]
fn uplinks_are_read_newest_first_and_live_across_a_restart() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let device = ca.quick_device(up.folder(), "truck-1");
    say(&up.target("north.test"), &device, 0..5);
    say(&up.target("north.test"), &ca.quick_device(up.folder(), "truck-2"), [100]);
    let api = Api::of(&up.announced()["api"]);
    assert_eq!(read_back(&api, OF_DEVICE), [4, 3, 2, 1, 0]);
    assert_eq!(read_back(&api, OF_INSTANCE), [100, 4, 3, 2, 1, 0]);
    let stream = opened(&api, OF_DEVICE, None, up.folder());
    say(&up.target("north.test"), &device, 5..8);
    let events = heard(&stream, 5..8);

    assert!(up.process().stop().success());
    assert_eq!(stream.expect("ended", 1)[0]["data"]["reason"], "shutting_down");
    up.restart();
    say(&up.target("north.test"), &device, 8..10);
    let api = Api::of(&up.announced()["api"]);
    assert_eq!(read_back(&api, OF_DEVICE), (0..10).rev().collect::<Vec<_>>());
    // As one comes back whose connection broke before it had read the last.
    let again = opened(&api, OF_DEVICE, Some(id(&events[1])), up.folder());
    say(&up.target("north.test"), &device, 10..12);
    heard(&again, 7..12);
}

#[test]
fn on_nats_uplinks_that_come_while_the_api_is_away_are_neither_missed_nor_doubled() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let target = deployment.target("north.test", 0);
    let device = ca.quick_device(deployment.folder(), "truck-1");
    say(&target, &device, 0..5);
    let api = deployment.administrator();
    assert_eq!(read_back(&api, OF_DEVICE), [4, 3, 2, 1, 0]);
    let stream = opened(&api, OF_INSTANCE, None, deployment.folder());
    say(&target, &device, 5..8);
    let events = heard(&stream, 5..8);
    deployment.api().kill();
    say(&target, &device, 8..12);
    deployment.restart_api();
    let api = deployment.administrator();
    assert_eq!(read_back(&api, OF_INSTANCE), (0..12).rev().collect::<Vec<_>>());
    let again = opened(&api, OF_INSTANCE, Some(id(&events[2])), deployment.folder());
    say(&target, &device, 12..14);
    heard(&again, 8..14);
    // The broker goes away under a stream, and the stream goes on.
    deployment.nats.kill();
    deployment.nats.restart();
    wait::until("the device to be let in and heard again", || {
        let connack = target.paho(&device, &PahoOptions::default()).expect("connack");
        if connack["code"] == 0 { Ok(()) } else { Err(connack.to_string()) }
    });
    say(&target, &device, 14..16);
    heard(&again, 8..16);
}
