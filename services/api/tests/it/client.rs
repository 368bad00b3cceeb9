//! A client of the API that signs as the service's SDKs do, and speaks JSON.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Method, Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use rollcall_chassis::clock::{Clock as _, SetClock};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use time::{OffsetDateTime, macros::format_description};
use tokio::net::TcpSocket;

use crate::world::within;

/// Whoever asks, and of which instance. `None` for no credentials at all.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    /// Where it connects from: any address of 127.0.0.0/8.
    pub(crate) source: Ipv4Addr,
    pub(crate) clock: SetClock,
    pub(crate) project: String,
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) instance: Option<String>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) asked: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// `null` for an empty body, a text for what is not JSON.
    pub(crate) body: Value,
}

impl Client {
    /// The same caller, asking of this instance by `Instance-Id`.
    pub(crate) fn of_instance(&self, instance: &str) -> Self {
        Self { instance: Some(instance.into()), ..self.clone() }
    }

    /// `path` is a whole one (`/v5/…`, `/rollcall/…`), or what comes after `/v5/iot/{project_id}`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body), &[]).await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body), &[]).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, &[]).await
    }

    /// A change that may be sent again: with this `Idempotency-Key`.
    pub(crate) async fn post_once(&self, key: &str, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body), &[("idempotency-key", key)]).await
    }

    /// As [`Self::post_once`].
    pub(crate) async fn put_once(&self, key: &str, path: &str, body: Value) -> Answer {
        self.send(Method::PUT, path, Some(body), &[("idempotency-key", key)]).await
    }

    /// As [`Self::post_once`].
    pub(crate) async fn delete_once(&self, key: &str, path: &str) -> Answer {
        self.send(Method::DELETE, path, None, &[("idempotency-key", key)]).await
    }

    /// Reads a list to its end by markers; `list` is the field with the entries. Every page says the same count.
    pub(crate) async fn all_pages(&self, path: &str, list: &str, limit: usize) -> Vec<Value> {
        let (mut entries, mut marker, mut counts) = (Vec::new(), String::new(), Vec::new());
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = self.get(&format!("{path}{separator}limit={limit}{marker}")).await.ok(200);
            let found = page[list].as_array().unwrap().clone();
            counts.push(page["page"]["count"].as_u64().unwrap());
            if found.is_empty() {
                assert!(
                    counts.iter().all(|count| *count == entries.len() as u64),
                    "{path}: {counts:?} for {}",
                    entries.len()
                );
                return entries;
            }
            assert!(found.len() <= limit, "{path}: {} entries", found.len());
            marker = format!("&marker={}", page["page"]["marker"].as_str().unwrap());
            entries.extend(found);
        }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>, more: &[(&str, &str)]) -> Answer {
        let asked = format!("{method} {path}");
        within(async {
            let (head, body) = self.exchange(method, path, body, more).await.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes();
            let is_json = head.headers.get("content-type").is_none_or(|kind| kind == "application/json");
            let body = match (bytes.is_empty(), is_json) {
                (true, _) => Value::Null,
                (false, true) => serde_json::from_slice(&bytes).unwrap(),
                (false, false) => String::from_utf8_lossy(&bytes).into(),
            };
            Answer { asked, status: head.status.as_u16(), headers: head.headers, body }
        })
        .await
    }

    /// Opens a stream of events, once there is a place for it.
    pub(crate) async fn events(&self, path: &str, more: &[(&str, &str)]) -> Events {
        let opening = async {
            loop {
                let response = self.exchange(Method::GET, path, None, more).await;
                if response.status().as_u16() != 503 {
                    return response;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let response = within(opening).await;
        let head = (response.status().as_u16(), response.headers()["content-type"].to_str().unwrap());
        assert_eq!(head, (200, "text/event-stream"));
        assert_eq!(response.headers()["cache-control"], "no-store");
        Events { body: response.into_body(), read: String::new() }
    }

    /// How a request is answered, whose answer need not end.
    pub(crate) async fn status(&self, path: &str) -> u16 {
        within(self.exchange(Method::GET, path, None, &[])).await.status().as_u16()
    }

    /// Sends a request; the head of its answer has come when this returns.
    async fn exchange(&self, method: Method, path: &str, body: Option<Value>, more: &[(&str, &str)]) -> Response<Incoming> {
        let path = match path.starts_with("/v5/")
            || path.starts_with("/v3/")
            || path.starts_with("/rollcall/")
            || path.starts_with("/console/")
            || ["/", "/console", "/openapi.json", "/docs"].contains(&path)
        {
            true => path.to_owned(),
            false => format!("/v5/iot/{}{path}", self.project),
        };
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let mut headers: Vec<(String, String)> =
            vec![("x-sdk-date".into(), self.date()), ("content-type".into(), "application/json".into())];
        if !more.iter().any(|(name, _)| *name == "host") {
            headers.push(("host".into(), self.address.to_string()));
        }
        headers.extend(self.instance.iter().map(|instance| ("instance-id".into(), instance.clone())));
        headers.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        if !self.access_key.is_empty() {
            headers.push(("authorization".into(), self.authorization(&method, &path, &headers, &body)));
        }
        let mut request = Request::builder().method(method.clone()).uri(&path);
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((self.source, 0).into()).unwrap();
        let socket = socket.connect(self.address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    }

    fn date(&self) -> String {
        let now = OffsetDateTime::from_unix_timestamp(self.clock.unix_ms() / 1000).unwrap();
        now.format(format_description!("[year][month][day]T[hour][minute][second]Z")).unwrap()
    }

    fn authorization(&self, method: &Method, uri: &str, headers: &[(String, String)], body: &str) -> String {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        const UNRESERVED: &percent_encoding::AsciiSet =
            &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
        let spelled = |text: &str| percent_encode(&percent_decode_str(text).collect::<Vec<u8>>(), UNRESERVED).to_string();
        let path = path.split('/').map(spelled).collect::<Vec<_>>().join("/");
        let mut query: Vec<(Vec<u8>, Vec<u8>)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (percent_decode_str(name).collect(), percent_decode_str(value).collect()))
            .collect();
        query.sort();
        let encoded = |bytes: &[u8]| percent_encode(bytes, UNRESERVED).to_string();
        let query = query.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        let query = query.collect::<Vec<_>>().join("&");
        let mut headers = headers.to_vec();
        headers.sort();
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let names = headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";");
        let hash = hex::encode(Sha256::digest(body));
        let canonical = format!("{method}\n{path}/\n{query}\n{lines}\n{names}\n{hash}");
        let signed = format!("SDK-HMAC-SHA256\n{}\n{}", self.date(), hex::encode(Sha256::digest(canonical)));
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).unwrap();
        mac.update(signed.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        format!("SDK-HMAC-SHA256 Access={}, SignedHeaders={names}, Signature={signature}", self.access_key)
    }
}

/// A stream of server-sent events.
pub(crate) struct Events {
    body: Incoming,
    read: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: Value,
}

impl Events {
    /// The next event, comments passed over; `None`: the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        within(async {
            loop {
                while let Some((event, rest)) = self.read.split_once("\n\n") {
                    let (event, rest) = (event.to_owned(), rest.to_owned());
                    self.read = rest;
                    let field = |name: &str| {
                        let lines = event.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                        Some(lines.collect::<Vec<_>>().join("\n")).filter(|text| !text.is_empty())
                    };
                    if let (Some(name), Some(data)) = (field("event"), field("data")) {
                        return Some(Event { name, id: field("id"), data: serde_json::from_str(&data).unwrap() });
                    }
                }
                let frame = self.body.frame().await?.unwrap();
                self.read.push_str(str::from_utf8(&frame.into_data().unwrap()).unwrap());
            }
        })
        .await
    }

    /// The next event, which is an uplink.
    pub(crate) async fn uplink(&mut self) -> Event {
        let event = self.next().await.unwrap();
        assert_eq!((event.name.as_str(), event.id.as_deref()), ("uplink", event.data["marker"].as_str()), "{event:?}");
        event
    }

    /// Why the stream ends, which it does next.
    pub(crate) async fn end(&mut self) -> String {
        let event = self.next().await.unwrap();
        assert_eq!((event.name.as_str(), self.next().await), ("ended", None), "{event:?}");
        event.data["reason"].as_str().unwrap().to_owned()
    }
}

impl Answer {
    /// The body of an answer with this status.
    #[track_caller]
    pub(crate) fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.asked, self.body);
        self.body
    }

    /// The text of a refusal with this status and code.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) -> String {
        let found = (self.status, self.body["error_code"].as_str());
        assert_eq!(found, (status, Some(code)), "{}: {}", self.asked, self.body);
        self.body["error_msg"].as_str().unwrap().to_owned()
    }
}
