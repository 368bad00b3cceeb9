//! What a browser says that it takes and has: `Accept-Encoding` and `If-None-Match` (RFC 9110 sections 12.5.3 and 13.1.2).
//!
//! Compressing is the build's, once and as well as it can be done; here is only chosen.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// A coding in which the build keeps its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    /// The smaller first.
    const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// What the name of a file has beside it.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Gzip => ".gz",
        }
    }
}

/// The codings that may be sent, the best first. A file as it is may always be sent: a client that wants none but a coding is
/// answered all the same, as the RFC allows.
pub(super) fn accepted_codings(headers: &HeaderMap) -> Vec<Coding> {
    let elements: Vec<&str> = elements(headers, header::ACCEPT_ENCODING).collect();
    let is_accepted = |coding: &Coding| {
        elements.iter().any(|element| {
            let (name, weight) = element.split_once(';').unwrap_or((element, ""));
            name.trim().eq_ignore_ascii_case(coding.name()) && !is_zero(weight)
        })
    };
    Coding::ALL.into_iter().filter(is_accepted).collect()
}

/// Whether the browser has what `etag` names.
pub(super) fn is_current(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let etag = etag.to_str().unwrap_or_default();
    elements(headers, header::IF_NONE_MATCH).any(|held| held == "*" || held.strip_prefix("W/").unwrap_or(held) == etag)
}

/// The elements of a header that is a list, over all its lines. Neither header's have a comma of their own, but for tags that are
/// not ours.
fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// `q=0`, `q=0.000`: not acceptable.
fn is_zero(weight: &str) -> bool {
    let value = weight.trim().strip_prefix("q=").or_else(|| weight.trim().strip_prefix("Q="));
    value.and_then(|value| value.trim().parse::<f32>().ok()).is_some_and(|value| value <= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn the_best_coding_that_is_accepted_comes_first() {
        let accepted = |lines: &[&'static str]| accepted_codings(&headers(header::ACCEPT_ENCODING, lines));
        assert_eq!(accepted(&[]), []);
        assert_eq!(accepted(&["gzip, deflate, br, zstd"]), [Coding::Brotli, Coding::Gzip]);
        assert_eq!(accepted(&["deflate", "GZIP;q=0.5"]), [Coding::Gzip]);
        assert_eq!(accepted(&["br;q=0, gzip ; q=0.000, identity"]), []);
        assert_eq!(accepted(&["brotli, x-gzip"]), []);
    }

    #[test]
    fn a_browser_has_what_it_names() {
        let has =
            |lines: &[&'static str]| is_current(&headers(header::IF_NONE_MATCH, lines), &HeaderValue::from_static("\"a\""));
        assert!(has(&["\"a\""]) && has(&["\"b\", W/\"a\""]) && has(&["\"b\"", "\"a\""]) && has(&["*"]));
        assert!(!has(&[]) && !has(&["\"b\""]) && !has(&["a"]));
    }
}
