//! Why a device was not let in, and trying again after a fix.

use std::sync::Arc;

use rollcall_chassis::clock::Clock as _;
use rollcall_domain::{
    ids::{LogId, RequestId},
    registry::{Actor, Command, Request, RequestBody, command::TemplateChange},
    time::Timestamp,
};
use rollcall_log::{
    codec::{
        AnyRequest, Attempt, AttemptAttribution, QueuedRequest, RejectedRuling, Ruling, encode_attempt, encode_request,
    },
    request_client::RequestClient,
    requests::RequestKind,
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    pki::Authority,
    world::{NOW_MS, PATIENCE, World, id},
};

const ATTEMPTS: &str = "/rollcall/v1/instances/alpha/attempts";

/// A certificate connects and is refused; its SHA-256 in hex.
pub(crate) async fn refused(world: &World, der: &[u8]) -> String {
    let (log, sha256) = (LogId::Instance(id("alpha")), Sha256::digest(der).into());
    let stop = CancellationToken::new();
    let request_client = RequestClient::start(log, Arc::clone(&world.backbone.requests), &TaskTracker::new(), stop.clone());
    let body = RequestBody::CertificateConnect { chain: vec![der.into()], claimed: None };
    let request_id: RequestId = id(&format!("refused-{}", world.number()));
    let request = Request { id: request_id.clone(), actor: Actor::Certificate(sha256), body };
    let submitted_at = Timestamp::from_unix_ms(world.clock.unix_ms());
    let queued = QueuedRequest { submitted_at, traceparent: None, request: AnyRequest::Registry(request) };
    let ruling = request_client.ask(RequestKind::Connect, &request_id, || encode_request(&queued), PATIENCE).await.unwrap();
    assert!(matches!(ruling, Ruling::Rejected(_)), "{ruling:?}");
    stop.cancel();
    hex::encode(sha256)
}

pub(crate) async fn self_registration(world: &World, on: bool) {
    let (ca, template) = (id("ca"), TemplateChange::Keep);
    world.command("alpha", Command::ConfigureCa { ca, template, self_registration: Some(on) }).await;
}

#[tokio::test]
async fn an_attempt_says_why_and_is_replayed_after_a_fix() {
    let (world, authority) = World::with_ca().await;
    let operator = world.operator().await;
    self_registration(&world, false).await;
    let sha256 = refused(&world, &authority.device("SN1")).await;

    let listed = operator.get(ATTEMPTS).await.ok(200);
    let attempt = &listed["attempts"][0];
    assert_eq!((attempt["code"].as_str(), &listed["next"]), (Some("self_registration_disabled"), &json!(null)));
    assert_eq!(attempt["certificate"], json!({"fingerprint": sha256, "subject": "CN=SN1", "ca_certificate_id": "ca"}));
    assert_eq!((&attempt["template"]["template_id"], &attempt["template"]["version"]), (&json!("template"), &json!(1)));
    assert_eq!(attempt["actor"], format!("certificate {sha256}"));
    let one = format!("{ATTEMPTS}/{}", attempt["position"]);
    let whole = operator.get(&one).await.ok(200);
    let last = whole["checks"].as_array().unwrap().last().unwrap();
    assert_eq!(last["passed"], false, "{whole}");
    assert_eq!(whole["request"]["actor"]["certificate"].as_str().map(str::len), Some(64), "{whole}");

    let replay = format!("{one}/replay");
    operator.post(&replay, json!({})).await.refused(409, "IOTDA.014937");
    self_registration(&world, true).await;
    world.viewer().await.post(&replay, json!({})).await.refused(403, "IOTDA.000021");
    assert_eq!(operator.post(&replay, json!({})).await.ok(200)["accepted"], true);
    assert!(world.view("alpha").show(&id("truck_SN1")).unwrap().is_some());
}

#[tokio::test]
async fn attempts_are_found_by_code_certificate_time_and_page() {
    let (world, authority) = World::with_ca().await;
    let viewer = world.viewer().await;
    let stranger = Authority::root("Stranger CA");
    let mut sha256 = Vec::new();
    for n in 0..5 {
        world.clock.set(NOW_MS + n * 60_000);
        sha256.push(refused(&world, &stranger.device(&format!("Unknown {n}"))).await);
    }
    self_registration(&world, false).await;
    refused(&world, &authority.device("SN1")).await;
    let found = async |query: &str| {
        let listed = viewer.get(&format!("{ATTEMPTS}?{query}")).await.ok(200);
        let fingerprints = listed["attempts"].as_array().unwrap().clone();
        fingerprints.iter().map(|attempt| attempt["certificate"]["subject"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let unknown = |n: &[usize]| n.iter().map(|n| format!("CN=Unknown {n}")).collect::<Vec<_>>();
    assert_eq!(found("code=chain_refused").await, unknown(&[4, 3, 2, 1, 0]));
    assert_eq!(found("code=self_registration_disabled").await, ["CN=SN1"]);
    assert_eq!(found(&format!("certificate={}", &sha256[2][..12].to_uppercase())).await, unknown(&[2]));
    assert_eq!(found("certificate=unknown%203").await, unknown(&[3]));
    assert_eq!(found("since=20260601T000100Z&until=20260601T000200Z").await, unknown(&[2, 1]));
    assert_eq!(found("device=truck_SN1").await, ["CN=SN1"], "the device that it would have been");

    let (mut before, mut pages) = (String::new(), Vec::new());
    loop {
        let page = viewer.get(&format!("{ATTEMPTS}?limit=2{before}")).await.ok(200);
        pages.push(page["attempts"].as_array().unwrap().len());
        let Some(next) = page["next"].as_u64() else { break };
        before = format!("&before={next}");
    }
    assert_eq!(pages, [2, 2, 2]);
}

/// As a connector keeps what it has refused by itself.
async fn refused_by_a_connector(world: &World, der: &[u8], device: &str, code: &str) {
    let (sha256, claimed) = (Sha256::digest(der).into(), id(device));
    let request = Request {
        id: RequestId::of_claim(&sha256, &claimed),
        actor: Actor::Certificate(sha256),
        body: RequestBody::CertificateConnect { chain: vec![der.into()], claimed: Some(claimed) },
    };
    let time = Timestamp::from_unix_ms(world.clock.unix_ms());
    let attempt = Attempt {
        time,
        request: QueuedRequest { submitted_at: time, traceparent: None, request: AnyRequest::Registry(request) },
        rejection: RejectedRuling { code: code.to_owned(), message: "as the connector says it".to_owned() },
        template: Some((id("template"), 1)),
        checks: vec![("let_in_by_connector".to_owned(), false, "as the connector says it".to_owned())],
        attribution: Some(AttemptAttribution {
            ca: Some(id("ca-of-then")),
            device: Some(id("truck_SN2")),
            source: Some([203, 0, 113, 7].into()),
            key_proven: Some(false),
        }),
    };
    world.backbone.attempts.keep(&LogId::Instance(id("alpha")), vec![encode_attempt(&attempt)]).await.unwrap();
}

#[tokio::test]
async fn what_a_connector_refused_is_found_by_code_and_device_and_ruled_on_afresh_when_replayed() {
    let (world, authority) = World::with_ca().await;
    let operator = world.operator().await;
    refused_by_a_connector(&world, &authority.device("SN1"), "truck_SN1", "self_registration_unavailable").await;
    refused_by_a_connector(&world, &authority.device("SN2"), "truck_SN9", "device_mismatch").await;
    let found = async |query: &str| {
        let listed = operator.get(&format!("{ATTEMPTS}?{query}")).await.ok(200);
        assert_eq!(listed["attempts"].as_array().unwrap().len(), 1, "{listed}");
        listed["attempts"][0].clone()
    };
    let (unavailable, mismatch) =
        (found("code=self_registration_unavailable").await, found("code=device_mismatch&device=truck_SN9").await);
    assert_eq!(
        (&mismatch["message"], &mismatch["certificate"]["ca_certificate_id"], &mismatch["device_id"]),
        (&json!("as the connector says it"), &json!("ca-of-then"), &json!("truck_SN9"))
    );
    let by_certificate = found("code=device_mismatch&device=truck_SN2").await;
    assert_eq!(by_certificate, mismatch, "whatever the client called itself");
    assert_eq!((&mismatch["source"], &mismatch["key_proven"]), (&json!("203.0.113.7"), &json!(false)));
    let replay = |attempt: &serde_json::Value| format!("{ATTEMPTS}/{}/replay", attempt["position"]);
    operator.post(&replay(&mismatch), json!({})).await.refused(409, "IOTDA.014937");
    assert_eq!(operator.post(&replay(&unavailable), json!({})).await.ok(200)["accepted"], true);
    assert!(world.view("alpha").show(&id("truck_SN1")).unwrap().is_some());
    assert!(world.view("alpha").show(&id("truck_SN9")).unwrap().is_none());
}

#[tokio::test]
async fn attempts_are_counted_by_reason_ca_template_and_source_and_found_by_each() {
    let (world, authority) = World::with_ca().await;
    let viewer = world.viewer().await;
    self_registration(&world, false).await;
    for (n, name) in ["SN1", "SN2", "SN2"].into_iter().enumerate() {
        world.clock.set(NOW_MS + n as i64 * 60_000);
        refused(&world, &authority.device(name)).await;
    }
    refused_by_a_connector(&world, &authority.device("SN2"), "truck_SN2", "device_mismatch").await;
    let groups = async |query: &str| viewer.get(&format!("{ATTEMPTS}/groups?{query}")).await.ok(200);
    let all = groups("").await;
    let expected = json!({"code": "self_registration_disabled", "certificate_id": "ca", "ca_name": "Device CA",
        "template_id": "template", "count": 3, "certificates": 3, "devices": 2, "first_at": "2026-06-01T00:00:00.000Z",
        "last_at": "2026-06-01T00:02:00.000Z", "last_position": all["groups"][0]["last_position"]});
    assert_eq!(all["groups"][0], expected, "the most first, {all}");
    let other = &all["groups"][1];
    assert_eq!((&other["source"], &other["certificate_id"]), (&json!("203.0.113.7"), &json!("ca-of-then")));
    assert_eq!((other.get("ca_name"), &all["left_out"]), (None, &json!(0)), "{all}");
    for (query, counts) in [
        ("code=self_registration_disabled", vec![3]),
        ("certificate_id=ca-of-then", vec![1]),
        ("certificate_id=ca", vec![3]),
        ("template_id=template", vec![3, 1]),
        ("template_id=other", vec![]),
        ("source=203.0.113.7", vec![1]),
        ("since=20260601T000100Z&certificate_id=ca", vec![2]),
        ("certificate=sn1", vec![1]),
        ("device=truck_SN2&certificate_id=ca", vec![2]),
    ] {
        let found = groups(query).await;
        let found: Vec<_> =
            found["groups"].as_array().unwrap().iter().map(|group| group["count"].as_i64().unwrap()).collect();
        assert_eq!(found, counts, "{query}");
        let listed = viewer.get(&format!("{ATTEMPTS}?limit=50&{query}")).await.ok(200);
        assert_eq!(listed["attempts"].as_array().unwrap().len() as i64, counts.iter().sum::<i64>(), "{query}");
    }
    viewer.get(&format!("{ATTEMPTS}/groups?source=here")).await.refused(400, "IOTDA.000006");
    viewer.get(&format!("{ATTEMPTS}?source=here")).await.refused(400, "IOTDA.000006");
    world.operator_of(&["space"]).await.get(&format!("{ATTEMPTS}/groups")).await.refused(403, "IOTDA.000021");
}

#[tokio::test]
async fn changes_that_were_refused_are_attempts_too_but_are_not_replayed() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let name = json!({"app_name": "not/allowed"});
    operator.put("/apps/space", name).await.refused(400, "IOTDA.000006");
    let attempt = operator.get(&format!("{ATTEMPTS}?code=invalid_field")).await.ok(200)["attempts"][0].clone();
    assert!(attempt["actor"].as_str().unwrap().starts_with("operator "), "{attempt}");
    let one = format!("{ATTEMPTS}/{}", attempt["position"]);
    operator.post(&format!("{one}/replay"), json!({})).await.refused(400, "IOTDA.014914");
}

#[tokio::test]
async fn what_cannot_be_looked_for_is_refused() {
    let world = World::with_alpha().await;
    let viewer = world.viewer().await;
    for (query, code) in [
        ("limit=0", "IOTDA.000017"),
        ("limit=51", "IOTDA.000017"),
        ("since=yesterday", "IOTDA.000009"),
        ("since=20260602T000000Z&until=20260601T000000Z", "IOTDA.000010"),
        ("before=0", "IOTDA.000006"),
    ] {
        viewer.get(&format!("{ATTEMPTS}?{query}")).await.refused(400, code);
    }
    viewer.get(&format!("{ATTEMPTS}/1")).await.refused(404, "IOTDA.014910");
    viewer.get(&format!("{ATTEMPTS}/x")).await.refused(404, "IOTDA.014910");
    world.operator_of(&["space"]).await.get(ATTEMPTS).await.refused(403, "IOTDA.000021");
}
