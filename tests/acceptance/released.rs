//! What released versions wrote: this version opens it, lets in and refuses the same devices, and shows the same history.
//!
//! `fixtures/<version>/` has what a version left behind, with what it showed before it ended; README.md there says how it was
//! made. A copy is opened on the day on which it was made ([`rollcall_harness::earlier`]), or certificates would have expired
//! and messages timed out. Fields may be added to what is shown and records to a log: what was there stays as it was.

use std::{collections::BTreeMap, path::Path, process::Command};

use rollcall::up::events;
use rollcall_domain::ids::{InstanceId, LogId};
use rollcall_harness::{
    api::Api,
    certificates::{Pair, from_now},
    clients::{PahoOptions, connack_code_3, folder, reason_string},
    earlier::Earlier,
    nats::{NatsServer, UP},
    operator::Operator,
    process::{rollcall, run},
    up::Up,
    wait,
};
use serde_json::Value;
use time::{OffsetDateTime, macros::datetime};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

/// When the fixtures of 0.1 were made.
const MADE_0_1: OffsetDateTime = datetime!(2026-11-28 05:12 UTC);
/// How long a broker keeps attempts, by its own clock, which no test can set.
const ATTEMPTS_KEPT: time::Duration = time::Duration::days(30);

/// What a connection comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    LetIn,
    /// The refusal's code, as the reason string of MQTT 5 begins.
    Refused(&'static str),
}

use Outcome::{LetIn, Refused};

/// The devices of 0.1 and what their connections came to there.
const DEVICES_0_1: [(&str, Outcome); 12] = [
    ("truck-0001", LetIn),
    ("truck-0002", Refused("device_frozen")),
    ("truck-0003", LetIn),
    ("truck-0004", Refused("device_deleted")),
    ("truck-0005", LetIn),
    ("truck-0006", LetIn),
    ("truck-0007", LetIn),
    ("truck-0008", Refused("certificate_inactive")),
    ("truck-0009", LetIn),
    ("truck-0010", LetIn),
    ("truck-0011", LetIn),
    ("truck-0012", LetIn),
];

/// Where a later rule is stricter on purpose: the device, what its connection comes to now, and why.
const STRICTER: &[(&str, Outcome, &str)] = &[(
    "truck-0004",
    Refused("certificate_retired"),
    "the certificate of a deleted device is retired, whatever it would become",
)];

/// What the fixture that was killed may show otherwise. When a device was connected is remembered in the views alone, and
/// those of a machine that stopped without warning are made anew. A certificate that was proven says it for the other devices;
/// these two had theirs reset.
const FORGOTTEN_WITH_VIEWS: [&str; 2] = ["truck_truck-0007", "truck_truck-0009"];

fn expected(device: &str, then: Outcome) -> Outcome {
    STRICTER.iter().find(|(changed, ..)| *changed == device).map_or(then, |(_, now, _)| *now)
}

/// An opened copy of a fixture.
struct Opened {
    up: Up,
    nats: Option<NatsServer>,
    clock: Earlier,
    /// What was shown, as this opening may show it.
    shown: Value,
}

impl Opened {
    fn new(version: &str, name: &str, made: OffsetDateTime) -> Self {
        let folder = folder();
        let archive = Path::new(FIXTURES).join(version).join(name).with_extension("tar.xz");
        run(Command::new("tar").arg("-xJf").arg(&archive).arg("-C").arg(folder.path()).arg("--strip-components=1"));
        let clock = Earlier::at(made.unix_timestamp());
        let store = folder.path().join("jetstream");
        let nats = store.exists().then(|| NatsServer::on_store(&store));
        let shown = std::fs::read_to_string(folder.path().join("shown.json")).expect("shown.json");
        let shown = serde_json::from_str(&shown).expect("JSON");
        let up = Up::start_earlier(folder, nats.as_ref().map(|nats| nats.login(UP)), clock);
        let mut opened = Self { up, nats, clock, shown };
        // Also where the views are built anew first.
        let said = opened.up.process().errors();
        assert!(!said.contains("not served yet"), "what is ready serves every instance: {said}");
        opened
    }

    /// Has the given devices be `INACTIVE`, as those that have never connected, if that is how they are shown.
    fn forget_connections(&mut self, forgotten: &[&str]) {
        let api = Api::of(&self.up.announced()["api"]).on("north").at(self.clock);
        for device in self.shown["north"]["devices"].as_array_mut().expect("devices") {
            let id = device["device_id"].as_str().expect("an id");
            if forgotten.contains(&id) && api.get(&format!("/v5/iot/{{project_id}}/devices/{id}"))["status"] == "INACTIVE" {
                device["status"] = "INACTIVE".into();
            }
        }
    }

    fn device(&self, name: &str) -> Pair {
        Pair::at(&self.up.folder().join("devices"), name)
    }

    /// Compares what a path answers with what it answered when the fixture was made.
    fn shows(&self, instance: &str, path: &str, pointer: &str, then: &Value) {
        let api = Api::of(&self.up.announced()["api"]).on(instance).at(self.clock);
        // What a connector says of itself comes a moment after it is ready.
        wait::until(&format!("{path} of {instance} to show what it showed"), || {
            let body = api.ask("GET", path, None, &Value::Object(Default::default())).body;
            let mut found = Vec::new();
            differences(path, then, body.pointer(pointer).unwrap_or(&Value::Null), &mut found);
            if found.is_empty() { Ok(()) } else { Err(found.join("\n")) }
        });
    }
}

/// Everything of `then` that is not in `now`. Fields may have been added.
fn differences(at: &str, then: &Value, now: &Value, found: &mut Vec<String>) {
    match (then, now) {
        (Value::Object(then), Value::Object(_)) => {
            for (name, then) in then {
                let (at, now) = (format!("{at}.{name}"), &now[name]);
                match name.as_str() {
                    // Opaque to its reader.
                    "marker" => {}
                    // Of a view: a later version may have added records to the log.
                    "position" if at.ends_with("status.position") && now.as_u64() >= then.as_u64() => {}
                    _ => differences(&at, then, now, found),
                }
            }
        }
        (Value::Array(then), Value::Array(now)) if then.len() == now.len() => {
            for (index, (then, now)) in then.iter().zip(now).enumerate() {
                differences(&format!("{at}[{index}]"), then, now, found);
            }
        }
        _ if then == now => {}
        _ => found.push(format!("{at} was {then} and is {now}")),
    }
}

/// What `shown.json` says, asked again.
fn what_was_shown_is_shown(opened: &Opened) {
    let shown = &opened.shown;
    for instance in ["north", "south"] {
        let then = &shown[instance];
        for (name, path, pointer) in [
            ("devices", "/v5/iot/{project_id}/devices?limit=50", "/devices"),
            ("templates", "/v5/iot/{project_id}/provisioning-templates", ""),
            ("certificates", "/v5/iot/{project_id}/certificates", ""),
            ("policies", "/v5/iot/{project_id}/device-policies", ""),
            ("products", "/v5/iot/{project_id}/products", ""),
            ("apps", "/v5/iot/{project_id}/apps", ""),
        ] {
            assert!(!then[name].is_null(), "{name} in shown.json");
            opened.shows(instance, path, pointer, &then[name]);
        }
        let history = format!("/rollcall/v1/instances/{instance}/devices/truck_truck-0005/events");
        opened.shows(instance, &history, "", &then["events_of_0005"]);
    }
    opened.shows("north", "/rollcall/v1/operators", "/operators", &shown["operators"]);
    opened.shows("north", "/rollcall/v1/instances", "", &shown["instances"]);
    opened.shows("north", "/v5/iot/{project_id}/devices/truck_truck-0010/shadow", "", &shown["shadow_0010"]);
    opened.shows("north", "/v5/iot/{project_id}/devices/truck_truck-0010/messages", "", &shown["messages_0010"]);
}

/// As many attempts as were kept, and of whom.
fn attempts_are_kept(opened: &Opened, made: OffsetDateTime) {
    let shown = &opened.shown;
    let aged = opened.nats.is_some() && from_now(time::Duration::ZERO) > made + ATTEMPTS_KEPT;
    for instance in ["north", "south"] {
        let api = Api::of(&opened.up.announced()["api"]).on(instance).at(opened.clock);
        let attempts = api.get(&format!("/rollcall/v1/instances/{instance}/attempts"));
        let attempts = attempts["attempts"].as_array().expect("attempts");
        let then = shown[instance]["attempts"].as_u64().expect("a number of attempts");
        assert_eq!(attempts.len() as u64, if aged { 0 } else { then }, "{instance}: {attempts:?}");
        for (attempt, code) in attempts.iter().zip(["certificate_inactive", "device_frozen"]) {
            assert_eq!(attempt["code"], code, "{attempt}");
        }
    }
}

/// Each device connects with the certificate and key that it had, in both versions of MQTT.
fn devices_get_in_or_do_not(opened: &Opened) {
    let target = opened.up.target("localhost");
    for (name, then) in DEVICES_0_1 {
        let device = opened.device(name);
        let old = PahoOptions { version: 4, ..PahoOptions::default() };
        match expected(name, then) {
            LetIn => {
                let (id, paho) = (format!("truck_{name}"), target.paho(&device, &PahoOptions::default()));
                assert_eq!(paho.accepted(), Some(id), "{name}");
                drop(paho);
                assert_eq!(target.paho(&device, &old).expect("connack")["code"], 0, "{name}");
            }
            Refused(code) => {
                let connack = target.paho(&device, &PahoOptions::default()).expect("connack");
                assert_eq!(connack["code"], 0x87, "{name}: {connack}");
                assert!(reason_string(&connack).starts_with(&format!("{code}: ")), "{name}: {connack}");
                let connack = target.paho(&device, &old).expect("connack");
                assert_eq!(connack_code_3(&connack), 5, "{name}: {connack}");
            }
        }
    }
}

/// The message that waited is delivered, and the policies bound to a device hold.
fn messages_and_rights_are_kept(opened: &Opened) {
    let target = opened.up.target("localhost");
    let waiting = target.paho(&opened.device("truck-0010"), &PahoOptions::default());
    waiting.expect_that("message", |message| message["payload"].as_str().is_some_and(|text| text.contains("waiting")));
    let mut denied = target.paho(&opened.device("truck-0001"), &PahoOptions::default());
    denied.accepted();
    assert_eq!(denied.publish_acknowledged("trucks/truck_truck-0001/x", "allowed to the product")["code"], 0);
    assert_eq!(denied.publish_acknowledged("secret/x", "denied to the device")["code"], 0x87);
}

/// Each log begins with the events that were printed when they happened.
fn history_is_kept(opened: &mut Opened) {
    opened.up.process().stop();
    let operator = match &opened.nats {
        Some(nats) => Operator::on_nats(&nats.login(UP)),
        None => Operator::embedded(&opened.up.data()),
    };
    let printed = std::fs::read_to_string(opened.up.folder().join("events.txt")).expect("events.txt");
    let mut logs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in printed.lines() {
        logs.entry(line.split_whitespace().next().expect("an instance, or the fleet")).or_default().push(line.trim_end());
    }
    assert_eq!(logs.keys().copied().collect::<Vec<_>>(), ["fleet", "north", "south"]);
    for (place, then) in logs {
        let log = if place == "fleet" { LogId::Fleet } else { LogId::Instance(InstanceId::parse(place).expect("an id")) };
        let history = operator.history(&log);
        let lines: Vec<String> = history.iter().map(|(position, record)| events::line(*position, record)).collect();
        // The fixture has no times.
        let now: Vec<&str> = lines.iter().map(|line| line.split_once(' ').expect("a time").1.trim_end()).collect();
        assert!(now.len() >= then.len(), "{place}: {now:#?}");
        assert_eq!(now[..then.len()], then, "{place}");
        let anew: Vec<_> = now[then.len()..].iter().filter(|line| line.contains("DeviceRegistered")).collect();
        assert!(anew.is_empty(), "nobody is registered anew: {anew:?}");
    }
    drop(operator);
    // The logs were adopted by the first start: all in them is proven, and the views are what they come to.
    let of_logs = |what: &str| {
        let mut verify = Command::new(rollcall());
        verify.args([what, "verify", "--data"]).arg(opened.up.data());
        if let Some(nats) = &opened.nats {
            nats.login(UP).pass(&mut verify);
        }
        run(&mut verify)
    };
    let said = of_logs("view");
    assert!(said.contains("north"), "{said}");
    let said = of_logs("log");
    assert!(said.contains("north: ") && said.contains("sealed, last by key") && !said.contains("UNSIGNED"), "{said}");
}

fn opens_0_1(name: &str, forgotten: &[&str]) {
    let mut opened = Opened::new("0.1", name, MADE_0_1);
    opened.forget_connections(forgotten);
    what_was_shown_is_shown(&opened);
    attempts_are_kept(&opened, MADE_0_1);
    messages_and_rights_are_kept(&opened);
    devices_get_in_or_do_not(&opened);
    history_is_kept(&mut opened);
}

#[test]
fn what_0_1_wrote_and_closed_is_opened() {
    opens_0_1("embedded-stopped", &[]);
}

#[test]
fn f12_what_0_1_wrote_until_it_was_killed_is_opened() {
    opens_0_1("embedded-killed", &FORGOTTEN_WITH_VIEWS);
}

#[test]
fn what_0_1_wrote_on_nats_is_opened() {
    opens_0_1("nats", &[]);
}
