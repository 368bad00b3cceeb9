//! Proof of the fleet's rules.

use super::*;

fn instance(id: &str, access_domain: &str) -> Instance {
    Instance {
        id: InstanceId::parse(id).unwrap(),
        access_domain: access_domain.into(),
        edition: Edition::Standard,
        region: "cn-north-4".into(),
    }
}

fn fleet(instances: &[(&str, &str)]) -> Fleet {
    let mut fleet = Fleet::default();
    for (id, domain) in instances {
        let event = fleet.decide(&FleetCommand::CreateInstance(instance(id, domain))).unwrap().unwrap();
        fleet.evolve(&event, Timestamp::from_unix_s(1));
    }
    fleet
}

#[test]
fn f24_an_access_domain_is_kept_in_lower_case_and_found_in_any() {
    let fleet = fleet(&[("a", "One.IoT.Example")]);
    for server_name in ["one.iot.example", "ONE.IOT.EXAMPLE", "One.ioT.Example"] {
        assert_eq!(fleet.by_access_domain(server_name).unwrap().id.as_str(), "a");
    }
    assert_eq!(&*fleet.by_access_domain("one.iot.example").unwrap().access_domain, "one.iot.example");
    assert!(fleet.by_access_domain("iot.example").is_none());
}

#[test]
fn f24_an_access_domain_belongs_to_one_instance_whatever_its_case() {
    let fleet = fleet(&[("a", "one.iot.example"), ("b", "two.iot.example")]);
    let taken = fleet.decide(&FleetCommand::CreateInstance(instance("c", "ONE.iot.example"))).unwrap_err();
    assert_eq!(taken.code(), "access_domain_taken");
    let taken = fleet.decide(&FleetCommand::UpdateInstance(instance("b", "One.Iot.Example"))).unwrap_err();
    assert_eq!(taken.code(), "access_domain_taken");
}

#[test]
fn f24_an_access_domain_is_what_sni_can_carry() {
    for good in ["localhost", "a.b", "xn--fiq228c.example", "1.example", "a-b.example"] {
        assert!(Fleet::default().decide(&FleetCommand::CreateInstance(instance("a", good))).is_ok(), "{good}");
    }
    let long_label = format!("{}.example", "a".repeat(64));
    let long_name = format!("{}example", "abcdefg.".repeat(31));
    let bad = [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a.b",
        "a-.b",
        "a_b.c",
        "a b.c",
        "*.a.b",
        "127.0.0.1",
        "::1",
        "[::1]",
        "1.2.3",
        "é.b",
        "a.b\n",
        &long_label,
        &long_name,
    ];
    for bad in bad {
        let refused = Fleet::default().decide(&FleetCommand::CreateInstance(instance("a", bad)));
        assert_eq!(refused.unwrap_err().code(), "invalid_field", "{bad:?}");
    }
}

#[test]
fn f13_commands_are_idempotent() {
    let fleet = fleet(&[("a", "one.iot.example")]);
    assert_eq!(fleet.decide(&FleetCommand::CreateInstance(instance("a", "ONE.iot.example"))), Ok(None));
    assert_eq!(fleet.decide(&FleetCommand::UpdateInstance(instance("a", "one.iot.example"))), Ok(None));
    let other = fleet.decide(&FleetCommand::CreateInstance(instance("a", "other.example")));
    assert_eq!(other.unwrap_err().code(), "already_exists");
    let absent = FleetCommand::DeleteInstance(InstanceId::parse("b").unwrap());
    assert_eq!(fleet.decide(&absent).unwrap_err().code(), "not_found");
}

#[test]
fn a_region_is_lower_case_letters_digits_and_hyphens() {
    for (region, good) in [("cn-north-4", true), ("", false), ("CN", false), ("a b", false), (&*"a".repeat(33), false)] {
        let wanted = Instance { region: region.into(), ..instance("a", "a.b") };
        assert_eq!(Fleet::default().decide(&FleetCommand::CreateInstance(wanted)).is_ok(), good, "{region:?}");
    }
}

#[test]
fn self_registration_is_unavailable_where_the_service_says() {
    let rules = AvailabilityRules::default();
    let at = |edition, region: &str| rules.allow(&Instance { edition, region: region.into(), ..instance("a", "a.b") });
    assert!(!at(Edition::Basic, "cn-north-4"));
    assert!(!at(Edition::Basic, "cn-east-3"));
    assert!(!at(Edition::Standard, "cn-east-3"));
    assert!(at(Edition::Standard, "cn-north-4"));
    assert!(at(Edition::Enterprise, "cn-east-3"));
}
