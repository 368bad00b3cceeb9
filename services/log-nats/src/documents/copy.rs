//! Documents that version 0.1 kept in a stream of the instance's own are copied into its shard before they are used.
//!
//! Copied and not read where they are: a key that is deleted in the shard leaves nothing after a while, and would be found
//! in the old stream again. Invariant: what has been written or deleted in the shard is never written over by a copy. A mark in the
//! shard says that an instance has been copied; documents there are not read or written before it is there, and every copy
//! is stored only if it is not (expected last sequence of the mark's subject: 0). So several processes may copy at a time,
//! one that is killed leaves no harm, and one that comes too late writes nothing.
//!
//! Processes of version 0.1 that write documents (its API) have to be stopped before: what they write afterwards stays behind.

use async_nats::{HeaderMap, header, jetstream::stream::RawMessageErrorKind};
use bytes::Bytes;
use rollcall_domain::ids::InstanceId;
use rollcall_log::BackboneError;

use crate::{
    connection::Connection,
    documents::is_deletion,
    streams::{
        self,
        atomic::{self, StoreError},
    },
    subjects::{self, shards::Shard},
};

/// Names the subject whose last sequence is expected, where that is not the message's own.
const EXPECTED_SUBJECT: &str = "Nats-Expected-Last-Subject-Sequence-Subject";

/// Copies an instance's documents, unless that has been done or there are none.
pub(super) async fn copy(connection: &Connection, shard: Shard, instance: &InstanceId) -> Result<(), BackboneError> {
    let own = subjects::own::documents_stream(instance);
    let attempted = || format!("copying the documents of instance {instance} from stream {own}");
    let Some(info) = streams::info(connection, &own, attempted).await? else { return Ok(()) };
    if is_copied(connection, shard, instance).await? {
        return Ok(());
    }
    let (mut next, mut copied) = (info.state.first_sequence, 0_u64);
    while let Some(found) = document(connection, &own, next, &subjects::own::documents_all(instance)).await? {
        next = found.sequence + 1;
        let subject = subjects::document_copy(shard, &found.subject);
        let Some(subject) = subject.filter(|_| !is_deletion(&found.headers)) else { continue };
        let message = atomic::Message { subject, headers: unless_copied(shard, instance), payload: found.payload };
        match atomic::store(connection, attempted, vec![message]).await {
            Ok(_sequence) => copied += 1,
            // Another process has come to the end.
            Err(StoreError::WrongLastSequence) => return Ok(()),
            Err(error) => return Err(failed(connection, shard, &attempted, error)),
        }
    }
    let mark = atomic::Message {
        subject: subjects::documents_copied(shard, instance),
        headers: unless_copied(shard, instance),
        payload: Bytes::new(),
    };
    match atomic::store(connection, attempted, vec![mark]).await {
        Ok(_) => tracing::info!(%instance, copied, "documents of version 0.1 have been copied"),
        Err(StoreError::WrongLastSequence) => {}
        Err(error) => return Err(failed(connection, shard, &attempted, error)),
    }
    Ok(())
}

async fn is_copied(connection: &Connection, shard: Shard, instance: &InstanceId) -> Result<bool, BackboneError> {
    let (stream, mark) = (subjects::documents_stream(shard), subjects::documents_copied(shard, instance));
    let looking = async {
        let stream = connection.jetstream.get_stream_no_info(&stream).await.map_err(|error| error.to_string())?;
        match stream.raw_message_builder().last_by_subject(&mark).send().await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(false),
            Err(error) => Err(error.to_string()),
        }
    };
    connection.within(|| format!("reading {mark} of stream {stream}"), looking).await
}

/// The first message of a stream from a sequence on; `None` at the end.
async fn document(
    connection: &Connection,
    stream: &str,
    from: u64,
    filter: &str,
) -> Result<Option<async_nats::jetstream::message::StreamMessage>, BackboneError> {
    let reading = async {
        let stream = connection.jetstream.get_stream_no_info(stream).await.map_err(|error| error.to_string())?;
        match stream.raw_message_builder().sequence(from).next_by_subject(filter).send().await {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    };
    connection.within(|| format!("reading stream {stream} from {from}"), reading).await
}

fn unless_copied(shard: Shard, instance: &InstanceId) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
    headers.insert(EXPECTED_SUBJECT, subjects::documents_copied(shard, instance).as_str());
    headers
}

fn failed(connection: &Connection, shard: Shard, attempted: &impl Fn() -> String, error: StoreError) -> BackboneError {
    let unavailable = |reason: &str| BackboneError::Unavailable { attempted: attempted(), reason: reason.to_owned() };
    match error {
        StoreError::Backbone(error) => error,
        StoreError::StreamLimit(reason) => {
            tracing::error!(%shard, reason, "documents of version 0.1 find no room in their shard: give it more bytes");
            BackboneError::LimitReached {
                what: format!("{}: bytes of documents in shard {shard}", attempted()),
                max: connection.config.limits.shards.documents_bytes,
            }
        }
        StoreError::WrongLastSequence | StoreError::Incomplete => unavailable("the server refused the message"),
    }
}
