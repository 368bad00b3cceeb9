//! The tools: `rollcall pki`, `rollcall device`, `check-config`, `print-config`, `version`.

use std::{
    path::Path,
    process::{Command, Output},
};

use rollcall_harness::{
    certificates::{Authority, Key, Pair},
    clients::{PahoOptions, folder},
    deployment::Deployment,
    fleet::Instance,
    process::{rollcall, run},
    raw,
    up::Up,
};

fn tool(arguments: &[&str]) -> Command {
    let mut command = Command::new(rollcall());
    command.args(arguments);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Certificates of `rollcall pki` register, with every kind of key, and openssl agrees with what they say.
#[test]
fn pki_makes_cas_devices_and_proofs() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name).display().to_string();
    run(&mut tool(&[
        "pki",
        "ca",
        "--name",
        "root",
        "--subject",
        "CN=Acme Root,O=Acme\\, Inc.",
        "--key",
        "rsa2048",
        "--out",
        &at(""),
    ]));
    run(&mut tool(&[
        "pki",
        "ca",
        "--name",
        "middle",
        "--subject",
        "CN=Acme Line 1",
        "--issuer",
        &at("root.crt"),
        "--issuer-key",
        &at("root.key"),
        "--out",
        &at(""),
    ]));
    let subject = run(Command::new("openssl").args(["x509", "-noout", "-subject", "-in", &at("root.crt")]));
    assert!(subject.contains("Acme, Inc."), "{subject}");
    run(Command::new("openssl").args(["verify", "-CAfile", &at("root.crt"), &at("middle.crt")]));
    let mut devices = Vec::new();
    for (ca, key, chain) in
        [("root", "p256", ""), ("root", "p384", ""), ("root", "ed25519", ""), ("middle", "rsa2048", "--with-chain")]
    {
        let name = format!("dev-{ca}-{key}");
        let mut command = tool(&["pki", "device", "--subject", &format!("CN={name}"), "--key", key, "--out", &at("")]);
        command.args(["--ca", &at(&format!("{ca}.crt")), "--ca-key", &at(&format!("{ca}.key"))]);
        if !chain.is_empty() {
            command.arg(chain);
        }
        let made = run(&mut command);
        assert_eq!(made.lines().collect::<Vec<_>>(), [at(&format!("{name}.crt")), at(&format!("{name}.key"))]);
        devices.push((name.clone(), Pair::at(folder.path(), &name)));
        let again = command.output().expect("it starts");
        assert!(!again.status.success(), "existing files are never overwritten");
        assert!(text(&again.stderr).contains(&name), "{}", text(&again.stderr));
    }
    // The proof for the code that the platform issued.
    let root = Pair::at(folder.path(), "root");
    let proof = at("verification.crt");
    let north = rollcall_harness::fleet::yaml(&[Instance::new("north", &root.certificate)]);
    let north = north.replacen(
        &format!("              key: {}", root.key.display()),
        &format!("              certificate: {proof}"),
        1,
    );
    let mut up = Up::start_text(folder, &north, None);
    let note = up.process().errors();
    let (_, line) = note.split_once("rollcall pki verification ").expect("the note has the line to run");
    let code = line.split("--code ").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("a code");
    let (ca, key) = (root.certificate.display().to_string(), root.key.display().to_string());
    run(&mut tool(&["pki", "verification", "--ca", &ca, "--ca-key", &key, "--code", code, "--out", &proof]));
    up.apply_text(&north);
    let target = up.target("north.test");
    for (name, pair) in devices {
        raw::trusted(&target, &pair);
        assert_eq!(target.paho(&pair, &PahoOptions::default()).accepted(), Some(Instance::device_id(&name)));
    }
}

fn device(up: &Up, host: &str, pair: &Pair, extra: &[&str]) -> Output {
    let mut command = tool(&["device", "--host", host, "--listen-s", "0", "--address", &up.address().to_string()]);
    command.arg("--server-ca").arg(up.server_ca()).arg("--certificate").arg(&pair.certificate).arg("--key").arg(&pair.key);
    command.args(extra).output().expect("it starts")
}

#[test]
fn device_says_what_happens_at_each_step() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let stranger = Authority::root(folder.path(), "stranger", Key::P256);
    let up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let pair = ca.quick_device(up.folder(), "truck-1");
    let done = device(&up, "north.test", &pair, &["--subscribe", "news/#", "--subscribe", "$oc/devices/x/y"]);
    let said = text(&done.stdout);
    assert!(done.status.success(), "{said}{}", text(&done.stderr));
    for step in [
        "TLSv1_3",
        "good for north.test",
        "the server asked for it",
        "accepted",
        "truck_truck-1",
        "news/#: granted",
        "$oc/devices/x/y: refused with 0x87",
        "stored",
        "disconnected",
    ] {
        assert!(said.contains(step), "no {step:?} in\n{said}");
    }

    // X.509 v1, as openssl makes it without an extension file.
    let v1 = ca.issue(up.folder(), "v1", "/CN=truck-v1", Key::Rsa2048, None);
    let done = device(&up, "north.test", &v1, &[]);
    assert!(done.status.success(), "{}{}", text(&done.stdout), text(&done.stderr));

    // A device that is refused: the same steps, the reason, and a failing exit code.
    let bad = ca.issue(up.folder(), "bad", "/CN=a.b", Key::P256, None);
    let done = device(&up, "north.test", &bad, &[]);
    assert!(!done.status.success());
    let said = text(&done.stdout) + &text(&done.stderr);
    assert!(said.contains("refused with 0x87: derived_field: "), "{said}");
    // A stranger's certificate, and a name that nobody has: the TLS handshake fails, with what the alert means.
    let unknown = stranger.quick_device(up.folder(), "nobody");
    let done = device(&up, "north.test", &unknown, &[]);
    assert!(!done.status.success());
    let said = text(&done.stdout) + &text(&done.stderr);
    assert!(said.contains("UnknownCA") || said.contains("unknown_ca"), "{said}");
    let done = device(&up, "west.test", &pair, &[]);
    assert!(!done.status.success());
    let said = text(&done.stdout) + &text(&done.stderr);
    assert!(said.contains("unrecognized_name"), "{said}");
    let done = tool(&["device", "--host", "does-not-exist.invalid", "--server-ca", "x", "--certificate", "y", "--key", "z"])
        .output();
    let said = text(&done.expect("it starts").stderr);
    assert!(said.contains("cannot resolve does-not-exist.invalid"), "{said}");
}

#[test]
fn configuration_is_checked_printed_and_refused_by_name() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    for name in ["connector-0.toml", "registrar.toml"] {
        let file = deployment.folder().join(name).display().to_string();
        assert!(run(&mut tool(&["check-config", "--config", &file])).contains("without fault"));
        let printed = run(&mut tool(&["print-config", "--config", &file]));
        assert!(printed.contains("[nats]") && printed.contains("replicas = 1"), "every default is filled in:\n{printed}");
        // What is printed is a configuration again.
        let copy = deployment.folder().join(format!("printed-{name}"));
        std::fs::write(&copy, &printed).expect("written");
        assert_eq!(run(&mut tool(&["print-config", "--config", &copy.display().to_string()])), printed);
    }
    let refused = |name: &str, content: &str| {
        let file = deployment.folder().join(name);
        std::fs::write(&file, content).expect("written");
        let done = tool(&["check-config", "--config", &file.display().to_string()]).output().expect("it starts");
        assert!(!done.status.success(), "{content}");
        text(&done.stderr)
    };
    let good = "data = \"d\"\n[nats]\nurl = \"nats://x\"\n[connector]\n";
    let said = refused("typo.toml", &good.replace("url", "ulr"));
    assert!(said.contains("typo.toml") && said.contains("`url`"), "{said}");
    let said = refused("limit.toml", &format!("{good}[connector.limits]\nconnections = 5\n"));
    assert!(said.contains("connections_max"), "the nearest known key: {said}");
    let said = refused("kind.toml", &good.replace("\"d\"", "5"));
    assert!(said.contains("kind.toml:1:8: invalid type: integer `5`"), "{said}");
    assert!(refused("what.ini", "").contains("what.ini"));
    assert!(refused("not.toml", "= = =").contains("not.toml"));

    let version = run(&mut tool(&["version"]));
    assert!(version.starts_with("rollcall ") && version.contains("\nconsole: "), "{version}");
    let usage = tool(&["no-such-command"]).output().expect("it starts");
    assert_eq!(usage.status.code(), Some(2), "usage and failure have different exit codes");
    let done = tool(&["connector", "--config", "/nowhere.toml"]).output().expect("it starts");
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("/nowhere.toml"));
}

/// The samples in deploy/ are complete: they are read without fault.
#[test]
fn the_samples_in_deploy_are_without_fault() {
    let deploy = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy"));
    let samples: Vec<_> = std::fs::read_dir(deploy)
        .expect("deploy")
        .filter_map(|entry| Some(entry.ok()?.path()).filter(|path| path.extension().is_some_and(|kind| kind == "toml")))
        .collect();
    for sample in samples {
        run(&mut tool(&["check-config", "--config", &sample.display().to_string()]));
    }
}
