//! Comparisons with times, as periods: a time that is written in seconds stands for all of its second.
//!
//! Invariant: a device equals a time if it lies within its period and differs from it if it lies outside.

use rollcall_domain::time::Timestamp;
use rollcall_projection::directory::{Condition, ValueTest};
use rollcall_search_language::Operator;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::http::{error::ApiError, times};

/// Milliseconds, the first and the last one.
type Period = (i64, i64);

/// A comparison as conditions: it holds if all of any of these hold.
///
/// # Errors
/// [`Code::InvalidInput`](crate::http::codes::Code::InvalidInput) for what is no time.
pub(super) fn choices(operator: &Operator) -> Result<Vec<Vec<Condition>>, ApiError> {
    let all = |values: &[String]| values.iter().map(|value| period(value)).collect::<Result<Vec<_>, _>>();
    Ok(match operator {
        Operator::Equals(value) => vec![within(period(value)?)],
        Operator::In(values) => all(values)?.into_iter().map(within).collect(),
        Operator::NotEquals(value) => outside(vec![period(value)?]),
        Operator::NotIn(values) => outside(all(values)?),
        Operator::GreaterThan(value) => vec![vec![after(period(value)?.1)]],
        Operator::LessThan(value) => vec![vec![before(period(value)?.0)]],
        Operator::StartsWith(_) => return Err(ApiError::invalid("sql", "create_time has no beginning to compare")),
    })
}

fn period(text: &str) -> Result<Period, ApiError> {
    if let Ok(at) = times::read("create_time", text) {
        return Ok((at.unix_ms(), at.unix_ms().saturating_add(999)));
    }
    let at = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
        let rule = format!("create_time is {text:?}: give a time such as 20151212T121212Z or 2015-12-12T12:12:12.345Z");
        ApiError::invalid("sql", rule)
    })?;
    let ms = i64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    Ok((ms, ms))
}

fn within((first, last): Period) -> Vec<Condition> {
    vec![after(first.saturating_sub(1)), before(last.saturating_add(1))]
}

/// What lies before, between and after some periods.
fn outside(mut periods: Vec<Period>) -> Vec<Vec<Condition>> {
    periods.sort_unstable();
    let mut choices = Vec::new();
    let mut last: Option<i64> = None;
    for (first, end) in periods {
        choices.push(last.map(after).into_iter().chain([before(first)]).collect());
        last = Some(last.map_or(end, |last| last.max(end)));
    }
    choices.push(last.map(after).into_iter().collect());
    choices
}

fn after(ms: i64) -> Condition {
    Condition::CreateTime(ValueTest::Gt(Timestamp::from_unix_ms(ms)))
}

fn before(ms: i64) -> Condition {
    Condition::CreateTime(ValueTest::Lt(Timestamp::from_unix_ms(ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a device that was created at `ms` after 2026-01-01T00:00:00Z is meant.
    fn holds(operator: &Operator, ms: i64) -> bool {
        let at = Timestamp::from_unix_ms(1_767_225_600_000 + ms);
        choices(operator)
            .unwrap()
            .iter()
            .any(|all_of| all_of.iter().all(|condition| matches!(condition, Condition::CreateTime(test) if test.holds(&at))))
    }

    #[test]
    fn a_time_in_seconds_stands_for_its_second() {
        let time = || "20260101T000000Z".to_owned();
        let later = || "20260101T000002Z".to_owned();
        let cases: [(Operator, &[i64]); 6] = [
            (Operator::Equals(time()), &[0, 500, 999]),
            (Operator::NotEquals(time()), &[-1, 1000, 2000, 2999, 3000]),
            (Operator::GreaterThan(time()), &[1000, 2000, 2999, 3000]),
            (Operator::LessThan(time()), &[-1]),
            (Operator::In(vec![later(), time()]), &[0, 500, 999, 2000, 2999]),
            (Operator::NotIn(vec![later(), time()]), &[-1, 1000, 3000]),
        ];
        for (operator, meant) in cases {
            let found: Vec<i64> =
                [-1, 0, 500, 999, 1000, 2000, 2999, 3000].into_iter().filter(|ms| holds(&operator, *ms)).collect();
            assert_eq!(found, meant, "{operator:?}");
        }
        assert!(holds(&Operator::Equals("2026-01-01T00:00:00.500Z".into()), 500));
        assert!(!holds(&Operator::Equals("2026-01-01T00:00:00.500Z".into()), 501));
    }
}
