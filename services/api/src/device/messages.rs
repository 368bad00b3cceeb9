//! Messages to devices: kept until the device is there, then delivered, once in the ordinary case.
//!
//! Written down first, delivered afterwards: the body as a document of its own, then the list that it is part of, and with
//! the list the claim to deliver, if the device is online. Invariants: a message that was answered for is in the list; the
//! list names only messages whose bodies were written before.

use std::sync::Arc;

use futures_util::future;
use rollcall_backbone::{
    BackboneError,
    documents::{DocumentKey, Revision},
};
use rollcall_domain::ids::DeviceId;
use rollcall_projection::directory::Listed;
use sha2::{Digest, Sha256};

use super::{
    claim::{self, Claim},
    content::Content,
    documents::{self, Life as _, Outcome},
    queue::{Added, Entry, MESSAGES_MAX, Next, Queue, State},
};
use crate::{codes::Code, error::ApiError, realm::Realm};

/// Milliseconds of a minute.
const MINUTE_MS: i64 = 60_000;

/// A message that is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct NewMessage {
    /// Unique for the device.
    pub(crate) id: String,
    /// What it says.
    pub(crate) content: Content,
    /// How long it may wait, minutes; 0: only if the device is online.
    pub(crate) ttl_min: i64,
}

/// A message as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    /// Its place in the list.
    pub(crate) entry: Entry,
    /// What it says; `None` if that has gone since the list was read.
    pub(crate) content: Option<Content>,
}

/// Keeps a message, and delivers it if the device is online. The same message again is the same.
///
/// # Errors
/// [`Code::AlreadyExists`] if another message has its id, [`Code::LimitReached`] if too many wait; the backbone's: it
/// may have been kept.
pub(crate) async fn create(realm: &Arc<Realm>, listed: &Listed, wanted: NewMessage) -> Result<Entry, ApiError> {
    let device = &listed.device.id;
    wanted.content.check(device)?;
    let now_ms = realm.devices.now_ms();
    let session = realm.online.of(device);
    let (lasts_ms, state) = match (wanted.ttl_min, &session) {
        (0, None) => (0, State::TimedOut { at_ms: now_ms }),
        // Long enough for who is delivering to get to it.
        (0, Some(_)) => (claim::CLAIM_MS_MAX, State::Pending),
        (minutes, _) => (minutes.saturating_mul(MINUTE_MS), State::Pending),
    };
    let born = listed.created.0;
    let mut entry = Entry {
        number: number_of(born, &wanted.id),
        digest: wanted.content.digest(wanted.ttl_min),
        body: Revision::NONE.0,
        id: wanted.id,
        created_ms: now_ms,
        expires_ms: now_ms.saturating_add(lasts_ms),
        state,
    };
    let list = DocumentKey::Messages(device.clone());
    forget_earlier(realm, device, born).await?;
    let queue = documents::of_device::<Queue>(realm, &list, born).await?.value;
    if let Some(there) = queue.get(&entry.id) {
        return if there.digest == entry.digest { Ok(there.clone()) } else { Err(id_taken(&entry.id)) };
    }
    entry.body = put_body(realm, device, &entry, &wanted.content).await?.0;
    let by = realm.devices.new_claim();
    let added = documents::change::<Queue, _>(realm, &list, born, |queue| match queue.add(entry.clone(), now_ms) {
        Added::New { dropped } => {
            let claimed = session.is_some() && queue.claim(&by, now_ms);
            Ok(Outcome::Changed((dropped, claimed)))
        }
        Added::Already => Ok(Outcome::Unchanged((Vec::new(), false))),
        Added::IdTaken => Err(id_taken(&entry.id)),
        Added::Full => {
            let text =
                format!("{MESSAGES_MAX} messages wait for device {device} already: delete some, or wait until it connects");
            Err(ApiError::new(Code::LimitReached, text))
        }
    });
    let (queue, (dropped, claimed)) = match added.await {
        Ok(added) => added,
        Err(error) => {
            // Refused for certain: nobody will ever ask for the body.
            if matches!(error.code, Code::LimitReached | Code::AlreadyExists) {
                forget_body(realm, device, &entry).await?;
            }
            return Err(error);
        }
    };
    for dropped in &dropped {
        forget_body(realm, device, dropped).await?;
    }
    let queue = if claimed { deliver_apart(realm, listed, by, queue).await? } else { queue };
    Ok(queue.get(&entry.id).cloned().unwrap_or(entry))
}

/// The messages of a device that are kept, newest first.
///
/// # Errors
/// The backbone's.
pub(crate) async fn list(realm: &Realm, listed: &Listed) -> Result<Vec<Message>, ApiError> {
    let device = &listed.device.id;
    let key = DocumentKey::Messages(device.clone());
    let queue = documents::of_device::<Queue>(realm, &key, listed.created.0).await?.value;
    future::try_join_all(queue.entries.into_iter().rev().map(|entry| whole(realm, device, entry))).await
}

/// One message of a device.
///
/// # Errors
/// [`Code::MessageNotFound`]; the backbone's.
pub(crate) async fn show(realm: &Realm, listed: &Listed, id: &str) -> Result<Message, ApiError> {
    let device = &listed.device.id;
    let key = DocumentKey::Messages(device.clone());
    let queue = documents::of_device::<Queue>(realm, &key, listed.created.0).await?.value;
    let entry = queue.get(id).cloned().ok_or_else(|| not_found(id))?;
    whole(realm, device, entry).await
}

/// Deletes a message; one that waits is not delivered then.
///
/// # Errors
/// [`Code::MessageNotFound`]; the backbone's.
pub(crate) async fn delete(realm: &Realm, listed: &Listed, id: &str) -> Result<(), ApiError> {
    let device = &listed.device.id;
    let key = DocumentKey::Messages(device.clone());
    let removed = documents::change::<Queue, _>(realm, &key, listed.created.0, |queue| {
        queue.remove(id).map(Outcome::Changed).ok_or_else(|| not_found(id))
    });
    let (_, entry) = removed.await?;
    forget_body(realm, device, &entry).await
}

/// Whether anything waits for a device, so that it is worth finding out more.
///
/// # Errors
/// The backbone's.
pub(crate) async fn is_awaited(realm: &Realm, device: &DeviceId) -> Result<bool, ApiError> {
    let held = documents::read::<Queue>(realm, &DocumentKey::Messages(device.clone())).await?;
    Ok(held.is_some_and(|held| !held.value.waiting(realm.devices.now_ms()).is_empty()))
}

/// Delivers what waits for a device that is online, unless somebody else is at it: then it is looked at again.
///
/// # Errors
/// The backbone's.
pub(crate) async fn deliver_waiting(realm: &Arc<Realm>, listed: &Listed) -> Result<(), ApiError> {
    let (device, by, now_ms) = (&listed.device.id, realm.devices.new_claim(), realm.devices.now_ms());
    let key = DocumentKey::Messages(device.clone());
    let claiming = documents::change::<Queue, _>(realm, &key, listed.created.0, |queue| {
        let claimed = queue.claim(&by, now_ms);
        Ok(if claimed { Outcome::Changed(true) } else { Outcome::Unchanged(false) })
    });
    let (queue, claimed) = claiming.await?;
    if claimed {
        deliver(realm, listed, &by, queue).await?;
    } else if queue.is_claimed(now_ms) && !queue.waiting(now_ms).is_empty() {
        realm.devices.look_again(device);
    }
    Ok(())
}

/// Deletes every message of a device that has been deleted.
///
/// # Errors
/// The backbone's: whatever is left is nobody's.
pub(crate) async fn forget(realm: &Realm, device: &DeviceId) -> Result<(), ApiError> {
    let key = DocumentKey::Messages(device.clone());
    let Some(held) = documents::read::<Queue>(realm, &key).await? else { return Ok(()) };
    for entry in &held.value.entries {
        forget_body(realm, device, entry).await?;
    }
    documents::remove(realm, &key, held.revision).await
}

/// Delivers even if whoever asked for it goes away.
async fn deliver_apart(realm: &Arc<Realm>, listed: &Listed, by: String, queue: Queue) -> Result<Queue, ApiError> {
    let (realm, listed) = (Arc::clone(realm), listed.clone());
    let delivering = tokio::spawn(async move { deliver(&realm, &listed, &by, queue).await });
    delivering.await.unwrap_or_else(|error| {
        tracing::error!(%error, "delivering messages failed in an unforeseen way");
        Err(ApiError::new(Code::Internal, "the message is kept, but delivering it failed in an unforeseen way"))
    })
}

/// Delivers what `by` has claimed in `queue`. The list as it is afterwards.
async fn deliver(realm: &Realm, listed: &Listed, by: &str, mut queue: Queue) -> Result<Queue, ApiError> {
    let device = &listed.device.id;
    let key = DocumentKey::Messages(device.clone());
    loop {
        let since_ms = realm.devices.now_ms();
        let waiting: Vec<Entry> = queue.entries.iter().filter(|entry| entry.state == State::Pending).cloned().collect();
        let (mut ended, mut next) = (Vec::new(), Next::GoOn);
        for entry in waiting {
            if !Claim::has_time(since_ms, realm.devices.now_ms()) {
                break;
            }
            if !realm.online.is_online(device) {
                next = Next::Leave;
                break;
            }
            match send(realm, listed, &entry).await {
                Ok(state) => ended.push((entry.number, state)),
                Err(error) => {
                    if let Some(left_out) = realm.devices.told.failed(&error.message) {
                        tracing::warn!(instance = %realm.id, %device, error = error.message, left_out, "a message could not be delivered");
                    }
                    next = Next::Wait;
                    break;
                }
            }
        }
        let noting = documents::change::<Queue, _>(realm, &key, listed.created.0, |queue| {
            Ok(Outcome::Changed(queue.note(by, &ended, next, realm.devices.now_ms())))
        });
        let (noted, more) = noting.await.inspect_err(|_| realm.devices.look_again(device))?;
        if next != Next::GoOn {
            realm.devices.look_again(device);
        }
        if !more {
            return Ok(noted);
        }
        queue = noted;
    }
}

async fn send(realm: &Realm, listed: &Listed, entry: &Entry) -> Result<State, ApiError> {
    let device = &listed.device;
    let at_ms = realm.devices.now_ms();
    let key = DocumentKey::Message(device.id.clone(), entry.number);
    let Some(body) = documents::read::<Content>(realm, &key).await? else {
        return Ok(State::Failed { at_ms, reason: "the message was deleted".to_owned() });
    };
    let content = body.value;
    let (topic, payload) = (content.topic(&device.id), content.payload(&device.id, &entry.id));
    match super::send(realm, device, topic, payload, content.publish_properties()).await {
        Ok(()) => Ok(State::Delivered { at_ms }),
        Err(BackboneError::LimitReached { what, max }) => {
            Ok(State::Failed { at_ms, reason: format!("{what} is over its limit of {max}") })
        }
        Err(error) => Err(error.into()),
    }
}

async fn whole(realm: &Realm, device: &DeviceId, entry: Entry) -> Result<Message, ApiError> {
    let body = documents::read::<Content>(realm, &DocumentKey::Message(device.clone(), entry.number)).await?;
    Ok(Message { entry, content: body.map(|body| body.value) })
}

/// Writes what a message says. If a creation that did not come to its end has left it there, it is written over: whoever
/// is deleting that one does not delete this.
async fn put_body(realm: &Realm, device: &DeviceId, entry: &Entry, content: &Content) -> Result<Revision, ApiError> {
    let key = DocumentKey::Message(device.clone(), entry.number);
    let there = documents::read::<Content>(realm, &key).await?;
    let expected = match there {
        None => Revision::NONE,
        Some(there) if there.value == *content => there.revision,
        Some(_) => return Err(id_taken(&entry.id)),
    };
    let written = documents::write(realm, &key, expected, content).await?;
    written.ok_or_else(|| {
        let text = format!("message {:?} is being created by somebody else: try again", entry.id);
        ApiError::new(Code::Overloaded, text).retry_after(1)
    })
}

/// Deletes what a message says, unless a later message of its id has been written there since.
async fn forget_body(realm: &Realm, device: &DeviceId, entry: &Entry) -> Result<(), ApiError> {
    let key = DocumentKey::Message(device.clone(), entry.number);
    documents::remove(realm, &key, Revision(entry.body)).await
}

/// Deletes the messages of an earlier device of this id.
async fn forget_earlier(realm: &Realm, device: &DeviceId, born: u64) -> Result<(), ApiError> {
    let held = documents::read::<Queue>(realm, &DocumentKey::Messages(device.clone())).await?;
    match held {
        Some(held) if held.value.born() < born => forget(realm, device).await,
        Some(_) | None => Ok(()),
    }
}

/// The number of a message's document: the same whenever the same device is sent a message of the same id.
fn number_of(born: u64, id: &str) -> u64 {
    let digest = Sha256::new().chain_update(born.to_be_bytes()).chain_update(id).finalize();
    digest.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn id_taken(id: &str) -> ApiError {
    ApiError::new(Code::AlreadyExists, format!("the device has another message with message_id {id:?}"))
}

fn not_found(id: &str) -> ApiError {
    ApiError::new(Code::MessageNotFound, format!("The message does not exist: {id:?}"))
}
