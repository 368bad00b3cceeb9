//! What has gone on in an instance in the last day, minute by minute: registrations, connections, refusals.
//!
//! For charts, not for audits. Registrations come from the directory, refusals from the attempts, both as far as they are kept;
//! connections are counted by each API process as it hears of them. Invariant: nothing is counted that belongs to another instance.

use std::collections::BTreeMap;

use axum::Json;
use rollcall_domain::{fleet::Role, time::Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

use crate::{
    context::InstanceContext,
    http::{error::ApiError, errors::Errors, extract::Query, route::Routes, times},
    instances::served::ServedInstance,
};

/// Milliseconds of a minute.
const MINUTE_MS: i64 = 60_000;
/// How far back it is told, minutes.
const MINUTES_MAX: i64 = 24 * 60;

/// From when on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct From {
    /// Not before this time, as `20151212T121212Z`; a day ago when absent or earlier.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    since: Option<String>,
}

/// What has gone on in an instance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Activity {
    /// The first minute that it tells of; RFC 3339, UTC.
    since: String,
    /// Oldest first; minutes in which nothing happened are left out.
    minutes: Vec<Minute>,
}

/// What happened in one minute.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(crate) struct Minute {
    /// When it began; RFC 3339, UTC.
    minute: String,
    /// Devices that registered or were entered then, and that there are still.
    registrations: u64,
    /// Connections that devices made, as far as the API process that answers was there.
    connects: u64,
    /// Connections that were refused, of those whose certificate leads to a verified CA certificate and that are still kept among
    /// the attempts.
    refusals: u64,
}

/// The operations, each with the least role that may do it.
pub(crate) fn routes() -> Routes {
    Routes::new().operation(Role::Viewer, routes!(show))
}

/// Show registrations, connections and refusals by the minute
#[utoipa::path(get, path = "/rollcall/v1/instances/{instance_id}/activity", tag = "Attempts",
    params(("instance_id" = String, Path), From), responses((status = 200, body = Activity), Errors))]
async fn show(context: InstanceContext, Query(from): Query<From>) -> Result<Json<Activity>, ApiError> {
    context.require_whole_instance()?;
    let wanted = from.since.map(|text| times::read("since", &text)).transpose()?;
    let day_ago = context.now().unix_ms().saturating_sub(MINUTES_MAX * MINUTE_MS);
    let since_ms = minute_of(wanted.map_or(day_ago, |wanted| wanted.unix_ms().max(day_ago)));
    let since = Timestamp::from_unix_ms(since_ms);
    let (instance, log) = (&context.instance, context.instance.log());
    let refusals = instance.attempts.refusals_since(&*instance.backbone.attempts, &log, since).await?;
    let look = move |instance: &ServedInstance| {
        Some((instance.view.registered_since(since)?, instance.view.connects_by_minute(since)?))
    };
    let (registered, connects) = instance.lookup(look).await?;
    let mut minutes: BTreeMap<i64, Minute> = BTreeMap::new();
    for at_ms in registered {
        minutes.entry(minute_of(at_ms)).or_default().registrations += 1;
    }
    for refusal in refusals {
        minutes.entry(minute_of(refusal.time.unix_ms())).or_default().refusals += 1;
    }
    for (minute_ms, connects) in connects {
        minutes.entry(minute_ms).or_default().connects += connects;
    }
    let shown = |(at_ms, minute)| Minute { minute: Timestamp::from_unix_ms(at_ms).to_string(), ..minute };
    Ok(Json(Activity { since: since.to_string(), minutes: minutes.into_iter().map(shown).collect() }))
}

/// The beginning of a minute.
fn minute_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(MINUTE_MS).saturating_mul(MINUTE_MS)
}
