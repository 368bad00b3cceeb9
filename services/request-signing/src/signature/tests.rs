//! The two published vectors, every single change to them, and spellings of paths, queries and headers.

use super::*;
use crate::{authorization::AUTHORIZATION_CHARS_MAX, canonical::UNSIGNED_PAYLOAD};

#[test]
fn what_is_signed_here_is_verified_here() {
    let (secret, at) = (SecretString::from("a secret"), 1_780_272_000_000);
    let date = date_text(at);
    let headers = [("Host", &b"localhost:8943"[..]), ("x-sdk-date", date.as_bytes()), ("instance-id", b"north")];
    let request =
        SignedRequest { method: "PUT", path: "/rollcall/v1/a b", query: "z=1&a=%2F", headers: &headers, body: b"{}" };
    let credentials = Credentials::parse(&sign("AK", &secret, &request).unwrap()).unwrap();
    assert_eq!(credentials.access_key(), "AK");
    assert_eq!(verify(&credentials, &secret, &request, at), Ok(()));
    let other = SignedRequest { body: b"[]", ..request };
    assert_eq!(verify(&credentials, &secret, &other, at), Err(SigningError::Signature));
    let undated = SignedRequest { headers: &headers[..1], ..request };
    assert!(sign("AK", &secret, &undated).is_err());
}

/// Without this somebody between client and API could turn a signed change to another instance, or make it anew.
#[test]
fn what_decides_where_a_change_is_made_is_signed_if_it_is_sent() {
    let (secret, at) = (SecretString::from("a secret"), 1_780_272_000_000);
    let date = date_text(at);
    let signed = [("host", &b"localhost"[..]), ("x-sdk-date", date.as_bytes())];
    let request = SignedRequest { method: "PUT", path: "/", query: "", headers: &signed, body: b"" };
    let credentials = Credentials::parse(&sign("AK", &secret, &request).unwrap()).unwrap();
    assert_eq!(verify(&credentials, &secret, &request, at), Ok(()));
    for (name, text) in
        [("Instance-Id", "instance-id"), ("IDEMPOTENCY-KEY", "idempotency-key"), ("x-project-id", "x-project-id")]
    {
        let headers = [signed[0], signed[1], (name, b"north")];
        let added = SignedRequest { headers: &headers, ..request };
        assert_eq!(verify(&credentials, &secret, &added, at), Err(SigningError::MissingSignedHeader(text.to_owned())));
        let credentials = Credentials::parse(&sign("AK", &secret, &added).unwrap()).unwrap();
        assert_eq!(verify(&credentials, &secret, &added, at), Ok(()));
    }
    let headers = [signed[0], signed[1], ("accept", b"*/*")];
    assert_eq!(verify(&credentials, &secret, &SignedRequest { headers: &headers, ..request }, at), Ok(()));
}

const ACCESS_KEY: &str = "PROBEAK0000000000001";
const SECRET: &str = "probe-secret-key-for-tests";
/// 2026-01-02T03:04:05Z.
const SIGNED_AT_MS: i64 = 1_767_323_045_000;
const PATH: &str = "/v5/iot/0f1e2d3c4b5a69788796a5b4c3d2e1f0/devices";
const QUERY: &str = "app_id=a%20b~c&limit=10";
const BODY: &str = r#"{"node_id":"n1"}"#;
const SIGNED: &str = "SignedHeaders=content-type;host;instance-id;x-project-id;x-sdk-date";
const SDK: &str = "b1ea5859b581c9b1570c1b34fba56c9381ca8b86b2d0eff9d98ab3d4e87131ea";
const V11: &str = "9f0ba92b0db6a58a5d25194f149958c182f0f4e42181d716b2a4569653e50367";
const CANONICAL: &str = "POST
/v5/iot/0f1e2d3c4b5a69788796a5b4c3d2e1f0/devices/
app_id=a%20b~c&limit=10
content-type:application/json
host:iot.example.test:8443
instance-id:inst-a
x-project-id:0f1e2d3c4b5a69788796a5b4c3d2e1f0
x-sdk-date:20260102T030405Z

content-type;host;instance-id;x-project-id;x-sdk-date
3b3e3942e27e5492c398e685f9c0396dabe82ca20929769eacd7e02b4a62f108";

/// One request that a test may change before it is verified.
#[derive(Clone)]
struct Case {
    method: &'static str,
    path: String,
    query: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    authorization: String,
    secret: &'static str,
    now_ms: i64,
}

impl Case {
    fn vector(authorization: String) -> Self {
        let headers = [
            ("Content-Type", "application/json"),
            ("X-Sdk-Date", "20260102T030405Z"),
            ("X-Project-Id", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"),
            ("Instance-Id", "inst-a"),
            ("Host", "iot.example.test:8443"),
            ("Accept", "*/*"),
        ];
        Self {
            method: "POST",
            path: PATH.into(),
            query: QUERY.into(),
            headers: headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).into(),
            body: BODY.into(),
            authorization,
            secret: SECRET,
            now_ms: SIGNED_AT_MS,
        }
    }

    fn sdk() -> Self {
        Self::vector(format!("SDK-HMAC-SHA256 Access={ACCESS_KEY}, {SIGNED}, Signature={SDK}"))
    }

    fn v11() -> Self {
        Self::vector(format!("V11-HMAC-SHA256 Credential={ACCESS_KEY}/20260102/cn-north-4/iotdm, {SIGNED}, Signature={V11}"))
    }

    fn set(&mut self, name: &str, value: &[u8]) {
        match self.headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, known)) => *known = value.to_vec(),
            None => self.headers.push((name.to_owned(), value.to_vec())),
        }
    }

    fn with_request<T>(&self, then: impl FnOnce(&SignedRequest<'_>) -> T) -> T {
        let headers: Vec<(&str, &[u8])> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        let Self { method, path, query, body, .. } = self;
        then(&SignedRequest { method, path, query, headers: &headers, body })
    }

    fn verified(&self) -> Result<(), SigningError> {
        let credentials = Credentials::parse(&self.authorization)?;
        self.with_request(|request| verify(&credentials, &SecretString::from(self.secret), request, self.now_ms))
    }

    fn canonical(&self, signed: &[&str]) -> String {
        let signed: Vec<String> = signed.iter().map(|&name| name.into()).collect();
        let text = self.with_request(|request| request.canonical(&signed)).expect("canonical");
        String::from_utf8(text).expect("UTF-8")
    }

    fn canonical_line(&self, index: usize) -> String {
        self.canonical(&["host"]).lines().nth(index).expect("the line").to_owned()
    }

    /// Signs what the case holds now, as a client would.
    fn signed(mut self, names: &[&str]) -> Self {
        let hash = hex::encode(Sha256::digest(self.canonical(names)));
        let signature = hex::encode(code(SECRET.as_bytes(), &[b"SDK-HMAC-SHA256\n20260102T030405Z\n", hash.as_bytes()]));
        let names = names.join(";");
        self.authorization = format!("SDK-HMAC-SHA256 Access={ACCESS_KEY}, SignedHeaders={names}, Signature={signature}");
        self
    }
}

#[test]
fn both_published_vectors_hold() {
    let names = ["content-type", "host", "instance-id", "x-project-id", "x-sdk-date"];
    assert_eq!(Case::sdk().canonical(&names), CANONICAL);
    assert_eq!(Case::sdk().verified(), Ok(()));
    assert_eq!(Case::v11().verified(), Ok(()));
}

#[test]
fn the_credential_says_whose_secret_is_needed() {
    let credentials = Credentials::parse(&Case::v11().authorization).expect("credentials");
    assert_eq!(credentials.access_key(), ACCESS_KEY);
    let Algorithm::V11HmacSha256(scope) = credentials.algorithm() else { panic!("{credentials:?}") };
    assert_eq!((scope.date(), scope.as_str()), ("20260102", "20260102/cn-north-4/iotdm"));
    let credentials = Credentials::parse(&Case::sdk().authorization).expect("credentials");
    assert_eq!((credentials.access_key(), credentials.algorithm()), (ACCESS_KEY, &Algorithm::SdkHmacSha256));
}

type Change = fn(&mut Case);

#[test]
fn every_single_change_is_refused() {
    let changes: [(&str, Change); 15] = [
        ("method", |case| case.method = "PUT"),
        ("path", |case| case.path.push_str("/d1")),
        ("case of the path", |case| case.path = case.path.replace("devices", "Devices")),
        ("query value", |case| case.query = case.query.replace("10", "11")),
        ("query name", |case| case.query = case.query.replace("limit", "offset")),
        ("query added", |case| case.query.push_str("&marker=")),
        ("plus for a space", |case| case.query = case.query.replace("%20", "+")),
        ("host", |case| case.set("host", b"iot.example.test")),
        ("instance", |case| case.set("instance-id", b"inst-b")),
        ("content type", |case| case.set("content-type", b"application/xml")),
        ("body", |case| case.body.push(b' ')),
        ("no body", |case| case.body.clear()),
        ("date", |case| case.set("x-sdk-date", b"20260102T030406Z")),
        ("secret", |case| case.secret = "probe-secret-key-for-test5"),
        ("signature", |case| {
            let last = case.authorization.pop().expect("a digit");
            case.authorization.push(if last == '0' { '1' } else { '0' });
        }),
    ];
    for (name, change) in changes {
        for mut case in [Case::sdk(), Case::v11()] {
            change(&mut case);
            assert_eq!(case.verified(), Err(SigningError::Signature), "{name}: {}", case.authorization);
        }
    }
}

#[test]
fn a_derived_key_is_for_one_access_key_day_and_region() {
    let changed = |from: &str, to: &str| {
        let mut case = Case::v11();
        case.authorization = case.authorization.replace(from, to);
        case.verified()
    };
    assert_eq!(changed("0001/", "0002/"), Err(SigningError::Signature));
    assert_eq!(changed("cn-north-4", "cn-north-1"), Err(SigningError::Signature));
    assert_eq!(changed("/20260102/", "/20260103/"), Err(SigningError::ScopeDate));
    assert!(matches!(changed("iotdm", "ecs"), Err(SigningError::Malformed(_))));
    // Either signature under the other's name.
    assert_eq!(changed(V11, SDK), Err(SigningError::Signature));
}

#[test]
fn fifteen_minutes_off_is_allowed_and_no_more() {
    for off_ms in [-DATE_OFF_MS_MAX, 0, DATE_OFF_MS_MAX] {
        let case = Case { now_ms: SIGNED_AT_MS + off_ms, ..Case::sdk() };
        assert_eq!(case.verified(), Ok(()), "{off_ms}");
    }
    for off_ms in [-DATE_OFF_MS_MAX - 1, DATE_OFF_MS_MAX + 1] {
        let case = Case { now_ms: SIGNED_AT_MS + off_ms, ..Case::sdk() };
        assert_eq!(case.verified(), Err(SigningError::TimeOff { off_s: 900 }), "{off_ms}");
    }
    let mut case = Case::sdk();
    for date in ["2026-01-02T03:04:05Z", "+0260102T030405Z", "20260102T030405", "20261302T030405Z", "", "\u{e9}\u{e9}"] {
        case.set("x-sdk-date", date.as_bytes());
        assert_eq!(case.verified(), Err(SigningError::Date), "{date}");
    }
}

#[test]
fn host_and_date_must_be_signed_and_what_is_signed_must_be_there_once() {
    for (without, names) in [("host", ["x-sdk-date", "x-project-id"]), ("x-sdk-date", ["host", "x-project-id"])] {
        let case = Case::sdk().signed(&names);
        assert_eq!(case.verified(), Err(SigningError::MissingSignedHeader(without.into())));
    }
    let mut case = Case::sdk();
    case.headers.retain(|(name, _)| name != "Instance-Id");
    assert_eq!(case.verified(), Err(SigningError::MissingSignedHeader("instance-id".into())));
    let mut case = Case::sdk();
    case.headers.push(("instance-id".into(), b"inst-b".into()));
    assert_eq!(case.verified(), Err(SigningError::RepeatedSignedHeader("instance-id".into())));
}

#[test]
fn what_is_not_signed_may_change_and_so_may_the_spelling_of_what_is() {
    let mut case = Case::sdk();
    case.set("Accept", b"text/html");
    case.set("instance-id", b"  inst-a\t");
    case.path = PATH.replace("devices", "%64evices/");
    case.query = "limit=10&app_id=a%20b%7Ec".into();
    assert_eq!(case.verified(), Ok(()));
}

#[test]
fn paths_and_queries_have_one_canonical_spelling() {
    let mut case = Case::sdk();
    for (path, canonical) in [
        ("/", "/"),
        ("/a", "/a/"),
        ("/a/", "/a/"),
        ("/a%20b~c-._", "/a%20b~c-._/"),
        ("/a+b", "/a%2Bb/"),
        ("/%E7%94%B5", "/%E7%94%B5/"),
        ("/%e7%94%b5", "/%E7%94%B5/"),
        ("/100%", "/100%25/"),
        ("/a%2Fb", "/a/b/"),
    ] {
        case.path = path.into();
        assert_eq!(case.canonical_line(1), canonical, "{path}");
    }
    for (query, canonical) in [
        ("", ""),
        ("b=2&a=1", "a=1&b=2"),
        ("a=2&a=1&a=10", "a=1&a=10&a=2"),
        ("a=&b", "a=&b="),
        ("&&a=1&", "a=1"),
        ("a=b=c", "a=b%3Dc"),
        ("a=1+1", "a=1%2B1"),
        ("a-b=1&a=2", "a=2&a-b=1"),
        ("%C3%A9=1&~=2", "~=2&%C3%A9=1"),
        ("name=%E7%94%B5%2f*", "name=%E7%94%B5%2F%2A"),
    ] {
        case.query = query.into();
        assert_eq!(case.canonical_line(2), canonical, "{query}");
    }
}

#[test]
fn a_hash_that_the_client_sends_must_be_that_of_the_body() {
    let names = ["host", "instance-id", "x-project-id", "x-sdk-content-sha256", "x-sdk-date"];
    let with = |value: &str| {
        let mut case = Case::sdk();
        case.set("X-Sdk-Content-Sha256", value.as_bytes());
        case
    };
    let hash = hex::encode(Sha256::digest(BODY));
    assert_eq!(with(&hash).signed(&names).verified(), Ok(()));
    assert_eq!(with(&hash.to_uppercase()).signed(&names).verified(), Ok(()));
    let mut unsigned = with(UNSIGNED_PAYLOAD).signed(&names);
    unsigned.body = b"another".into();
    assert_eq!(unsigned.verified(), Ok(()));
    let mut changed = with(&hash).signed(&names);
    changed.body = b"another".into();
    assert_eq!(changed.verified(), Err(SigningError::ContentHash));
    // Without a body there is nothing to leave unsigned.
    let mut empty = with(UNSIGNED_PAYLOAD);
    empty.body.clear();
    assert!(empty.canonical(&["host"]).ends_with("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

#[test]
fn header_values_need_not_be_ascii() {
    let mut case = Case::sdk();
    case.set("User-Agent", "gw/\u{7535}".as_bytes());
    let case = case.signed(&["host", "instance-id", "user-agent", "x-project-id", "x-sdk-date"]);
    assert_eq!(case.verified(), Ok(()));
}

#[test]
fn other_authorization_headers_are_refused_with_a_reason() {
    let good = Case::sdk().authorization;
    let cases = [
        ("", "nothing follows"),
        ("Basic YTpi", "no value"),
        ("SDK-HMAC-SHA256", "nothing follows"),
        (&good.replace("SDK-HMAC-SHA256", "SDK-HMAC-SM3"), "not known"),
        (&good.replace("SDK-HMAC-SHA256", "V11-HMAC-SHA256"), "needs Credential"),
        (&good.replace("Access=", "Credential="), "needs Access"),
        (&good.replace("Access=PROBEAK0000000000001", "Access="), "access key"),
        (&good.replace("Access=PROBEAK0000000000001, ", ""), "access key is missing"),
        (&good.replace(SIGNED, "SignedHeaders=Host;x-sdk-date"), "lower-case"),
        (&good.replace(SIGNED, "SignedHeaders=host;host;x-sdk-date"), "repeats"),
        (&good.replace(SIGNED, "SignedHeaders=host;"), "lower-case"),
        (&good.replace(SDK, "00"), "64 hex"),
        (&good.replace(SDK, &format!("{SDK}, Signature={SDK}")), "repeated"),
        (&"x".repeat(AUTHORIZATION_CHARS_MAX + 1), "too long"),
    ];
    for (header, reason) in cases {
        let error = Credentials::parse(header).expect_err(header).to_string();
        assert!(error.contains(reason), "{header}: {error}");
    }
}
