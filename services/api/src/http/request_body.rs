//! The body of a request, read whole under its limits of bytes and time, and under what bodies may hold of which nobody knows yet
//! who sends them.
//!
//! Invariant: of a body that is refused nothing is kept.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, HttpBody as _},
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use rollcall_chassis::sources::{Exhausted, Share};

use crate::{
    http::{codes::Code, error::ApiError, peer::Peer},
    state::Api,
};

/// How long a body may take to arrive.
const BODY_TIME_MAX: Duration = Duration::from_secs(30);
/// Largest body of a request to an operation without authentication, bytes: a name and a password.
const OPEN_BODY_BYTES_MAX: u64 = 16 * 1024;
/// After which a client that found no room for its body may try again, seconds.
const ROOM_RETRY_S: u64 = 2;

/// The body, within `bytes_max`; its bytes are taken of `share` as they arrive, unless the caller is known.
///
/// # Errors
/// [`Code::BodyTooLarge`]; [`Code::Overloaded`] and [`Code::RateLimited`] if the share cannot grow; [`Code::MalformedBody`] if it
/// does not arrive.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    bytes_max: u64,
    share: Option<&mut Share>,
) -> Result<Bytes, ApiError> {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > bytes_max) {
        return Err(too_large(bytes_max));
    }
    match tokio::time::timeout(BODY_TIME_MAX, collect(body, bytes_max, share)).await {
        Ok(read) => read,
        Err(_) => {
            let seconds = BODY_TIME_MAX.as_secs();
            Err(ApiError::new(Code::MalformedBody, format!("the body did not arrive within {seconds} s")))
        }
    }
}

async fn collect(mut body: Body, bytes_max: u64, mut share: Option<&mut Share>) -> Result<Bytes, ApiError> {
    let mut whole = Vec::new();
    while !body.is_end_stream() {
        let Some(frame) = body.frame().await else { break };
        let failed = |error| ApiError::new(Code::MalformedBody, format!("the body did not arrive whole: {error}"));
        // Trailers mean nothing here.
        let Ok(data) = frame.map_err(failed)?.into_data() else { continue };
        if (whole.len() as u64).saturating_add(data.len() as u64) > bytes_max {
            return Err(too_large(bytes_max));
        }
        if let Some(share) = share.as_deref_mut() {
            share.take(data.len() as u64).map_err(no_room)?;
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

fn too_large(bytes_max: u64) -> ApiError {
    ApiError::new(Code::BodyTooLarge, format!("the body has more than {bytes_max} bytes"))
}

fn no_room(why: Exhausted) -> ApiError {
    let (code, text) = match why {
        Exhausted::Whole => (Code::Overloaded, "requests that are not proven yet send more than this process takes on"),
        Exhausted::Source => (Code::RateLimited, "requests that are not proven yet send too much from this address"),
    };
    ApiError::new(code, format!("{text}: send fewer bodies at a time, and try again")).retry_after(ROOM_RETRY_S)
}

/// The middleware around operations without authentication: their bodies are read as those that nobody has proven.
pub(super) async fn read_open(State(api): State<Arc<Api>>, request: Request, next: Next) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let mut share = parts.extensions.get::<Arc<Peer>>().map(|peer| api.unproven_bodies.share(peer.source()));
    let body = read(&parts.headers, body, OPEN_BODY_BYTES_MAX, share.as_mut()).await?;
    // The share lasts as long as the request.
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

#[cfg(test)]
mod tests {
    use rollcall_chassis::sources::{SharedBound, SourceNetwork};

    use super::*;

    #[tokio::test]
    async fn a_body_is_taken_up_to_its_limit_whether_its_length_is_told_or_not() {
        let mut declared = HeaderMap::new();
        assert_eq!(read(&declared, Body::from("12345"), 5, None).await.unwrap(), "12345");
        assert_eq!(read(&declared, Body::from("123456"), 5, None).await.unwrap_err().code, Code::BodyTooLarge);
        declared.insert(header::CONTENT_LENGTH, 6.into());
        assert_eq!(read(&declared, Body::empty(), 5, None).await.unwrap_err().code, Code::BodyTooLarge);
    }

    #[tokio::test]
    async fn a_body_takes_its_bytes_of_the_share_and_gives_them_back() {
        let (bound, headers) = (SharedBound::new(10, 2), HeaderMap::new());
        let source = |n| SourceNetwork::of([192, 0, 2, n].into());
        let mut first = bound.share(source(1));
        read(&headers, Body::from("12345"), 100, Some(&mut first)).await.unwrap();
        assert_eq!(bound.held(), 5);
        let error = read(&headers, Body::from("1"), 100, Some(&mut bound.share(source(1)))).await.unwrap_err();
        assert_eq!((error.code, error.retry_after_s), (Code::RateLimited, Some(ROOM_RETRY_S)));
        let error = read(&headers, Body::from("123456"), 100, Some(&mut bound.share(source(2)))).await.unwrap_err();
        assert_eq!((error.code, error.retry_after_s), (Code::Overloaded, Some(ROOM_RETRY_S)));
        assert_eq!(bound.held(), 5);
        drop(first);
        assert_eq!(bound.held(), 0);
    }
}
