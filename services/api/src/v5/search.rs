//! SearchDevices: a statement in SQL becomes a query of the directory.
//!
//! `rollcall-search-language` parses the statement. Invariant: every comparison of the statement is a condition on what is answered, and the
//! caller's scope is one more.

mod found_device;
mod time_comparisons;

use axum::Json;
use rollcall_domain::{fleet::Role, ids::Position, registry::Device};
use rollcall_projection::directory::{Condition, DeviceQuery, DeviceStatus, Order, TextTest, ValueTest};
use rollcall_search_language::{self as sql, Comparison, Field, Operator, Select, Statement};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::routes;

use self::found_device::FoundDevice;
use super::devices::{list::scope_condition, object::NODE_TYPE};
use crate::{
    context::InstanceContext,
    http::{codes::Code, error::ApiError, errors::Errors, extract::Body, paging::position_of, route::Routes},
};

/// Groups of conditions that a statement may expand to: lists of times multiply.
const ALTERNATIVES_MAX: usize = 200;

/// What to search for.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Search {
    /// `select [fields|*|count(*)] from device [where …] [order by marker asc|desc] [limit [offset,] rows]`.
    #[schema(
        max_length = 400,
        pattern = "^\\s*[sS][eE][lL][eE][cC][tT]\\s",
        example = "select * from device where node_id like 'truck%' limit 10"
    )]
    sql: String,
}

/// What was found: `devices`, or for `count(*)` the `count`.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Found {
    /// In the order that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    devices: Option<Vec<FoundDevice>>,
    /// How many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(search))
}

/// Search devices by SQL
#[utoipa::path(post, path = "/v5/iot/{project_id}/search/query-devices", tag = "Devices",
    params(("project_id" = String, Path)),
    request_body = Search, responses((status = 200, body = Found), Errors))]
async fn search(context: InstanceContext, Body(search): Body<Search>) -> Result<Json<Found>, ApiError> {
    context.api.search_rate.check(&context.caller.operator).map_err(|wait| {
        ApiError::new(Code::RateLimited, format!("of searches by this operator: {wait}")).retry_after(wait.seconds)
    })?;
    let statement = sql::parse(&search.sql).map_err(|error| ApiError::invalid("sql", error))?;
    let any_of = alternatives(&statement)?;
    let scope = scope_condition(&context.caller);
    let found = context.instance.lookup(move |instance| {
        let status = |device: &Device| instance.status_of(device);
        let mut query = DeviceQuery {
            any_of,
            order: match statement.order {
                sql::Order::Ascending => Order::OldestFirst,
                sql::Order::Descending => Order::NewestFirst,
            },
            after: None,
            offset: statement.offset as usize,
            limit: statement.limit as usize,
            status: &status,
            online: Some(instance.devices.presence()),
        };
        if let Some(scope) = &scope {
            query.narrow(scope);
        }
        if statement.select == Select::Count {
            return Some(Found { count: Some(instance.view.count(&query)?), devices: None });
        }
        let configuration = instance.configuration();
        let devices = instance.view.list(&query)?.devices;
        let shown = devices.iter().map(|listed| FoundDevice::of(instance, &configuration, listed, &statement.select));
        Some(Found { devices: Some(shown.collect()), count: None })
    });
    found.await.map(Json)
}

/// Each group of comparisons as the groups of conditions that it expands to.
fn alternatives(statement: &Statement) -> Result<Vec<Vec<Condition>>, ApiError> {
    let mut any_of = Vec::new();
    for group in &statement.any_of {
        let mut alternatives: Vec<Vec<Condition>> = vec![Vec::new()];
        for comparison in group {
            let choices = choices(comparison)?;
            let both = |left: &Vec<Condition>, right: &Vec<Condition>| [&left[..], &right[..]].concat();
            alternatives = alternatives.iter().flat_map(|left| choices.iter().map(move |right| both(left, right))).collect();
            if alternatives.len() > ALTERNATIVES_MAX {
                return Err(ApiError::invalid("sql", "compares with too many times at once: ask for fewer"));
            }
        }
        any_of.extend(alternatives);
    }
    Ok(any_of)
}

/// A comparison as conditions: it holds if all of any of these hold.
fn choices(comparison: &Comparison) -> Result<Vec<Vec<Condition>>, ApiError> {
    let text = |condition: fn(TextTest) -> Condition| Ok(vec![vec![condition(text_test(comparison)?)]]);
    match comparison.field {
        Field::AppId => text(Condition::Space),
        // A direct device is its own gateway.
        Field::DeviceId | Field::GatewayId => text(Condition::DeviceId),
        Field::ProductId => text(Condition::Product),
        Field::DeviceName => text(Condition::Name),
        Field::NodeId => text(Condition::NodeId),
        Field::NodeType => text(|test| Condition::Constant(test.holds(Some(NODE_TYPE)))),
        Field::TagKey => text(Condition::TagKey),
        Field::TagValue => text(Condition::TagValue),
        Field::SwVersion | Field::FwVersion | Field::GroupId => text(|test| Condition::Constant(test.holds(None))),
        Field::Status => Ok(vec![vec![Condition::Status(value_test(comparison, status)?)]]),
        Field::Marker => Ok(vec![vec![Condition::Created(value_test(comparison, marker)?)]]),
        Field::CreateTime => time_comparisons::choices(&comparison.operator),
    }
}

fn text_test(comparison: &Comparison) -> Result<TextTest, ApiError> {
    let all = |values: &[String]| values.iter().map(|value| value.as_str().into()).collect();
    Ok(match &comparison.operator {
        Operator::Equals(value) => TextTest::Eq(value.as_str().into()),
        Operator::NotEquals(value) => TextTest::Ne(value.as_str().into()),
        Operator::StartsWith(prefix) => TextTest::Prefix(prefix.as_str().into()),
        Operator::In(values) => TextTest::In(all(values)),
        Operator::NotIn(values) => TextTest::NotIn(all(values)),
        Operator::GreaterThan(_) | Operator::LessThan(_) => return Err(has_no(comparison, "order")),
    })
}

fn value_test<T>(comparison: &Comparison, read: impl Fn(&str) -> Result<T, ApiError>) -> Result<ValueTest<T>, ApiError> {
    let all = |values: &[String]| values.iter().map(|value| read(value)).collect::<Result<Vec<_>, _>>();
    Ok(match &comparison.operator {
        Operator::Equals(value) => ValueTest::Eq(read(value)?),
        Operator::NotEquals(value) => ValueTest::Ne(read(value)?),
        Operator::GreaterThan(value) => ValueTest::Gt(read(value)?),
        Operator::LessThan(value) => ValueTest::Lt(read(value)?),
        Operator::In(values) => ValueTest::In(all(values)?),
        Operator::NotIn(values) => ValueTest::NotIn(all(values)?),
        Operator::StartsWith(_) => return Err(has_no(comparison, "beginning")),
    })
}

/// The parser refuses these already; here they could only match nothing.
fn has_no(comparison: &Comparison, what: &str) -> ApiError {
    ApiError::invalid("sql", format!("{} has no {what} to compare", comparison.field))
}

fn status(text: &str) -> Result<DeviceStatus, ApiError> {
    use super::devices::object::status_name;
    let all =
        [DeviceStatus::Online, DeviceStatus::Offline, DeviceStatus::Abnormal, DeviceStatus::Inactive, DeviceStatus::Frozen];
    all.into_iter().find(|status| status_name(*status) == text).ok_or_else(|| {
        let rule = format!("status is {text:?}: give ONLINE, OFFLINE, ABNORMAL, INACTIVE or FROZEN");
        ApiError::invalid("sql", rule)
    })
}

fn marker(text: &str) -> Result<Position, ApiError> {
    position_of(text).ok_or_else(|| ApiError::invalid("sql", format!("marker is {text:?}: give 24 hex digits")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queried(sql: &str) -> Result<Vec<Vec<Condition>>, ApiError> {
        alternatives(&sql::parse(sql).unwrap())
    }

    #[test]
    fn every_comparison_is_a_condition() {
        let found = queried(
            "select * from device where app_id = 'a' and status in ('ONLINE','FROZEN') \
             or node_id like 'truck%' and tag_key != 'x'",
        );
        let expected = vec![
            vec![
                Condition::Space(TextTest::Eq("a".into())),
                Condition::Status(ValueTest::In(vec![DeviceStatus::Online, DeviceStatus::Frozen])),
            ],
            vec![Condition::NodeId(TextTest::Prefix("truck".into())), Condition::TagKey(TextTest::Ne("x".into()))],
        ];
        assert_eq!(found.unwrap(), expected);
        assert_eq!(queried("select count(*) from device").unwrap(), [[]; 0]);
    }

    #[test]
    fn a_value_that_no_device_can_have_is_named() {
        for wrong in ["status = 'online'", "marker > '12'", "create_time = 'today'"] {
            let error = queried(&format!("select * from device where {wrong}")).unwrap_err();
            assert_eq!(error.code, Code::InvalidInput, "{wrong}");
        }
        let many = "('20260101T000000Z','20260102T000000Z','20260103T000000Z')";
        let all = format!("create_time not in {many} and create_time not in {many} and create_time not in {many}");
        assert_eq!(queried(&format!("select * from device where {all}")).unwrap().len(), 64);
    }
}
