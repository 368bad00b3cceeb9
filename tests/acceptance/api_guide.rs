//! docs/guides/api.md: what it says to type is typed, from signing in to the first device.

use std::process::Command;

use rollcall_harness::{
    certificates::{Authority, Key},
    clients::folder,
    fleet::Instance,
    process::rollcall,
    up::Up,
};
use serde_json::Value;

const GUIDE: &str = include_str!("../../docs/guides/api.md");

/// The fenced commands of a section, in their order.
fn commands(section: &str) -> Vec<String> {
    let heading = format!("\n## {section}\n");
    let (_, after) = GUIDE.split_once(&heading).unwrap_or_else(|| panic!("the guide has no section {section:?}"));
    let text = after.split("\n## ").next().unwrap_or_default();
    let blocks = text.split("\n```sh\n").skip(1).filter_map(|block| block.split("\n```").next());
    blocks.map(str::to_owned).collect()
}

/// A command with what differs here from what the guide has.
fn with(command: &str, guides: &str, ours: &str) -> String {
    assert!(command.contains(guides), "the guide no longer has {guides:?}");
    command.replace(guides, ours)
}

#[test]
fn the_guides_commands_lead_from_signing_in_to_a_device_that_registered_itself() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let instances = [Instance::new("north", &ca.pair.certificate), Instance::new("south", &ca.pair.certificate)];
    let up = Up::embedded(folder, &instances);
    let announced = up.announced();
    let first = std::fs::read(up.data().join("first-administrator.json")).expect("the first administrator's file");
    let first: Value = serde_json::from_slice(&first).expect("JSON");

    let sign_in = commands("With anything else").remove(0);
    let ours = format!(
        "api={} ca={}",
        announced["api"]["url"].as_str().expect("a URL"),
        announced["api"]["ca_file"].as_str().expect("a path")
    );
    let sign_in = with(&sign_in, "api=https://localhost:8943 ca=rollcall-data/ca/platform-ca.crt", &ours);
    let sign_in = with(&sign_in, "\"password\": \"…\"", &format!("\"password\": {}", first["password"]));
    let procedure = commands("From product to first device").join("\n");
    let ours = format!("host=north.test address={}", up.address());
    let procedure = with(&procedure, "host=localhost address=127.0.0.1:8883", &ours);

    let program = rollcall();
    let programs = program.parent().expect("a folder").display();
    let script = format!("set -eu\nPATH={programs}:$PATH\n{sign_in}\n{procedure}\n");
    let done = Command::new("bash").args(["-o", "pipefail", "-c", &script]).current_dir(up.folder()).output().expect("bash");
    let (said, errors) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{said}\n{errors}");

    up.registered("north", "meter-0001");
    assert_eq!(up.records_of("north", "DeviceRegistered").len(), 1, "{said}");
    for expected in
        ["\"outcome\":\"register\"", "\"registered_by\":\"self_registration\"", "\"tag_value\":\"Acme\"", "meter-0002"]
    {
        assert!(said.contains(expected), "{expected} in {said}");
    }
}
