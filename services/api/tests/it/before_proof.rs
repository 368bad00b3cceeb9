//! What a client costs before it has proven anything: real sockets, and requests written by hand.

use std::net::SocketAddr;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
};

use crate::{
    client::Client,
    world::{PROJECT, World, within},
};

const MIB: usize = 1024 * 1024;
const DATE: &str = "20260601T000000Z";

/// The head of a request to make something, with these headers.
fn head(address: SocketAddr, headers: &[String]) -> String {
    let path = format!("/v5/iot/{PROJECT}/products");
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n{headers}\r\n")
}

/// A signature that could be right as far as the headers tell.
fn signed_by(key: &str, date: &str) -> Vec<String> {
    let signature = "0".repeat(64);
    vec![
        format!("X-Sdk-Date: {date}"),
        format!("Authorization: SDK-HMAC-SHA256 Access={key}, SignedHeaders=host;x-sdk-date, Signature={signature}"),
    ]
}

async fn token_of(world: &World, role: &str) -> String {
    let name = format!("person-{}", world.number());
    let body = json!({"name": name, "role": role});
    let made = world.admin().await.post("/rollcall/v1/operators", body).await.ok(201);
    let credentials = json!({"operator": name, "password": made["password"]});
    let session = world.nobody().post("/rollcall/v1/login", credentials).await.ok(200);
    session["token"].as_str().unwrap().to_owned()
}

/// What comes up to a blank line.
async fn answered_head(socket: &mut TcpStream) -> String {
    let mut text = String::new();
    within(async {
        while !text.ends_with("\r\n\r\n") {
            let mut byte = [0];
            assert_eq!(socket.read(&mut byte).await.unwrap(), 1, "closed after {text:?}");
            text.push(char::from(byte[0]));
        }
    })
    .await;
    text
}

#[tokio::test]
async fn f26_who_is_refused_by_the_headers_is_refused_before_the_body_is_read() {
    let world = World::with_alpha().await;
    let (key, viewer) = (world.operator().await.access_key, token_of(&world, "viewer").await);
    let token = |token: &str| vec![format!("X-Auth-Token: {token}")];
    for (headers, expected) in [
        (vec![], "401"),
        (signed_by("NOBODYSACCESSKEY0000", DATE), "401"),
        (signed_by(&key, "20260601T001600Z"), "401"),
        (signed_by(&key, "today"), "401"),
        (signed_by(&key, DATE)[1..].to_vec(), "401"),
        (token("nonsense"), "403"),
        // A viewer makes nothing.
        (token(&viewer), "403"),
        // Only the body is missing to tell whether it is true.
        (signed_by(&key, DATE), "100"),
    ] {
        let mut socket = TcpStream::connect(world.address).await.unwrap();
        let length = ["Content-Length: 1000".to_owned(), "Expect: 100-continue".to_owned()];
        socket.write_all(head(world.address, &[&headers[..], &length].concat()).as_bytes()).await.unwrap();
        let answer = answered_head(&mut socket).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{headers:?}: {answer}");
    }
}

#[tokio::test]
async fn f26_bodies_that_nobody_has_proven_have_a_budget() {
    const CLIENTS: usize = 300;
    let world = World::with_limits(|limits| {
        limits.unproven_bytes_max = 8 * MIB as u64;
        limits.unproven_bytes_of_source_max = MIB as u64;
    })
    .await;
    let operator = world.operator().await;
    let (answers, mut answered) = mpsc::channel(CLIENTS);
    for _ in 0..CLIENTS {
        let mut headers = signed_by(&operator.access_key, DATE);
        headers.push(format!("Content-Length: {MIB}"));
        let (head, address, answers) = (head(world.address, &headers), world.address, answers.clone());
        tokio::spawn(async move {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(head.as_bytes()).await.unwrap();
            // Never whole. A client that is slow for lack of a processor may be cut off meanwhile.
            let mut answer = vec![0; 4096];
            let read = match socket.write_all(&vec![b' '; MIB - 1]).await {
                Ok(()) => socket.read(&mut answer).await.unwrap_or(0),
                Err(_) => 0,
            };
            let answer = String::from_utf8_lossy(&answer[..read]).to_ascii_lowercase();
            answers.send(answer).await.unwrap();
        });
    }
    // Half of the whole may be of one source; more are refused, whose bodies are no more whole than the others'.
    for _ in 0..CLIENTS - 4 {
        let answer = within(answered.recv()).await.unwrap();
        let is_refusal = answer.starts_with("http/1.1 403 ") && answer.contains("retry-after: ");
        assert!(answer.is_empty() || is_refusal, "{answer}");
    }
    let elsewhere = Client { source: [127, 0, 0, 2].into(), ..operator };
    elsewhere.get("/rollcall/v1/me").await.ok(200);
    elsewhere.post("/apps", json!({"app_name": "x".repeat(100)})).await.refused(404, "IOTDA.014907");
}

#[tokio::test]
async fn a_client_reads_why_its_body_is_refused_although_it_sends_all_of_it_first() {
    let world = World::empty().await;
    let (key, token) = (world.operator().await.access_key, token_of(&world, "operator").await);
    let token = vec![format!("X-Auth-Token: {token}")];
    let body = "x".repeat(3 * MIB);
    let whole = (format!("Content-Length: {}", body.len()), body.clone());
    let chunked = ("Transfer-Encoding: chunked".to_owned(), format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
    for (headers, (length, body), code) in [
        (&token, &whole, "IOTDA.021105"),
        (&token, &chunked, "IOTDA.021105"),
        (&signed_by(&key, DATE), &whole, "IOTDA.021105"),
        (&signed_by(&key, DATE), &chunked, "IOTDA.021105"),
        (&vec![], &whole, "IOTDA.000002"),
        (&signed_by("NOBODYSACCESSKEY0000", DATE), &chunked, "IOTDA.000002"),
    ] {
        let mut socket = TcpStream::connect(world.address).await.unwrap();
        let headers = [&headers[..], &[length.clone(), "Connection: close".to_owned()]].concat();
        socket.write_all(head(world.address, &headers).as_bytes()).await.unwrap();
        within(socket.write_all(body.as_bytes())).await.unwrap();
        let mut answer = String::new();
        within(socket.read_to_string(&mut answer)).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 40") && answer.contains(code), "{headers:?}: {answer}");
    }
}
