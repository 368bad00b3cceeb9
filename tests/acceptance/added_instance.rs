//! An instance that is added while others serve, by a fleet file and by the API: it serves soon after, and the others do not
//! notice: nobody there is refused or disconnected, neither who is known nor who comes for the first time.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use rollcall_harness::{
    api::Api,
    certificates::{Authority, Key},
    clients::{PahoOptions, Target, folder, success},
    deployment::Deployment,
    fleet::{self, Instance},
    raw,
    storm::Storm,
    up::Up,
};
use serde_json::json;

/// Devices that connect together, of each kind.
const DEVICES: usize = 16;

/// Sets a flag however it ends.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Makes a change while an instance serves: a session that stays, known devices that come back, others that come for the first
/// time, from before the change until after it. `name` tells the devices of one change from those of another.
fn while_serving(target: &Target, ca: &Authority, name: &str, change: impl FnOnce()) {
    let device = ca.quick_device(&target.folder, &format!("stays-{name}"));
    let mut stays = target.paho(&device, &PahoOptions::default());
    let id = stays.accepted().expect("a device id");
    let known = format!("known-{name}");
    Storm::start(target, ca, &known, DEVICES).all_admitted();
    let changed = AtomicBool::new(false);
    let nobody = BTreeMap::new();
    let rounds = thread::scope(|scope| {
        let devices = scope.spawn(|| {
            for round in 1.. {
                let is_last = changed.load(Ordering::SeqCst);
                let known = Storm::start(target, ca, &known, DEVICES);
                let new = Storm::start(target, ca, &format!("new-{name}-{round}"), DEVICES);
                known.all_admitted();
                new.all_admitted();
                assert_eq!((known.refused(), new.refused()), (nobody.clone(), nobody.clone()), "in round {round}");
                if is_last {
                    return round;
                }
            }
            unreachable!("rounds have no end of their own")
        });
        let done = Done(&changed);
        change();
        drop(done);
        devices.join().expect("every device is let in at once")
    });
    assert!(rounds > 1, "devices connected before the change was over");
    assert_eq!(stays.publish_acknowledged(&format!("$oc/devices/{id}/sys/messages/up"), "still here")["code"], 0);
    assert!(stays.said().iter().all(|event| event["event"] != "disconnect"), "{:?}", stays.said());
}

/// An instance serves: a device of this name connects for the first time.
fn serves(target: &Target, ca: &Authority, instance: &Instance, device: &str) {
    raw::trusted(target, &instance.probe(&target.folder));
    let pair = ca.quick_device(&target.folder, device);
    assert_eq!(target.paho(&pair, &PahoOptions::default()).accepted(), Some(Instance::device_id(device)));
}

/// Makes an instance with all that [`Instance`] has, operation by operation.
fn make_by_operations(api: &Api, ca: &Authority, instance: &Instance, folder: &Path) {
    let Instance { id, access_domain, edition, region, .. } = instance;
    let body = json!({ "id": id, "access_domain": access_domain, "edition": edition, "region": region });
    api.post("/rollcall/v1/instances", &body);
    let api = api.on(id);
    let declared = format!("/rollcall/v1/instances/{id}");
    let space = json!({ "app_name": "vehicles", "default_policy_id": "0123456789abcdef01234567" });
    api.put(&format!("{declared}/apps/vehicles"), &space);
    let product = json!({
        "name": "truck", "device_type": "truck", "protocol_type": "MQTT", "data_format": "json", "service_capabilities": [],
    });
    api.put(&format!("{declared}/apps/vehicles/products/truck"), &product);
    let template = json!({ "template_name": "by-cn", "template_body": {
        "parameters": { "iotda::certificate::common_name": { "type": "String" } },
        "resources": { "device": {
            "node_id": { "ref": "iotda::certificate::common_name" }, "product_id": "truck",
        } },
    } });
    api.put(&format!("{declared}/templates/by-cn"), &template);
    let pem = std::fs::read_to_string(&ca.pair.certificate).expect("the CA's certificate");
    let uploaded = api.put(&format!("{declared}/apps/vehicles/certificates/ca"), &json!({ "content": pem }));
    let code = uploaded["verify_code"].as_str().expect("a verification code");
    let proof = ca.issue(folder, &format!("proof-of-{id}"), &format!("/CN={code}"), Key::P256, None);
    let proof = std::fs::read_to_string(&proof.certificate).expect("the proof");
    let certificate = "/v5/iot/{project_id}/certificates/ca";
    api.post(&format!("{certificate}/action?action_id=verify"), &json!({ "verify_content": proof }));
    api.put(certificate, &json!({ "template_id": "by-cn", "provision_enable": true }));
}

#[test]
fn adding_an_instance_to_processes_on_nats_disturbs_no_other() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let [north, south, east] = ["north", "south", "east"].map(|id| Instance::new(id, &ca.pair.certificate));
    let deployment = Deployment::start(folder, std::slice::from_ref(&north));
    for instance in [&south, &east] {
        deployment.add_server_certificate(instance);
    }
    let target = |instance: &Instance| deployment.target(&instance.access_domain, 0);
    while_serving(&target(&north), &ca, "file", || {
        success(&deployment.apply_text(&fleet::yaml(&[north.clone(), south.clone()]))).expect("applied");
        serves(&target(&south), &ca, &south, "first");
    });
    while_serving(&target(&north), &ca, "operations", || {
        make_by_operations(&deployment.administrator(), &ca, &east, deployment.folder());
        serves(&target(&east), &ca, &east, "first");
    });
    let operator = deployment.operator();
    let registered = operator.registrations("north");
    assert!(registered.values().all(|times| *times == 1), "{registered:?}");
}

#[test]
fn adding_an_instance_to_an_embedded_deployment_disturbs_no_other() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let [north, south, east, west] = ["north", "south", "east", "west"].map(|id| Instance::new(id, &ca.pair.certificate));
    let mut up = Up::embedded(folder, std::slice::from_ref(&north));
    let api = Api::of(&up.announced()["api"]);
    let at = up.target("north.test");
    let target = |instance: &Instance| Target { host: instance.access_domain.clone(), ..at.clone() };
    while_serving(&at, &ca, "file", || {
        success(&api.apply(&at.folder, &fleet::yaml(&[north.clone(), south.clone()]))).expect("applied");
        serves(&target(&south), &ca, &south, "first");
    });
    while_serving(&at, &ca, "operations", || {
        make_by_operations(&api, &ca, &east, &at.folder);
        serves(&target(&east), &ca, &east, "first");
    });
    // The file of `up` itself, which says nothing of east.
    while_serving(&at, &ca, "signal", || {
        up.apply_text(&fleet::yaml(&[north.clone(), south.clone(), west.clone()]));
        serves(&target(&west), &ca, &west, "first");
    });
    serves(&target(&east), &ca, &east, "second");
    let errors: Vec<_> = up.process().errors().lines().filter(|line| line.contains("ERROR")).map(str::to_owned).collect();
    assert!(errors.is_empty(), "nothing went wrong: {errors:?}");
}
