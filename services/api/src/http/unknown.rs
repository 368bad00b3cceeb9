//! What a request holds that its operation does not know: a parameter of the query, a field of the body.
//!
//! v5 requests are served all the same, as the service serves them, since its SDKs send more than Rollcall offers; the answer says in
//! a `Warning` what had no effect. Under `/rollcall/v1`, where every client is ours, they are refused: a misspelt field that is
//! passed over looks as if it had been obeyed. Does not find the fields; `extract` and `parameters` do. Invariant: what is repeated
//! of a request is printable ASCII of a bounded length.

use std::sync::{Arc, Mutex, PoisonError};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderValue, header},
    middleware::Next,
    response::Response,
};

use crate::http::error::ApiError;

/// The beginning of paths that are Rollcall's own.
pub(super) const OWN_PATHS: &str = "/rollcall/";
/// Names that an answer repeats.
const NAMES_MAX: usize = 8;
/// Characters of a name that an answer repeats.
const NAME_CHARS_MAX: usize = 64;

/// In every request: collects what its operation does not know.
#[derive(Clone)]
pub(super) struct Unknown {
    is_refused: bool,
    found: Arc<Mutex<Vec<String>>>,
}

impl Unknown {
    fn of(request: &Request) -> Self {
        let path = request.extensions().get::<MatchedPath>();
        Self { is_refused: path.is_some_and(|path| path.as_str().starts_with(OWN_PATHS)), found: Arc::default() }
    }

    /// Notes names; `what` says what they are names of: `query parameter`.
    ///
    /// # Errors
    /// [`Code::InvalidInput`](crate::http::codes::Code::InvalidInput) with the names, where they are refused.
    pub(super) fn note(&self, what: &str, names: &[String]) -> Result<(), ApiError> {
        let Some(first) = names.first() else { return Ok(()) };
        if self.is_refused {
            let more = match names.len() {
                1 => String::new(),
                _ => format!(" (also: {})", listed(names.get(1..).unwrap_or_default())),
            };
            let rule = format!("this operation has no such {what}{more}: /openapi.json lists what it has");
            return Err(ApiError::invalid(&printable(first), rule));
        }
        let texts = names.iter().map(|name| format!("unknown {what} {}", printable(name)));
        self.found.lock().unwrap_or_else(PoisonError::into_inner).extend(texts);
        Ok(())
    }

    /// RFC 7234 section 5.5. `None`: everything is known.
    fn warning(&self) -> Option<HeaderValue> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let mut warnings: Vec<_> = found.iter().take(NAMES_MAX).map(|text| format!("199 - \"{text}\"")).collect();
        if let Some(more @ 1..) = found.len().checked_sub(NAMES_MAX) {
            warnings.push(format!("199 - \"and {more} more\""));
        }
        if warnings.is_empty() { None } else { HeaderValue::from_str(&warnings.join(", ")).ok() }
    }
}

/// The middleware around every operation.
pub(super) async fn warn(mut request: Request, next: Next) -> Response {
    let unknown = Unknown::of(&request);
    request.extensions_mut().insert(unknown.clone());
    let mut response = next.run(request).await;
    if let Some(warning) = unknown.warning() {
        response.headers_mut().insert(header::WARNING, warning);
    }
    response
}

fn listed(names: &[String]) -> String {
    let shown: Vec<_> = names.iter().take(NAMES_MAX).map(|name| printable(name)).collect();
    let more = names.len().saturating_sub(NAMES_MAX);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// As it may stand in a quoted string of a header.
fn printable(name: &str) -> String {
    let as_sent = |char: &char| (char.is_ascii_graphic() || *char == ' ') && !matches!(char, '"' | '\\');
    let mut shown: String = name.chars().take(NAME_CHARS_MAX).map(|char| if as_sent(&char) { char } else { '?' }).collect();
    if name.chars().nth(NAME_CHARS_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unknown(is_refused: bool) -> Unknown {
        Unknown { is_refused, found: Arc::default() }
    }

    #[test]
    fn a_warning_names_what_is_unknown_and_quotes_nothing_that_ends_it() {
        let unknown = unknown(false);
        assert_eq!(unknown.warning(), None);
        unknown.note("query parameter", &["limt".to_owned(), "a\"b\r\n\u{7535}".to_owned()]).unwrap();
        unknown.note("field of the body", &["x".repeat(100)]).unwrap();
        let expected = format!(
            "199 - \"unknown query parameter limt\", 199 - \"unknown query parameter a?b???\", 199 - \"unknown field of the body {}...\"",
            "x".repeat(64)
        );
        assert_eq!(unknown.warning().unwrap(), expected);
        unknown.note("query parameter", &vec!["y".to_owned(); 100]).unwrap();
        let warning = unknown.warning().unwrap();
        assert!(warning.to_str().unwrap().ends_with("\"and 95 more\""), "{warning:?}");
    }

    #[test]
    fn a_refusal_names_what_is_unknown() {
        let error = unknown(true).note("field of the body", &["a".to_owned(), "b.c".to_owned()]).unwrap_err();
        assert!(error.message.contains("a: this operation has no such field of the body (also: b.c)"), "{error:?}");
        unknown(true).note("field of the body", &[]).unwrap();
    }
}
