//! SNI × CA × resource space: which instance a name leads to, and whose CA certificates count there.

use rollcall_harness::{
    certificates::{Authority, Form, Key, Pair},
    clients::{PahoOptions, Target, folder},
    fleet::Instance,
    raw,
    up::Up,
    wire::{Connect, V311},
};

fn heard(target: &Target, name: Option<&str>, device: &Pair) -> String {
    let done = target.s_client(name, Some(device), &["-tls1_2"]);
    String::from_utf8_lossy(&done.stderr).into_owned() + &String::from_utf8_lossy(&done.stdout)
}

#[test]
fn f24_the_name_picks_the_instance_whatever_its_case_and_nothing_else_does() {
    let folder = folder();
    let north_ca = Authority::root(folder.path(), "north-ca", Key::P256);
    let south_ca = Authority::root(folder.path(), "south-ca", Key::P256);
    let instances = [Instance::new("north", &north_ca.pair.certificate), Instance::new("south", &south_ca.pair.certificate)];
    let up = Up::embedded(folder, &instances);
    let (north, south) = (north_ca.quick_device(up.folder(), "n-1"), south_ca.quick_device(up.folder(), "s-1"));
    let target = up.target("north.test");

    let accepted = |said: &str| said.contains("Cipher is ECDHE") && !said.contains("alert");
    let told = |alert: &'static str| move |said: &str| said.contains(alert);
    type Told = Box<dyn Fn(&str) -> bool>;
    let unrecognized = || -> Told { Box::new(told("unrecognized name")) };
    let unknown_ca = || -> Told { Box::new(told("unknown ca")) };
    let table: Vec<(Option<&str>, &Pair, Told)> = vec![
        (Some("north.test"), &north, Box::new(accepted)),
        (Some("NORTH.Test"), &north, Box::new(accepted)),
        (Some("south.test"), &south, Box::new(accepted)),
        (Some("sOuTh.TEST"), &south, Box::new(accepted)),
        (Some("north.test"), &south, unknown_ca()),
        (Some("south.test"), &north, unknown_ca()),
        (None, &north, unrecognized()),
        (Some("west.test"), &north, unrecognized()),
        (Some("north.test.evil"), &north, unrecognized()),
        (Some("xnorth.test"), &north, unrecognized()),
        (Some("*.test"), &north, Box::new(told("illegal parameter"))),
        (Some("127.0.0.1"), &north, unrecognized()),
        (Some("localhost"), &north, unrecognized()),
    ];
    for (name, device, expected) in table {
        let said = heard(&target, name, device);
        assert!(expected(&said), "{name:?} with {}: {said}", device.certificate.display());
    }
    // No certificate at all.
    let said = target.s_client(Some("north.test"), None, &["-tls1_2"]);
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("handshake failure") || said.contains("certificate required"), "{said}");
    // Nothing of this has registered anybody.
    assert!(up.records_of("north", "DeviceRegistered").is_empty() && up.records_of("south", "DeviceRegistered").is_empty());
}

/// A TLS session belongs to the instance that it was made at: under another's name it is not resumed.
#[test]
fn f24_a_tls_session_is_not_resumed_under_another_name() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let instances = [Instance::new("north", &ca.pair.certificate), Instance::new("south", &ca.pair.certificate)];
    let up = Up::embedded(folder, &instances);
    let device = ca.quick_device(up.folder(), "truck-1");
    let session = up.folder().join("session").display().to_string();
    let connect = |domain: &str, extra: &[&str]| {
        let connect = Connect::new(V311, "openssl").bytes();
        let heard = |said: &[u8]| said.windows(4).any(|bytes| bytes == [0x20, 2, 0, 0]);
        let said = up.target(domain).s_client_says(&device, &connect, extra, heard);
        assert!(heard(&said), "{domain}: {}", String::from_utf8_lossy(&said));
        String::from_utf8_lossy(&said).into_owned()
    };
    for version in ["-tls1_2", "-tls1_3"] {
        connect("north.test", &[version, "-sess_out", &session]);
        assert!(connect("south.test", &[version, "-sess_in", &session]).contains("New, "), "{version}: a full handshake");
        connect("north.test", &[version, "-sess_out", &session]);
        assert!(connect("north.test", &[version, "-sess_in", &session]).contains("Reused, "), "{version}");
    }
    // The full handshake at south has registered it there too, by its own rules.
    for instance in ["north", "south"] {
        assert_eq!(up.records_of(instance, "DeviceRegistered").len(), 1);
    }
}

/// The fleet of one instance with two resource spaces, each with a CA of its own; `extra` are further CA entries of the
/// second space.
fn two_spaces(one: &Authority, two: &Authority, extra: &str) -> String {
    let space = |id: &str, product: &str, ca: &Authority, template: &str, extra: &str| {
        format!(
            "      - id: {id}\n        products: [{{ id: {product} }}]\n        ca_certificates:\n          - id: {id}-ca\n            \
             certificate: {}\n            proof_of_possession: {{ key: {} }}\n            template: {template}\n{extra}",
            ca.pair.certificate.display(),
            ca.pair.key.display()
        )
    };
    let template = |id: &str, product: &str| {
        format!(
            "      - id: {id}\n        body:\n          parameters: {{ \"iotda::certificate::common_name\": {{ type: String }} }}\n          \
             resources: {{ device: {{ node_id: {{ ref: \"iotda::certificate::common_name\" }}, product_id: {product} }} }}\n"
        )
    };
    format!(
        "instances:\n  - id: north\n    access_domain: north.test\n    edition: standard\n    region: cn-north-4\n    resource_spaces:\n{}{}    \
         templates:\n{}{}",
        space("cars", "car", one, "cars-by-cn", ""),
        space("meters", "meter", two, "meters-by-cn", extra),
        template("cars-by-cn", "car"),
        template("meters-by-cn", "meter"),
    )
}

/// F18, F19: two CAs of one name are two CAs: each leads to its own space, template and product.
#[test]
fn f18_f19_f20_twin_cas_of_one_name_lead_to_their_own_spaces() {
    let folder = folder();
    let one = Authority::root_called(folder.path(), "one", "/O=Acme/CN=Twin CA", Key::P256);
    let two = Authority::root_called(folder.path(), "two", "/O=Acme/CN=Twin CA", Key::P256);
    let up = Up::start_text(folder, &two_spaces(&one, &two, ""), None);
    let target = up.target("north.test");
    let car = one.device(up.folder(), "car-1", "/CN=same", Key::P256, Form::V3);
    let meter = two.device(up.folder(), "meter-1", "/CN=same", Key::P256, Form::V3);
    for _ in 0..2 {
        for (device, id) in [(&car, "car_same"), (&meter, "meter_same")] {
            raw::trusted(&target, device);
            assert_eq!(target.paho(device, &PahoOptions::default()).accepted().as_deref(), Some(id));
        }
    }
    let spaces = |id: &str| up.registered("north", id)["record"]["body"]["profile"]["space"].clone();
    assert_eq!((spaces("car_same"), spaces("meter_same")), ("cars".into(), "meters".into()));
}

/// F18: a CA that is verified in one space cannot be taken by another of the same instance, by certificate or by name and key.
#[test]
fn f18_a_ca_belongs_to_one_space_of_an_instance() {
    let folder = folder();
    let one = Authority::root(folder.path(), "one", Key::P256);
    let two = Authority::root(folder.path(), "two", Key::P256);
    let renewed = one.renewed(folder.path(), "renewed");
    let squat = |id: &str, certificate: &Pair| {
        format!(
            "          - id: {id}\n            certificate: {}\n            proof_of_possession: {{ key: {} }}\n            template: meters-by-cn\n",
            certificate.certificate.display(),
            certificate.key.display()
        )
    };
    let extra = squat("same", &one.pair) + &squat("renewed", &renewed.pair);
    let mut up = Up::start_text(folder, &two_spaces(&one, &two, &extra), None);
    let errors = up.process().errors();
    assert_eq!(errors.matches("(ca_already_verified)").count(), 2, "{errors}");
    let target = up.target("north.test");
    let device = one.quick_device(up.folder(), "dev-1");
    raw::trusted(&target, &device);
    assert_eq!(target.paho(&device, &PahoOptions::default()).accepted().as_deref(), Some("car_dev-1"));
}
