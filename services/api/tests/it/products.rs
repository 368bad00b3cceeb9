//! Products over HTTP.

use serde_json::{Value, json};

use crate::{
    client::Client,
    world::{NOW_MS, World, eventually},
};

fn product(name: &str) -> Value {
    json!({
        "name": name, "device_type": "Lamp", "protocol_type": "MQTT", "data_format": "json",
        "service_capabilities": [{
            "service_id": "Light", "service_type": "Light", "own": {"z": 1, "a": 2.5},
            "properties": [{"property_name": "on", "data_type": "boolean", "required": false, "method": "RW"}],
            "commands": [{"command_name": "SET", "paras": [{"para_name": "v", "data_type": "int", "min": "0", "step": 0.5}]}],
        }],
    })
}

fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_product_is_what_was_given_and_then_what_was_changed() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let given = with(product("Lamp"), json!({"manufacturer_name": "ACME", "unknown": true, "description": null}));
    let made = operator.post("/products", given.clone()).await.ok(201);
    let id = made["product_id"].as_str().unwrap().to_owned();
    assert!(id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    assert_eq!((&made["app_id"], &made["app_name"]), (&json!("space"), &json!("space")));
    assert_eq!(made["service_capabilities"], given["service_capabilities"], "kept as given, unknown fields too");
    assert_eq!(made["create_time"], "20260601T000000Z");
    assert_eq!(made.get("description"), None);
    let path = format!("/products/{id}");
    assert_eq!(operator.get(&path).await.ok(200), made);

    let changed = operator.put(&path, json!({"industry": "Lighting", "app_id": "space"})).await.ok(200);
    assert_eq!(changed, with(made, json!({"industry": "Lighting"})), "what is absent stays");
    assert_eq!(operator.get(&path).await.ok(200), changed);

    operator.delete(&path).await.ok(204);
    operator.get(&path).await.refused(404, "IOTDA.014901");
    operator.delete(&path).await.refused(404, "IOTDA.014901");
}

#[tokio::test]
async fn a_product_is_meant_by_its_space_else_by_the_default_one_else_by_age() {
    let world = World::with_alpha().await;
    for space in ["second", "third"] {
        world.create_space("alpha", space).await;
    }
    let operator = world.operator().await;
    let named = |app: &str, id: &str| with(product(app), json!({"app_id": app, "product_id": id}));
    operator.post("/products", named("third", "shared")).await.ok(201);
    world.clock.set(NOW_MS + 1000);
    operator.post("/products", named("second", "shared")).await.ok(201);
    assert_eq!(operator.get("/products/shared").await.ok(200)["app_id"], "third", "the oldest");
    assert_eq!(operator.get("/products/shared?app_id=second").await.ok(200)["app_id"], "second");
    operator.get("/products/shared?app_id=space").await.refused(404, "IOTDA.014901");
    operator.get("/products/shared?app_id=nowhere").await.refused(403, "IOTDA.001000");
    operator.post("/products", named("space", "shared")).await.ok(201);
    assert_eq!(operator.get("/products/shared").await.ok(200)["app_id"], "space", "the default one");
    operator.put("/products/shared", json!({"name": "other", "app_id": "second"})).await.ok(200);
    assert_eq!(operator.get("/products/shared?app_id=second").await.ok(200)["name"], "other");
    assert_eq!(operator.get("/products/shared?app_id=third").await.ok(200)["name"], "third");

    let of_second = world.operator_of(&["second"]).await;
    assert_eq!(of_second.get("/products/shared").await.ok(200)["app_id"], "second");
    of_second.get("/products/shared?app_id=third").await.refused(403, "IOTDA.001000");
    of_second.post("/products", named("third", "more")).await.refused(403, "IOTDA.001000");
    assert_eq!(of_second.all_pages("/products", "products", 1).await.len(), 1);
    assert_eq!(operator.all_pages("/products", "products", 1).await.len(), 4, "three of one id, and the truck");
}

#[tokio::test]
async fn products_are_listed_newest_first_by_space_and_name_without_their_services() {
    let world = World::with_alpha().await;
    world.create_space("alpha", "second").await;
    let operator = world.operator().await;
    for n in 0..7 {
        world.clock.set(NOW_MS + 1000 * n);
        let app = if n % 2 == 0 { "space" } else { "second" };
        let given = with(product(&format!("lamp {}", n % 3)), json!({"app_id": app}));
        operator.post("/products", given).await.ok(201);
    }
    let all = operator.all_pages("/products", "products", 3).await;
    assert_eq!(all.len(), 8, "and the truck");
    let times: Vec<&str> = all.iter().map(|product| product["create_time"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
    assert!(all.iter().all(|product| product.get("service_capabilities").is_none()));
    assert_eq!(operator.all_pages("/products?app_id=second", "products", 2).await.len(), 3);
    assert_eq!(operator.all_pages("/products?product_name=lamp%201&app_id=space", "products", 2).await.len(), 1);
    assert_eq!(operator.all_pages("/products?product_name=lamp", "products", 2).await.len(), 0);
    operator.get("/products?limit=51").await.refused(400, "IOTDA.000017");
}

#[tokio::test]
async fn what_a_product_cannot_be_is_said_with_its_path() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let cases = [
        (json!({"name": ""}), "name: has 0 characters"),
        (json!({"protocol_type": "AMQP"}), "protocol_type: give one of MQTT"),
        (json!({"product_id": "a b"}), "product_id: product id holds ' '"),
        (json!({"service_capabilities": [{"service_id": "s"}]}), "service_capabilities[0]: missing field `service_type`"),
        (json!({"service_capabilities": {}}), "service_capabilities: "),
        (json!({"device_type": 7}), "device_type: "),
    ];
    for (wrong, expected) in cases {
        let text = operator.post("/products", with(product("p"), wrong)).await.refused(400, "IOTDA.000006");
        assert!(text.contains(expected), "{text}");
    }
    let twice = with(product("p"), json!({"product_id": "p"}));
    operator.post("/products", twice.clone()).await.ok(201);
    operator.post("/products", with(twice, json!({"name": "q"}))).await.refused(409, "IOTDA.014920");
    let made = operator.post_once("k", "/products", product("once")).await.ok(201);
    assert_eq!(operator.post_once("k", "/products", product("once")).await.ok(201), made, "sent again, made once");
}

#[tokio::test]
async fn a_product_with_devices_stays() {
    let (world, authority) = World::with_ca().await;
    world.connect("alpha", &authority.device("one"), None).await;
    let operator = world.operator().await;
    let text = operator.delete("/products/truck").await.refused(409, "IOTDA.014923");
    assert!(text.contains("still used by devices"), "{text}");
}

#[tokio::test]
async fn a_key_is_its_operators_for_one_request_that_was_not_refused() {
    let world = World::with_alpha().await;
    let (operator, colleague) = (world.operator().await, world.operator().await);
    let product = |name: &str| {
        json!({
            "name": name, "device_type": "Truck", "protocol_type": "MQTT", "data_format": "json", "service_capabilities": [],
            "app_id": "space", "product_id": name,
        })
    };
    let made = operator.post_once("k", "/products", product("first")).await.ok(201);
    let text = operator.post_once("k", "/products", product("second")).await.refused(409, "IOTDA.014946");
    assert!(text.contains("Idempotency-Key"), "{text}");
    // The key of somebody else.
    colleague.post_once("k", "/products", product("second")).await.ok(201);
    // The same change by another address of the API, and by naming the instance.
    let (address, _stop) = world.second_api().await;
    let elsewhere = Client { address, ..operator.clone() };
    eventually("the other API serves the instance", async || elsewhere.get("/products").await.status == 200).await;
    assert_eq!(elsewhere.post_once("k", "/products", product("first")).await.ok(201), made);
    assert_eq!(elsewhere.of_instance("alpha").post_once("k", "/products", product("first")).await.ok(201), made);
    elsewhere.post_once("k", "/products", product("third")).await.refused(409, "IOTDA.014946");
    // The same key in another instance.
    world.create_instance("beta").await;
    world.create_space("beta", "space").await;
    operator.of_instance("beta").post_once("k", "/products", product("third")).await.ok(201);
    // What was refused is not bound to its key.
    let alpha = operator.of_instance("alpha");
    let mut taken = product("second");
    taken["name"] = json!("other");
    let refused = alpha.post_once("r", "/products", taken).await;
    assert_eq!(refused.status, 409, "{refused:?}");
    alpha.post_once("r", "/products", product("third")).await.ok(201);
}
