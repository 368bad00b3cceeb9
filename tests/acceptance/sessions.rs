//! Wills and sessions that outlive their connection, with paho, over the death of what has them.

use rollcall_harness::{
    certificates::{Authority, Key},
    clients::{Paho, PahoOptions, folder},
    deployment::Deployment,
    fleet::Instance,
    up::Up,
};
use serde_json::json;

const VERSIONS: [u8; 2] = [4, 5];

/// Says goodbye to nobody when it is dropped, and leaves a will.
fn with_will(version: u8, topic: &str, payload: &str) -> PahoOptions {
    PahoOptions { version, extra: json!({"will": topic, "will_payload": payload}), ..PahoOptions::default() }
}

/// Asks for its session to go on and to be kept.
fn lasting(version: u8) -> PahoOptions {
    let extra = json!({"clean": false, "session_expiry_s": 600});
    PahoOptions { version, client_id: format!("paho-{version}"), extra, ..PahoOptions::default() }
}

fn session_present(paho: &Paho) -> bool {
    let connack = paho.expect("connack");
    assert_eq!(connack["code"], 0, "{connack}");
    connack["session_present"] == true
}

fn heard(paho: &Paho, payload: &str) -> usize {
    paho.said().iter().filter(|event| event["event"] == "message" && event["payload"] == payload).count()
}

#[test]
fn a_will_and_what_came_meanwhile_reach_a_device_that_returns_to_its_session() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let (listener, truck) = (ca.quick_device(up.folder(), "listener"), ca.quick_device(up.folder(), "truck-1"));
    for version in VERSIONS {
        let target = up.target("north.test");
        let mut first = target.paho(&listener, &lasting(version));
        assert!(!session_present(&first), "{version}: there was none");
        assert_eq!(first.subscribe(&format!("yard/{version}/#"))["codes"][0], 1);
        first.disconnect();
        first.expect("disconnect");
        let mut sender = target.paho(&truck, &with_will(version, &format!("yard/{version}/1"), "gone"));
        sender.accepted();
        sender.publish_acknowledged(&format!("yard/{version}/1"), "said while it was away");
        drop(sender);
        let second = target.paho(&listener, &lasting(version));
        assert!(session_present(&second), "{version}");
        assert_eq!(second.message("said while it was away")["qos"], 1);
        assert_eq!(second.message("gone")["topic"], format!("yard/{version}/1"));
    }

    // Both outlive the process that has them.
    let dying = up.target("north.test").paho(&truck, &with_will(5, "yard/5/1", "its connector died"));
    dying.accepted();
    up.process().kill();
    up.restart();
    let third = up.target("north.test").paho(&listener, &lasting(5));
    assert!(session_present(&third));
    third.message("its connector died");
    assert_eq!(heard(&third, "its connector died"), 1);
}

#[test]
fn a_will_is_published_and_a_session_goes_on_at_the_other_connector_when_one_is_killed() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let second = deployment.add_serving_connector();
    let device = |name: &str| ca.quick_device(deployment.folder(), name);
    let (truck, wanderer, listener) = (device("truck-1"), device("wanderer"), device("listener"));
    let (here, there) = (deployment.target("north.test", 0), deployment.target("north.test", second));
    let mut listening = there.paho(&listener, &PahoOptions::default());
    listening.accepted();
    assert_eq!(listening.subscribe("yard/#")["codes"][0], 1);
    let dying = here.paho(&truck, &with_will(5, "yard/1", "its connector died"));
    dying.accepted();
    let mut before = here.paho(&wanderer, &lasting(4));
    assert!(!session_present(&before));
    assert_eq!(before.subscribe("yard/#")["codes"][0], 1);

    deployment.connector(0).process.kill();
    listening.message("its connector died");
    listening.publish_acknowledged("yard/2", "said meanwhile");
    let after = there.paho(&wanderer, &lasting(4));
    assert!(session_present(&after));
    after.message("said meanwhile");
    after.message("its connector died");
    assert_eq!((heard(&listening, "its connector died"), heard(&after, "said meanwhile")), (1, 1));

    // A session moves while both live, and a will of the connection that is taken over is published once.
    let first = there.paho(&truck, &with_will(5, "yard/1", "taken over"));
    first.accepted();
    let again = there.paho(&truck, &PahoOptions::default());
    again.accepted();
    listening.message("taken over");
    assert_eq!(heard(&listening, "taken over"), 1);
}
