//! The errors that every operation may answer with, for its declaration in the OpenAPI document.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{Ref, RefOr, Response},
};

/// Status, name in the document, when it is answered.
pub(super) const ERRORS: [(&str, &str, &str); 7] = [
    ("400", "BadRequest", "Something in the request is wrong; the text names it"),
    ("401", "Unauthorized", "Not authenticated"),
    ("403", "Forbidden", "Not permitted, or too many requests, or a resource space that does not exist"),
    ("404", "NotFound", "Something that the request names does not exist"),
    ("405", "MethodNotAllowed", "The path has no such method"),
    ("409", "Conflict", "It contradicts what exists"),
    ("503", "ServiceUnavailable", "It cannot be done at the moment; try again"),
];

/// Stands among the responses of an operation for all of [`ERRORS`].
pub(crate) struct Errors;

impl IntoResponses for Errors {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let named = |(status, name, _): (&str, &str, &str)| (status.to_owned(), Ref::from_response_name(name).into());
        ERRORS.into_iter().map(named).collect()
    }
}
