//! What certificates say, asked over HTTP before anything is done with them.

use serde_json::json;

use crate::{
    pki::{Authority, pem},
    world::World,
};

const PATH: &str = "/rollcall/v1/certificates/inspect";

#[tokio::test]
async fn certificates_are_told_and_what_an_upload_would_be_refused_for() {
    let world = World::with_alpha().await;
    let (viewer, operator) = (world.viewer().await, world.operator().await);
    let authority = Authority::of_organization("Device CA", "ACME");
    let device = authority.device_with("pump", Some("12"), None);
    let text = format!("{}{}", pem(&authority.der), pem(&device));
    let told = viewer.post(PATH, json!({"content": text})).await.ok(200);
    let [ca, leaf] = told["certificates"].as_array().unwrap().as_slice() else { panic!("{told}") };
    assert_eq!((&ca["subject"], &ca["is_ca"], &ca["version"]), (&json!("CN=Device CA, O=ACME"), &json!(true), &json!(3)));
    assert_eq!((&ca["public_key"], &ca["signature_algorithm"]), (&json!("ECDSA, P-256"), &json!("ECDSA with SHA-256")));
    assert_eq!((&ca["problems"], &ca["fingerprint_sha1"].as_str().unwrap().len()), (&json!([]), &40));
    assert_eq!((&leaf["subject"], &leaf["issuer"]), (&json!("CN=pump, serialNumber=12"), &json!("CN=Device CA, O=ACME")));
    assert_eq!(leaf["fields"], json!({"common_name": "pump", "serial_number": "12"}));
    let code = leaf["problems"][0]["code"].as_str().unwrap();
    assert_eq!((code, leaf["problems"].as_array().unwrap().len()), ("ca_not_an_authority", 1));
    let refused = operator.post("/certificates", json!({"content": pem(&device)})).await.refused(400, "IOTDA.014301");
    assert!(refused.contains(leaf["problems"][0]["text"].as_str().unwrap()), "{refused}");
    operator.post("/certificates", json!({"content": pem(&authority.der)})).await.ok(201);

    let hidden = authority.device("left\u{202e}right");
    let told = viewer.post(PATH, json!({"content": pem(&hidden)})).await.ok(200);
    let told = &told["certificates"][0];
    assert_eq!((&told["subject"], &told["fields"]), (&json!("CN=?"), &json!({})));
    assert_eq!(told["unusable_fields"][0]["code"], "certificate_attribute");
}

#[tokio::test]
async fn what_is_no_certificate_is_refused_with_its_place() {
    let world = World::empty().await;
    let viewer = world.viewer().await;
    let good = pem(&Authority::root("CA").der);
    let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    let cases = [
        ("".to_owned(), "it is empty"),
        ("hello".to_owned(), "line 1: it is not PEM"),
        (good.repeat(7), "at most 6"),
        (format!("{good}{key}"), "holds a private key"),
        (format!("{good}{}", pem(b"not DER")), "certificate 2: no proper certificate"),
    ];
    for (content, expected) in cases {
        let text = viewer.post(PATH, json!({"content": content})).await.refused(400, "IOTDA.014301");
        assert!(text.contains(expected) && !text.contains("c2VjcmV0"), "{expected} in {text}");
    }
    viewer.post(PATH, json!({})).await.refused(400, "IOTDA.000006");
    world.nobody().post(PATH, json!({"content": good})).await.refused(401, "IOTDA.000002");
}
