//! `docs/reference/mqtt.md`: its tables are what the state machine answers to the packets that they name, under the limits that a
//! connector has unless it is told others. `BLESS=1 cargo nextest run -p rollcall-connector reference` rewrites them, for review.

use std::{fmt::Write as _, fs, path::Path};

use super::*;
use crate::{
    config,
    mqtt::{
        FilterOutcome, Ignored,
        limits::{
            CONNECT_BYTES_MAX, IDENTITY_BYTES_MAX, PUBLISH_HEADER_BYTES_MAX, REASON_BYTES_MAX, SYSTEM_TOPIC_BYTES_MAX,
            TOPIC_BYTES_MAX,
        },
    },
};

const PAGE: &str = "../../docs/reference/mqtt.md";
const VERSIONS: [Version; 3] = [Version::V3_1, Version::V3_1_1, Version::V5];
/// Longer than one and a half keep-alives of [`connect_3`] and [`Bench::send_connect`].
const SILENCE_MS: u64 = 100_000;

/// How the owner answers messages and filters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Grants,
    Denies,
    Fails,
}

/// One row: what the client does, and its bytes in each version; `None`: the version has no such packet.
struct Row {
    what: &'static str,
    owner: Owner,
    bytes: Box<dyn Fn(Version) -> Option<Vec<u8>>>,
}

fn row(what: &'static str, bytes: impl Fn(Version) -> Vec<u8> + 'static) -> Row {
    Row { what, owner: Owner::Grants, bytes: Box::new(move |version| Some(bytes(version))) }
}

fn row_5(what: &'static str, bytes: impl Fn() -> Vec<u8> + 'static) -> Row {
    Row { what, owner: Owner::Grants, bytes: Box::new(move |version| (version == Version::V5).then(&bytes)) }
}

fn limits() -> Limits {
    config::Limits::default().protocol()
}

/// A packet of at most 2 MB after its fixed header.
fn packet(first_byte: u8, body: &[u8]) -> Vec<u8> {
    let (mut bytes, mut length) = (vec![first_byte], body.len());
    loop {
        let low = u8::try_from(length & 0x7f).expect("seven bits");
        length >>= 7;
        bytes.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            return [&*bytes, body].concat();
        }
    }
}

fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("an MQTT string");
    [&length.to_be_bytes()[..], text.as_bytes()].concat()
}

/// The properties of an MQTT 5 packet; nothing in older ones.
fn properties(version: Version, properties: &[u8]) -> Vec<u8> {
    match version {
        Version::V5 => [&[u8::try_from(properties.len()).expect("few")], properties].concat(),
        Version::V3_1 | Version::V3_1_1 => Vec::new(),
    }
}

/// A CONNECT with these flags, keep-alive and properties; `payload` follows the client id.
fn connect(version: Version, flags: u8, keep_alive_s: u16, of_5: &[u8], client_id: &str, payload: &[u8]) -> Vec<u8> {
    let (name, level) = match version {
        Version::V3_1 => ("MQIsdp", 3),
        Version::V3_1_1 => ("MQTT", 4),
        Version::V5 => ("MQTT", 5),
    };
    let (keep_alive, of_5) = (keep_alive_s.to_be_bytes(), properties(version, of_5));
    packet(0x10, &[&*text(name), &[level, flags], &keep_alive, &of_5, &text(client_id), payload].concat())
}

const CLEAN: u8 = 2;
const WILL: u8 = 4;
const PASSWORD: u8 = 0x40;
const USER_NAME: u8 = 0x80;

fn connects() -> Vec<Row> {
    let mut rows = vec![
        row("an ordinary CONNECT", |version| connect(version, CLEAN, 60, &[], "any", &[])),
        row("a newer protocol level (6)", |version| {
            let mut bytes = connect(version, CLEAN, 60, &[], "any", &[]);
            let level_at = if version == Version::V3_1 { 10 } else { 8 };
            bytes[level_at] = 6;
            bytes
        }),
        row("an older protocol level (2)", |version| {
            let mut bytes = connect(version, CLEAN, 60, &[], "any", &[]);
            bytes[if version == Version::V3_1 { 10 } else { 8 }] = 2;
            bytes
        }),
        row("an empty client id", |version| connect(version, CLEAN, 60, &[], "", &[])),
        row("an empty client id without Clean Session (5.0: Clean Start)", |version| connect(version, 0, 60, &[], "", &[])),
        row("a client id of 256 bytes", |version| connect(version, CLEAN, 60, &[], &"c".repeat(256), &[])),
        row("a client id of 257 bytes", |version| connect(version, CLEAN, 60, &[], &"c".repeat(257), &[])),
        row("a control character in the client id", |version| connect(version, CLEAN, 60, &[], "a\u{1}", &[])),
        row("user name and password (ignored)", |version| {
            connect(version, CLEAN | USER_NAME | PASSWORD, 60, &[], "any", &[text("user"), text("password")].concat())
        }),
        row("a password without a user name", |version| {
            connect(version, CLEAN | PASSWORD, 60, &[], "any", &text("password"))
        }),
        row("a session that is to outlive the connection (Clean Session 0; 5.0: Session Expiry Interval 60)", |version| {
            connect(version, 0, 60, &[0x11, 0, 0, 0, 60], "any", &[])
        }),
        row("a will at QoS 1", |version| will(version, WILL | 8)),
        row("a will at QoS 2", |version| will(version, WILL | 0x10)),
        row("a retained will", |version| will(version, WILL | 0x20)),
    ];
    for (what, keep_alive_s) in [
        ("keep-alive 0 (none)", 0),
        ("keep-alive 4 s", 4),
        ("keep-alive 5 s", 5),
        ("keep-alive 30 s", 30),
        ("keep-alive 1200 s", 1200),
        ("keep-alive 1201 s", 1201),
    ] {
        rows.push(row(what, move |version| connect(version, CLEAN, keep_alive_s, &[], "any", &[])));
    }
    let with = |what, of_5: &'static [u8]| row_5(what, move || connect(Version::V5, CLEAN, 60, of_5, "any", &[]));
    rows.extend([
        with("Authentication Method", &[0x15, 0, 1, b'a']),
        with("Receive Maximum twice", &[0x21, 0, 9, 0x21, 0, 9]),
        with("a property that CONNECT does not have (Topic Alias)", &[0x23, 0, 1]),
        row("the reserved flag", |version| connect(version, CLEAN | 1, 60, &[], "any", &[])),
        row("another packet first (PINGREQ)", |_| packet(0xc0, &[])),
    ]);
    rows
}

fn will(version: Version, flags: u8) -> Vec<u8> {
    let payload = [properties(version, &[]), text("will"), text("gone")].concat();
    connect(version, CLEAN | flags, 60, &[], "any", &payload)
}

/// A PUBLISH with packet id 9 where it has one.
fn publish(version: Version, flags: u8, topic: &str, of_5: &[u8], payload: &[u8]) -> Vec<u8> {
    let id: &[u8] = if flags & 6 == 0 { &[] } else { &[0, 9] };
    packet(0x30 | flags, &[&*text(topic), id, &properties(version, of_5), payload].concat())
}

const RETAIN: u8 = 1;
const QOS_1: u8 = 2;
const QOS_2: u8 = 4;

fn publishes() -> Vec<Row> {
    let plain = |what, flags, topic: &'static str| row(what, move |version| publish(version, flags, topic, &[], b"m"));
    let at_length = |what, prefix: &'static str, bytes: usize| {
        let topic = format!("{prefix}{}", "t".repeat(bytes - prefix.len()));
        row(what, move |version| publish(version, QOS_1, &topic, &[], b"m"))
    };
    let with =
        |what, topic: &'static str, of_5: &'static [u8]| row_5(what, move || publish(Version::V5, QOS_1, topic, of_5, b"m"));
    let largest = |what, more: usize| {
        let bytes = limits().payload_bytes_max as usize + more;
        row(what, move |version| publish(version, QOS_1, "a", &[], &vec![0; bytes]))
    };
    vec![
        plain("QoS 0", 0, "a"),
        plain("QoS 1", QOS_1, "a"),
        plain("QoS 2", QOS_2, "a"),
        plain("retained, QoS 0", RETAIN, "a"),
        plain("retained, QoS 1", RETAIN | QOS_1, "a"),
        Row { owner: Owner::Denies, ..plain("QoS 0, denied by policies", 0, "a") },
        Row { owner: Owner::Denies, ..plain("QoS 1, denied by policies", QOS_1, "a") },
        Row { owner: Owner::Fails, ..plain("QoS 0, cannot be stored", 0, "a") },
        Row { owner: Owner::Fails, ..plain("QoS 1, cannot be stored", QOS_1, "a") },
        at_length("a topic of the longest length", "a/", TOPIC_BYTES_MAX),
        at_length("a longer one", "a/", TOPIC_BYTES_MAX + 1),
        at_length("a system topic of the longest length", "$oc/", SYSTEM_TOPIC_BYTES_MAX),
        at_length("a longer one of the system", "$oc/", SYSTEM_TOPIC_BYTES_MAX + 1),
        plain("an empty topic", QOS_1, ""),
        plain("a topic with `+` or `#`", QOS_1, "a/+"),
        plain("a control character in the topic", QOS_1, "a\u{1}"),
        largest("a payload of the largest size", 0),
        largest("one byte more", 1),
        with("a topic alias with its topic", "a", &[0x23, 0, 1]),
        with("a topic alias that was not set", "", &[0x23, 0, 1]),
        with("a topic alias over the maximum", "a", &[0x23, 0, 200]),
        with("topic alias 0", "a", &[0x23, 0, 0]),
        with("Message Expiry Interval 0", "a", &[2, 0, 0, 0, 0]),
        with("Message Expiry Interval 60, content type, response topic, correlation data, user property", "a", PROPERTIES),
        with("Subscription Identifier", "a", &[11, 1]),
    ]
}

const PROPERTIES: &[u8] = &[2, 0, 0, 0, 60, 3, 0, 1, b't', 8, 0, 1, b'r', 9, 0, 1, b'c', 0x26, 0, 1, b'k', 0, 1, b'v'];

/// A SUBSCRIBE with packet id 7.
fn subscribe(version: Version, of_5: &[u8], filters: &[(&str, u8)]) -> Vec<u8> {
    let mut body = [&[0, 7][..], &properties(version, of_5)].concat();
    for (filter, options) in filters {
        body.extend(text(filter));
        body.push(*options);
    }
    packet(0x82, &body)
}

fn subscriptions() -> Vec<Row> {
    let one = |what, filter: &'static str, qos| row(what, move |version| subscribe(version, &[], &[(filter, qos)]));
    let unsubscribe = |version: Version| packet(0xa2, &[&[0, 8][..], &properties(version, &[]), &text("a")].concat());
    vec![
        one("SUBSCRIBE at QoS 0", "a/+", 0),
        one("SUBSCRIBE at QoS 1", "a/#", 1),
        one("SUBSCRIBE at QoS 2", "a", 2),
        Row { owner: Owner::Denies, ..one("SUBSCRIBE, denied by policies", "a", 1) },
        one("SUBSCRIBE to a shared subscription", "$share/group/a", 1),
        row("SUBSCRIBE to a longer filter than a topic may be", |version| {
            subscribe(version, &[], &[(&"f".repeat(TOPIC_BYTES_MAX + 1), 1)])
        }),
        row("SUBSCRIBE to one filter more than a session may have", |version| {
            let filters: Vec<String> = (0..=limits().subscriptions_max).map(|n| n.to_string()).collect();
            let filters: Vec<_> = filters.iter().map(|filter| (filter.as_str(), 0)).collect();
            let (last, first) = filters.split_last().expect("some");
            [subscribe(version, &[], first), subscribe(version, &[], &[*last])].concat()
        }),
        one("SUBSCRIBE to a filter that is none (`a+`, `a/#/b`, empty)", "a+", 1),
        row("SUBSCRIBE without a filter", |version| subscribe(version, &[], &[])),
        row_5("SUBSCRIBE with a Subscription Identifier", || subscribe(Version::V5, &[11, 1], &[("a", 1)])),
        row("UNSUBSCRIBE from what it has", move |version| {
            [subscribe(version, &[], &[("a", 1)]), unsubscribe(version)].concat()
        }),
        row("UNSUBSCRIBE from what it has not", unsubscribe),
    ]
}

fn others() -> Vec<Row> {
    vec![
        row("PINGREQ", |_| packet(0xc0, &[])),
        row("DISCONNECT", |_| packet(0xe0, &[])),
        row_5("DISCONNECT with will message (0x04)", || packet(0xe0, &[4])),
        row("nothing for longer than one and a half keep-alives", |_| Vec::new()),
        row("a second CONNECT", |version| connect(version, CLEAN, 60, &[], "any", &[])),
        row("PUBACK that nothing asked for", |_| packet(0x40, &[0, 9])),
        row("PUBREC, PUBREL, PUBCOMP", |_| packet(0x62, &[0, 9])),
        row("a packet that only a server sends (SUBACK)", |_| packet(0x90, &[0, 9, 0])),
        row_5("AUTH", || packet(0xf0, &[])),
        row("a packet of a reserved type", |_| packet(0, &[])),
        row("a packet other than PUBLISH over 64 KiB", |version| {
            let filters: Vec<String> = (0..700).map(|n| format!("{n:0100}")).collect();
            subscribe(version, &[], &filters.iter().map(|filter| (filter.as_str(), 0)).collect::<Vec<_>>())
        }),
    ]
}

/// Answers all that the machine asks; what a client could see of it, in words.
fn outcome(bench: &mut Bench, owner: Owner) -> String {
    let mut words = Vec::new();
    let mut is_closed = false;
    loop {
        let effects = bench.effects();
        words.extend(packets(bench.version, &bench.output()));
        if effects.is_empty() {
            break;
        }
        for effect in effects {
            match effect {
                Effect::Connect(_) => bench.protocol.accept(&grant(), bench.now_ms),
                Effect::Publish(publish) => {
                    let (outcome, what) = match owner {
                        Owner::Grants => (PublishOutcome::Stored, "stored"),
                        Owner::Denies => (PublishOutcome::Denied, "not stored"),
                        Owner::Fails => (PublishOutcome::Failed, "not stored"),
                    };
                    words.push(what.to_owned());
                    bench.protocol.published(publish.publish, outcome);
                }
                Effect::Subscribe(subscribe) => {
                    let granted = if owner == Owner::Grants { FilterOutcome::Granted } else { FilterOutcome::Denied };
                    bench.protocol.subscribed(&vec![granted; subscribe.filters.len()]);
                }
                Effect::Dropped(_) => words.push("not stored".to_owned()),
                Effect::Ignored(Ignored::Retain { .. }) => words.push("retain ignored".to_owned()),
                Effect::Close(_) => is_closed = true,
                _ => {}
            }
        }
    }
    if is_closed {
        words.push("closed".to_owned());
    }
    // Of many acknowledgements the last is the one that the row is about.
    let from = words.iter().rposition(|word| word.starts_with("SUBACK 0x00, 0x00")).map_or(0, |at| at + 1);
    match words.split_off(from.min(words.len())) {
        words if words.is_empty() => "nothing".to_owned(),
        words => words.join(", "),
    }
}

/// The server's packets, by name and code.
fn packets(version: Version, mut bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    while let [first_byte, rest @ ..] = bytes {
        let header = rest.iter().position(|byte| byte & 0x80 == 0).expect("a length") + 1;
        let length = rest[..header].iter().rev().fold(0, |length, byte| (length << 7) | usize::from(byte & 0x7f));
        let body = &rest[header..header + length];
        bytes = &rest[header + length..];
        let codes = |from: usize| body[from..].iter().map(|code| format!("0x{code:02X}")).collect::<Vec<_>>().join(", ");
        let since_5 = usize::from(version == Version::V5);
        names.push(match first_byte >> 4 {
            2 if body[1] < 6 => format!("CONNACK {}", body[1]),
            2 => format!("CONNACK 0x{:02X}", body[1]),
            4 => body.get(2).map_or("PUBACK".to_owned(), |code| format!("PUBACK 0x{code:02X}")),
            9 => format!("SUBACK {}", codes(2 + since_5)),
            11 if version == Version::V5 => format!("UNSUBACK {}", codes(3)),
            11 => "UNSUBACK".to_owned(),
            13 => "PINGRESP".to_owned(),
            14 => format!("DISCONNECT 0x{:02X}", body.first().copied().unwrap_or_default()),
            other => panic!("packet type {other}"),
        });
    }
    names
}

fn table(what: &str, rows: &[Row], answer: impl Fn(Version, &Row, &[u8]) -> String) -> String {
    let mut table = format!("| {what} | 3.1 | 3.1.1 | 5.0 |\n| --- | --- | --- | --- |\n");
    for row in rows {
        let cells = VERSIONS
            .map(|version| (row.bytes)(version).map_or_else(|| "–".to_owned(), |bytes| answer(version, row, &bytes)));
        writeln!(table, "| {} | {} |", row.what, cells.join(" | ")).expect("a text takes it");
    }
    table
}

fn in_session(what: &str, rows: &[Row]) -> String {
    table(what, rows, |version, row, bytes| {
        let mut bench = Bench::open_as(version, limits(), v5::Connect::default());
        if bytes.is_empty() {
            bench.protocol.tick(SILENCE_MS);
        }
        bench.send(bytes);
        outcome(&mut bench, row.owner)
    })
}

fn connecting() -> String {
    table("the client sends", &connects(), |version, row, bytes| {
        let mut bench = Bench::with_limits(version, limits());
        bench.send(bytes);
        outcome(&mut bench, row.owner)
    })
}

/// CONNACK of MQTT 5 to a client with these settings.
fn connack_5(settings: v5::Connect) -> v5::ConnectAck {
    let mut bench = Bench::with_limits(Version::V5, limits());
    bench.send_5(v5::Connect { client_id: "any".into(), clean_start: true, ..settings }.into());
    bench.effects();
    bench.protocol.accept(&grant(), 0);
    match bench.output_5().pop() {
        Some(v5::Packet::ConnectAck(ack)) => *ack,
        other => panic!("expected CONNACK, got {other:?}"),
    }
}

/// What CONNACK of MQTT 5 announces. Whether a session is kept is its owner's to say, and not here.
fn announced() -> String {
    let ack = connack_5(v5::Connect { keep_alive: 60, ..v5::Connect::default() });
    let available = |is: bool| u8::from(is).to_string();
    let of = |value: Option<u32>| value.map_or("–".to_owned(), |value| value.to_string());
    let rows = [
        ("Receive Maximum", ack.receive_max.to_string()),
        ("Maximum QoS", u8::from(ack.max_qos).to_string()),
        ("Retain Available", available(ack.retain_available)),
        ("Maximum Packet Size", of(ack.max_packet_size)),
        ("Topic Alias Maximum", ack.topic_alias_max.to_string()),
        ("Wildcard Subscription Available", available(ack.wildcard_subscription_available)),
        ("Subscription Identifiers Available", available(ack.subscription_identifiers_available)),
        ("Shared Subscription Available", available(ack.shared_subscription_available)),
        ("Server Keep Alive, of 60 s asked for", of(ack.server_keepalive_sec.map(u32::from))),
    ];
    two_columns(["property", "value"], &rows)
}

fn sizes() -> String {
    let (machine, settings) = (limits(), config::Limits::default());
    let rows = [
        ("packets other than PUBLISH, bytes", CONNECT_BYTES_MAX.to_string()),
        ("payload, bytes (`payload_bytes_max`)", machine.payload_bytes_max.to_string()),
        ("topic, packet id and properties of a PUBLISH, bytes", PUBLISH_HEADER_BYTES_MAX.to_string()),
        ("client id or user name, bytes", IDENTITY_BYTES_MAX.to_string()),
        ("topic or filter, bytes", TOPIC_BYTES_MAX.to_string()),
        ("topic or filter that begins with `$`, bytes", SYSTEM_TOPIC_BYTES_MAX.to_string()),
        ("reason string, bytes", REASON_BYTES_MAX.to_string()),
        ("subscriptions of a session (`subscriptions_max`)", machine.subscriptions_max.to_string()),
        ("the client's QoS 1 messages without PUBACK (`uplinks_in_flight_max`)", machine.receive_maximum.to_string()),
        ("the server's QoS 1 messages without PUBACK (`downlinks_in_flight_max`)", machine.in_flight_max.to_string()),
        ("messages that wait for a client (`queue_messages_max`)", machine.queued_messages_max.to_string()),
        ("payload bytes that wait for a client (`queue_bytes_max`)", machine.queued_bytes_max.to_string()),
        ("messages of a client a second (`uplinks_per_s_max`)", settings.uplinks_per_s_max.to_string()),
        ("bytes of a client a second (`uplink_bytes_per_s_max`)", settings.uplink_bytes_per_s_max.to_string()),
        ("from TLS to a whole CONNECT, ms (`connect_ms_max`)", machine.connect_ms_max.to_string()),
    ];
    two_columns(["at most", "unless set otherwise"], &rows)
}

fn two_columns(heads: [&str; 2], rows: &[(&str, String)]) -> String {
    let mut table = format!("| {} | {} |\n| --- | --: |\n", heads[0], heads[1]);
    for (name, value) in rows {
        writeln!(table, "| {name} | {value} |").expect("a text takes it");
    }
    table
}

#[test]
fn the_reference_says_what_the_machine_answers() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let written = fs::read_to_string(&file).expect("the page is there");
    let mut page = written.clone();
    for (name, table) in [
        ("connecting", connecting()),
        ("announced", announced()),
        ("publishing", in_session("PUBLISH", &publishes())),
        ("subscribing", in_session("the client sends", &subscriptions())),
        ("others", in_session("the client sends", &others())),
        ("sizes", sizes()),
    ] {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
        let from = page.find(&begin).unwrap_or_else(|| panic!("{PAGE} has no {begin}")) + begin.len();
        let to = page.find(&end).unwrap_or_else(|| panic!("{PAGE} has no {end}"));
        page.replace_range(from..to, &format!("\n{table}\n"));
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &page).expect("written");
    } else {
        assert_eq!(written, page, "{PAGE} is not what the machine answers: BLESS=1 rewrites it, for review");
    }
}
