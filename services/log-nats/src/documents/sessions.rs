//! Documents of sessions and wills, read with the rights of a connector: one by its subject, or all by a consumer; and all
//! of operators' sessions, read with those of an API.

use std::sync::Arc;

use rollcall_domain::ids::LogId;
use rollcall_log::{
    BackboneError,
    documents::{Document, DocumentKey, Revision, SessionDocuments},
};
use tokio::sync::mpsc;

use super::{Latest, is_deletion};
use crate::{
    connection::Connection,
    streams::{self, direct, held::Held, replay::Stored},
    subjects,
};

/// Documents that wait for a slow reader.
const WAITING_MAX: usize = 256;

/// What a subject holds.
pub(super) async fn latest(connection: &Connection, stream: &str, subject: &str) -> Result<Latest, BackboneError> {
    Ok(match direct::last(connection, stream, subject).await? {
        None => Latest::Nothing,
        Some(held) if is_deletion(&held.headers) => Latest::Deleted { sequence: held.sequence },
        Some(held) => Latest::Document(Document { revision: Revision(held.sequence), body: held.payload }),
    })
}

/// See [`rollcall_log::documents::Documents::sessions`].
pub(super) async fn list(connection: &Arc<Connection>, log: &LogId) -> Result<SessionDocuments, BackboneError> {
    let shard = connection.shards().await?.of(log);
    let stream = subjects::documents_stream(shard);
    let attempted = format!("listing the sessions of {log}");
    let info = streams::existing(connection, &stream, || attempted.clone()).await?;
    let filter = subjects::documents_of_sessions(shard, log);
    let held = Held::open(connection, info, filter, 0).await?;
    let (out, listed) = mpsc::channel(WAITING_MAX);
    tokio::spawn(read(held, attempted, out));
    Ok(listed)
}

/// To the end that the stream had when reading began.
async fn read(mut held: Held, attempted: String, out: mpsc::Sender<Result<(DocumentKey, Document), BackboneError>>) {
    loop {
        let stored = tokio::select! {
            () = out.closed() => return,
            stored = held.next() => stored,
        };
        let found = match stored {
            Ok(Some(stored)) => document(stored, &attempted),
            Ok(None) => return,
            Err(end) => Some(Err(end.unavailable(|| attempted.clone()))),
        };
        let Some(found) = found else { continue };
        let is_last = found.is_err();
        if out.send(found).await.is_err() || is_last {
            return;
        }
    }
}

/// `None`: it says that a document was deleted.
fn document(stored: Stored, attempted: &str) -> Option<Result<(DocumentKey, Document), BackboneError>> {
    let Stored { sequence, message, .. } = stored;
    if message.headers.as_ref().is_some_and(is_deletion) {
        return None;
    }
    Some(match subjects::read_session_document(&message.subject) {
        Some(key) => Ok((key, Document { revision: Revision(sequence), body: message.payload })),
        None => Err(BackboneError::Damaged {
            what: attempted.to_owned(),
            reason: format!("{} is the subject of no session", message.subject),
        }),
    })
}
