//! A log that cannot be written: the API's answer says what is in the way, health and status too, who is known gets in, and
//! changes are taken again once there is room, or the broker is back, without a restart.

use std::path::Path;

use rollcall_harness::{
    api::Api,
    certificates::{Authority, Key},
    clients::{PahoOptions, folder, reason_string},
    deployment::Deployment,
    fleet::Instance,
    nats::NatsServer,
    up::Up,
    wait,
};
use serde_json::{Value, json};

const PRODUCTS: &str = "/v5/iot/{project_id}/products";
/// Changes that are asked for while none is taken.
const ASKED: usize = 20;

/// A product of almost the largest size that there may be: what fills a disk soonest.
fn large_product(name: &str) -> Value {
    let option = "x".repeat(400);
    let property = |number: usize| {
        json!({ "property_name": format!("p{number}"), "data_type": "string", "method": "R", "max_length": 1, "description": "d",
                "unit": "u", "enum_list": [option] })
    };
    let properties: Vec<_> = (0..100).map(property).collect();
    json!({
        "app_id": "vehicles", "name": name, "device_type": "truck", "protocol_type": "MQTT", "data_format": "json",
        "service_capabilities": [{ "service_id": "s", "service_type": "s", "properties": properties }],
    })
}

/// What health says of `north`: the status, and the reason.
fn health(api: &Api) -> (u16, Value) {
    let answer = api.ask("GET", "/rollcall/v1/health", None, &json!({}));
    let instances = answer.body["instances"].as_array().cloned().unwrap_or_default();
    let north = instances.into_iter().find(|instance| instance["id"] == "north").unwrap_or_default();
    (answer.status, north["reason"].clone())
}

/// Waits until health says so of `north`.
#[track_caller]
fn becomes(api: &Api, status: u16, reason: &Value) {
    wait::until(&format!("health to say {status} {reason}"), || {
        let found = health(api);
        if found == (status, reason.clone()) { Ok(()) } else { Err(format!("{found:?}")) }
    });
}

/// Lines of a process's log that say what an answer of the API said.
fn lines_with(log: &str, text: &str) -> usize {
    log.lines().filter(|line| line.contains(text)).count()
}

#[test]
fn f20_a_full_disk_under_the_embedded_log_is_named_by_the_api_and_needs_no_restart() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let [known, unknown] = ["truck-1", "truck-2"].map(|name| ca.quick_device(up.folder(), name));
    let target = up.target("north.test");
    assert_eq!(target.paho(&known, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-1"));
    let api = Api::of(&up.announced()["api"]).on("north");
    assert_eq!(health(&api), (200, Value::Null));

    let log = up.data().join("log/backbone.redb");
    let length = |file: &Path| file.metadata().expect("the log's file").len();
    up.process().limit_files(Some(length(&log)));
    // What is acknowledged goes into what the file holds in reserve.
    let mut taken = 0;
    let refused = loop {
        let answer = api.ask("POST", PRODUCTS, Some(&large_product(&format!("large-{taken}"))), &json!({}));
        match answer.status {
            201 => taken += 1,
            _ => break answer,
        }
    };
    let says_so = |text: &str| text.contains(log.to_str().expect("a path in UTF-8")) && text.contains("takes no writes");
    let names_the_disk = |body: &Value| {
        let said = body["error_msg"].as_str().unwrap_or_default();
        body["error_code"] == "IOTDA.014951" && says_so(said)
    };
    assert!(refused.status == 503 && names_the_disk(&refused.body), "{} {}", refused.status, refused.body);
    assert!(refused.headers["retry-after"].is_string(), "{}", refused.headers);
    let so_far = lines_with(&up.process().errors(), "takes no writes");
    for number in 0..ASKED {
        let answer = api.ask("POST", PRODUCTS, Some(&large_product(&format!("refused-{number}"))), &json!({}));
        assert!(answer.status == 503 && names_the_disk(&answer.body), "{} {}", answer.status, answer.body);
    }
    let said = lines_with(&up.process().errors(), "takes no writes");
    assert!(said > 0 && said < so_far + ASKED / 2, "{said} lines, {so_far} before:\n{}", up.process().errors());
    becomes(&api, 503, &json!("log_unwritable"));
    let status = api.get("/rollcall/v1/instances/north")["status"].clone();
    assert!(says_so(status["unwritable"].as_str().unwrap_or_default()), "{status}");
    // What is there is read, and who is known gets in; who is not is told to come back.
    assert_eq!(api.get("/v5/iot/{project_id}/devices")["devices"].as_array().map(Vec::len), Some(1));
    assert_eq!(target.paho(&known, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-1"));
    let connack = target.paho(&unknown, &PahoOptions::default()).expect("connack");
    assert!(reason_string(&connack).starts_with("registry_unavailable: "), "{connack}");

    up.process().limit_files(None);
    becomes(&api, 200, &Value::Null);
    api.post(PRODUCTS, &large_product("after"));
    let shown = api.get(&format!("{PRODUCTS}?limit=50"));
    let products = shown["products"].as_array().map(Vec::len);
    // The fleet file's, what was taken before, and the last: nothing that was refused has come about.
    assert_eq!(products, Some(1 + taken + 1), "{shown}");
    assert_eq!(target.paho(&unknown, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-2"));
    up.process().assert_running();
}

/// F14: the same code for a broker that is away, and the same way back.
#[test]
fn f14_a_broker_that_is_away_is_named_by_the_api_and_needs_no_restart() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let api = deployment.administrator().on("north");
    becomes(&api, 200, &Value::Null);
    deployment.nats.kill();
    let answer = api.ask("POST", PRODUCTS, Some(&large_product("refused")), &json!({}));
    assert!(answer.status == 503 && answer.body["error_code"] == "IOTDA.014951", "{} {}", answer.status, answer.body);
    wait::until("health to say why", || {
        let (status, reason) = health(&api);
        if status == 503 && (reason == "stale" || reason == "log_unwritable") {
            Ok(())
        } else {
            Err(format!("{status} {reason}"))
        }
    });
    wait::until("the instance's status to say why", || {
        let status = api.get("/rollcall/v1/instances/north")["status"].clone();
        if status["unwritable"].is_string() { Ok(()) } else { Err(status.to_string()) }
    });
    deployment.nats.restart();
    becomes(&api, 200, &Value::Null);
    api.post(PRODUCTS, &large_product("after"));
    deployment.api().assert_running();
    deployment.registrar().assert_running();
}

/// F20 on the broker's side. A nats-server that has failed to write goes on failing until it is started again.
#[test]
fn f20_a_full_disk_under_the_broker_is_named_by_the_api_and_all_goes_on_once_there_is_room() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let nats = NatsServer::on_small_disk(64);
    let mut deployment = Deployment::on(nats, folder, &[Instance::new("north", &ca.pair.certificate)]);
    let api = deployment.administrator().on("north");
    let [known, unknown] = ["truck-1", "truck-2"].map(|name| ca.quick_device(deployment.folder(), name));
    let target = deployment.target("north.test", 0);
    assert_eq!(target.paho(&known, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-1"));
    becomes(&api, 200, &Value::Null);

    deployment.nats.fill_disk();
    for number in 0..3 {
        let answer = api.ask("POST", PRODUCTS, Some(&large_product(&format!("refused-{number}"))), &json!({}));
        assert!(answer.status == 503 && answer.body["error_code"] == "IOTDA.014951", "{} {}", answer.status, answer.body);
    }
    // Registrars cannot say that they have confirmed anything.
    becomes(&api, 503, &json!("unconfirmed"));
    let status = api.get("/rollcall/v1/instances/north")["status"].clone();
    assert!(status["unready"].is_string(), "{status}");
    assert_eq!(target.paho(&known, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-1"));
    let connack = target.paho(&unknown, &PahoOptions::default()).expect("connack");
    let unavailable = ["registration_timed_out: ", "registry_unavailable: "];
    assert!(unavailable.iter().any(|code| reason_string(&connack).starts_with(code)), "{connack}");

    deployment.nats.move_to_larger_disk();
    becomes(&api, 200, &Value::Null);
    api.post(PRODUCTS, &large_product("after"));
    wait::until("the unknown device to be let in", || {
        let connack = target.paho(&unknown, &PahoOptions::default()).expect("connack");
        if connack["code"] == 0 { Ok(()) } else { Err(connack.to_string()) }
    });
    let registered = deployment.operator().registrations("north");
    assert!(registered.len() == 2 && registered.values().all(|times| *times == 1), "{registered:?}");
}
