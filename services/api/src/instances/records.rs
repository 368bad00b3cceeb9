//! Records of an instance's log, read one at a time or in a row, for people.
//!
//! Does not fold them: the view does. Invariant: what is answered was decoded, so a record that this version does not understand
//! is an error and never half shown.

use bytes::Bytes;
use rollcall_domain::{
    ids::Position,
    registry::{Event, event::PresentedCertificate},
};
use rollcall_log::{
    codec::{AnyEvent, Record, decode_record},
    log::Entry,
};

use crate::{
    http::{codes::Code, error::ApiError},
    instances::served::ServedInstance,
};

/// A record with its place and the text that it is stored as.
pub(crate) struct StoredRecord {
    pub(crate) position: Position,
    pub(crate) record: Record,
    /// The JSON that it is stored as.
    pub(crate) text: Bytes,
}

impl StoredRecord {
    /// `None`: the record is about the fleet or the log itself.
    pub(crate) fn event(&self) -> Option<&Event> {
        match &self.record.event {
            AnyEvent::Registry(event) => Some(event),
            AnyEvent::Fleet(_) | AnyEvent::Log(_) => None,
        }
    }
}

/// The record at a position that the view has reached; `None` past the end of the log, or where a record stands that no
/// registrar of this fleet has signed.
///
/// # Errors
/// The backbone's, or [`Code::Internal`] for a record that cannot be read.
pub(crate) async fn at(instance: &ServedInstance, position: Position) -> Result<Option<StoredRecord>, ApiError> {
    if instance.view.admission().is_foreign(position) {
        return Ok(None);
    }
    let before = Position(position.0.saturating_sub(1));
    let found = instance.backbone.log.read(&instance.log(), before, 1).await?.pop();
    found.map(|entry| decoded(instance, entry)).transpose()
}

/// The records of this fleet's registrars after `after` up to and with `until`, oldest first; the view must have reached `until`.
///
/// # Errors
/// As for [`at`].
pub(crate) async fn between(
    instance: &ServedInstance,
    after: Position,
    until: Position,
) -> Result<Vec<StoredRecord>, ApiError> {
    let (mut found, mut reached) = (Vec::new(), after);
    while reached < until {
        let missing = usize::try_from(until.0 - reached.0).unwrap_or(usize::MAX);
        let entries = instance.backbone.log.read(&instance.log(), reached, missing).await?;
        let Some(last) = entries.last() else { break };
        reached = last.position;
        for entry in entries {
            if !instance.view.admission().is_foreign(entry.position) {
                found.push(decoded(instance, entry)?);
            }
        }
    }
    Ok(found)
}

/// The certificate that an event brings to a device.
pub(crate) fn presented(event: &Event) -> Option<&PresentedCertificate> {
    if let Event::DeviceRegistered { certificate, .. }
    | Event::DeviceCertificatePinned { certificate, .. }
    | Event::DeviceCertificateReplaced { certificate, .. } = event
    {
        Some(certificate)
    } else {
        None
    }
}

fn decoded(instance: &ServedInstance, entry: Entry) -> Result<StoredRecord, ApiError> {
    let record = decode_record(&instance.log(), &entry.record).map_err(|error| {
        tracing::error!(instance = %instance.id, position = %entry.position, %error, "a record cannot be read");
        ApiError::new(Code::Internal, "the log holds a record that this version cannot read")
    })?;
    Ok(StoredRecord { position: entry.position, record, text: entry.record })
}
