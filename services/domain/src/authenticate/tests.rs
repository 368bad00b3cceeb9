//! Proof of the standard form; who gets in is proven by the decision table and by random histories.

use super::*;

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
