//! Searching and filtering the list of devices, and taking it whole as CSV.

use rollcall_domain::{
    fleet::{Role, Scope},
    registry::{Command, command::TemplateChange},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    client::Client,
    pki::Authority,
    world::{World, id},
};

const LIST: &str = "/rollcall/v1/instances/alpha/device-list";
/// More than two pages of a CSV.
const DEVICES: usize = 1203;

async fn listed(client: &Client, query: &str) -> Vec<String> {
    let devices = client.all_pages(&format!("{LIST}?{query}"), "devices", 2).await;
    devices.iter().map(|device| device["device_id"].as_str().unwrap().to_owned()).collect()
}

async fn add(client: &Client, device: Value) {
    client.post("/devices", device).await.ok(201);
}

/// The lines of a CSV, without the first.
async fn lines(client: &Client, query: &str) -> Vec<String> {
    let answer = client.get(&format!("{LIST}/csv?{query}")).await;
    assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8; header=present", "{answer:?}");
    assert_eq!(answer.headers["content-disposition"], "attachment; filename=\"devices.csv\"");
    let body = answer.ok(200);
    let mut lines = body.as_str().unwrap().split_terminator("\r\n").map(str::to_owned);
    let header = lines.next().unwrap();
    assert!(header.starts_with("device_id,node_id,device_name,app_id,"), "{header}");
    lines.collect()
}

#[tokio::test]
async fn a_search_finds_devices_by_each_of_what_is_known_of_them() {
    let (world, authority) = World::with_ca().await;
    let operator = world.operator().await;
    add(&operator, json!({"node_id": "north-1", "product_id": "truck", "device_name": "Unit of Bonn"})).await;
    add(&operator, json!({"node_id": "north-2", "device_id": "pump-2", "product_id": "truck"})).await;
    let typed = "ab".repeat(20);
    let auth = json!({"auth_type": "CERTIFICATES", "fingerprint": typed});
    add(&operator, json!({"node_id": "south", "product_id": "truck", "auth_info": auth})).await;
    world.connect("alpha", &authority.device("SN9"), None).await;
    let tags = json!([{"tag_key": "site", "tag_value": "kiel"}]);
    let body = json!({"resource_type": "device", "resource_id": "pump-2", "tags": tags});
    operator.post("/tags/bind-resource", body).await.ok(200);
    let proven = hex::encode(Sha256::digest(authority.device("never")));
    let shown = operator.get("/devices/truck_SN9").await.ok(200);
    let fingerprint = shown["auth_info"]["fingerprint"].as_str().unwrap().to_uppercase();
    let colons: Vec<&str> = (0..32).map(|n| &fingerprint[2 * n..2 * n + 2]).collect();
    for (q, expected) in [
        ("pump", vec!["pump-2"]),
        ("north-", vec!["pump-2", "truck_north-1"]),
        ("Unit%20of", vec!["truck_north-1"]),
        ("SN9", vec!["truck_SN9"]),
        ("truck_", vec!["truck_SN9", "truck_south", "truck_north-1"]),
        ("site%3Dkiel", vec!["pump-2"]),
        ("site%3Dki", vec![]),
        (&typed, vec!["truck_south"]),
        (&*colons.join(":"), vec!["truck_SN9"]),
        (&proven, vec![]),
        ("ump", vec![]),
        ("", vec!["truck_SN9", "truck_south", "pump-2", "truck_north-1"]),
    ] {
        assert_eq!(listed(&operator, &format!("q={q}")).await, expected, "{q}");
    }
    assert_eq!(listed(&operator, "q=truck_&status=OFFLINE").await, ["truck_SN9"], "all that is given must hold");
    let page = operator.get(&format!("{LIST}?q=truck_")).await.ok(200);
    assert_eq!(page["count_is_lower_bound"], false, "{page}");
    operator.get(&format!("{LIST}?q={}", "x".repeat(257))).await.refused(400, "IOTDA.000006");
    world.create_space("alpha", "other").await;
    assert_eq!(listed(&world.operator_of(&["other"]).await, "q=truck_").await, [""; 0], "out of scope");
}

#[tokio::test]
async fn devices_are_found_by_the_subject_of_their_certificate() {
    let (world, authority) = World::with_ca().await;
    let operator = world.operator().await;
    let der = authority.device("Unit 7");
    add(
        &operator,
        json!({"node_id": "n1", "device_id": "pump", "product_id": "truck",
        "auth_info": {"auth_type": "CERTIFICATES"}}),
    )
    .await;
    // A template would name the device by its CN.
    let change = Command::ConfigureCa { ca: id("ca"), template: TemplateChange::Unbind, self_registration: Some(false) };
    world.command("alpha", change).await;
    world.connect("alpha", &der, Some("pump")).await;
    assert_eq!(listed(&operator, "q=Unit").await, ["pump"]);
    assert_eq!(listed(&operator, "q=Unit%207&app_id=space").await, ["pump"]);
    assert_eq!(listed(&operator, "q=unit").await, [""; 0], "case counts");
}

#[tokio::test]
async fn devices_are_found_by_the_ca_that_proved_them_and_the_template_that_is_bound_there() {
    let (world, authority) = World::with_ca().await;
    let second = Authority::root("Second CA");
    world.create_template("alpha", "other-template", "truck").await;
    world.trust("alpha", &second, "second", "space", "other-template").await;
    let viewer = world.viewer().await;
    world.connect("alpha", &authority.device("a"), None).await;
    world.connect("alpha", &second.device("b"), None).await;
    world.connect("alpha", &authority.device("c"), None).await;
    world.create_device("entered").await;
    for (query, expected) in [
        ("certificate_id=ca", vec!["truck_c", "truck_a"]),
        ("certificate_id=second", vec!["truck_b"]),
        ("template_id=template", vec!["truck_c", "truck_a"]),
        ("template_id=other-template", vec!["truck_b"]),
        ("template_id=other-template&certificate_id=ca", vec![]),
        ("certificate_id=ca&q=truck_a", vec!["truck_a"]),
        ("certificate_id=ca&status=ONLINE", vec![]),
    ] {
        assert_eq!(listed(&viewer, query).await, expected, "{query}");
    }
    viewer.get(&format!("{LIST}?certificate_id=none")).await.refused(404, "IOTDA.014904");
    world.create_space("alpha", "elsewhere").await;
    let limited = world.operator_of(&["elsewhere"]).await;
    limited.get(&format!("{LIST}?certificate_id=ca")).await.refused(404, "IOTDA.014904");
}

#[tokio::test]
async fn a_csv_is_the_whole_list_with_formulas_defused() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    add(&operator, json!({"node_id": "n1", "product_id": "truck", "device_name": "@SUM(1), &x"})).await;
    add(&operator, json!({"node_id": "-n2", "device_id": "two", "product_id": "truck", "device_name": "-1"})).await;
    let tags = json!([{"tag_key": "site", "tag_value": "kiel"}, {"tag_key": "x", "tag_value": "1"}]);
    let body = json!({"resource_type": "device", "resource_id": "two", "tags": tags});
    operator.post("/tags/bind-resource", body).await.ok(200);
    let expected = [
        "two,'-n2,'-1,space,space,truck,truck,INACTIVE,20260601T000000Z,,,site=kiel;x=1",
        "truck_n1,n1,\"'@SUM(1), &x\",space,space,truck,truck,INACTIVE,20260601T000000Z,,,",
    ];
    assert_eq!(lines(&operator, "").await, expected);
    assert_eq!(lines(&operator, "q=two").await, expected[..1]);
    assert_eq!(lines(&operator, "status=FROZEN").await, [""; 0]);
    operator.get(&format!("{LIST}/csv?status=LOST")).await.refused(400, "IOTDA.000006");
    operator.get(&format!("{LIST}/csv?app_id=nowhere")).await.refused(403, "IOTDA.001000");
    world.create_space("alpha", "other").await;
    let scope = Scope { instances: None, spaces: Some([id("other")].into()) };
    assert_eq!(lines(&world.client(Role::Viewer, scope).await, "").await, [""; 0], "out of scope");
}

#[tokio::test]
async fn a_csv_goes_over_many_pages_and_counts_as_a_search() {
    let world = World::with_limits(|limits| limits.searches_per_s_max = 1).await;
    world.create_instance("alpha").await;
    world.create_space("alpha", "space").await;
    world.create_product("alpha", "space", "truck").await;
    for n in 0..DEVICES {
        world.create_device(&format!("n{n:04}")).await;
    }
    let viewer = world.viewer().await;
    let found = lines(&viewer, "").await;
    let ids: Vec<&str> = found.iter().map(|line| line.split(',').next().unwrap()).collect();
    let expected: Vec<String> = (0..DEVICES).rev().map(|n| format!("n{n:04}")).collect();
    assert_eq!(ids, expected);
    let mut refused = 0;
    for _ in 0..11 {
        refused += usize::from(viewer.get(&format!("{LIST}/csv?q=n0000")).await.status == 403);
    }
    assert!(refused >= 1, "in bursts of ten");
    let other = world.viewer().await;
    assert_eq!(lines(&other, "q=n0001").await.len(), 1, "each operator by themselves");
}
