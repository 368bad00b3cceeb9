//! What a template change would do, asked over HTTP before it is made.

use rollcall_domain::registry::{
    Command,
    command::TemplateChange,
    event::{DeclaredCredential, DeviceProfile},
};
use serde_json::{Value, json};

use crate::{
    pki::Authority,
    world::{World, id},
};

const PATH: &str = "/rollcall/v1/instances/alpha/templates/template/what-if";
const CN: &str = "iotda::certificate::common_name";
const SERIAL_NUMBER: &str = "iotda::certificate::serial_number";
const UNIT: &str = "iotda::certificate::organizational_unit";

/// A body that makes `node_id` of an attribute.
fn by(attribute: &str, product: &str) -> Value {
    json!({"parameters": {attribute: {"type": "String"}},
        "resources": {"device": {"node_id": {"ref": attribute}, "product_id": product}}})
}

async fn ask(world: &World, body: Value) -> Value {
    world.viewer().await.post(PATH, json!({"template_body": body})).await.ok(200)
}

fn counts(answer: &Value) -> Vec<(&str, u64)> {
    let counts = answer["counts"].as_object().unwrap();
    counts.iter().filter(|(_, count)| **count != json!(0)).map(|(name, count)| (&**name, count.as_u64().unwrap())).collect()
}

/// Five devices of the template, and one that only its CONNECT named.
async fn furnished() -> (World, Authority) {
    let (world, authority) = World::with_ca().await;
    let devices = [("d0", Some("a")), ("d1", Some("a")), ("d2", Some("d3")), ("d3", Some("d3")), ("d4", None)];
    for (cn, serial_number) in devices {
        let unit = (cn == "d4").then_some("truck_d4");
        world.connect("alpha", &authority.device_with(cn, serial_number, unit), None).await;
    }
    let profile = DeviceProfile {
        device: id("special"),
        node_id: id("special"),
        space: id("space"),
        product: id("truck"),
        name: None,
        tags: Vec::new(),
        policies: Vec::new(),
    };
    let credential = DeclaredCredential::Certificates { primary: None, secondary: None };
    let command = Command::PreRegisterDevice { profile, credential, description: None, extension_info: None };
    world.command("alpha", command).await;
    world.connect("alpha", &authority.device_with("no id", Some("s"), None), Some("special")).await;
    (world, authority)
}

#[tokio::test]
async fn a_change_is_foreseen_for_every_device_of_the_template() {
    let (world, _) = furnished().await;
    let same = ask(&world, by(CN, "truck")).await;
    assert_eq!((&same["valid"], &same["complete"]), (&json!(true), &json!(true)));
    assert_eq!(counts(&same), [("examined", 6), ("not_by_template", 1), ("unchanged", 5)]);

    let changed = ask(&world, by(SERIAL_NUMBER, "truck")).await;
    let expected =
        [("collides", 2), ("examined", 6), ("no_device", 1), ("not_by_template", 1), ("other_device", 1), ("unchanged", 1)];
    assert_eq!(counts(&changed), expected, "{changed}");
    let examples = &changed["examples"];
    // The newest is asked first: d1 comes to truck_a before d0 does.
    let other = &examples["other_device"][0];
    assert_eq!((&other["device_id"], &other["would_be"]), (&json!("truck_d1"), &json!("truck_a")));
    assert_eq!(other["fingerprint"].as_str().unwrap().len(), 64);
    let collides: Vec<_> =
        examples["collides"].as_array().unwrap().iter().map(|one| (&one["device_id"], &one["would_be"])).collect();
    assert_eq!(collides, [(&json!("truck_d2"), &json!("truck_d3")), (&json!("truck_d0"), &json!("truck_a"))]);
    let none = &examples["no_device"][0];
    assert_eq!((&none["device_id"], none.get("would_be")), (&json!("truck_d4"), None));
    assert!(none["reason"].as_str().unwrap().contains("serialNumber"), "{none}");
    assert_eq!(changed.get("rejection"), None);
}

#[tokio::test]
async fn a_body_that_would_be_refused_is_told_so() {
    let (world, _) = furnished().await;
    let mut elsewhere = by(UNIT, "lamp");
    elsewhere["resources"]["device"]["device_id"] = json!({"ref": UNIT});
    let answer = ask(&world, elsewhere).await;
    assert_eq!(counts(&answer), [("examined", 6), ("no_device", 4), ("not_by_template", 1), ("product_elsewhere", 1)]);
    assert_eq!((&answer["valid"], &answer["rejection"]["code"]), (&json!(true), &json!("not_found")), "there are no lamps");

    let mut wrong = by(CN, "truck");
    wrong["resources"]["device"]["node_id"] = json!({"ref": UNIT});
    wrong["resources"]["device"]["product_id"] = json!("a b");
    let faults = ask(&world, wrong).await;
    assert_eq!((&faults["valid"], &faults["complete"], counts(&faults)), (&json!(false), &json!(false), vec![]));
    let fields: Vec<_> = faults["faults"].as_array().unwrap().iter().map(|fault| &fault["field"]).collect();
    assert_eq!(fields, [&json!("resources.device.node_id"), &json!("resources.device.product_id")]);
    let shapeless = ask(&world, json!({"parameters": 7})).await;
    assert_eq!((&shapeless["valid"], &shapeless["faults"][0]["field"]), (&json!(false), &json!("template_body")));
    world
        .viewer()
        .await
        .post(&PATH.replace("templates/template", "templates/none"), json!({"template_body": by(CN, "truck")}))
        .await
        .refused(404, "IOTDA.014903");
}

#[tokio::test]
async fn who_may_not_see_every_device_is_told_that_there_are_more() {
    let (world, _) = furnished().await;
    world.create_space("alpha", "second").await;
    let of_second = world.operator_of(&["second"]).await;
    let asked = async |product: &str| {
        let answer = of_second.post(PATH, json!({"template_body": by(SERIAL_NUMBER, product)})).await;
        (answer.status, answer.body)
    };
    assert_eq!(asked("truck").await.0, 404, "the template is bound elsewhere");
    world.create_product("alpha", "second", "truck").await;
    world.create_product("alpha", "space", "boat").await;
    world.trust("alpha", &Authority::root("Another CA"), "second-ca", "second", "template").await;
    let (status, answer) = asked("truck").await;
    assert_eq!((status, &answer["complete"], &answer["limited_by"]), (200, &json!(false), &json!("scope")));
    assert_eq!((counts(&answer), answer.get("rejection")), (vec![], None));
    // Not told whether a product is in another resource space.
    assert_eq!(asked("boat").await.1["rejection"], asked("nothing").await.1["rejection"]);
    assert_eq!(asked("boat").await.1["rejection"]["code"], "not_found");
}

#[tokio::test]
async fn more_devices_than_one_lookup_holds_are_all_examined_and_a_hundred_shown() {
    let (world, authority) = World::with_ca().await;
    for n in 0..520 {
        let der = authority.device_with(&format!("n{n}"), Some(&format!("s{n}")), None);
        world.connect("alpha", &der, None).await;
    }
    let answer = ask(&world, by(SERIAL_NUMBER, "truck")).await;
    assert_eq!((&answer["complete"], counts(&answer)), (&json!(true), vec![("examined", 520), ("other_device", 520)]));
    assert_eq!(answer["examples"]["other_device"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn a_template_that_is_not_saved_is_foreseen_for_a_ca_certificate() {
    let (world, authority) = furnished().await;
    let path = "/rollcall/v1/instances/alpha/certificates/ca/what-if";
    let viewer = world.viewer().await;
    let asked = async |body: Value| viewer.post(path, json!({"template_body": body})).await.ok(200);
    let changed = by(SERIAL_NUMBER, "truck");
    let told = asked(changed.clone()).await;
    assert_eq!(
        (counts(&told), &told["examples"]),
        (counts(&ask(&world, changed.clone()).await), &ask(&world, changed).await["examples"])
    );
    assert_eq!((&told["complete"], told.get("rejection")), (&json!(true), None));
    let same = asked(by(CN, "truck")).await;
    assert_eq!(counts(&same), [("examined", 6), ("not_by_template", 1), ("unchanged", 5)]);
    assert_eq!(asked(by(CN, "boat")).await["rejection"]["code"], "not_found", "it could not be bound");
    assert_eq!(asked(json!({})).await["valid"], false);

    // A CA certificate that has no template yet, and a device that its CONNECT named.
    world.create_device("waiting").await;
    let second = Authority::root("Second CA");
    world.trust("alpha", &second, "second", "space", "template").await;
    let unbind = Command::ConfigureCa { ca: id("second"), template: TemplateChange::Unbind, self_registration: Some(false) };
    world.command("alpha", unbind).await;
    world.connect("alpha", &second.device("x"), Some("waiting")).await;
    let path = "/rollcall/v1/instances/alpha/certificates/second/what-if";
    let told = viewer.post(path, json!({"template_body": by(CN, "truck")})).await.ok(200);
    assert_eq!((counts(&told), told.get("rejection")), (vec![("examined", 1), ("not_by_template", 1)], None));
    drop(authority);

    world.create_space("alpha", "other").await;
    let of_other = world.operator_of(&["other"]).await;
    of_other.post(path, json!({"template_body": by(CN, "truck")})).await.refused(404, "IOTDA.014904");
}
