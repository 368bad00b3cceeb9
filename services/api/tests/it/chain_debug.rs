//! Debugging a device certificate without naming a CA certificate.

use rollcall_domain::registry::{Command, command::TemplateChange};
use serde_json::{Value, json};

use crate::{
    client::Client,
    pki::{Authority, pem},
    world::{World, id},
};

const PATH: &str = "/rollcall/v1/instances/alpha/debug";

async fn debug(client: &Client, der: &[u8]) -> Value {
    client.post(PATH, json!({"certificate": pem(der)})).await.ok(200)
}

#[tokio::test]
async fn the_ca_certificate_is_found_and_the_answer_is_that_of_naming_it() {
    let (world, authority) = World::with_ca().await;
    let viewer = world.viewer().await;
    let der = authority.device("one");
    let found = debug(&viewer, &der).await;
    let named = "/rollcall/v1/instances/alpha/certificates/ca/debug";
    let named = viewer.post(named, json!({"device_certificate": pem(&der)})).await.ok(200);
    assert_eq!((&found["found_by"], &found["certificate_id"]), (&json!("signature"), &json!("ca")));
    assert_eq!(found["connection"]["outcome"], "register");
    for (field, value) in named.as_object().unwrap() {
        assert_eq!(&found[field], value, "{field}");
    }
    world.connect("alpha", &der, None).await;
    let known = debug(&viewer, &der).await;
    assert_eq!((&known["outcome"], &known["connection"]["outcome"]), (&json!("already_registered"), &json!("accept")));
    world.command("alpha", Command::FreezeDevice { device: id("truck_one") }).await;
    let frozen = debug(&viewer, &der).await;
    assert_eq!(
        (&frozen["connection"]["outcome"], &frozen["connection"]["code"]),
        (&json!("refuse"), &json!("device_frozen"))
    );
}

#[tokio::test]
async fn who_names_a_device_that_waits_is_told_that_it_would_be_pinned() {
    let (world, authority) = World::with_ca().await;
    let viewer = world.viewer().await;
    world.create_device("waiting").await;
    let command = Command::ConfigureCa { ca: id("ca"), template: TemplateChange::Unbind, self_registration: Some(false) };
    world.command("alpha", command).await;
    let der = authority.device("one");
    let unnamed = debug(&viewer, &der).await;
    assert_eq!(
        (&unnamed["connection"]["code"], &unnamed["rejection"]),
        (&json!("template_not_bound"), &json!("template_not_bound"))
    );
    let as_device =
        |user_name: &str| json!({"certificate": pem(&der), "client_id": "waiting_0_1_2026060100", "user_name": user_name});
    let named = viewer.post(PATH, as_device("waiting")).await.ok(200);
    assert_eq!((&named["outcome"], &named["connection"]["outcome"]), (&json!("pin"), &json!("register")), "{named}");
    let other = viewer.post(PATH, as_device("other")).await.ok(200);
    assert_eq!(other["connection"]["code"], "template_not_bound", "that is not the standard form");
    world.connect("alpha", &der, Some("waiting")).await;
    let pinned = viewer.post(PATH, as_device("waiting")).await.ok(200);
    assert_eq!(pinned["connection"]["outcome"], "accept", "{pinned}");
}

#[tokio::test]
async fn a_ca_certificate_that_is_not_verified_is_found_too_and_none_is_said_to_be_none() {
    let (world, _) = World::with_ca().await;
    let viewer = world.viewer().await;
    let own = Authority::root("Own CA");
    let stranger = debug(&viewer, &own.device("one")).await;
    assert_eq!((stranger.get("found_by"), stranger.get("certificate_id")), (None, None));
    assert_eq!((&stranger["outcome"], &stranger["rejection"]), (&json!("refuse"), &json!("chain_refused")));
    assert_eq!(stranger["connection"]["code"], "chain_refused");
    assert_eq!(stranger["checks"][0]["name"], "chain_leads_to_verified_ca");
    let upload = Command::UploadCa { ca: id("own"), space: id("space"), der: own.der.clone().into() };
    world.command("alpha", upload).await;
    let unverified = debug(&viewer, &own.device("one")).await;
    assert_eq!((&unverified["found_by"], &unverified["certificate_id"]), (&json!("not_in_force"), &json!("own")));
    assert_eq!(
        (&unverified["rejection"], &unverified["connection"]["code"]),
        (&json!("ca_not_verified"), &json!("ca_not_verified"))
    );
    for wrong in [json!({}), json!({"certificate": "hello"}), json!({"certificate": 7})] {
        assert_eq!(viewer.post(PATH, wrong).await.status, 400);
    }
}

#[tokio::test]
async fn a_ca_certificate_out_of_scope_is_none_at_all() {
    let (world, authority) = World::with_ca().await;
    world.create_space("alpha", "second").await;
    let der = authority.device("one");
    world.connect("alpha", &der, None).await;
    let of_second = world.operator_of(&["second"]).await;
    let told = debug(&of_second, &der).await;
    assert_eq!(told, debug(&of_second, &der).await);
    let stranger = debug(&of_second, &Authority::root("Device CA").device("one")).await;
    for field in ["found_by", "certificate_id", "outcome", "text", "rejection", "connection", "checks", "device"] {
        assert_eq!(told.get(field), stranger.get(field), "{field}");
    }
    let elsewhere = "/rollcall/v1/instances/beta/debug";
    of_second.post(elsewhere, json!({"certificate": pem(&der)})).await.refused(404, "IOTDA.014907");
}
