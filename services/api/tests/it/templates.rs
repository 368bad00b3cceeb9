//! Self-registration templates over HTTP.

use serde_json::{Value, json};

use crate::world::{NOW_MS, World};

/// A template body; `cn` is the parameter for the common name.
pub(crate) fn body(product: &str) -> Value {
    let cn = "iotda::certificate::common_name";
    json!({
        "parameters": {cn: {"type": "String"}},
        "resources": {
            "device": {"node_id": {"ref": cn}, "product_id": product, "tags": [{"tag_key": "k", "tag_value": {"ref": cn}}]},
            "policy": {"policy_ids": ["default-space"]},
        },
    })
}

#[tokio::test]
async fn a_template_is_what_was_given_and_keeps_its_name() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let given = json!({"template_name": "trucks", "description": "by CN", "template_body": body("truck")});
    let made = operator.post("/provisioning-templates", given).await.ok(201);
    for (name, value) in body("truck").as_object().unwrap() {
        assert_eq!(made["template_body"][name], *value, "{made}");
    }
    assert_eq!((&made["template_name"], &made["description"]), (&json!("trucks"), &json!("by CN")));
    let path = format!("/provisioning-templates/{}", made["template_id"].as_str().unwrap());
    assert_eq!(operator.get(&path).await.ok(200), made);

    world.clock.set(NOW_MS + 61_000);
    let changed = operator.put(&path, json!({"description": "", "template_name": "trucks"})).await.ok(200);
    assert_eq!((&changed["description"], &changed["template_body"]), (&json!(""), &made["template_body"]));
    assert_eq!((&changed["create_time"], &changed["update_time"]), (&json!("20260601T000000Z"), &json!("20260601T000101Z")));
    let text = operator.put(&path, json!({"template_name": "other"})).await.refused(400, "IOTDA.000006");
    assert!(text.contains("template_name: a template keeps the name"), "{text}");

    let listed = operator.all_pages("/provisioning-templates?template_name=trucks", "templates", 10).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].get("template_body"), None);
    assert!(operator.all_pages("/provisioning-templates?template_name=truck", "templates", 10).await.is_empty());
    let twice = json!({"template_name": "trucks", "template_body": body("lamp")});
    operator.post("/provisioning-templates", twice).await.refused(409, "IOTDA.014921");
    operator.delete(&path).await.ok(204);
    operator.get(&path).await.refused(404, "IOTDA.014903");
}

#[tokio::test]
async fn every_fault_of_a_template_is_told_at_a_time() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let mut wrong = body("truck");
    wrong["resources"]["device"]["device_name"] = json!({"ref": "iotda::certificate::country"});
    wrong["resources"]["device"].as_object_mut().unwrap().remove("node_id");
    wrong["resources"]["device"]["tags"][0]["tag_key"] = json!("iot_k");
    let given = json!({"template_name": "t", "template_body": wrong});
    let text = operator.post("/provisioning-templates", given).await.refused(400, "IOTDA.014925");
    for field in ["resources.device.device_name", "resources.device.node_id", "resources.device.tags[0].tag_key"] {
        assert!(text.contains(field), "{field} in {text}");
    }
    for (shape, path) in [
        (json!({"parameters": {}}), "resources"),
        (json!({"parameters": {}, "resources": {"device": {"colour": "red"}}}), "resources.device.colour"),
        (json!([]), "template_body"),
    ] {
        let given = json!({"template_name": "t", "template_body": shape});
        let text = operator.post("/provisioning-templates", given).await.refused(400, "IOTDA.014925");
        assert!(text.contains(path), "{path} in {text}");
    }
    operator.post("/provisioning-templates", json!({"template_name": "t"})).await.refused(400, "IOTDA.000006");
}

#[tokio::test]
async fn templates_are_read_by_all_and_changed_by_who_may_use_the_whole_instance() {
    let (world, _) = World::with_ca().await;
    let of_space = world.operator_of(&["space"]).await;
    let path = "/provisioning-templates/template";
    of_space.get(path).await.ok(200);
    assert_eq!(of_space.all_pages("/provisioning-templates", "templates", 1).await.len(), 1);
    let given = json!({"template_name": "t", "template_body": body("truck")});
    of_space.post("/provisioning-templates", given).await.refused(403, "IOTDA.000021");
    of_space.put(path, json!({"description": "x"})).await.refused(403, "IOTDA.000021");
    of_space.delete(path).await.refused(403, "IOTDA.000021");
    let operator = world.operator().await;
    let text = operator.delete(path).await.refused(409, "IOTDA.014923");
    assert!(text.contains("CA certificate ca"), "{text}");
}

#[tokio::test]
async fn who_is_limited_to_a_resource_space_sees_the_templates_that_concern_it() {
    let (world, _) = World::with_ca().await;
    world.create_space("alpha", "second").await;
    for product in ["truck", "boat"] {
        world.create_product("alpha", "second", product).await;
    }
    world.create_product("alpha", "space", "lamp").await;
    let operator = world.operator().await;
    let cn = "iotda::certificate::common_name";
    let bare = |product: Value| json!({"parameters": {cn: {"type": "String"}}, "resources": {"device": {"node_id": {"ref": cn}, "product_id": product}}});
    let mut ids = std::collections::BTreeMap::new();
    for (name, body) in [
        ("any-product", bare(json!({"ref": cn}))),
        ("second-only", bare(json!("boat"))),
        ("space-only", bare(json!("lamp"))),
        ("either", bare(json!("truck"))),
    ] {
        let made = operator.post("/provisioning-templates", json!({"template_name": name, "template_body": body})).await;
        ids.insert(name, made.ok(201)["template_id"].as_str().unwrap().to_owned());
    }
    let names = async |spaces: &[&str]| {
        let listed = world.operator_of(spaces).await.all_pages("/provisioning-templates", "templates", 3).await;
        let mut names: Vec<String> =
            listed.iter().map(|template| template["template_name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    // `template` names a truck too, and is bound in `space`.
    assert_eq!(names(&["second"]).await, ["any-product", "either", "second-only"]);
    assert_eq!(names(&["space"]).await, ["any-product", "either", "space-only", "template"]);
    let of_second = world.operator_of(&["second"]).await;
    for hidden in ["template", ids["space-only"].as_str()] {
        of_second.get(&format!("/provisioning-templates/{hidden}")).await.refused(404, "IOTDA.014903");
    }
    // What is seen can be bound, and what is not cannot.
    let authority = crate::pki::Authority::root("Second CA");
    let given = json!({"content": crate::pki::pem(&authority.der), "app_id": "second"});
    let ca = of_second.post("/certificates", given).await.ok(201)["certificate_id"].as_str().unwrap().to_owned();
    let bind = async |template: &str| of_second.put(&format!("/certificates/{ca}"), json!({"template_id": template})).await;
    bind("template").await.refused(404, "IOTDA.014903");
    bind(&ids["either"]).await.ok(200);
    assert_eq!(names(&["space"]).await, ["any-product", "space-only", "template"], "it is the others' by now");
}

#[tokio::test]
async fn what_does_not_exist_is_not_named_by_a_template_and_what_one_names_is_not_deleted() {
    let (world, _) = World::with_ca().await;
    let operator = world.operator().await;
    let given = |body: Value| json!({"template_name": "t", "template_body": body});
    let text = operator.post("/provisioning-templates", given(body("lamp"))).await.refused(404, "IOTDA.014900");
    assert!(text.contains("product lamp does not exist"), "{text}");
    let mut no_policy = body("truck");
    no_policy["resources"]["policy"]["policy_ids"] = json!(["none"]);
    let text = operator.post("/provisioning-templates", given(no_policy.clone())).await.refused(404, "IOTDA.014900");
    assert!(text.contains("policy none does not exist"), "{text}");
    let change = json!({"template_body": no_policy});
    operator.put("/provisioning-templates/template", change).await.refused(404, "IOTDA.014900");
    let text = operator.delete("/products/truck").await.refused(409, "IOTDA.014923");
    assert!(text.contains("template template"), "{text}");
    operator.put("/certificates/ca", json!({"template_id": null, "provision_enable": false})).await.ok(200);
    operator.delete("/products/truck").await.ok(204);
}
