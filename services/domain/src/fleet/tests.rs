//! Proof of the fleet's rules.

use super::*;

fn instance(id: &str, access_domain: &str) -> InstanceDraft {
    InstanceDraft {
        id: InstanceId::parse(id).unwrap(),
        access_domain: access_domain.into(),
        edition: Edition::Standard,
        region: "cn-north-4".into(),
        devices_max: None,
    }
}

/// As version 1 recorded one.
fn version_1(id: &str, access_domain: &str) -> Instance {
    let InstanceDraft { id, access_domain, edition, region, devices_max } = instance(id, access_domain);
    let incarnation = Incarnation::NIL;
    Instance { id, access_domain, edition, region, incarnation, devices_max, self_registration_available: None }
}

fn decide(fleet: &Fleet, command: &FleetCommand) -> Result<Option<FleetEvent>, Rejection> {
    decide_as(fleet, command, 1, 1000)
}

/// With the given draw of an incarnation and default of devices.
fn decide_as(fleet: &Fleet, command: &FleetCommand, drawn: u8, devices_max: u64) -> Result<Option<FleetEvent>, Rejection> {
    let availability = AvailabilityRules::default();
    fleet.decide(command, &FleetContext { incarnation: Incarnation([drawn; 16]), devices_max, availability: &availability })
}

/// A command that must change something; it has happened then.
fn happen(fleet: &mut Fleet, command: &FleetCommand, drawn: u8) -> Instance {
    let event = decide_as(fleet, command, drawn, 1000).unwrap().expect("something changes");
    fleet.evolve(&event, Timestamp::from_unix_s(1));
    match event {
        FleetEvent::InstanceCreated(instance) | FleetEvent::InstanceUpdated(instance) => instance,
        other => panic!("{other:?}"),
    }
}

fn fleet(instances: &[(&str, &str)]) -> Fleet {
    let mut fleet = Fleet::default();
    for (id, domain) in instances {
        let event = decide(&fleet, &FleetCommand::CreateInstance(instance(id, domain))).unwrap().unwrap();
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
    let taken = decide(&fleet, &FleetCommand::CreateInstance(instance("c", "ONE.iot.example"))).unwrap_err();
    assert_eq!(taken.code(), "access_domain_taken");
    let taken = decide(&fleet, &FleetCommand::UpdateInstance(instance("b", "One.Iot.Example"))).unwrap_err();
    assert_eq!(taken.code(), "access_domain_taken");
}

#[test]
fn f24_an_access_domain_is_what_sni_can_carry() {
    for good in ["localhost", "a.b", "xn--fiq228c.example", "1.example", "a-b.example"] {
        assert!(decide(&Fleet::default(), &FleetCommand::CreateInstance(instance("a", good))).is_ok(), "{good}");
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
        let refused = decide(&Fleet::default(), &FleetCommand::CreateInstance(instance("a", bad)));
        assert_eq!(refused.unwrap_err().code(), "invalid_field", "{bad:?}");
    }
}

#[test]
fn f13_commands_are_idempotent() {
    let fleet = fleet(&[("a", "one.iot.example")]);
    assert_eq!(decide(&fleet, &FleetCommand::CreateInstance(instance("a", "ONE.iot.example"))), Ok(None));
    assert_eq!(decide_as(&fleet, &FleetCommand::CreateInstance(instance("a", "one.iot.example")), 7, 7), Ok(None));
    assert_eq!(decide_as(&fleet, &FleetCommand::UpdateInstance(instance("a", "one.iot.example")), 7, 7), Ok(None));
    let more = InstanceDraft { devices_max: Some(1001), ..instance("a", "one.iot.example") };
    assert_eq!(decide(&fleet, &FleetCommand::CreateInstance(more)).unwrap_err().code(), "already_exists");
    let other = decide(&fleet, &FleetCommand::CreateInstance(instance("a", "other.example")));
    assert_eq!(other.unwrap_err().code(), "already_exists");
    let absent = FleetCommand::DeleteInstance(InstanceId::parse("b").unwrap());
    assert_eq!(decide(&fleet, &absent).unwrap_err().code(), "not_found");
}

#[test]
fn a_region_is_lower_case_letters_digits_and_hyphens() {
    for (region, good) in [("cn-north-4", true), ("", false), ("CN", false), ("a b", false), (&*"a".repeat(33), false)] {
        let wanted = InstanceDraft { region: region.into(), ..instance("a", "a.b") };
        assert_eq!(decide(&Fleet::default(), &FleetCommand::CreateInstance(wanted)).is_ok(), good, "{region:?}");
    }
}

#[test]
fn self_registration_is_unavailable_where_the_service_says() {
    let rules = AvailabilityRules::default();
    let at = |edition, region: &str| {
        let recorded = Instance { edition, region: region.into(), ..version_1("a", "a.b") };
        for said in [true, false] {
            let recorded = Instance { self_registration_available: Some(said), ..recorded.clone() };
            assert_eq!(rules.allow(&recorded), said, "what the record says outranks the table");
        }
        rules.allow(&recorded)
    };
    assert!(!at(Edition::Basic, "cn-north-4"));
    assert!(!at(Edition::Basic, "cn-east-3"));
    assert!(!at(Edition::Standard, "cn-east-3"));
    assert!(at(Edition::Standard, "cn-north-4"));
    assert!(at(Edition::Enterprise, "cn-east-3"));
}

#[test]
fn an_instance_made_again_is_another_incarnation_and_an_update_is_not() {
    let mut fleet = Fleet::default();
    let create = FleetCommand::CreateInstance(instance("a", "one.iot.example"));
    assert_eq!(happen(&mut fleet, &create, 1).incarnation, Incarnation([1; 16]));
    let update = FleetCommand::UpdateInstance(instance("a", "two.iot.example"));
    assert_eq!(happen(&mut fleet, &update, 2).incarnation, Incarnation([1; 16]));
    fleet.evolve(&FleetEvent::InstanceDeleted(InstanceId::parse("a").unwrap()), Timestamp::from_unix_s(1));
    assert_eq!(happen(&mut fleet, &create, 3).incarnation, Incarnation([3; 16]));
    // No decision makes such a record; a log that was repaired by hand may hold one.
    let other = Instance { incarnation: Incarnation([9; 16]), ..version_1("a", "one.iot.example") };
    fleet.evolve(&FleetEvent::InstanceUpdated(other), Timestamp::from_unix_s(1));
    assert_eq!(fleet.instances.values().next().unwrap().incarnation, Incarnation([3; 16]));
}

#[test]
fn how_many_devices_an_instance_may_hold_is_in_its_record() {
    let mut fleet = Fleet::default();
    let create = FleetCommand::CreateInstance(instance("a", "one.iot.example"));
    assert_eq!(happen(&mut fleet, &create, 1).devices_max, Some(1000), "the default at that time");
    let update = |devices_max, domain| FleetCommand::UpdateInstance(InstanceDraft { devices_max, ..instance("a", domain) });
    let too_many = decide(&fleet, &update(Some(limits::DEVICES_PER_INSTANCE_MAX + 1), "one.iot.example"));
    assert!(too_many.unwrap_err().to_string().contains("devices_max"));
    assert_eq!(happen(&mut fleet, &update(Some(5), "one.iot.example"), 1).devices_max, Some(5));
    assert_eq!(
        happen(&mut fleet, &update(None, "two.iot.example"), 1).devices_max,
        Some(5),
        "nothing said, nothing changed"
    );
}

#[test]
fn whether_devices_may_register_themselves_is_ruled_on_with_each_record() {
    let mut fleet = Fleet::default();
    let create = FleetCommand::CreateInstance(instance("a", "one.iot.example"));
    assert_eq!(happen(&mut fleet, &create, 1).self_registration_available, Some(true));
    let moved = InstanceDraft { region: "cn-east-3".into(), ..instance("a", "one.iot.example") };
    let update = FleetCommand::UpdateInstance(moved);
    assert_eq!(happen(&mut fleet, &update, 1).self_registration_available, Some(false));
    // The table is another now: the same update brings it into the record.
    let (availability, incarnation) = (AvailabilityRules { unavailable: Vec::new() }, Incarnation::NIL);
    let context = FleetContext { incarnation, devices_max: 1, availability: &availability };
    let Ok(Some(FleetEvent::InstanceUpdated(updated))) = fleet.decide(&update, &context) else { panic!("nothing changes") };
    assert_eq!(updated.self_registration_available, Some(true));
}

#[test]
fn an_instance_of_version_1_is_left_as_it_is_until_it_is_updated() {
    let mut fleet = Fleet::default();
    fleet.evolve(&FleetEvent::InstanceCreated(version_1("a", "one.iot.example")), Timestamp::from_unix_s(1));
    let draft = instance("a", "ONE.iot.example");
    assert!(draft.is_met_by(&fleet.instances[&draft.id]));
    assert_eq!(decide(&fleet, &FleetCommand::CreateInstance(draft.clone())), Ok(None));
    let updated = happen(&mut fleet, &FleetCommand::UpdateInstance(draft), 1);
    assert_eq!(updated.incarnation, Incarnation::NIL);
    assert_eq!((updated.devices_max, updated.self_registration_available), (Some(1000), Some(true)));
}

#[test]
fn an_incarnation_is_written_as_a_uuid() {
    let incarnation =
        Incarnation([0x8d, 0x8a, 0xc6, 0x10, 0x56, 0x6d, 0x4e, 0xf0, 0x9c, 0x22, 0x18, 0x6b, 0x2a, 0x5e, 0xd7, 0x93]);
    assert_eq!(incarnation.to_string(), "8d8ac610-566d-4ef0-9c22-186b2a5ed793");
}
