//! Limits that a user meets: templates, products of another space, message sizes, subscriptions, QoS.

use rollcall_harness::{
    certificates::{Authority, Key},
    clients::{PahoOptions, folder, reason_string},
    fleet::{self, Instance},
    raw::{Raw, Tls},
    up::Up,
    wire::{self, Connect, V5, V311},
};

const UP: &str = "$oc/devices/truck_truck-1/sys/messages/up";

fn template(number: usize) -> String {
    format!(
        "      - id: extra-{number}\n        body:\n          parameters: {{ \"iotda::certificate::common_name\": {{ type: String }} }}\n          \
         resources: {{ device: {{ node_id: {{ ref: \"iotda::certificate::common_name\" }}, product_id: truck }} }}\n"
    )
}

#[test]
fn the_tenth_template_is_taken_and_the_eleventh_refused() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let one = fleet::yaml(&[Instance::new("north", &ca.pair.certificate)]);
    let with = |extra: usize| one.clone() + &(1..=extra).map(template).collect::<String>();
    let mut up = Up::start_text(folder, &with(9), None);
    assert!(!up.process().errors().contains("limit_reached"), "ten fit: {}", up.process().errors());
    up.apply_text(&with(10));
    let errors = up.process().errors();
    let line = errors.lines().find(|line| line.contains("(limit_reached)")).expect("the eleventh is refused");
    assert!(line.contains("fleet.yaml:") && line.contains("instances[0].templates[10]"), "{line}");
    // It is refused alone: the others stand, and devices register.
    assert_eq!(up.records_of("north", "TemplateCreated").len(), 10);
    let device = ca.quick_device(up.folder(), "truck-1");
    let target = up.target("north.test");
    rollcall_harness::raw::trusted(&target, &device);
    assert_eq!(target.paho(&device, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-1"));
}

/// Its record carries the figure, so that no process has to be told it and no restart is needed for another.
#[test]
fn a_fleet_file_says_how_many_devices_an_instance_may_hold() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let yaml = fleet::yaml(&[Instance::new("north", &ca.pair.certificate)]);
    let bounded = |max: u64| {
        let key = format!("    devices_max: {max}\n    resource_spaces:\n");
        yaml.replacen("    resource_spaces:\n", &key, 1)
    };
    let mut up = Up::start_text(folder, &bounded(1), None);
    let target = up.target("north.test");
    let [first, second] = ["truck-1", "truck-2"].map(|name| ca.quick_device(up.folder(), name));
    rollcall_harness::raw::trusted(&target, &first);
    assert_eq!(target.paho(&first, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-1"));
    let connack = target.paho(&second, &PahoOptions::default()).expect("connack");
    assert!(reason_string(&connack).starts_with("limit_reached: "), "{connack}");
    up.apply_text(&bounded(2));
    assert_eq!(target.paho(&second, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-2"));
}

/// F36: template, product and CA certificate are of one space, whoever says what.
#[test]
fn f36_a_product_of_another_space_cannot_be_bound() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let north = Instance { product_id: "boat".into(), ..Instance::new("north", &ca.pair.certificate) };
    let yaml = fleet::yaml(&[north])
        .replace("    resource_spaces:\n", "    resource_spaces:\n      - id: harbour\n        products: [{ id: boat }]\n");
    let mut up = Up::start_text(folder, &yaml, None);
    let errors = up.process().errors();
    let line = errors.lines().find(|line| line.contains("(product_in_another_space)")).expect("the binding is refused");
    assert!(line.contains("ca_certificates[0]"), "{line}");
    let device = ca.quick_device(up.folder(), "truck-1");
    let target = up.target("north.test");
    rollcall_harness::raw::trusted(&target, &device);
    let connack = target.paho(&device, &PahoOptions::default()).expect("connack");
    assert!(reason_string(&connack).starts_with("template_not_bound: "), "{connack}");
}

#[test]
fn messages_have_a_largest_size_and_qos_2_and_retain_are_refused() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let target = up.target("north.test");
    let device = ca.quick_device(up.folder(), "truck-1");

    let mut paho = target.paho(&device, &PahoOptions::default());
    let connack = paho.expect("connack");
    let said = |name: &str| connack["properties"][name].as_u64();
    assert_eq!((said("MaximumQoS"), said("RetainAvailable")), (Some(1), Some(0)), "{connack}");
    assert!(said("MaximumPacketSize").is_some_and(|bytes| bytes > 1024 * 1024), "{connack}");
    paho.publish_zeros(UP, 1024 * 1024);
    assert_eq!(paho.expect("puback")["code"], 0, "1 MB is allowed");
    drop(paho);

    let mut raw = Raw::open(&target, Some(&device), Tls::V13).expect("trusted");
    assert_eq!(raw.connect(&Connect::new(V5, "large")).expect("CONNACK").code, 0);
    raw.send(&wire::publish(V5, 0x02, UP, &vec![0; 1024 * 1024 + 1])).expect("sent");
    let goodbye = raw.goodbye(V5).expect("DISCONNECT");
    assert_eq!(goodbye.code, 0x95, "{goodbye:?}");
    // A packet that is announced larger than any may be is not even waited for.
    let mut raw = Raw::open(&target, Some(&device), Tls::V13).expect("trusted");
    assert_eq!(raw.connect(&Connect::new(V5, "large")).expect("CONNACK").code, 0);
    raw.send(&[0x32, 0xff, 0xff, 0xff, 0x7f]).expect("sent");
    assert_eq!(raw.goodbye(V5).expect("DISCONNECT").code, 0x95);
    // 3.1.1 is closed without a word, and its retained message goes through as an ordinary one.
    let mut raw = Raw::open(&target, Some(&device), Tls::V13).expect("trusted");
    assert_eq!(raw.connect(&Connect::new(V311, "old")).expect("CONNACK").code, 0);
    raw.send(&wire::publish(V311, 0x03, UP, b"retained")).expect("sent");
    assert_eq!(raw.packet().expect("PUBACK"), [0x40, 2, 0, 1]);
    raw.send(&wire::publish(V311, 0x04, UP, b"QoS 2")).expect("sent");
    assert_eq!(raw.goodbye(V311), None);

    for (qos, retain, code) in [(2, false, 0x9b), (1, true, 0x9a)] {
        // paho itself would refuse what CONNACK has ruled out, so the bytes are written by hand.
        let mut raw = Raw::open(&target, Some(&device), Tls::V13).expect("trusted");
        assert_eq!(raw.connect(&Connect::new(V5, "hand")).expect("CONNACK").code, 0);
        raw.send(&wire::publish(V5, qos << 1 | u8::from(retain), UP, b"x")).expect("sent");
        assert_eq!(raw.goodbye(V5).expect("DISCONNECT").code, code);
    }
    up.process().assert_running();
}

#[test]
fn a_device_has_a_hundred_subscriptions_and_topics_of_128_bytes() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let device = ca.quick_device(up.folder(), "truck-1");
    let mut raw = Raw::open(&up.target("north.test"), Some(&device), Tls::V13).expect("trusted");
    assert_eq!(raw.connect(&Connect::new(V5, "many")).expect("CONNACK").code, 0);
    let mut subscribe = |filter: &str| {
        raw.send(&wire::subscribe(V5, filter)).expect("sent");
        *raw.packet().expect("SUBACK").last().expect("a code")
    };
    assert_eq!(subscribe(&"t".repeat(129)), 0x8f);
    assert_eq!(subscribe(&"t".repeat(128)), 1);
    for number in 1..100 {
        assert_eq!(subscribe(&format!("topic/{number}")), 1, "{number}");
    }
    assert_eq!(subscribe("topic/100"), 0x97, "one too many");
    assert_eq!(subscribe("topic/99"), 1, "again is not one more");
}
