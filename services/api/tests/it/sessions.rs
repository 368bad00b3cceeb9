//! Browsers' sessions: signing in for a cookie, what it is good for, forged requests, and how it ends.

use std::net::SocketAddr;

use hyper::Method;
use rollcall_domain::{
    fleet::{FleetCommand, Role, Scope},
    ids::LogId,
};
use rollcall_log_memory::Faults;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    world::{NOW_MS, World, eventually, id},
};

const SESSION: &str = "/rollcall/v1/session";
const ME: &str = "/rollcall/v1/me";
const MINUTE_MS: i64 = 60 * 1000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// A browser that shows a page of an API process.
#[derive(Clone)]
struct Browser {
    client: Client,
    origin: String,
    cookie: Option<String>,
}

impl Browser {
    fn at(world: &World, address: SocketAddr) -> Self {
        let client = Client { address, ..world.nobody() };
        Self { client, origin: format!("http://{address}"), cookie: None }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut headers = vec![("origin", self.origin.as_str()), ("x-rollcall-console", "1")];
        headers.extend(self.cookie.as_deref().map(|cookie| ("cookie", cookie)));
        self.client.send(method, path, body, &headers).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    async fn sign_in(&mut self, operator: &str, password: &str) -> Answer {
        let body = json!({"operator": operator, "password": password});
        let answer = self.send(Method::POST, SESSION, Some(body)).await;
        self.keep_cookie(&answer);
        answer
    }

    fn keep_cookie(&mut self, answer: &Answer) {
        if let Some(set) = answer.headers.get("set-cookie") {
            let set = set.to_str().unwrap();
            let (pair, attributes) = set.split_once("; ").unwrap();
            assert!(attributes.starts_with("Path=/; Secure; HttpOnly; SameSite=Strict"), "{set}");
            self.cookie = (!attributes.contains("Max-Age=0")).then(|| pair.to_owned());
        }
    }
}

/// A new operator who can sign in: their name and password.
async fn person(world: &World, role: &str) -> (String, String) {
    let name = format!("person-{}", world.number());
    let made = world.admin().await.post("/rollcall/v1/operators", json!({"name": name, "role": role})).await.ok(201);
    (name, made["password"].as_str().unwrap().to_owned())
}

async fn signed_in(world: &World, (operator, password): &(String, String)) -> Browser {
    let mut browser = Browser::at(world, world.address);
    browser.sign_in(operator, password).await.ok(200);
    browser
}

/// How many documents of sessions there are.
async fn kept(world: &World) -> usize {
    let (mut listed, mut kept) = (world.backbone.documents.sessions(&LogId::Fleet).await.unwrap(), 0);
    while let Some(next) = listed.recv().await {
        next.unwrap();
        kept += 1;
    }
    kept
}

#[tokio::test]
async fn a_session_does_what_a_token_does_and_says_what_it_is() {
    let world = World::with_alpha().await;
    let operator = person(&world, "operator").await;
    let mut browser = Browser::at(&world, world.address);
    browser.get(SESSION).await.refused(401, "IOTDA.000002");
    let answer = browser.sign_in(&operator.0, &operator.1).await;
    let value = browser.cookie.clone().unwrap();
    let shown = answer.ok(200);
    assert!(!shown.to_string().contains(value.split_once('=').unwrap().1), "the secret is in the header alone");
    assert_eq!(
        shown,
        json!({
            "operator": operator.0, "role": "operator", "scope": {}, "project_id": world.nobody().project,
            "created_at": "2026-06-01T00:00:00.000Z", "expires_at": "2026-06-01T12:00:00.000Z", "idle_seconds": 1800,
        })
    );
    assert_eq!(browser.get(SESSION).await.ok(200), shown);
    assert_eq!(browser.get(ME).await.ok(200)["name"], operator.0);
    let browser = Browser { client: browser.client.of_instance("alpha"), ..browser };
    browser.get("/apps").await.ok(200);
    browser.send(Method::POST, "/apps", Some(json!({"app_name": "made"}))).await.ok(201);
    browser.get("/rollcall/v1/operators").await.refused(403, "IOTDA.000021");
    assert!(browser.get("/rollcall/v1/health").await.ok(200)["version"].is_string(), "health tells operators more");
}

#[tokio::test]
async fn another_origin_changes_nothing_with_a_session() {
    let world = World::with_alpha().await;
    let operator = person(&world, "operator").await;
    let browser = signed_in(&world, &operator).await;
    let cookie = ("cookie", browser.cookie.as_deref().unwrap());
    let client = browser.client.of_instance("alpha");
    let (own, header) = (("origin", browser.origin.as_str()), ("x-rollcall-console", "1"));
    let forged: &[&[(&str, &str)]] = &[
        &[],
        &[header],
        &[own],
        &[header, ("origin", "https://evil.example")],
        &[header, ("origin", "null")],
        &[header, ("origin", "http://127.0.0.1:1")],
        &[header, ("sec-fetch-site", "same-site")],
        &[header, ("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
    ];
    let body = || json!({"app_name": "forged"});
    for headers in forged {
        let sent = [&[cookie][..], headers].concat();
        client.send(Method::POST, "/apps", Some(body()), &sent).await.refused(403, "IOTDA.014947");
        client.send(Method::DELETE, SESSION, None, &sent).await.refused(403, "IOTDA.014947");
        // Signing somebody in who does not want to be is a forgery too.
        let credentials = json!({"operator": operator.0, "password": operator.1});
        client.send(Method::POST, SESSION, Some(credentials), &sent).await.refused(403, "IOTDA.014947");
        client.send(Method::GET, "/apps", None, &sent).await.ok(200);
    }
    assert_eq!(
        client.send(Method::GET, "/apps", None, &[cookie]).await.ok(200)["applications"].as_array().unwrap().len(),
        1
    );
    for headers in [&[header, own][..], &[header, ("sec-fetch-site", "same-origin")]] {
        client.send(Method::POST, "/apps", Some(body()), &[&[cookie][..], headers].concat()).await.ok(201);
    }
}

#[tokio::test]
async fn what_a_client_puts_into_a_header_goes_before_the_cookie() {
    let world = World::empty().await;
    let (viewer, operator) = (person(&world, "viewer").await, person(&world, "operator").await);
    let browser = signed_in(&world, &viewer).await;
    let cookie = browser.cookie.clone().unwrap();
    let credentials = json!({"operator": operator.0, "password": operator.1});
    let token = world.nobody().post("/rollcall/v1/login", credentials).await.ok(200)["token"].as_str().unwrap().to_owned();
    let nobody = world.nobody();
    let ask = async |headers: &[(&str, &str)]| nobody.send(Method::GET, ME, None, headers).await;
    for cookie in [cookie.as_str(), "__Host-rollcall=nonsense"] {
        let both = [("cookie", cookie), ("x-auth-token", &token)];
        assert_eq!(ask(&both).await.ok(200)["name"], operator.0, "a cookie beside a token breaks no script");
        // A script that carries a cookie is no browser: nothing is asked of it that only a page can send.
        let body = json!({"old": "wrong", "new": "long enough to be one"});
        nobody.send(Method::PUT, "/rollcall/v1/me/password", Some(body), &both).await.refused(401, "IOTDA.000002");
    }
    ask(&[("cookie", &cookie), ("x-auth-token", "nonsense")]).await.refused(403, "IOTDA.000004");
    let signed = world.admin().await.send(Method::GET, ME, None, &[("cookie", &cookie)]).await.ok(200);
    assert_eq!(signed["role"], "admin");
    assert_eq!(ask(&[("cookie", &cookie), ("authorization", "Basic YTpi")]).await.ok(200)["name"], viewer.0);
    ask(&[("cookie", "__Host-rollcall=nonsense")]).await.refused(401, "IOTDA.000002");
    nobody.send(Method::GET, "/rollcall/v1/health", None, &[("cookie", "__Host-rollcall=nonsense")]).await.ok(200);
}

#[tokio::test]
async fn a_session_ends_when_it_is_not_used_and_in_the_end() {
    let world = World::empty().await;
    let operator = person(&world, "viewer").await;
    let (used, idle) = (signed_in(&world, &operator).await, signed_in(&world, &operator).await);
    world.clock.set(NOW_MS + 30 * MINUTE_MS - 1);
    used.get(ME).await.ok(200);
    world.clock.set(NOW_MS + 30 * MINUTE_MS);
    idle.get(ME).await.refused(401, "IOTDA.000002");
    used.get(ME).await.ok(200);
    let mut at = NOW_MS + 30 * MINUTE_MS;
    while at < NOW_MS + 12 * HOUR_MS - 20 * MINUTE_MS {
        at += 20 * MINUTE_MS;
        world.clock.set(at);
        used.get(ME).await.ok(200);
    }
    world.clock.set(NOW_MS + 12 * HOUR_MS - 1);
    used.get(ME).await.ok(200);
    world.clock.set(NOW_MS + 12 * HOUR_MS);
    used.get(ME).await.refused(401, "IOTDA.000002");
    assert_eq!(kept(&world).await, 2);
    signed_in(&world, &operator).await;
    assert_eq!(kept(&world).await, 1, "what has ended goes when its operator comes back");
}

/// Whoever has an API's account at the broker may write documents; only the master key makes one that counts.
#[tokio::test]
async fn a_document_that_was_written_by_another_hand_signs_nobody_in() {
    let world = World::empty().await;
    let (viewer, admin) = (person(&world, "viewer").await, person(&world, "admin").await);
    let documents = &*world.backbone.documents;
    let listed = async || {
        let (mut listed, mut found) = (documents.sessions(&LogId::Fleet).await.unwrap(), Vec::new());
        while let Some(next) = listed.recv().await {
            found.push(next.unwrap());
        }
        found
    };
    let browser = signed_in(&world, &viewer).await;
    let (key, own) = listed().await.pop().unwrap();
    let mut revision = own.revision;
    let admins = signed_in(&world, &admin).await;
    let (_, of_admin) = listed().await.into_iter().find(|(other, _)| *other != key).unwrap();
    let text = String::from_utf8(own.body.to_vec()).unwrap();
    let ends = (NOW_MS + 12 * HOUR_MS).to_string();
    for forged in [
        text.replace(&viewer.0, &admin.0),
        text.replace(&ends, &(NOW_MS + 24 * HOUR_MS).to_string()),
        String::from_utf8(of_admin.body.to_vec()).unwrap(),
    ] {
        assert_ne!(forged, text);
        revision = documents.put(&LogId::Fleet, &key, revision, forged.clone().into()).await.unwrap();
        browser.get(ME).await.refused(401, "IOTDA.000002");
        browser.get("/rollcall/v1/operators").await.refused(401, "IOTDA.000002");
    }
    documents.put(&LogId::Fleet, &key, revision, own.body).await.unwrap();
    assert_eq!(browser.get(ME).await.ok(200)["name"], viewer.0);
    assert_eq!(admins.get(ME).await.ok(200)["name"], admin.0);
}

#[tokio::test]
async fn what_a_page_asks_by_itself_keeps_no_session() {
    let world = World::empty().await;
    let operator = person(&world, "viewer").await;
    let browser = signed_in(&world, &operator).await;
    let cookie = browser.cookie.clone().unwrap();
    let asked = [("cookie", cookie.as_str()), ("x-rollcall-unattended", "1")];
    let ask = async |path: &str| browser.client.send(Method::GET, path, None, &asked).await;
    for minute in [10, 20, 29] {
        world.clock.set(NOW_MS + minute * MINUTE_MS);
        for path in [ME, SESSION, "/rollcall/v1/health"] {
            ask(path).await.ok(200);
        }
    }
    world.clock.set(NOW_MS + 30 * MINUTE_MS);
    ask(ME).await.refused(401, "IOTDA.000002");
}

#[tokio::test]
async fn the_last_use_is_written_once_a_minute_at_most() {
    let world = World::empty().await;
    let operator = person(&world, "viewer").await;
    let browser = signed_in(&world, &operator).await;
    let revision = async || {
        let mut listed = world.backbone.documents.sessions(&LogId::Fleet).await.unwrap();
        listed.recv().await.unwrap().unwrap().1.revision
    };
    let first = revision().await;
    for second in [0, 30, 59] {
        world.clock.set(NOW_MS + second * 1000);
        browser.get(ME).await.ok(200);
        assert_eq!(revision().await, first);
    }
    world.clock.set(NOW_MS + MINUTE_MS);
    browser.get(ME).await.ok(200);
    assert_ne!(revision().await, first);
}

#[tokio::test]
async fn sessions_end_with_the_password_the_operator_and_by_signing_out_at_every_process() {
    let world = World::empty().await;
    let (second, _stop) = world.second_api().await;
    let operator = person(&world, "viewer").await;
    let sign_in = async || {
        let browser = signed_in(&world, &operator).await;
        let elsewhere = Browser { cookie: browser.cookie.clone(), ..Browser::at(&world, second) };
        eventually("the second process serves", async || elsewhere.get(ME).await.status == 200).await;
        (browser, elsewhere)
    };
    let over = async |browsers: [&Browser; 2]| {
        for browser in browsers {
            browser.get(ME).await.refused(401, "IOTDA.000002");
        }
    };
    let (mut browser, elsewhere) = sign_in().await;
    let answer = elsewhere.send(Method::DELETE, SESSION, None).await;
    browser.keep_cookie(&answer);
    answer.ok(204);
    assert_eq!(browser.cookie, None, "the browser forgets it");
    browser.cookie = elsewhere.cookie.clone();
    over([&browser, &elsewhere]).await;
    elsewhere.send(Method::DELETE, SESSION, None).await.ok(204);
    assert_eq!(kept(&world).await, 0);

    let (browser, elsewhere) = sign_in().await;
    world.clock.set(NOW_MS + 1000);
    let switch = |on| FleetCommand::UpdateOperator { name: id(&operator.0), role: None, scope: None, enabled: Some(on) };
    world.fleet_command(switch(false)).await;
    over([&browser, &elsewhere]).await;
    world.fleet_command(switch(true)).await;
    over([&browser, &elsewhere]).await;

    let (browser, elsewhere) = sign_in().await;
    world.clock.set(NOW_MS + 2000);
    let path = format!("/rollcall/v1/operators/{}/password", operator.0);
    world.admin().await.put(&path, json!({"password": operator.1})).await.ok(204);
    over([&browser, &elsewhere]).await;

    let (browser, elsewhere) = sign_in().await;
    world.fleet_command(FleetCommand::DeleteOperator(id(&operator.0))).await;
    over([&browser, &elsewhere]).await;
}

#[tokio::test]
async fn who_changes_their_password_goes_on_and_their_other_sessions_end() {
    let world = World::empty().await;
    let operator = person(&world, "viewer").await;
    let (mut here, elsewhere) = (signed_in(&world, &operator).await, signed_in(&world, &operator).await);
    world.clock.set(NOW_MS + 1000);
    let before = here.clone();
    let change = |old: &str| Some(json!({"old": old, "new": "quite another password"}));
    let path = "/rollcall/v1/me/password";
    here.send(Method::PUT, path, change("not the old one")).await.refused(401, "IOTDA.000002");
    here.get(ME).await.ok(200);
    let answer = here.send(Method::PUT, path, change(&operator.1)).await;
    here.keep_cookie(&answer);
    answer.ok(204);
    here.get(ME).await.ok(200);
    for ended in [before, elsewhere] {
        ended.get(ME).await.refused(401, "IOTDA.000002");
    }
    assert_eq!(kept(&world).await, 1);
    let token = json!({"operator": operator.0, "password": "quite another password"});
    let token = world.nobody().post("/rollcall/v1/login", token).await.ok(200)["token"].as_str().unwrap().to_owned();
    let body = Some(json!({"old": "quite another password", "new": operator.1}));
    let answer = world.nobody().send(Method::PUT, path, body, &[("x-auth-token", &token)]).await;
    assert!(!answer.headers.contains_key("set-cookie"), "a script gets no cookie");
    answer.ok(204);
}

#[tokio::test]
async fn f45_failures_to_sign_in_are_delayed_with_those_to_log_in() {
    let world = World::empty().await;
    let admin = &world.first_administrator;
    let password = admin.password.as_ref().expect("this process made it").expose_secret();
    let mut browser = Browser::at(&world, world.address);
    for _ in 0..2 {
        let wrong = json!({"operator": admin.operator, "password": "not the password"});
        world.nobody().post("/rollcall/v1/login", wrong).await.refused(401, "IOTDA.000002");
    }
    for _ in 0..3 {
        browser.sign_in(&admin.operator, "not the password").await.refused(401, "IOTDA.000002");
    }
    let delayed = browser.sign_in(&admin.operator, password).await;
    assert_eq!(delayed.headers["retry-after"], "1");
    delayed.refused(403, "IOTDA.014915");
    assert_eq!(browser.cookie, None);
    world.clock.set(NOW_MS + 1000);
    browser.sign_in(&admin.operator, password).await.ok(200);
}

#[tokio::test]
async fn one_operator_has_so_many_sessions_and_the_one_used_longest_ago_makes_way() {
    let world = World::empty().await;
    let (operator, other) = (person(&world, "viewer").await, person(&world, "viewer").await);
    let others = signed_in(&world, &other).await;
    let mut browsers = Vec::new();
    for number in 0..16 {
        world.clock.set(NOW_MS + number);
        browsers.push(signed_in(&world, &operator).await);
    }
    world.clock.set(NOW_MS + 2 * MINUTE_MS);
    browsers[0].get(ME).await.ok(200);
    signed_in(&world, &operator).await;
    assert_eq!(kept(&world).await, 17);
    browsers[1].get(ME).await.refused(401, "IOTDA.000002");
    for kept in [&browsers[0], &browsers[2], &browsers[15], &others] {
        kept.get(ME).await.ok(200);
    }
    // A browser that signs in anew leaves nothing behind.
    let mut again = browsers[2].clone();
    again.sign_in(&operator.0, &operator.1).await.ok(200);
    browsers[2].get(ME).await.refused(401, "IOTDA.000002");
    assert_eq!(kept(&world).await, 16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_the_session_that_it_was_opened_with() {
    let world = World::with_alpha().await;
    let operator = person(&world, "viewer").await;
    let (browser, other) = (signed_in(&world, &operator).await, signed_in(&world, &operator).await);
    let path = "/rollcall/v1/instances/alpha/uplinks/stream";
    let cookie = |browser: &Browser| browser.cookie.clone().unwrap();
    let mut stream = browser.client.events(path, &[("cookie", &cookie(&browser))]).await;
    let mut others = other.client.events(path, &[("cookie", &cookie(&other))]).await;
    assert_eq!(stream.next().await.unwrap().name, "opened");
    assert_eq!(others.next().await.unwrap().name, "opened");
    browser.send(Method::DELETE, SESSION, None).await.ok(204);
    assert_eq!(stream.end().await, "rights_ended");
    // A stream that is open does not count as use.
    world.clock.set(NOW_MS + 30 * MINUTE_MS);
    assert_eq!(others.end().await, "rights_ended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_does_not_outlive_the_knowledge_of_its_session() {
    let world = World::with_alpha().await;
    let operator = person(&world, "viewer").await;
    let browser = signed_in(&world, &operator).await;
    let cookie = browser.cookie.clone().unwrap();
    let mut stream = browser.client.events("/rollcall/v1/instances/alpha/uplinks/stream", &[("cookie", &cookie)]).await;
    assert_eq!(stream.next().await.unwrap().name, "opened");
    world.faults.set_faults(Faults { unavailable: 1000, ..Faults::default() });
    assert_eq!(stream.end().await, "log_away");
    world.faults.clear();
}

#[tokio::test]
async fn a_scope_holds_for_a_session_too() {
    let world = World::with_alpha().await;
    world.create_space("alpha", "other").await;
    let admin = world.client(Role::Admin, Scope::default()).await;
    let scoped = json!({"name": "scoped", "role": "operator", "scope": {"spaces": ["other"]}});
    let password = admin.post("/rollcall/v1/operators", scoped).await.ok(201)["password"].as_str().unwrap().to_owned();
    let browser = signed_in(&world, &("scoped".to_owned(), password)).await;
    assert_eq!(browser.get(SESSION).await.ok(200)["scope"], json!({"spaces": ["other"]}));
    let browser = Browser { client: browser.client.of_instance("alpha"), ..browser };
    let apps = browser.get("/apps").await.ok(200);
    assert_eq!(apps["applications"].as_array().unwrap().len(), 1, "{apps}");
}
