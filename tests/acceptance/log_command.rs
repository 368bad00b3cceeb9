//! `rollcall log` as an operator uses it, on the embedded log of a process that has ended.

use std::process::{Command, Output};

use rollcall_harness::{
    certificates::{Authority, Key},
    clients::folder,
    fleet::Instance,
    process::{rollcall, run},
    raw,
    up::Up,
};

fn log(up: &Up, arguments: &[&str]) -> Output {
    let mut command = Command::new(rollcall());
    command.arg("log").args(arguments).arg("--data").arg(up.data()).output().expect("rollcall log starts")
}

fn base64(bytes: &[u8]) -> String {
    let mut command = Command::new("openssl");
    let mut child = command
        .args(["base64", "-A"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("openssl");
    std::io::Write::write_all(&mut child.stdin.take().expect("its input"), bytes).expect("written");
    let output = child.wait_with_output().expect("openssl ends");
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[test]
fn a_log_is_verified_goes_over_to_another_key_and_lets_nobody_skip_what_can_be_read() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    raw::trusted(&up.target("north.test"), &ca.quick_device(up.folder(), "truck-1"));
    assert!(up.process().stop().success());

    let clean = log(&up, &["verify"]);
    assert!(clean.status.success(), "{}", said(&clean));
    for wanted in ["fleet: ", "north: ", "sealed, last by key"] {
        assert!(said(&clean).contains(wanted), "{}", said(&clean));
    }
    let adopted = log(&up, &["adopt"]);
    assert!(said(&adopted).contains("north: sealed already, or empty"), "{}", said(&adopted));
    let refused = log(&up, &["skip", "--only", "north", "--position", "2"]);
    assert!(!refused.status.success() && said(&refused).contains("no reader stops before position 2"), "{}", said(&refused));

    let old = up.data().join("registrar.key");
    let next = up.folder().join("next.key");
    let public = run(Command::new(rollcall()).args(["pki", "registrar-key", "--out"]).arg(&next));
    let rotated = log(&up, &["rotate", "--next", public.trim()]);
    assert!(rotated.status.success() && said(&rotated).contains("north: from position"), "{}", said(&rotated));
    // A registrar with the old key gets nothing appended; with the new one listed after it, all goes on.
    let verified = log(&up, &["verify"]);
    assert!(verified.status.success(), "the old key leads to the next: {}", said(&verified));
    let again = log(&up, &["rotate", "--next", public.trim(), "--key-file", old.to_str().expect("UTF-8")]);
    assert!(said(&again).contains("nothing to do"), "{}", said(&again));
    // With the new key in its place, and the old one listed, everything is as it was.
    let was = run(Command::new("openssl")
        .args(["pkey", "-pubout", "-outform", "DER", "-in"])
        .arg(&old)
        .arg("-out")
        .arg(up.folder().join("old.der")));
    assert!(was.is_empty(), "{was}");
    let der = std::fs::read(up.folder().join("old.der")).expect("the old public key");
    let earlier = format!("ed25519:{}", base64(&der[der.len() - 32..]));
    std::fs::write(up.data().join("registrar.keys"), earlier + "\n").expect("written");
    std::fs::rename(&next, &old).expect("the new key in the place of the old one");
    up.restart();
    raw::trusted(&up.target("north.test"), &ca.quick_device(up.folder(), "truck-2"));
    assert!(up.process().stop().success());
    let verified = log(&up, &["verify"]);
    assert!(verified.status.success(), "{}", said(&verified));

    let unknown = log(&up, &["verify", "--only", "south"]);
    assert!(said(&unknown).contains("there is no log \"south\""), "{}", said(&unknown));
}
