//! Certificates that were taken away from their device: shown, lifted, and told of when the device is added again.

use serde_json::json;

use crate::world::World;

const RETIRED: &str = "/rollcall/v1/instances/alpha/retired-certificates";

#[tokio::test]
async fn a_deleted_devices_certificate_is_listed_until_the_device_is_readmitted() {
    let (world, authority) = World::with_ca().await;
    let operator = world.operator().await;
    let der = authority.device("one");
    world.connect("alpha", &der, None).await;
    operator.delete("/devices/truck_one").await.ok(204);
    let listed = operator.get(RETIRED).await.ok(200);
    let [certificate] = listed["retired_certificates"].as_array().unwrap().as_slice() else { panic!("{listed}") };
    assert_eq!((&certificate["device_id"], &certificate["reason"]), (&json!("truck_one"), &json!("device_deleted")));
    assert_eq!((&certificate["app_id"], &certificate["typed"]), (&json!("space"), &json!(false)));
    assert_eq!(listed.get("marker"), None);
    let of_device = format!("{RETIRED}?device_id=truck_one");
    assert_eq!(operator.get(&of_device).await.ok(200), listed);
    world.create_space("alpha", "other").await;
    let stranger = world.operator_of(&["other"]).await;
    for path in [RETIRED, &of_device] {
        assert_eq!(stranger.get(path).await.ok(200)["retired_certificates"], json!([]));
    }
    let readmit = format!("{RETIRED}/{}/readmit", certificate["fingerprint"].as_str().unwrap());
    stranger.post(&readmit, json!({})).await.refused(404, "IOTDA.014905");
    world.viewer().await.post(&readmit, json!({})).await.refused(403, "IOTDA.000021");
    operator.post("/rollcall/v1/instances/alpha/devices/truck_one/readmit", json!({})).await.ok(204);
    assert_eq!(operator.get(RETIRED).await.ok(200)["retired_certificates"], json!([]));
    operator.post(&readmit, json!({})).await.refused(404, "IOTDA.014905");
    world.connect("alpha", &der, None).await;
    operator.get("/devices/truck_one").await.ok(200);
}

#[tokio::test]
async fn a_device_that_is_added_again_says_what_stays_barred_and_which_call_lifts_it() {
    let (world, authority) = World::with_ca().await;
    let operator = world.operator().await;
    let der = authority.device("one");
    world.connect("alpha", &der, None).await;
    let fingerprint = operator.get("/devices/truck_one").await.ok(200)["auth_info"]["fingerprint"].clone();
    let wanted = |auth_info| json!({"node_id": "one", "product_id": "truck", "auth_info": auth_info});
    operator.delete("/devices/truck_one").await.ok(204);
    let added = operator.post("/devices", wanted(json!({"auth_type": "CERTIFICATES"}))).await.ok(201);
    let barred = &added["retired_certificates"][0];
    assert_eq!(barred["fingerprint"], fingerprint, "{added}");
    let (method, path) = barred["lifted_by"].as_str().unwrap().split_once(' ').unwrap();
    assert_eq!(method, "POST");
    operator.post(path, json!({"device_id": "truck_one"})).await.ok(204);
    let listed = operator.get(RETIRED).await.ok(200);
    assert_eq!(listed["retired_certificates"][0]["readmitted_for"], "truck_one");
    world.connect("alpha", &der, None).await;
    assert_eq!(operator.get("/devices/truck_one").await.ok(200)["auth_info"]["fingerprint"], fingerprint);
    assert_eq!(operator.get(RETIRED).await.ok(200)["retired_certificates"], json!([]));

    operator.delete("/devices/truck_one").await.ok(204);
    let given = wanted(json!({"auth_type": "CERTIFICATES", "fingerprint": fingerprint}));
    let added = operator.post("/devices", given).await.ok(201);
    assert_eq!(added.get("retired_certificates"), None, "{added}");
}

#[tokio::test]
async fn many_retired_certificates_are_listed_in_pages() {
    let (world, _) = World::with_ca().await;
    let operator = world.operator().await;
    for n in 0..5 {
        let fingerprint = format!("{n:02}").repeat(32);
        let auth_info = json!({"auth_type": "CERTIFICATES", "fingerprint": fingerprint});
        let wanted = json!({"node_id": format!("n{n}"), "product_id": "truck", "auth_info": auth_info});
        operator.post("/devices", wanted).await.ok(201);
        operator.delete(&format!("/devices/truck_n{n}")).await.ok(204);
    }
    let (mut found, mut path) = (Vec::new(), format!("{RETIRED}?limit=2"));
    loop {
        let page = operator.get(&path).await.ok(200);
        let certificates = page["retired_certificates"].as_array().unwrap();
        assert!(certificates.len() <= 2 && certificates.iter().all(|certificate| certificate["typed"] == true), "{page}");
        found.extend(certificates.iter().map(|certificate| certificate["device_id"].clone()));
        match page["marker"].as_str() {
            Some(next) => path = format!("{RETIRED}?limit=2&marker={next}"),
            None => break,
        }
    }
    assert_eq!(found, ["truck_n0", "truck_n1", "truck_n2", "truck_n3", "truck_n4"]);
    operator.get(&format!("{RETIRED}?marker=zz")).await.refused(400, "IOTDA.000018");
    let typed = format!("{RETIRED}/{}/readmit", "03".repeat(32));
    operator.post(&typed, json!({})).await.ok(204);
    assert_eq!(operator.get(&format!("{RETIRED}?device_id=truck_n3")).await.ok(200)["retired_certificates"], json!([]));
}

#[tokio::test]
async fn f42_a_page_of_one_resource_space_says_nothing_of_what_was_taken_away_in_another() {
    let (world, authority) = World::with_ca().await;
    let operator = world.operator().await;
    world.connect("alpha", &authority.device("one"), None).await;
    operator.delete("/devices/truck_one").await.ok(204);
    world.create_space("alpha", "other").await;
    world.create_product("alpha", "other", "pump").await;
    for n in 0..6 {
        let (space, product) = if n % 2 == 0 { ("other", "pump") } else { ("space", "truck") };
        let auth_info = json!({"auth_type": "CERTIFICATES", "fingerprint": format!("{n:02}").repeat(20)});
        let id = format!("n{n}");
        let wanted = json!({"device_id": id, "node_id": id, "product_id": product, "app_id": space, "auth_info": auth_info});
        operator.post("/devices", wanted).await.ok(201);
        operator.delete(&format!("/devices/{id}")).await.ok(204);
    }
    let of_other = world.operator_of(&["other"]).await;
    let all = of_other.get(&format!("{RETIRED}?limit=3")).await.ok(200);
    let devices = |page: &serde_json::Value| -> Vec<String> {
        let listed = page["retired_certificates"].as_array().unwrap();
        listed.iter().map(|listed| listed["device_id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        (devices(&all), all.get("marker")),
        (["n0", "n2", "n4"].map(str::to_owned).to_vec(), None),
        "the page is the last"
    );
    let (mut found, mut path) = (Vec::new(), format!("{RETIRED}?limit=1"));
    loop {
        let page = of_other.get(&path).await.ok(200);
        found.extend(devices(&page));
        let Some(marker) = page["marker"].as_str() else { break };
        let shown = page["retired_certificates"][0]["fingerprint"].as_str().unwrap();
        assert_eq!(marker, format!("{shown}-other"), "a marker names what the page shows");
        path = format!("{RETIRED}?limit=1&marker={marker}");
    }
    assert_eq!(found, ["n0", "n2", "n4"]);
    let both = world.operator_of(&["other", "space"]).await;
    let listed = devices(&both.get(&format!("{RETIRED}?limit=50")).await.ok(200));
    assert_eq!(listed, ["truck_one", "n0", "n1", "n2", "n3", "n4", "n5"], "a proven one is listed once");
    assert_eq!(devices(&operator.get(&format!("{RETIRED}?limit=50")).await.ok(200)), listed);
}
