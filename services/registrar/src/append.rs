//! The log's word on a draft: its records follow on the expected position, or nothing of it was ever said.
//!
//! Not for deciding. Invariant: a draft counts as confirmed only if the log ended at the expected position when its
//! records were appended, or after everything in it was decided if it has none. So whatever the decisions looked up, a
//! moving view included, was no later state than the one they were meant for.

use std::time::Duration;

use rollcall_backbone::{
    BackboneError,
    log::{AppendError, RegistryLog},
};
use rollcall_domain::ids::{LogId, Position};
use tokio::time::Instant;

use crate::{
    metrics::{Again, metrics},
    ruling::Draft,
};

/// How long an append may take. One that is given up may still come about: the log is looked at before anything else.
const APPEND: Duration = Duration::from_secs(8);

/// Has the log confirm a draft; returns where the log ends then.
pub(crate) async fn confirm(
    log: &dyn RegistryLog,
    id: &LogId,
    expected: Position,
    draft: &Draft,
) -> Result<Position, Again> {
    if draft.records.is_empty() {
        return if draft.depends_on_the_end() { still_ends_at(log, id, expected).await } else { Ok(expected) };
    }
    let began = Instant::now();
    let appended = tokio::time::timeout(APPEND, log.append(id, expected, draft.records.clone())).await;
    match appended {
        Ok(Ok(last)) => {
            metrics().appended(draft.records.len(), began.elapsed());
            Ok(last)
        }
        Ok(Err(AppendError::Conflict { .. })) => Err(Again::Conflict),
        Ok(Err(AppendError::Backbone(error))) => Err(unknown(id, &error.to_string())),
        Err(_) => Err(unknown(id, "it did not answer in time")),
    }
}

/// A refusal and an "already so" write nothing, so nothing fences them. They may have been judged by a view that another
/// registrar's records had just reached; only if the log still ends where it did can that not have been.
async fn still_ends_at(log: &dyn RegistryLog, id: &LogId, expected: Position) -> Result<Position, Again> {
    match log.last(id).await {
        Ok(last) if last == expected => Ok(last),
        Ok(_) => Err(Again::Conflict),
        Err(error) => Err(unavailable(id, &error)),
    }
}

fn unavailable(id: &LogId, error: &BackboneError) -> Again {
    tracing::warn!(log = %id, %error, "the end of the log is not known");
    Again::Unavailable
}

fn unknown(id: &LogId, reason: &str) -> Again {
    tracing::warn!(log = %id, reason, "it is not known whether an append took place: looking at the log");
    Again::Unavailable
}
