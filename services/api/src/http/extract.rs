//! Extractors of bodies and queries: what does not fit is answered with the path of the field that is wrong.
//!
//! Do not judge values. Invariant: no field that an operation does not know is passed over in silence ([`unknown`]).
//!
//! [`unknown`]: crate::http::unknown

mod objects;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{Uri, header, request::Parts},
};
use serde::de::DeserializeOwned;

pub(crate) use self::objects::Objects;
use crate::http::{codes::Code, error::ApiError, unknown::Unknown};

/// The only media type of a body (RFC 8259).
const JSON: &str = "application/json";

/// A JSON body. An empty one is read as `{}`, which many operations take.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let mut kinds = request.headers().get_all(header::CONTENT_TYPE).iter();
        let kind = kinds.next().map(|kind| kind.to_str().unwrap_or(NO_TEXT));
        if kinds.next().is_some() || kind.is_some_and(|kind| !is_json(kind)) {
            return Err(ApiError::new(Code::MalformedBody, "Content-Type: send the body as application/json"));
        }
        let unknown = request.extensions().get::<Unknown>().cloned();
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            ApiError::new(Code::MalformedBody, format!("the body cannot be read: {}", rejection.body_text()))
        })?;
        let (value, ignored) = read(if bytes.is_empty() { b"{}" } else { &bytes })?;
        unknown.map_or(Ok(()), |unknown| unknown.note("field of the body", &ignored))?;
        Ok(Self(value))
    }
}

/// Stands for a media type that is no text, and is none.
const NO_TEXT: &str = "?";

/// Whether a media type is JSON's, whatever its parameters (RFC 9110 section 8.3.1); none given is.
fn is_json(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim();
    kind.trim().is_empty() || essence.eq_ignore_ascii_case(JSON)
}

/// Reads JSON, with the paths of fields that the value has no place for.
///
/// # Errors
/// [`Code::MalformedBody`] for what is not JSON, [`Code::InvalidInput`] with its path for a field that does not fit.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, Vec<String>), ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let mut ignored = Vec::new();
    let mut note = |path: serde_ignored::Path<'_>| ignored.push(spelled(&path));
    let noting = serde_ignored::Deserializer::new(Objects(&mut reader), &mut note);
    let value = serde_path_to_error::deserialize(noting).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if inner.is_data() {
            let path = if path == "." { "the body".to_owned() } else { path };
            ApiError::invalid(&path, inner)
        } else {
            ApiError::new(Code::MalformedBody, format!("the body is not JSON: {inner}"))
        }
    })?;
    reader.end().map_err(|error| ApiError::new(Code::MalformedBody, format!("the body is not one JSON value: {error}")))?;
    Ok((value, ignored))
}

/// A path as errors spell it: `list[0].field`.
fn spelled(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", spelled(parent)),
        Path::Map { parent, key } => match spelled(parent) {
            parent if parent.is_empty() => key.clone(),
            parent => format!("{parent}.{key}"),
        },
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => spelled(parent),
    }
}

/// A query string. Its parameters have been checked against the document ([`parameters`](crate::http::parameters)).
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = query(&parts.uri);
        // Each field of the query says whether it is a text or a number.
        let reader = serde_urlencoded::Deserializer::new(form_pairs(&query));
        serde_path_to_error::deserialize(reader).map(Self).map_err(|error| {
            let path = error.path().to_string();
            ApiError::invalid(if path == "." { "the query string" } else { &path }, error.into_inner())
        })
    }
}

/// Names and values of a query string, in its order.
///
/// # Errors
/// [`Code::InvalidInput`].
pub(crate) fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, ApiError> {
    serde_urlencoded::from_str(&query(uri)).map_err(|error| ApiError::invalid("the query string", error))
}

/// A plus is a plus, as it is under the signature; a blank is %20.
fn query(uri: &Uri) -> String {
    uri.query().unwrap_or_default().replace('+', "%2B")
}

fn form_pairs(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Outer {
        #[expect(dead_code, reason = "what is not read is asked about")]
        inner: Option<Vec<Inner>>,
        #[expect(dead_code, reason = "what is not read is asked about")]
        any: Option<serde_json::Value>,
    }

    #[derive(Debug, Deserialize)]
    struct Inner {
        #[expect(dead_code, reason = "what is not read is asked about")]
        text: Option<String>,
    }

    #[test]
    fn fields_that_a_value_has_no_place_for_are_told_with_their_paths() {
        let ignored = |text: &str| read::<Outer>(text.as_bytes()).unwrap().1;
        assert_eq!(ignored(r#"{"inner": [{"text": "x"}], "any": {"x": [{"y": 1}]}}"#), [""; 0]);
        assert_eq!(ignored(r#"{"iner": null, "inner": [{}, {"txt": {"a": 1}}]}"#), ["iner", "inner[1].txt"]);
    }

    #[test]
    fn near_misses_of_the_media_type_are_told_from_it() {
        for json in ["", "application/json", "Application/JSON ; charset=utf-8", "application/json;charset=UTF-8"] {
            assert!(is_json(json), "{json}");
        }
        for other in ["application/jsonx", "text/json", "application/json-patch+json", "application/xml", ";", NO_TEXT] {
            assert!(!is_json(other), "{other}");
        }
    }

    /// As the canonical request of a signature reads it: else a handler could act on what was not signed.
    #[test]
    fn handlers_read_the_query_that_was_signed() {
        let read = pairs(&"/path?name=a%20b%2B&x=1+1&x=&flag".parse().unwrap()).unwrap();
        let expected = [("name", "a b+"), ("x", "1+1"), ("x", ""), ("flag", "")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
