//! Proof of the standard form; who gets in is proven by the decision table and by random histories.

use proptest::prelude::*;

use super::*;
use crate::{ids::NodeId, registry::Credential};

fn form(client_id: &str, user_name: Option<&str>) -> Option<String> {
    let identification = Identification { client_id, user_name };
    StandardForm::of(&identification).map(|form| form.device_id.to_string())
}

#[test]
fn the_standard_form_is_read_from_the_right() {
    assert_eq!(form("dev1_0_0_2026060100", Some("dev1")), Some("dev1".into()));
    assert_eq!(form("dev1_0_1_2026060100", Some("dev1")), Some("dev1".into()));
    assert_eq!(form("a_0_0_2026060100_0_0_2026060100", Some("a_0_0_2026060100")), Some("a_0_0_2026060100".into()));
}

#[test]
fn f30_anything_else_is_not_the_standard_form() {
    let others = [
        ("dev1_0_0_2026060100", None),
        ("dev1_0_0_2026060100", Some("dev2")),
        ("dev1_0_0_2026060100", Some("DEV1")),
        ("dev1_1_0_2026060100", Some("dev1")),
        ("dev1_0_2_2026060100", Some("dev1")),
        ("dev1_0_0_202606010", Some("dev1")),
        ("dev1_0_0_20260601000", Some("dev1")),
        ("dev1_0_0_20260601é", Some("dev1")),
        ("dev1_0_0_+026060100", Some("dev1")),
        ("_0_0_2026060100", Some("")),
        ("0_0_2026060100", Some("0")),
        ("a/b_0_0_2026060100", Some("a/b")),
        ("", Some("")),
    ];
    for (client_id, user_name) in others {
        assert_eq!(form(client_id, user_name), None, "{client_id:?} {user_name:?}");
    }
}

#[test]
fn f25_a_device_id_may_have_128_characters_and_no_more() {
    for (chars, standard) in [(128, true), (129, false)] {
        let id = "d".repeat(chars);
        assert_eq!(form(&format!("{id}_0_0_2026060100"), Some(&id)).is_some(), standard, "{chars}");
    }
}

fn device() -> Device {
    Device {
        id: DeviceId::parse("truck_t1").unwrap(),
        node_id: NodeId::parse("t1").unwrap(),
        space: SpaceId::parse("space").unwrap(),
        product: ProductId::parse("truck").unwrap(),
        name: None,
        description: None,
        extension_info: None,
        tags: Vec::new(),
        policies: Vec::new(),
        credential: Credential::Certificates { primary: None, secondary: None },
        frozen: false,
        registered_at: Timestamp::from_unix_s(1),
    }
}

#[test]
fn f10_a_client_id_is_the_devices_only_if_it_names_the_device() {
    let device = device();
    let of = |client_id, user_name| Identification { client_id, user_name }.client_id_of(&device);
    for own in ["truck_t1", "t1"] {
        assert_eq!(of(own, None), ClientId::Bound(own));
        assert_eq!(of(own, Some("anything")), ClientId::Bound(own));
    }
    let standard = "truck_t1_0_1_2026060100";
    assert_eq!(of(standard, Some("truck_t1")), ClientId::Bound(standard));
    assert_eq!(of("", None), ClientId::Bound("truck_t1"), "the server assigns the device id");
    for (other, user_name) in [
        (standard, None),
        (standard, Some("t1")),
        ("t1_0_0_2026060100", Some("t1")),
        ("truck_t2_0_0_2026060100", Some("truck_t2")),
        ("truck_t2", Some("truck_t1")),
        ("Truck_t1", None),
        ("truck_t1 ", None),
        ("truck_t11", None),
        ("+", None),
        ("mosq-1234", None),
    ] {
        assert_eq!(of(other, user_name), ClientId::Unbound(other), "{other:?} {user_name:?}");
    }
}

proptest! {
    /// What is bound to one device names it, and holds nothing that a filter could read as a wildcard.
    #[test]
    fn f10_a_bound_client_id_is_no_other_devices(
        client_id in "(truck_)?t[12]?(_0_[01]_2026060100)?|[a-z0-9_+#/$]{0,12}",
        user_name in prop::option::of("(truck_)?t[12]"),
    ) {
        let device = device();
        let identification = Identification { client_id: &client_id, user_name: user_name.as_deref() };
        if let ClientId::Bound(bound) = identification.client_id_of(&device) {
            let standard = bound.strip_prefix("truck_t1_0_").is_some_and(|rest| rest.len() == "0_2026060100".len());
            prop_assert!(bound == "truck_t1" || bound == "t1" || standard, "{}", bound);
            prop_assert!(crate::text::is_id(bound));
        }
    }
}
