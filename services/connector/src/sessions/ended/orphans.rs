//! Finds what connectors that are gone have left.
//!
//! When a connector's lease has run out, what it has left is listed. When presence is watched anew, which is how a process
//! begins, a loss may have gone unseen: then everything is looked at whose connection presence does not show, and looked at
//! again a while later, because a will is written before presence hears of its connection. Invariant: what presence shows
//! again is left alone, also if that is shown while it is listed: its connector was only out of reach.

use std::{collections::HashSet, time::Duration};

use rollcall_domain::{ids::DeviceId, time::Timestamp};
use rollcall_log::{
    BackboneError,
    documents::{DocumentKey, Revision},
    presence::Session as PresenceSession,
    repeats::Repeats,
};
use tokio::time::Instant;

use super::{shown::Search, will::KeptWill};
use crate::{instance::Instance, sessions::persistent::form::KeptSession};

/// How long a session may be without presence's knowing of it before it counts as ended.
const UNANNOUNCED_MAX: Duration = Duration::from_secs(5);

/// What a connection has left that is not in this connector's table.
struct Found {
    device: DeviceId,
    session: PresenceSession,
    what: What,
}

enum What {
    /// In this revision; it is due so long after the connection's end.
    Will(Revision, Duration),
    Session(Box<KeptSession>),
}

/// Looks until the future is dropped.
pub(crate) async fn run(instance: &Instance) {
    let (repeats, mut retry) = (Repeats::default(), instance.retry());
    loop {
        let search = instance.schedule.search().await;
        let found = loop {
            match list(instance).await {
                Ok(found) => {
                    retry.succeeded();
                    break found;
                }
                Err(error) => {
                    if let Some(left_out) = repeats.failed(&error) {
                        tracing::warn!(instance = %instance.id, %error, left_out, "wills cannot be listed; trying again");
                    }
                    retry.pause().await;
                }
            }
        };
        let Search { watch, lost, everything } = &search;
        add(instance, *watch, found.iter().filter(|found| lost.contains(&found.session.connector)));
        if *everything {
            add(instance, *watch, unseen(instance, *watch, found).await.iter());
        }
        instance.schedule.searched(&search);
    }
}

/// Those whose session presence does not show, twice.
async fn unseen(instance: &Instance, watch: u64, found: Vec<Found>) -> Vec<Found> {
    let named = |found: &[Found]| found.iter().map(|found| (found.device.clone(), found.session.clone())).collect();
    let first = instance.schedule.gone(watch, named(&found));
    if first.is_empty() {
        return Vec::new();
    }
    tokio::time::sleep(UNANNOUNCED_MAX).await;
    // If presence is watched anew meanwhile, it is looked again after that.
    let second: HashSet<_> = instance.schedule.gone(watch, first).into_iter().collect();
    found.into_iter().filter(|found| second.contains(&(found.device.clone(), found.session.clone()))).collect()
}

fn add<'a>(instance: &Instance, watch: u64, found: impl Iterator<Item = &'a Found>) {
    let now = Instant::now();
    for Found { device, session, what } in found {
        match what {
            What::Will(listed, delay) => {
                instance.schedule.adopt_will(watch, device, session.clone(), *listed, (now, *delay));
            }
            What::Session(form) => {
                let left_ms = form.over_at_ms().saturating_sub(instance.clock.unix_ms());
                let over_at = now + Duration::from_millis(u64::try_from(left_ms).unwrap_or(0));
                let since = Timestamp::from_unix_ms(form.since_ms);
                instance.schedule.adopt(watch, device, session.clone(), since, over_at);
            }
        }
    }
}

async fn list(instance: &Instance) -> Result<Vec<Found>, BackboneError> {
    instance.backbone.documents.open_sessions(&instance.log).await?;
    let mut listed = instance.backbone.documents.sessions(&instance.log).await?;
    // What is of this run of the instance is in its schedule when it is due.
    let is_own = |session: &PresenceSession| {
        session.connector == instance.connector && session.number >= instance.sessions.first_number()
    };
    let mut found = Vec::new();
    while let Some(next) = listed.recv().await {
        let (key, document) = next?;
        let left = match key {
            DocumentKey::Will(device, session) => {
                // One that cannot be read is found out when it is due.
                let delay = KeptWill::read(&document.body).map_or(Duration::ZERO, |will| will.delay());
                Some(Found { device, session, what: What::Will(document.revision, delay) })
            }
            DocumentKey::Session(device) => KeptSession::read(&document.body).ok().and_then(|form| {
                let session = form.owner()?;
                Some(Found { device, session, what: What::Session(Box::new(form)) })
            }),
            DocumentKey::Shadow(_)
            | DocumentKey::Messages(_)
            | DocumentKey::Message(..)
            | DocumentKey::Cursor(_)
            | DocumentKey::OperatorSession(_) => None,
        };
        found.extend(left.filter(|left| !is_own(&left.session)));
    }
    Ok(found)
}
