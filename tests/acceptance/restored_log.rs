//! The broker is restored from a backup while a connector is off that had read on.

use rollcall_harness::{
    certificates::{Authority, Key},
    clients::{PahoOptions, folder, success},
    deployment::Deployment,
    fleet::Instance,
    wait,
};
use serde_json::json;

const UPLINK: &str = "$oc/devices/truck_truck-1/sys/messages/up";

#[test]
fn f38_a_connector_notices_that_the_log_is_not_the_one_that_it_has_read() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let api = deployment.administrator().on("north");
    let target = deployment.target("north.test", 0);
    let device = ca.quick_device(deployment.folder(), "truck-1");
    success(&target.mosquitto_pub(&device, UPLINK, "known", &[])).expect("registered");

    deployment.nats.kill();
    deployment.nats.back_up();
    deployment.nats.restart();
    // The connector reads one record more than the backup has, and is off then.
    let other = ca.quick_device(deployment.folder(), "truck-2");
    wait::until("the connector to register another device", || {
        success(&target.mosquitto_pub(&other, "$oc/devices/truck_truck-2/sys/messages/up", "x", &[]))
            .map_err(|error| format!("{error:?}"))
    });
    deployment.connector(0).process.kill();
    deployment.nats.kill();
    deployment.nats.restore();
    deployment.nats.restart();
    // In its place another record is appended, by registrar and API, which have noticed.
    wait::until("the device to be frozen", || {
        let frozen = api.ask("POST", "/v5/iot/{project_id}/devices/truck_truck-1/freeze", None, &json!({}));
        if frozen.status == 204 { Ok(()) } else { Err(format!("{} {}", frozen.status, frozen.body)) }
    });
    assert_eq!(
        api.ask("GET", "/v5/iot/{project_id}/devices/truck_truck-2", None, &json!(null)).status,
        404,
        "as the log is now"
    );

    deployment.restart_connector(0);
    let target = deployment.target("north.test", 0);
    wait::until("the connector to serve the log as it is", || {
        match target.paho(&other, &PahoOptions::default()).accepted().as_deref() {
            Some("truck_truck-2") => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let answer = target.paho(&device, &PahoOptions::default()).expect("connack");
    assert_eq!(answer["code"], 0x87, "what was frozen since stays out: {answer}");
    assert_eq!(deployment.operator().registrations("north").len(), 2, "the other device has registered itself again");
}
