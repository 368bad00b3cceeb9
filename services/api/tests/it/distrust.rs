//! What is answered when a CA certificate is deleted, and who lifts the distrust of its CA.

use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    pki::pem,
    world::World,
};

const DISTRUSTED: &str = "/rollcall/v1/instances/alpha/distrusted-cas";

fn deleted(answer: Answer) -> (String, Option<String>) {
    let header = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let said = (header("rollcall-distrusted").unwrap(), header("rollcall-still-vouching"));
    assert!(header("rollcall-position").is_some());
    answer.ok(204);
    said
}

async fn listed(client: &Client) -> Vec<Value> {
    client.get(DISTRUSTED).await.ok(200)["distrusted_cas"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_deletion_says_what_became_of_the_ca_and_who_still_vouches_for_its_devices() {
    let (world, ca) = World::with_ca().await;
    let operator = world.operator().await;
    let line = ca.below("Line CA");
    world.trust("alpha", &line, "line", "space", "template").await;
    world.connect("alpha", &line.device("one"), None).await;
    assert_eq!(deleted(operator.delete("/certificates/line?distrust=false").await), ("false".into(), Some("ca".into())));
    assert!(listed(&operator).await.is_empty());

    world.trust("alpha", &line, "line", "space", "template").await;
    assert_eq!(deleted(operator.delete("/certificates/line").await), ("true".into(), None));
    let [one] = <[Value; 1]>::try_from(listed(&operator).await).unwrap();
    assert_eq!(
        (&one["cn_name"], &one["certificate_id"], &one["app_id"]),
        (&json!("Line CA"), &json!("line"), &json!("space"))
    );
    assert_eq!(one["name_and_key_sha256"].as_str().unwrap().len(), 64);
    assert!(listed(&world.operator_of(&["elsewhere"]).await).await.is_empty(), "what is out of scope is not shown");
}

#[tokio::test]
async fn a_renewed_ca_is_not_distrusted_with_its_old_certificate() {
    let (world, ca) = World::with_ca().await;
    let operator = world.operator().await;
    world.trust("alpha", &ca.renewed(), "renewed", "space", "template").await;
    let why = operator.delete("/certificates/ca?distrust=true").await.refused(400, "IOTDA.000006");
    assert!(why.contains("CA certificate renewed is verified and of the same CA"), "{why}");
    assert_eq!(deleted(operator.delete("/certificates/ca").await), ("false".into(), Some("renewed".into())));
    assert_eq!(deleted(operator.delete("/certificates/renewed").await), ("true".into(), None));
}

#[tokio::test]
async fn f18_another_space_with_the_key_does_not_lift_a_distrust() {
    let (world, ca) = World::with_ca().await;
    world.create_space("alpha", "other").await;
    let operator = world.operator().await;
    deleted(operator.delete("/certificates/ca?distrust=true").await);
    let upload = json!({"content": pem(&ca.der), "app_id": "other"});
    let made = operator.post("/certificates", upload).await.ok(201);
    let (id, code) = (made["certificate_id"].as_str().unwrap(), made["verify_code"].as_str().unwrap());
    let proof = json!({"verify_content": pem(&ca.device(code))});
    let why = operator.post(&format!("/certificates/{id}/action?action_id=verify"), proof).await;
    assert!(why.refused(409, "IOTDA.014945").contains("ca_distrusted"));
    assert_eq!(deleted(operator.delete(&format!("/certificates/{id}")).await).0, "true", "as it was");
    world.trust("alpha", &ca, "again", "space", "template").await;
    assert!(listed(&operator).await.is_empty());
}
