//! Topic policies over HTTP, and what they are bound to.

use serde_json::{Value, json};

use crate::{
    client::Client,
    world::{NOW_MS, World},
};

fn policy(name: &str) -> Value {
    json!({"policy_name": name, "statement": [
        {"effect": "ALLOW", "actions": ["iotda:devices:publish"], "resources": ["topic:/v1/${devices.deviceId}/up"]},
        {"effect": "DENY", "actions": ["iotda:devices:publish", "iotda:devices:subscribe"], "resources": ["topic:secret/*"]},
    ]})
}

async fn create(client: &Client, name: &str) -> String {
    let made = client.post("/device-policies", policy(name)).await.ok(201);
    made["policy_id"].as_str().unwrap().to_owned()
}

/// The ids of a policy's targets, to the end.
async fn targets(client: &Client, policy: &str, kind: Option<&str>, limit: usize) -> Vec<String> {
    let (mut found, mut marker) = (Vec::new(), Value::Null);
    loop {
        let query = json!({"target_type": kind, "limit": limit, "marker": marker});
        let page = client.post(&format!("/device-policies/{policy}/list-targets"), query).await.ok(200);
        let some = page["targets"].as_array().unwrap();
        if some.is_empty() {
            assert_eq!(page["page"]["count"], found.len(), "{page}");
            return found;
        }
        assert!(some.len() <= limit);
        marker = page["page"]["marker"].clone();
        found.extend(some.iter().map(|target| target["target_id"].as_str().unwrap().to_owned()));
    }
}

#[tokio::test]
async fn a_policy_is_what_was_given_and_then_what_was_changed() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let made = operator.post("/device-policies", policy("vehicles")).await.ok(201);
    assert_eq!((&made["app_id"], &made["policy_name"]), (&json!("space"), &json!("vehicles")));
    assert_eq!(made["statement"], policy("vehicles")["statement"]);
    assert_eq!((&made["create_time"], &made["update_time"]), (&json!("20260601T000000Z"), &json!("20260601T000000Z")));
    let path = format!("/device-policies/{}", made["policy_id"].as_str().unwrap());
    assert_eq!(operator.get(&path).await.ok(200), made);

    world.clock.set(NOW_MS + 61_000);
    let changed = operator.put(&path, json!({"policy_name": "trucks"})).await.ok(200);
    assert_eq!((&changed["policy_name"], &changed["statement"]), (&json!("trucks"), &made["statement"]));
    assert_eq!((&changed["create_time"], &changed["update_time"]), (&made["create_time"], &json!("20260601T000101Z")));

    let listed = operator.all_pages("/device-policies?policy_name=trucks", "policies", 10).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].get("statement"), None);
    assert_eq!(operator.all_pages("/device-policies?app_id=space", "policies", 1).await.len(), 2, "and the default one");
    operator.delete(&path).await.ok(204);
    operator.get(&path).await.refused(404, "IOTDA.014902");
}

#[tokio::test]
async fn a_policy_that_is_none_is_refused_with_the_path_of_its_fault() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let statement = |change: Value| {
        let mut wrong = policy("p");
        wrong["statement"][1].as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        wrong
    };
    let cases = [
        (statement(json!({"effect": "MAYBE"})), "IOTDA.000006", "statement[1].effect: unknown variant `MAYBE`"),
        (statement(json!({"actions": []})), "IOTDA.014926", "statement[1].actions: is empty"),
        (statement(json!({"resources": ["secret/*"]})), "IOTDA.014926", "statement[1].resources[0]: must begin with"),
        (json!({"policy_name": "a b", "statement": policy("p")["statement"]}), "IOTDA.014926", "policy_name: "),
        (json!({"policy_name": "p", "statement": []}), "IOTDA.014926", "statement: has 0 entries"),
        (json!({"policy_name": "p"}), "IOTDA.000006", "missing field `statement`"),
    ];
    for (wrong, code, expected) in cases {
        let text = operator.post("/device-policies", wrong).await.refused(400, code);
        assert!(text.contains(expected), "{text}");
    }
    operator.post("/device-policies", statement(json!({"comment": "ignored"}))).await.ok(201);
}

#[tokio::test]
async fn a_policy_is_bound_target_by_target_and_listed_page_by_page() {
    let (world, authority) = World::with_ca().await;
    for n in 0..7 {
        world.connect("alpha", &authority.device(&format!("d{n}")), None).await;
    }
    let operator = world.operator().await;
    let id = create(&operator, "vehicles").await;
    let bind = format!("/device-policies/{id}/bind");
    let devices: Vec<String> = (0..5).map(|n| format!("truck_d{n}")).collect();
    let mut asked = devices.clone();
    asked.extend(["truck_none".to_owned(), "no id".to_owned(), "truck_d0".to_owned()]);
    let outcome = operator.post(&bind, json!({"target_type": "device", "target_ids": asked})).await.ok(200);
    assert_eq!((&outcome["policy_id"], &outcome["target_type"]), (&json!(id), &json!("device")));
    assert_eq!(outcome["success_targets"], json!(devices), "each once, in the order asked");
    let failed = outcome["failure_targets"].as_array().unwrap();
    let failed: Vec<_> = failed.iter().map(|failed| (&failed["target_id"], &failed["error_code"])).collect();
    let missing = json!("IOTDA.014000");
    assert_eq!(failed, [(&json!("truck_none"), &missing), (&json!("no id"), &missing)]);
    for (kind, target) in [("product", "truck"), ("app", "space")] {
        let outcome = operator.post(&bind, json!({"target_type": kind, "target_ids": [target]})).await.ok(200);
        assert_eq!(outcome["success_targets"], json!([target]), "{outcome}");
    }
    let outcome = operator.post(&bind, json!({"target_type": "product", "target_ids": ["none"]})).await.ok(200);
    assert_eq!(outcome["failure_targets"][0]["error_code"], "IOTDA.014901");

    let mut newest_first = devices.clone();
    newest_first.reverse();
    for limit in [1, 2, 50] {
        assert_eq!(targets(&operator, &id, Some("device"), limit).await, newest_first, "limit {limit}");
        let all = targets(&operator, &id, None, limit).await;
        assert_eq!(all.len(), 7, "{all:?}");
        assert_eq!(all[2..], newest_first, "devices come last");
    }
    assert_eq!(targets(&operator, &id, Some("product"), 10).await, ["truck"]);
    assert_eq!(targets(&operator, &id, Some("app"), 10).await, ["space"]);
    let offset = json!({"limit": 2, "offset": 3});
    let page = operator.post(&format!("/device-policies/{id}/list-targets"), offset).await.ok(200);
    let shown: Vec<_> = page["targets"].as_array().unwrap().iter().map(|target| &target["target_id"]).collect();
    assert_eq!((shown, &page["page"]["count"]), (vec![&json!("truck_d3"), &json!("truck_d2")], &json!(7)));

    let unbind = format!("/device-policies/{id}/unbind");
    let gone = json!({"target_type": "device", "target_ids": ["truck_d1", "truck_d6"]});
    let outcome = operator.post(&unbind, gone).await.ok(200);
    assert_eq!(outcome["success_targets"], json!(["truck_d1", "truck_d6"]), "what is not bound is unbound already");
    world.command("alpha", rollcall_domain::registry::Command::DeleteDevice { device: crate::world::id("truck_d2") }).await;
    assert_eq!(targets(&operator, &id, Some("device"), 2).await, ["truck_d4", "truck_d3", "truck_d0"]);
    operator.post(&bind, json!({"target_type": "group", "target_ids": ["x"]})).await.refused(400, "IOTDA.000006");
    operator.post(&bind, json!({"target_type": "device", "target_ids": []})).await.refused(400, "IOTDA.000006");
}

#[tokio::test]
async fn a_policy_of_another_space_is_neither_seen_nor_bound() {
    let (world, authority) = World::with_ca().await;
    world.connect("alpha", &authority.device("d"), None).await;
    world.create_space("alpha", "second").await;
    let (operator, of_second) = (world.operator().await, world.operator_of(&["second"]).await);
    let id = create(&operator, "first").await;
    let (path, bind) = (format!("/device-policies/{id}"), format!("/device-policies/{id}/bind"));
    of_second.get(&path).await.refused(404, "IOTDA.014902");
    of_second.post(&bind, json!({"target_type": "app", "target_ids": ["second"]})).await.refused(404, "IOTDA.014902");
    let elsewhere = operator.post(&bind, json!({"target_type": "app", "target_ids": ["second"]})).await.ok(200);
    assert_eq!(elsewhere["failure_targets"][0]["error_code"], "IOTDA.014935", "{elsewhere}");
    let mut own = policy("second");
    own["app_id"] = json!("second");
    let own = of_second.post("/device-policies", own).await.ok(201);
    let bind = format!("/device-policies/{}/bind", own["policy_id"].as_str().unwrap());
    let outcome = of_second.post(&bind, json!({"target_type": "device", "target_ids": ["truck_d"]})).await.ok(200);
    assert_eq!(outcome["failure_targets"][0]["error_code"], "IOTDA.014000", "{outcome}");
    assert_eq!(of_second.all_pages("/device-policies", "policies", 1).await.len(), 2);

    let viewer = world.viewer().await;
    viewer.post(&bind, json!({"target_type": "device", "target_ids": ["truck_d"]})).await.refused(403, "IOTDA.000021");
    assert_eq!(targets(&viewer, &id, None, 10).await, [""; 0]);
}

#[tokio::test]
async fn where_nobody_rules_a_binding_fails_as_a_whole() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let id = create(&operator, "vehicles").await;
    world.hold();
    let body = json!({"target_type": "product", "target_ids": ["truck"]});
    operator.post_once("once", &format!("/device-policies/{id}/bind"), body.clone()).await.refused(503, "IOTDA.014950");
    world.resume();
    operator.post_once("once", &format!("/device-policies/{id}/bind"), body).await.ok(200);
    assert_eq!(targets(&operator, &id, None, 10).await, ["truck"]);
}
