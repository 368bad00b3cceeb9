//! The pages of codes, for whoever shows a code to a person.

use axum::{Json, extract::Path};
use rollcall_domain::fleet::Role;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::routes;

use crate::{
    code_pages::{CodePage, code_page},
    context::FleetContext,
    http::{codes::Code, error::ApiError, errors::Errors, route::Routes},
};

/// What a code means.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CodeExplained {
    /// As refusals, rejections and errors have it.
    code: String,
    /// What it means, in a sentence.
    title: String,
    /// Whose fault it is, why it happens, what to do: CommonMark with tables.
    markdown: String,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(show))
}

/// Show what a code means and what to do
#[utoipa::path(get, path = "/rollcall/v1/codes/{code}", tag = "Attempts",
    params(("code" = String, Path, description = "Of a refusal, a rejection or an error, such as `certificate_mismatch`")),
    responses((status = 200, body = CodeExplained), Errors))]
async fn show(_context: FleetContext, Path(code): Path<String>) -> Result<Json<CodeExplained>, ApiError> {
    let page = code_page(&code).ok_or_else(|| ApiError::new(Code::NotFound, format!("there is no code {code:?}")))?;
    let CodePage { title, markdown } = page;
    Ok(Json(CodeExplained { code, title, markdown }))
}
