//! A connector that was stopped and goes on: whoever waited for it is judged after what happened meanwhile was read.

use rollcall_harness::{
    certificates::{Authority, Key},
    clients::{PahoOptions, folder, success},
    deployment::Deployment,
    fleet::Instance,
    raw::{Raw, Tls},
    wait,
    wire::{self, Connect, V5},
};
use serde_json::json;

const UP: &str = "$oc/devices/truck_truck-1/sys/messages/up";
const WAITING: usize = 10;

#[test]
fn f17_who_waits_for_a_connector_that_was_stopped_is_judged_after_what_happened_meanwhile() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let instances = [Instance::new("north", &ca.pair.certificate)];
    // Those who wait have shaken hands before: they wait for as long as it takes.
    let mut deployment = Deployment::configured(folder, &instances, "connect_ms_max = 120000", "");
    let api = deployment.administrator().on("north");
    let (device, other) = (ca.quick_device(deployment.folder(), "truck-1"), ca.quick_device(deployment.folder(), "truck-2"));
    let target = deployment.target("north.test", 0);
    success(&target.mosquitto_pub(&device, UP, "known", &[])).expect("registered");
    assert_eq!(target.paho(&other, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-2"));
    let connectors = || api.get("/rollcall/v1/instances/north/connectors")["connectors"].clone();
    let name = connectors()[0]["connector"].as_str().expect("one connector").to_owned();

    let waiting: Vec<_> = (0..WAITING).map(|_| Raw::open(&target, Some(&device), Tls::V13).expect("a handshake")).collect();
    deployment.connector(0).process.signal("STOP");
    wait::until("the API to miss the connector", || match connectors() {
        none if none == json!([]) => Ok(()),
        some => Err(some.to_string()),
    });
    let frozen = api.ask("POST", "/v5/iot/{project_id}/devices/truck_truck-1/freeze", None, &json!({}));
    assert_eq!(frozen.status, 204, "{}", frozen.body);
    assert_eq!(frozen.headers["rollcall-out-of-reach"].as_str(), Some(&*name), "{}", frozen.headers);
    let answers: Vec<_> = waiting
        .into_iter()
        .map(|mut raw| {
            raw.send(&Connect::new(V5, "waiting").bytes()).expect("sent while it is stopped");
            std::thread::spawn(move || wire::answer(V5, &raw.packet().expect("an answer")).expect("a CONNACK"))
        })
        .collect();
    deployment.connector(0).process.signal("CONT");
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.join().expect("no panic")).collect();
    let refused = answers.iter().filter(|answer| answer.code != 0 && answer.reason.starts_with("device_frozen: ")).count();
    assert_eq!(refused, WAITING, "{answers:?}");
    assert_eq!(target.paho(&other, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-2"), "others get in");
    // When it has been heard of again, a freeze reaches it.
    wait::until("the connector to be heard of again", || match connectors() {
        heard if heard[0]["connector"] == json!(name) => Ok(()),
        other => Err(other.to_string()),
    });
    let mut frozen = None;
    wait::until("a freeze to reach it at once", || {
        let ask =
            |what: &str| api.ask("POST", &format!("/v5/iot/{{project_id}}/devices/truck_truck-2/{what}"), None, &json!({}));
        let done = ask("freeze");
        match done.headers.get("rollcall-out-of-reach") {
            None => {
                frozen = Some(done);
                Ok(())
            }
            Some(connector) => {
                ask("unfreeze");
                Err(connector.to_string())
            }
        }
    });
    let frozen = frozen.expect("it has reached it");
    let position = frozen.headers["rollcall-position"].as_str().and_then(|position| position.parse::<u64>().ok());
    wait::until("the connector to have it", || match connectors()[0]["position"].as_u64() {
        reached if reached >= position => Ok(()),
        reached => Err(format!("{reached:?} of {position:?}")),
    });
}
