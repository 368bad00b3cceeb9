//! Device certificates: those that devices have shown, found, switched off, taken away.

use rollcall_domain::certificate::CertificateFacts;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{pki::pem, world::World};

fn names(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["common_name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_has_connected_is_listed_and_found() {
    let (world, authority) = World::with_ca().await;
    let operator = world.operator().await;
    let mut ders = Vec::new();
    for cn in ["dev-a1", "dev-b1", "dev-a2", "other", "dev-a3"] {
        let der = authority.device(cn);
        world.connect("alpha", &der, None).await;
        ders.push(der);
    }
    let all = operator.all_pages("/device-certificates", "device_certificates", 2).await;
    assert_eq!(names(&all), ["dev-a3", "other", "dev-a2", "dev-b1", "dev-a1"]);
    let prefixed = operator.all_pages("/device-certificates?common_name=dev-a", "device_certificates", 1).await;
    assert_eq!(names(&prefixed), ["dev-a3", "dev-a2", "dev-a1"]);
    let sha256 = hex::encode(Sha256::digest(&ders[1]));
    let found = operator.all_pages(&format!("/device-certificates?fingerprint={sha256}"), "device_certificates", 10).await;
    assert_eq!(names(&found), ["dev-b1"]);
    assert_eq!((&found[0]["fingerprint"], &found[0]["status"]), (&json!(sha256), &json!("ACTIVE")));
    let both = format!("/device-certificates?fingerprint={sha256}&common_name=other");
    assert!(operator.all_pages(&both, "device_certificates", 10).await.is_empty());

    let id = found[0]["certificate_id"].as_str().unwrap();
    let shown = operator.get(&format!("/device-certificates/{id}")).await.ok(200);
    assert_eq!(shown["certificate_pem"], pem(&ders[1]));
    assert_eq!(shown["expiry_date"], "40960101T000000Z");
    let devices = operator.post(&format!("/device-certificates/{id}/list-device"), json!({"limit": 10})).await.ok(200);
    assert_eq!(devices["page"]["count"], 1);
    let expected = json!([{
        "app_id": "space", "device_id": "truck_dev-b1", "node_id": "dev-b1", "gateway_id": "truck_dev-b1",
        "product_id": "truck",
    }]);
    assert_eq!(devices["devices"], expected);
    let marker = devices["page"]["marker"].as_str().unwrap();
    let end = operator.post(&format!("/device-certificates/{id}/list-device"), json!({"marker": marker})).await.ok(200);
    assert_eq!(end["devices"], json!([]));

    for unknown in ["ffffffffffffffffffffffff", "nothing"] {
        operator.get(&format!("/device-certificates/{unknown}")).await.refused(404, "IOTDA.014905");
        operator.delete(&format!("/device-certificates/{unknown}")).await.refused(404, "IOTDA.014905");
    }
    operator.get("/device-certificates?fingerprint=12").await.refused(400, "IOTDA.000006");
    let long = "x".repeat(33);
    operator.get(&format!("/device-certificates?common_name={long}")).await.refused(400, "IOTDA.000006");

    // A device that registered itself was connected when it did.
    let device = operator.get("/devices/truck_other").await.ok(200);
    assert_eq!((&device["status"], &device["auth_info"]["auth_type"]), (&json!("OFFLINE"), &json!("CERTIFICATES")));
    assert_eq!(device["active_time"], "2026-06-01T00:00:00.000Z");
}

#[tokio::test]
async fn a_certificate_is_switched_off_and_taken_away() {
    let (world, authority) = World::with_ca().await;
    let operator = world.operator().await;
    world.connect("alpha", &authority.device("one"), None).await;
    let listed = operator.get("/device-certificates").await.ok(200);
    let id = listed["device_certificates"][0]["certificate_id"].as_str().unwrap().to_owned();
    let path = format!("/device-certificates/{id}");
    for status in ["INACTIVE", "INACTIVE", "ACTIVE"] {
        assert_eq!(operator.put(&path, json!({"status": status})).await.ok(200)["status"], status);
        assert_eq!(operator.get(&path).await.ok(200)["status"], status);
    }
    operator.put(&path, json!({"status": "BROKEN"})).await.refused(400, "IOTDA.000006");
    world.create_space("alpha", "other").await;
    let stranger = world.operator_of(&["other"]).await;
    stranger.get(&path).await.refused(404, "IOTDA.014905");
    stranger.delete(&path).await.refused(404, "IOTDA.014905");
    assert_eq!(stranger.get("/device-certificates").await.ok(200), json!({"device_certificates": [], "page": {"count": 0}}));
    operator.delete(&path).await.ok(204);
    operator.get(&path).await.refused(404, "IOTDA.014905");
    assert_eq!(operator.get("/devices/truck_one").await.ok(200)["auth_info"].get("fingerprint"), None);
    assert!(operator.all_pages("/device-certificates", "device_certificates", 10).await.is_empty());
}

#[tokio::test]
async fn f39_a_certificate_that_is_pinned_by_both_digests_is_switched_and_deleted_by_both() {
    for (proven, keyed) in [(true, false), (false, false), (true, true), (false, true)] {
        let (world, authority) = World::with_ca().await;
        let operator = world.operator().await;
        let der = authority.device("one");
        world.connect("alpha", &der, None).await;
        let facts = CertificateFacts::from_der(&der).unwrap();
        let [sha256, sha1] = [hex::encode(facts.sha256), hex::encode(facts.sha1)];
        let fingerprint = |which: &str, fingerprint: &str| json!({"fingerprint": fingerprint, "fingerprint_type": which});
        let reset = "/devices/truck_one/reset-fingerprint";
        if !proven {
            operator.post(reset, fingerprint("PRIMARY", &sha1)).await.ok(200);
            operator.post(reset, fingerprint("SECONDARY", &sha256)).await.ok(200);
        } else {
            operator.post(reset, fingerprint("SECONDARY", &sha1)).await.ok(200);
        }
        let listed = operator.get("/device-certificates").await.ok(200);
        let path = format!("/device-certificates/{}", listed["device_certificates"][0]["certificate_id"].as_str().unwrap());
        for status in ["INACTIVE", "ACTIVE"] {
            let change = json!({"status": status});
            let changed = match keyed {
                true => operator.put_once(status, &path, change).await,
                false => operator.put(&path, change).await,
            };
            assert_eq!(changed.ok(200)["status"], status);
        }
        let deleted = match keyed {
            true => operator.delete_once("deletion", &path).await,
            false => operator.delete(&path).await,
        };
        deleted.ok(204);
        operator.get(&path).await.refused(404, "IOTDA.014905");
        let left = operator.get("/devices/truck_one").await.ok(200)["auth_info"].clone();
        assert_eq!((left.get("fingerprint"), left.get("secondary_fingerprint")), (None, None), "{left}");
    }
}
