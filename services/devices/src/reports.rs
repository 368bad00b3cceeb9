//! Reads what devices say on their own off the stream of uplinks: reports and device info go into their shadows, and a device
//! that asks for its shadow or for the time gets it.
//!
//! What a report does to a shadow is in [`rollcall_device_model::shadow`]. How far reading has come is kept in a document,
//! and each shadow says which message is its latest; so every process may read the whole stream, and any of them may begin
//! again earlier.
//! Invariant: a report that was acknowledged to a device is in its shadow before the reader's cursor is past it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use rollcall_device_model::{
    event::{self, DeviceEvent},
    report,
    shadow::{Reported, StreamMark},
    topics::{self, Uplink},
};
use rollcall_domain::ids::DeviceId;
use rollcall_log::{
    BackboneError,
    documents::{CursorName, DocumentKey, Revision},
    messages::{Lane, MessageCursor, StoredMessage},
    resume::Resume,
};
use serde::{Deserialize, Serialize};
use tokio::{sync::mpsc, time::Instant};

use crate::{documents, error::DevicesError, instance::Devices, metrics::report_dropped};

mod fold;

/// Most messages that are taken together.
const GROUP_LEN_MAX: usize = 1000;
/// Shadows written at a time.
const AT_ONCE_MAX: usize = 32;
/// How often the reader's cursor is written, at the most: what comes between is read again after a crash.
const MARK_EVERY: Duration = Duration::from_secs(1);
/// How far the clocks of a message stream and of the registrar may be apart, milliseconds: a report that is older than its
/// device by more is an earlier device's.
const CLOCKS_APART_MS_MAX: i64 = 5_000;

/// Where reading has come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Cursor {
    /// Counts how often the streams were made anew: see [`StreamMark`].
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
    mark: StreamMark,
    stored_at_ms: i64,
    said: Said,
}

#[derive(Debug)]
enum Said {
    Reported(Vec<Reported>),
    ShadowWanted { request: String, service_id: Option<String> },
    Events(Vec<DeviceEvent>),
}

/// Why reading stopped.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Backbone(#[from] BackboneError),
    #[error("reports cannot be folded: {0}")]
    Other(#[from] DevicesError),
}

/// Reads until the future is dropped.
pub(crate) async fn run(devices: Arc<Devices>) {
    let (mut reader, mut resume): (Option<Reader>, _) = (None, devices.resume("reports of devices"));
    loop {
        let ended = read(&devices, &mut reader, &mut resume).await;
        // A stream that was made anew has other positions, and one that cannot be read cannot be read again: what comes from
        // now on counts as later than all before.
        if let (Err(Stopped::Backbone(BackboneError::Damaged { .. })), Some(reader)) = (&ended, &mut reader) {
            reader.cursor = Cursor { epoch: reader.cursor.epoch + 1, read: MessageCursor::START };
            reader.from_now_on = true;
        }
        resume.pause(ended).await;
    }
}

/// How far this process is.
struct Reader {
    cursor: Cursor,
    from_now_on: bool,
    written: Cursor,
    write_at: Instant,
}

async fn read(devices: &Arc<Devices>, reader: &mut Option<Reader>, resume: &mut Resume) -> Result<(), Stopped> {
    let reader = match reader {
        Some(reader) => reader,
        None => {
            let held = documents::read::<Cursor>(devices, &DocumentKey::Cursor(CursorName::Reports)).await?;
            let cursor = held.map(|held| held.value).unwrap_or_default();
            reader.insert(Reader { cursor, from_now_on: false, written: cursor, write_at: Instant::now() })
        }
    };
    let messages = &devices.backbone.messages;
    let after = (!reader.from_now_on).then_some(reader.cursor.read);
    let mut uplinks = messages.follow(&devices.instance, &[Lane::Uplink], after).await?;
    resume.follows();
    loop {
        let next = tokio::select! {
            next = uplinks.recv() => next,
            () = tokio::time::sleep_until(reader.write_at), if reader.cursor != reader.written => {
                write_cursor(devices, reader).await?;
                continue;
            }
        };
        let Some(first) = next else { return Ok(()) };
        let (group, failed) = group(first, &mut uplinks);
        if group.is_empty() {
            return failed.map_or(Ok(()), |error| Err(error.into()));
        }
        let items = sorted(reader.cursor.epoch, &group);
        fold_all(devices, items).await?;
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
            Uplink::Events => match event::read(&message.payload) {
                // For applications alone.
                Some(events) if events.is_empty() => continue,
                events => events.map(Said::Events),
            },
            Uplink::Answer(..) | Uplink::Other => continue,
        };
        let Some(said) = said else {
            report_dropped("malformed");
            continue;
        };
        let mark = StreamMark { epoch, shard: stored.position.shard(), sequence: stored.position.sequence() };
        let item = Item { mark, stored_at_ms: stored.stored_at_ms, said };
        items.entry(message.device.clone()).or_default().push(item);
    }
    items
}

async fn fold_all(devices: &Arc<Devices>, items: BTreeMap<DeviceId, Vec<Item>>) -> Result<(), DevicesError> {
    if items.is_empty() {
        return Ok(());
    }
    let mut existing = fold::existing(devices, items.keys().cloned().collect()).await?;
    let mut folding = Vec::with_capacity(items.len());
    for (id, items) in items {
        match existing.remove(&id) {
            Some(listed) => {
                let devices = Arc::clone(devices);
                folding.push(async move { fold::fold(&devices, &listed, &items).await }.boxed());
            }
            None => report_dropped("no_such_device"),
        }
    }
    stream::iter(folding).buffer_unordered(AT_ONCE_MAX).try_collect::<()>().await
}

/// Writes down how far reading has come, unless another process is further.
async fn write_cursor(devices: &Devices, reader: &mut Reader) -> Result<(), DevicesError> {
    let key = DocumentKey::Cursor(CursorName::Reports);
    let held = documents::read::<Cursor>(devices, &key).await?;
    let (revision, further) = match held {
        Some(held) => {
            // Another process has had to begin anew: shadows count from there now.
            reader.cursor.epoch = reader.cursor.epoch.max(held.value.epoch);
            (held.revision, held.value.covers(&reader.cursor))
        }
        None => (Revision::NONE, false),
    };
    // A process that was faster has written a cursor that is as good.
    if !further {
        documents::write(devices, &key, revision, &reader.cursor).await?;
    }
    reader.written = reader.cursor;
    Ok(())
}
