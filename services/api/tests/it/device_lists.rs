//! Lists of devices: paged to their end, filtered, limited by scope; tags and SQL.

use rollcall_chassis::clock::Clock as _;
use serde_json::{Value, json};

use crate::{client::Client, world::World};

/// Devices `truck_n000` and on, each two seconds after the one before; every third in `other`.
async fn fleet(world: &World, count: usize) -> Client {
    world.create_space("alpha", "other").await;
    world.create_product("alpha", "other", "truck").await;
    let operator = world.operator().await;
    for n in 0..count {
        let space = if n % 3 == 0 { "other" } else { "space" };
        let name = if n % 2 == 0 { "even" } else { "odd" };
        let device = json!({"node_id": format!("n{n:03}"), "product_id": "truck", "app_id": space, "device_name": name});
        operator.post("/devices", device).await.ok(201);
        world.clock.set(world.clock.unix_ms() + 2000);
    }
    operator
}

fn ids(entries: &[Value]) -> Vec<String> {
    entries.iter().map(|entry| entry["device_id"].as_str().unwrap().to_owned()).collect()
}

fn expected(numbers: impl DoubleEndedIterator<Item = usize>) -> Vec<String> {
    numbers.rev().map(|n| format!("truck_n{n:03}")).collect()
}

#[tokio::test]
async fn a_list_is_read_to_its_end_newest_first() {
    let world = World::with_alpha().await;
    let operator = fleet(&world, 23).await;
    for limit in [1, 5, 23, 50] {
        assert_eq!(ids(&operator.all_pages("/devices", "devices", limit).await), expected(0..23), "{limit}");
    }
    let page = operator.get("/devices?limit=3&offset=20").await.ok(200);
    assert_eq!(ids(page["devices"].as_array().unwrap()), expected(0..3));
    let page = operator.get("/devices?marker=ffffffffffffffffffffffff").await.ok(200);
    assert_eq!(ids(page["devices"].as_array().unwrap()), expected(13..23), "ten when nothing is said");
    let beyond = operator.get("/devices?offset=23").await.ok(200);
    assert_eq!(beyond, json!({"devices": [], "page": {"count": 23}}));
    for (query, code) in [
        ("limit=0", "IOTDA.000017"),
        ("limit=51", "IOTDA.000017"),
        ("limit=x", "IOTDA.000017"),
        ("offset=501", "IOTDA.000018"),
        ("marker=12", "IOTDA.000018"),
    ] {
        operator.get(&format!("/devices?{query}")).await.refused(400, code);
    }
}

#[tokio::test]
async fn every_filter_narrows_and_counts_what_it_leaves() {
    let world = World::with_alpha().await;
    let operator = fleet(&world, 12).await;
    let other = || (0..12).filter(|n| n % 3 == 0);
    let cases: [(&str, Vec<String>); 14] = [
        ("product_id=truck", expected(0..12)),
        ("product_id=tru", vec![]),
        ("app_id=other", expected(other())),
        ("app_id=other&device_name=even", expected(other().filter(|n| n % 2 == 0))),
        ("node_id=n007", expected(7..8)),
        ("node_id=n00", vec![]),
        ("device_name=odd", expected((0..12).filter(|n| n % 2 == 1))),
        ("gateway_id=truck_n003", expected(3..4)),
        ("gateway_id=truck_n003&is_cascade_query=true", expected(3..4)),
        ("gateway_id=nobody&is_cascade_query=false", vec![]),
        ("start_time=20260601T000010Z", expected(5..12)),
        ("end_time=20260601T000010Z", expected(0..6)),
        ("start_time=20260601T000004Z&end_time=20260601T000007Z", expected(2..4)),
        ("start_time=20260601T000004Z&end_time=20260601T000004Z", expected(2..3)),
    ];
    for (query, wanted) in cases {
        let found = operator.all_pages(&format!("/devices?{query}"), "devices", 2).await;
        assert_eq!(ids(&found), wanted, "{query}");
    }
    operator.get("/devices?app_id=nowhere").await.refused(403, "IOTDA.001000");
    operator.get("/devices?start_time=2026-06-01").await.refused(400, "IOTDA.000009");
    operator.get("/devices?start_time=20260602T000000Z&end_time=20260601T000000Z").await.refused(400, "IOTDA.000010");
    operator.get("/devices?is_cascade_query=maybe").await.refused(400, "IOTDA.000006");
}

#[tokio::test]
async fn a_scope_limits_every_list() {
    let world = World::with_alpha().await;
    fleet(&world, 9).await;
    let limited = world.operator_of(&["other"]).await;
    let other = || expected((0..9).filter(|n| n % 3 == 0));
    assert_eq!(ids(&limited.all_pages("/devices", "devices", 2).await), other());
    assert_eq!(ids(&limited.all_pages("/devices?device_name=odd", "devices", 2).await), expected(3..4));
    limited.get("/devices?app_id=space").await.refused(403, "IOTDA.001000");
    let search = async |sql: &str| limited.post("/search/query-devices", json!({"sql": sql})).await.ok(200);
    let found = search("select * from device limit 50").await;
    assert_eq!(ids(found["devices"].as_array().unwrap()), other());
    let found = search("select * from device where app_id = 'space' or node_id = 'n000'").await;
    assert_eq!(ids(found["devices"].as_array().unwrap()), expected(0..1));
    assert_eq!(search("select count(*) from device").await, json!({"count": 3}));
    let matches = limited.get("/rollcall/v1/instances/alpha/devices?prefix=truck_&limit=50").await.ok(200);
    let mut sorted = other();
    sorted.sort();
    assert_eq!(ids(matches["devices"].as_array().unwrap()), sorted);
}

#[tokio::test]
async fn devices_are_tagged_untagged_and_found_by_any_of_some_tags() {
    let world = World::with_alpha().await;
    let operator = fleet(&world, 7).await;
    let bind = async |n: usize, tags: Value| {
        let body = json!({"resource_type": "device", "resource_id": format!("truck_n{n:03}"), "tags": tags});
        operator.post("/tags/bind-resource", body).await
    };
    for n in 0..7 {
        let parity = if n % 2 == 0 { "even" } else { "odd" };
        let tags = json!([{"tag_key": "parity", "tag_value": parity}, {"tag_key": format!("k{n}"), "tag_value": "1"}]);
        assert_eq!(bind(n, tags).await.ok(200), Value::Null);
    }
    let tags = operator.get("/devices/truck_n000").await.ok(200)["tags"].clone();
    assert_eq!(tags, json!([{"tag_key": "k0", "tag_value": "1"}, {"tag_key": "parity", "tag_value": "even"}]));
    let found = async |tags: Value| {
        let (mut found, mut marker) = (Vec::new(), String::new());
        loop {
            let path = format!("/tags/query-resources?limit=2{marker}");
            let page = operator.post(&path, json!({"resource_type": "device", "tags": tags})).await.ok(200);
            let resources = page["resources"].as_array().unwrap().clone();
            if resources.is_empty() {
                assert_eq!(page["page"]["count"], found.len());
                return found;
            }
            found.extend(resources.iter().map(|resource| resource["resource_id"].as_str().unwrap().to_owned()));
            marker = format!("&marker={}", page["page"]["marker"].as_str().unwrap());
        }
    };
    let odd = || json!({"tag_key": "parity", "tag_value": "odd"});
    assert_eq!(found(json!([odd()])).await, expected((0..7).filter(|n| n % 2 == 1)));
    assert_eq!(found(json!([{"tag_key": "parity"}])).await, expected(0..7));
    assert_eq!(found(json!([odd(), {"tag_key": "k4"}, {"tag_key": "k1"}])).await, expected([1, 3, 4, 5].into_iter()));
    assert_eq!(found(json!([{"tag_key": "k4", "tag_value": "2"}])).await, expected(0..0));

    let unbind = json!({"resource_type": "device", "resource_id": "truck_n001", "tag_keys": ["parity", "nothing"]});
    operator.post("/tags/unbind-resource", unbind).await.ok(200);
    assert_eq!(found(json!([odd()])).await, expected([3, 5].into_iter()));
    let eleven: Vec<Value> = (0..11).map(|n| json!({"tag_key": format!("t{n}"), "tag_value": "1"})).collect();
    bind(0, json!(eleven)).await.refused(400, "IOTDA.000006");
    bind(0, json!(eleven[..9])).await.refused(403, "IOTDA.014924");
    bind(0, json!([])).await.refused(400, "IOTDA.000006");
    bind(0, json!([{"tag_key": "iot_x", "tag_value": "1"}])).await.refused(400, "IOTDA.000006");
    bind(99, json!([{"tag_key": "x", "tag_value": "1"}])).await.refused(404, "IOTDA.014000");
    let elsewhere = json!({"resource_type": "product", "resource_id": "truck", "tags": [odd()]});
    operator.post("/tags/bind-resource", elsewhere).await.refused(400, "IOTDA.000006");
}

#[tokio::test]
async fn sql_finds_selects_orders_and_counts() {
    let world = World::with_limits(|limits| limits.searches_per_s_max = 1000).await;
    world.create_instance("alpha").await;
    world.create_space("alpha", "space").await;
    world.create_product("alpha", "space", "truck").await;
    let operator = fleet(&world, 12).await;
    let search = async |sql: &str| operator.post("/search/query-devices", json!({"sql": sql})).await.ok(200);
    let cases: [(&str, Vec<String>); 8] = [
        ("select * from device limit 3", expected(9..12)),
        (
            "SELECT * FROM device WHERE device_name like 'even%' AND node_id != 'n000'",
            expected([2, 4, 6, 8, 10].into_iter()),
        ),
        (
            "select * from device where device_id in ('truck_n001','truck_n005') order by marker desc",
            expected([1, 5].into_iter()),
        ),
        ("select * from device where status != 'INACTIVE'", vec![]),
        ("select * from device where create_time > '20260601T000018Z'", expected(10..12)),
        ("select * from device where create_time = '20260601T000018Z'", expected(9..10)),
        ("select * from device where app_id = 'other' and node_id != 'n000' limit 1,10", expected([3, 6].into_iter())),
        ("select * from device where sw_version = '1' or group_id != 'g' limit 2", expected(10..12)),
    ];
    for (sql, wanted) in cases {
        assert_eq!(ids(search(sql).await["devices"].as_array().unwrap()), wanted, "{sql}");
    }
    assert_eq!(search("select count(1) from device where device_name = 'even'").await, json!({"count": 6}));
    let oldest = search("select device_id, create_time from device order by marker asc limit 1").await;
    let first = oldest["devices"][0].as_object().unwrap();
    assert_eq!(first.keys().collect::<Vec<_>>(), ["create_time", "device_id", "marker"]);
    let marker = first["marker"].as_str().unwrap();
    let next = search(&format!("select * from device where marker > '{marker}' order by marker asc limit 1")).await;
    assert_eq!(next["devices"][0]["device_id"], "truck_n001");
    assert_eq!(next["devices"][0]["status"], "INACTIVE");
    for wrong in ["", "drop table device", "select * from device where status = 'asleep'"] {
        operator.post("/search/query-devices", json!({"sql": wrong})).await.refused(400, "IOTDA.000006");
    }
}

#[tokio::test]
async fn searches_of_one_operator_are_paced_and_others_are_not_held_up() {
    let world = World::with_alpha().await;
    let (busy, other) = (world.operator().await, world.viewer().await);
    let search =
        async |client: &Client| client.post("/search/query-devices", json!({"sql": "select count(*) from device"})).await;
    let mut refused = None;
    for _ in 0..1000 {
        let answer = search(&busy).await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("a storm of searches must be held up");
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    refused.refused(403, "IOTDA.021101");
    search(&other).await.ok(200);
}
