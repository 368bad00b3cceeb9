//! Documents of devices as JSON, changed by compare-and-set.
//!
//! Does not know what is in them. Invariants: a document of an earlier device of the same id is treated as not there, and
//! overwritten; a change is computed anew from what it is written over.

use bytes::Bytes;
use rollcall_device_model::document::DeviceDocument;
use rollcall_log::documents::{DOCUMENT_BYTES_MAX, DocumentKey, PutError, Revision};
use serde::{Serialize, de::DeserializeOwned};

use crate::{error::DevicesError, instance::Devices};

/// How often a change is computed anew because another process was faster.
const CONFLICTS_MAX: usize = 32;

/// A document as it was read.
#[derive(Clone, Debug)]
pub(crate) struct StoredDocument<T> {
    /// What a write over it expects.
    pub(crate) revision: Revision,
    /// What it says.
    pub(crate) value: T,
}

/// What a change comes to.
pub(crate) enum Edit<R> {
    /// To be written.
    Changed(R),
    /// Nothing to write.
    Unchanged(R),
}

/// Reads a document, also one of an earlier device of the id.
///
/// # Errors
/// [`DevicesError::Backbone`]; [`DevicesError::Unreadable`].
pub(crate) async fn read<T: DeserializeOwned>(
    devices: &Devices,
    key: &DocumentKey,
) -> Result<Option<StoredDocument<T>>, DevicesError> {
    let Some(document) = devices.backbone.documents.get(&devices.log(), key).await? else { return Ok(None) };
    let value = serde_json::from_slice(&document.body).map_err(|error| {
        tracing::error!(instance = %devices.instance, ?key, %error, "a document cannot be read");
        DevicesError::Unreadable
    })?;
    Ok(Some(StoredDocument { revision: document.revision, value }))
}

/// Writes a document over a revision; `None`: another process has written it since.
///
/// # Errors
/// [`DevicesError::Backbone`]; [`DevicesError::DocumentTooLarge`].
pub(crate) async fn write<T: Serialize>(
    devices: &Devices,
    key: &DocumentKey,
    expected: Revision,
    value: &T,
) -> Result<Option<Revision>, DevicesError> {
    let body = serde_json::to_vec(value).map_err(|error| {
        tracing::error!(instance = %devices.instance, ?key, %error, "a document cannot be written as JSON");
        DevicesError::Unwritable
    })?;
    if body.len() > DOCUMENT_BYTES_MAX {
        let (document, bytes) = (named(key), body.len());
        return Err(DevicesError::DocumentTooLarge { document, bytes, max: DOCUMENT_BYTES_MAX });
    }
    match devices.backbone.documents.put(&devices.log(), key, expected, Bytes::from(body)).await {
        Ok(revision) => Ok(Some(revision)),
        Err(PutError::Conflict) => Ok(None),
        Err(PutError::Backbone(error)) => Err(error.into()),
    }
}

/// Deletes a document if it still is of this revision.
///
/// # Errors
/// [`DevicesError::Backbone`].
pub(crate) async fn remove(devices: &Devices, key: &DocumentKey, expected: Revision) -> Result<(), DevicesError> {
    match devices.backbone.documents.delete(&devices.log(), key, expected).await {
        Ok(()) | Err(PutError::Conflict) => Ok(()),
        Err(PutError::Backbone(error)) => Err(error.into()),
    }
}

/// Reads the document of a device that was created by the record at position `created_at`.
///
/// # Errors
/// As [`read`]; [`DevicesError::NotReady`] if there is a later device of this id, which this process's view does not have yet.
pub(crate) async fn of_device<T: DeviceDocument>(
    devices: &Devices,
    key: &DocumentKey,
    created_at: u64,
) -> Result<StoredDocument<T>, DevicesError> {
    match read::<T>(devices, key).await? {
        None => Ok(StoredDocument { revision: Revision::NONE, value: T::new(created_at) }),
        Some(held) if held.value.created_at() == created_at => Ok(held),
        Some(held) if held.value.created_at() > created_at => Err(DevicesError::NotReady),
        Some(held) => Ok(StoredDocument { revision: held.revision, value: T::new(created_at) }),
    }
}

/// Changes the document of a device.
///
/// # Errors
/// As [`of_device`] and [`write`], or what `change` says; [`DevicesError::Contended`] after [`CONFLICTS_MAX`] tries.
pub(crate) async fn change<T: DeviceDocument, R>(
    devices: &Devices,
    key: &DocumentKey,
    created_at: u64,
    mut change: impl FnMut(&mut T) -> Result<Edit<R>, DevicesError>,
) -> Result<(T, R), DevicesError> {
    for _ in 0..CONFLICTS_MAX {
        let StoredDocument { revision, mut value } = of_device::<T>(devices, key, created_at).await?;
        match change(&mut value)? {
            Edit::Unchanged(outcome) => return Ok((value, outcome)),
            Edit::Changed(outcome) => {
                if write(devices, key, revision, &value).await?.is_some() {
                    return Ok((value, outcome));
                }
            }
        }
    }
    Err(DevicesError::Contended { document: named(key) })
}

fn named(key: &DocumentKey) -> String {
    match key {
        DocumentKey::Shadow(device) => format!("a shadow of device {device}"),
        DocumentKey::Messages(device) => format!("a list of messages of device {device}"),
        DocumentKey::Message(device, _) => format!("a message of device {device}"),
        DocumentKey::Cursor(_) => "a reader's mark".to_owned(),
        DocumentKey::Session(device) => format!("a session of device {device}"),
        DocumentKey::Will(device, _) => format!("a will of device {device}"),
        DocumentKey::OperatorSession(_) => "a session of an operator".to_owned(),
    }
}
