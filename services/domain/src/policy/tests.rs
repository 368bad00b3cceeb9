//! Matching against a naive oracle, and what must never match.

use proptest::prelude::*;

use super::*;

fn device(id: &str) -> DeviceId {
    DeviceId::parse(id).unwrap()
}

fn policy(statements: &[(Effect, Action, &str)]) -> Policy {
    let statements = statements.iter().map(|(effect, action, pattern)| Statement {
        effect: *effect,
        actions: vec![*action],
        resources: vec![format!("topic:{pattern}").into()],
    });
    Policy {
        id: PolicyId::parse("p").unwrap(),
        space: SpaceId::parse("s").unwrap(),
        name: "p".into(),
        statements: statements.collect(),
        created_at: Timestamp::from_unix_s(1),
        updated_at: Timestamp::from_unix_s(1),
    }
}

/// Whether a device `dev-1` of product `prod` with this client id may.
fn may(policies: &[Policy], action: Action, topic: &str, client_id: &str) -> bool {
    let (device_id, product_id) = (device("dev-1"), ProductId::parse("prod").unwrap());
    permits(policies, action, topic, Variables { device_id: &device_id, client_id, product_id: &product_id })
}

fn matches(pattern: &str, topic: &str, client_id: &str) -> bool {
    may(&[policy(&[(Effect::Allow, Action::Publish, pattern)])], Action::Publish, topic, client_id)
}

#[test]
fn f10_a_deny_holds_for_what_is_delivered_whatever_filter_it_came_by() {
    let both = [policy(&[(Effect::Allow, Action::Subscribe, "*"), (Effect::Deny, Action::Subscribe, "secret/*")])];
    assert!(may(&both, Action::Subscribe, "#", "c"), "the filter is matched as the text that it is");
    let (device_id, product_id) = (device("dev-1"), ProductId::parse("prod").unwrap());
    let variables = Variables { device_id: &device_id, client_id: "c", product_id: &product_id };
    assert!(forbids(&both, Action::Subscribe, "secret/plan", variables));
    assert!(!forbids(&both, Action::Subscribe, "open", variables));
    assert!(!forbids(&both, Action::Publish, "secret/plan", variables), "only what is denied");
}

#[test]
fn stars_and_question_marks_are_wildcards_and_nothing_else_is() {
    for (pattern, topic, expected) in [
        ("a/b", "a/b", true),
        ("a/b", "a/bc", false),
        ("a/b", "A/b", false),
        ("*", "", true),
        ("*", "a/b/c", true),
        ("a/*", "a/", true),
        ("a/*", "a", false),
        ("a/*/z", "a/b/c/z", true),
        ("a/*/z", "a/z", false),
        ("*a*", "bab", true),
        ("a*a", "a", false),
        ("a*ab", "aab", true),
        ("ab*ab*ab", "abab", false),
        ("?", "设", true),
        ("?", "", false),
        ("a?c", "abc", true),
        ("a?c", "a/c", true),
        ("*?b", "b", false),
        ("*?b", "设b", true),
        ("a**b", "ab", true),
        ("test/#", "test/#", true),
        ("test/#", "test/a", false),
        ("test/+", "test/a", false),
        ("test/*", "test/#", true),
        ("test/*", "test/+/x", true),
    ] {
        assert_eq!(matches(pattern, topic, "c"), expected, "{pattern} on {topic}");
    }
}

#[test]
fn variables_are_the_devices_own_values() {
    for (pattern, topic, expected) in [
        ("${devices.deviceId}/up", "dev-1/up", true),
        ("${devices.deviceId}/up", "dev-2/up", false),
        ("${devices.deviceId}/up", "dev-11/up", false),
        ("${devices.productId}/*/${devices.clientId}", "prod/x/client", true),
        ("*${devices.clientId}", "any/client", true),
        ("*${devices.clientId}*", "any/clients", true),
        ("${devices.unknown}", "${devices.unknown}", false),
        ("x$y{z}", "x$y{z}", true),
    ] {
        assert_eq!(matches(pattern, topic, "client"), expected, "{pattern} on {topic}");
    }
}

#[test]
fn f10_a_value_never_becomes_a_wildcard() {
    for client_id in ["*", "?", "**", "a*", "${devices.deviceId}", "+", "#", "a/b", "$SYS", ""] {
        let topic = format!("d/{client_id}/up");
        assert!(matches("d/${devices.clientId}/up", &topic, client_id), "{client_id} is itself");
        assert!(!matches("d/${devices.clientId}/up", "d/victim/up", client_id), "{client_id} is nobody else");
        assert!(!matches("d/${devices.clientId}/up", "d/dev-1/up", client_id), "{client_id} is not expanded again");
    }
}

#[test]
fn f10_a_client_id_is_no_way_to_subscribe_to_everybody() {
    let own = [policy(&[(Effect::Allow, Action::Subscribe, "d/${devices.clientId}/down")])];
    assert!(may(&own, Action::Subscribe, "d/me/down", "me"));
    for client_id in ["+", "#", "+/x", "a+", "a/#"] {
        assert!(!may(&own, Action::Subscribe, &format!("d/{client_id}/down"), client_id), "{client_id}");
    }
    // A DENY still takes such a client id at its word.
    let denied =
        [policy(&[(Effect::Allow, Action::Subscribe, "*"), (Effect::Deny, Action::Subscribe, "${devices.clientId}")])];
    assert!(!may(&denied, Action::Subscribe, "+", "+"));
}

#[test]
fn deny_wins_and_without_allow_it_is_denied() {
    use Action::{Publish, Subscribe};
    use Effect::{Allow, Deny};
    assert!(!may(&[], Publish, "a", "c"));
    assert!(!may(&[policy(&[(Deny, Publish, "b")])], Publish, "a", "c"));
    let allowed = policy(&[(Allow, Publish, "a*")]);
    assert!(may(std::slice::from_ref(&allowed), Publish, "ab", "c"));
    assert!(!may(std::slice::from_ref(&allowed), Subscribe, "ab", "c"));
    for policies in
        [[allowed.clone(), policy(&[(Deny, Publish, "?b")])], [policy(&[(Deny, Publish, "?b")]), allowed.clone()]]
    {
        assert!(!may(&policies, Publish, "ab", "c"));
        assert!(may(&policies, Publish, "ac", "c"));
    }
    assert!(may(&[allowed, policy(&[(Deny, Subscribe, "*")])], Publish, "ab", "c"));
}

#[test]
fn the_default_policy_allows_what_is_outside_the_platforms_topics() {
    let policies = [system_default(PolicyId::parse("p").unwrap(), SpaceId::parse("s").unwrap(), Timestamp::from_unix_s(1))];
    for action in [Action::Publish, Action::Subscribe] {
        assert!(may(&policies, action, "any/thing", "c"));
        for topic in ["$oc/devices/dev-1/sys/messages/up", "$SYS/broker", "$share/g/a", "$"] {
            assert!(!may(&policies, action, topic, "c"), "{topic}");
        }
    }
    assert_eq!(validate(&policies[0].name, &policies[0].statements), Ok(()));
}

#[test]
fn a_device_has_its_own_system_topics_and_nobody_elses() {
    let own = |rest: &str| TopicScope::OwnSystem(rest.into());
    for (topic, expected) in [
        ("$oc/devices/dev-1/sys/messages/up", own("sys/messages/up")),
        ("$oc/devices/dev-1/#", own("#")),
        ("$oc/devices/dev-1/user/x", own("user/x")),
        ("$oc/devices/dev-1", TopicScope::Reserved),
        ("$oc/devices/dev-1/", TopicScope::Reserved),
        ("$oc/devices/dev-11/sys/messages/up", TopicScope::Reserved),
        ("$oc/devices/dev-/sys", TopicScope::Reserved),
        ("$oc/devices/DEV-1/sys", TopicScope::Reserved),
        ("$oc/devices//dev-1/sys", TopicScope::Reserved),
        ("$oc/devices/+/sys/messages/up", TopicScope::Reserved),
        ("$oc/devices/#", TopicScope::Reserved),
        ("$oc/+/dev-1/sys", TopicScope::Reserved),
        ("$oc/#", TopicScope::Reserved),
        ("$OC/devices/dev-1/sys", TopicScope::Reserved),
        ("$share/g/$oc/devices/dev-1/sys", TopicScope::Reserved),
        ("$share/g/custom", TopicScope::Reserved),
        ("$SYS/#", TopicScope::Reserved),
        ("$", TopicScope::Reserved),
        ("#", TopicScope::Custom),
        ("+/devices/dev-1/sys", TopicScope::Custom),
        ("+/x", TopicScope::Custom),
        ("/$oc/devices/dev-1/sys", TopicScope::Custom),
        ("custom", TopicScope::Custom),
        ("", TopicScope::Custom),
    ] {
        assert_eq!(topic_scope(topic, &device("dev-1")), expected, "{topic}");
    }
}

#[test]
fn limits_are_those_of_the_service() {
    let statement = |resources: usize| Statement {
        effect: Effect::Allow,
        actions: vec![Action::Publish],
        resources: vec!["topic:x".into(); resources],
    };
    let field = |name: &str, statements: &[Statement]| validate(name, statements).map_err(|fault| fault.field);
    assert_eq!(field("p", &vec![statement(10); 10]), Ok(()));
    assert_eq!(field("p", &vec![statement(1); 11]), Err("statement".into()));
    assert_eq!(field("p", &[]), Err("statement".into()));
    assert_eq!(field("p", &[statement(11)]), Err("statement[0].resources".into()));
    assert_eq!(field("p", &[statement(1), statement(0)]), Err("statement[1].resources".into()));
    assert_eq!(field(&"n".repeat(129), &[statement(1)]), Err("policy_name".into()));
    assert_eq!(field("", &[statement(1)]), Err("policy_name".into()));
    assert_eq!(field("a b", &[statement(1)]), Err("policy_name".into()));
    for actions in [vec![], vec![Action::Publish, Action::Publish], vec![Action::Subscribe, Action::Publish]] {
        assert_eq!(field("p", &[Statement { actions, ..statement(1) }]), Err("statement[0].actions".into()));
    }
    let huge = Statement { resources: vec![format!("topic:{}", "x".repeat(1018)).into(); 10], ..statement(1) };
    assert_eq!(field("p", &[huge]), Err("statement".into()));
}

#[test]
fn resources_are_checked_one_by_one() {
    let rule = |resource: &str| {
        let resources = vec!["topic:ok".into(), resource.into()];
        let statement = Statement { effect: Effect::Deny, actions: vec![Action::Subscribe], resources };
        validate("p", &[statement]).map_err(|fault| fault.to_string())
    };
    for good in ["topic:*", "topic:a/${devices.deviceId}/${devices.clientId}/?", "topic:+/#", "topic:$x{y}=z:_-."] {
        assert_eq!(rule(good), Ok(()), "{good}");
    }
    for bad in [
        "",
        "a",
        "topic:",
        "Topic:a",
        "topic:a b",
        "topic:设",
        "topic:a\n",
        "topic:${devices.deviceid}",
        "topic:${",
        "topic:a\\",
    ] {
        assert!(rule(bad).is_err_and(|fault| fault.starts_with("statement[0].resources[1]: ")), "{bad}");
    }
}

/// The plain definition, by a table over every pair of prefixes.
fn oracle(pattern: &str, topic: &str, client_id: &str) -> bool {
    enum Token {
        Run,
        One,
        Is(char),
    }
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let values =
            [("${devices.deviceId}", "dev-1"), ("${devices.productId}", "prod"), ("${devices.clientId}", client_id)];
        if let Some((after, value)) = values.iter().find_map(|(name, value)| Some((rest.strip_prefix(name)?, value))) {
            tokens.extend(value.chars().map(Token::Is));
            rest = after;
            continue;
        }
        tokens.push(match c {
            '*' => Token::Run,
            '?' => Token::One,
            c => Token::Is(c),
        });
        rest = &rest[c.len_utf8()..];
    }
    let topic: Vec<char> = topic.chars().collect();
    let mut row: Vec<bool> = (0..=topic.len()).map(|n| n == 0).collect();
    for token in tokens {
        let before = row.clone();
        for n in 0..=topic.len() {
            row[n] = match token {
                Token::Run => before[n] || (n > 0 && row[n - 1]),
                Token::One => n > 0 && before[n - 1],
                Token::Is(c) => n > 0 && before[n - 1] && topic[n - 1] == c,
            };
        }
    }
    row[topic.len()]
}

fn pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "[ab/]{1,3}",
        3 => Just("*".to_owned()),
        2 => Just("?".to_owned()),
        1 => "[+#${}设]",
        1 => Just("${devices.deviceId}".to_owned()),
        1 => Just("${devices.clientId}".to_owned()),
        1 => Just("${devices.productId}".to_owned()),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn matching_is_what_the_plain_definition_says(
        pattern in pattern(),
        topic in "[ab/设+#]{0,10}|(dev-1|prod|[ab*?]){0,3}",
        client_id in "[ab*?+#$/]{0,3}",
    ) {
        prop_assert_eq!(matches(&pattern, &topic, &client_id), oracle(&pattern, &topic, &client_id));
    }

    #[test]
    fn matching_never_panics(pattern in ".{0,40}", topic in ".{0,40}", client_id in ".{0,10}") {
        let expected = !topic.starts_with('$') && oracle(&pattern, &topic, &client_id);
        prop_assert_eq!(matches(&pattern, &topic, &client_id), expected);
    }

    /// What is called a device's own matches, as a filter, no topic of any other device.
    #[test]
    fn own_topics_are_own(filter in r"\$oc/devices/[dev1+#/-]{0,12}") {
        if let TopicScope::OwnSystem(rest) = topic_scope(&filter, &device("dev-1")) {
            prop_assert_eq!(filter, format!("$oc/devices/dev-1/{rest}"));
        }
    }
}

#[test]
fn f5_a_hostile_topic_costs_no_more_than_its_length_times_the_patterns() {
    // Backtracking over every star would take longer than the universe here.
    let pattern = "*a".repeat(200);
    let topic = "a".repeat(199) + &"b".repeat(60_000);
    assert!(!matches(&pattern, &topic, "c"));
    assert!(matches(&pattern, &("a".repeat(60_000)), "c"));
}
