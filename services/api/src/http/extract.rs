//! Extractors of bodies and queries: what does not fit is answered with the path of the field that is wrong.
//!
//! Do not judge values. Invariant: a field that the API does not know is ignored, as the service ignores it: its SDKs send more
//! fields than Rollcall offers.

mod objects;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{Uri, header, request::Parts},
};
use serde::de::DeserializeOwned;

pub(crate) use self::objects::Objects;
use crate::http::{codes::Code, error::ApiError};

/// A JSON body. An empty one is read as `{}`, which many operations take.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if let Some(kind) = request.headers().get(header::CONTENT_TYPE) {
            let kind = kind.to_str().unwrap_or_default().to_ascii_lowercase();
            if !kind.is_empty() && !kind.starts_with("application/json") {
                return Err(ApiError::new(Code::MalformedBody, "Content-Type: send the body as application/json"));
            }
        }
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            ApiError::new(Code::MalformedBody, format!("the body cannot be read: {}", rejection.body_text()))
        })?;
        read(if bytes.is_empty() { b"{}" } else { &bytes }).map(Self)
    }
}

/// Reads JSON.
///
/// # Errors
/// [`Code::MalformedBody`] for what is not JSON, [`Code::InvalidInput`] with its path for a field that does not fit.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Objects(&mut reader)).map_err(|error| {
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
    Ok(value)
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
    use super::*;

    /// As the canonical request of a signature reads it: else a handler could act on what was not signed.
    #[test]
    fn handlers_read_the_query_that_was_signed() {
        let read = pairs(&"/path?name=a%20b%2B&x=1+1&x=&flag".parse().unwrap()).unwrap();
        let expected = [("name", "a b+"), ("x", "1+1"), ("x", ""), ("flag", "")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
