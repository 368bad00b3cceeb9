//! What is written down stays readable: golden files, the generated JSON Schemas, and strictness towards everything else.
//!
//! `golden/<family>/<type>.v<version>.json` is a message as some release wrote it, and is never edited;
//! `….upcast.json` beside it is what the latest release makes of it. `BLESS=1` rewrites what is generated, and no golden.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use rollcall_schemas::{
    WireError,
    announcement::Announcement,
    attempt::Attempt,
    event::{self, latest::Event},
    json_schema,
    record::Record,
    request::{self, Request, latest::Ask},
    ruling::Ruling,
};
use serde_json::{Value, json};

fn home(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

fn read(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn golden(name: &str) -> Value {
    read(&home("golden").join(format!("{name}.json")))
}

/// Decodes a message of any kind and encodes it again.
fn again(name: &str, bytes: &[u8]) -> Result<Vec<u8>, WireError> {
    Ok(match name.split('/').next().expect("a family") {
        "event" => Record::from_json(bytes)?.to_json(),
        "request" => Request::from_json(bytes)?.to_json(),
        "ruling" => Ruling::from_json(bytes)?.to_json(),
        "attempt" => Attempt::from_json(bytes)?.to_json(),
        "announcement" => Announcement::from_json(bytes)?.to_json(),
        family => panic!("no such family: {family}"),
    })
}

/// Every golden message with its document in `generated/`; the upcast halves are not messages.
fn goldens() -> Vec<(String, String)> {
    let mut names = Vec::new();
    for family in ["announcement", "attempt", "event", "request", "ruling"] {
        for entry in fs::read_dir(home("golden").join(family)).expect("the folder is there") {
            let file = entry.expect("an entry").file_name().into_string().expect("a text");
            let name = file.strip_suffix(".json").unwrap_or_else(|| panic!("{file} is not JSON"));
            if name.ends_with(".upcast") {
                continue;
            }
            let version = name.rsplit('.').next().expect("a version");
            let document = match family {
                "event" | "request" => format!("{family}/{name}"),
                _ => format!("{family}.{version}"),
            };
            names.push((format!("{family}/{name}"), document));
        }
    }
    names
}

#[test]
fn golden_messages_decode_and_encode_to_themselves() {
    for (name, _) in goldens() {
        let written = golden(&name);
        let bytes = again(&name, written.to_string().as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let rewritten: Value = serde_json::from_slice(&bytes).expect("JSON");
        // A message of an older version encodes to the latest: its upcast half says what that is. So does an attempt whose
        // request is of an older version.
        let versions = |message: &Value| [message["version"].clone(), message["request"]["version"].clone()];
        if versions(&written) == versions(&rewritten) {
            assert_eq!(rewritten, written, "{name}");
        }
    }
}

#[test]
fn every_released_shape_has_its_golden_pair() {
    let released = |family: &str, rows: Vec<(&'static str, u32, schemars::Schema)>| -> BTreeSet<String> {
        rows.into_iter().map(|(kind, version, _)| format!("{family}/{kind}.v{version}")).collect()
    };
    let mut expected = released("event", event::upcast::released());
    expected.extend(released("request", request::upcast::released()));
    let found: BTreeSet<String> =
        goldens().into_iter().filter(|(name, document)| name == document).map(|(name, _)| name).collect();
    assert_eq!(found, expected);
    for name in expected {
        let bytes = golden(&name).to_string();
        let upcast = match name.split('/').next() {
            Some("event") => {
                let event = Record::from_json(bytes.as_bytes()).expect(&name).event;
                json!({ "type": event.kind(), "version": event.version(), "body": event })
            }
            _ => {
                let ask = Request::from_json(bytes.as_bytes()).expect(&name).ask;
                json!({ "type": ask.kind(), "version": ask.version(), "body": ask })
            }
        };
        let file = home("golden").join(format!("{name}.upcast.json"));
        settle(&file, &upcast);
    }
}

#[test]
fn the_latest_of_every_type_has_been_released() {
    for (latest, rows) in [(Event::LATEST, event::upcast::released()), (Ask::LATEST, request::upcast::released())] {
        for (kind, version) in latest {
            let newest = rows.iter().filter(|row| row.0 == *kind).map(|row| row.1).max();
            assert_eq!(newest, Some(*version), "{kind}");
        }
    }
}

#[test]
fn generated_schemas_are_those_of_the_types() {
    // The API's document is compared where it is made.
    let mut expected = BTreeSet::from([home("generated").join("openapi.json")]);
    for (name, schema) in json_schema::documents() {
        let file = home("generated").join(format!("{name}.json"));
        settle(&file, schema.as_value());
        expected.insert(file);
    }
    for folder in ["generated", "generated/event", "generated/request"] {
        for entry in fs::read_dir(home(folder)).expect("the folder is there") {
            let path = entry.expect("an entry").path();
            assert!(path.is_dir() || expected.contains(&path), "{} is of no type any more", path.display());
        }
    }
}

/// Compares a generated file, or rewrites it when `BLESS` is set.
fn settle(file: &Path, wanted: &Value) {
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("the folder can be made");
        let text = serde_json::to_string_pretty(wanted).expect("JSON") + "\n";
        fs::write(file, text).expect("the file can be written");
    }
    assert_eq!(&read(file), wanted, "{} is not what the types say: BLESS=1 rewrites it, for review", file.display());
}

#[test]
fn golden_messages_satisfy_their_schemas() {
    for (name, document) in goldens() {
        let schema = read(&home("generated").join(format!("{document}.json")));
        let validator = jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{document}: {error}"));
        let written = golden(&name);
        let errors: Vec<String> =
            validator.iter_errors(&written).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
}

/// Walks every object of every golden message.
#[test]
fn an_added_field_is_noticed_wherever_it_is() {
    for (name, document) in goldens() {
        let written = golden(&name);
        let validator =
            jsonschema::validator_for(&read(&home("generated").join(format!("{document}.json")))).expect("a schema");
        for path in objects(&written, String::new()) {
            // A name within `parameters` is data, not a field.
            if path.ends_with("/parameters") {
                continue;
            }
            let mut changed = written.clone();
            let object = changed.pointer_mut(&path).expect("walked").as_object_mut().expect("an object");
            object.insert("surplus".to_owned(), json!(1));
            let error = again(&name, changed.to_string().as_bytes()).expect_err(&format!("{name}{path}")).to_string();
            // A choice such as `actor` has one key by nature: there the choice is named, not the second key.
            let choice = path.rsplit('/').next().expect("a name");
            assert!(error.contains("surplus") || error.contains(&format!("{choice}: ")), "{name}{path}: {error}");
            // The schema of an attempt leaves the body of its request to the request's own schema.
            if !path.starts_with("/request/body") {
                assert!(!validator.is_valid(&changed), "{name}{path}: the schema lets a surplus field pass");
            }
        }
    }
}

fn objects(value: &Value, path: String) -> Vec<String> {
    let mut found = Vec::new();
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                found.extend(objects(field, format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"))));
            }
            found.push(path);
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                found.extend(objects(item, format!("{path}/{index}")));
            }
        }
        _ => {}
    }
    found
}

fn refused(change: impl FnOnce(&mut Value)) -> String {
    let mut record = golden("event/DeviceRegistered.v1");
    change(&mut record);
    Record::from_json(record.to_string().as_bytes()).expect_err("the record was damaged").to_string()
}

#[test]
fn errors_name_what_is_wrong() {
    assert_eq!(
        refused(|record| record["type"] = json!("DeviceTeleported")),
        "type \"DeviceTeleported\" is unknown to this build: upgrade it"
    );
    assert_eq!(
        refused(|record| record["version"] = json!(3)),
        "version 3 of DeviceRegistered is unknown to this build, which reads up to 2: upgrade it"
    );
    let missing = refused(|record| drop(record.as_object_mut().expect("an object").remove("cause")));
    assert!(missing.contains("missing field `cause`"), "{missing}");
    let missing = refused(|record| drop(record["body"]["profile"].as_object_mut().expect("an object").remove("space")));
    assert!(missing.starts_with("body.profile: missing field `space`"), "{missing}");
    let wrong = refused(|record| record["body"]["profile"]["tags"][0]["value"] = json!(7));
    assert!(wrong.starts_with("body.profile.tags[0].value: invalid type"), "{wrong}");
    let list = refused(|record| record["body"] = json!([1]));
    assert_eq!(list, "body: not a JSON object");
    let wrong = refused(|record| record["time"] = json!("yesterday"));
    assert!(wrong.starts_with("time: "), "{wrong}");
    let wrong = refused(|record| record["body"]["certificate"]["sha256"] = json!("AB".repeat(32)));
    assert!(wrong.starts_with("body.certificate.sha256: "), "{wrong}");
    let wrong = refused(|record| record["actor"] = json!({ "stranger": "x" }));
    assert!(wrong.starts_with("actor") && wrong.contains("stranger"), "{wrong}");
}

#[test]
fn what_is_not_one_json_value_is_refused() {
    let record = golden("event/DeviceRegistered.v1").to_string();
    assert!(Record::from_json(b"").is_err());
    assert!(Record::from_json(&record.as_bytes()[..record.len() - 1]).is_err());
    assert!(Record::from_json(format!("{record}{record}").as_bytes()).expect_err("two").to_string().contains("trailing"));
    assert!(Record::from_json(&[0xff; 8]).is_err());
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Record::from_json(deep.as_bytes()).is_err());
    assert!(matches!(Record::from_json(&vec![b' '; 1024 * 1024]), Err(WireError::TooLarge { .. })));
    let twice = record.replacen("\"version\":1", "\"version\":1,\"version\":1", 1);
    assert!(Record::from_json(twice.as_bytes()).expect_err("twice").to_string().contains("duplicate field `version`"));
}

#[test]
fn rulings_attempts_and_announcements_of_another_version_are_refused() {
    let ruling = Ruling::from_json(br#"{"version":9,"ruling":{"deferred":{}}}"#).expect_err("version 9");
    assert!(matches!(ruling, WireError::UnknownVersion { version: 9, newest: 1, .. }), "{ruling}");
    let mut announcement = golden("announcement/two-logs.v1");
    announcement["version"] = json!(2);
    let error = Announcement::from_json(announcement.to_string().as_bytes()).expect_err("version 2");
    assert!(matches!(error, WireError::UnknownVersion { version: 2, newest: 1, .. }), "{error}");
    let mut attempt = golden("attempt/with-template.v1");
    attempt["version"] = json!(0);
    let error = Attempt::from_json(attempt.to_string().as_bytes()).expect_err("version 0");
    assert!(matches!(error, WireError::UnknownVersion { version: 0, .. }), "{error}");
    // Each version has its own fields.
    let mut attempt = golden("attempt/attributed.v2");
    attempt["version"] = json!(1);
    assert!(Attempt::from_json(attempt.to_string().as_bytes()).is_err());
    let mut attempt = golden("attempt/with-template.v1");
    attempt["version"] = json!(2);
    assert!(Attempt::from_json(attempt.to_string().as_bytes()).is_err());
}
