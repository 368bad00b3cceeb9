//! What a user sees of a shadow, and that it is the same whoever folds the reports.

use proptest::prelude::*;
use rollcall_domain::ids::ConnectorId;
use serde_json::json;

use super::*;

fn properties(value: Value) -> Properties {
    value.as_object().unwrap().clone()
}

fn change(service: &str, desired: Value, version: Option<u64>) -> DesiredChange {
    DesiredChange { service_id: service.to_owned(), desired: properties(desired), version }
}

fn reported(service: &str, values: Value, at_ms: i64) -> Reported {
    Reported { service_id: service.to_owned(), properties: properties(values), at_ms }
}

fn mark(position: u64) -> StreamMark {
    StreamMark { epoch: 0, shard: None, sequence: position }
}

fn keyed(key: &str, request: &str) -> KeyedRequest {
    KeyedRequest { key: key.to_owned(), request: request.to_owned() }
}

fn session(number: u64) -> Session {
    Session { connector: ConnectorId::parse("c1").unwrap(), number }
}

fn desired(shadow: &Shadow, service: &str) -> Value {
    Value::Object(shadow.services[service].desired.properties.clone())
}

#[test]
fn desired_values_are_merged_removed_and_cleared() {
    let mut shadow = Shadow::new(3);
    shadow.apply(&[change("light", json!({"on": true, "level": 3}), None)], None, 1).unwrap();
    shadow.apply(&[change("light", json!({"level": null, "hue": "red"}), Some(1))], None, 2).unwrap();
    assert_eq!(desired(&shadow, "light"), json!({"on": true, "hue": "red"}));
    assert_eq!((shadow.services["light"].version, shadow.services["light"].desired.at_ms), (2, Some(2)));
    shadow.apply(&[change("light", json!({}), None)], None, 3).unwrap();
    assert_eq!(desired(&shadow, "light"), json!({}));
    assert_eq!(shadow.services["light"].version, 3);
}

#[test]
fn a_change_for_another_version_changes_nothing_at_all() {
    let mut shadow = Shadow::new(3);
    shadow.apply(&[change("light", json!({"on": true}), Some(0))], None, 1).unwrap();
    let before = shadow.clone();
    let changes = [change("pump", json!({"on": true}), None), change("light", json!({"on": false}), Some(4))];
    let refused = shadow.apply(&changes, None, 2).unwrap_err();
    assert_eq!(refused, OtherVersion { service_id: "light".to_owned(), found: 1 });
    assert_eq!(shadow, before);
}

#[test]
fn clearing_ends_what_is_desired_and_keeps_what_was_reported() {
    let mut shadow = Shadow::new(3);
    shadow.apply(&[change("light", json!({"on": true}), None)], None, 1).unwrap();
    shadow.fold(mark(9), &[reported("light", json!({"on": false}), 2)]);
    assert!(shadow.clear_desired(3));
    assert!(!shadow.clear_desired(4), "there is nothing left to clear");
    let light = &shadow.services["light"];
    assert!(light.desired.properties.is_empty());
    assert_eq!(Value::Object(light.reported.properties.clone()), json!({"on": false}));
    assert_eq!(light.version, 3);
}

#[test]
fn a_session_is_told_once_and_only_what_is_not_so() {
    let mut shadow = Shadow::new(3);
    assert!(!shadow.is_pending_for(&session(1)));
    shadow.apply(&[change("light", json!({"on": true, "level": 3}), None)], None, 1).unwrap();
    shadow.fold(mark(9), &[reported("light", json!({"on": true}), 2)]);
    assert!(shadow.is_pending_for(&session(1)));
    assert_eq!(shadow.delta(), BTreeMap::from([("light", properties(json!({"level": 3})))]));
    shadow.mark_sent(&session(1), shadow.desired_changes());
    assert!(!shadow.is_pending_for(&session(1)));
    assert!(shadow.is_pending_for(&session(2)), "another session may be another device's memory");
    shadow.apply(&[change("light", json!({"level": 4}), None)], None, 3).unwrap();
    assert!(shadow.is_pending_for(&session(1)), "something else is desired");
    shadow.fold(mark(10), &[reported("light", json!({"level": 4}), 4)]);
    assert!(!shadow.is_pending_for(&session(2)), "everything is as desired");
}

#[test]
fn what_a_report_shows_not_to_be_so_is_pending_again() {
    let mut shadow = Shadow::new(3);
    shadow.apply(&[change("light", json!({"on": true}), None)], None, 1).unwrap();
    let sent = shadow.desired_changes();
    shadow.mark_sent(&session(1), sent);
    assert!(!shadow.fold(mark(8), &[]), "nothing is reported");
    assert!(!shadow.is_pending_for(&session(1)));
    assert!(shadow.fold(mark(9), &[reported("light", json!({"on": false}), 2)]));
    assert!(shadow.is_pending_for(&session(1)));
    // A device that reports before it is noted that it was told.
    shadow.mark_sent(&session(1), sent);
    assert!(shadow.is_pending_for(&session(1)));
    shadow.mark_sent(&session(1), shadow.desired_changes());
    assert!(shadow.fold(mark(10), &[reported("door", json!({"open": true}), 3)]), "of another service");
    assert!(!shadow.fold(mark(11), &[reported("light", json!({"on": true}), 4)]));
    assert!(!shadow.is_pending_for(&session(1)));
}

#[test]
fn numbers_are_compared_by_value() {
    let desired = json!({"level": 20, "far": 1.5, "all": [1, {"a": 2.0}], "big": u64::MAX});
    for (reports, expected) in [
        (json!({"level": 20.0, "far": 1.50, "all": [1.0, {"a": 2}], "big": u64::MAX}), json!({})),
        (
            json!({"level": 20.5, "far": 1.5, "all": [1, {"a": 2}], "big": u64::MAX - 1}),
            json!({"level": 20, "big": u64::MAX}),
        ),
        (
            json!({"level": "20", "far": 1.5, "all": [1, {"a": 2, "b": 0}], "big": u64::MAX}),
            json!({"level": 20, "all": [1, {"a": 2.0}]}),
        ),
        (json!({"level": 20, "far": 1.5, "all": [1], "big": u64::MAX}), json!({"all": [1, {"a": 2.0}]})),
    ] {
        let mut shadow = Shadow::new(3);
        shadow.apply(&[change("light", desired.clone(), None)], None, 1).unwrap();
        let differs = shadow.fold(mark(9), &[reported("light", reports.clone(), 2)]);
        let delta = shadow.delta().remove("light").unwrap_or_default();
        assert_eq!(Value::Object(delta.clone()), expected, "{reports}");
        assert_eq!((differs, shadow.is_pending_for(&session(1))), (!delta.is_empty(), !delta.is_empty()), "{reports}");
    }
}

#[test]
fn a_device_that_keeps_another_value_is_told_once_more_and_not_at_each_report() {
    let mut shadow = Shadow::new(3);
    shadow.apply(&[change("light", json!({"level": 100}), None)], None, 1).unwrap();
    shadow.mark_sent(&session(1), shadow.desired_changes());
    // It sets the most that it can, and reports that.
    shadow.fold(mark(1), &[reported("light", json!({"level": 50}), 2)]);
    assert!(shadow.is_pending_for(&session(1)));
    shadow.mark_sent(&session(1), shadow.desired_changes());
    for n in 2..5 {
        shadow.fold(mark(n), &[reported("light", json!({"level": 50.0, "power": n}), 3)]);
        assert!(!shadow.is_pending_for(&session(1)), "it was told, and says the same again");
    }
    assert!(shadow.is_pending_for(&session(2)));
    shadow.fold(mark(5), &[reported("light", json!({"level": 40}), 4)]);
    assert!(shadow.is_pending_for(&session(1)), "it is something else now");
    shadow.mark_sent(&session(1), shadow.desired_changes());
    // Something desired anew is sent once more if a report shows that it is not so, also if what is reported is as before.
    shadow.apply(&[change("light", json!({"level": 90}), None)], None, 5).unwrap();
    shadow.mark_sent(&session(1), shadow.desired_changes());
    shadow.fold(mark(6), &[reported("light", json!({"level": 40}), 6)]);
    assert!(shadow.is_pending_for(&session(1)));
    shadow.mark_sent(&session(1), shadow.desired_changes());
    shadow.fold(mark(7), &[reported("light", json!({"level": 40}), 7)]);
    assert!(!shadow.is_pending_for(&session(1)));
}

#[test]
fn what_changed_while_a_session_was_being_told_is_still_pending() {
    let mut shadow = Shadow::new(3);
    shadow.apply(&[change("light", json!({"on": true}), None)], None, 1).unwrap();
    let told = shadow.desired_changes();
    shadow.apply(&[change("light", json!({"on": false}), None)], None, 2).unwrap();
    shadow.mark_sent(&session(1), told);
    assert!(shadow.is_pending_for(&session(1)));
}

#[test]
fn a_change_with_a_key_is_remembered_for_a_while() {
    let mut shadow = Shadow::new(3);
    for n in 0..10 {
        shadow.apply(&[change("light", json!({"n": n}), None)], Some(&keyed(&format!("key-{n}"), "r")), n).unwrap();
    }
    for (key, request, expected) in [
        ("key-9", "r", KeyUse::SameRequest),
        ("key-2", "r", KeyUse::SameRequest),
        ("key-2", "s", KeyUse::OtherRequest),
        ("key-1", "r", KeyUse::Unused),
        ("key", "r", KeyUse::Unused),
    ] {
        assert_eq!(shadow.key_use(&keyed(key, request)), expected, "{key} {request}");
    }
}

proptest! {
    #[test]
    fn however_reports_are_grouped_and_repeated_the_shadow_is_the_same(
        reports in prop::collection::vec((0_u8..3, "[ab]", prop::option::of(0_i64..4)), 1..20),
        cuts in prop::collection::vec(1_usize..5, 1..20),
    ) {
        let all: Vec<(StreamMark, Vec<Reported>)> = reports
            .iter()
            .zip(1_u64..)
            .map(|((service, name, value), n)| {
                let values = json!({ name.as_str(): value });
                (mark(n), vec![reported(&format!("s{service}"), values, i64::try_from(n).unwrap())])
            })
            .collect();
        let mut once = Shadow::new(1);
        for (mark, reports) in &all {
            once.fold(*mark, reports);
        }
        // A second reader takes groups, and begins each one somewhere in what it has had already.
        let (mut again, mut at) = (Shadow::new(1), 0_usize);
        for cut in cuts.iter().cycle() {
            let group = &all[at.saturating_sub(cut / 2)..(at + cut).min(all.len())];
            for (mark, reports) in group {
                if again.is_new(*mark) {
                    again.fold(*mark, reports);
                }
            }
            at = (at + cut).min(all.len());
            if at == all.len() {
                break;
            }
        }
        prop_assert_eq!(&again, &once);
        let versions: u64 = once.services.values().map(|service| service.version).sum();
        prop_assert_eq!(versions, all.len() as u64);
    }

    #[test]
    fn a_stored_shadow_reads_as_it_was(
        values in prop::collection::btree_map("[a-z]{1,4}", -5_i64..5, 0..5),
        at in any::<i64>(),
    ) {
        let mut shadow = Shadow::new(5);
        let desired: Properties = values.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let changes = [DesiredChange { service_id: "s".to_owned(), desired: desired.clone(), version: None }];
        shadow.apply(&changes, Some(&keyed("key", "r")), at).unwrap();
        shadow.fold(mark(4), &[Reported { service_id: "t".to_owned(), properties: desired, at_ms: at }]);
        shadow.mark_sent(&session(1), 1);
        let text = serde_json::to_string(&shadow).unwrap();
        prop_assert_eq!(serde_json::from_str::<Shadow>(&text).unwrap(), shadow);
    }
}
