//! Proof of the rules on operators and access keys.

use super::*;
use crate::{
    fleet::{AvailabilityRules, Fleet, FleetCommand, FleetContext, FleetEvent},
    ids::Incarnation,
    rejection::Rejection,
};

const AT: Timestamp = Timestamp::from_unix_s(1_780_272_000);
const LATER: Timestamp = AT.plus_s(60);

fn name(text: &str) -> OperatorName {
    OperatorName::parse(text).unwrap()
}

fn key(number: usize) -> AccessKeyId {
    AccessKeyId::parse(&format!("KEY{number:017}")).unwrap()
}

fn hash(text: &str) -> PasswordHash {
    PasswordHash::parse(text).unwrap()
}

fn new(text: &str, role: Role, scope: Scope) -> NewOperator {
    let project = ProjectId::parse("0123456789abcdef0123456789abcdef").unwrap();
    NewOperator { name: name(text), role, scope, project, password_hash: Some(hash("$argon2id$one")) }
}

fn scoped() -> Scope {
    Scope { instances: Some([InstanceId::parse("north").unwrap()].into()), spaces: None }
}

fn update(text: &str) -> FleetCommand {
    FleetCommand::UpdateOperator { name: name(text), role: None, scope: None, enabled: None }
}

fn disable(text: &str) -> FleetCommand {
    FleetCommand::UpdateOperator { name: name(text), role: None, scope: None, enabled: Some(false) }
}

fn add_key(number: usize, operator: &str) -> FleetCommand {
    FleetCommand::CreateAccessKey { key: key(number), operator: name(operator), description: "import".into() }
}

/// Nothing that an operator is depends on the context.
fn decide(fleet: &Fleet, command: &FleetCommand) -> Result<Option<FleetEvent>, Rejection> {
    let availability = AvailabilityRules::default();
    fleet.decide(command, &FleetContext { incarnation: Incarnation::NIL, devices_max: 0, availability: &availability })
}

/// How a command comes out, in one word; what is granted has happened then.
fn word(fleet: &mut Fleet, command: FleetCommand) -> &'static str {
    match decide(fleet, &command) {
        Ok(Some(event)) => {
            fleet.evolve(&event, LATER);
            "granted"
        }
        Ok(None) => "already so",
        Err(rejection) => rejection.code(),
    }
}

/// An administrator `root`, an operator `olga` of one instance with one access key.
fn fleet() -> Fleet {
    let mut fleet = Fleet::default();
    let commands = [
        FleetCommand::CreateOperator(new("root", Role::Admin, Scope::default())),
        FleetCommand::CreateOperator(new("olga", Role::Operator, scoped())),
        add_key(1, "olga"),
    ];
    for command in commands {
        let event = decide(&fleet, &command).unwrap().unwrap();
        fleet.evolve(&event, AT);
    }
    fleet
}

#[test]
fn every_command_comes_out_as_the_table_says() {
    let create = |operator| FleetCommand::CreateOperator(operator);
    let password = |text, hash| FleetCommand::SetOperatorPassword { name: name(text), password_hash: hash };
    let switch = |number, enabled| FleetCommand::SwitchAccessKey { key: key(number), enabled };
    let describe = |description: &str| FleetCommand::CreateAccessKey {
        key: key(2),
        operator: name("olga"),
        description: description.into(),
    };
    let empty = Scope { instances: None, spaces: Some(BTreeSet::new()) };
    let wide = Scope { instances: Some((0..101).map(|n| format!("i{n}").parse().unwrap()).collect()), spaces: None };
    let narrow = |scope| FleetCommand::UpdateOperator { name: name("olga"), role: None, scope: Some(scope), enabled: None };
    let table = [
        (create(new("vera", Role::Viewer, Scope::default())), "granted"),
        (create(new("olga", Role::Operator, scoped())), "already so"),
        (create(new("olga", Role::Viewer, scoped())), "already_exists"),
        (create(NewOperator { password_hash: None, ..new("olga", Role::Operator, scoped()) }), "already_exists"),
        (create(new("vera", Role::Viewer, empty.clone())), "invalid_field"),
        (create(new("vera", Role::Viewer, wide)), "invalid_field"),
        (update("olga"), "already so"),
        (update("nobody"), "not_found"),
        (disable("olga"), "granted"),
        (narrow(empty), "invalid_field"),
        (narrow(Scope::default()), "granted"),
        (password("olga", hash("$argon2id$two")), "granted"),
        (password("olga", hash("$argon2id$one")), "already so"),
        (password("nobody", hash("$argon2id$one")), "not_found"),
        (FleetCommand::DeleteOperator(name("olga")), "granted"),
        (FleetCommand::DeleteOperator(name("nobody")), "not_found"),
        (add_key(2, "olga"), "granted"),
        (add_key(1, "olga"), "already so"),
        (add_key(1, "root"), "already_exists"),
        (add_key(2, "nobody"), "not_found"),
        (describe(""), "granted"),
        (describe("a\nb"), "invalid_field"),
        (describe(&"x".repeat(129)), "invalid_field"),
        (switch(1, true), "already so"),
        (switch(1, false), "granted"),
        (switch(2, false), "not_found"),
        (FleetCommand::DeleteAccessKey(key(1)), "granted"),
        (FleetCommand::DeleteAccessKey(key(2)), "not_found"),
    ];
    for (command, expected) in table {
        assert_eq!(word(&mut fleet(), command.clone()), expected, "{command:?}");
    }
}

#[test]
fn somebody_who_may_put_things_right_is_always_left() {
    let losses = [
        disable("root"),
        FleetCommand::UpdateOperator { name: name("root"), role: Some(Role::Operator), scope: None, enabled: None },
        FleetCommand::UpdateOperator { name: name("root"), role: None, scope: Some(scoped()), enabled: None },
        FleetCommand::DeleteOperator(name("root")),
    ];
    for loss in losses {
        let mut fleet = fleet();
        assert_eq!(word(&mut fleet, loss.clone()), "last_admin", "{loss:?}");
        let spares = [("scoped", Role::Admin, scoped()), ("other", Role::Operator, Scope::default())];
        for (spare, role, scope) in spares {
            assert_eq!(word(&mut fleet, FleetCommand::CreateOperator(new(spare, role, scope))), "granted");
            assert_eq!(word(&mut fleet, loss.clone()), "last_admin", "{spare} is no such administrator");
        }
        let second = FleetCommand::CreateOperator(new("second", Role::Admin, Scope::default()));
        assert_eq!(word(&mut fleet, second), "granted");
        assert_eq!(word(&mut fleet, disable("second")), "granted");
        assert_eq!(word(&mut fleet, loss.clone()), "last_admin", "one that is disabled counts for nothing");
        let enable = FleetCommand::UpdateOperator { name: name("second"), role: None, scope: None, enabled: Some(true) };
        assert_eq!(word(&mut fleet, enable), "granted");
        assert_eq!(word(&mut fleet, loss), "granted");
    }
}

#[test]
fn sessions_end_when_the_password_changes_or_the_operator_is_disabled() {
    let since = |fleet: &Fleet| fleet.operators[&name("olga")].sessions_since;
    let password = FleetCommand::SetOperatorPassword { name: name("olga"), password_hash: hash("$argon2id$two") };
    for (command, ends) in [(password, LATER), (disable("olga"), LATER), (add_key(2, "olga"), AT)] {
        let mut fleet = fleet();
        assert_eq!(since(&fleet), AT);
        assert_eq!(word(&mut fleet, command), "granted");
        assert_eq!(since(&fleet), ends);
    }
    let mut fleet = fleet();
    assert_eq!(word(&mut fleet, disable("olga")), "granted");
    let before = FleetEvent::OperatorPasswordSet { name: name("olga"), password_hash: hash("$argon2id$two") };
    fleet.evolve(&before, AT);
    assert_eq!(since(&fleet), LATER, "a clock that was set back revives nothing");
}

#[test]
fn access_keys_go_with_their_operator_and_are_limited() {
    let mut fleet = fleet();
    for number in 2..=10 {
        assert_eq!(word(&mut fleet, add_key(number, "olga")), "granted");
    }
    assert_eq!(word(&mut fleet, add_key(11, "olga")), "limit_reached");
    assert_eq!(word(&mut fleet, add_key(11, "root")), "granted", "each operator has a limit of their own");
    assert_eq!(word(&mut fleet, disable("olga")), "granted");
    assert_eq!(word(&mut fleet, FleetCommand::DeleteAccessKey(key(10))), "granted");
    assert_eq!(word(&mut fleet, add_key(10, "olga")), "invalid_field", "none for an operator that is disabled");
    assert_eq!(word(&mut fleet, FleetCommand::DeleteOperator(name("olga"))), "granted");
    assert_eq!(fleet.access_keys.keys().collect::<Vec<_>>(), [&key(11)]);
    let orphan = FleetEvent::AccessKeyCreated {
        key: key(12),
        operator: name("olga"),
        project: ProjectId::parse("0123456789abcdef0123456789abcdef").unwrap(),
        description: "".into(),
    };
    fleet.evolve(&orphan, LATER);
    assert_eq!(fleet.access_keys_of(&name("olga")).count(), 0);
}

#[test]
fn operators_are_limited() {
    let mut fleet = fleet();
    for number in fleet.operators.len()..limits::OPERATORS_MAX {
        let command = FleetCommand::CreateOperator(new(&format!("o{number}"), Role::Viewer, Scope::default()));
        assert_eq!(word(&mut fleet, command), "granted");
    }
    let command = FleetCommand::CreateOperator(new("late", Role::Viewer, Scope::default()));
    assert_eq!(word(&mut fleet, command), "limit_reached");
}

#[test]
fn names_have_one_form() {
    for bad in ["", "a b", "a/b", "é", "a\n", "a:b", &"x".repeat(65)] {
        assert!(OperatorName::parse(bad).is_err(), "{bad:?}");
    }
    assert_eq!(name("olga.k_1-2@acme.example").as_str(), "olga.k_1-2@acme.example");
    for bad in ["", "0123456789ABCDEF0123456789ABCDEF", "0123", &"g".repeat(32), &"0".repeat(33)] {
        assert!(ProjectId::parse(bad).is_err(), "{bad:?}");
    }
    for bad in ["", "abcdefghijklmnopqrst", "ABC", &"A".repeat(21)] {
        assert!(AccessKeyId::parse(bad).is_err(), "{bad:?}");
    }
    for bad in ["", "a\nb", &"x".repeat(513)] {
        assert!(!PasswordHash::parse(bad).unwrap_err().to_string().contains("a\nb"), "{bad:?}");
    }
}

#[test]
fn roles_are_ordered_and_scopes_say_what_they_hold() {
    assert!(Role::Viewer < Role::Operator && Role::Operator < Role::Admin);
    assert_eq!([Role::Viewer, Role::Operator, Role::Admin].map(Role::name), ["viewer", "operator", "admin"]);
    let (north, south) = (InstanceId::parse("north").unwrap(), InstanceId::parse("south").unwrap());
    let space = SpaceId::parse("acme").unwrap();
    assert!(Scope::default().holds_instance(&south) && Scope::default().holds_space(&space));
    assert!(scoped().holds_instance(&north) && !scoped().holds_instance(&south) && scoped().holds_space(&space));
    let spaces = Scope { instances: None, spaces: Some([SpaceId::parse("globex").unwrap()].into()) };
    assert!(!spaces.holds_space(&space) && spaces.holds_instance(&south) && !spaces.is_everything());
}

#[test]
fn a_password_hash_is_never_shown() {
    let fleet = fleet();
    let command = FleetCommand::SetOperatorPassword { name: name("olga"), password_hash: hash("$argon2id$two") };
    let shown = format!("{:?} {command:?} {:?}", fleet.operators, decide(&fleet, &command));
    assert!(shown.contains("PasswordHash(…)") && !shown.contains("argon2id"), "{shown}");
    let withheld = FleetCommand::SetOperatorPassword { name: name("olga"), password_hash: PasswordHash::withheld() };
    assert_eq!(command.for_people(), withheld);
    let created = FleetEvent::OperatorCreated(new("olga", Role::Viewer, scoped())).for_people();
    let withheld = NewOperator { password_hash: Some(PasswordHash::withheld()), ..new("olga", Role::Viewer, scoped()) };
    assert_eq!(created, FleetEvent::OperatorCreated(withheld));
}
