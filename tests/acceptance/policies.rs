//! Topic policies: allow, deny, variables, literals; a device's own system topics and nobody else's.

use rollcall_domain::{
    ids::{PolicyId, ProductId, SpaceId},
    registry::{Command, event::PolicyTarget},
};
use rollcall_harness::{
    certificates::{Authority, Form, Key},
    clients::{Paho, PahoOptions, folder, success},
    deployment::Deployment,
    fleet::{Instance, yaml},
    raw::{self, Raw, Tls},
    up::Up,
    wait,
    wire::{self, Connect, V311},
};

const BOTH: &str = r#"["iotda:devices:publish", "iotda:devices:subscribe"]"#;

fn policy(id: &str, statements: &[(&str, &str, &str)]) -> String {
    let mut text = format!("          - id: {id}\n            bind: {{ products: [truck] }}\n            statement:\n");
    for (effect, actions, resources) in statements {
        text += &format!("              - {{ effect: {effect}, actions: {actions}, resources: {resources} }}\n");
    }
    text
}

/// The default policy of the space allows everything; without it only what is said here is allowed.
fn without_default(deployment: &Deployment) {
    let mut operator = deployment.operator();
    let default = operator.records("north").into_iter().find_map(|record| match record.event {
        rollcall_log::codec::AnyEvent::Registry(rollcall_domain::registry::Event::SpaceCreated {
            default_policy, ..
        }) => default_policy,
        _ => None,
    });
    operator.command("north", Command::DeletePolicy { policy: default.expect("every space gets one") });
}

fn publish(paho: &mut Paho, topic: &str) -> u64 {
    paho.publish_acknowledged(topic, topic)["code"].as_u64().expect("a code")
}

#[test]
fn f10_policies_allow_deny_and_take_values_as_text() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let north = Instance {
        policies: policy(
            "allow",
            &[
                ("ALLOW", BOTH, r#"["topic:own/${devices.deviceId}/*", "topic:by/${devices.productId}/?"]"#),
                ("ALLOW", BOTH, r#"["topic:client/${devices.clientId}/*"]"#),
                ("ALLOW", r#"["iotda:devices:publish"]"#, r#"["topic:up/only"]"#),
                ("ALLOW", r#"["iotda:devices:subscribe"]"#, r#"["topic:literal/+/#", "topic:one/?"]"#),
            ],
        ) + &policy("deny", &[("DENY", BOTH, r#"["topic:own/${devices.deviceId}/secret*"]"#)]),
        ..Instance::new("north", &ca.pair.certificate)
    };
    let deployment = Deployment::start(folder, &[north]);
    without_default(&deployment);
    let target = deployment.target("north.test", 0);
    let device = ca.quick_device(deployment.folder(), "t1");
    let options = PahoOptions { client_id: "truck_t1".into(), ..PahoOptions::default() };
    let mut paho = target.paho(&device, &options);
    paho.accepted();
    wait::until("the default policy to be gone", || {
        let code = publish(&mut paho, "anything");
        if code == 0x87 { Ok(()) } else { Err(code) }
    });
    let table = [
        ("own/truck_t1/a", 0),
        ("own/truck_t1/a/b/c", 0),
        ("own/truck_t1/secret", 0x87),
        ("own/truck_t1/secrets/x", 0x87),
        ("own/truck_t2/a", 0x87),
        ("own/truck_t1", 0x87),
        ("by/truck/x", 0),
        ("by/truck/xy", 0x87),
        ("by/car/x", 0x87),
        ("client/truck_t1/x", 0),
        ("client/t1/x", 0x87),
        ("client/other/x", 0x87),
        ("up/only", 0),
        ("literal/a/b", 0x87),
    ];
    for (topic, code) in table {
        assert_eq!(publish(&mut paho, topic), code, "publish to {topic}");
    }
    let table = [
        ("own/truck_t1/a", 1),
        ("own/truck_t1/+", 1),
        ("own/+/a", 0x87),
        ("#", 0x87),
        ("+/truck_t1/a", 0x87),
        ("up/only", 0x87),
        ("literal/+/#", 1),
        ("literal/a/b", 0x87),
        ("one/x", 1),
        ("one/+", 0x87),
        ("one/#", 0x87),
        ("$oc/devices/truck_t1/user/x", 1),
        ("$oc/devices/truck_t2/user/x", 0x87),
        ("$oc/devices/+/user/x", 0x87),
        ("$oc/#", 0x87),
        ("$SYS/#", 0x87),
        ("$share/g/own/truck_t1/a", 0x9e),
    ];
    for (filter, code) in table {
        assert_eq!(paho.subscribe(filter)["codes"][0], code, "subscribe to {filter}");
    }
    // Only its own system topics.
    for (topic, code) in [
        ("$oc/devices/truck_t1/sys/messages/up", 0),
        ("$oc/devices/truck_t2/sys/messages/up", 0x87),
        ("$oc/devices/truck_t1x/sys/messages/up", 0x87),
        ("$SYS/broker", 0x87),
    ] {
        assert_eq!(publish(&mut paho, topic), code, "publish to {topic}");
    }
    f10_a_client_id_that_is_not_the_devices_grants_none(&deployment, &ca);
    three_one_one_is_acknowledged_and_nobody_gets_it(&deployment, &ca);
}

/// A client id is whatever the client says: another device's, or a wildcard.
fn f10_a_client_id_that_is_not_the_devices_grants_none(deployment: &Deployment, ca: &Authority) {
    let target = deployment.target("north.test", 0);
    let device = ca.quick_device(deployment.folder(), "t3");
    let connect = |client_id: &str, user_name: Option<&str>| {
        let (client_id, user_name) = (client_id.to_owned(), user_name.map(ToOwned::to_owned));
        let paho = target.paho(&device, &PahoOptions { client_id, user_name, ..PahoOptions::default() });
        paho.accepted();
        paho
    };
    for client_id in ["truck_t1", "t1", "+", "#", "*", "?", "a/b", "$SYS", "${devices.deviceId}", "truck_t3_0_0_2026060100"]
    {
        let mut paho = connect(client_id, None);
        for filter in ["client/+/x", "client/#", "client/truck_t1/x", "client/t1/x"] {
            assert_eq!(paho.subscribe(filter)["codes"][0], 0x87, "client id {client_id:?}, filter {filter}");
        }
        if !client_id.contains(['+', '#']) {
            assert_eq!(publish(&mut paho, &format!("client/{client_id}/x")), 0x87, "client id {client_id:?}");
        }
        paho.disconnect();
    }
    let standard = "truck_t3_0_0_2026060100";
    for (client_id, user_name) in [("t3", None), ("truck_t3", None), (standard, Some("truck_t3"))] {
        let mut paho = connect(client_id, user_name);
        assert_eq!(paho.subscribe(&format!("client/{client_id}/+"))["codes"][0], 1, "client id {client_id:?}");
        assert_eq!(publish(&mut paho, &format!("client/{client_id}/x")), 0, "client id {client_id:?}");
        paho.message(&format!("client/{client_id}/x"));
        paho.disconnect();
    }
}

/// The demo's fleet file as it is shipped: its own policy isolates, because its resource space has no default policy.
#[test]
fn f10_a_truck_of_the_demo_has_its_own_topics_and_no_others() {
    let folder = folder();
    let demo = folder.path().join("data/demo");
    std::fs::create_dir_all(&demo).expect("made");
    let ca = Authority::root(&demo, "ca", Key::P256);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/demo/fleet.yaml");
    let mut up = Up::start_text(folder, &std::fs::read_to_string(file).expect("the demo's fleet file"), None);
    assert!(!up.process().errors().contains("warning: "), "{}", up.process().errors());
    let truck = |name: &str| ca.device(up.folder(), name, &format!("/O=Acme/CN={name}"), Key::P256, Form::V3);
    let (a, b) = (truck("a"), truck("b"));
    let target = up.target("localhost");
    raw::trusted(&target, &a);

    let mut owner = target.paho(&b, &PahoOptions::default());
    assert_eq!(owner.accepted().as_deref(), Some("truck_b"));
    assert_eq!(owner.subscribe("trucks/truck_b/#")["codes"][0], 1);
    for client_id in ["a", "truck_a", "b", "truck_b", "paho"] {
        let mut other = target.paho(&a, &PahoOptions { client_id: client_id.into(), ..PahoOptions::default() });
        assert_eq!(other.accepted().as_deref(), Some("truck_a"));
        for topic in ["trucks/truck_b/x", "trucks/truck_b", "trucks/x", "anything"] {
            assert_eq!(publish(&mut other, topic), 0x87, "publish to {topic} as {client_id}");
        }
        for filter in ["trucks/truck_b/#", "trucks/truck_b/x", "trucks/+/x", "trucks/#", "#", "+/truck_b/#", "+/+/+"] {
            assert_eq!(other.subscribe(filter)["codes"][0], 0x87, "subscribe to {filter} as {client_id}");
        }
        assert_eq!(other.subscribe("trucks/truck_a/#")["codes"][0], 1);
        assert_eq!(publish(&mut other, "trucks/truck_a/x"), 0);
        other.message("trucks/truck_a/x");
        other.disconnect();
    }
    // MQTT 3.1.1 has no word for a denied publish: it is acknowledged, and nobody gets it.
    success(&target.mosquitto_pub(&a, "trucks/truck_b/x", "from a", &["-i", "truck_b"])).expect("acknowledged");
    owner.publish_acknowledged("trucks/truck_b/x", "from b");
    owner.message("from b");
    let messages = owner.said().into_iter().filter(|event| event["event"] == "message").count();
    assert_eq!(messages, 1, "{:?}", owner.said());
}

fn three_one_one_is_acknowledged_and_nobody_gets_it(deployment: &Deployment, ca: &Authority) {
    let target = deployment.target("north.test", 0);
    let device = ca.quick_device(deployment.folder(), "t4");
    let mut old = target.paho(&device, &PahoOptions { version: 4, ..PahoOptions::default() });
    old.accepted();
    assert_eq!(old.subscribe("own/truck_t4/#")["codes"][0], 1);
    assert_eq!(old.subscribe("own/#")["codes"][0], 0x80);
    assert_eq!(publish(&mut old, "own/truck_t4/secret"), 0, "3.1.1 cannot say no");
    assert_eq!(publish(&mut old, "own/truck_t4/fine"), 0);
    old.message("own/truck_t4/fine");
    assert!(old.said().iter().all(|event| event["payload"] != "own/truck_t4/secret"), "{:?}", old.said());
    let mut raw = Raw::open(&target, Some(&device), Tls::V12).expect("trusted");
    assert_eq!(raw.connect(&Connect::new(V311, "raw")).expect("CONNACK").code, 0);
    raw.send(&wire::subscribe(V311, "$share/g/own/truck_t4/a")).expect("sent");
    assert_eq!(raw.packet().expect("SUBACK"), [0x90, 3, 0, 2, 0x80]);
}

/// A policy that changes takes a subscription away that it no longer allows.
#[test]
fn f17_a_changed_policy_reaches_live_sessions() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let allow = |resource: &str| policy("allow", &[("ALLOW", BOTH, &format!(r#"["topic:{resource}"]"#))]);
    let north = Instance { policies: allow("a/*"), ..Instance::new("north", &ca.pair.certificate) };
    let deployment = Deployment::start(folder, std::slice::from_ref(&north));
    without_default(&deployment);
    let target = deployment.target("north.test", 0);
    let mut listener = target.paho(&ca.quick_device(deployment.folder(), "l"), &PahoOptions::default());
    let mut speaker = target.paho(&ca.quick_device(deployment.folder(), "s"), &PahoOptions::default());
    listener.accepted();
    speaker.accepted();
    wait::until("the subscription", || {
        let code = listener.subscribe("a/b")["codes"][0].as_u64();
        if code == Some(1) { Ok(()) } else { Err(format!("{code:?}")) }
    });
    speaker.publish_acknowledged("a/b", "allowed");
    listener.message("allowed");
    let narrowed = Instance { policies: allow("a/c"), ..north };
    success(&deployment.apply_text(&yaml(&[narrowed]))).expect("applied");
    wait::until("the publish to be denied", || {
        let code = publish(&mut speaker, "a/b");
        if code == 0x87 { Ok(()) } else { Err(code) }
    });
    // A policy bound to one device alone: it may, its neighbour may not.
    let mut operator = deployment.operator();
    let one = PolicyId::parse("only-s").expect("an id");
    let statements = vec![rollcall_domain::policy::Statement {
        effect: rollcall_domain::policy::Effect::Allow,
        actions: vec![rollcall_domain::policy::Action::Publish],
        resources: vec!["topic:only/s".into()],
    }];
    let space = SpaceId::parse("vehicles").expect("an id");
    operator.command(
        "north",
        Command::CreatePolicy { policy: one.clone(), space: space.clone(), name: "only_s".into(), statements },
    );
    let device = rollcall_domain::ids::DeviceId::parse("truck_s").expect("an id");
    operator.command("north", Command::BindPolicy { policy: one.clone(), target: PolicyTarget::Device(device) });
    wait::until("the bound policy to allow", || {
        let code = publish(&mut speaker, "only/s");
        if code == 0 { Ok(()) } else { Err(code) }
    });
    assert_eq!(publish(&mut listener, "only/s"), 0x87);
    let product = ProductId::parse("truck").expect("an id");
    operator.command("north", Command::BindPolicy { policy: one, target: PolicyTarget::Product(space, product) });
    wait::until("the product's policy to allow", || {
        let code = publish(&mut listener, "only/s");
        if code == 0 { Ok(()) } else { Err(code) }
    });
}
