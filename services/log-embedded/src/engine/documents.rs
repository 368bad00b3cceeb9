//! Documents on the local store: rows of a stream, of which a key has the latest. A revision is a row's position.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use redb::TableDefinition;
use rollcall_domain::{
    ids::{ConnectorId, DeviceId, LogId},
    session::Session,
};
use rollcall_log::{
    BackboneError,
    documents::{CursorName, Document, DocumentKey, Documents, PutError, Revision, SessionDocuments, check_size},
};
use tokio::sync::mpsc;

use super::{
    core::Core,
    frame,
    store::Store,
    stream::{Keys, StreamKind, StreamName},
};

/// What the keys of sessions and wills begin with, and the first text after all of them.
const SESSIONS: Listed = Listed { prefix: "session/", end: "session0" };
/// What the keys of operators' sessions begin with.
const OPERATOR_SESSIONS: Listed = Listed { prefix: "operators/", end: "operators0" };
/// Documents of sessions that are read at a time, and that wait for a slow reader.
const LISTED_AT_ONCE: usize = 64;

/// Keys that are listed together.
#[derive(Clone, Copy)]
struct Listed {
    prefix: &'static str,
    /// The first text after all that begin with it.
    end: &'static str,
}

/// [`Documents`] on a [`Core`].
pub(crate) struct LocalDocuments(pub(crate) Arc<Core>);

#[async_trait]
impl Documents for LocalDocuments {
    async fn open(&self, log: &LogId) -> Result<(), BackboneError> {
        self.0.declare(StreamName::documents(log), StreamKind::Documents).await.map(|_| ())
    }

    async fn get(&self, log: &LogId, key: &DocumentKey) -> Result<Option<Document>, BackboneError> {
        let (stream, key) = (StreamName::documents(log), text(key));
        if self.0.shared.tails.last(&stream).is_none() {
            return Err(stream.undeclared());
        }
        let read = self.0.shared.store.read("reading a document", move |transaction| {
            let name = stream.keys_name();
            let keys: Keys<'_> = TableDefinition::new(&name);
            let Some(position) = transaction.open_table(keys)?.get(key.as_str())?.map(|position| position.value()) else {
                return Ok(None);
            };
            let rows = transaction.open_table(stream.rows())?;
            let Some(row) = rows.get(position)? else {
                return Err(stream.damaged(format!("the row at {position} of {key} is missing")).into());
            };
            let row = frame::decode(&stream, position, row.value())?;
            Ok(Some(Document { revision: Revision(position), body: row.body }))
        });
        read.await
    }

    async fn sessions(&self, log: &LogId) -> Result<SessionDocuments, BackboneError> {
        let stream = StreamName::documents(log);
        if self.0.shared.tails.last(&stream).is_none() {
            return Err(stream.undeclared());
        }
        let (out, listed) = mpsc::channel(LISTED_AT_ONCE);
        tokio::spawn(list(Arc::clone(&self.0.shared.store), stream, log.clone(), out));
        Ok(listed)
    }

    async fn put(&self, log: &LogId, key: &DocumentKey, expected: Revision, body: Bytes) -> Result<Revision, PutError> {
        check_size(&body)?;
        let (stream, key) = (StreamName::documents(log), text(key));
        self.0.write(move |batch| batch.put_document(&stream, &key, expected, &body)).await
    }

    async fn delete(&self, log: &LogId, key: &DocumentKey, expected: Revision) -> Result<(), PutError> {
        let (stream, key) = (StreamName::documents(log), text(key));
        self.0.write(move |batch| batch.delete_document(&stream, &key, expected)).await
    }
}

/// A key as it is stored. No id can hold `/`.
fn text(key: &DocumentKey) -> String {
    match key {
        DocumentKey::Shadow(device) => format!("shadow/{device}"),
        DocumentKey::Messages(device) => format!("messages/{device}"),
        DocumentKey::Message(device, number) => format!("message/{device}/{number}"),
        DocumentKey::Cursor(CursorName::Reports) => "cursor/reports".to_owned(),
        DocumentKey::Session(device) => format!("session/kept/{device}"),
        DocumentKey::Will(device, Session { connector, number }) => format!("session/will/{device}/{connector}/{number}"),
        DocumentKey::OperatorSession(sha256) => format!("operators/{}", hex::encode(sha256)),
    }
}

/// The session or will that a key was stored for.
fn session_key(text: &str) -> Option<DocumentKey> {
    let fields: Vec<&str> = text.split('/').collect();
    match *fields.as_slice() {
        ["session", "kept", device] => Some(DocumentKey::Session(DeviceId::parse(device).ok()?)),
        ["session", "will", device, connector, number] => {
            let session = Session { connector: ConnectorId::parse(connector).ok()?, number: number.parse().ok()? };
            Some(DocumentKey::Will(DeviceId::parse(device).ok()?, session))
        }
        ["operators", sha256] => {
            let mut bytes = [0; 32];
            hex::decode_to_slice(sha256, &mut bytes).ok()?;
            Some(DocumentKey::OperatorSession(bytes))
        }
        _ => None,
    }
}

/// Hands out the documents of sessions, some at a time, each as it is when its turn comes.
async fn list(
    store: Arc<Store>,
    stream: StreamName,
    log: LogId,
    out: mpsc::Sender<Result<(DocumentKey, Document), BackboneError>>,
) {
    let listed = match log {
        LogId::Fleet => OPERATOR_SESSIONS,
        LogId::Instance(_) => SESSIONS,
    };
    let mut after = listed.prefix.to_owned();
    loop {
        let named = stream.clone();
        let read = store.read("listing sessions", move |transaction| {
            let name = named.keys_name();
            let keys: Keys<'_> = TableDefinition::new(&name);
            let (keys, rows) = (transaction.open_table(keys)?, transaction.open_table(named.rows())?);
            let mut found = Vec::new();
            for key in keys.range(after.as_str()..listed.end)?.take(LISTED_AT_ONCE + 1) {
                let (key, position) = key?;
                let (key, position) = (key.value().to_owned(), position.value());
                if key == after {
                    continue;
                }
                let Some(row) = rows.get(position)? else {
                    return Err(named.damaged(format!("the row at {position} of {key} is missing")).into());
                };
                let row = frame::decode(&named, position, row.value())?;
                found.push((key, Document { revision: Revision(position), body: row.body }));
            }
            Ok(found)
        });
        let found = match read.await {
            Ok(found) => found,
            Err(error) => {
                // The reader may be gone too.
                let _ = out.send(Err(error)).await;
                return;
            }
        };
        let Some((last, _)) = found.last() else { return };
        after = last.clone();
        for (key, document) in found {
            let Some(key) = session_key(&key) else {
                let _ = out.send(Err(stream.damaged(format!("{key:?} is no key of a session")))).await;
                return;
            };
            if out.send(Ok((key, document))).await.is_err() {
                return;
            }
        }
    }
}
