//! Who loses the right to be connected: the live session is closed with its reason within a second, and neither the next
//! connection nor a resumed TLS session gets in.

use std::path::{Path, PathBuf};

use rollcall_domain::{
    ids::{CaId, DeviceId, Fingerprint},
    registry::{Command, command::Distrust},
};
use rollcall_harness::{
    certificates::{Authority, Key, Pair},
    clients::{Paho, PahoOptions, Target, connack_code_3, folder, reason_string},
    deployment::Deployment,
    fleet::Instance,
    raw,
    wire::{Connect, V311},
};

/// A device with a live session in each version of MQTT that it could have (as two devices: the newer connection wins),
/// and a TLS session of each version to resume.
struct Connected {
    target: Target,
    pair: Pair,
    live: Paho,
    sessions: Vec<(&'static str, PathBuf)>,
}

fn connack(output: &[u8]) -> Option<u8> {
    output.windows(4).find(|bytes| bytes[..2] == [0x20, 2]).map(|bytes| bytes[3])
}

/// Connects with openssl and keeps the TLS session in a file.
fn keep_session(target: &Target, pair: &Pair, version: &str, file: &Path) {
    let extra = [version, "-sess_out", file.to_str().expect("a path")];
    let said = target.s_client_says(pair, &Connect::new(V311, "openssl").bytes(), &extra, |said| connack(said).is_some());
    assert_eq!(connack(&said), Some(0), "{}", String::from_utf8_lossy(&said));
    assert!(file.exists(), "no session was kept: {}", String::from_utf8_lossy(&said));
}

/// Resumes a kept session: whether TLS resumed it, and the CONNACK code if one came.
fn resume(target: &Target, pair: &Pair, version: &str, file: &Path) -> (bool, Option<u8>) {
    let extra = [version, "-sess_in", file.to_str().expect("a path")];
    let said = target.s_client_says(pair, &Connect::new(V311, "openssl").bytes(), &extra, |said| connack(said).is_some());
    (String::from_utf8_lossy(&said).contains("Reused, "), connack(&said))
}

impl Connected {
    fn new(deployment: &Deployment, domain: &str, ca: &Authority, name: &str) -> Self {
        let target = deployment.target(domain, 0);
        let pair = ca.quick_device(deployment.folder(), name);
        let sessions: Vec<_> = ["-tls1_2", "-tls1_3"]
            .map(|version| (version, deployment.folder().join(format!("{name}{version}.session"))))
            .into();
        for (version, file) in &sessions {
            keep_session(&target, &pair, version, file);
        }
        for (version, file) in &sessions {
            assert_eq!(resume(&target, &pair, version, file), (true, Some(0)), "{version}: sessions can be resumed");
            // A ticket of TLS 1.3 is good for one use.
            keep_session(&target, &pair, version, file);
        }
        let live = target.paho(&pair, &PahoOptions::default());
        live.accepted();
        Self { target, pair, live, sessions }
    }

    /// The live session is closed with this reason, and nothing gets in any more: `again` is the 3.1.1 CONNACK code.
    fn expect_closed(&self, code: &str, again: u8) {
        self.expect_closed_and_refused(code, code, again);
    }

    /// The same, where the next connection is told another reason.
    fn expect_closed_and_refused(&self, code: &str, refusal: &str, again: u8) {
        let goodbye = self.live.expect("disconnect");
        assert_eq!(goodbye["from_server"], true, "{goodbye}");
        let reason = reason_string(&goodbye);
        assert!(reason.starts_with(&format!("{code}: ")), "{goodbye}");
        let refused = self.target.paho(&self.pair, &PahoOptions::default()).expect("connack");
        assert!(reason_string(&refused).starts_with(&format!("{refusal}: ")), "{refused}");
        let old = PahoOptions { version: 4, ..PahoOptions::default() };
        assert_eq!(connack_code_3(&self.target.paho(&self.pair, &old).expect("connack")), again);
        for (version, file) in &self.sessions {
            assert_eq!(resume(&self.target, &self.pair, version, file), (true, Some(again)), "{version}");
        }
    }
}

fn folder_of(deployment: &Deployment, name: &str) -> PathBuf {
    let folder = deployment.folder().join(name);
    std::fs::create_dir(&folder).expect("a folder can be made");
    folder
}

fn device(name: &str) -> DeviceId {
    DeviceId::parse(&Instance::device_id(name)).expect("a device id")
}

#[test]
fn f17_f22_f39_a_session_whose_device_is_frozen_deleted_or_made_inactive_is_closed() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let mut operator = deployment.operator();
    let connect = |name| Connected::new(&deployment, "north.test", &ca, name);
    let [frozen, deleted, inactive, certificate, untouched] =
        ["frozen", "deleted", "inactive", "certificate", "other"].map(connect);

    operator.command("north", Command::FreezeDevice { device: device("frozen") });
    frozen.expect_closed("device_frozen", 5);
    operator.command("north", Command::UnfreezeDevice { device: device("frozen") });
    rollcall_harness::wait::until("the unfrozen device to be let in", || {
        let connack = raw::connack(&frozen.target, &frozen.pair, &Connect::new(V311, "again"));
        if connack.as_ref().is_ok_and(|answer| answer.code == 0) { Ok(()) } else { Err(format!("{connack:?}")) }
    });

    operator.command("north", Command::DeleteDevice { device: device("deleted") });
    deleted.expect_closed_and_refused("device_deleted", "certificate_retired", 5);
    let another = ca.quick_device(&folder_of(&deployment, "another"), "deleted");
    let refused = deleted.target.paho(&another, &PahoOptions::default()).expect("connack");
    assert!(reason_string(&refused).starts_with("device_deleted: "), "another certificate of it: {refused}");

    // F39: nor a certificate that was deleted itself, although its device waits for one now.
    let sha256 = sha256_of(&certificate.pair);
    operator.command("north", Command::DeleteCertificate { device: device("certificate"), fingerprint: sha256 });
    certificate.expect_closed("certificate_retired", 5);
    operator.command("north", Command::ReadmitCertificate { fingerprint: sha256, device: None });
    rollcall_harness::wait::until("the readmitted certificate to be let in", || {
        let connack = raw::connack(&certificate.target, &certificate.pair, &Connect::new(V311, "again"));
        if connack.as_ref().is_ok_and(|answer| answer.code == 0) { Ok(()) } else { Err(format!("{connack:?}")) }
    });

    let sha256 = sha256_of(&inactive.pair);
    let switch = |active| Command::SwitchCertificate { device: device("inactive"), fingerprint: sha256, active };
    operator.command("north", switch(false));
    inactive.expect_closed("certificate_inactive", 5);

    // F22: neither a restart nor a view that is built again brings the deleted one back.
    assert!(untouched.live.said().iter().all(|event| event["event"] != "disconnect"), "nobody else is closed");
    deployment.connector(0).process.stop();
    deployment.registrar().stop();
    for data in [deployment.connector_data(0), deployment.registrar_data()] {
        std::fs::remove_dir_all(data.join("views")).expect("views can be removed");
    }
    deployment.start_registrar();
    deployment.restart_connector(0);
    raw::trusted(&deleted.target, &deleted.pair);
    let answer = raw::connack(&deleted.target, &deleted.pair, &Connect::new(V311, "back")).expect("CONNACK");
    assert_eq!(answer.code, 5);
    operator.command("north", Command::ReadmitDevice { device: device("deleted") });
    rollcall_harness::wait::until("the readmitted device to be let in", || {
        let connack = raw::connack(&deleted.target, &deleted.pair, &Connect::new(V311, "back"));
        if connack.as_ref().is_ok_and(|answer| answer.code == 0) { Ok(()) } else { Err(format!("{connack:?}")) }
    });
}

fn sha256_of(pair: &Pair) -> Fingerprint {
    let said = rollcall_harness::process::run(
        std::process::Command::new("openssl")
            .args(["x509", "-noout", "-fingerprint", "-sha256", "-in"])
            .arg(&pair.certificate),
    );
    let hex = said.trim().rsplit('=').next().expect("a fingerprint").replace(':', "").to_lowercase();
    Fingerprint::parse(&hex).expect("a fingerprint")
}

#[test]
fn f23_a_session_whose_template_is_unbound_is_closed_unless_it_uses_the_standard_form() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let north = Instance::new("north", &ca.pair.certificate);
    let deployment = Deployment::start(folder, std::slice::from_ref(&north));
    let by_template = Connected::new(&deployment, "north.test", &ca, "any-client-id");
    let standard = ca.quick_device(deployment.folder(), "standard");
    let options = PahoOptions {
        client_id: "truck_standard_0_0_2026010100".into(),
        user_name: Some("truck_standard".into()),
        ..PahoOptions::default()
    };
    let live = by_template.target.paho(&standard, &options);
    assert_eq!(live.accepted().as_deref(), Some("truck_standard"));

    let unbound = Instance { template: None, ..north.clone() };
    let done = deployment.apply_text(&rollcall_harness::fleet::yaml(&[unbound]));
    rollcall_harness::clients::success(&done).expect("applied");
    by_template.expect_closed("template_not_bound", 5);
    assert!(live.said().iter().all(|event| event["event"] != "disconnect"), "the standard form needs no template");
    assert_eq!(by_template.target.paho(&standard, &options).accepted().as_deref(), Some("truck_standard"));

    // Bound again, but switched off; then another template body, which makes another device of the certificate.
    let off = Instance { self_registration: false, ..north.clone() };
    rollcall_harness::clients::success(&deployment.apply_text(&rollcall_harness::fleet::yaml(&[off]))).expect("applied");
    let answer = raw::connack(&by_template.target, &by_template.pair, &Connect::new(V311, "x")).expect("CONNACK");
    assert_eq!(answer.code, 5);
    let other =
        Instance { device: "              device_id: { ref: \"iotda::certificate::common_name\" }\n".into(), ..north };
    rollcall_harness::clients::success(&deployment.apply_text(&rollcall_harness::fleet::yaml(&[other]))).expect("applied");
    rollcall_harness::wait::until("the edited template to decide", || {
        let connack = by_template.target.paho(&by_template.pair, &PahoOptions::default()).expect("connack");
        let reason = reason_string(&connack);
        if reason.starts_with("template_no_longer_derives: ") { Ok(()) } else { Err(reason) }
    });
}

#[test]
fn a_session_whose_ca_is_deleted_is_closed_and_its_tls_session_is_not_resumed() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let connected = Connected::new(&deployment, "north.test", &ca, "truck-1");
    // Its handshake is over; its CONNECT comes when the CA certificate is gone.
    let late = ca.quick_device(deployment.folder(), "late");
    let mut late = raw::Raw::open(&connected.target, Some(&late), raw::Tls::V12).expect("trusted so far");

    let mut operator = deployment.operator();
    let id = CaId::parse("ca").expect("a CA id");
    operator.command("north", Command::DeleteCa { ca: id, distrust: Distrust::No });
    let goodbye = connected.live.expect("disconnect");
    assert_eq!(goodbye["from_server"], true, "{goodbye}");
    assert!(reason_string(&goodbye).starts_with("ca_not_trusted: "), "{goodbye}");
    let alert = raw::not_trusted(&connected.target, &connected.pair);
    assert!(alert.contains("UnknownCA"), "{alert}");
    for (version, file) in &connected.sessions {
        assert_eq!(resume(&connected.target, &connected.pair, version, file).1, None, "{version}: nothing is answered");
    }
    let answer = late.connect(&Connect::new(5, "late")).expect("CONNACK");
    assert_eq!(answer.code, 0x87);
    assert!(answer.reason.starts_with("ca_not_trusted: "), "{answer:?}");
}
