//! The v5 API as scripts written for the cloud know it: driven by the official, unmodified SDK.
//!
//! The programs in `sdk/` are the scripts; the same ones run against `rollcall up` on the embedded log and against separate
//! processes on NATS.

use std::path::Path;

use rollcall_harness::{api::Api, clients::folder, deployment::Deployment, sdk::Scene, up::Up};
use serde_json::{Value, json};

/// Instances with nothing in them, as an operator's first script finds them.
const FLEET: &str = r"instances:
  - id: north
    access_domain: north.test
    edition: standard
    region: cn-north-4
    resource_spaces: []
    templates: []
  - id: south
    access_domain: south.test
    edition: enterprise
    region: ap-southeast-1
    resource_spaces: []
    templates: []
";

/// Rollcall, one way or the other.
enum SdkTarget {
    /// `rollcall up` on the embedded log.
    Together(Up),
    /// A registrar, a connector and an API of their own on NATS, and what the API's first start has printed.
    Apart(Deployment, Value),
}

impl SdkTarget {
    fn together() -> Self {
        Self::Together(Up::start_text(folder(), FLEET, None))
    }

    fn apart() -> Self {
        let mut deployment = Deployment::empty(folder(), &[("north", "north.test"), ("south", "south.test")]);
        let announced = deployment.start_api();
        let done = deployment.apply_text(FLEET);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        Self::Apart(deployment, announced)
    }

    /// What a script has to know of the API.
    fn announced(&self) -> Value {
        match self {
            Self::Together(up) => up.announced()["api"].clone(),
            Self::Apart(_, announced) => announced.clone(),
        }
    }

    /// Plays a program on instance `north`.
    #[track_caller]
    fn play(&self, program: &str, more: Value) {
        let (mqtts, server_ca, folder) = match self {
            Self::Together(up) => (up.address(), up.server_ca(), up.folder().to_owned()),
            Self::Apart(deployment, _) => {
                let target = deployment.target("north.test", 0);
                (target.address, target.server_ca, deployment.folder().to_owned())
            }
        };
        let (instance, host) = ("north".to_owned(), "north.test".to_owned());
        Scene { api: self.announced(), instance, host, mqtts, server_ca, folder, more }.play(program);
    }

    #[track_caller]
    fn play_refusals(&self) {
        let spare = Api::of(&self.announced()).access_key(&json!({"operator": "admin"}));
        self.play("refusals", json!({"spare_key": spare}));
    }

    #[track_caller]
    fn play_two_instances(&self) {
        let api = Api::of(&self.announced());
        api.post(
            "/rollcall/v1/operators",
            &json!({"name": "norther", "role": "operator", "scope": {"instances": ["north"]}}),
        );
        let key = api.access_key(&json!({"operator": "norther"}));
        let of = |name: &str| key[name].clone();
        let north_key =
            json!({"access_key": of("access_key"), "secret_key": of("secret_key"), "project_id": of("project_id")});
        self.play("two_instances", json!({"north_key": north_key}));
    }
}

#[test]
fn the_whole_job_on_the_embedded_log() {
    SdkTarget::together().play("job", json!({}));
}

#[test]
fn the_whole_job_on_separate_processes_signed_the_other_way() {
    SdkTarget::apart().play("job", json!({"derived": true}));
}

#[test]
fn every_list_is_read_to_its_end() {
    SdkTarget::together().play("lists", json!({}));
}

#[test]
fn every_list_of_separate_processes_is_read_to_its_end() {
    SdkTarget::apart().play("lists", json!({}));
}

#[test]
fn every_class_of_error_is_raised_with_its_code() {
    SdkTarget::together().play_refusals();
}

#[test]
fn every_class_of_error_is_raised_by_separate_processes_too() {
    SdkTarget::apart().play_refusals();
}

#[test]
fn two_instances_on_one_api_are_kept_apart() {
    SdkTarget::together().play_two_instances();
}

#[test]
fn two_instances_of_separate_processes_are_kept_apart() {
    SdkTarget::apart().play_two_instances();
}

/// What was made before a crash is there after it, and the same credentials still hold.
#[test]
fn keys_and_what_they_made_survive_a_kill() {
    let mut up = Up::start_text(folder(), FLEET, None);
    let api = Api::of(&up.announced()["api"]);
    let made = api.on("north").post("/v5/iot/{project_id}/apps", &json!({"app_name": "kept"}));
    up.process().kill();
    up.restart();
    let announced = up.announced()["api"].clone();
    // What it prints is appended to what the first start has printed.
    assert_eq!(up.process().output().matches("first_administrator_file").count(), 1, "said by the first start only");
    let kept: Value =
        serde_json::from_slice(&std::fs::read(Path::new(&up.data()).join("first-administrator.json")).expect("the file"))
            .expect("JSON");
    for secret in ["password", "secret_key"] {
        let secret = kept[secret].as_str().expect("a secret");
        assert!(!up.process().output().contains(secret) && !up.process().errors().contains(secret), "printed");
    }
    let again = Api::of(&announced);
    let listed = again.on("north").get("/v5/iot/{project_id}/apps");
    assert_eq!(listed["applications"][0]["app_id"], made["app_id"]);
    // Only its owner may read what it keeps.
    let mut found = 0;
    let mut left = vec![up.data()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            let metadata = entry.metadata().expect("metadata");
            let expected = if metadata.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(std::os::unix::fs::MetadataExt::mode(&metadata) & 0o777, expected, "{}", entry.path().display());
            left.extend(metadata.is_dir().then(|| entry.path()));
            found += 1;
        }
    }
    assert!(found > 10, "{found}");
}

/// F15: a registrar that is away costs an operator a clear answer within the deadline, and nothing half done.
#[test]
fn f15_a_change_without_a_registrar_is_refused_clearly_and_comes_about_once() {
    let mut deployment = Deployment::empty(folder(), &[("north", "north.test")]);
    let api = Api::of(&deployment.start_api());
    let fleet = FLEET.split("  - id: south").next().expect("the first instance");
    let done = deployment.apply_text(fleet);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let api = api.on("north");
    let (path, name, key) =
        ("/v5/iot/{project_id}/apps", json!({"app_name": "once"}), json!({"Idempotency-Key": "a-script-s-own"}));
    api.get(path);

    deployment.registrar().stop();
    let answer = api.ask("POST", path, Some(&name), &key);
    assert_eq!((answer.status, &answer.body["error_code"]), (503, &json!("IOTDA.014950")), "{}", answer.body);
    assert!(answer.headers["retry-after"].is_string(), "{}", answer.headers);
    assert_eq!(api.get(path)["applications"], json!([]), "reading needs no registrar");

    deployment.start_registrar();
    let made = api.ask("POST", path, Some(&name), &key);
    assert_eq!(made.status, 201, "{}", made.body);
    let again = api.ask("POST", path, Some(&name), &key);
    assert_eq!((again.status, &again.body), (201, &made.body), "the same request is the same change");
    let listed = api.get(path);
    assert_eq!(listed["applications"].as_array().map(Vec::len), Some(1), "{listed}");
}
