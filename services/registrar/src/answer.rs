//! Answering what the log has confirmed: recorded rulings out, refused attempts kept, requests finished, the other rulings out.
//!
//! A record answers for itself whenever its request comes again, so it is announced at once. Any other ruling holds for the state
//! that it was made in and is written nowhere: told before its request is gone, a registrar that dies then leaves the request to be
//! ruled on again, in another state, and what was rejected comes true. So it is told only of a request that is gone for good while
//! it was this registrar's; of one that may be another's by now, nothing is said: its next taker answers it.
//!
//! Invariants: a request is finished only after its record or its attempt is kept, so whatever fails or dies in between, it comes
//! again; what was told stays so.

use std::collections::HashSet;

use rollcall_domain::{
    ids::{LogId, Position},
    rejection::Rejection,
};
use rollcall_log::{
    Backbone, BackboneError,
    codec::{AnyRequest, Attempt, AttemptAttribution, QueuedRequest, RejectedRuling, Ruling, encode_attempt, encode_ruling},
    requests::{AnnouncedRuling, Receipt},
};

use crate::{
    draft::DraftRuling,
    log_state::Rejected,
    metrics::metrics,
    notices::Notices,
    request::{Taken, Unfit},
};

/// Answers `rulings`, those of the first requests of `taken`. `last` is where the log ends with them.
pub(crate) async fn answer(
    backbone: &Backbone,
    log: &LogId,
    notices: &Notices,
    taken: &[Taken],
    rulings: &[DraftRuling],
    last: Position,
) {
    let answered = || taken.iter().zip(rulings);
    let tell = |(taken, ruling)| announced(log, notices, taken, ruling, last);
    let recorded = answered().filter(|(_, ruling)| ruling.is_recorded());
    announce(backbone, log, notices, recorded.map(tell).collect()).await;
    let kept = keep_attempts(backbone, log, notices, taken, rulings).await;
    let finishing = answered().filter(|(_, ruling)| kept || !matches!(ruling, DraftRuling::Rejected(_)));
    let finished = finish(backbone, log, notices, finishing.map(|(taken, _)| taken.receipt.clone()).collect()).await;
    let unrecorded = answered().filter(|(taken, ruling)| !ruling.is_recorded() && finished.contains(&taken.receipt));
    announce(backbone, log, notices, unrecorded.map(tell).collect()).await;
}

async fn announce(backbone: &Backbone, log: &LogId, notices: &Notices, rulings: Vec<AnnouncedRuling>) {
    if rulings.is_empty() {
        return;
    }
    match backbone.requests.announce(log, rulings).await {
        Ok(()) => {
            if notices.announcing.recovered() {
                tracing::info!(%log, "rulings are announced again");
            }
        }
        Err(error) => {
            // Who waits asks again, and is told what is so then.
            if let Some(left_out) = notices.announcing.failed(&error) {
                tracing::warn!(%log, %error, left_out, "rulings could not be announced");
            }
        }
    }
}

/// Finishes requests; returns those that are gone for good.
async fn finish(backbone: &Backbone, log: &LogId, notices: &Notices, receipts: Vec<Receipt>) -> HashSet<Receipt> {
    if receipts.is_empty() {
        return HashSet::new();
    }
    match backbone.requests.finish(log, receipts).await {
        Ok(finished) => {
            if notices.finishing.recovered() {
                tracing::info!(%log, "requests are finished again");
            }
            finished.into_iter().collect()
        }
        Err(error) => {
            if let Some(left_out) = notices.finishing.failed(&error) {
                tracing::warn!(%log, %error, left_out, "requests could not be finished; they come again");
            }
            HashSet::new()
        }
    }
}

fn announced(log: &LogId, notices: &Notices, taken: &Taken, drafted: &DraftRuling, last: Position) -> AnnouncedRuling {
    metrics().ruled(drafted);
    let ruling = match drafted {
        DraftRuling::Recorded(position) | DraftRuling::RuledBefore(position) => Ruling::Accepted { position: *position },
        // At the end of the log it is so, whether by a record of this batch or of long ago.
        DraftRuling::AlreadySo => Ruling::Accepted { position: last },
        DraftRuling::Rejected(rejected) => {
            tracing::info!(%log, request = %taken.id, code = rejected.ruling.code, "a request is refused");
            Ruling::Rejected(rejected.ruling.clone())
        }
        DraftRuling::Unfit(unfit) => {
            match unfit {
                Unfit::Unreadable(reason) => {
                    if let Some(left_out) = notices.reading.failed(reason) {
                        tracing::warn!(%log, request = %taken.id, reason, left_out, "a request cannot be read");
                    }
                }
                // Said when it was taken.
                Unfit::Unproven(_) => {}
            }
            Ruling::Rejected(RejectedRuling::from(&Rejection::from(unfit)))
        }
    };
    AnnouncedRuling { id: taken.id.clone(), ruling: encode_ruling(&ruling) }
}

/// Keeps the refused attempts; whether their requests may be finished.
async fn keep_attempts(
    backbone: &Backbone,
    log: &LogId,
    notices: &Notices,
    taken: &[Taken],
    rulings: &[DraftRuling],
) -> bool {
    let attempts: Vec<_> = taken
        .iter()
        .zip(rulings)
        .filter_map(|(taken, ruling)| match (ruling, &taken.request) {
            (DraftRuling::Rejected(rejected), Ok(queued)) => Some(encode_attempt(&attempt(queued, rejected))),
            _ => None,
        })
        .collect();
    let count = attempts.len();
    if count == 0 {
        return true;
    }
    let Err(error) = backbone.attempts.keep(log, attempts).await else {
        if notices.keeping.recovered() {
            tracing::info!(%log, "refused attempts are kept again");
        }
        return true;
    };
    if let Some(left_out) = notices.keeping.failed(&error) {
        tracing::warn!(%log, count, %error, left_out, "refused attempts could not be kept");
    }
    match error {
        // They come again, and are kept then.
        BackboneError::Unavailable { .. } | BackboneError::Unwritable { .. } | BackboneError::Closed => false,
        // Coming again would not help.
        BackboneError::StreamDiffers { .. }
        | BackboneError::LimitReached { .. }
        | BackboneError::Full { .. }
        | BackboneError::Damaged { .. } => {
            metrics().attempts_lost(count);
            true
        }
    }
}

/// People look at attempts: a password that was not set has no business there either.
fn attempt(queued: &QueuedRequest, rejected: &Rejected) -> Attempt {
    let mut request = queued.clone();
    if let AnyRequest::Fleet { command, .. } = &mut request.request {
        *command = command.for_people();
    }
    let checks = rejected.checks.iter().map(|check| (check.name.to_owned(), check.passed, check.detail.clone()));
    Attempt {
        time: rejected.at,
        request,
        rejection: rejected.ruling.clone(),
        template: rejected.attribution.as_ref().and_then(|attribution| attribution.template.clone()),
        checks: checks.collect(),
        attribution: rejected.attribution.as_ref().map(|attribution| AttemptAttribution {
            ca: attribution.ca.clone(),
            device: attribution.device.clone(),
            // A connector says neither in its request, and would not be believed.
            source: None,
            key_proven: None,
        }),
    }
}
