//! Trying out a template that is not saved, over HTTP: held against what the registrar then makes of the certificate.

use rollcall_domain::registry::{
    Command,
    event::{DeclaredCredential, DeviceProfile},
};
use serde_json::{Value, json};

use crate::{
    client::Client,
    pki::{Authority, pem},
    world::{World, id},
};

const PATH: &str = "/rollcall/v1/instances/alpha/templates/preview";
const CN: &str = "iotda::certificate::common_name";
const SERIAL_NUMBER: &str = "iotda::certificate::serial_number";

fn template(product: &str, policies: &[&str]) -> Value {
    json!({"parameters": {CN: {"type": "String"}, SERIAL_NUMBER: {"type": "String"}},
        "resources": {
            "device": {"node_id": {"ref": SERIAL_NUMBER}, "device_name": {"ref": CN}, "product_id": product,
                "tags": [{"tag_key": "line", "tag_value": {"ref": CN}}]},
            "policy": {"policy_ids": policies}}})
}

async fn preview(client: &Client, template: &Value, der: &[u8]) -> Value {
    client.post(PATH, json!({"template": template, "certificate": pem(der)})).await.ok(200)
}

fn codes(answer: &Value) -> Vec<&str> {
    answer["problems"].as_array().unwrap().iter().map(|problem| problem["code"].as_str().unwrap()).collect()
}

async fn policy(operator: &Client, name: &str, space: &str) -> String {
    let statement = json!([{"effect": "ALLOW", "actions": ["iotda:devices:publish"], "resources": ["topic:/a"]}]);
    let policy = json!({"policy_name": name, "app_id": space, "statement": statement});
    operator.post("/device-policies", policy).await.ok(201)["policy_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_is_foreseen_is_what_the_registrar_then_makes() {
    let (world, authority) = World::with_ca().await;
    let (viewer, operator) = (world.viewer().await, world.operator().await);
    let policy = policy(&operator, "topics", "space").await;
    let (body, der) = (template("truck", &[&policy]), authority.device_with("pump-1", Some("sn1"), None));
    let seen = preview(&viewer, &body, &der).await;
    assert_eq!((&seen["outcome"], codes(&seen), &seen["certificate_id"]), (&json!("register"), vec![], &json!("ca")));
    let parameters = json!([{"name": CN, "value": "pump-1"}, {"name": SERIAL_NUMBER, "value": "sn1"}]);
    assert_eq!((&seen["parameters"], seen.get("collision")), (&parameters, None));
    let device = &seen["device"];
    assert_eq!(device["policies"], json!([{"policy_id": policy, "policy_name": "topics"}]));
    assert!(seen["checks"].as_array().unwrap().iter().all(|check| check["passed"] == true), "{seen}");

    let made =
        operator.post("/provisioning-templates", json!({"template_name": "new", "template_body": body})).await.ok(201);
    operator.put("/certificates/ca", json!({"template_id": made["template_id"], "provision_enable": true})).await.ok(200);
    world.connect("alpha", &der, None).await;
    let registered = operator.get("/devices/truck_sn1").await.ok(200);
    for field in ["device_id", "node_id", "device_name", "product_id", "app_id", "tags"] {
        assert_eq!(registered[field], device[field], "{field}");
    }
    assert_eq!(registered["product_name"], device["product_name"]);
    assert_eq!(preview(&viewer, &body, &der).await["outcome"], "already_registered");
    let other = preview(&viewer, &body, &authority.device_with("pump-1", Some("sn1"), None)).await;
    assert_eq!((codes(&other), &other["collision"]["device_id"]), (vec!["certificate_mismatch"], &json!("truck_sn1")));
    let mut by_name = body.clone();
    by_name["resources"]["device"]["node_id"] = json!({"ref": CN});
    let held = preview(&viewer, &by_name, &der).await;
    assert_eq!((codes(&held), &held["collision"]["device_id"]), (vec!["certificate_held_by_other"], &json!("truck_sn1")));
    assert_eq!(held["device"]["device_id"], "truck_pump-1");
}

#[tokio::test]
async fn every_problem_of_template_and_certificate_is_told_once() {
    let (world, authority) = World::with_ca().await;
    let viewer = world.viewer().await;
    let der = authority.device_with("a b", None, None);
    let unfit = preview(&viewer, &template("truck", &["nothing"]), &der).await;
    assert_eq!((codes(&unfit), unfit.get("device")), (vec!["not_found", "certificate_attribute"], None));
    assert_eq!(unfit["parameters"][0]["value"], "a b");
    assert_eq!(unfit["parameters"][1], json!({"name": SERIAL_NUMBER, "problem": "it is not in the Subject"}));

    let mut wrong = template("a b", &[]);
    wrong["resources"]["device"]["node_id"] = json!({"ref": "iotda::certificate::country"});
    let wrong = preview(&viewer, &wrong, &der).await;
    let fields: Vec<_> = wrong["problems"].as_array().unwrap().iter().map(|problem| &problem["field"]).collect();
    assert_eq!(fields, ["resources.device.node_id", "resources.device.product_id"]);
    assert_eq!(
        (codes(&wrong)[0], &wrong["parameters"][0]["value"], wrong.get("outcome")),
        ("invalid_template", &json!("a b"), None)
    );
    let shapeless = viewer.post(PATH, json!({"template": {"parameters": 7}, "certificate": pem(&der)})).await.ok(200);
    assert_eq!(codes(&shapeless), ["invalid_template"]);

    let stranger = Authority::root("not uploaded").device_with("x", Some("sn1"), None);
    let early = preview(&viewer, &template("truck", &[]), &stranger).await;
    assert_eq!((codes(&early), early.get("certificate_id")), (vec!["chain_refused"], None));
    assert_eq!((&early["device"]["device_id"], &early["device"]["app_id"]), (&json!("truck_sn1"), &json!("space")));

    for body in [
        json!({"template": template("truck", &[]), "certificate": "hello"}),
        json!({"template": template("truck", &[]), "certificate": pem(b"not DER")}),
        json!({"template": template("truck", &[]), "certificate": format!("{}-----BEGIN PRIVATE KEY-----", pem(&der))}),
    ] {
        viewer.post(PATH, body).await.refused(400, "IOTDA.014301");
    }
    let nowhere = json!({"template": template("truck", &[]), "certificate": pem(&der), "app_id": "nowhere"});
    viewer.post(PATH, nowhere).await.refused(403, "IOTDA.001000");
}

#[tokio::test]
async fn what_is_in_other_spaces_is_as_good_as_nowhere() {
    let (world, authority) = World::with_ca().await;
    world.create_space("alpha", "second").await;
    for product in ["lamp", "truck"] {
        world.create_product("alpha", "second", product).await;
    }
    let operator = world.operator().await;
    let hidden = policy(&operator, "hidden", "space").await;
    let of_second = world.operator_of(&["second"]).await;
    let of_second_ca = Authority::root("Second CA");
    world.trust("alpha", &of_second_ca, "second-ca", "second", "template").await;
    let own = of_second_ca.device_with("x", Some("sn1"), None);
    let (there, nowhere) = (template("lamp", &[&hidden]), template("lamp", &["nothing"]));
    let found = codes(&preview(&of_second, &there, &own).await).join(" ");
    assert_eq!(found, codes(&preview(&of_second, &nowhere, &own).await).join(" "));
    assert_eq!(codes(&preview(&operator, &there, &own).await), ["policy_in_another_space"]);
    assert_eq!(preview(&of_second, &there, &own).await["device"]["policies"], json!([{"policy_id": hidden}]));

    // A device of another space, by a certificate that anybody could have made.
    let profile = DeviceProfile {
        device: id("lamp_sn1"),
        node_id: id("sn1"),
        space: id("space"),
        product: id("truck"),
        name: None,
        tags: Vec::new(),
        policies: Vec::new(),
    };
    let credential = DeclaredCredential::Certificates { primary: None, secondary: None };
    let command = Command::PreRegisterDevice { profile, credential, description: None, extension_info: None };
    world.command("alpha", command).await;
    let ask = json!({"template": template("lamp", &[]), "certificate": pem(&Authority::root("any").device_with("x", Some("sn1"), None)), "app_id": "second"});
    let told = of_second.post(PATH, ask.clone()).await.ok(200);
    assert_eq!((codes(&told), told.get("collision")), (vec!["chain_refused"], None));
    assert_eq!(codes(&operator.post(PATH, ask).await.ok(200)), ["chain_refused", "device_elsewhere"]);
    // The registrar tells the owner of the CA.
    assert_eq!(codes(&preview(&of_second, &template("lamp", &[]), &own).await), ["device_elsewhere"]);
    // A CA certificate out of scope is none.
    let foreign = json!({"template": template("lamp", &[]), "certificate": pem(&authority.device_with("x", Some("sn2"), None)), "app_id": "second"});
    let told = of_second.post(PATH, foreign).await.ok(200);
    assert_eq!((codes(&told), told.get("certificate_id")), (vec!["chain_refused"], None));
}
