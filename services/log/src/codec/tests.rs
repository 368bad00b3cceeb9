//! What the codec promises: what is encoded decodes to itself, every released message decodes, a value that breaks a rule
//! is named, and no bytes make it panic.

mod arbitrary;

use std::{fs, path::Path};

use proptest::prelude::*;
use rollcall_domain::ids::InstanceId;
use serde_json::{Value, json};

use super::*;

fn instance() -> LogId {
    LogId::Instance(InstanceId::parse("inst-a").unwrap())
}

fn frozen() -> Record {
    Record {
        id: uuid::Uuid::from_u128(7),
        log: instance(),
        time: Timestamp::from_unix_ms(1_795_439_539_042),
        cause: RequestId::parse("r-1").unwrap(),
        actor: Actor::Operator("fleet file".into()),
        traceparent: None,
        event: AnyEvent::Registry(Event::DeviceFrozen { device: "d-1".parse().unwrap() }),
    }
}

#[test]
fn a_record_is_compact_json() {
    let bytes = encode_record(&frozen());
    assert_eq!(
        std::str::from_utf8(&bytes).unwrap(),
        "{\"id\":\"00000000-0000-0000-0000-000000000007\",\"instance\":\"inst-a\",\"type\":\"DeviceFrozen\",\"version\":1,\
         \"time\":\"2026-11-23T13:12:19.042Z\",\"cause\":\"r-1\",\"actor\":{\"operator\":\"fleet file\"},\
         \"body\":{\"device\":\"d-1\"}}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn records_decode_to_what_they_were_made_of(record in arbitrary::record()) {
        prop_assert_eq!(decode_record(&record.log, &encode_record(&record)).unwrap(), record);
    }

    #[test]
    fn requests_decode_to_what_they_were_made_of(request in arbitrary::request()) {
        prop_assert_eq!(decode_request(&encode_request(&request)).unwrap(), request);
    }

    #[test]
    fn rulings_decode_to_what_they_were_made_of(ruling in arbitrary::ruling()) {
        prop_assert_eq!(decode_ruling(&encode_ruling(&ruling)).unwrap(), ruling);
    }

    #[test]
    fn attempts_decode_to_what_they_were_made_of(attempt in arbitrary::attempt()) {
        prop_assert_eq!(decode_attempt(&encode_attempt(&attempt)).unwrap(), attempt);
    }

    /// Through bytes, where names may be repeated; a parsed JSON object keeps each name once and in its own order.
    #[test]
    fn drafts_come_back_through_json(draft in arbitrary::template_draft()) {
        let mut expected = draft.clone();
        expected.parameters = Vec::new();
        let mut found = template_draft_from_json(&template_draft_to_json(&draft)).unwrap();
        found.parameters = Vec::new();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = decode_record(&instance(), &bytes);
        let _ = decode_request(&bytes);
        let _ = decode_ruling(&bytes);
        let _ = decode_attempt(&bytes);
    }

    /// One byte of a good message is another: it is refused, or it still means something that encodes to itself.
    #[test]
    fn a_damaged_byte_never_panics(record in arbitrary::record(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode_record(&record).to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(other) = decode_record(&record.log, &bytes) {
            prop_assert_eq!(decode_record(&record.log, &encode_record(&other)).unwrap(), other);
        }
    }
}

#[test]
fn every_golden_message_decodes_and_encodes_to_itself() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/golden");
    let mut seen = 0;
    for family in ["event", "request", "ruling", "attempt"] {
        for entry in fs::read_dir(golden.join(family)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.display();
            if path.to_str().unwrap().ends_with(".upcast.json") {
                continue;
            }
            let written: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let bytes = written.to_string();
            let log = if written.get("instance").is_some() { instance() } else { LogId::Fleet };
            let again = match family {
                "event" => decode_record(&log, bytes.as_bytes()).map(|record| encode_record(&record)),
                "request" => decode_request(bytes.as_bytes()).map(|request| encode_request(&request)),
                "ruling" => decode_ruling(bytes.as_bytes()).map(|ruling| encode_ruling(&ruling)),
                _ => decode_attempt(bytes.as_bytes()).map(|attempt| encode_attempt(&attempt)),
            };
            let again = again.unwrap_or_else(|error| panic!("{name}: {error}"));
            let again: Value = serde_json::from_slice(&again).unwrap();
            // A message of an older version encodes to the latest: its upcast half says what that is. So does an attempt
            // whose request is of an older version.
            let versions = |message: &Value| [message["version"].clone(), message["request"]["version"].clone()];
            if versions(&again) == versions(&written) {
                assert_eq!(again, written, "{name}");
            }
            seen += 1;
        }
    }
    assert!(seen > 60, "only {seen} golden messages were found");
}

fn refused(log: &LogId, change: impl FnOnce(&mut Value)) -> String {
    let mut record: Value = serde_json::from_slice(&encode_record(&frozen())).unwrap();
    change(&mut record);
    decode_record(log, record.to_string().as_bytes()).expect_err("the record was damaged").to_string()
}

#[test]
fn a_record_of_another_log_is_refused() {
    let other = LogId::Instance(InstanceId::parse("inst-b").unwrap());
    assert_eq!(
        refused(&other, |_| ()),
        "record cannot be read: instance: this is a record of the log of instance inst-a, read from that of instance inst-b"
    );
    assert!(refused(&LogId::Fleet, |_| ()).contains("read from that of fleet"));
    let misplaced = refused(&LogId::Fleet, |record| drop(record.as_object_mut().unwrap().remove("instance")));
    assert_eq!(misplaced, "record cannot be read: type: DeviceFrozen has no place in the log of fleet");
}

#[test]
fn an_event_about_the_log_itself_stands_in_either_kind_of_log() {
    let prefix_digest = [7; 32];
    for log in [LogId::Fleet, instance()] {
        let event = AnyEvent::Log(LogEvent::Adopted { prefix_end: Position(3), prefix_digest });
        let record = Record { log: log.clone(), event, ..frozen() };
        assert_eq!(decode_record(&log, &encode_record(&record)).unwrap(), record);
    }
}

#[test]
fn a_registrars_key_is_read_in_its_one_form() {
    let key = "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let named = |text: &str| {
        refused(&instance(), |record| {
            record["type"] = json!("RegistrarKeyNamed");
            record["body"] = json!({ "public_key": text });
        })
    };
    for text in ["", "ed25519:", &format!(" {key}"), &format!("{key}\n"), &key["ed25519:".len()..]] {
        assert!(named(text).starts_with("record cannot be read: body.public_key: this is no public key"), "{text:?}");
    }
}

#[test]
fn a_proof_is_recorded_whole_or_not_at_all() {
    let golden = include_str!("../../../../schemas/golden/event/DeviceRegistered.v2.json");
    for missing in ["not_after", "ca_name_and_key_sha256", "chain", "prover"] {
        let mut record: Value = serde_json::from_str(golden).unwrap();
        record["body"]["certificate"].as_object_mut().unwrap().remove(missing);
        let error = decode_record(&instance(), record.to_string().as_bytes()).expect_err(missing).to_string();
        assert!(error.starts_with("record cannot be read: body.certificate: not_after, "), "{missing}: {error}");
    }
}

#[test]
fn retirements_are_forgotten_in_bounded_lists() {
    let forgotten = |count: usize| {
        let mut record: Value = serde_json::from_slice(&encode_record(&frozen())).unwrap();
        record["type"] = json!("RetiredForgotten");
        record["body"] = json!({ "fingerprints": vec!["ab".repeat(32); count] });
        decode_record(&instance(), record.to_string().as_bytes()).map(|_| ()).map_err(|error| error.reason)
    };
    let refused = |count: usize| Err(format!("body.fingerprints: {count} fingerprints: 1 to 1000 are allowed"));
    assert_eq!([forgotten(0), forgotten(1), forgotten(1000), forgotten(1001)], [refused(0), Ok(()), Ok(()), refused(1001)]);
}

#[test]
fn f9_an_id_that_could_be_a_subject_is_refused_by_name() {
    for id in ["a.b", "*", ">", "a b", "", "é", "a/b", "#"] {
        let error = refused(&instance(), |record| record["body"]["device"] = json!(id));
        assert!(error.starts_with("record cannot be read: body.device: device id "), "{error}");
    }
    let error = refused(&instance(), |record| record["cause"] = json!("x".repeat(129)));
    assert_eq!(error, "record cannot be read: cause: request id has 129 characters: at most 128 are allowed");
}

#[test]
fn f8_an_operator_name_with_control_characters_is_refused() {
    for name in ["", "a\nb", "\u{7f}", &"x".repeat(65)] {
        let error = refused(&instance(), |record| record["actor"] = json!({ "operator": name }));
        assert!(error.contains("actor.operator: "), "{error}");
    }
}

#[test]
fn f35_a_trace_context_is_one_or_it_is_not_written() {
    let error = refused(&instance(), |record| record["traceparent"] = json!("x".repeat(4000)));
    assert!(error.contains("traceparent: not a W3C traceparent"), "{error}");
    let record = Record { traceparent: Some("00-ZZ".into()), ..frozen() };
    assert_eq!(decode_record(&instance(), &encode_record(&record)).unwrap(), frozen());
}

#[test]
fn template_bodies_are_read_in_the_shape_of_the_v5_api() {
    let body = json!({
        "parameters": { "iotda::certificate::common_name": { "type": "String" } },
        "resources": {
            "device": {
                "node_id": { "ref": "iotda::certificate::common_name" },
                "product_id": "meter-1",
                "tags": [{ "tag_key": "maker", "tag_value": { "ref": "iotda::certificate::common_name" } }],
            },
            "policy": { "policy_ids": ["p-1"] },
        },
    });
    let draft = template_draft_from_json(&body).unwrap();
    assert_eq!(template_draft_to_json(&draft), body);
    let checked = draft.validate().unwrap();
    let mut complete = body.clone();
    complete["on_certificate_change"] = json!("reject");
    assert_eq!(template_body_to_json(&checked), complete);
}

#[test]
fn what_is_wrong_with_a_template_body_is_named_by_its_path() {
    let cases = [
        (json!([]), "$: not a JSON object"),
        (json!({ "resources": { "device": {} } }), "$: missing field `parameters`"),
        (json!({ "parameters": {}, "resources": {} }), "resources: missing field `device`"),
        (
            json!({ "parameters": { "x": "String" }, "resources": { "device": {} } }),
            "parameters.x: invalid type: string \"String\"",
        ),
        (
            json!({ "parameters": {}, "resources": { "device": { "node_id": { "Ref": "x" } } } }),
            "resources.device.node_id.Ref: unknown field `Ref`, expected `ref`",
        ),
        (
            json!({ "parameters": {}, "resources": { "device": { "tags": [{ "tag_key": 7, "tag_value": "x" }] } } }),
            "resources.device.tags[0].tag_key: invalid type: integer `7`",
        ),
        (
            json!({ "parameters": {}, "resources": { "device": { "gateway": "x" } } }),
            "resources.device.gateway: unknown field",
        ),
    ];
    for (body, expected) in cases {
        let error = template_draft_from_json(&body).expect_err("a bad body").to_string();
        assert!(error.contains(expected), "{error}\nbut expected {expected}");
    }
}

#[test]
fn statements_are_read_in_the_shape_of_the_v5_api() {
    let written = json!([{
        "effect": "ALLOW",
        "actions": ["iotda:devices:subscribe", "iotda:devices:publish", "iotda:devices:subscribe"],
        "resources": ["topic:a/*"],
    }]);
    let statements = statements_from_json(&written).unwrap();
    assert_eq!(statements_to_json(&statements)[0]["actions"], json!(["iotda:devices:publish", "iotda:devices:subscribe"]));
    let error = statements_from_json(&json!([{ "effect": "allow", "actions": [], "resources": [] }])).unwrap_err();
    assert!(error.to_string().contains("[0].effect: unknown variant `allow`, expected `ALLOW` or `DENY`"), "{error}");
}
