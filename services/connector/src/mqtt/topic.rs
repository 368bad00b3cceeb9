//! Topic names and topic filters: their grammar (MQTT 5 §4.7), their limits, and when a filter matches a name.
//!
//! Stricter than the standard in one thing: control characters are refused everywhere, as the standard lets a server do
//! (§1.5.4), so that none of them reaches a log, a subject or a trace.

use super::limits::{SYSTEM_TOPIC_BYTES_MAX, TOPIC_BYTES_MAX};

/// Whether a text holds what must not be in any MQTT string here: U+0000 and the other control characters.
pub(crate) fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// Whether a text is a topic name: not empty, no wildcard, no control character.
pub(crate) fn is_topic_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(['+', '#']) && !has_control(text)
}

/// Whether a text is a topic filter: `+` alone in its level, `#` alone in the last.
pub(crate) fn is_topic_filter(text: &str) -> bool {
    if text.is_empty() || has_control(text) {
        return false;
    }
    let mut levels = text.split('/').peekable();
    while let Some(level) = levels.next() {
        let well_placed = match level {
            "#" => levels.peek().is_none(),
            "+" => true,
            literal => !literal.contains(['+', '#']),
        };
        if !well_placed {
            return false;
        }
    }
    true
}

/// Whether a filter asks for a shared subscription, which this server does not have (MQTT 5 §4.8.2).
pub(crate) fn is_shared(filter: &str) -> bool {
    filter.starts_with("$share/")
}

/// Whether a topic name or filter is within the service's length limit.
pub(crate) fn is_within_limit(text: &str) -> bool {
    let max = if text.starts_with('$') { SYSTEM_TOPIC_BYTES_MAX } else { TOPIC_BYTES_MAX };
    text.len() <= max
}

/// Whether a well-formed filter matches a topic name. A leading wildcard does not match a leading `$` (§4.7.2).
pub(crate) fn matches(filter: &str, name: &str) -> bool {
    if name.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = name.split('/');
    for wanted in filter.split('/') {
        let found = match wanted {
            "#" => return true,
            "+" => levels.next().is_some(),
            literal => levels.next() == Some(literal),
        };
        if !found {
            return false;
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_whole_levels() {
        for (filter, name, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", false),
            ("a/+", "a/b", true),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("+/b", "/b", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("a/#", "ab", false),
            ("#", "a/b", true),
            ("+/+", "/a", true),
            ("+", "/a", false),
            ("#", "$oc/devices/d/sys", false),
            ("+/devices/d/sys", "$oc/devices/d/sys", false),
            ("$oc/#", "$oc/devices/d/sys", true),
        ] {
            assert_eq!(matches(filter, name), expected, "{filter} on {name}");
        }
    }

    #[test]
    fn a_wildcard_out_of_place_is_no_filter() {
        for filter in ["", "a+", "a/b+/c", "a/#/b", "##", "#/", "a#", "a\u{0}b", "a\u{1}", "a\u{7f}", "a\u{9f}"] {
            assert!(!is_topic_filter(filter), "{filter:?}");
        }
        for filter in ["/", "+", "#", "+/+/#", "a//b", "/#", "温度/+", "$oc/devices/d/sys/#"] {
            assert!(is_topic_filter(filter), "{filter:?}");
        }
    }

    #[test]
    fn f10_a_topic_name_holds_no_wildcard() {
        for name in ["", "a/+", "a/#", "+", "a\u{0}", "a\nb"] {
            assert!(!is_topic_name(name), "{name:?}");
        }
        assert!(is_topic_name("$oc/devices/d/sys/commands/response/request_id=1"));
    }

    #[test]
    fn custom_topics_have_the_services_limit() {
        assert!(is_within_limit(&"a".repeat(128)));
        assert!(!is_within_limit(&"a".repeat(129)));
        assert!(is_within_limit(&format!("$oc/{}", "a".repeat(400))));
        assert!(!is_within_limit(&format!("$oc/{}", "a".repeat(600))));
    }
}
