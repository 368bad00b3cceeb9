//! Every code of the refusal list: what CONNACK says in MQTT 3.1.1 and 5, and which test provokes it.
//!
//! The table is compared with the codes themselves, so that a new one must find its place here. A few cannot be provoked
//! from outside; the table says why, and what tests them instead.

use std::{collections::BTreeSet, thread};

use rollcall_domain::{
    ids::{DeviceId, Fingerprint, NodeId, PolicyId, ProductId, SpaceId},
    refusal::Refusal,
    registry::{
        Command, ProductDetails,
        event::{DeclaredCredential, DeviceProfile},
    },
};
use rollcall_harness::{
    certificates::{Authority, Form, Key, Pair, from_now},
    clients::{PahoOptions, Target, connack_code_3, folder, reason_string, success, user_property},
    deployment::Deployment,
    fleet::{self, Instance},
    operator::Operator,
    process,
    raw::{self, Raw, Tls},
    up::Up,
    wait,
    wire::{self, Connect, V5, V311},
};

/// How a code is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// With these CONNACK codes of 3.1.1 (0: none, the connection is closed) and 5, by this test of this binary.
    Connack(u8, u8, &'static str),
    /// Only to a live session, with this MQTT 5 DISCONNECT code, by this test.
    Disconnect(u8, &'static str),
    /// Only to an operator, whose command is rejected: a fleet file's line, by this test.
    Operator(&'static str),
    /// Not from outside; why, and what tests it instead.
    Elsewhere(&'static str),
}

const HERE: &str = "refusals";

const TABLE: &[(&str, Said)] = &[
    (
        "ca_not_trusted",
        Said::Connack(5, 0x87, "closed_sessions: its CA certificate is deleted between handshake and CONNECT"),
    ),
    (
        "ca_distrusted",
        Said::Connack(5, 0x87, "distrust: to a live session; between handshake and CONNECT as ca_not_trusted"),
    ),
    ("ca_expired", Said::Connack(5, 0x87, HERE)),
    ("certificate_expired", Said::Connack(5, 0x87, "identity::f29: it expires between handshake and CONNECT")),
    (
        "certificate_not_yet_valid",
        Said::Elsewhere("TLS refuses it (identity::f29); after that only a clock set back would do; domain"),
    ),
    ("certificate_inactive", Said::Connack(5, 0x87, "closed_sessions")),
    ("device_frozen", Said::Connack(5, 0x87, "closed_sessions")),
    ("device_deleted", Said::Connack(5, 0x87, "closed_sessions")),
    ("certificate_retired", Said::Connack(5, 0x87, "closed_sessions")),
    ("device_mismatch", Said::Connack(4, 0x86, HERE)),
    ("certificate_mismatch", Said::Connack(4, 0x86, HERE)),
    ("template_not_bound", Said::Connack(5, 0x87, HERE)),
    ("self_registration_disabled", Said::Connack(5, 0x87, HERE)),
    ("self_registration_unavailable", Said::Connack(5, 0x87, HERE)),
    ("template_no_longer_derives", Said::Connack(5, 0x87, "closed_sessions::f23")),
    ("secret_authenticated", Said::Connack(4, 0x86, HERE)),
    ("registration_timed_out", Said::Connack(3, 0x88, HERE)),
    ("registry_unavailable", Said::Connack(3, 0x88, HERE)),
    ("registration_shed", Said::Connack(3, 0x89, HERE)),
    ("not_ready", Said::Elsewhere("the connector takes no connection of an instance before its view is read; connector")),
    ("shutting_down", Said::Disconnect(0x8b, "messages: a connector that is told to stop")),
    ("keep_alive_out_of_range", Said::Connack(2, 0x83, HERE)),
    ("protocol_version", Said::Connack(1, 0x84, HERE)),
    ("client_id", Said::Connack(2, 0x85, HERE)),
    ("authentication_method", Said::Connack(0, 0x8c, HERE)),
    // "Malformed packet" where it cannot be read.
    ("protocol_error", Said::Connack(0, 0x81, HERE)),
    ("packet_too_large", Said::Disconnect(0x95, "limits: a message that is too large; a CONNECT that is gets no answer")),
    ("keep_alive_timed_out", Said::Disconnect(0x8d, HERE)),
    ("taken_over", Said::Disconnect(0x8e, "messages: the newer connection wins")),
    ("slow_consumer", Said::Elsewhere("whoever does not read cannot be told; connector")),
    // What the registrar says, to a device.
    ("not_found", Said::Connack(5, 0x87, HERE)),
    ("product_in_another_space", Said::Connack(5, 0x87, HERE)),
    ("policy_in_another_space", Said::Connack(5, 0x87, HERE)),
    ("certificate_not_newer", Said::Connack(5, 0x87, "identity::f1")),
    ("device_elsewhere", Said::Connack(5, 0x87, HERE)),
    ("certificate_held_by_other", Said::Connack(5, 0x87, HERE)),
    ("certificate_attribute", Said::Connack(5, 0x87, "identity::f6_f7_f8")),
    ("derived_field", Said::Connack(5, 0x87, "identity::f4_f5_f9_f25")),
    ("limit_reached", Said::Connack(5, 0x87, HERE)),
    ("log_not_made", Said::Elsewhere("only a full broker refuses an instance so; the registrar's own tests, registrar")),
    ("malformed_request", Said::Elsewhere("the connector writes the requests; registrar")),
    ("chain_refused", Said::Elsewhere("the connector has proven the chain before; registrar")),
    ("certificate_unreadable", Said::Elsewhere("TLS has read it before; registrar")),
    // What the registrar says, to an operator.
    ("already_exists", Said::Operator("fleet_file")),
    ("name_taken", Said::Operator("fleet_file")),
    ("access_domain_taken", Said::Operator("fleet_file")),
    ("invalid_field", Said::Operator("fleet_file")),
    ("in_use", Said::Operator("sdk")),
    ("last_admin", Said::Elsewhere("it is the fleet's; the API's own tests, domain")),
    ("invalid_template", Said::Elsewhere("a fleet file is checked before anything is asked (fleet_file); domain")),
    ("invalid_policy", Said::Elsewhere("a fleet file is checked before anything is asked (fleet_file); domain")),
    ("ca_already_verified", Said::Operator("matrix::f18")),
    ("verification_code_expired", Said::Elsewhere("a code lasts a day; domain")),
    ("ca_not_verified", Said::Elsewhere("a fleet file configures no CA certificate that is not verified; domain")),
    ("template_required", Said::Elsewhere("a fleet file is checked before anything is asked (fleet_file); domain")),
    ("ca_malformed", Said::Operator("fleet_file")),
    ("ca_not_version_3", Said::Operator("fleet_file")),
    ("ca_not_an_authority", Said::Operator("fleet_file")),
    ("ca_may_not_sign", Said::Operator("fleet_file")),
    ("ca_not_valid_now", Said::Operator("fleet_file")),
    ("ca_unknown_critical_extension", Said::Operator("fleet_file")),
    ("ca_empty_subject", Said::Operator("fleet_file")),
    ("ca_weak_key", Said::Operator("fleet_file")),
    ("ca_weak_signature", Said::Operator("fleet_file")),
    ("ca_name_constraints", Said::Operator("fleet_file")),
    ("proof_malformed", Said::Elsewhere("a fleet file's proof is read as PEM first; domain")),
    ("proof_not_signed_by_ca", Said::Operator("fleet_file")),
    ("proof_weak_signature", Said::Elsewhere("OpenSSL does not sign with SHA-1 any more; domain")),
    ("proof_wrong_code", Said::Operator("fleet_file")),
    ("proof_not_valid_now", Said::Operator("fleet_file")),
    ("command_unproven", Said::Elsewhere("an API proves its commands; forged_commands, registrar")),
];

#[test]
fn every_code_has_its_place_in_the_table() {
    let known: BTreeSet<_> = Refusal::codes().collect();
    let listed: BTreeSet<_> = TABLE.iter().map(|(code, _)| *code).collect();
    assert_eq!(listed.len(), TABLE.len(), "a code stands twice");
    assert_eq!(known.difference(&listed).collect::<Vec<_>>(), Vec::<&&str>::new(), "codes without a place");
    assert_eq!(listed.difference(&known).collect::<Vec<_>>(), Vec::<&&str>::new(), "codes that do not exist");
}

fn connack_codes(code: &str) -> (u8, u8) {
    match TABLE.iter().find(|(listed, _)| *listed == code) {
        Some((_, Said::Connack(old, new, _))) => (*old, *new),
        other => panic!("{code} is not listed with CONNACK codes: {other:?}"),
    }
}

/// A device is refused by this code in both versions.
#[track_caller]
fn expect(target: &Target, device: &Pair, options: &PahoOptions, code: &str) {
    let (old, new) = connack_codes(code);
    let connack = target.paho(device, options).expect("connack");
    assert!(reason_string(&connack).starts_with(&format!("{code}: ")), "{code}: {connack}");
    assert_eq!(connack["code"], new, "{code}: {connack}");
    let connack = target.paho(device, &PahoOptions { version: 4, ..options.clone() }).expect("connack");
    assert_eq!(connack_code_3(&connack), old, "{code}: {connack}");
}

fn plain() -> PahoOptions {
    PahoOptions::default()
}

fn standard_form(device: &str) -> PahoOptions {
    PahoOptions {
        client_id: format!("{device}_0_0_2026010100"),
        user_name: Some(device.to_owned()),
        ..PahoOptions::default()
    }
}

fn profile(device: &str, space: &str, product: &str) -> DeviceProfile {
    DeviceProfile {
        device: DeviceId::parse(device).expect("a device id"),
        node_id: NodeId::parse("node").expect("a node id"),
        space: SpaceId::parse(space).expect("a space id"),
        product: ProductId::parse(product).expect("a product id"),
        name: None,
        tags: Vec::new(),
        policies: Vec::new(),
    }
}

fn pre_register(operator: &mut Operator, profile: DeviceProfile, credential: DeclaredCredential) {
    operator.command("north", Command::PreRegisterDevice { profile, credential, description: None, extension_info: None });
}

/// The SHA-256 fingerprint of a certificate, as openssl says it.
fn sha256(pair: &Pair) -> Fingerprint {
    let mut openssl = std::process::Command::new("openssl");
    let said = process::run(openssl.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(&pair.certificate));
    let hex = said.trim().rsplit('=').next().expect("a fingerprint").replace(':', "").to_lowercase();
    Fingerprint::parse(&hex).expect("a fingerprint")
}

/// What the registry says no to: templates, products, policies, devices of operators.
#[test]
fn f1_f18_f36_what_the_registry_refuses() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let by_unit = Instance {
        product_id: "{ ref: \"iotda::certificate::organizational_unit\" }".into(),
        parameters: "            iotda::certificate::organizational_unit: { type: String }\n".into(),
        ..Instance::new("north", &ca.pair.certificate)
    };
    let unbound = Instance { template: None, ..Instance::new("unbound", &ca.pair.certificate) };
    let off = Instance { self_registration: false, ..Instance::new("off", &ca.pair.certificate) };
    let moved = Instance::new("moved", &ca.pair.certificate);
    let instances = [by_unit, unbound, off, moved.clone()];
    let deployment = Deployment::configured(folder, &instances, "", "devices_max = 7");
    let device =
        |cn: &str, unit: &str| ca.device(deployment.folder(), cn, &format!("/CN={cn}/OU={unit}"), Key::P256, Form::V3);
    let target = |instance: &str| deployment.target(&format!("{instance}.test"), 0);
    let truck = device("truck-1", "truck");

    expect(&target("unbound"), &truck, &plain(), "template_not_bound");
    expect(&target("off"), &truck, &plain(), "self_registration_disabled");
    for (edition, region) in [("basic", "cn-north-4"), ("standard", "cn-east-3")] {
        let elsewhere = Instance { edition: edition.into(), region: region.into(), ..moved.clone() };
        success(&deployment.apply_text(&fleet::yaml(&[elsewhere]))).expect("applied");
        wait::until("the instance to be another", || {
            let connack = target("moved").paho(&truck, &plain()).expect("connack");
            let reason = reason_string(&connack);
            if reason.starts_with("self_registration_unavailable: ") { Ok(()) } else { Err(reason) }
        });
        expect(&target("moved"), &truck, &plain(), "self_registration_unavailable");
    }

    let north = target("north");
    expect(&north, &device("nothing", "no-such-product"), &plain(), "product_in_another_space");
    let mut operator = deployment.operator();
    let other = SpaceId::parse("other").expect("a space id");
    let default_policy = Some(PolicyId::parse("other-default").expect("an id"));
    operator.command("north", Command::CreateSpace { space: other.clone(), name: "other".into(), default_policy });
    let product = ProductId::parse("boat").expect("a product id");
    operator.command("north", Command::CreateProduct { space: other, product, details: details("boat") });
    expect(&north, &device("sailor", "boat"), &plain(), "product_in_another_space");

    pre_register(&mut operator, profile("truck_secret", "vehicles", "truck"), DeclaredCredential::Secret);
    expect(&north, &device("secret", "truck"), &plain(), "secret_authenticated");
    let nobody = DeclaredCredential::Certificates { primary: None, secondary: None };
    pre_register(&mut operator, profile("truck_abroad", "other", "boat"), nobody.clone());
    expect(&north, &device("abroad", "truck"), &plain(), "device_elsewhere");
    let claimed = device("claimed", "truck");
    let held = DeclaredCredential::Certificates { primary: Some(sha256(&claimed)), secondary: None };
    pre_register(&mut operator, profile("somebody-else", "vehicles", "truck"), held);
    expect(&north, &claimed, &plain(), "template_no_longer_derives");
    expect(&north, &claimed, &standard_form("truck_claimed"), "device_mismatch");

    // A device that was pre-registered takes its first certificate; another certificate of that name is not it.
    pre_register(&mut operator, profile("truck_first", "vehicles", "truck"), nobody);
    assert_eq!(north.paho(&device("first", "truck"), &plain()).accepted().as_deref(), Some("truck_first"));
    let twin = ca.device(deployment.folder(), "first-twin", "/CN=first/OU=truck", Key::P256, Form::V3);
    expect(&north, &twin, &plain(), "certificate_mismatch");
    expect(&north, &twin, &standard_form("truck_first"), "certificate_mismatch");

    // F1, F28: what was pre-registered with a fingerprint waits for exactly that certificate.
    assert_eq!(north.paho(&truck, &plain()).accepted().as_deref(), Some("truck_truck-1"));
    for n in 2..=3 {
        north.paho(&device(&format!("truck-{n}"), "truck"), &plain()).accepted();
    }
    expect(&north, &device("one-too-many", "truck"), &plain(), "limit_reached");
    // Kept for people to look at: by the registrar what it has rejected, by the connector what it has refused by itself.
    let by_registrar = ["product_in_another_space", "limit_reached"];
    let by_connector = ["device_mismatch", "certificate_mismatch", "secret_authenticated", "template_no_longer_derives"];
    wait::until("the refusals to be among the attempts", || {
        let codes: BTreeSet<_> = operator.attempts("north").into_iter().map(|attempt| attempt.rejection.code).collect();
        let all = by_registrar.iter().chain(&by_connector).all(|code| codes.contains(*code));
        if all { Ok(()) } else { Err(format!("{codes:?}")) }
    });
}

fn details(name: &str) -> ProductDetails {
    ProductDetails {
        name: name.into(),
        device_type: "device".into(),
        protocol_type: "MQTT".into(),
        data_format: "json".into(),
        manufacturer_name: None,
        industry: None,
        description: None,
        service_capabilities: "[]".into(),
    }
}

/// A policy that the template names has gone to another space since the template was bound.
#[test]
fn f18_a_policy_of_another_space_is_refused() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let statement = r#"[{ effect: ALLOW, actions: ["iotda:devices:publish"], resources: ["topic:*"] }]"#;
    let north = Instance {
        policies: format!("          - id: named\n            statement: {statement}\n"),
        body: "            policy: { policy_ids: [named] }\n".into(),
        ..Instance::new("north", &ca.pair.certificate)
    };
    let deployment = Deployment::start(folder, &[north]);
    let target = deployment.target("north.test", 0);
    let mut operator = deployment.operator();
    let policy = PolicyId::parse("named").expect("an id");
    let other = SpaceId::parse("other").expect("a space id");
    let default_policy = Some(PolicyId::parse("other-default").expect("an id"));
    operator.command("north", Command::CreateSpace { space: other.clone(), name: "other".into(), default_policy });
    operator.command("north", Command::DeletePolicy { policy: policy.clone() });
    expect(&target, &ca.quick_device(deployment.folder(), "t-1"), &plain(), "not_found");
    let statements = vec![rollcall_domain::policy::Statement {
        effect: rollcall_domain::policy::Effect::Allow,
        actions: vec![rollcall_domain::policy::Action::Publish],
        resources: vec!["topic:*".into()],
    }];
    operator.command("north", Command::CreatePolicy { policy, space: other, name: "named".into(), statements });
    expect(&target, &ca.quick_device(deployment.folder(), "t-2"), &plain(), "policy_in_another_space");
    // The certificate of one device is held by another that an operator has entered.
    let held = ca.quick_device(deployment.folder(), "held");
    let primary = Some(sha256(&held));
    pre_register(
        &mut operator,
        profile("somebody-else", "vehicles", "truck"),
        DeclaredCredential::Certificates { primary, secondary: None },
    );
    expect(&target, &held, &plain(), "template_no_longer_derives");
}

/// A CA certificate that expires while its devices are valid: TLS does not look at an anchor's dates, admission does.
#[test]
fn f29_a_ca_that_expires_takes_its_devices_with_it() {
    let folder = folder();
    let pair = Pair::at(folder.path(), "ca");
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(rcgen::DnType::OrganizationName, "Short-lived");
    params.not_before = from_now(-time::Duration::hours(1));
    params.not_after = from_now(time::Duration::seconds(12));
    std::fs::write(&pair.certificate, params.self_signed(&key).expect("a certificate").pem()).expect("written");
    pair.write_key(&key.serialize_pem());
    let ca = Authority::from_pair(pair);
    let up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let target = up.target("north.test");
    let device = ca.quick_device(up.folder(), "truck-1");
    let live = target.paho(&device, &plain());
    assert_eq!(live.accepted().as_deref(), Some("truck_truck-1"));
    let goodbye = live.expect("disconnect");
    assert!(reason_string(&goodbye).starts_with("ca_expired: "), "{goodbye}");
    expect(&target, &device, &plain(), "ca_expired");
    expect(&target, &device, &standard_form("truck_truck-1"), "ca_expired");
}

/// Registrations that nobody answers, that the log cannot take, and that are too many.
#[test]
fn f12_f14_registrations_are_shed_with_a_hint_while_known_devices_get_in() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let limits = "registrations_max = 1\nregistration_ms_max = 2000\nretry_after_s = 7";
    let mut deployment = Deployment::configured(folder, &[Instance::new("north", &ca.pair.certificate)], limits, "");
    let target = deployment.target("north.test", 0);
    let known = ca.quick_device(deployment.folder(), "known");
    target.paho(&known, &plain()).accepted();

    deployment.registrar().signal("STOP");
    let unknown: Vec<_> = (0..3).map(|n| ca.quick_device(deployment.folder(), &format!("unknown-{n}"))).collect();
    expect(&target, &unknown[0], &plain(), "registration_timed_out");
    // One waits for the registrar; while it does, the next is shed.
    let shed = wait::until("a registration to be shed", || {
        let waiting = {
            let (target, device) = (target.clone(), unknown[1].clone());
            thread::spawn(move || raw::connack(&target, &device, &Connect::new(V5, "waits")))
        };
        let connack = target.paho(&unknown[2], &plain()).expect("connack");
        drop(waiting.join());
        if reason_string(&connack).starts_with("registration_shed: ") { Ok(connack) } else { Err(connack.to_string()) }
    });
    assert_eq!(shed["code"], connack_codes("registration_shed").1, "{shed}");
    let hint: u32 = user_property(&shed, "retry_after_s").and_then(|hint| hint.parse().ok()).expect("a retry hint");
    assert!((7..=14).contains(&hint), "{hint}: at least what is configured, at most twice that");
    target.paho(&known, &plain()).accepted();
    deployment.registrar().signal("CONT");
    for device in &unknown {
        wait::until("a shed device to be let in", || {
            let connack = target.paho(device, &plain()).expect("connack");
            if connack["code"] == 0 { Ok(()) } else { Err(connack.to_string()) }
        });
    }

    deployment.nats.kill();
    let late = ca.quick_device(deployment.folder(), "late");
    wait::until("the connector to notice", || {
        let connack = target.paho(&late, &plain()).expect("connack");
        let reason = reason_string(&connack);
        if reason.starts_with("registry_unavailable: ") { Ok(()) } else { Err(reason) }
    });
    expect(&target, &late, &plain(), "registry_unavailable");
    target.paho(&known, &plain()).accepted();
}

/// What a CONNECT packet itself is refused for.
#[test]
fn connect_packets_that_are_refused_for_what_they_say() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let target = up.target("north.test");
    let device = ca.quick_device(up.folder(), "truck-1");
    let with = |version: u8, change: &dyn Fn(&mut Connect)| {
        let mut connect = Connect::new(version, "raw");
        change(&mut connect);
        connect
    };
    type Change = Box<dyn Fn(&mut Connect)>;
    let table: Vec<(&str, Change)> = vec![
        ("client_id", Box::new(|connect| connect.client_id = "x".repeat(257))),
        ("client_id", Box::new(|connect| connect.user_name = Some("x".repeat(257)))),
    ];
    for (code, change) in table {
        let (old, new) = connack_codes(code);
        assert_eq!(raw::connack(&target, &device, &with(V311, &change)).expect("CONNACK").code, old, "{code}");
        let answer = raw::connack(&target, &device, &with(V5, &change)).expect("CONNACK");
        assert_eq!(answer.code, new, "{code}: {answer:?}");
        assert!(answer.reason.starts_with(&format!("{code}: ")), "{answer:?}");
    }
    // MQTT 5 has a way to say another keep-alive, 3.1.1 only a refusal.
    let refused = connack_codes("keep_alive_out_of_range").0;
    for (keep_alive_s, old) in [(0, refused), (4, refused), (5, 0), (30, 0), (1200, 0), (1201, refused)] {
        for (version, code) in [(V311, old), (V5, 0)] {
            let connect = Connect { keep_alive_s, ..Connect::new(version, "edge") };
            assert_eq!(raw::connack(&target, &device, &connect).expect("CONNACK").code, code, "{keep_alive_s} s, {version}");
        }
    }

    let (old, new) = connack_codes("protocol_version");
    let answer = raw::connack(&target, &device, &Connect::new(6, "future")).expect("CONNACK");
    assert_eq!(answer.code, new);
    assert_eq!(raw::connack(&target, &device, &Connect::new(3, "past")).expect("CONNACK").code, old);
    assert_eq!(
        raw::connack(&target, &device, &Connect { clean: false, ..Connect::new(V311, "") }).expect("CONNACK").code,
        2
    );
    let enhanced = Connect { authentication_method: Some("SCRAM-SHA-256".into()), ..Connect::new(V5, "enhanced") };
    let answer = raw::connack(&target, &device, &enhanced).expect("CONNACK");
    assert_eq!(answer.code, connack_codes("authentication_method").1);
    assert!(answer.reason.starts_with("authentication_method: "), "{answer:?}");

    let mut reserved = Connect::new(V5, "reserved").bytes();
    reserved[9] |= 1;
    let mut raw = Raw::open(&target, Some(&device), Tls::V13).expect("trusted");
    raw.send(&reserved).expect("sent");
    let answer = wire::answer(V5, &raw.packet().expect("CONNACK")).expect("CONNACK");
    assert_eq!(answer.code, connack_codes("protocol_error").1, "{answer:?}");
    assert!(answer.reason.starts_with("protocol_error: "), "{answer:?}");
    // Before MQTT 5, and where a packet is too large to be read, the connection is closed without a word.
    let mut old = Connect::new(V311, "reserved").bytes();
    old[9] |= 1;
    let huge = wire::packet(0x10, &[&Connect::new(V5, "huge").bytes()[2..], &[0; 70_000]].concat());
    for bytes in [old, huge] {
        let mut raw = Raw::open(&target, Some(&device), Tls::V13).expect("trusted");
        raw.send(&bytes).expect("sent");
        assert!(raw.packet().is_err());
    }
    // Nobody was registered but by the two that were let in.
    assert_eq!(up.records_of("north", "DeviceRegistered").len(), 1);
    up.process().assert_running();
}

/// Silence for one and a half keep-alives, and more connections than may be.
#[test]
fn a_silent_client_is_closed_and_connections_are_limited() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let limits = "connections_max = 4";
    let deployment = Deployment::configured(folder, &[Instance::new("north", &ca.pair.certificate)], limits, "");
    let target = deployment.target("north.test", 0);
    let silent = ca.quick_device(deployment.folder(), "silent");
    let mut raw = Raw::open(&target, Some(&silent), Tls::V13).expect("trusted");
    let connect = Connect { keep_alive_s: 30, ..Connect::new(V5, "silent") };
    assert_eq!(raw.connect(&connect).expect("CONNACK").code, 0);

    let mut crowd = Vec::new();
    let closed = wait::until("a connection to be one too many", || match Raw::open(&target, Some(&silent), Tls::V12) {
        Ok(connection) => {
            crowd.push(connection);
            Err(format!("{} open", crowd.len()))
        }
        Err(closed) => Ok(closed),
    });
    assert!(crowd.len() <= 4, "{closed}");
    drop(crowd);
    raw::trusted(&target, &silent);

    let goodbye = raw.goodbye(V5).expect("DISCONNECT");
    assert_eq!(goodbye.code, 0x8d);
    assert!(goodbye.reason.starts_with("keep_alive_timed_out: "), "{goodbye:?}");
}
