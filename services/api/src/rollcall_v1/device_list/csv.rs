//! A list of devices as CSV (RFC 4180), to its end: read a page at a time as the client takes it.
//!
//! Invariants: no more than one page of it is held; a cell that a spreadsheet would take for a formula begins with an apostrophe;
//! what cannot be read to its end is cut off, so that nobody takes a part for the whole.

use std::{collections::BTreeMap, io};

use axum::{
    body::{Body, Bytes},
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use rollcall_domain::{
    fleet::Role,
    ids::{DeviceId, Position},
    registry::{Configuration, Device},
    time::Timestamp,
};
use rollcall_projection::directory::{Condition, DeviceQuery};
use utoipa_axum::routes;

use super::filter::{Found, ROWS_MAX, Wanted};
use crate::{
    context::InstanceContext,
    http::{codes::Code, error::ApiError, errors::Errors, extract::Query, route::Routes, times},
    instances::served::ServedInstance,
    streams::StreamSlot,
    v5::devices::{
        list::scope_condition,
        object::{app_name, product_name, status_name},
    },
};

/// Devices of one page of it.
const PAGE_DEVICES: usize = 500;
/// The first line.
const HEADER: &str = "device_id,node_id,device_name,app_id,app_name,product_id,product_name,status,create_time,certificate_end,\
                      refused_at,tags\r\n";

/// The operations, each with the least role that may do it.
pub(super) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(export))
}

/// List devices as CSV, to the end of the list
///
/// The columns are device_id, node_id, device_name, app_id, app_name, product_id, product_name, status, create_time, certificate_end,
/// refused_at and tags (`key=value`, with `;` between them). A cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return has an
/// apostrophe before it. Each counts as a search and, while it is read, as a stream of its operator.
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/device-list/csv", tag = "Devices",
    params(("instance_id" = String, Path), Wanted),
    responses((status = 200, body = String, content_type = "text/csv", description = "Newest first"), Errors))]
async fn export(context: InstanceContext, Query(wanted): Query<Wanted>) -> Result<Response, ApiError> {
    context.api.search_rate.check(&context.caller.operator).map_err(|wait| {
        ApiError::new(Code::RateLimited, format!("of searches by this operator: {wait}")).retry_after(wait.seconds)
    })?;
    let slot = context.api.streams.admit(&context.caller.operator)?;
    let Found { any_of, refused, is_whole } = wanted.found(&context).await?;
    if !is_whole {
        return Err(ApiError::invalid("q", "too many certificates have a name that begins so: give more of it"));
    }
    let scope = scope_condition(&context.caller);
    let mut export = Export { context, any_of, scope, refused, after: None, _slot: slot };
    // The first page before the head of the answer: what fails at once is an error and not a cut.
    let first = export.page().await?;
    let begun = Bytes::from([HEADER.as_bytes(), &first.lines].concat());
    let body = stream::unfold((Some(begun), first.goes_on.then_some(export)), async |(ready, export)| {
        if let Some(ready) = ready {
            return Some((Ok(ready), (None, export)));
        }
        let mut export = export?;
        Some(match export.page().await {
            Ok(page) => (Ok(Bytes::from(page.lines)), (None, page.goes_on.then_some(export))),
            Err(error) => (Err(io::Error::other(error.message)), (None, None)),
        })
    });
    let head = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"devices.csv\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((head, Body::from_stream(body)).into_response())
}

struct Export {
    context: InstanceContext,
    any_of: Vec<Vec<Condition>>,
    scope: Option<Condition>,
    refused: BTreeMap<DeviceId, Timestamp>,
    /// The last device that was looked at.
    after: Option<Position>,
    _slot: StreamSlot,
}

struct Lines {
    lines: Vec<u8>,
    goes_on: bool,
}

impl Export {
    /// The lines of the next page. Each page asks anew whether the caller may: it takes as long as the client does.
    async fn page(&mut self) -> Result<Lines, ApiError> {
        let api = &self.context.api;
        let fleet = api.fleet();
        if api.streams.stop.is_cancelled() || !self.context.caller.still_holds(api, &fleet.fleet).await? {
            return Err(ApiError::new(
                Code::Unauthenticated,
                "the caller's credentials hold no longer, or the process stops",
            ));
        }
        let (any_of, scope, after) = (self.any_of.clone(), self.scope.clone(), self.after);
        let refused = std::mem::take(&mut self.refused);
        let look = move |instance: &ServedInstance| {
            let status = |device: &Device| instance.status_of(device);
            let all = DeviceQuery::all(PAGE_DEVICES, &status);
            let mut query = DeviceQuery { any_of, after, online: Some(instance.devices.presence()), ..all };
            if let Some(scope) = &scope {
                query.narrow(scope);
            }
            let page = instance.view.list_within(&query, Some(ROWS_MAX))?;
            let configuration = instance.configuration();
            let mut lines = Vec::new();
            for listed in &page.devices {
                write_line(&mut lines, &cells(instance, &configuration, &listed.device, &refused));
            }
            let goes_on = page.stopped_at.is_some() || page.devices.len() == PAGE_DEVICES;
            Some((Lines { lines, goes_on }, page.last(), refused))
        };
        let (lines, last, refused) = self.context.instance.lookup(look).await?;
        (self.after, self.refused) = (last, refused);
        Ok(lines)
    }
}

fn cells(
    instance: &ServedInstance,
    configuration: &Configuration,
    device: &Device,
    refused: &BTreeMap<DeviceId, Timestamp>,
) -> [String; 12] {
    let tags: Vec<String> = device.tags.iter().map(|tag| format!("{}={}", tag.key, tag.value)).collect();
    [
        device.id.to_string(),
        device.node_id.to_string(),
        device.name.as_deref().unwrap_or_default().to_owned(),
        device.space.to_string(),
        app_name(configuration, device),
        device.product.to_string(),
        product_name(configuration, device),
        status_name(instance.status_of(device)).to_owned(),
        times::basic(device.registered_at),
        super::certificate_end(device).unwrap_or_default(),
        refused.get(&device.id).copied().map(times::basic).unwrap_or_default(),
        tags.join(";"),
    ]
}

/// RFC 4180 section 2: what has a comma, a quote or a line break stands in quotes, and a quote in it is doubled.
fn write_line(lines: &mut Vec<u8>, cells: &[String]) {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            lines.push(b',');
        }
        // What spreadsheets take for a formula, whatever is quoted around it.
        let defused = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        if cell.contains([',', '"', '\r', '\n']) {
            let quoted = format!("\"{defused}{}\"", cell.replace('"', "\"\""));
            lines.extend_from_slice(quoted.as_bytes());
        } else {
            lines.extend_from_slice(defused.as_bytes());
            lines.extend_from_slice(cell.as_bytes());
        }
    }
    lines.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must_be_and_formulas_defused() {
        let mut lines = Vec::new();
        let cells = ["plain", "", "a,b", "say \"x\"", "two\r\nlines", "=1+1", "+1", "-1", "@x", "\tx", "\r,", "a=1", "'x"];
        write_line(&mut lines, &cells.map(str::to_owned));
        let expected = "plain,,\"a,b\",\"say \"\"x\"\"\",\"two\r\nlines\",'=1+1,'+1,'-1,'@x,'\tx,\"'\r,\",a=1,'x\r\n";
        assert_eq!(String::from_utf8(lines).unwrap(), expected);
    }
}
