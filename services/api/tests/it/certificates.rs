//! CA certificates over HTTP: upload, proof, binding, debugging what they issued.

use rollcall_domain::registry::Command;
use serde_json::{Value, json};

use crate::{
    client::Client,
    pki::{Authority, pem},
    world::{World, id},
};

/// Uploads a CA certificate; its id.
async fn upload(client: &Client, authority: &Authority) -> String {
    let made = client.post("/certificates", json!({"content": pem(&authority.der)})).await.ok(201);
    made["certificate_id"].as_str().unwrap().to_owned()
}

async fn verify(client: &Client, ca: &str, authority: &Authority) {
    let code = client.get(&format!("/certificates/{ca}")).await.ok(200)["verify_code"].as_str().unwrap().to_owned();
    let proof = json!({"verify_content": pem(&authority.device(&code))});
    let answer = client.post(&format!("/certificates/{ca}/action?action_id=verify"), proof).await.ok(200);
    assert_eq!(answer, Value::Null, "no body");
}

#[tokio::test]
async fn a_ca_certificate_goes_from_upload_to_self_registration() {
    let world = World::with_alpha().await;
    world.create_template("alpha", "template", "truck").await;
    let (operator, authority) = (world.operator().await, Authority::of_organization("Device CA", "ACME"));
    let content = pem(&authority.der);
    let made = operator.post("/certificates", json!({"content": content})).await.ok(201);
    assert_eq!((&made["cn_name"], &made["owner"], &made["status"]), (&json!("Device CA"), &json!("ACME"), &json!(false)));
    assert_eq!((&made["provision_enable"], &made["ocsp_enable"]), (&json!(false), &json!(false)));
    assert_eq!((made.get("template_id"), &made["create_date"]), (None, &json!("20260601T000000Z")));
    let code = made["verify_code"].as_str().unwrap().to_owned();
    assert_eq!(code.len(), 36, "{code}");
    let ca = made["certificate_id"].as_str().unwrap();
    let path = format!("/certificates/{ca}");
    let shown = operator.get(&path).await.ok(200);
    assert_eq!(
        (&shown["name"], &shown["content"], &shown["verify_code"]),
        (&json!("Device CA"), &json!(content), &json!(code))
    );

    let wrong = json!({"verify_content": pem(&authority.device("guessed"))});
    operator.post(&format!("{path}/action?action_id=verify"), wrong).await.refused(400, "IOTDA.014307");
    let foreign = json!({"verify_content": pem(&Authority::root("Device CA").device(&code))});
    operator.post(&format!("{path}/action?action_id=verify"), foreign.clone()).await.refused(400, "IOTDA.014308");
    verify(&operator, ca, &authority).await;
    let shown = operator.get(&path).await.ok(200);
    assert_eq!((&shown["status"], shown.get("verify_code")), (&json!(true), None), "the code is spent");
    operator.post(&format!("{path}/action?action_id=verify"), foreign).await.refused(400, "IOTDA.014308");
    let again = json!({"verify_content": pem(&authority.device(&code))});
    operator.post(&format!("{path}/action?action_id=verify"), again).await.ok(200);
    let spent = operator.post(&format!("{path}/action?action_id=issue-code"), json!({})).await;
    spent.refused(409, "IOTDA.014929");

    operator.put(&path, json!({"provision_enable": true})).await.refused(400, "IOTDA.014927");
    operator.put(&path, json!({"template_id": "none"})).await.refused(404, "IOTDA.014903");
    let bound =
        operator.put(&path, json!({"provision_enable": true, "template_id": "template", "ocsp_enable": false})).await;
    let bound = bound.ok(200);
    assert_eq!((&bound["template_id"], &bound["provision_enable"]), (&json!("template"), &json!(true)));
    let off = operator.put(&path, json!({"provision_enable": false})).await.ok(200);
    assert_eq!((&off["template_id"], &off["provision_enable"]), (&json!("template"), &json!(false)), "absent: unchanged");
    for nothing in [Value::Null, json!("")] {
        let unbound = operator.put(&path, json!({"template_id": nothing})).await.ok(200);
        assert_eq!(unbound.get("template_id"), None, "{nothing}");
        operator.put(&path, json!({"template_id": "template"})).await.ok(200);
    }
    operator.delete(&path).await.ok(204);
    operator.get(&path).await.refused(404, "IOTDA.014904");
}

#[tokio::test]
async fn a_new_code_takes_the_place_of_the_old_one() {
    let world = World::with_alpha().await;
    let (operator, authority) = (world.operator().await, Authority::root("CA"));
    let ca = upload(&operator, &authority).await;
    let old = operator.get(&format!("/certificates/{ca}")).await.ok(200)["verify_code"].clone();
    let action = format!("/certificates/{ca}/action?action_id=");
    let issued = operator.post(&format!("{action}issue-code"), json!({})).await.ok(200);
    assert_ne!(issued["verify_code"], old);
    let proof = json!({"verify_content": pem(&authority.device(old.as_str().unwrap()))});
    operator.post(&format!("{action}verify"), proof).await.refused(400, "IOTDA.014307");
    verify(&operator, &ca, &authority).await;
}

#[tokio::test]
async fn what_is_no_ca_certificate_is_refused_and_a_key_never_repeated() {
    let world = World::with_alpha().await;
    let (operator, authority) = (world.operator().await, Authority::root("CA"));
    let good = pem(&authority.der);
    let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    let cases = [
        ("", "holds no certificate"),
        ("hello", "holds no certificate"),
        (&format!("{good}{good}"), "a second certificate begins here, 2 in all"),
        (&format!("{good}{key}"), "holds a private key"),
        (&good[..100], "line 1: what begins here has no -----END line"),
        (&pem(b"not DER"), "cannot be read"),
        (&pem(&authority.device("leaf")), "CA:TRUE"),
    ];
    for (content, expected) in cases {
        let text = operator.post("/certificates", json!({"content": content})).await.refused(400, "IOTDA.014301");
        assert!(text.contains(expected) && !text.contains("c2VjcmV0"), "{expected} in {text}");
    }
    let ca = upload(&operator, &authority).await;
    operator.post("/certificates", json!({"content": good})).await.refused(409, "IOTDA.014920");
    let path = format!("/certificates/{ca}");
    for offered in [json!({"ocsp_enable": true}), json!({"ocsp_ssl_enable": true}), json!({"ocsp_server_ca_id": "x"})] {
        let text = operator.put(&path, offered).await.refused(400, "IOTDA.014914");
        assert!(text.contains("OCSP is not offered"), "{text}");
    }
    for (query, expected) in
        [("?action_id=explode", "\"explode\": give one of verify, debug, issue-code"), ("", "give one of")]
    {
        let text = operator.post(&format!("{path}/action{query}"), json!({})).await.refused(400, "IOTDA.000006");
        assert!(text.contains(expected), "{text}");
    }
    operator.post(&format!("{path}/action?action_id=verify"), json!({})).await.refused(400, "IOTDA.014301");
}

#[tokio::test]
async fn one_ca_certificate_too_many_is_the_services_own_code() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    for n in 0..100 {
        let der = Authority::root(&format!("CA {n}")).der.into();
        world.command("alpha", Command::UploadCa { ca: id(&format!("ca-{n}")), space: id("space"), der }).await;
    }
    let one_more = json!({"content": pem(&Authority::root("one more").der)});
    let text = operator.post("/certificates", one_more.clone()).await.refused(400, "IOTDA.014300");
    assert!(text.contains("100 CA certificates"), "{text}");
    let declared = "/rollcall/v1/instances/alpha/apps/space/certificates/one-more";
    operator.put(declared, one_more).await.refused(400, "IOTDA.014300");
}

#[tokio::test]
async fn ca_certificates_are_listed_newest_first_and_by_space() {
    let world = World::with_alpha().await;
    world.create_space("alpha", "second").await;
    let (operator, of_second) = (world.operator().await, world.operator_of(&["second"]).await);
    let mut made = Vec::new();
    for n in 0..5 {
        world.clock.set(crate::world::NOW_MS + 1000 * n);
        made.push(upload(&operator, &Authority::root(&format!("CA {n}"))).await);
    }
    let own = json!({"content": pem(&Authority::root("own").der), "app_id": "second"});
    let own = of_second.post("/certificates", own).await.ok(201);
    let listed = operator.all_pages("/certificates?app_id=space", "certificates", 2).await;
    let ids: Vec<&str> = listed.iter().map(|ca| ca["certificate_id"].as_str().unwrap()).collect();
    made.reverse();
    assert_eq!(ids, made);
    assert!(listed.iter().all(|ca| ca.get("content").is_none()));
    assert_eq!(operator.all_pages("/certificates", "certificates", 4).await.len(), 6);
    let seen = of_second.all_pages("/certificates", "certificates", 4).await;
    assert_eq!(seen, [own]);
    of_second.get(&format!("/certificates/{}", made[0])).await.refused(404, "IOTDA.014904");
}

/// What debugging a certificate says, by both of its ways.
async fn debug(world: &World, der: &[u8]) -> Value {
    let viewer = world.viewer().await;
    let (path, certificate) = ("/rollcall/v1/instances/alpha/certificates/ca/debug", pem(der));
    let answer = viewer.post(path, json!({"device_certificate": certificate})).await.ok(200);
    let operator = world.operator().await;
    let action = operator.post("/certificates/ca/action?action_id=debug", json!({"verify_content": certificate})).await;
    assert_eq!(action.ok(200), answer);
    let action = viewer.post("/certificates/ca/action?action_id=debug", json!({"verify_content": certificate})).await;
    assert_eq!(action.ok(200), answer, "a viewer may");
    for changing in ["verify", "issue-code"] {
        let path = format!("/certificates/ca/action?action_id={changing}");
        viewer.post(&path, json!({})).await.refused(403, "IOTDA.000021");
    }
    answer
}

#[tokio::test]
async fn a_device_certificate_is_debugged_as_it_would_then_be_ruled_on() {
    let (world, authority) = World::with_ca().await;
    let der = authority.device("one");
    let before = debug(&world, &der).await;
    assert_eq!((&before["outcome"], before.get("rejection")), (&json!("register"), None));
    assert_eq!((&before["template_id"], &before["template_version"]), (&json!("template"), &json!(1)));
    let device = &before["device"];
    assert_eq!((&device["device_id"], &device["node_id"]), (&json!("truck_one"), &json!("one")));
    assert_eq!((&device["product_id"], &device["app_id"]), (&json!("truck"), &json!("space")));
    assert_eq!(before["device_certificate"]["common_name"], "one");
    let checks = before["checks"].as_array().unwrap();
    assert!(checks.len() > 5 && checks.iter().all(|check| check["passed"] == true), "{checks:?}");
    assert_eq!(debug(&world, &der).await, before, "nothing has come of it");

    world.connect("alpha", &der, None).await;
    let after = debug(&world, &der).await;
    assert_eq!((&after["outcome"], &after["device"]["device_id"]), (&json!("already_registered"), &json!("truck_one")));
    let other = debug(&world, &authority.device("one")).await;
    assert_eq!((&other["outcome"], &other["rejection"]), (&json!("refuse"), &json!("certificate_mismatch")), "{other}");

    world.command("alpha", Command::DeleteDevice { device: id("truck_one") }).await;
    assert_eq!(debug(&world, &der).await["rejection"], "certificate_retired");
    assert_eq!(debug(&world, &authority.device("one")).await["rejection"], "device_deleted");
    let strange = debug(&world, &Authority::root("Device CA").device("one")).await;
    assert_eq!((&strange["outcome"], &strange["rejection"]), (&json!("refuse"), &json!("chain_refused")));
    let last = strange["checks"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["passed"], false, "{last}");
}

#[tokio::test]
async fn debugging_takes_a_chain_and_no_key_and_keeps_to_the_callers_spaces() {
    let (world, authority) = World::with_ca().await;
    world.create_space("alpha", "second").await;
    let path = "/rollcall/v1/instances/alpha/certificates/ca/debug";
    let viewer = world.viewer().await;
    let chain = format!("{}{}", pem(&authority.device("one")), pem(&authority.der));
    let answer = viewer.post(path, json!({"device_certificate": chain})).await.ok(200);
    assert_eq!(answer["outcome"], "register", "{answer}");
    for nothing in
        [json!({}), json!({"device_certificate": "hello"}), json!({"verify_content": "-----BEGIN PRIVATE KEY-----"})]
    {
        viewer.post(path, nothing).await.refused(400, "IOTDA.014301");
    }
    let of_second = world.operator_of(&["second"]).await;
    of_second.post(path, json!({"device_certificate": chain})).await.refused(404, "IOTDA.014904");
    let unreadable = viewer.post(path, json!({"device_certificate": pem(b"not DER")})).await.ok(200);
    assert_eq!((&unreadable["outcome"], unreadable.get("device_certificate")), (&json!("refuse"), None));
}
