//! Does what is due for ended sessions.
//!
//! Invariant: all that is done with one document is done by one task, one after the other; what another connector does with it
//! meanwhile shows as a conflict.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use rollcall_log::{documents::DocumentKey, repeats::Repeats};
use tokio::time::Instant;

use super::{
    discard, keep,
    publish::publish_will,
    work::{Next, RETRY_DELAY, Work},
};
use crate::{instance::Instance, metrics::metrics, sessions::persistent::save};

/// Done at a time.
const AT_ONCE: usize = 64;
/// Does what is due until the future is dropped.
pub(crate) async fn run(instance: &Instance) {
    let mut retry = instance.retry();
    while let Err(error) = instance.backbone.documents.open_sessions(&instance.log).await {
        if let Some(left_out) = instance.will_repeats.failed(&error) {
            tracing::warn!(instance = %instance.id, %error, left_out, "wills and sessions cannot be stored; trying again");
        }
        retry.pause().await;
    }
    let (repeats, given_up) = (Repeats::default(), Repeats::default());
    loop {
        report_given_up(instance, &given_up);
        let due = instance.schedule.take(AT_ONCE, Instant::now());
        if due.is_empty() {
            instance.schedule.due().await;
            continue;
        }
        let count = due.len();
        let doing = due.into_iter().map(|(key, work)| async { (finish(instance, &repeats, &key, work).await, key) });
        let again: Vec<_> = stream::iter(doing).buffer_unordered(AT_ONCE).collect().await;
        for (again, key) in again {
            if let Some((after, work)) = again {
                instance.schedule.again(key, Instant::now() + after, work);
            }
        }
        instance.schedule.done(count);
    }
}

fn report_given_up(instance: &Instance, repeats: &Repeats) {
    let wills = instance.schedule.take_given_up();
    if wills == 0 {
        return;
    }
    metrics().wills("given_up", wills);
    let what = "more wills wait than may: the oldest of their devices are given up";
    if let Some(left_out) = repeats.failed(what) {
        tracing::warn!(instance = %instance.id, wills, left_out, "{what}");
    }
}

/// What is to be done in its place, and after which time.
async fn finish(instance: &Instance, repeats: &Repeats, key: &DocumentKey, work: Work) -> Option<(Duration, Work)> {
    let tried = match (&work, key) {
        (Work::Publish(source), DocumentKey::Will(device, _)) => publish_will(instance, key, device, source).await,
        (Work::Discard { revision, looks }, _) => discard::discard(instance, key, *revision, *looks).await,
        (Work::Delete(revision), _) => discard::delete(instance, key, *revision).await,
        (Work::Withdraw, _) => discard::withdraw(instance, key).await,
        (Work::KeepAgain(session), _) => keep::keep_again(instance, key, session).await,
        (Work::Keep(session), _) => save::finish(instance, session).await.map(|()| Next::Nothing),
        (Work::Check(superseded), DocumentKey::Session(device)) => {
            let left = save::check(instance, key, device, superseded.as_ref()).await;
            left.map(|left| left.map_or(Next::Nothing, Next::Later))
        }
        (Work::Publish(_) | Work::Check(_), _) => Ok(Next::Nothing),
    };
    let (error, again) = match tried {
        Ok(Next::Nothing) => return None,
        Ok(Next::Later(after)) => return Some((after, work)),
        Ok(Next::Then(after, work)) => return Some((after, work)),
        Ok(Next::Failed(error, again)) => (error, again),
        Err(error) => (error, work),
    };
    if let Some(left_out) = repeats.failed(&error) {
        tracing::warn!(instance = %instance.id, %error, left_out, "a session's will or state cannot be stored yet; trying again");
    }
    Some((RETRY_DELAY, again))
}
