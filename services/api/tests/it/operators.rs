//! Operators and access keys: made, shown once, switched, taken away.

use serde_json::json;

use crate::{client::Client, world::World};

const OPERATORS: &str = "/rollcall/v1/operators";
const KEYS: &str = "/rollcall/v1/access-keys";
const ME: &str = "/rollcall/v1/me";

fn with_key(world: &World, made: &serde_json::Value) -> Client {
    let text = |field: &str| made[field].as_str().unwrap().to_owned();
    Client { access_key: text("access_key"), secret: text("secret_key"), project: text("project_id"), ..world.nobody() }
}

#[tokio::test]
async fn an_operator_is_made_changed_and_taken_away() {
    let world = World::empty().await;
    let admin = world.admin().await;
    let wanted = json!({"name": "ann@example.com", "role": "viewer", "scope": {"instances": ["north"]}});
    let made = admin.post(OPERATORS, wanted.clone()).await.ok(201);
    let password = made["password"].as_str().unwrap();
    assert_eq!((made["project_id"].as_str(), &made["scope"]), (Some(&*admin.project), &json!({"instances": ["north"]})));
    admin.post(OPERATORS, wanted).await.refused(409, "IOTDA.014920");

    let one = format!("{OPERATORS}/ann@example.com");
    for shown in [admin.get(&one).await.ok(200), admin.get(OPERATORS).await.ok(200)] {
        let text = shown.to_string();
        assert!(text.contains("ann@example.com") && !text.contains(password) && !text.contains("argon2"), "{text}");
    }
    let changed = admin.put(&one, json!({"role": "operator", "scope": {}})).await.ok(200);
    assert_eq!((changed["role"].as_str(), &changed["scope"]), (Some("operator"), &json!({})));
    let given = "a password of my own";
    admin.put(&format!("{one}/password"), json!({"password": given})).await.ok(204);
    let log_in = json!({"operator": "ann@example.com", "password": given});
    world.nobody().post("/rollcall/v1/login", log_in.clone()).await.ok(200);
    admin.delete(&one).await.ok(204);
    world.nobody().post("/rollcall/v1/login", log_in).await.refused(401, "IOTDA.000002");
    admin.get(&one).await.refused(404, "IOTDA.014908");
}

#[tokio::test]
async fn what_cannot_be_an_operator_is_refused_with_the_field() {
    let world = World::empty().await;
    let admin = world.admin().await;
    let cases = [
        (json!({"name": "a b", "role": "viewer"}), "name"),
        (json!({"name": "a", "role": "king"}), "role"),
        (json!({"name": "a", "role": "viewer", "password": "short"}), "password"),
        (json!({"name": "a", "role": "viewer", "project_id": "F"}), "project_id"),
        (json!({"name": "a", "role": "viewer", "scope": {"spaces": []}}), "scope.spaces"),
        (json!({"name": "a", "role": "viewer", "scope": {"instances": ["a.b"]}}), "scope.instances"),
    ];
    for (wanted, field) in cases {
        let text = admin.post(OPERATORS, wanted).await.refused(400, "IOTDA.000006");
        assert!(text.contains(field), "{field}: {text}");
    }
}

#[tokio::test]
async fn the_last_administrator_cannot_leave() {
    let world = World::empty().await;
    let me = world.admin().await;
    me.delete(&format!("{OPERATORS}/admin")).await.ok(204);
    let name = me.get(ME).await.ok(200)["name"].as_str().unwrap().to_owned();
    me.delete(&format!("{OPERATORS}/{name}")).await.refused(409, "IOTDA.014936");
    me.put(&format!("{OPERATORS}/{name}"), json!({"enabled": false})).await.refused(409, "IOTDA.014936");
}

#[tokio::test]
async fn an_access_key_signs_until_it_is_disabled_or_gone() {
    let world = World::empty().await;
    let admin = world.admin().await;
    admin.post(OPERATORS, json!({"name": "robot", "role": "viewer"})).await.ok(201);
    let made = admin.post(KEYS, json!({"operator": "robot", "description": "nightly job"})).await.ok(201);
    let robot = with_key(&world, &made);
    assert_eq!(robot.get(ME).await.ok(200)["name"], "robot");

    let one = format!("{KEYS}/{}", robot.access_key);
    let listed = admin.get(&format!("{KEYS}?operator=robot")).await.ok(200);
    assert_eq!(listed["access_keys"], json!([admin.get(&one).await.ok(200)]));
    assert!(!listed.to_string().contains(&robot.secret), "{listed}");
    assert_eq!(admin.post(&format!("{one}/disable"), json!({})).await.ok(200)["enabled"], false);
    robot.get(ME).await.refused(401, "IOTDA.000002");
    assert_eq!(admin.post(&format!("{one}/enable"), json!({})).await.ok(200)["enabled"], true);
    robot.get(ME).await.ok(200);
    admin.delete(&one).await.ok(204);
    robot.get(ME).await.refused(401, "IOTDA.000002");
    admin.get(&one).await.refused(404, "IOTDA.014909");
    admin.post(KEYS, json!({"operator": "nobody"})).await.refused(404, "IOTDA.014908");
}

#[tokio::test]
async fn a_request_that_is_sent_again_makes_one_key_and_shows_it_again() {
    let world = World::empty().await;
    let admin = world.admin().await;
    admin.post(OPERATORS, json!({"name": "robot", "role": "viewer"})).await.ok(201);
    let body = json!({"operator": "robot"});
    let once = admin.post_once("same", KEYS, body.clone()).await.ok(201);
    let again = admin.post_once("same", KEYS, body).await.ok(201);
    assert_eq!(once, again);
    let operator = json!({"name": "other", "role": "viewer"});
    admin.post_once("same", OPERATORS, operator.clone()).await.refused(409, "IOTDA.014946");
    let once = admin.post_once("another", OPERATORS, operator.clone()).await.ok(201);
    let again = admin.post_once("another", OPERATORS, operator).await.ok(201);
    assert!(once["password"].is_string() && again["password"].is_null(), "a password is shown once: {again}");
}
