//! Declaring what an instance holds, under chosen ids: created, changed or left alone, by whoever v5 would let.

use rollcall_domain::{
    fleet::{Role, Scope},
    ids::Position,
};
use serde_json::{Value, json};

use crate::{
    pki::{Authority, pem},
    world::{World, id},
};

fn at(rest: &str) -> String {
    format!("/rollcall/v1/instances/alpha{rest}")
}

fn statement(topic: &str) -> Value {
    json!([{ "effect": "ALLOW", "actions": ["iotda:devices:publish"], "resources": [format!("topic:{topic}")] }])
}

fn product(name: &str) -> Value {
    json!({ "name": name, "device_type": "Truck", "protocol_type": "MQTT", "data_format": "json", "service_capabilities": [] })
}

fn template(product: &str) -> Value {
    let cn = "iotda::certificate::common_name";
    json!({ "template_name": "by-cn", "template_body": {
        "parameters": { cn: { "type": "String" } },
        "resources": { "device": { "node_id": { "ref": cn }, "product_id": product } },
    } })
}

/// Where alpha's log ends.
async fn last(world: &World) -> Position {
    world.backbone.log.last(&rollcall_domain::ids::LogId::Instance(id("alpha"))).await.unwrap()
}

#[tokio::test]
async fn what_is_declared_is_created_then_left_alone_then_changed() {
    let world = World::with_alpha().await;
    let (operator, ca) = (world.operator().await, Authority::root("Device CA"));
    let (described, plain) = (product("Truck").as_object().unwrap().clone(), product("Truck"));
    let described: Value =
        described.into_iter().chain([("description".to_owned(), json!("heavy"))]).collect::<serde_json::Map<_, _>>().into();
    let cases = [
        (
            "/apps/fleet",
            json!({ "app_name": "Fleet", "default_policy_id": "everything" }),
            Some(json!({ "app_name": "Trucks" })),
        ),
        ("/apps/fleet/products/heavy", described, Some(plain)),
        ("/apps/fleet/products/other", product("Other"), None),
        (
            "/apps/fleet/policies/up",
            json!({ "policy_name": "up", "statement": statement("a") }),
            Some(json!({ "policy_name": "up", "statement": statement("b") })),
        ),
        ("/templates/by-cn", template("heavy"), Some(template("other"))),
        ("/apps/fleet/certificates/ca", json!({ "content": pem(&ca.der) }), None),
    ];
    for (path, first, second) in cases {
        let made = operator.put(&at(path), first.clone()).await.ok(200);
        assert_eq!((&made["outcome"], &made["position"]), (&json!("created"), &json!(last(&world).await.0)), "{path}");
        // Nobody has to rule on what is so already.
        world.hold();
        let again = operator.put(&at(path), first).await.ok(200);
        assert_eq!((&again["outcome"], &again["position"]), (&json!("unchanged"), &Value::Null), "{path}");
        world.resume();
        if let Some(second) = second {
            let changed = operator.put(&at(path), second).await.ok(200);
            assert_eq!(
                (&changed["outcome"], &changed["position"]),
                (&json!("changed"), &json!(last(&world).await.0)),
                "{path}"
            );
        }
    }
    // What v5 shows of it, by the chosen ids.
    let operator = operator.of_instance("alpha");
    assert_eq!(operator.get("/apps/fleet").await.ok(200)["app_name"], "Trucks");
    let heavy = operator.get("/products/heavy?app_id=fleet").await.ok(200);
    assert_eq!((&heavy["name"], &heavy["description"]), (&json!("Truck"), &Value::Null), "what is left out is gone");
    assert_eq!(operator.get("/device-policies/up").await.ok(200)["statement"], statement("b"));
    assert_eq!(operator.get("/device-policies/everything").await.ok(200)["policy_name"], "system_default_policy");
    assert_eq!(operator.get("/provisioning-templates/by-cn").await.ok(200)["template_name"], "by-cn");
    assert_eq!(operator.get("/certificates/ca").await.ok(200)["app_id"], "fleet");
}

/// The policies that are bound to the whole of a resource space.
fn bound(world: &World, space: &str) -> Vec<String> {
    let configuration = world.view("alpha").admission().configuration();
    configuration.spaces[&id(space)].policies.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_resource_space_has_a_default_policy_unless_it_is_to_have_none() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let none = |name: &str| json!({ "app_name": name, "default_policy": "none" });
    let own = json!({ "policy_name": "own", "statement": statement("own/*") });

    let made = operator.put(&at("/apps/closed"), none("Closed")).await.ok(200);
    assert_eq!((&made["outcome"], &made["warnings"]), (&json!("created"), &Value::Null));
    assert_eq!(bound(&world, "closed"), [""; 0]);
    let declared = operator.put(&at("/apps/closed/policies/own"), own.clone()).await.ok(200);
    assert_eq!(declared["warnings"], Value::Null, "nothing stands beside it");
    let again = operator.put(&at("/apps/closed"), none("Closed")).await.ok(200);
    assert_eq!(again["outcome"], "unchanged");
    let opened = json!({ "app_name": "Closed", "default_policy": "allow" });
    assert_eq!(operator.put(&at("/apps/closed"), opened).await.ok(200)["outcome"], "unchanged", "a word opens nothing");
    assert_eq!(bound(&world, "closed"), [""; 0]);

    let by_word = json!({ "app_name": "Open", "default_policy": "allow", "default_policy_id": "everything" });
    operator.put(&at("/apps/open"), by_word.clone()).await.ok(200);
    assert_eq!(bound(&world, "open"), ["everything"]);
    let declared = operator.put(&at("/apps/open/policies/own-2"), own).await.ok(200);
    let warning = declared["warnings"][0].as_str().expect("a warning");
    assert!(warning.contains("everything (system_default_policy)") && warning.contains("default_policy"), "{warning}");
    assert_eq!(operator.put(&at("/apps/open"), by_word).await.ok(200)["warnings"][0], warning, "as long as it is so");
    // A name and the end of the default policy in one: two records, and the answer names the last.
    let closed = operator.put(&at("/apps/open"), none("Shut")).await.ok(200);
    assert_eq!((&closed["outcome"], &closed["position"]), (&json!("changed"), &json!(last(&world).await.0)));
    assert_eq!(closed["warnings"], Value::Null);
    assert_eq!(bound(&world, "open"), [""; 0]);
    let of_alpha = operator.of_instance("alpha");
    assert_eq!(of_alpha.get("/apps/open").await.ok(200)["app_name"], "Shut");
    of_alpha.get("/device-policies/everything").await.ok(200);

    // What an operator has made open is theirs: it is told, and left.
    let statement = json!([{ "effect": "ALLOW", "actions": ["iotda:devices:publish", "iotda:devices:subscribe"], "resources": ["topic:*"] }]);
    operator.put(&at("/apps/closed/policies/all"), json!({ "policy_name": "all", "statement": statement })).await.ok(200);
    let bind = json!({ "target_type": "app", "target_ids": ["closed"] });
    of_alpha.post("/device-policies/all/bind", bind).await.ok(200);
    let kept = operator.put(&at("/apps/closed"), none("Closed")).await.ok(200);
    assert_eq!(kept["outcome"], "unchanged");
    assert!(kept["warnings"][0].as_str().is_some_and(|warning| warning.contains("policy all (all)")), "{kept}");

    let contradicting = json!({ "app_name": "x", "default_policy": "none", "default_policy_id": "p" });
    operator.put(&at("/apps/x"), contradicting).await.refused(400, "IOTDA.000006");
    operator.put(&at("/apps/x"), json!({ "app_name": "x", "default_policy": "deny" })).await.refused(400, "IOTDA.000006");
    // The service's own call makes what the service makes.
    let of_service = of_alpha.post("/apps", json!({ "app_name": "as-ever" })).await.ok(201);
    assert_eq!(bound(&world, of_service["app_id"].as_str().expect("an id")).len(), 1);
}

#[tokio::test]
async fn a_declared_ca_certificate_says_how_its_code_stands() {
    let world = World::with_alpha().await;
    let (operator, ca) = (world.operator().await, Authority::root("Device CA"));
    let declare =
        async || operator.put(&at("/apps/space/certificates/ca"), json!({ "content": pem(&ca.der) })).await.ok(200);
    let made = declare().await;
    assert_eq!((&made["status"], &made["verify_code_expired"]), (&json!(false), &json!(false)));
    assert!(made["verify_code"].is_string() && made["verify_code_expires_at"].is_string(), "{made}");
    let proof = pem(&ca.device(made["verify_code"].as_str().unwrap()));
    operator
        .of_instance("alpha")
        .post("/certificates/ca/action?action_id=verify", json!({ "verify_content": proof }))
        .await
        .ok(200);
    let verified = declare().await;
    assert_eq!((&verified["outcome"], &verified["status"]), (&json!("unchanged"), &json!(true)));
    assert_eq!(verified["verify_code_expires_at"], Value::Null);
    let other = json!({ "content": pem(&Authority::root("Another CA").der) });
    let said = operator.put(&at("/apps/space/certificates/ca"), other).await.refused(409, "IOTDA.014920");
    assert!(said.contains("use a new id"), "{said}");
}

#[tokio::test]
async fn declaring_needs_what_v5_needs() {
    let world = World::with_alpha().await;
    world.create_space("alpha", "other").await;
    let (viewer, operator, limited) = (world.viewer().await, world.operator().await, world.operator_of(&["other"]).await);
    let elsewhere = world.client(Role::Operator, Scope { instances: Some([id("beta")].into()), spaces: None }).await;
    let policy = json!({ "policy_name": "p", "statement": statement("a") });
    operator.put(&at("/apps/space/policies/p"), policy.clone()).await.ok(200);
    let said = operator.put(&at("/templates/t"), template("p")).await.refused(404, "IOTDA.014900");
    assert!(said.contains("product p does not exist"), "{said}");
    for (path, body) in [
        ("/apps/new", json!({ "app_name": "new" })),
        ("/apps/space", json!({ "app_name": "renamed" })),
        ("/apps/space/products/p", product("P")),
        ("/apps/space/policies/q", policy.clone()),
        ("/templates/t", template("truck")),
        ("/apps/space/certificates/ca", json!({ "content": pem(&Authority::root("CA").der) })),
    ] {
        viewer.put(&at(path), body.clone()).await.refused(403, "IOTDA.000021");
        let hidden = if path.contains("space/") { "IOTDA.001000" } else { "IOTDA.000021" };
        limited.put(&at(path), body.clone()).await.refused(403, hidden);
        elsewhere.put(&at(path), body.clone()).await.refused(404, "IOTDA.014907");
    }
    limited.put(&at("/apps/other/policies/mine"), policy.clone()).await.ok(200);
    // An id that is taken in a resource space which the caller may not see.
    let said = limited.put(&at("/apps/other/policies/p"), policy.clone()).await.refused(409, "IOTDA.014920");
    assert!(!said.contains("resource space space"), "{said}");
    let misplaced = json!({ "app_id": "other", "policy_name": "r", "statement": statement("a") });
    operator.put(&at("/apps/space/policies/r"), misplaced).await.refused(400, "IOTDA.000006");
    operator.put(&at("/apps/nowhere/policies/r"), policy).await.refused(403, "IOTDA.001000");
    operator.put(&at("/apps/no.id"), json!({ "app_name": "x" })).await.refused(400, "IOTDA.000006");
    operator.put(&at("/templates/t"), template("truck")).await.ok(200);
    let renamed = json!({ "template_name": "renamed", "template_body": template("truck")["template_body"] });
    let said = operator.put(&at("/templates/t"), renamed).await.refused(409, "IOTDA.014920");
    assert!(said.contains("a name never changes"), "{said}");
}
