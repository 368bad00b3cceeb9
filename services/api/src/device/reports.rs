//! Reads what devices say on their own off the stream of uplinks: reports go into their shadows, and who asks for its shadow
//! gets it.
//!
//! Not for what a report does to a shadow (`shadow`). Where reading has come to is kept in a document, and each shadow says
//! which message is its latest; so every process may read the whole stream, and any of them may begin again earlier.
//! Invariant: a report that was acknowledged to a device is in its shadow before the reader's cursor is past it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Weak},
    time::Duration,
};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use rollcall_backbone::{
    BackboneError,
    documents::{CursorName, DocumentKey, Revision},
    messages::{Lane, MessageCursor, StoredMessage},
    repeats::Repeats,
};
use rollcall_domain::ids::DeviceId;
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::Instant};

use super::{documents, report, shadow::Mark, topics, topics::Uplink};
use crate::{error::ApiError, metrics::metrics, realm::Realm};

mod fold;

/// Most messages that are taken together.
const GROUP_LEN_MAX: usize = 1000;
/// Shadows written at a time.
const AT_ONCE_MAX: usize = 32;
/// How often the reader's cursor is written, at the most: what comes between is read again after a crash.
const MARK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait before going on after something failed.
const AGAIN: Duration = Duration::from_millis(500);
/// How far the clocks of a message stream and of the registrar may be apart, milliseconds: a report that is older than its
/// device by more is an earlier device's.
const CLOCKS_APART_MS_MAX: i64 = 5_000;

/// Where reading has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// Counts how often the streams were made anew: see [`Mark`].
    epoch: u64,
    #[serde(flatten)]
    read: MessageCursor,
}

impl Cursor {
    /// Whether a reader that has come here has read all that one at `other` has.
    fn covers(&self, other: &Self) -> bool {
        self.epoch > other.epoch || (self.epoch == other.epoch && self.read.covers(&other.read))
    }
}

/// What one message of a device means for its shadow.
#[derive(Debug)]
struct Item {
    mark: Mark,
    stored_at_ms: i64,
    said: Said,
}

#[derive(Debug)]
enum Said {
    Reported(Vec<super::shadow::Reported>),
    ShadowWanted { request: String, service_id: Option<String> },
}

/// Why reading stopped.
enum Stopped {
    Backbone(BackboneError),
    Other(ApiError),
}

/// Reads until the realm is gone.
pub(crate) async fn run(realm: Weak<Realm>) {
    let (mut reader, told): (Option<Reader>, _) = (None, Repeats::default());
    while let Some(realm) = realm.upgrade() {
        match read(&realm, &mut reader, &told).await {
            Ok(()) => {}
            Err(Stopped::Backbone(error)) => {
                if let Some(left_out) = told.failed(&error) {
                    tracing::warn!(instance = %realm.id, %error, left_out, "reports of devices cannot be followed; trying again");
                }
                // A stream that was made anew has other positions, and one that cannot be read cannot be read again: what
                // comes from now on counts as later than all before.
                if let (BackboneError::Damaged { .. }, Some(reader)) = (&error, &mut reader) {
                    reader.cursor = Cursor { epoch: reader.cursor.epoch + 1, read: MessageCursor::START };
                    reader.from_now_on = true;
                }
            }
            Err(Stopped::Other(error)) => {
                if let Some(left_out) = told.failed(&error.message) {
                    tracing::warn!(instance = %realm.id, error = error.message, left_out, "reports cannot be folded; trying again");
                }
            }
        }
        drop(realm);
        tokio::time::sleep(AGAIN).await;
    }
}

/// How far this process is.
struct Reader {
    cursor: Cursor,
    from_now_on: bool,
    written: Cursor,
    write_at: Instant,
}

async fn read(realm: &Arc<Realm>, reader: &mut Option<Reader>, told: &Repeats) -> Result<(), Stopped> {
    let reader = match reader {
        Some(reader) => reader,
        None => {
            let held = documents::read::<Cursor>(realm, &DocumentKey::Cursor(CursorName::Reports)).await?;
            let cursor = held.map(|held| held.value).unwrap_or_default();
            reader.insert(Reader { cursor, from_now_on: false, written: cursor, write_at: Instant::now() })
        }
    };
    let messages = &realm.backbone.messages;
    let after = (!reader.from_now_on).then_some(reader.cursor.read);
    let mut uplinks = messages.follow(&realm.id, &[Lane::Up], after).await?;
    loop {
        let next = tokio::select! {
            next = uplinks.recv() => next,
            () = tokio::time::sleep_until(reader.write_at), if reader.cursor != reader.written => {
                write_cursor(realm, reader).await?;
                continue;
            }
        };
        let Some(first) = next else { return Ok(()) };
        let (group, failed) = group(first, &mut uplinks);
        if group.is_empty() {
            return failed.map_or(Ok(()), |error| Err(error.into()));
        }
        let items = sorted(reader.cursor.epoch, &group);
        fold_all(realm, items).await?;
        if told.recovered() {
            tracing::info!(instance = %realm.id, "reports of devices are folded again");
        }
        if reader.cursor == reader.written {
            reader.write_at = Instant::now() + MARK_EVERY;
        }
        // They may be of two streams.
        group.iter().for_each(|stored| reader.cursor.read.advance(stored.position));
        reader.from_now_on = false;
        if let Some(error) = failed {
            return Err(error.into());
        }
    }
}

/// What has come by now, up to a limit.
fn group(
    first: Result<StoredMessage, BackboneError>,
    more: &mut mpsc::Receiver<Result<StoredMessage, BackboneError>>,
) -> (Vec<StoredMessage>, Option<BackboneError>) {
    let (mut group, mut next) = (Vec::new(), Some(first));
    while let Some(stored) = next {
        match stored {
            Ok(stored) => group.push(stored),
            Err(error) => return (group, Some(error)),
        }
        next = if group.len() < GROUP_LEN_MAX { more.try_recv().ok() } else { None };
    }
    (group, None)
}

/// What concerns shadows, by device, in order.
fn sorted(epoch: u64, group: &[StoredMessage]) -> BTreeMap<DeviceId, Vec<Item>> {
    let mut items: BTreeMap<DeviceId, Vec<Item>> = BTreeMap::new();
    for stored in group {
        let message = &stored.message;
        let said = match topics::uplink(&message.device, &message.topic) {
            Uplink::Report => report::read(&message.payload, stored.stored_at_ms).map(Said::Reported),
            Uplink::ShadowWanted(request) => report::shadow_wanted(&message.payload)
                .map(|service_id| Said::ShadowWanted { request: request.to_owned(), service_id }),
            Uplink::Answer(..) | Uplink::Other => continue,
        };
        let Some(said) = said else {
            metrics().report_dropped("malformed");
            continue;
        };
        let mark = Mark { epoch, position: stored.position };
        let item = Item { mark, stored_at_ms: stored.stored_at_ms, said };
        items.entry(message.device.clone()).or_default().push(item);
    }
    items
}

async fn fold_all(realm: &Arc<Realm>, items: BTreeMap<DeviceId, Vec<Item>>) -> Result<(), ApiError> {
    if items.is_empty() {
        return Ok(());
    }
    let mut devices = fold::existing(realm, items.keys().cloned().collect()).await?;
    let mut folding = Vec::with_capacity(items.len());
    for (id, items) in items {
        match devices.remove(&id) {
            Some(listed) => {
                let realm = Arc::clone(realm);
                folding.push(async move { fold::fold(&realm, &listed, &items).await }.boxed());
            }
            None => metrics().report_dropped("no_such_device"),
        }
    }
    stream::iter(folding).buffer_unordered(AT_ONCE_MAX).try_collect::<()>().await
}

/// Writes down how far reading has come, unless another process is further.
async fn write_cursor(realm: &Realm, reader: &mut Reader) -> Result<(), ApiError> {
    let key = DocumentKey::Cursor(CursorName::Reports);
    let held = documents::read::<Cursor>(realm, &key).await?;
    let (revision, further) = match held {
        Some(held) => {
            // Another process has had to begin anew: shadows count from there now.
            reader.cursor.epoch = reader.cursor.epoch.max(held.value.epoch);
            (held.revision, held.value.covers(&reader.cursor))
        }
        None => (Revision::NONE, false),
    };
    // Whoever was faster has written a cursor that is as good.
    if !further {
        documents::write(realm, &key, revision, &reader.cursor).await?;
    }
    reader.written = reader.cursor;
    Ok(())
}

impl From<BackboneError> for Stopped {
    fn from(error: BackboneError) -> Self {
        Self::Backbone(error)
    }
}

impl From<ApiError> for Stopped {
    fn from(error: ApiError) -> Self {
        Self::Other(error)
    }
}
