//! Which policies apply to a device, and which statement decides a topic.

use serde_json::{Value, json};

use crate::{client::Client, world::World};

const DEVICE: &str = "/rollcall/v1/instances/alpha/devices/truck_n1";

async fn create(client: &Client, name: &str, statement: Value) -> String {
    let made = client.post("/device-policies", json!({"policy_name": name, "statement": statement})).await.ok(201);
    made["policy_id"].as_str().unwrap().to_owned()
}

async fn bind(client: &Client, policy: &str, kind: &str, target: &str) {
    let body = json!({"target_type": kind, "target_ids": [target]});
    let bound = client.post(&format!("/device-policies/{policy}/bind"), body).await.ok(200);
    assert_eq!(bound["success_targets"], json!([target]), "{bound}");
}

async fn tested(client: &Client, action: &str, topic: &str) -> Value {
    client.post(&format!("{DEVICE}/policy-test"), json!({"action": action, "topic": topic})).await.ok(200)
}

#[tokio::test]
async fn policies_in_effect_say_through_what_they_apply() {
    let world = World::with_alpha().await;
    let (operator, viewer) = (world.operator().await, world.viewer().await);
    operator.post("/devices", json!({"node_id": "n1", "product_id": "truck"})).await.ok(201);
    let statement = json!([{"effect": "ALLOW", "actions": ["iotda:devices:publish"], "resources": ["topic:up"]}]);
    let (one, two) = (create(&operator, "one", statement.clone()).await, create(&operator, "two", statement.clone()).await);
    bind(&operator, &one, "device", "truck_n1").await;
    bind(&operator, &one, "product", "truck").await;
    bind(&operator, &two, "app", "space").await;
    let found = viewer.get(&format!("{DEVICE}/policies")).await.ok(200);
    let policies = found["policies"].as_array().unwrap();
    let shown: Vec<_> = policies
        .iter()
        .map(|policy| ["policy_name", "through", "target_id"].map(|field| policy[field].as_str().unwrap()))
        .collect();
    let expected = [
        ["one", "device", "truck_n1"],
        ["one", "product", "truck"],
        ["system_default_policy", "default", "space"],
        ["two", "app", "space"],
    ];
    assert_eq!(shown, expected, "{found}");
    assert_eq!(policies[0]["statement"], statement);

    world.create_space("alpha", "other").await;
    let elsewhere = world.operator_of(&["other"]).await;
    elsewhere.get(&format!("{DEVICE}/policies")).await.refused(404, "IOTDA.014000");
    let test = json!({"action": "publish", "topic": "up"});
    elsewhere.post(&format!("{DEVICE}/policy-test"), test).await.refused(404, "IOTDA.014000");
}

#[tokio::test]
async fn a_topic_is_decided_by_the_statement_that_is_named() {
    let world = World::with_alpha().await;
    let (operator, viewer) = (world.operator().await, world.viewer().await);
    operator.post("/devices", json!({"node_id": "n1", "product_id": "truck"})).await.ok(201);
    let statement = json!([
        {"effect": "ALLOW", "actions": ["iotda:devices:publish"], "resources": ["topic:a", "topic:${devices.deviceId}/up"]},
        {"effect": "DENY", "actions": ["iotda:devices:publish", "iotda:devices:subscribe"], "resources": ["topic:secret/*"]},
    ]);
    let policy = create(&operator, "closed", statement).await;
    bind(&operator, &policy, "product", "truck").await;

    // Beside the default policy, which allows everything.
    let denied = tested(&viewer, "publish", "secret/plan").await;
    let by = json!({"policy_id": policy, "policy_name": "closed", "statement_index": 1, "effect": "DENY",
        "resource": "topic:secret/*", "through": "product", "target_id": "truck"});
    assert_eq!((&denied["allowed"], &denied["decided_by"]), (&json!(false), &by), "{denied}");
    let filter = tested(&viewer, "subscribe", "#").await;
    assert_eq!((&filter["allowed"], &filter["decided_by"]["through"]), (&json!(true), &json!("default")));
    assert!(filter["text"].as_str().unwrap().contains("are not delivered"), "{filter}");

    world.command("alpha", unbind_default()).await;
    let own = tested(&viewer, "publish", "truck_n1/up").await;
    assert_eq!(
        (&own["allowed"], &own["decided_by"]["statement_index"], &own["decided_by"]["resource"]),
        (&json!(true), &json!(0), &json!("topic:${devices.deviceId}/up"))
    );
    for (action, topic, scope) in [
        ("publish", "truck_n2/up", "custom"),
        ("subscribe", "a", "custom"),
        ("subscribe", "$oc/devices/other/sys/x", "reserved"),
    ] {
        let answer = tested(&viewer, action, topic).await;
        assert_eq!((&answer["allowed"], &answer["topic_scope"]), (&json!(false), &json!(scope)), "{answer}");
        assert_eq!(answer.get("decided_by"), None, "{answer}");
    }
    let system = tested(&viewer, "publish", "$oc/devices/truck_n1/sys/messages/up").await;
    assert_eq!((&system["allowed"], &system["topic_scope"]), (&json!(true), &json!("own_system")));
    for (action, topic) in [("publish", "a/+"), ("publish", ""), ("subscribe", "a#"), ("subscribe", "#/a"), ("take", "a")] {
        let body = json!({"action": action, "topic": topic});
        viewer.post(&format!("{DEVICE}/policy-test"), body).await.refused(400, "IOTDA.000006");
    }
}

fn unbind_default() -> rollcall_domain::registry::Command {
    use rollcall_domain::registry::{Command, event::PolicyTarget};
    let target = PolicyTarget::Space(crate::world::id("space"));
    Command::UnbindPolicy { policy: crate::world::id("default-space"), target }
}

#[tokio::test]
async fn a_client_id_counts_in_an_allow_if_it_is_the_devices_alone() {
    let world = World::with_alpha().await;
    let (operator, viewer) = (world.operator().await, world.viewer().await);
    operator.post("/devices", json!({"node_id": "n1", "product_id": "truck"})).await.ok(201);
    world.command("alpha", unbind_default()).await;
    let resources = json!(["topic:${devices.clientId}/up"]);
    let statement = json!([{"effect": "ALLOW", "actions": ["iotda:devices:publish"], "resources": resources}]);
    let policy = create(&operator, "by_client", statement).await;
    bind(&operator, &policy, "app", "space").await;
    for (client_id, allowed) in
        [(None, true), (Some("n1"), true), (Some("truck_n1_0_0_2026060100"), true), (Some("anybody"), false)]
    {
        let topic = format!("{}/up", client_id.unwrap_or("truck_n1"));
        let body = json!({"action": "publish", "topic": topic, "client_id": client_id});
        let answer = viewer.post(&format!("{DEVICE}/policy-test"), body).await.ok(200);
        assert_eq!((&answer["allowed"], &answer["client_id_is_bound"]), (&json!(allowed), &json!(allowed)), "{answer}");
        assert_eq!(answer["text"].as_str().unwrap().contains("matches nothing"), !allowed, "{answer}");
    }
}
