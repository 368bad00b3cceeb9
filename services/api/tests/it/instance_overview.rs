//! How an instance stands on one page: counts, what ends, warnings, and how far it is set up.

use rollcall_domain::registry::{Command, command::TemplateChange, event::PolicyTarget};
use serde_json::{Value, json};

use crate::{
    client::Client,
    pki::Authority,
    world::{World, id},
};

const OVERVIEW: &str = "/rollcall/v1/instances/alpha/overview";

async fn overview(client: &Client) -> Value {
    client.get(OVERVIEW).await.ok(200)
}

fn codes(overview: &Value) -> Vec<(&str, Option<&str>)> {
    let warnings = overview["warnings"].as_array().unwrap().iter();
    warnings.map(|warning| (warning["code"].as_str().unwrap(), warning["target"].as_str())).collect()
}

#[tokio::test]
async fn devices_are_counted_by_status_and_within_the_scope() {
    let (world, authority) = World::with_ca().await;
    for name in ["a", "b", "c"] {
        world.connect("alpha", &authority.device(name), None).await;
    }
    world.create_device("entered").await;
    world.command("alpha", Command::FreezeDevice { device: id("truck_a") }).await;
    let (operator, viewer) = (world.operator().await, world.viewer().await);
    let mut online = world.device("truck_b").await;
    online.arrive_known(&world, &operator).await;
    let found = overview(&viewer).await;
    let expected = json!({"total": 4, "online": 1, "offline": 1, "inactive": 1, "frozen": 1});
    assert_eq!(found["devices"], expected, "{found}");
    assert!(found["view"]["position"].as_u64().unwrap() > 0, "{found}");
    assert_eq!((&found["view"]["agrees"], &found["view"]["caught_up"]), (&json!(true), &json!(true)), "{found}");
    let device = json!({"device_id": "truck_b", "online": true});
    assert_eq!(found["set_up"]["first_device"], device, "the one that is online, {found}");

    world.create_space("alpha", "other").await;
    let elsewhere = overview(&world.operator_of(&["other"]).await).await;
    assert_eq!(elsewhere["devices"]["total"], 0, "{elsewhere}");
    assert_eq!(elsewhere["set_up"].get("ca_certificate"), None, "{elsewhere}");
    assert_eq!(elsewhere["set_up"]["policy"]["app_id"], "other", "{elsewhere}");
    let part = viewer.get(&format!("{OVERVIEW}?app_id=other")).await.ok(200);
    assert_eq!((&part["devices"], &part["set_up"]), (&elsewhere["devices"], &elsewhere["set_up"]));
    world.operator_of(&["other"]).await.get(&format!("{OVERVIEW}?app_id=space")).await.refused(403, "IOTDA.001000");
}

#[tokio::test]
async fn a_set_up_is_as_far_as_the_log_says() {
    let world = World::empty().await;
    world.create_instance("alpha").await;
    let viewer = world.viewer().await;
    let set_up = async || overview(&viewer).await["set_up"].clone();
    assert_eq!(set_up().await, json!({}));
    world.create_space("alpha", "space").await;
    let policy =
        json!({"policy_id": "default-space", "app_id": "space", "name": "system_default_policy", "is_default": true});
    assert_eq!(set_up().await, json!({"policy": policy}));
    world.create_product("alpha", "space", "truck").await;
    world.create_product("alpha", "space", "boat").await;
    world.create_template("alpha", "template", "truck").await;
    let found = set_up().await;
    assert_eq!(
        found["product"],
        json!({"product_id": "truck", "app_id": "space", "name": "truck"}),
        "what the template names"
    );
    assert_eq!(found["template"], json!({"template_id": "template", "name": "template"}));
    let authority = Authority::root("Device CA");
    let der = authority.der.clone().into();
    world.command("alpha", Command::UploadCa { ca: id("ca"), space: id("space"), der }).await;
    let ca = |verified: bool| json!({"certificate_id": "ca", "app_id": "space", "cn_name": "Device CA", "verified": verified, "self_registration": false});
    assert_eq!(set_up().await["ca_certificate"], ca(false));
    world.trust("alpha", &Authority::root("Second CA"), "second", "space", "template").await;
    let second = json!({"certificate_id": "second", "app_id": "space", "cn_name": "Second CA", "verified": true,
        "template_id": "template", "self_registration": true});
    assert_eq!(set_up().await["ca_certificate"], second, "with which most is done");
    assert_eq!(set_up().await.get("first_device"), None);
}

#[tokio::test]
async fn a_first_device_is_one_of_the_ca_certificate() {
    let (world, authority) = World::with_ca().await;
    let viewer = world.viewer().await;
    world.create_device("entered").await;
    assert_eq!(overview(&viewer).await["set_up"].get("first_device"), None, "one that was entered proves nothing");
    world.connect("alpha", &authority.device("a"), None).await;
    world.connect("alpha", &authority.device("b"), None).await;
    assert_eq!(overview(&viewer).await["set_up"]["first_device"], json!({"device_id": "truck_b", "online": false}));
}

#[tokio::test]
async fn what_is_hardly_meant_so_is_told() {
    let (world, _authority) = World::with_ca().await;
    let (operator, viewer) = (world.operator().await, world.viewer().await);
    assert_eq!(codes(&overview(&viewer).await), []);
    let ca = |template, self_registration| Command::ConfigureCa { ca: id("ca"), template, self_registration };
    world.command("alpha", ca(TemplateChange::Keep, Some(false))).await;
    assert_eq!(codes(&overview(&viewer).await), [("self_registration_off", Some("ca"))]);
    world.command("alpha", ca(TemplateChange::Unbind, None)).await;
    assert_eq!(codes(&overview(&viewer).await), [("ca_without_template", Some("ca"))]);
    world.command("alpha", ca(TemplateChange::Bind(id("template")), Some(true))).await;

    let statement = json!([{"effect": "ALLOW", "actions": ["iotda:devices:publish"], "resources": ["topic:up"]}]);
    let made = operator.post("/device-policies", json!({"policy_name": "own", "statement": statement})).await.ok(201);
    let own = made["policy_id"].as_str().unwrap();
    let beside = ("default_policy_beside_own", Some("default-space"));
    assert_eq!(codes(&overview(&viewer).await), [beside, ("policy_unbound", Some(own))]);
    world.create_device("entered").await;
    let bind = |target| Command::BindPolicy { policy: id(own), target };
    world.command("alpha", bind(PolicyTarget::Device(id("entered")))).await;
    assert_eq!(codes(&overview(&viewer).await), [beside], "bound to one device");
    let target = PolicyTarget::Space(id("space"));
    world.command("alpha", Command::UnbindPolicy { policy: id("default-space"), target }).await;
    assert_eq!(codes(&overview(&viewer).await), [("policy_unbound", Some("default-space"))]);
    let target = PolicyTarget::Device(id("entered"));
    world.command("alpha", Command::UnbindPolicy { policy: id(own), target }).await;
    let found = overview(&viewer).await;
    assert_eq!(codes(&found), [("no_policy_bound", None)], "and not each of them beside");
    assert_eq!(found["warnings"][0]["app_id"], "space");
    world.create_space("alpha", "other").await;
    assert_eq!(codes(&overview(&world.operator_of(&["other"]).await).await), [], "of another's resource space");
}

#[tokio::test]
async fn a_ca_certificate_that_ends_is_told_a_month_before() {
    let (world, _authority) = World::with_ca().await;
    let viewer = world.viewer().await;
    assert_eq!(overview(&viewer).await["certificates_ending"], json!([]));
    let not_after = world.view("alpha").admission().configuration().cas[&id("ca")].not_after;
    world.clock.set(not_after.unix_ms() - 30 * 24 * 3_600_000 - 1);
    assert_eq!(overview(&viewer).await["certificates_ending"], json!([]));
    world.clock.set(not_after.unix_ms() - 30 * 24 * 3_600_000);
    let ending = overview(&viewer).await["certificates_ending"].clone();
    let expected =
        json!([{"certificate_id": "ca", "cn_name": "Device CA", "app_id": "space", "not_after": not_after.to_string()}]);
    assert_eq!(ending, expected);
}
