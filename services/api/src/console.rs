//! The console under `/console/`: the built files of `services/console`, as browsers ask for them.
//!
//! Open to everybody: the files hold nothing that is secret, and what the console shows it asks of the API, as whoever is signed
//! in. Does not know what is in them. Invariants: only a file that the build made is served; its page runs scripts and loads
//! styles of this server alone; a path that is of no file that the build could have made is a screen's, which the console reads in
//! the browser, so that every screen has an address, also one that ends in a code such as `IOTDA.014900`.

mod built;
mod conditions;

use std::{path::PathBuf, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::get,
};

use self::{
    built::{Built, File, IS_EMBEDDED},
    conditions::{Coding, accepted_codings, is_current},
};
use crate::http::{codes::Code, error::ApiError};

/// Whether the console was there when this program was built.
pub const CONSOLE_IS_EMBEDDED: bool = IS_EMBEDDED;

const ROOT: &str = "/console/";
const INDEX: &str = "index.html";
/// Where the build puts the files whose names hold a hash of their content, and nothing else.
const HASHED: &str = "assets/";
/// For a year, which is for good (RFC 9111 section 1.2.1): other content has another name.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// A browser asks whether it has changed: an index that names files of the last version would find none of them.
const ASK_FIRST: &str = "no-cache";
/// Style attributes are the components' (positions, sizes); style elements and scripts in the page are nobody's.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; \
                      img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";
const HTML: &str = "text/html; charset=utf-8";
/// The page where there is no console.
const NOT_BUILT: &str = include_str!("console/not_built.html");

/// The console, and the way to it from `/`. `folder`: where its files are, instead of those embedded.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(folder: Option<PathBuf>) -> Router<S> {
    let to_console = || std::future::ready(Redirect::temporary(ROOT));
    Router::new()
        .route("/console/", get(file))
        .route("/console/{*path}", get(file))
        .with_state(Arc::new(Built::new(folder)))
        .route("/", get(to_console))
        .route("/console", get(to_console))
}

async fn file(State(built): State<Arc<Built>>, uri: Uri, headers: HeaderMap) -> Response {
    // As it was sent: no file of the build has a name that would have to be encoded.
    let path = uri.path().strip_prefix(ROOT).unwrap_or_default();
    let (name, kind, is_screen) = match content_type(path) {
        Some(kind) => (path, kind, false),
        None if path.starts_with(HASHED) => return missing(),
        None => (INDEX, HTML, true),
    };
    let codings = accepted_codings(&headers);
    match find(&built, name, &codings).await {
        Some((file, coding)) => answer(name, kind, file, coding, &headers),
        None if is_screen => not_built(),
        None => missing(),
    }
}

/// The file in the first of the codings that the build has made, or as it is.
async fn find(built: &Built, name: &str, codings: &[Coding]) -> Option<(File, Option<Coding>)> {
    for coding in codings {
        if let Some(file) = built.read(&format!("{name}{}", coding.suffix())).await {
            return Some((file, Some(*coding)));
        }
    }
    built.read(name).await.map(|file| (file, None))
}

fn answer(name: &str, kind: &'static str, file: File, coding: Option<Coding>, asked: &HeaderMap) -> Response {
    let etag = file.etag();
    let is_current = is_current(asked, &etag);
    let mut response = Response::new(if is_current { Body::empty() } else { Body::from(file.bytes) });
    if is_current {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    let mut say = |name, text: &'static str| headers.insert(name, HeaderValue::from_static(text));
    say(header::CONTENT_TYPE, kind);
    say(header::CACHE_CONTROL, if name.starts_with(HASHED) { FOR_GOOD } else { ASK_FIRST });
    say(header::CONTENT_SECURITY_POLICY, POLICY);
    say(header::VARY, "accept-encoding");
    if let Some(coding) = coding {
        say(header::CONTENT_ENCODING, coding.name());
    }
    headers.insert(header::ETAG, etag);
    response
}

fn not_built() -> Response {
    let mut response = (StatusCode::NOT_FOUND, Html(NOT_BUILT)).into_response();
    // An error without one gets a body for programs.
    response.extensions_mut().insert(Code::NotFound);
    response
}

fn missing() -> Response {
    ApiError::new(Code::NotFound, "the console has no such file: load its page again").into_response()
}

/// Of the kinds of file that the build makes; `None`: it makes none such.
fn content_type(name: &str) -> Option<&'static str> {
    let (_, extension) = name.rsplit_once('.')?;
    Some(match extension {
        "css" => "text/css; charset=utf-8",
        "html" => HTML,
        "ico" => "image/x-icon",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        _ => return None,
    })
}
