//! A CA that is deleted because it is not believed any more, with the processes of `rollcall up`.

use std::path::Path;

use rollcall_harness::{
    api::{Answer, Api},
    certificates::{Authority, Form, Key},
    clients::{PahoOptions, folder, reason_string},
    fleet::{Instance, yaml},
    raw,
    up::Up,
};
use serde_json::{Value, json};

/// Uploads and verifies a CA; the id of its certificate.
fn trust(api: &Api, folder: &Path, ca: &Authority, proof: &str) -> String {
    let content = std::fs::read_to_string(&ca.pair.certificate).expect("the CA certificate");
    let made = api.post("/v5/iot/{project_id}/certificates", &json!({"content": content, "app_id": "vehicles"}));
    let id = made["certificate_id"].as_str().expect("an id").to_owned();
    let code = made["verify_code"].as_str().expect("a code");
    let signed = Authority::from_pair(ca.pair.clone()).device(folder, proof, &format!("/CN={code}"), Key::P256, Form::V3);
    let content = std::fs::read_to_string(&signed.certificate).expect("the proof");
    let path = format!("/v5/iot/{{project_id}}/certificates/{id}/action?action_id=verify");
    api.post(&path, &json!({ "verify_content": content }));
    id
}

fn delete(api: &Api, certificate: &str, query: &str) -> Answer {
    let path = format!("/v5/iot/{{project_id}}/certificates/{certificate}{query}");
    let answer = api.ask("DELETE", &path, None, &json!({}));
    assert_eq!(answer.status, 204, "{answer:?}");
    answer
}

#[test]
fn f41_a_distrusted_intermediate_lets_nobody_in_until_it_is_verified_again() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let north = Instance::new("north", &ca.pair.certificate);
    let up = Up::embedded(folder, std::slice::from_ref(&north));
    let (target, api) = (up.target("north.test"), Api::of(&up.announced()["api"]).on("north"));
    let line = ca.intermediate(up.folder(), "line", Key::P256);
    let device = line.device(up.folder(), "truck-1", "/CN=truck-1", Key::P256, Form::V3);
    let live = target.paho(&device, &PahoOptions::default());
    assert_eq!(live.accepted().as_deref(), Some("truck_truck-1"));

    let certificate = trust(&api, up.folder(), &line, "first-proof");
    let answer = delete(&api, &certificate, "");
    let headers = &answer.headers;
    assert_eq!((&headers["rollcall-distrusted"], &headers["rollcall-still-vouching"]), (&json!("true"), &Value::Null));
    let goodbye = live.expect("disconnect");
    assert!(reason_string(&goodbye).starts_with("ca_distrusted: "), "{goodbye}");
    let alert = raw::not_trusted(&target, &device);
    assert!(alert.contains("CertificateRevoked"), "{alert}");
    let listed = api.get("/rollcall/v1/instances/north/distrusted-cas");
    let listed = &listed["distrusted_cas"][0];
    assert_eq!((&listed["cn_name"], &listed["app_id"]), (&json!("line"), &json!("vehicles")), "{listed}");

    let certificate = trust(&api, up.folder(), &line, "second-proof");
    assert_eq!(api.get("/rollcall/v1/instances/north/distrusted-cas"), json!({"distrusted_cas": []}));
    let headers = delete(&api, &certificate, "?distrust=false").headers;
    assert_eq!((&headers["rollcall-distrusted"], &headers["rollcall-still-vouching"]), (&json!("false"), &json!("ca")));
    raw::trusted(&target, &device);
    let again = target.paho(&device, &PahoOptions::default());
    assert_eq!(again.accepted().as_deref(), Some("truck_truck-1"), "it comes by the root");

    delete(&api, "ca", "?distrust=true");
    raw::not_trusted(&target, &device);
    let applied = Api::of(&up.announced()["api"]).apply(up.folder(), &yaml(&[north]));
    let said = String::from_utf8_lossy(&applied.stderr);
    assert!(!applied.status.success() && said.contains("the CA is distrusted"), "{said}");
    assert!(raw::not_trusted(&target, &device).contains("UnknownCA"), "a file that is applied again lifts nothing");
}
