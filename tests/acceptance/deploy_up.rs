//! `deploy/up`: one command from nothing to a registered device, and nothing left running afterwards.

use std::{path::Path, process::Command};

use rollcall_harness::{
    clients::folder,
    process::{Process, run},
    wait,
};
use serde_json::Value;

const UP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/up");

/// Runs a line that `deploy/up` prints, as a person would paste it.
fn paste(line: &str) -> (bool, String) {
    let done = Command::new("sh").args(["-c", line]).output().expect("sh");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.success(), text(&done.stdout) + &text(&done.stderr))
}

/// Runs the three lines of Python that `deploy/up` prints.
fn python(printed: &str, folder: &Path) -> String {
    let lines: Vec<&str> = printed.lines().skip_while(|line| !line.starts_with("import json;")).take(3).collect();
    let python = std::env::var_os("ROLLCALL_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    // The SDK keeps a file of its own in the home folder.
    let done = Command::new(python).args(["-c", &lines.join("\n")]).env("HOME", folder).output().expect("python");
    assert!(done.status.success(), "{lines:#?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

fn ready(up: &mut Process, data: &Path) -> Value {
    // The program may have to be built first.
    wait::within(wait::BOUND * 8, "deploy/up to be ready", || {
        up.assert_running();
        let text = std::fs::read_to_string(data.join("up.json")).map_err(|error| format!("{error}; {}", up.errors()))?;
        serde_json::from_str(&text).map_err(|error| error.to_string())
    })
}

#[test]
fn one_command_and_one_line_register_a_device() {
    let folder = folder();
    let data = folder.path().join("data");
    let mut command = Command::new(UP);
    command.args(["--debug", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0", "--data"]).arg(&data);
    let mut up = Process::start("deploy-up", &mut command, folder.path());
    let announced = ready(&mut up, &data);

    let instances = announced["instances"].as_array().expect("instances");
    assert_eq!(instances.len(), 2);
    assert_ne!(instances[0]["region"], instances[1]["region"], "two regions");
    for instance in instances {
        for field in ["id", "access_domain", "mqtts_address", "server_ca_file"] {
            assert!(instance[field].is_string(), "{field} in {instance}");
        }
    }
    let demo = &announced["demo"];
    for file in ["ca_certificate_file", "ca_key_file", "device_certificate_file", "device_key_file"] {
        assert!(Path::new(demo[file].as_str().expect("a path")).is_file(), "{file}");
    }
    let line = |name: &str| demo[name].as_str().expect("a line").to_owned();
    let printed = up.output();
    assert!(printed.contains(&line("mosquitto_pub")) && printed.contains(&line("rollcall_device")), "{printed}");

    let (done, said) = paste(&line("mosquitto_pub"));
    assert!(done, "{said}");
    let device = demo["device_id"].as_str().expect("a device id").to_owned();
    wait::until("the registration to be shown", || {
        let shown = up.output();
        let registered = shown.lines().any(|line| line.contains("DeviceRegistered") && line.contains(&device));
        if registered { Ok(()) } else { Err(shown) }
    });
    let (done, said) = paste(&line("rollcall_device"));
    assert!(done && said.contains(&device) && said.contains("stored"), "{said}");
    assert_eq!(up.output().matches("DeviceRegistered").count(), 1);

    // The API is up too: its credentials are said once, and the cloud's SDK finds the device.
    let console = announced["api"]["console_url"].as_str().unwrap_or("none: deploy/build-console builds it");
    assert!(printed.contains(&format!("  console {console}")), "{printed}");
    for field in ["url", "ca_file", "project_id", "access_key", "secret_key"] {
        assert!(announced["api"][field].is_string(), "{field}");
    }
    let first = data.join("first-administrator.json");
    assert!(
        printed.contains(&format!("First administrator: admin; password and access key are in {}", first.display())),
        "{printed}"
    );
    let kept: Value = serde_json::from_slice(&std::fs::read(&first).expect("the file")).expect("JSON");
    for secret in ["password", "secret_key"] {
        assert!(!printed.contains(kept[secret].as_str().expect("a secret")), "a pipe gets no secret: {printed}");
    }
    assert!(printed.contains(&format!("ListDevicesRequest(instance_id={})", instances[0]["id"])), "{printed}");
    assert!(python(&printed, folder.path()).contains(&device), "the SDK lists the device");

    // The other instance trusts the same CA: the same certificate is another device there.
    let south = line("rollcall_device").replace("--host localhost", "--host south.localhost");
    let (done, said) = paste(&south);
    assert!(done, "{said}");
    assert_eq!(up.output().matches("DeviceRegistered").count(), 2);

    let pid = announced["pid"].as_u64().expect("a process id");
    up.signal("INT");
    let status = wait::until("deploy/up to stop", || up.ended().ok_or_else(|| up.errors()));
    assert!(status.success(), "{status}");
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "Ctrl-C stops everything it started");
    assert!(!data.join("up.json").exists(), "what it said is true no more");

    // The data stays: started again, the device is known.
    let mut again = Process::start("deploy-up-again", &mut command, folder.path());
    let announced = ready(&mut again, &data);
    let (done, said) = paste(announced["demo"]["mosquitto_pub"].as_str().expect("a line"));
    assert!(done, "{said}");
    assert!(!again.output().contains("DeviceRegistered"), "{}", again.output());
    assert!(!again.output().contains("First administrator"), "a password is said once");
    assert!(python(&again.output(), folder.path()).contains(&device), "the key is the same");
    again.signal("INT");
    wait::until("deploy/up to stop again", || again.ended().ok_or_else(|| again.errors()));
}

#[test]
fn help_says_the_rest() {
    let help = run(Command::new(UP).arg("--help"));
    for option in ["--data", "--listen", "--fleet", "--debug", "--nats", "--output", "Ctrl-C"] {
        assert!(help.contains(option), "{option} in\n{help}");
    }
}
