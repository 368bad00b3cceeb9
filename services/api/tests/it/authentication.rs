//! Authentication: signatures of both kinds, passwords, tokens, and the throttling of guesses.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use hyper::Method;
use rollcall_domain::fleet::FleetCommand;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    client::{Answer, Client},
    world::{NOW_MS, World, id},
};

const ME: &str = "/rollcall/v1/me";
const DAY_MS: i64 = 24 * 3600 * 1000;

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// The `Authorization` of `GET /rollcall/v1/me` by the algorithm that derives a key for a day, a region and a service.
fn derived(client: &Client, region: &str) -> String {
    let (date, day) = ("20260601T000000Z", "20260601");
    let empty = hex::encode(Sha256::digest(b""));
    let headers = format!("host:{}\nx-sdk-date:{date}\n", client.address);
    let canonical = format!("GET\n{ME}/\n\n{headers}\nhost;x-sdk-date\n{empty}");
    let scope = format!("{day}/{region}/iotdm");
    let extracted = hmac(client.access_key.as_bytes(), client.secret.as_bytes());
    let key = hex::encode(hmac(&extracted, &[scope.as_bytes(), &[1]].concat()));
    let hash = hex::encode(Sha256::digest(canonical));
    let signature = hex::encode(hmac(key.as_bytes(), format!("V11-HMAC-SHA256\n{date}\n{scope}\n{hash}").as_bytes()));
    let access_key = &client.access_key;
    format!("V11-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders=host;x-sdk-date, Signature={signature}")
}

async fn with_headers(world: &World, headers: &[(&str, &str)]) -> Answer {
    world.nobody().send(Method::GET, ME, None, headers).await
}

async fn log_in(world: &World, operator: &str, password: &str) -> Answer {
    world.nobody().post("/rollcall/v1/login", json!({"operator": operator, "password": password})).await
}

/// A new operator who can log in: their name and password.
async fn viewer_with_password(world: &World) -> (String, String) {
    let name = format!("person-{}", world.number());
    let body = json!({"name": name, "role": "viewer"});
    let made = world.admin().await.post("/rollcall/v1/operators", body).await.ok(201);
    (name, made["password"].as_str().unwrap().to_owned())
}

fn text(body: &Value, field: &str) -> String {
    body[field].as_str().unwrap_or_else(|| panic!("no {field} in {body}")).to_owned()
}

#[tokio::test]
async fn signatures_of_both_kinds_come_in() {
    let world = World::empty().await;
    let viewer = world.viewer().await;
    let by_secret = viewer.get(ME).await.ok(200);
    assert_eq!(by_secret["role"], "viewer");
    let authorization = derived(&viewer, "cn-north-4");
    let by_derived = with_headers(&world, &[("authorization", &authorization)]).await.ok(200);
    assert_eq!(by_secret, by_derived);
    let changed = authorization.replace("cn-north-4", "cn-north-1");
    with_headers(&world, &[("authorization", &changed)]).await.refused(401, "IOTDA.000002");
}

#[tokio::test]
async fn a_clock_that_is_far_off_is_told_so() {
    let world = World::empty().await;
    let mut viewer = world.viewer().await;
    viewer.clock = rollcall_chassis::clock::SetClock::at(NOW_MS - 16 * 60 * 1000);
    viewer.get(ME).await.refused(401, "APIGW.0303");
    let stranger = Client { access_key: "NOBODYSACCESSKEY0000".into(), ..viewer };
    stranger.get(ME).await.refused(401, "APIGW.0303");
}

#[tokio::test]
async fn f45_wrong_signatures_lock_no_key_and_do_not_tell_which_exist() {
    let world = World::empty().await;
    let viewer = world.viewer().await;
    let guessing = Client { secret: "guessed".into(), ..viewer.clone() };
    let stranger = Client { access_key: "NOBODYSACCESSKEY0000".into(), ..viewer.clone() };
    for wrong in [&guessing, &stranger] {
        for _ in 0..50 {
            let text = wrong.get(ME).await.refused(401, "IOTDA.000002");
            assert!(text.contains("not known or not enabled, or the signature"), "{text}");
        }
    }
    viewer.get(ME).await.ok(200);
}

#[tokio::test]
async fn f45_who_guesses_a_password_is_delayed_and_its_owner_elsewhere_is_not() {
    let world = World::empty().await;
    let admin = &world.first_administrator;
    let credentials = |password: &str| json!({"operator": admin.operator, "password": password});
    let attacker = Client { source: [127, 0, 0, 2].into(), ..world.nobody() };
    let mut codes = BTreeMap::new();
    for _ in 0..1000 {
        let answer = attacker.post("/rollcall/v1/login", credentials("not the password")).await;
        let code = text(&answer.body, "error_code");
        assert_eq!(answer.headers.contains_key("retry-after"), code != "IOTDA.000002", "{answer:?}");
        *codes.entry(code).or_insert(0) += 1;
    }
    assert_eq!(codes["IOTDA.000002"], 5, "{codes:?}");
    assert_eq!(codes.values().sum::<i32>(), 1000);
    let password = admin.password.as_ref().expect("this process made it").expose_secret();
    world.nobody().post("/rollcall/v1/login", credentials(password)).await.ok(200);
    // The delay of the attacker has not ended with that, whatever it sends.
    let answer = attacker.post("/rollcall/v1/login", credentials(password)).await;
    assert!(answer.status == 403 && answer.headers.contains_key("retry-after"), "{answer:?}");
}

#[tokio::test]
async fn a_token_is_good_for_a_day() {
    let world = World::empty().await;
    let (name, password) = viewer_with_password(&world).await;
    let session = log_in(&world, &name, &password).await.ok(200);
    assert_eq!((session["role"].as_str(), text(&session, "project_id").len()), (Some("viewer"), 32));
    assert_eq!(session["expires_at"], "2026-06-02T00:00:00.000Z");
    let token = text(&session, "token");
    assert_eq!(with_headers(&world, &[("x-auth-token", &token)]).await.ok(200)["name"], name);
    world.clock.set(NOW_MS + DAY_MS - 1);
    with_headers(&world, &[("x-auth-token", &token)]).await.ok(200);
    world.clock.set(NOW_MS + DAY_MS);
    with_headers(&world, &[("x-auth-token", &token)]).await.refused(403, "IOTDA.000004");
}

#[tokio::test]
async fn a_token_is_void_at_once_when_its_operator_is_disabled_or_gets_another_password() {
    let world = World::empty().await;
    let (name, password) = viewer_with_password(&world).await;
    let token = text(&log_in(&world, &name, &password).await.ok(200), "token");
    let switch = |enabled| FleetCommand::UpdateOperator { name: id(&name), role: None, scope: None, enabled: Some(enabled) };
    world.clock.set(NOW_MS + 1000);
    world.fleet_command(switch(false)).await;
    with_headers(&world, &[("x-auth-token", &token)]).await.refused(403, "IOTDA.000004");
    log_in(&world, &name, &password).await.refused(401, "IOTDA.000002");
    world.fleet_command(switch(true)).await;
    with_headers(&world, &[("x-auth-token", &token)]).await.refused(403, "IOTDA.000004");

    let token = text(&log_in(&world, &name, &password).await.ok(200), "token");
    let change = |old: &str, new: &str| json!({"old": old, "new": new});
    let put = async |body| {
        world.nobody().send(Method::PUT, "/rollcall/v1/me/password", Some(body), &[("x-auth-token", &token)]).await
    };
    world.clock.set(NOW_MS + 2000);
    put(change("not the old one", "quite another password")).await.refused(401, "IOTDA.000002");
    assert!(put(change(&password, "short")).await.refused(400, "IOTDA.000006").contains("new"));
    put(change(&password, "quite another password")).await.ok(204);
    with_headers(&world, &[("x-auth-token", &token)]).await.refused(403, "IOTDA.000004");
    log_in(&world, &name, &password).await.refused(401, "IOTDA.000002");
    log_in(&world, &name, "quite another password").await.ok(200);
}

#[tokio::test]
async fn a_signature_goes_before_a_token_and_another_scheme_does_not() {
    let world = World::empty().await;
    let (name, password) = viewer_with_password(&world).await;
    let token = text(&log_in(&world, &name, &password).await.ok(200), "token");
    let admin = world.admin().await;
    let both = admin.send(Method::GET, ME, None, &[("x-auth-token", "nonsense")]).await.ok(200);
    assert_eq!(both["role"], "admin");
    let wrong = Client { secret: "guessed".into(), ..admin };
    wrong.send(Method::GET, ME, None, &[("x-auth-token", &token)]).await.refused(401, "IOTDA.000002");
    with_headers(&world, &[("authorization", "Basic YTpi"), ("x-auth-token", &token)]).await.ok(200);
    with_headers(&world, &[("authorization", "Basic YTpi")]).await.refused(401, "IOTDA.000002");
    with_headers(&world, &[("x-auth-token", &token[1..])]).await.refused(403, "IOTDA.000004");
}

#[tokio::test]
async fn a_wrong_login_does_not_tell_whether_the_operator_exists() {
    let world = World::empty().await;
    let (name, password) = viewer_with_password(&world).await;
    let (no_password, nobody) = (text(&world.viewer().await.get(ME).await.ok(200), "name"), "somebody else?".to_owned());
    let mut refused = Vec::new();
    for name in [&name, &no_password, &nobody] {
        for _ in 0..5 {
            refused.push(log_in(&world, name, "not the password").await.refused(401, "IOTDA.000002"));
        }
        let delayed = log_in(&world, name, &password).await;
        assert_eq!(delayed.headers["retry-after"], "1", "{name}");
        delayed.refused(403, "IOTDA.014915");
    }
    assert!(refused.iter().all(|text| *text == refused[0]), "{refused:?}");
    world.clock.set(NOW_MS + 1000);
    log_in(&world, &name, &password).await.ok(200);
}

#[tokio::test]
async fn scripts_obtain_tokens_as_from_iam() {
    let world = World::empty().await;
    let (name, password) = viewer_with_password(&world).await;
    let body = |project: &str| {
        json!({"auth": {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": name, "password": password, "domain": {"name": "ours"}}},
            },
            "scope": {"project": {"id": project, "name": "cn-north-4"}},
        }})
    };
    let project = text(&log_in(&world, &name, &password).await.ok(200), "project_id");
    let answer = world.nobody().post("/v3/auth/tokens", body(&project)).await;
    let token = answer.headers["x-subject-token"].to_str().unwrap().to_owned();
    let answer = answer.ok(201);
    assert_eq!(
        (answer["token"]["user"]["name"].as_str(), &answer["token"]["project"]["id"]),
        (Some(&*name), &json!(project))
    );
    with_headers(&world, &[("x-auth-token", &token)]).await.ok(200);
    let another = body("ffffffffffffffffffffffffffffffff");
    world.nobody().post("/v3/auth/tokens", another).await.refused(403, "IOTDA.000021");
    world.nobody().post("/v3/auth/tokens", json!({"auth": {}})).await.refused(400, "IOTDA.000006");
}

#[tokio::test]
async fn bodies_and_paces_have_their_limits() {
    let world = World::with_limits(|limits| {
        limits.body_bytes_max = 1000;
        limits.requests_per_s_max = 1;
    })
    .await;
    let admin = world.admin().await;
    let large = json!({"name": "x".repeat(2000), "role": "viewer"});
    admin.post("/rollcall/v1/operators", large).await.refused(403, "IOTDA.021105");
    let mut answers = Vec::new();
    for _ in 0..40 {
        answers.push(admin.get(ME).await);
    }
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(answers[..10].iter().all(|answer| answer.status == 200) && !refused.is_empty());
    assert!(refused.iter().all(|answer| answer.headers.contains_key("retry-after")));
    refused[0].clone().refused(403, "IOTDA.021101");
    world.viewer().await.get(ME).await.ok(200);
}

#[tokio::test]
async fn the_first_administrator_comes_in_both_ways() {
    let world = World::empty().await;
    let first_administrator = &world.first_administrator;
    let password = first_administrator.password.as_ref().expect("this process made it").expose_secret();
    let session = log_in(&world, &first_administrator.operator, password).await.ok(200);
    assert_eq!(
        (session["role"].as_str(), session["project_id"].as_str()),
        (Some("admin"), Some(&*first_administrator.project_id))
    );
    let secret = first_administrator.secret_key.expose_secret().to_owned();
    let admin = Client { access_key: first_administrator.access_key.clone(), secret, ..world.nobody() };
    assert_eq!(admin.get(ME).await.ok(200)["name"], "admin");
    let shown = format!("{first_administrator:?}");
    assert!(!shown.contains(password) && !shown.contains(&admin.secret), "{shown}");
}
