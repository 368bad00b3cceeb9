//! The character sets that the v5 API names. Text is compared as it is: no case folding, no normalisation.

/// Letters, digits, `_` and `-` (ASCII): ids.
pub fn is_id(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Chinese characters, letters, digits and `_?'#().,&%@!-`, with blanks inside: names and descriptions.
pub fn is_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || is_chinese(c) || "_?'#().,&%@!- ".contains(c))
}

/// Chinese characters, letters, digits and `_.-`: tag keys and values.
pub(crate) fn is_tag(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || is_chinese(c) || "_.-".contains(c))
}

/// The CJK unified ideographs that the service's own pattern (`\u4e00-\u9fa5`) names.
fn is_chinese(c: char) -> bool {
    ('\u{4e00}'..='\u{9fa5}').contains(&c)
}

/// A text for people and logs: at most `chars_max` characters of it, with everything that is not printable escaped.
pub fn shown(text: &str, chars_max: usize) -> String {
    let mut shown = String::new();
    for c in text.chars().take(chars_max) {
        match c {
            // They do no harm, and whatever quotes the text escapes them itself.
            '\'' | '"' => shown.push(c),
            other => shown.extend(other.escape_debug()),
        }
    }
    if text.chars().nth(chars_max).is_some() {
        shown.push('…');
    }
    shown
}
