//! Messages to devices: kept until the device is there, then delivered, once in the ordinary case.
//!
//! Written down first, delivered afterwards: the body as a document of its own, then the list that it is part of, and with
//! the list the claim to deliver, if the device is online. Invariants: a message that was answered for is in the list; the
//! list names only messages whose bodies were written before.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future;
use rollcall_device_model::{
    claim::{self, Claim},
    document::DeviceDocument as _,
    message::Message,
    message_queue::{Added, AfterDelivery, MessageQueue, MessageState, QueuedMessage},
};
use rollcall_domain::ids::DeviceId;
use rollcall_log::{
    BackboneError,
    documents::{DocumentKey, Revision},
    messages::MessageProperties,
};
use rollcall_projection::directory::Listed;
use sha2::{Digest, Sha256};

use crate::{
    documents::{self, Edit},
    error::DevicesError,
    instance::Devices,
};

/// Milliseconds of a minute.
const MINUTE_MS: i64 = 60_000;

/// A message that is to be sent.
#[derive(Clone, Debug)]
pub struct NewMessage {
    /// Unique for the device.
    pub id: String,
    /// What it says.
    pub content: Message,
    /// How long it may wait, minutes; 0: only if the device is online.
    pub ttl_min: i64,
}

/// A message as it stands.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    /// Its place in the list.
    pub entry: QueuedMessage,
    /// What it says; `None` if that has gone since the list was read.
    pub content: Option<Message>,
}

/// Keeps a message, and delivers it if the device is online. The same message again is the same. Of more than are kept the
/// oldest goes.
///
/// # Errors
/// [`DevicesError::MessageIdTaken`]; the backbone's: it may have been kept.
pub async fn create(devices: &Arc<Devices>, listed: &Listed, wanted: NewMessage) -> Result<QueuedMessage, DevicesError> {
    let device = &listed.device.id;
    wanted.content.check(device).map_err(DevicesError::Message)?;
    let now_ms = devices.now_ms();
    let session = devices.presence().of(device);
    let (lasts_ms, state) = match (wanted.ttl_min, &session) {
        (0, None) => (0, MessageState::TimedOut { at_ms: now_ms }),
        // Long enough for who is delivering to get to it.
        (0, Some(_)) => (claim::CLAIM_MS_MAX, MessageState::Pending),
        (minutes, _) => (minutes.saturating_mul(MINUTE_MS), MessageState::Pending),
    };
    let created_at = listed.created.0;
    let mut entry = QueuedMessage {
        number: number_of(created_at, &wanted.id),
        digest: wanted.content.digest(wanted.ttl_min),
        body: Revision::NONE.0,
        id: wanted.id,
        created_ms: now_ms,
        expires_ms: now_ms.saturating_add(lasts_ms),
        state,
    };
    let list = DocumentKey::Messages(device.clone());
    forget_earlier(devices, device, created_at).await?;
    let queue = documents::of_device::<MessageQueue>(devices, &list, created_at).await?.value;
    if let Some(there) = queue.get(&entry.id) {
        return if there.digest == entry.digest { Ok(there.clone()) } else { Err(id_taken(&entry.id)) };
    }
    entry.body = put_body(devices, device, &entry, &wanted.content).await?.0;
    let by = devices.new_claim();
    let added =
        documents::change::<MessageQueue, _>(devices, &list, created_at, |queue| match queue.add(entry.clone(), now_ms) {
            Added::New { dropped } => {
                let claimed = session.is_some() && queue.claim(&by, now_ms);
                Ok(Edit::Changed((dropped, claimed)))
            }
            Added::Existing => Ok(Edit::Unchanged((Vec::new(), false))),
            Added::IdTaken => Err(id_taken(&entry.id)),
        });
    let (queue, (dropped, claimed)) = match added.await {
        Ok(added) => added,
        Err(error) => {
            // Refused for certain: nobody will ever ask for the body.
            if error.is_of_one_document() || matches!(error, DevicesError::MessageIdTaken(_)) {
                forget_body(devices, device, &entry).await?;
            }
            return Err(error);
        }
    };
    for dropped in &dropped {
        forget_body(devices, device, dropped).await?;
    }
    let queue = if claimed { deliver_apart(devices, listed, by, queue).await? } else { queue };
    Ok(queue.get(&entry.id).cloned().unwrap_or(entry))
}

/// The messages of a device that are kept, newest first.
///
/// # Errors
/// The backbone's.
pub async fn list(devices: &Devices, listed: &Listed) -> Result<Vec<StoredMessage>, DevicesError> {
    let device = &listed.device.id;
    let key = DocumentKey::Messages(device.clone());
    let queue = documents::of_device::<MessageQueue>(devices, &key, listed.created.0).await?.value;
    future::try_join_all(queue.entries.into_iter().rev().map(|entry| whole(devices, device, entry))).await
}

/// One message of a device.
///
/// # Errors
/// [`Code::MessageNotFound`]; the backbone's.
pub async fn show(devices: &Devices, listed: &Listed, id: &str) -> Result<StoredMessage, DevicesError> {
    let device = &listed.device.id;
    let key = DocumentKey::Messages(device.clone());
    let queue = documents::of_device::<MessageQueue>(devices, &key, listed.created.0).await?.value;
    let entry = queue.get(id).cloned().ok_or_else(|| not_found(id))?;
    whole(devices, device, entry).await
}

/// Deletes a message; one that waits is not delivered then.
///
/// # Errors
/// [`Code::MessageNotFound`]; the backbone's.
pub async fn delete(devices: &Devices, listed: &Listed, id: &str) -> Result<(), DevicesError> {
    let device = &listed.device.id;
    let key = DocumentKey::Messages(device.clone());
    let removed = documents::change::<MessageQueue, _>(devices, &key, listed.created.0, |queue| {
        queue.remove(id).map(Edit::Changed).ok_or_else(|| not_found(id))
    });
    let (_, entry) = removed.await?;
    forget_body(devices, device, &entry).await
}

/// Whether anything waits for a device, so that it is worth finding out more.
///
/// # Errors
/// The backbone's.
pub(crate) async fn is_awaited(devices: &Devices, device: &DeviceId) -> Result<bool, DevicesError> {
    let held = documents::read::<MessageQueue>(devices, &DocumentKey::Messages(device.clone())).await?;
    Ok(held.is_some_and(|held| !held.value.waiting(devices.now_ms()).is_empty()))
}

/// Delivers what waits for a device that is online, unless somebody else is at it: then it is looked at again.
///
/// # Errors
/// The backbone's.
pub(crate) async fn deliver_waiting(devices: &Arc<Devices>, listed: &Listed) -> Result<(), DevicesError> {
    let (device, by, now_ms) = (&listed.device.id, devices.new_claim(), devices.now_ms());
    let key = DocumentKey::Messages(device.clone());
    let claiming = documents::change::<MessageQueue, _>(devices, &key, listed.created.0, |queue| {
        let claimed = queue.claim(&by, now_ms);
        Ok(if claimed { Edit::Changed(true) } else { Edit::Unchanged(false) })
    });
    let (queue, claimed) = claiming.await?;
    if claimed {
        deliver(devices, listed, &by, queue).await?;
    } else if queue.is_claimed(now_ms) && !queue.waiting(now_ms).is_empty() {
        devices.recheck.put(device);
    }
    Ok(())
}

/// Deletes every message of a device that has been deleted.
///
/// # Errors
/// The backbone's: whatever is left is nobody's.
pub(crate) async fn forget(devices: &Devices, device: &DeviceId) -> Result<(), DevicesError> {
    let key = DocumentKey::Messages(device.clone());
    let Some(held) = documents::read::<MessageQueue>(devices, &key).await? else { return Ok(()) };
    for entry in &held.value.entries {
        forget_body(devices, device, entry).await?;
    }
    documents::remove(devices, &key, held.revision).await
}

/// Delivers even if whoever asked for it goes away.
async fn deliver_apart(
    devices: &Arc<Devices>,
    listed: &Listed,
    by: String,
    queue: MessageQueue,
) -> Result<MessageQueue, DevicesError> {
    let (devices, listed) = (Arc::clone(devices), listed.clone());
    let tasks = devices.tasks.clone();
    let delivering = tasks.spawn(async move { deliver(&devices, &listed, &by, queue).await });
    delivering.await.unwrap_or_else(|error| {
        tracing::error!(%error, "delivering messages failed in an unforeseen way");
        Err(DevicesError::DeliveryPanicked)
    })
}

/// Delivers what `by` has claimed in `queue`. The list as it is afterwards.
async fn deliver(
    devices: &Devices,
    listed: &Listed,
    by: &str,
    mut queue: MessageQueue,
) -> Result<MessageQueue, DevicesError> {
    let device = &listed.device.id;
    let key = DocumentKey::Messages(device.clone());
    loop {
        let since_ms = devices.now_ms();
        let waiting: Vec<QueuedMessage> =
            queue.entries.iter().filter(|entry| entry.state == MessageState::Pending).cloned().collect();
        let (mut ended, mut next) = (Vec::new(), AfterDelivery::Continue);
        for entry in waiting {
            if !Claim::has_time(since_ms, devices.now_ms()) {
                break;
            }
            // What has been handed over is written down; the rest is left to another process, or to the next of this one.
            if devices.stop.is_cancelled() || !devices.presence().is_online(device) {
                next = AfterDelivery::Release;
                break;
            }
            match send(devices, listed, &entry).await {
                Ok(state) => ended.push((entry.number, state)),
                Err(error) => {
                    if let Some(left_out) = devices.told.failed(&error) {
                        tracing::warn!(instance = %devices.instance, %device, %error, left_out, "a message could not be delivered");
                    }
                    next = AfterDelivery::Hold;
                    break;
                }
            }
        }
        let noting = documents::change::<MessageQueue, _>(devices, &key, listed.created.0, |queue| {
            Ok(Edit::Changed(queue.record(by, &ended, next, devices.now_ms())))
        });
        let (noted, more) = noting.await.inspect_err(|_| devices.recheck.put(device))?;
        if next != AfterDelivery::Continue {
            devices.recheck.put(device);
        }
        if !more {
            return Ok(noted);
        }
        queue = noted;
    }
}

async fn send(devices: &Devices, listed: &Listed, entry: &QueuedMessage) -> Result<MessageState, DevicesError> {
    let device = &listed.device;
    let at_ms = devices.now_ms();
    let key = DocumentKey::Message(device.id.clone(), entry.number);
    let Some(body) = documents::read::<Message>(devices, &key).await? else {
        return Ok(MessageState::Failed { at_ms, reason: "the message was deleted".to_owned() });
    };
    let content = body.value;
    let (topic, payload) = (content.topic(&device.id), content.payload(&device.id, &entry.id));
    match devices.publish(device, topic, payload.into(), properties(&content)).await {
        Ok(()) => Ok(MessageState::Delivered { at_ms }),
        Err(BackboneError::LimitReached { what, max }) => {
            Ok(MessageState::Failed { at_ms, reason: format!("{what} is over its limit of {max}") })
        }
        Err(error) => Err(error.into()),
    }
}

/// The MQTT 5 properties that a message goes out with.
fn properties(message: &Message) -> MessageProperties {
    let Some(given) = &message.properties else { return MessageProperties::default() };
    let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let user = given.user_properties.iter().flatten();
    MessageProperties {
        response_topic: some(&given.response_topic),
        correlation_data: some(&given.correlation_data).map(Bytes::from),
        user: user.map(|property| (property.prop_key.clone(), property.prop_value.clone())).collect(),
        ..MessageProperties::default()
    }
}

async fn whole(devices: &Devices, device: &DeviceId, entry: QueuedMessage) -> Result<StoredMessage, DevicesError> {
    let body = documents::read::<Message>(devices, &DocumentKey::Message(device.clone(), entry.number)).await?;
    Ok(StoredMessage { entry, content: body.map(|body| body.value) })
}

/// Writes what a message says. If a creation that did not come to its end has left it there, it is written over: whoever
/// is deleting that one does not delete this.
async fn put_body(
    devices: &Devices,
    device: &DeviceId,
    entry: &QueuedMessage,
    content: &Message,
) -> Result<Revision, DevicesError> {
    let key = DocumentKey::Message(device.clone(), entry.number);
    let there = documents::read::<Message>(devices, &key).await?;
    let expected = match there {
        None => Revision::NONE,
        Some(there) if there.value == *content => there.revision,
        Some(_) => return Err(id_taken(&entry.id)),
    };
    let written = documents::write(devices, &key, expected, content).await?;
    written.ok_or_else(|| DevicesError::MessageContended(entry.id.clone()))
}

/// Deletes what a message says, unless a later message of its id has been written there since.
async fn forget_body(devices: &Devices, device: &DeviceId, entry: &QueuedMessage) -> Result<(), DevicesError> {
    let key = DocumentKey::Message(device.clone(), entry.number);
    documents::remove(devices, &key, Revision(entry.body)).await
}

/// Deletes the messages of an earlier device of this id.
async fn forget_earlier(devices: &Devices, device: &DeviceId, created_at: u64) -> Result<(), DevicesError> {
    let held = documents::read::<MessageQueue>(devices, &DocumentKey::Messages(device.clone())).await?;
    match held {
        Some(held) if held.value.created_at() < created_at => forget(devices, device).await,
        Some(_) | None => Ok(()),
    }
}

/// The number of a message's document: the same whenever the same device is sent a message of the same id.
fn number_of(created_at: u64, id: &str) -> u64 {
    let digest = Sha256::new().chain_update(created_at.to_be_bytes()).chain_update(id).finalize();
    digest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn id_taken(id: &str) -> DevicesError {
    DevicesError::MessageIdTaken(id.to_owned())
}

fn not_found(id: &str) -> DevicesError {
    DevicesError::MessageNotFound(id.to_owned())
}
