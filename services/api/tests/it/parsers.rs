//! What cannot be read, or says more than its operation knows: the answer has the shape of every other, and names it.

use hyper::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    client::Answer,
    world::{World, within},
};

fn warning(answer: &Answer) -> &str {
    answer.headers.get("warning").map_or("", |warning| warning.to_str().unwrap())
}

#[tokio::test]
async fn what_a_v5_operation_does_not_know_is_named_in_a_warning() {
    let world = World::with_alpha().await;
    let operator = world.operator().await;
    let known = operator.get("/devices?limit=10").await;
    assert_eq!((known.status, warning(&known)), (200, ""));
    let answer = operator.get("/devices?limt=10&x%22=1").await;
    assert_eq!(
        (answer.status, warning(&answer)),
        (200, r#"199 - "unknown query parameter limt", 199 - "unknown query parameter x?""#)
    );
    let body = json!({"app_name": "other", "enabled": false, "default": [{"a": 1}]});
    let answer = operator.post("/apps", body).await;
    assert_eq!(
        (answer.status, warning(&answer)),
        (201, r#"199 - "unknown field of the body default", 199 - "unknown field of the body enabled""#)
    );
    // Also where the operation refuses for another reason.
    let answer = operator.post("/apps", json!({"app_name": "<b>", "enabled": false})).await;
    assert_eq!((answer.status, warning(&answer)), (400, r#"199 - "unknown field of the body enabled""#));
}

#[tokio::test]
async fn what_an_operation_of_ours_does_not_know_is_refused_with_its_name() {
    let world = World::with_alpha().await;
    let admin = world.admin().await;
    let text = admin.get("/rollcall/v1/access-keys?operater=anna").await.refused(400, "IOTDA.000006");
    assert!(text.contains("operater: this operation has no such query parameter"), "{text}");
    let body = json!({"name": "anna", "role": "viewer", "enable": false});
    let text = admin.post("/rollcall/v1/operators", body).await.refused(400, "IOTDA.000006");
    assert!(text.contains("enable: this operation has no such field of the body"), "{text}");
    admin.get("/rollcall/v1/operators").await.ok(200);
    let text = world.nobody().get("/rollcall/v1/health?verbose").await.refused(400, "IOTDA.000006");
    assert!(text.contains("verbose"), "{text}");
}

#[tokio::test]
async fn near_misses_of_the_media_type_are_refused() {
    let world = World::with_alpha().await;
    for kind in ["application/jsonx", "text/json", "application/json-patch+json", "text/plain"] {
        let head = format!("Content-Type: {kind}\r\n");
        let answer = sent(&world, "POST /rollcall/v1/login HTTP/1.1", &head, "{}").await;
        assert!(answer.contains("IOTDA.000008") && answer.contains("Content-Type: send the body as"), "{kind}: {answer}");
    }
}

/// The answer to a request as it stands, behind a `Host`, of a connection of its own.
async fn sent(world: &World, line: &str, headers: &str, body: &str) -> String {
    let mut socket = TcpStream::connect(world.address).await.unwrap();
    let length = body.len();
    let text = format!("{line}\r\nHost: here\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    within(socket.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn every_refusal_by_a_parser_has_the_shape_of_every_other() {
    let world = World::with_alpha().await;
    let long = format!("GET /rollcall/v1/health?{} HTTP/1.1", "x".repeat(20_000));
    let json = "Content-Type: application/json\r\n";
    for (line, headers, body, status, code) in [
        ("GET /rollcall/v1/health HTTP/1.1", "Host: there\r\n", "", 400, "IOTDA.000006"),
        (&long, "", "", 400, "IOTDA.000006"),
        ("GET /rollcall/v1/nothing HTTP/1.1", "", "", 404, "IOTDA.014912"),
        ("BREW /rollcall/v1/health HTTP/1.1", "", "", 405, "IOTDA.014913"),
        ("POST /rollcall/v1/login HTTP/1.1", json, "{\"operator\"", 400, "IOTDA.000008"),
        ("POST /rollcall/v1/login HTTP/1.1", json, "{} {}", 400, "IOTDA.000006"),
        ("POST /rollcall/v1/login HTTP/1.1", json, "[]", 400, "IOTDA.000006"),
        ("POST /rollcall/v1/login HTTP/1.1", "Content-Type: a\r\nContent-Type: b\r\n", "{}", 400, "IOTDA.000008"),
    ] {
        let answer = sent(&world, line, headers, body).await;
        let shape = [&format!("HTTP/1.1 {status} "), "x-request-id: ", code, "\"error_msg\":"];
        assert!(shape.iter().all(|part| answer.contains(part)), "{line}: {answer}");
    }
    let admin = world.admin().await;
    let answer = admin.send(Method::GET, "/devices/%FF", None, &[]).await;
    assert!(answer.headers.contains_key("x-request-id"));
    answer.refused(400, "IOTDA.000006");
}
