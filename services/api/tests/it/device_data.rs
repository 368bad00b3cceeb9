//! Messages, commands, properties and shadows, as callers and devices see them.

use bytes::Bytes;
use rollcall_domain::{ids::LogId, registry::Command};
use rollcall_log::documents::DocumentKey;
use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    simulated::Simulated,
    world::{NOW_MS, World, eventually, id},
};

const MINUTE_MS: i64 = 60_000;

async fn with_device() -> (World, Client, Simulated) {
    let world = World::with_alpha().await;
    world.create_device("t1").await;
    let (operator, device) = (world.operator().await, world.device("t1").await);
    (world, operator, device)
}

async fn status(operator: &Client, message: &str) -> String {
    let shown = operator.get(&format!("/devices/t1/messages/{message}")).await.ok(200);
    shown["status"].as_str().unwrap().to_owned()
}

async fn delivered(operator: &Client, message: &str) {
    eventually("the message is delivered", || async { status(operator, message).await == "DELIVERED" }).await;
}

#[tokio::test]
async fn messages_wait_for_their_device_and_reach_it_once_oldest_first() {
    let (world, operator, mut device) = with_device().await;
    for n in 1..=3 {
        let body = json!({"message_id": format!("m{n}"), "name": "greeting", "message": {"n": n}});
        let created = operator.post("/devices/t1/messages", body).await.ok(201);
        assert_eq!(
            created,
            json!({"message_id": format!("m{n}"), "result": {"status": "PENDING", "created_time": "20260601T000000Z"}})
        );
    }
    device.arrive(&world).await;
    for n in 1..=3 {
        let (topic, payload) = device.hear_json().await;
        assert_eq!(topic, "sys/messages/down");
        let expected = json!({"object_device_id": "t1", "name": "greeting", "id": format!("m{n}"), "content": {"n": n}});
        assert_eq!(payload, expected);
    }
    delivered(&operator, "m3").await;
    // Another session gets what comes, and nothing of what it has had.
    device.arrive(&world).await;
    operator
        .post("/devices/t1/messages", json!({"message_id": "m4", "message": "now", "payload_format": "raw"}))
        .await
        .ok(201);
    let (_, last) = device.hear().await;
    assert_eq!(last.payload, "now");
    delivered(&operator, "m4").await;
    let listed = operator.get("/devices/t1/messages").await.ok(200);
    let ids: Vec<_> = listed["messages"].as_array().unwrap().iter().map(|message| message["message_id"].clone()).collect();
    assert_eq!(ids, ["m4", "m3", "m2", "m1"], "newest first");
    assert_eq!(listed["messages"][3]["message"], json!({"n": 1}));
    assert_eq!(listed["messages"][3]["finished_time"], "20260601T000000Z");
}

#[tokio::test]
async fn a_message_goes_out_as_it_was_asked_for() {
    let (world, operator, mut device) = with_device().await;
    let body = json!({
        "message": "AAEC", "encoding": "base64", "topic": "firmware/part",
        "properties": {"correlation_data": "c-1", "response_topic": "back", "user_properties": [{"prop_key": "k", "prop_value": "v 1"}]},
    });
    let created = operator.post("/devices/t1/messages", body.clone()).await.ok(201);
    device.arrive(&world).await;
    let (topic, message) = device.hear().await;
    assert_eq!(topic, "user/firmware/part");
    assert_eq!(message.payload, [0, 1, 2].as_slice());
    assert_eq!(message.properties.correlation_data, Some(Bytes::from_static(b"c-1")));
    assert_eq!(message.properties.response_topic.as_deref(), Some("back"));
    assert_eq!(message.properties.user, [("k".to_owned(), "v 1".to_owned())]);
    let shown = operator.get(&format!("/devices/t1/messages/{}", created["message_id"].as_str().unwrap())).await.ok(200);
    for field in ["message", "encoding", "topic", "properties"] {
        assert_eq!(shown[field], body[field], "{field}");
    }
}

#[tokio::test]
async fn a_message_may_name_any_custom_topic_and_none_of_the_systems() {
    let (world, operator, mut device) = with_device().await;
    let on = |topic: &str| json!({"message": "x", "payload_format": "raw", "topic_full_name": topic});
    operator.post("/devices/t1/messages", on("/aircondition/data/up")).await.ok(201);
    let foreign = operator.post("/devices/t1/messages", on("$oc/devices/t2/user/x")).await.refused(400, "IOTDA.014914");
    assert!(foreign.contains("$oc/devices/t1/user/"), "{foreign}");
    operator.post("/devices/t1/messages", on("air/#")).await.refused(400, "IOTDA.000006");
    device.arrive(&world).await;
    assert_eq!(device.hear().await.0, "/aircondition/data/up");
}

#[tokio::test]
async fn the_same_message_sent_again_is_one_message() {
    let (world, operator, mut device) = with_device().await;
    let body = json!({"message_id": "m1", "message": "x", "payload_format": "raw"});
    let first = operator.post("/devices/t1/messages", body.clone()).await.ok(201);
    assert_eq!(operator.post("/devices/t1/messages", body).await.ok(201), first);
    let other = json!({"message_id": "m1", "message": "y"});
    operator.post("/devices/t1/messages", other).await.refused(409, "IOTDA.014920");
    let keyed = json!({"message": "z", "payload_format": "raw"});
    let once = operator.post_once("key", "/devices/t1/messages", keyed.clone()).await.ok(201);
    assert_eq!(operator.post_once("key", "/devices/t1/messages", keyed).await.ok(201), once);
    let other = json!({"message": "other", "payload_format": "raw"});
    operator.post_once("key", "/devices/t1/messages", other).await.refused(409, "IOTDA.014946");
    let named = json!({"message_id": "m1", "message": "y"});
    operator.post_once("key", "/devices/t1/messages", named).await.refused(409, "IOTDA.014920");
    assert_eq!(operator.get("/devices/t1/messages").await.ok(200)["messages"].as_array().unwrap().len(), 2);
    device.arrive(&world).await;
    assert_eq!(device.hear().await.1.payload, "x");
    assert_eq!(device.hear().await.1.payload, "z");
}

async fn send(operator: &Client, id: &str, ttl: i64) -> Answer {
    let body = json!({"message_id": id, "message": id, "ttl": ttl, "payload_format": "raw"});
    operator.post("/devices/t1/messages", body).await
}

#[tokio::test]
async fn a_message_is_given_up_deleted_or_refused() {
    let (world, operator, mut device) = with_device().await;
    let gone = send(&operator, "no-wait", 0).await.ok(201);
    assert_eq!(gone["result"]["status"], "TIMEOUT");
    send(&operator, "short", 5).await.ok(201);
    send(&operator, "long", 10).await.ok(201);
    send(&operator, "unwanted", 10).await.ok(201);
    operator.delete("/devices/t1/messages/unwanted").await.ok(204);
    operator.get("/devices/t1/messages/unwanted").await.refused(404, "IOTDA.014906");
    operator.delete("/devices/t1/messages/unwanted").await.refused(404, "IOTDA.014906");
    world.clock.set(NOW_MS + 6 * MINUTE_MS);
    assert_eq!(status(&operator, "short").await, "TIMEOUT");
    device.arrive(&world).await;
    assert_eq!(device.hear().await.1.payload, "long");
    send(&operator, "wrong", 7).await.refused(400, "IOTDA.000006");
    operator.post("/devices/none/messages", json!({"message": "x"})).await.refused(404, "IOTDA.014000");
    world.viewer().await.post("/devices/t1/messages", json!({"message": "x"})).await.refused(403, "IOTDA.000021");
}

#[tokio::test]
async fn of_more_messages_than_are_kept_the_oldest_goes() {
    let (world, operator, mut device) = with_device().await;
    for n in 0..22 {
        send(&operator, &format!("w{n}"), 10).await.ok(201);
    }
    let listed = operator.get("/devices/t1/messages").await.ok(200);
    assert_eq!(listed["messages"].as_array().unwrap().len(), 20);
    operator.get("/devices/t1/messages/w1").await.refused(404, "IOTDA.014906");
    device.arrive(&world).await;
    for n in 2..22 {
        assert_eq!(device.hear().await.1.payload, format!("w{n}"));
    }
}

#[tokio::test]
async fn a_command_is_answered_by_the_device_that_got_it() {
    let (world, operator, mut device) = with_device().await;
    let command = json!({"service_id": "door", "command_name": "OPEN", "paras": {"side": "left"}});
    operator.post("/devices/t1/commands", command.clone()).await.refused(403, "IOTDA.014016");
    device.arrive_known(&world, &operator).await;
    let mut asked = None;
    let answering = async {
        let (topic, question) = device.hear_json().await;
        let request = topic.strip_prefix("sys/commands/request_id=").unwrap().to_owned();
        // Another device knows the id, and is not heard.
        let other = world.device("t2").await;
        other.say(&format!("commands/response/request_id={request}"), json!({"result_code": 9})).await;
        let answer = json!({"result_code": 0, "response_name": "OPENED", "paras": {"took_s": 3}});
        device.say(&format!("commands/response/request_id={request}"), answer).await;
        asked = Some((request, question));
    };
    let (answered, ()) = tokio::join!(operator.post("/devices/t1/commands", command.clone()), answering);
    let (request, question) = asked.unwrap();
    let expected =
        json!({"object_device_id": "t1", "service_id": "door", "command_name": "OPEN", "paras": {"side": "left"}});
    assert_eq!(question, expected);
    let response = json!({"result_code": 0, "response_name": "OPENED", "paras": {"took_s": 3}});
    assert_eq!(answered.ok(200), json!({"command_id": request, "response": response}));
    let (answered, _) =
        tokio::join!(operator.post("/devices/t1/commands", command), device.answer_next("done, more or less"));
    assert_eq!(answered.ok(200)["response"], "done, more or less");
}

#[tokio::test]
async fn two_commands_under_one_key_are_both_asked_and_each_gets_its_own_answer() {
    let (world, operator, mut device) = with_device().await;
    device.arrive_known(&world, &operator).await;
    let command = |name: &str| json!({"service_id": "door", "command_name": name, "paras": {}});
    let send = |name: &'static str| operator.post_once("key", "/devices/t1/commands", command(name));
    let answering = async {
        let (mut asked, mut topics) = (Vec::new(), Vec::new());
        while asked.len() < 2 {
            let (topic, question) = device.hear_json().await;
            asked.push(question["command_name"].as_str().unwrap().to_owned());
            topics.push(topic);
        }
        for (topic, name) in topics.iter().zip(&asked) {
            let request = topic.strip_prefix("sys/commands/").unwrap();
            device.say(&format!("commands/response/{request}"), json!({"response_name": name})).await;
        }
        asked.sort();
        asked
    };
    let (unlocked, locked, asked) = tokio::join!(send("unlock"), send("lock"), answering);
    assert_eq!(asked, ["lock", "unlock"]);
    let (unlocked, locked) = (unlocked.ok(200), locked.ok(200));
    assert_eq!(unlocked["response"]["response_name"], "unlock");
    assert_eq!(locked["response"]["response_name"], "lock");
    // Sent again when it was answered, it is asked again, under the same id.
    let (again, _) = tokio::join!(send("lock"), device.answer_next(json!({"response_name": "again"})));
    let again = again.ok(200);
    assert_eq!(again["response"]["response_name"], "again");
    assert_eq!(again["command_id"], locked["command_id"]);
}

#[tokio::test]
async fn properties_that_are_set_under_one_key_are_set_each() {
    let (world, operator, mut device) = with_device().await;
    device.arrive_known(&world, &operator).await;
    let mut ids = Vec::new();
    for on in [true, false] {
        let wanted = json!({"services": [{"service_id": "light", "properties": {"on": on}}]});
        let setting = operator.put_once("key", "/devices/t1/properties", wanted.clone());
        let (set, question) = tokio::join!(setting, device.answer_next(json!({"result_code": 0})));
        assert_eq!(question["services"], wanted["services"]);
        ids.push(set.ok(200)["request_id"].clone());
    }
    assert_ne!(ids[0], ids[1], "an answer to one is not one to the other");
}

#[tokio::test]
async fn what_is_desired_under_a_used_key_is_refused_unless_it_is_the_same() {
    let (_world, operator, _device) = with_device().await;
    let on = light(json!({"on": true}));
    let made = operator.put_once("key", "/devices/t1/shadow", on.clone()).await.ok(200);
    assert_eq!(operator.put_once("key", "/devices/t1/shadow", on).await.ok(200), made);
    let off = light(json!({"on": false}));
    operator.put_once("key", "/devices/t1/shadow", off.clone()).await.refused(409, "IOTDA.014946");
    assert_eq!(shadow(&operator).await[0]["desired"]["properties"], json!({"on": true}));
    operator.put_once("other", "/devices/t1/shadow", off).await.ok(200);
    assert_eq!(shadow(&operator).await[0]["desired"]["properties"], json!({"on": false}));
}

#[tokio::test]
async fn a_device_that_does_not_answer_costs_a_code_and_no_more() {
    let world = World::with_limits(|limits| limits.device_answer_ms_max = 50).await;
    world.create_instance("alpha").await;
    world.create_space("alpha", "space").await;
    world.create_product("alpha", "space", "truck").await;
    world.create_device("t1").await;
    let (operator, mut device) = (world.operator().await, world.device("t1").await);
    device.arrive_known(&world, &operator).await;
    let silent = operator.post("/devices/t1/commands", json!({"paras": {}})).await.ok(200);
    assert_eq!(silent["error_code"], "IOTDA.014111");
    assert!(silent["command_id"].is_string() && silent["response"].is_null());
    let silent = operator
        .put("/devices/t1/properties", json!({"services": [{"service_id": "s", "properties": {"a": 1}}]}))
        .await
        .ok(200);
    assert_eq!(silent["error_code"], "IOTDA.014111");
    device.leave(&world, &operator).await;
    operator.get("/devices/t1/properties?service_id=s").await.refused(403, "IOTDA.014016");
}

#[tokio::test]
async fn properties_are_read_and_set_at_the_device() {
    let (world, operator, mut device) = with_device().await;
    device.arrive_known(&world, &operator).await;
    let services = json!({"services": [{"service_id": "light", "properties": {"on": true}, "event_time": null}]});
    let asking = operator.get("/devices/t1/properties?service_id=light");
    let (read, question) = tokio::join!(asking, device.answer_next(&services));
    assert_eq!(question, json!({"object_device_id": "t1", "service_id": "light"}));
    assert_eq!(read.ok(200)["response"], services);
    let wanted = json!({"services": [{"service_id": "light", "properties": {"on": false}}]});
    let answer = json!({"result_code": 0, "result_desc": "success"});
    let (set, question) = tokio::join!(operator.put("/devices/t1/properties", wanted.clone()), device.answer_next(&answer));
    assert_eq!(question, json!({"object_device_id": "t1", "services": wanted["services"]}));
    assert_eq!(set.ok(200)["response"], answer);
}

async fn shadow(operator: &Client) -> Value {
    operator.get("/devices/t1/shadow").await.ok(200)["shadow"].clone()
}

fn light(properties: Value) -> Value {
    json!({"shadow": [{"service_id": "light", "desired": properties}]})
}

#[tokio::test]
async fn what_is_desired_reaches_the_device_until_it_reports_it() {
    let (world, operator, mut device) = with_device().await;
    assert_eq!(operator.get("/devices/t1/shadow").await.ok(200), json!({"device_id": "t1", "shadow": []}));
    let made = operator.put("/devices/t1/shadow", light(json!({"on": true, "level": 3}))).await.ok(200);
    let expected = json!([{
        "service_id": "light", "version": 1, "desired": {"properties": {"on": true, "level": 3}, "event_time": "20260601T000000Z"},
        "reported": {"properties": {}},
    }]);
    assert_eq!(made, json!({"device_id": "t1", "shadow": expected}));
    let stale = json!({"shadow": [{"service_id": "light", "desired": {"on": false}, "version": 0}]});
    operator.put("/devices/t1/shadow", stale).await.refused(409, "IOTDA.014938");
    device.arrive(&world).await;
    let told = device.answer_next(json!({"result_code": 0})).await;
    assert_eq!(told["services"], json!([{"service_id": "light", "properties": {"on": true, "level": 3}}]));
    let report =
        json!({"services": [{"service_id": "light", "properties": {"on": true}, "event_time": "20260531T235959Z"}]});
    device.say("properties/report", &report).await;
    eventually("the report is in the shadow", || async { shadow(&operator).await[0]["version"] == 2 }).await;
    assert_eq!(
        shadow(&operator).await[0]["reported"],
        json!({"properties": {"on": true}, "event_time": "20260531T235959Z"})
    );
    assert_eq!(device.hear_json().await.1["services"], json!([{"service_id": "light", "properties": {"level": 3}}]));
    // Told of a change while online; and again when it reports, or has another session, what is still not so.
    operator.put("/devices/t1/shadow", light(json!({"level": 4}))).await.ok(200);
    assert_eq!(device.hear_json().await.1["services"], json!([{"service_id": "light", "properties": {"level": 4}}]));
    device.say("properties/report", json!({"services": [{"service_id": "light", "properties": {"level": 2}}]})).await;
    assert_eq!(device.hear_json().await.1["services"], json!([{"service_id": "light", "properties": {"level": 4}}]));
    device.arrive(&world).await;
    assert_eq!(device.hear_json().await.1["services"], json!([{"service_id": "light", "properties": {"level": 4}}]));
    operator.delete("/devices/t1/shadow").await.ok(204);
    assert_eq!(shadow(&operator).await[0]["desired"]["properties"], json!({}));
}

#[tokio::test]
async fn a_device_asks_for_its_shadow_and_garbage_stops_nobody() {
    let (world, operator, mut device) = with_device().await;
    device.arrive_known(&world, &operator).await;
    let nobody = world.device("none").await;
    nobody.say("properties/report", json!({"services": [{"service_id": "x", "properties": {"a": 1}}]})).await;
    device.say("properties/report", "not JSON").await;
    device
        .say("properties/report", json!({"services": [{"service_id": "big", "properties": {"a": "x".repeat(950_000)}}]}))
        .await;
    device.say("properties/report", json!({"services": [{"service_id": "light", "properties": {"on": true}}]})).await;
    eventually("the report is in the shadow", || async { shadow(&operator).await[0]["service_id"] == "light" }).await;
    assert_eq!(shadow(&operator).await.as_array().unwrap().len(), 1);
    device.say("shadow/get/request_id=77", "").await;
    let (topic, answer) = device.hear_json().await;
    assert_eq!(topic, "sys/shadow/get/response/request_id=77");
    assert_eq!(answer["object_device_id"], "t1");
    assert_eq!(answer["shadow"][0]["reported"]["properties"], json!({"on": true}));
    let documents = &world.backbone.documents;
    let none = documents.get(&LogId::Instance(id("alpha")), &DocumentKey::Shadow(id("none"))).await.unwrap();
    assert!(none.is_none(), "a device that does not exist has no shadow");
}

#[tokio::test]
async fn a_device_gets_the_time_and_says_what_it_runs() {
    let (world, operator, mut device) = with_device().await;
    device.arrive_known(&world, &operator).await;
    let shown = operator.get("/devices/t1").await.ok(200);
    assert!(shown["sw_version"].is_null() && shown["fw_version"].is_null(), "{shown}");
    let info = json!({"service_id": "$sdk_info", "event_type": "sdk_info_report", "event_time": null,
        "paras": {"device_sdk_version": "C_v1.1.0", "sw_version": "v1.0", "fw_version": "fw7"}});
    let asked = json!({"service_id": "$time_sync", "event_type": "time_sync_request", "paras": {"device_send_time": 1_000}});
    device.say("events/up", json!({"object_device_id": "t1", "services": [info, asked]})).await;
    let (topic, answer) = device.hear_json().await;
    assert_eq!(topic, "sys/events/down");
    let event = &answer["services"][0];
    assert_eq!((&event["service_id"], &event["event_type"]), (&json!("$time_sync"), &json!("time_sync_response")));
    assert_eq!(event["paras"]["device_send_time"], 1_000);
    let [received, sent] = ["server_recv_time", "server_send_time"].map(|name| event["paras"][name].as_i64().unwrap());
    assert!(0 < received && received <= sent, "{event}");
    let shown = operator.get("/devices/t1").await.ok(200);
    assert_eq!(
        [&shown["device_sdk_version"], &shown["sw_version"], &shown["fw_version"]],
        [&json!("C_v1.1.0"), &json!("v1.0"), &json!("fw7")]
    );
    assert_eq!(shadow(&operator).await, json!([]), "what a device runs is no service of its shadow");
}

#[tokio::test]
async fn of_many_requests_for_the_time_in_one_message_the_last_is_answered() {
    let (world, operator, mut device) = with_device().await;
    device.arrive_known(&world, &operator).await;
    let asked =
        |n: i64| json!({"service_id": "$time_sync", "event_type": "time_sync_request", "paras": {"device_send_time": n}});
    let all: Vec<Value> = (1..=500).map(asked).collect();
    device.say("events/up", json!({"object_device_id": "t1", "services": all})).await;
    let (topic, answer) = device.hear_json().await;
    assert_eq!((topic.as_str(), &answer["services"][0]["paras"]["device_send_time"]), ("sys/events/down", &json!(500)));
    device.say("shadow/get/request_id=1", "").await;
    assert_eq!(device.hear().await.0, "sys/shadow/get/response/request_id=1", "nothing comes between");
}

#[tokio::test]
async fn a_device_made_again_has_nothing_of_the_one_before() {
    let (world, operator, mut device) = with_device().await;
    operator.put("/devices/t1/shadow", light(json!({"on": true}))).await.ok(200);
    operator.post("/devices/t1/messages", json!({"message_id": "m1", "message": "old"})).await.ok(201);
    world.command("alpha", Command::DeleteDevice { device: id("t1") }).await;
    operator.get("/devices/t1/shadow").await.refused(404, "IOTDA.014000");
    world.command("alpha", Command::ReadmitDevice { device: id("t1") }).await;
    world.create_device("t1").await;
    assert_eq!(shadow(&operator).await, json!([]));
    assert_eq!(operator.get("/devices/t1/messages").await.ok(200)["messages"], json!([]));
    device.arrive(&world).await;
    let body = json!({"message_id": "m1", "message": "new", "payload_format": "raw"});
    operator.post("/devices/t1/messages", body).await.ok(201);
    assert_eq!(device.hear().await.1.payload, "new");
}

#[tokio::test]
async fn a_device_begins_with_the_shadow_that_it_was_added_with_and_leaves_none() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let initial = json!([{"service_id": "light", "desired": {"on": true}}]);
    let wanted = json!({"device_id": "t1", "node_id": "t1", "product_id": "truck", "shadow": initial});
    operator.post("/devices", wanted).await.ok(201);
    assert_eq!(shadow(&operator).await[0]["desired"]["properties"], json!({"on": true}));
    operator.post("/devices/t1/messages", json!({"message": "x"})).await.ok(201);
    operator.delete("/devices/t1").await.ok(204);
    let documents = &world.backbone.documents;
    for key in [DocumentKey::Shadow(id("t1")), DocumentKey::Messages(id("t1"))] {
        assert!(documents.get(&LogId::Instance(id("alpha")), &key).await.unwrap().is_none(), "{key:?} stays");
    }
}

#[tokio::test]
async fn two_processes_bring_a_device_everything_once() {
    let (world, operator, mut device) = with_device().await;
    let second = Client { address: world.second_api().await.0, ..operator.clone() };
    eventually("the second process serves the instance", || async { second.get("/devices/t1/shadow").await.status == 200 })
        .await;
    operator.put("/devices/t1/shadow", light(json!({"on": true}))).await.ok(200);
    for n in 0..10 {
        let client = if n % 2 == 0 { &operator } else { &second };
        let body = json!({"message_id": format!("m{n}"), "message": format!("m{n}"), "payload_format": "raw"});
        client.post("/devices/t1/messages", body).await.ok(201);
    }
    device.arrive(&world).await;
    delivered(&second, "m9").await;
    device.say("properties/report", json!({"services": [{"service_id": "light", "properties": {"on": true}}]})).await;
    device.say("shadow/get/request_id=1", "").await;
    eventually("both processes show the report", || async {
        let version = |client: Client| async move { shadow(&client).await[0]["version"] == 2 };
        version(operator.clone()).await && version(second.clone()).await
    })
    .await;
    // Whatever either process would have sent twice is on its way before this.
    for client in [&operator, &second] {
        let (asked, _) = tokio::join!(client.post("/devices/t1/commands", json!({"paras": {}})), async {
            loop {
                let (topic, _) = device.hear_and_keep().await;
                if let Some(request) = topic.strip_prefix("sys/commands/") {
                    break device.say(&format!("commands/response/{request}"), json!({"result_code": 0})).await;
                }
            }
        });
        assert_eq!(asked.ok(200)["response"], json!({"result_code": 0}));
    }
    let mut expected: Vec<String> = (0..10).map(|n| format!("m{n}")).collect();
    expected.extend(["told what is desired".to_owned(), "shown its shadow".to_owned()]);
    expected.sort();
    let mut heard: Vec<String> = device
        .heard
        .iter()
        .filter(|(topic, _)| !topic.starts_with("sys/commands/"))
        .map(|(topic, payload)| match topic.as_str() {
            "sys/messages/down" => String::from_utf8(payload.to_vec()).unwrap(),
            topic if topic.starts_with("sys/properties/set/") => "told what is desired".to_owned(),
            topic if topic.starts_with("sys/shadow/get/response/") => "shown its shadow".to_owned(),
            topic => topic.to_owned(),
        })
        .collect();
    heard.sort();
    assert_eq!(heard, expected);
}
