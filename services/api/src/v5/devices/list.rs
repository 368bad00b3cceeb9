//! Listing devices by the values of their fields, newest first.
//!
//! SQL is in `search`, prefixes in `rollcall_v1::devices`. Invariant: a device out of the caller's scope is neither listed nor
//! counted.

use axum::Json;
use rollcall_domain::{
    fleet::Role,
    registry::{Configuration, Device},
    time::Timestamp,
};
use rollcall_projection::directory::{Condition, DeviceQuery, Order, TextTest, ValueTest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use super::object::DeviceSummary;
use crate::{
    context::{Caller, InstanceContext},
    http::{
        codes::Code,
        error::ApiError,
        errors::Errors,
        extract::Query,
        paging::{Page, PageQuery, PageRequest, marker_of, position_of},
        route::Routes,
        times,
    },
    instances::served::ServedInstance,
};

/// Milliseconds that one time of a filter stands for: it is written in seconds.
const SECOND_MS: i64 = 1000;

/// Which devices to list. Every field that is given must match, and match whole.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Of this product.
    #[param(max_length = 36)]
    product_id: Option<String>,
    /// Behind this gateway: with every device a direct one, the device itself.
    #[param(max_length = 128)]
    gateway_id: Option<String>,
    /// Whether to list what is further behind `gateway_id`, too: nothing is.
    #[expect(dead_code, reason = "both values come to the same here, and what is neither is refused")]
    is_cascade_query: Option<bool>,
    /// With this node id.
    #[param(max_length = 64)]
    node_id: Option<String>,
    /// With this name.
    #[param(max_length = 256)]
    device_name: Option<String>,
    /// Registered then or later; UTC, as `20151212T121212Z`.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    start_time: Option<String>,
    /// Registered then or earlier; UTC, as `20151212T121212Z`.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    end_time: Option<String>,
    /// Of this resource space.
    #[param(max_length = 36)]
    app_id: Option<String>,
}

/// One page of devices.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Devices {
    /// Newest first.
    devices: Vec<DeviceSummary>,
    /// Which page it is.
    page: Page,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(list))
}

/// List devices
#[utoipa::path(get, path = "/v5/iot/{project_id}/devices", tag = "Devices",
    params(("project_id" = String, Path), PageQuery, Filter),
    responses((status = 200, body = Devices), Errors))]
async fn list(
    context: InstanceContext,
    Query(page): Query<PageQuery>,
    Query(filter): Query<Filter>,
) -> Result<Json<Devices>, ApiError> {
    let wanted = page.wanted()?;
    let conditions = filter.conditions(&context)?;
    let found = page_of(&context, vec![conditions], wanted, DeviceSummary::of).await?;
    Ok(Json(Devices { devices: found.0, page: found.1 }))
}

/// The condition on one field of a device.
type OfText = fn(TextTest) -> Condition;

impl Filter {
    fn conditions(self, context: &InstanceContext) -> Result<Vec<Condition>, ApiError> {
        let mut conditions = Vec::new();
        if let Some(space) = context.space_filter(self.app_id.as_deref())? {
            conditions.push(Condition::Space(TextTest::Eq(space.as_str().into())));
        }
        let texts: [(Option<String>, OfText); 4] = [
            (self.product_id, Condition::Product),
            // A direct device is its own gateway.
            (self.gateway_id, Condition::DeviceId),
            (self.node_id, Condition::NodeId),
            (self.device_name, Condition::Name),
        ];
        for (text, condition) in texts {
            let text = text.filter(|text| !text.is_empty());
            conditions.extend(text.map(|text| condition(TextTest::Eq(text.into()))));
        }
        let bounds = [("start_time", self.start_time), ("end_time", self.end_time)];
        conditions.extend(period(bounds, Condition::CreateTime)?);
        Ok(conditions)
    }
}

/// The conditions on a time that is in a period, whose bounds are fields of a filter. Both are within it, as long as a second is.
///
/// # Errors
/// [`Code::TimeFormat`], [`Code::TimeOrder`].
pub(crate) fn period(
    [(start_field, start), (end_field, end)]: [(&str, Option<String>); 2],
    condition: fn(ValueTest<Timestamp>) -> Condition,
) -> Result<Vec<Condition>, ApiError> {
    let start = start.map(|text| times::read(start_field, &text)).transpose()?;
    let end = end.map(|text| times::read(end_field, &text)).transpose()?;
    if start.zip(end).is_some_and(|(start, end)| end < start) {
        let text = format!("{end_field} is before {start_field}: give a period that has begun first");
        return Err(ApiError::new(Code::TimeOrder, text));
    }
    let from = start.map(|start| condition(ValueTest::Gt(later(start, -1))));
    let until = end.map(|end| condition(ValueTest::Lt(later(end, SECOND_MS))));
    Ok(from.into_iter().chain(until).collect())
}

fn later(at: Timestamp, ms: i64) -> Timestamp {
    Timestamp::from_unix_ms(at.unix_ms().saturating_add(ms))
}

/// One page of the devices in scope that satisfy all conditions of any group, and the number of all of them.
///
/// # Errors
/// [`ApiError::not_ready`].
pub(crate) async fn page_of<T: Send + 'static>(
    context: &InstanceContext,
    any_of: Vec<Vec<Condition>>,
    wanted: PageRequest,
    shown: impl Fn(&ServedInstance, &Configuration, &Device) -> T + Send + 'static,
) -> Result<(Vec<T>, Page), ApiError> {
    let (devices, page, _) = page_within(context, any_of, wanted, None, shown).await?;
    Ok((devices, page))
}

/// The same, looking at no more than `rows_max` devices for the page and for the number, if that is given; then whether the
/// number is whole. A page that was left off so goes on at its marker, also if it is empty.
///
/// # Errors
/// As [`page_of`].
pub(crate) async fn page_within<T: Send + 'static>(
    context: &InstanceContext,
    any_of: Vec<Vec<Condition>>,
    wanted: PageRequest,
    rows_max: Option<u64>,
    shown: impl Fn(&ServedInstance, &Configuration, &Device) -> T + Send + 'static,
) -> Result<(Vec<T>, Page, bool), ApiError> {
    let scope = scope_condition(&context.caller);
    context
        .instance
        .lookup(move |instance| {
            let status = |device: &Device| instance.status_of(device);
            let mut query = DeviceQuery {
                any_of,
                order: Order::NewestFirst,
                after: wanted.marker.as_deref().and_then(position_of),
                offset: wanted.offset,
                limit: wanted.limit,
                status: &status,
                online: Some(instance.devices.presence()),
            };
            if let Some(scope) = &scope {
                query.narrow(scope);
            }
            let found = instance.view.list_within(&query, rows_max)?;
            let number = instance.view.count_within(&query, rows_max)?;
            let marker = found.last().map(marker_of);
            let configuration = instance.configuration();
            let devices = found.devices.iter().map(|listed| shown(instance, &configuration, &listed.device)).collect();
            Some((devices, Page { count: number.count, marker }, number.is_whole))
        })
        .await
}

/// The condition that every device in the caller's scope fulfils; `None`: the scope is not limited.
pub(crate) fn scope_condition(caller: &Caller) -> Option<Condition> {
    let spaces = caller.scope.spaces.as_ref()?;
    Some(Condition::Space(TextTest::In(spaces.iter().map(|space| space.as_str().into()).collect())))
}
