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
        made: 1,
        space: SpaceId::parse("s").unwrap(),
        name: "p".into(),
        statements: statements.collect(),
        created_at: Timestamp::from_unix_s(1),
        updated_at: Timestamp::from_unix_s(1),
    }
}

/// What is asked with the variables of device `dev-1`, node `node`, product `prod`, and this client id.
fn with<T>(client_id: ClientId<'_>, ask: impl FnOnce(Variables<'_>) -> T) -> T {
    let (device_id, node_id) = (device("dev-1"), NodeId::parse("node").unwrap());
    let product_id = ProductId::parse("prod").unwrap();
    ask(Variables { device_id: &device_id, node_id: &node_id, client_id, product_id: &product_id })
}

fn may(policies: &[Policy], action: Action, topic: &str, client_id: &str) -> bool {
    with(ClientId::Bound(client_id), |variables| permits(policies, action, topic, variables))
}

fn may_unbound(policies: &[Policy], action: Action, topic: &str, client_id: &str) -> bool {
    with(ClientId::Unbound(client_id), |variables| permits(policies, action, topic, variables))
}

fn is_forbidden(policies: &[Policy], action: Action, topic: &str, client_id: ClientId<'_>) -> bool {
    with(client_id, |variables| forbids(policies, action, topic, variables))
}

fn matches(pattern: &str, topic: &str, client_id: &str) -> bool {
    may(&[policy(&[(Effect::Allow, Action::Publish, pattern)])], Action::Publish, topic, client_id)
}

#[test]
fn f10_a_deny_holds_for_what_is_delivered_whatever_filter_it_came_by() {
    let both = [policy(&[(Effect::Allow, Action::Subscribe, "*"), (Effect::Deny, Action::Subscribe, "secret/*")])];
    assert!(may(&both, Action::Subscribe, "#", "c"), "the filter is matched as the text that it is");
    let client_id = ClientId::Unbound("c");
    assert!(is_forbidden(&both, Action::Subscribe, "secret/plan", client_id));
    assert!(!is_forbidden(&both, Action::Subscribe, "open", client_id));
    assert!(!is_forbidden(&both, Action::Publish, "secret/plan", client_id), "only what is denied");
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
fn f10_a_client_id_that_names_no_device_in_particular_grants_nothing() {
    let action = Action::Publish;
    let own = [policy(&[(Effect::Allow, action, "d/${devices.clientId}/*")])];
    assert!(may(&own, action, "d/dev-1/up", "dev-1"));
    for client_id in ["dev-2", "dev-1x", "+", "#", "*", "?", "a/b", ""] {
        let topic = format!("d/{client_id}/up");
        assert!(!may_unbound(&own, action, &topic, client_id), "{client_id} is what the client says");
        assert!(!may_unbound(&own, action, "d/dev-1/up", client_id), "{client_id} is not replaced by a better one");
    }
    // What does not depend on it is granted as before.
    let other = [policy(&[(Effect::Allow, action, "e/${devices.deviceId}")])];
    assert!(may_unbound(&other, action, "e/dev-1", "any"));
}

#[test]
fn f10_a_deny_is_not_shaken_off_by_another_client_id() {
    let action = Action::Publish;
    let policies = [policy(&[(Effect::Allow, action, "*"), (Effect::Deny, action, "d/${devices.clientId}/admin")])];
    for client_id in ["dev-1", "node", "dev-1_0_0_2026060100"] {
        for name in ["dev-1", "node", client_id] {
            assert!(!may(&policies, action, &format!("d/{name}/admin"), client_id), "{name} by {client_id}");
        }
    }
    for client_id in ["", "other", "+", "*"] {
        for name in ["dev-1", "node", client_id] {
            assert!(!may_unbound(&policies, action, &format!("d/{name}/admin"), client_id), "{name} by {client_id}");
        }
        assert!(may_unbound(&policies, action, "d/third/admin", client_id), "{client_id} is text");
    }
}

#[test]
fn f10_a_question_mark_grants_no_wildcard_of_a_filter() {
    let allow = [policy(&[(Effect::Allow, Action::Subscribe, "a/?"), (Effect::Allow, Action::Subscribe, "b?/c")])];
    for (filter, expected) in
        [("a/x", true), ("a/+", false), ("a/#", false), ("b/c", false), ("b//c", true), ("b+/c", false)]
    {
        assert_eq!(may(&allow, Action::Subscribe, filter, "c"), expected, "{filter}");
    }
    // A DENY of each one-character level is a DENY of all of them at once, before a message is looked at.
    let deny = [policy(&[(Effect::Allow, Action::Subscribe, "*"), (Effect::Deny, Action::Subscribe, "a/?")])];
    for filter in ["a/x", "a/+", "a/#"] {
        assert!(!may(&deny, Action::Subscribe, filter, "c"), "{filter}");
    }
    assert!(is_forbidden(&deny, Action::Subscribe, "a/x", ClientId::Bound("c")), "whatever filter it came by");
    assert!(may(&deny, Action::Subscribe, "+/x", "c"), "what it overlaps is kept at delivery");
}

#[test]
fn a_default_policy_is_known_by_what_it_says() {
    let made = system_default(PolicyId::parse("p").unwrap(), 1, SpaceId::parse("s").unwrap(), Timestamp::from_unix_s(1));
    let says = |policy: &Policy| {
        (policy.is_system_default(), allow_every_topic(&policy.statements), allow_some_topics(&policy.statements))
    };
    assert_eq!(says(&made), (true, true, false));
    let renamed = Policy { name: "ours".into(), ..made.clone() };
    assert_eq!(says(&renamed), (false, true, false), "by another name it allows no less");
    let mut narrowed = made.clone();
    narrowed.statements[0].resources = vec!["topic:a/*".into()];
    assert_eq!(says(&narrowed), (false, false, true));
    let mut denying = made;
    denying.statements.push(Statement { effect: Effect::Deny, ..denying.statements[0].clone() });
    assert_eq!(says(&denying), (false, true, false));
    assert_eq!(says(&policy(&[(Effect::Deny, Action::Publish, "*")])), (false, false, false));
    assert_eq!(says(&policy(&[(Effect::Allow, Action::Publish, "*")])), (false, false, true));
    let split = policy(&[(Effect::Allow, Action::Publish, "*"), (Effect::Allow, Action::Subscribe, "*")]);
    assert_eq!(says(&split), (false, true, false));
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
fn the_statement_that_decides_is_named_with_the_resource_that_covers() {
    let mut several = policy(&[(Effect::Allow, Action::Publish, "b"), (Effect::Allow, Action::Publish, "x")]);
    several.statements[1].resources.push("topic:a/${devices.deviceId}".into());
    let closed = policy(&[(Effect::Allow, Action::Publish, "*"), (Effect::Deny, Action::Publish, "secret/*")]);
    let all = [several.clone(), closed];
    let decided = |policies: &[Policy], topic: &str| {
        with(ClientId::Bound("c"), |variables| match decide(policies, Action::Publish, topic, variables) {
            Decision::NotAsked => "not asked".to_owned(),
            Decision::NothingAllows => "nothing".to_owned(),
            Decision::Allowed(by) => format!("allowed by {} {} {}", by.policy.statements.len(), by.index, by.resource),
            Decision::Denied(by) => format!("denied by {} {}", by.index, by.resource),
        })
    };
    for (topic, expected) in [
        ("a/dev-1", "allowed by 2 1 topic:a/${devices.deviceId}"),
        ("b", "allowed by 2 0 topic:b"),
        ("c", "allowed by 2 0 topic:*"),
        ("secret/plan", "denied by 1 topic:secret/*"),
        ("$oc/devices/dev-1/sys/up", "not asked"),
    ] {
        assert_eq!(decided(&all, topic), expected, "{topic}");
    }
    assert_eq!(decided(&[several], "c"), "nothing");
    assert_eq!(decided(&[], "c"), "nothing");
}

#[test]
fn the_default_policy_allows_what_is_outside_the_platforms_topics() {
    let policies =
        [system_default(PolicyId::parse("p").unwrap(), 1, SpaceId::parse("s").unwrap(), Timestamp::from_unix_s(1))];
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

/// The plain definition of one pattern, by a table over every pair of prefixes; `client_id` is `None` where it stands for
/// nothing.
fn pattern_oracle(effect: Effect, pattern: &str, topic: &str, client_id: Option<&str>) -> bool {
    enum Token {
        Run,
        One,
        Is(char),
    }
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let values = [
            ("${devices.deviceId}", Some("dev-1")),
            ("${devices.productId}", Some("prod")),
            ("${devices.clientId}", client_id),
        ];
        if let Some((after, value)) = values.iter().find_map(|(name, value)| Some((rest.strip_prefix(name)?, value))) {
            let Some(value) = value else { return false };
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
                Token::One => {
                    n > 0 && before[n - 1] && (effect == Effect::Deny || (topic[n - 1] != '+' && topic[n - 1] != '#'))
                }
                Token::Is(c) => n > 0 && before[n - 1] && topic[n - 1] == c,
            };
        }
    }
    row[topic.len()]
}

/// The plain definition of one statement's pattern, for the device `dev-1` with node id `node`.
fn oracle(effect: Effect, pattern: &str, topic: &str, client_id: ClientId<'_>) -> bool {
    match (effect, client_id) {
        (Effect::Allow, ClientId::Bound(sent)) => pattern_oracle(effect, pattern, topic, Some(sent)),
        (Effect::Allow, ClientId::Unbound(_)) => pattern_oracle(effect, pattern, topic, None),
        (Effect::Deny, ClientId::Bound(sent) | ClientId::Unbound(sent)) => {
            [sent, "dev-1", "node"].iter().any(|name| pattern_oracle(effect, pattern, topic, Some(name)))
        }
    }
}

/// MQTT's own matching of filters, from the words of MQTT 5 section 4.7, without the rule on `$`.
fn filter_brings(filter: &[&str], topic: &[&str]) -> bool {
    match (filter, topic) {
        (["#"], _) => true,
        ([], []) => true,
        ([level, filter @ ..], [name, topic @ ..]) => (*level == "+" || level == name) && filter_brings(filter, topic),
        _ => false,
    }
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

fn topic() -> impl Strategy<Value = String> {
    "[ab/设+#]{0,10}|(dev-1|node|prod|[ab*?])(/?(dev-1|node|prod|[ab*?+#])){0,3}"
}

fn effect() -> impl Strategy<Value = Effect> {
    prop_oneof![Just(Effect::Allow), Just(Effect::Deny)]
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![Just(Action::Publish), Just(Action::Subscribe)]
}

/// A pattern made of a filter, and the filter of a topic, so that the one often grants the other and that brings the topic. No
/// pattern has `+` or `#`.
fn granting() -> impl Strategy<Value = (String, String, String)> {
    let level = || "[ab]{0,2}|dev-1";
    let levels = prop::collection::vec((level(), any::<bool>()), 1..4);
    let below = prop::option::of(prop::collection::vec(level(), 0..3));
    (levels, below, prop::collection::vec(0..8u8, 24)).prop_map(|(levels, below, cuts)| {
        let mut filter: Vec<&str> = levels.iter().map(|(name, kept)| if *kept { name } else { "+" }).collect();
        let mut topic: Vec<&str> = levels.iter().map(|(name, _)| name.as_str()).collect();
        if let Some(below) = &below {
            filter.push("#");
            topic.extend(below.iter().map(String::as_str));
        }
        let filter = filter.join("/");
        let wildcard = |cut: u8| if cut == 0 { '?' } else { '*' };
        let pattern: String = filter
            .chars()
            .zip(cuts.iter().cycle())
            .map(|(c, cut)| if matches!(c, '+' | '#') || *cut < 2 { wildcard(*cut) } else { c })
            .collect();
        (pattern.replace("dev-1", "${devices.clientId}"), filter, topic.join("/"))
    })
}

fn sent(is_bound: bool, client_id: &str) -> ClientId<'_> {
    if is_bound { ClientId::Bound(client_id) } else { ClientId::Unbound(client_id) }
}

/// A client id as hostile as MQTT lets it be, and the device's own.
fn client_id() -> impl Strategy<Value = String> {
    prop_oneof!["[ab*?+#$/]{0,3}", Just("${devices.deviceId}".to_owned()), Just("dev-1".to_owned()), Just("node".to_owned())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Some policies of some statements against the words of the rule: no DENY, and some ALLOW.
    #[test]
    fn permission_is_what_the_plain_definition_says(
        statements in prop::collection::vec((effect(), action(), pattern()), 0..5),
        asked in action(),
        topic in topic(),
        is_bound in any::<bool>(),
        client_id in client_id(),
    ) {
        let borrowed: Vec<_> = statements.iter().map(|(effect, action, pattern)| (*effect, *action, pattern.as_str())).collect();
        let policies: Vec<Policy> = borrowed.chunks(2).map(policy).collect();
        let client_id = sent(is_bound, &client_id);
        let any = |wanted: Effect| {
            let mut statements = borrowed.iter().filter(|(effect, action, _)| *effect == wanted && *action == asked);
            statements.any(|(effect, _, pattern)| oracle(*effect, pattern, &topic, client_id))
        };
        let (allowed, denied) = (any(Effect::Allow), any(Effect::Deny));
        let permitted = with(client_id, |variables| permits(&policies, asked, &topic, variables));
        prop_assert_eq!(permitted, allowed && !denied);
        prop_assert_eq!(is_forbidden(&policies, asked, &topic, client_id), denied);
    }

    #[test]
    fn matching_never_panics(pattern in ".{0,40}", topic in ".{0,40}", client_id in ".{0,10}") {
        let expected = !topic.starts_with('$') && oracle(Effect::Allow, &pattern, &topic, ClientId::Bound(&client_id));
        prop_assert_eq!(matches(&pattern, &topic, &client_id), expected);
    }

    /// Whatever a value holds, a pattern without wildcards of its own matches the one text that is written with it.
    #[test]
    fn f10_values_are_taken_as_text(
        before in "[ab/+#]{0,4}",
        after in "[ab/+#]{0,4}",
        client_id in "[ab*?+#$/{}]{0,6}|[$][{]devices[.]deviceId[}]",
        other in "[ab*?+#/]{0,8}",
    ) {
        let pattern = format!("{before}${{devices.clientId}}{after}");
        let written = format!("{before}{client_id}{after}");
        prop_assume!(!written.starts_with('$'));
        prop_assert!(matches(&pattern, &written, &client_id));
        prop_assert_eq!(matches(&pattern, &other, &client_id), other == written);
    }

    /// What a device may do without a DENY does not depend on the client id that it makes up.
    #[test]
    fn f10_an_unbound_client_id_makes_no_difference(
        patterns in prop::collection::vec(pattern(), 1..4),
        action in action(),
        topic in topic(),
        one in client_id(),
        other in client_id(),
    ) {
        let statements: Vec<_> = patterns.iter().map(|pattern| (Effect::Allow, action, pattern.as_str())).collect();
        let policies = [policy(&statements)];
        prop_assert_eq!(may_unbound(&policies, action, &topic, &one), may_unbound(&policies, action, &topic, &other));
    }

    /// What is denied to a device by its own ids is denied by whatever client id it connects.
    #[test]
    fn f10_no_client_id_shakes_off_a_deny(
        denied in pattern(),
        action in action(),
        topic in topic(),
        is_bound in any::<bool>(),
        client_id in client_id(),
    ) {
        let policies = [policy(&[(Effect::Deny, action, &denied)])];
        if ["dev-1", "node"].iter().any(|own| is_forbidden(&policies, action, &topic, ClientId::Bound(own))) {
            prop_assert!(is_forbidden(&policies, action, &topic, sent(is_bound, &client_id)));
        }
    }

    /// What a granted filter brings is what the ALLOW matches; only `#` also brings the level above it.
    #[test]
    fn f10_a_granted_filter_brings_no_more_than_the_allow_names((pattern, filter, topic) in granting()) {
        let allow = [policy(&[(Effect::Allow, Action::Subscribe, &pattern)])];
        let [levels, names] = [&filter, &topic].map(|text| text.split('/').collect::<Vec<_>>());
        if may(&allow, Action::Subscribe, &filter, "dev-1") && filter_brings(&levels, &names) {
            let is_parent = filter.strip_suffix("/#").is_some_and(|above| above.split('/').count() == names.len());
            let matches = may(&allow, Action::Subscribe, &topic, "dev-1");
            prop_assert!(is_parent || matches, "{pattern} grants {filter}, which brings {topic}");
        }
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
