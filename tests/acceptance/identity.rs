//! Which device a certificate is: what is read from it, what a template makes of it, and who cannot pass for whom.

use std::{fs, path::Path};

use rollcall_harness::{
    certificates::{Authority, Form, Key, Pair, from_now},
    clients::{PahoOptions, Target, connack_code_3, folder, reason_string},
    fleet::Instance,
    raw::{self, Raw, Tls},
    up::Up,
    wire::{Connect, V311},
};

/// An instance that takes the CN as node id and O, where there is one, as name.
fn with_name(ca: &Authority) -> Instance {
    Instance {
        parameters: "            iotda::certificate::organization: { type: String }\n".into(),
        device: "              device_name: { ref: \"iotda::certificate::organization\" }\n".into(),
        ..Instance::new("north", &ca.pair.certificate)
    }
}

/// The reason string and the two CONNACK codes (3.1.1, 5) that a certificate is refused with.
fn refused(target: &Target, device: &Pair) -> (String, u8, u8) {
    let new = target.paho(device, &PahoOptions::default()).expect("connack");
    let old = target.paho(device, &PahoOptions { version: 4, ..PahoOptions::default() }).expect("connack");
    let code = new["code"].as_u64().and_then(|code| u8::try_from(code).ok()).expect("a code");
    (reason_string(&new), connack_code_3(&old), code)
}

#[track_caller]
fn expect_refused(target: &Target, device: &Pair, code: &str) -> String {
    let (reason, old, new) = refused(target, device);
    assert!(reason.starts_with(&format!("{code}: ")), "{reason}");
    let credentials = ["certificate_mismatch", "device_mismatch", "secret_authenticated"].contains(&code);
    assert_eq!((old, new), if credentials { (4, 0x86) } else { (5, 0x87) }, "{reason}");
    assert!(!reason.chars().any(char::is_control), "{reason:?}");
    reason
}

#[track_caller]
fn expect_admitted(target: &Target, device: &Pair, id: &str) {
    assert_eq!(target.paho(device, &PahoOptions::default()).accepted().as_deref(), Some(id));
}

fn rcgen_cn(params: &mut rcgen::CertificateParams, cn: rcgen::DnValue) {
    params.distinguished_name.push(rcgen::DnType::CommonName, cn);
}

/// F1, F33: another certificate with the same CN is not the device; `replace` lets a newer one of the same CA take over.
#[test]
fn f1_f33_the_same_cn_is_not_the_same_device() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let north = Instance::new("north", &ca.pair.certificate);
    let mut up = Up::embedded(folder, std::slice::from_ref(&north));
    let target = up.target("north.test");
    let hour = |offset: i64, name: &str, folder: &Path| {
        ca.rcgen_device(folder, name, |params| {
            rcgen_cn(params, rcgen::DnValue::Utf8String("truck-1".into()));
            params.not_before = from_now(-time::Duration::hours(offset));
        })
    };
    let first = hour(48, "first", up.folder());
    let newer = hour(24, "newer", up.folder());
    let older = hour(72, "older", up.folder());
    expect_admitted(&target, &first, "truck_truck-1");
    expect_refused(&target, &newer, "certificate_mismatch");
    expect_admitted(&target, &first, "truck_truck-1");

    let replace = Instance { body: "          on_certificate_change: replace\n".into(), ..north };
    up.apply(&[replace]);
    expect_refused(&target, &older, "certificate_not_newer");
    expect_admitted(&target, &newer, "truck_truck-1");
    expect_refused(&target, &first, "certificate_retired");
    assert_eq!(up.records_of("north", "DeviceCertificateReplaced").len(), 1);
}

/// F2: who is not a CA does not issue. Each alert is one that a device can read.
#[test]
fn f2_a_leaf_or_a_ca_that_may_not_issues_nothing() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let target = up.target("north.test");
    let below = |name: &str, extensions: Option<&str>| {
        let middle = ca.issue(up.folder(), name, &format!("/CN={name}"), Key::P256, extensions);
        let leaf = Authority::from_pair(middle.clone()).device(
            up.folder(),
            &format!("{name}-device"),
            "/CN=evil",
            Key::P256,
            Form::V3,
        );
        append(&leaf.certificate, &middle.certificate);
        leaf
    };
    let not_issuers = [
        below("leaf", Some("basicConstraints=critical,CA:FALSE\nextendedKeyUsage=clientAuth\n")),
        below("v1", None),
        below("no-key-cert-sign", Some("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,digitalSignature\n")),
    ];
    for device in &not_issuers {
        let refused = Raw::open(&target, Some(device), Tls::V12).err().expect("refused at TLS");
        assert!(refused.contains("received fatal alert"), "{refused}");
    }
    // A path length of 0 allows devices and no further CA.
    let short = ca.issue(
        up.folder(),
        "short",
        "/CN=short",
        Key::P256,
        Some("basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign\n"),
    );
    let too_deep = Authority::from_pair(short.clone()).intermediate(up.folder(), "too-deep", Key::P256);
    let device = too_deep.device(up.folder(), "deep-device", "/CN=deep", Key::P256, Form::V3);
    append(&device.certificate, &short.certificate);
    assert!(Raw::open(&target, Some(&device), Tls::V12).is_err(), "path length exceeded");
    let direct = Authority::from_pair(short.clone()).device(up.folder(), "direct", "/CN=direct", Key::P256, Form::V3);
    append(&direct.certificate, &short.certificate);
    expect_admitted(&target, &direct, "truck_direct");
}

fn append(to: &Path, what: &Path) {
    let both = fs::read_to_string(to).expect("a certificate") + &fs::read_to_string(what).expect("a certificate");
    fs::write(to, both).expect("written");
}

/// F3: a chain that does not reach the CA is refused; one with more than it needs is not.
#[test]
fn f3_f26_chains_that_are_cut_turned_or_stuffed() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let stranger = Authority::root(folder.path(), "stranger", Key::P256);
    let middle = ca.intermediate(folder.path(), "middle", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let target = up.target("north.test");
    let device = middle.device(up.folder(), "truck-1", "/CN=truck-1", Key::P256, Form::V3);
    let leaf = fs::read_to_string(&device.certificate).expect("a chain");
    let (leaf, chain) = leaf.split_at(leaf.find("-----END CERTIFICATE-----\n").expect("PEM") + 26);
    let read = |pair: &Pair| fs::read_to_string(&pair.certificate).expect("a certificate");
    let present = |name: &str, pem: &str| {
        let file = up.folder().join(format!("{name}.crt"));
        fs::write(&file, pem).expect("written");
        Pair { certificate: file, key: device.key.clone() }
    };
    let cut = present("cut", leaf);
    let unanchored = present("unanchored", &format!("{leaf}{}", read(&stranger.pair)));
    let stuffed = present("stuffed", &format!("{leaf}{}", chain.repeat(100)));
    for (name, pair) in [("cut", &cut), ("unanchored", &unanchored), ("stuffed", &stuffed)] {
        let refused = Raw::open(&target, Some(pair), Tls::V12).err().unwrap_or_else(|| panic!("{name} is trusted"));
        assert!(refused.contains("received fatal alert") || refused.contains("peer"), "{name}: {refused}");
    }
    let with_strangers = present("strangers", &format!("{leaf}{}{chain}{}", read(&stranger.pair), read(&ca.pair)));
    expect_admitted(&target, &with_strangers, "truck_truck-1");
    expect_admitted(&target, &device, "truck_truck-1");
    assert_eq!(up.records_of("north", "DeviceRegistered").len(), 1);
    up.process().assert_running();
}

/// F4, F5, F9, F25: what is in the certificate is text and nothing else; what an id cannot hold is refused by name.
#[test]
fn f4_f5_f9_f25_values_are_never_expanded_and_ids_hold_what_ids_may() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[with_name(&ca)]);
    let target = up.target("north.test");
    let certificate = |number: usize, cn: &str, o: &str| {
        ca.rcgen_device(up.folder(), &format!("device-{number}"), |params| {
            rcgen_cn(params, rcgen::DnValue::Utf8String(cn.into()));
            params.distinguished_name.push(rcgen::DnType::OrganizationName, o);
        })
    };
    let long = "a".repeat(65);
    let bad = [
        "${iotda::certificate::organization}",
        "{{organization}}",
        "$1\\1(.*)+$",
        "a.b",
        "a*",
        ">",
        "a b",
        "a/b",
        "+",
        "#",
        "$SYS",
        "tr\u{0430}ck-1", // Cyrillic a
        long.as_str(),
        "100%",
    ];
    for (number, cn) in bad.into_iter().enumerate() {
        let reason = expect_refused(&target, &certificate(number, cn, "Acme"), "derived_field");
        assert!(reason.contains("node_id"), "names the field: {reason}");
    }
    // A name may hold more; whatever looks like a placeholder stays as it is.
    let names = ["Acme, Inc. (#1)", "100%s%n", "&lt", "ACME中文", "'#()&%@!-?"];
    for (number, name) in names.into_iter().enumerate() {
        let cn = format!("named-{number}");
        expect_admitted(&target, &certificate(100 + number, &cn, name), &format!("truck_{cn}"));
        let record = up.registered("north", &format!("truck_{cn}"));
        assert_eq!(record["record"]["body"]["profile"]["name"], name);
    }
    expect_refused(&target, &certificate(200, "named-x", "${iotda::certificate::common_name}"), "derived_field");
    // F25: 64 characters fit; a case twin is another device.
    let longest = "a".repeat(64);
    expect_admitted(&target, &certificate(300, &longest, "Acme"), &format!("truck_{longest}"));
    for (number, cn) in [(301, "twin"), (302, "Twin")] {
        expect_admitted(&target, &certificate(number, cn, "Acme"), &format!("truck_{cn}"));
    }
    up.process().assert_running();
}

/// F6, F7, F8: attributes are read from DER: one value of each, whole, without control characters.
#[test]
fn f6_f7_f8_attributes_are_read_from_der_and_must_be_single_and_clean() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[with_name(&ca)]);
    let target = up.target("north.test");
    let openssl = |name: &str, subject: &str| ca.device(up.folder(), name, subject, Key::P256, Form::V3);
    let reason = expect_refused(&target, &openssl("two-cns", "/CN=one/CN=two/O=Acme"), "certificate_attribute");
    assert!(reason.contains("CN cannot be used: it stands in the Subject more than once"), "{reason}");
    let reason = expect_refused(&target, &openssl("no-o", "/CN=one"), "certificate_attribute");
    assert!(reason.contains("O cannot be used: it is not in the Subject"), "{reason}");
    let rcgen = |name: &str, cn: rcgen::DnValue, o: rcgen::DnValue| {
        ca.rcgen_device(up.folder(), name, |params| {
            rcgen_cn(params, cn);
            params.distinguished_name.push(rcgen::DnType::OrganizationName, o);
        })
    };
    let utf8 = |text: &str| rcgen::DnValue::Utf8String(text.into());
    for (number, cn) in ["cr\r\nX-Injected: 1", "nul\0.evil", "tab\t", "esc\u{1b}[2J", ""].into_iter().enumerate() {
        expect_refused(&target, &rcgen(&format!("control-{number}"), utf8(cn), utf8("Acme")), "certificate_attribute");
    }
    // What a DN string would need to escape is an ordinary character here, in any string type.
    let bmp = rcgen::string::BmpString::try_from("bmp-1").expect("a BMPString");
    expect_admitted(&target, &rcgen("bmp", rcgen::DnValue::BmpString(bmp), utf8("a, CN (x)")), "truck_bmp-1");
    let printable = rcgen::string::PrintableString::try_from("printable-1").expect("a PrintableString");
    expect_admitted(
        &target,
        &rcgen("printable", rcgen::DnValue::PrintableString(printable), utf8("Acme")),
        "truck_printable-1",
    );
    assert_eq!(up.registered("north", "truck_bmp-1")["record"]["body"]["profile"]["name"], "a, CN (x)");
    for line in up.process().output().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    }
    assert!(!up.process().errors().contains('\u{1b}'), "no terminal escapes in what is logged");
}

/// F30: the client id says nothing about who somebody is, unless it is the device's own standard form.
#[test]
fn f30_a_client_id_takes_nobodys_place() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let target = up.target("north.test");
    let victim = ca.quick_device(up.folder(), "victim");
    let thief = ca.quick_device(up.folder(), "thief");
    let standard = |device: &str| PahoOptions {
        client_id: format!("{device}_0_1_2026010100"),
        user_name: Some(device.to_owned()),
        ..PahoOptions::default()
    };
    let mut live = target.paho(&victim, &standard("truck_victim"));
    assert_eq!(live.accepted().as_deref(), Some("truck_victim"));
    // Before and after it is registered itself.
    for _ in 0..2 {
        let connack = target.paho(&thief, &standard("truck_victim")).expect("connack");
        assert_eq!(connack["code"], 0x86, "{connack}");
        let same_id = PahoOptions { client_id: "truck_victim_0_1_2026010100".into(), ..PahoOptions::default() };
        assert_eq!(target.paho(&thief, &same_id).accepted().as_deref(), Some("truck_thief"));
    }
    let connack = target.paho(&thief, &standard("truck_nobody")).expect("connack");
    assert!(reason_string(&connack).starts_with("device_mismatch: "), "{connack}");
    assert_eq!(live.publish_acknowledged("$oc/devices/truck_victim/sys/messages/up", "still here")["code"], 0);
    assert!(live.said().iter().all(|event| event["event"] != "disconnect"));
    // The same device again, wherever its client id comes from: the newer wins.
    let newer = target.paho(&victim, &PahoOptions { client_id: "something else".into(), ..PahoOptions::default() });
    newer.accepted();
    let goodbye = live.expect("disconnect");
    assert_eq!((goodbye["code"].as_u64(), goodbye["from_server"].as_bool()), (Some(0x8e), Some(true)), "{goodbye}");
}

/// F29: validity is judged now; there is no switch that allows an expired certificate.
#[test]
fn f29_certificates_outside_their_validity_are_refused_with_an_alert() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let target = up.target("north.test");
    let valid = |name: &str, from_days: i64, until_days: i64| {
        ca.rcgen_device(up.folder(), name, |params| {
            rcgen_cn(params, rcgen::DnValue::Utf8String(name.into()));
            params.not_before = from_now(time::Duration::days(from_days));
            params.not_after = from_now(time::Duration::days(until_days));
        })
    };
    for device in [valid("expired", -2, -1), valid("not-yet", 1, 2)] {
        let alert = Raw::open(&target, Some(&device), Tls::V12).err().expect("refused");
        assert!(alert.contains("CertificateExpired"), "{alert}");
        let mut tls13 = Raw::open(&target, Some(&device), Tls::V13).expect("TLS 1.3 tells after the handshake");
        let alert = tls13.connect(&Connect::new(V311, "x")).expect_err("an alert");
        assert!(alert.contains("CertificateExpired"), "{alert}");
    }
    // And it is judged at CONNECT, not only in the handshake.
    let soon = ca.rcgen_device(up.folder(), "soon", |params| {
        rcgen_cn(params, rcgen::DnValue::Utf8String("soon".into()));
        params.not_after = from_now(time::Duration::seconds(3));
    });
    let mut waiting = Raw::open(&target, Some(&soon), Tls::V13).expect("still valid");
    let live = target.paho(&soon, &PahoOptions::default());
    live.accepted();
    let goodbye = live.expect("disconnect");
    assert!(reason_string(&goodbye).starts_with("certificate_expired: "), "{goodbye}");
    let answer = waiting.connect(&Connect::new(5, "soon")).expect("CONNACK");
    assert!(answer.reason.starts_with("certificate_expired: "), "{answer:?}");
    assert!(raw::connack(&target, &soon, &Connect::new(V311, "soon")).is_err());
}

/// F26: what an attacker may send for free costs a connection, not the process.
#[test]
fn f26_huge_certificates_garbage_and_silence_do_no_harm() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let target = up.target("north.test");
    let names: String = (0..2000).map(|n| format!("DNS:{n}.a-rather-long-name-to-fill-the-certificate.test,")).collect();
    let huge = ca.issue(
        up.folder(),
        "huge",
        "/CN=huge",
        Key::P256,
        Some(&format!("subjectAltName={}\n", names.trim_end_matches(','))),
    );
    assert!(raw::connack(&target, &huge, &Connect::new(V311, "x")).is_err());
    let silent: Vec<_> = (0..50).map(|_| std::net::TcpStream::connect(up.address()).expect("a connection")).collect();
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0x16, 3, 1, 0xff, 0xff], &[0; 100]] {
        use std::io::Write as _;
        drop(std::net::TcpStream::connect(up.address()).expect("a connection").write_all(bytes));
    }
    let device = ca.quick_device(up.folder(), "truck-1");
    expect_admitted(&target, &device, "truck_truck-1");
    drop(silent);
    up.process().assert_running();
}
