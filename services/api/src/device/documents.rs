//! Documents of devices as JSON, changed by compare-and-set.
//!
//! Not for what is in them. Invariants: a document of an earlier device of the same id is nobody's: it is treated as not
//! there, and overwritten; a change is computed anew from what it is written over.

use bytes::Bytes;
use rollcall_backbone::documents::{DOCUMENT_BYTES_MAX, DocumentKey, PutError, Revision};
use serde::{Serialize, de::DeserializeOwned};

use crate::{codes::Code, error::ApiError, realm::Realm};

/// How often a change is computed anew because somebody else was faster.
const CONFLICTS_MAX: usize = 32;

/// A document that belongs to one device, from its creation to its deletion.
pub(crate) trait Life: Serialize + DeserializeOwned + Clone + Send {
    /// As it is before anything has happened. `born` is the position of the record that created the device.
    fn beginning(born: u64) -> Self;
    /// Whose it is.
    fn born(&self) -> u64;
}

/// A document as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Held<T> {
    /// What a write over it expects.
    pub(crate) revision: Revision,
    /// What it says.
    pub(crate) value: T,
}

/// What a change comes to.
pub(crate) enum Outcome<R> {
    /// To be written.
    Changed(R),
    /// Nothing to write.
    Unchanged(R),
}

/// Reads a document, whosever it is.
///
/// # Errors
/// The backbone's; [`Code::Internal`] if it says something that this version cannot read.
pub(crate) async fn read<T: DeserializeOwned>(realm: &Realm, key: &DocumentKey) -> Result<Option<Held<T>>, ApiError> {
    let Some(document) = realm.backbone.documents.get(&realm.id, key).await? else { return Ok(None) };
    let value = serde_json::from_slice(&document.body).map_err(|error| {
        tracing::error!(instance = %realm.id, ?key, %error, "a document cannot be read");
        ApiError::new(Code::Internal, "a document of the device cannot be read by this version")
    })?;
    Ok(Some(Held { revision: document.revision, value }))
}

/// Writes a document over a revision; `None`: somebody else was faster.
///
/// # Errors
/// The backbone's; [`Code::LimitReached`] if it is too large.
pub(crate) async fn write<T: Serialize>(
    realm: &Realm,
    key: &DocumentKey,
    expected: Revision,
    value: &T,
) -> Result<Option<Revision>, ApiError> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(instance = %realm.id, ?key, %error, "a document cannot be written as JSON");
        ApiError::new(Code::Internal, "a document of the device cannot be written")
    })?;
    if body.len() > DOCUMENT_BYTES_MAX {
        let text = format!("it would make {} of {} bytes: at most {DOCUMENT_BYTES_MAX} are kept", named(key), body.len());
        return Err(ApiError::new(Code::LimitReached, text));
    }
    match realm.backbone.documents.put(&realm.id, key, expected, Bytes::from(body)).await {
        Ok(revision) => Ok(Some(revision)),
        Err(PutError::Conflict) => Ok(None),
        Err(PutError::Backbone(error)) => Err(error.into()),
    }
}

/// Deletes a document if it still is of this revision.
///
/// # Errors
/// The backbone's.
pub(crate) async fn remove(realm: &Realm, key: &DocumentKey, expected: Revision) -> Result<(), ApiError> {
    match realm.backbone.documents.delete(&realm.id, key, expected).await {
        Ok(()) | Err(PutError::Conflict) => Ok(()),
        Err(PutError::Backbone(error)) => Err(error.into()),
    }
}

/// Reads the document of a device, `born` with the record at this position.
///
/// # Errors
/// As [`read`]; [`Code::NotReady`] if there is a later device of this id, which this process has not heard of yet.
pub(crate) async fn of_device<T: Life>(realm: &Realm, key: &DocumentKey, born: u64) -> Result<Held<T>, ApiError> {
    match read::<T>(realm, key).await? {
        None => Ok(Held { revision: Revision::NONE, value: T::beginning(born) }),
        Some(held) if held.value.born() == born => Ok(held),
        Some(held) if held.value.born() > born => Err(ApiError::not_ready()),
        Some(held) => Ok(Held { revision: held.revision, value: T::beginning(born) }),
    }
}

/// Changes the document of a device.
///
/// # Errors
/// As [`of_device`] and [`write`], or what `change` says; [`Code::Overloaded`] if others are faster again and again.
pub(crate) async fn change<T: Life, R>(
    realm: &Realm,
    key: &DocumentKey,
    born: u64,
    mut change: impl FnMut(&mut T) -> Result<Outcome<R>, ApiError>,
) -> Result<(T, R), ApiError> {
    for _ in 0..CONFLICTS_MAX {
        let Held { revision, mut value } = of_device::<T>(realm, key, born).await?;
        match change(&mut value)? {
            Outcome::Unchanged(outcome) => return Ok((value, outcome)),
            Outcome::Changed(outcome) => {
                if write(realm, key, revision, &value).await?.is_some() {
                    return Ok((value, outcome));
                }
            }
        }
    }
    let text = format!("too many are changing {} at once: try again", named(key));
    Err(ApiError::new(Code::Overloaded, text).retry_after(1))
}

fn named(key: &DocumentKey) -> String {
    match key {
        DocumentKey::Shadow(device) => format!("a shadow of device {device}"),
        DocumentKey::Messages(device) => format!("a list of messages of device {device}"),
        DocumentKey::Message(device, _) => format!("a message of device {device}"),
        DocumentKey::Cursor(_) => "a reader's mark".to_owned(),
    }
}
