//! The OpenAPI document against the service: schemathesis asks every operation for what its schema allows and forbids.
//!
//! What only finds a fault by chance has no place in the suite: the seed is fixed. With another one, or more examples, it is
//! a tool: `SCHEMATHESIS_SEED` and `SCHEMATHESIS_EXAMPLES` say so.

use std::{path::Path, process::Command};

use rollcall_harness::{api::Api, clients::folder, up::Up};
use serde_json::json;

const FLEET: &str = r"instances:
  - id: north
    access_domain: localhost
    edition: standard
    region: cn-north-4
    resource_spaces: []
    templates: []
  - id: spare
    access_domain: spare.test
    edition: standard
    region: cn-north-4
    resource_spaces: []
    templates: []
";

/// How the run is told what it may not make up.
const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/sdk/schemathesis.toml");
/// Requests in a second: fewer than one operator may send, so that none is refused for its pace.
const PACE: &str = "90/s";

fn wanted(variable: &str, default: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| default.to_owned())
}

#[test]
fn the_service_does_what_its_document_says() {
    let up = Up::start_text(folder(), FLEET, None);
    let announced = up.announced()["api"].clone();
    let api = Api::of(&announced);
    api.post("/rollcall/v1/operators", &json!({"name": "probe", "role": "viewer"}));
    let made = api.post("/rollcall/v1/operators", &json!({"name": "tester", "role": "admin"}));
    let session = api.post("/rollcall/v1/login", &json!({"operator": "tester", "password": made["password"]}));

    let url = announced["url"].as_str().expect("a URL");
    let python = std::env::var("ROLLCALL_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut run = Command::new(Path::new(&python).with_file_name("schemathesis"));
    run.env("HOME", up.folder()).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(up.folder());
    run.env("ROLLCALL_PROJECT", announced["project_id"].as_str().expect("a project"));
    run.env("ROLLCALL_INSTANCE", "north").env("ROLLCALL_OPERATOR", "probe");
    run.args(["--config-file", CONFIG, "run", &format!("{url}/openapi.json")]).arg("--tls-verify").arg(up.server_ca());
    run.args(["--checks", "all", "--continue-on-failure", "--no-color", "--rate-limit", PACE, "--no-shrink"]);
    run.args(["--seed", &wanted("SCHEMATHESIS_SEED", "1"), "--max-examples", &wanted("SCHEMATHESIS_EXAMPLES", "3")]);
    run.args(["--phases", "examples,coverage,fuzzing,stateful", "--generation-database", "none"]);
    run.arg("-H").arg(format!("X-Auth-Token: {}", session["token"].as_str().expect("a token")));
    let done = run.output().expect("schemathesis is installed by tests/run");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(done.status.success(), "{}\n{}", said(&done.stdout), said(&done.stderr));
}
