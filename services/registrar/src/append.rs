//! The log's word on a draft: its records follow on the expected position, or nothing of it was ever said.
//!
//! Decides nothing. Invariant: a draft counts as confirmed only if the log ended at the expected position when its
//! records were appended, or after everything in it was decided if it has none. So whatever the decisions looked up, a
//! moving view included, was no later state than the one they were meant for.

use std::{sync::Arc, time::Duration};

use rollcall_domain::ids::{LogId, Position};
use rollcall_log::{
    BackboneError,
    log::{AppendError, Batch, RegistryLog},
    seal::{self, Digest, SealedLog, Sealing},
    signing::SigningKey,
};
use tokio::time::Instant;

use crate::{
    draft::Draft,
    log_state::Tip,
    metrics::{RetryReason, metrics},
    notices::Notices,
};

/// How long an append may take. One that is given up may still come about: the log is looked at before anything else.
const APPEND: Duration = Duration::from_secs(8);

/// A batch that is ready to be appended.
pub(crate) struct Sealed {
    batch: Batch,
    /// Where the log ends before it.
    end: Tip,
    /// The digest after it, and how what follows on it has to be proven.
    after: (Digest, Sealing),
}

/// What is to be appended of a draft, sealed for the place after `end` as far as the log is. Hashing and signing are done off
/// the runtime's threads.
pub(crate) async fn sealed(
    key: &Arc<SigningKey>,
    log: &SealedLog,
    end: Tip,
    draft: &Draft,
    notices: &Notices,
) -> Result<Sealed, RetryReason> {
    let batch = Batch { seal: None, records: draft.records.clone() };
    let unsealed = |batch| Sealed { batch, end, after: (end.digest, end.sealing) };
    if batch.records.is_empty() {
        return Ok(unsealed(batch));
    }
    match end.sealing {
        // No registrar seals on the digest before the log is adopted: it may stay as it was.
        Sealing::Unsigned if end.position > Position::START => return Ok(unsealed(batch)),
        // A log made by this version begins with a seal.
        Sealing::Unsigned | Sealing::Awaited => {}
        Sealing::By(current) if current == key.public() => {}
        Sealing::By(current) => {
            if let Some(left_out) = notices.appending.failed(current.id()) {
                tracing::error!(log = %log.log, current = %current.id(), ours = %key.public().id(), left_out,
                    "the log is sealed by another key than this registrar's: give it the current one");
            }
            return Err(RetryReason::OtherKey);
        }
    }
    let (key, log) = (Arc::clone(key), log.clone());
    let sealed = tokio::task::spawn_blocking(move || {
        let seal = seal::seal(&key, &log, (end.position, end.digest), &batch.records);
        let after = (seal.after, Sealing::By(key.public()));
        Sealed { batch: Batch { seal: Some(seal), ..batch }, end, after }
    });
    sealed.await.map_err(|_| RetryReason::Unavailable)
}

/// Has the log confirm a draft; returns where the log ends then.
pub(crate) async fn confirm(
    log: &dyn RegistryLog,
    id: &LogId,
    sealed: Sealed,
    depends_on_the_end: bool,
    notices: &Notices,
) -> Result<Tip, RetryReason> {
    let Sealed { batch, end, after: (digest, sealing) } = sealed;
    if batch.records.is_empty() {
        return if depends_on_the_end { still_ends_at(log, id, end, notices).await } else { Ok(end) };
    }
    let (began, records) = (Instant::now(), batch.records.len());
    let appended = tokio::time::timeout(APPEND, log.append(id, end.position, batch)).await;
    match appended {
        Ok(Ok(position)) => {
            metrics().appended(records, began.elapsed());
            if notices.appending.recovered() {
                tracing::info!(log = %id, %position, "records are appended again");
            }
            Ok(Tip { position, digest, sealing })
        }
        Ok(Err(AppendError::Conflict { .. })) => Err(RetryReason::Conflict),
        Ok(Err(AppendError::Backbone(error))) => Err(unknown(id, &error.to_string(), notices)),
        Err(_) => Err(unknown(id, "it did not answer in time", notices)),
    }
}

/// A refusal and an "already so" write nothing, so nothing fences them. They may have been decided by a view that another
/// registrar's records had just reached; only if the log still ends where it did can that not have been.
async fn still_ends_at(log: &dyn RegistryLog, id: &LogId, end: Tip, notices: &Notices) -> Result<Tip, RetryReason> {
    match log.last(id).await {
        Ok(last) if last == end.position => Ok(end),
        Ok(_) => Err(RetryReason::Conflict),
        Err(error) => Err(unavailable(id, &error, notices)),
    }
}

fn unavailable(id: &LogId, error: &BackboneError, notices: &Notices) -> RetryReason {
    if let Some(left_out) = notices.ending.failed(error) {
        tracing::warn!(log = %id, %error, left_out, "the end of the log is not known");
    }
    RetryReason::Unavailable
}

fn unknown(id: &LogId, reason: &str, notices: &Notices) -> RetryReason {
    if let Some(left_out) = notices.appending.failed(reason) {
        tracing::warn!(log = %id, reason, left_out, "it is not known whether an append took place: looking at the log");
    }
    RetryReason::Unavailable
}
