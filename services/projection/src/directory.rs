//! The directory of one instance: what people look up of its devices and their certificates, without a scan.
//!
//! Not a second database: the same generations as [`admission`](crate::admission) looks things up in, with more keys
//! beside the rows if the store was opened so. Invariant: a device is only ever shown as its row says it is; an index
//! that is stale or has a gap can leave it out of an answer and nothing worse.
//!
//! Every question is answered by walking an index from where the answer begins: `plan` chooses the index, `stream` walks
//! several at a time, `search` goes through one in its own order. All of it is synchronous and reads files: ask off the
//! runtime's threads.

mod certificates;
mod connects;
mod list;
mod plan;
mod query;
mod search;
mod stream;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rollcall_domain::{
    ids::{DeviceId, Incarnation, InstanceId, Position, SpaceId},
    registry::{Device, PinKey, Retired},
    time::Timestamp,
};
use rollcall_log::log::RegistryLog;
use tokio_util::sync::CancellationToken;

pub use self::{
    certificates::{CertificateFilter, CertificatePage, CertificateQuery},
    query::{Condition, DeviceQuery, Online, Order, TextTest, ValueTest},
    search::{Cursor, FoundPage, PrefixField},
};
use crate::{
    admission::AdmissionView,
    seen,
    views::{Store, ViewError, ViewState},
};
pub use crate::{
    rows::{CertificateId, DeviceStatus, ListedCertificate},
    seen::Seen,
};

/// A device that exists, and the records that made it what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub device: Device,
    /// The record that created it: where it stands in a list.
    pub created: Position,
    /// The last record that was about it.
    pub updated: Position,
}

/// Part of a list of devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DevicePage {
    /// In the order that was asked for.
    pub devices: Vec<Listed>,
    /// How many devices were looked at for it: what it cost.
    pub rows_read: u64,
    /// The last that was looked at, where as many were as there may be: the page is short, and there may be more.
    pub stopped_at: Option<Position>,
}

/// How many devices a query means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceCount {
    pub count: u64,
    /// `false`: not all were looked at, and there may be more.
    pub is_whole: bool,
}

impl DevicePage {
    /// Where the next page begins: after the last of them, or after the last that was looked at.
    pub fn last(&self) -> Option<Position> {
        self.stopped_at.or_else(|| self.devices.last().map(|listed| listed.created))
    }
}

/// What people look up of one instance. Cheap to clone; reads take no lock and block on files.
///
/// `None` for an answer means that there is none at present: nothing is served yet, the directory is being built, or the
/// lookup met damage and the view is being built again. The answer to give is then to ask again, not that there is
/// nothing.
#[derive(Clone)]
pub struct DirectoryView {
    admission: AdmissionView,
    instance: InstanceId,
    incarnation: Incarnation,
}

impl Store {
    /// The directory of an instance: the same view as that of [`admission`](Self::admission), with what is looked up in it.
    ///
    /// Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`ViewError::WithoutDirectory`] if the store was opened without; else as for [`admission`](Self::admission).
    pub fn directory(
        &self,
        instance: &InstanceId,
        incarnation: Incarnation,
        log: Arc<dyn RegistryLog>,
        shutdown: CancellationToken,
    ) -> Result<DirectoryView, ViewError> {
        if !self.config().directory {
            return Err(ViewError::WithoutDirectory { folder: self.config().folder.display().to_string() });
        }
        let view = self.admission(instance, incarnation, log, shutdown)?;
        Ok(DirectoryView { admission: view, instance: instance.clone(), incarnation })
    }
}

impl DirectoryView {
    /// The same view, as a connector or registrar knows it: configuration, position, status.
    pub fn admission(&self) -> &AdmissionView {
        &self.admission
    }

    /// One device; the inner `None` says that no such device exists now.
    pub fn show(&self, id: &DeviceId) -> Option<Option<Listed>> {
        self.state().look_in_directory(|rows| rows.listed(id))
    }

    /// The devices that a query means, in its order.
    pub fn list(&self, query: &DeviceQuery<'_>) -> Option<DevicePage> {
        self.list_within(query, None)
    }

    /// The same, but looking at no more than `rows_max` devices, if that is given: the page may then be short, even empty.
    pub fn list_within(&self, query: &DeviceQuery<'_>, rows_max: Option<u64>) -> Option<DevicePage> {
        self.state().look_and_count(|rows, counts| list::page(rows, counts, query, rows_max))
    }

    /// How many devices a query means, whatever its `after`, `offset` and `limit`.
    pub fn count(&self, query: &DeviceQuery<'_>) -> Option<u64> {
        self.count_within(query, None).map(|found| found.count)
    }

    /// The same, but looking at no more than `rows_max` devices, if that is given, where no index tells their number.
    pub fn count_within(&self, query: &DeviceQuery<'_>, rows_max: Option<u64>) -> Option<DeviceCount> {
        self.state().look_and_count(|rows, counts| list::count(rows, counts, query, rows_max))
    }

    /// Devices whose field begins with `prefix`, by that field, from after `after`: those of `spaces`, if given. Where few
    /// devices are of these spaces a page may be short, even empty, though there are more: `next` says.
    pub fn find(
        &self,
        prefix: &str,
        field: PrefixField,
        spaces: Option<&BTreeSet<SpaceId>>,
        after: Option<&Cursor>,
        max: usize,
    ) -> Option<FoundPage> {
        self.state().look_in_directory(|rows| search::find(rows, prefix, field, spaces, after, max))
    }

    /// One certificate that is pinned to a device; the inner `None` says that no such certificate is pinned now.
    pub fn certificate(&self, id: &CertificateId) -> Option<Option<ListedCertificate>> {
        self.state().look_in_directory(|rows| rows.certificate(id))
    }

    /// The certificates that a query means, newest first.
    pub fn certificates(&self, query: &CertificateQuery) -> Option<CertificatePage> {
        self.state().look_and_count(|rows, counts| certificates::page(rows, counts, query))
    }

    /// The certificates that are pinned and whose common name begins with `prefix`, by that name, at most `max`.
    pub fn certificates_named(&self, prefix: &str, max: usize) -> Option<Vec<ListedCertificate>> {
        self.state().look_in_directory(|rows| certificates::named(rows, prefix, max))
    }

    /// The certificates that are pinned and were proven by a path through a CA, by name and key, newest first, from before
    /// `after`.
    pub fn certificates_below(
        &self,
        ca: &[u8; 32],
        after: Option<CertificateId>,
        max: usize,
    ) -> Option<Vec<ListedCertificate>> {
        self.state().look_in_directory(|rows| certificates::below(rows, ca, after, max))
    }

    /// The positions of the records about a device that are before `before`, latest first; also of a device that is gone.
    pub fn history(&self, device: &DeviceId, before: Option<Position>, max: usize) -> Option<Vec<Position>> {
        self.state().look_in_directory(|rows| rows.history(device, before, max))
    }

    /// The certificates that were taken away from a device, at most `max`.
    pub fn retired_of(&self, device: &DeviceId, max: usize) -> Option<Vec<(PinKey, Retired)>> {
        self.state().look_in_directory(|rows| rows.retired_of(device, max))
    }

    /// The certificates that were taken away from devices of a resource space, by what they are looked up by, from after `after`,
    /// at most `max`.
    pub fn retired_in(&self, space: &SpaceId, after: Option<&PinKey>, max: usize) -> Option<Vec<(PinKey, Retired)>> {
        self.state().look_in_directory(|rows| rows.retired_in(space, after, max))
    }

    /// The certificates that are retired, by what they are looked up by, from after `after`, at most `max`. One that was proven is
    /// there by its SHA-1 too.
    pub fn retired_after(&self, after: Option<&PinKey>, max: usize) -> Option<Vec<(PinKey, Retired)>> {
        self.state().look_in_directory(|rows| rows.retired_after(after, max))
    }

    /// When a device was seen, as far as that is remembered. A device that was deleted and made again is seen as the same;
    /// of an instance that was, nothing is left.
    pub fn seen(&self, device: &DeviceId) -> Option<Seen> {
        self.state().look_beside(|database| seen::read(database, (&self.instance, self.incarnation), device)).flatten()
    }

    /// Remembers that a device came online or went offline: counts by status go by what was noted, in the order in which it was.
    pub fn note_seen(&self, device: &DeviceId, online: bool, at: Timestamp) {
        self.state().note_seen(device, online, at);
    }

    /// Counts a connection that a device made.
    pub fn note_connect(&self, at: Timestamp) {
        self.state().look_beside(|database| connects::note(database, (&self.instance, self.incarnation), at));
    }

    /// When the last connection that was counted was made; of what is known from before, none after it is counted yet.
    pub fn connects_counted_until(&self) -> Option<Timestamp> {
        self.state().look_beside(|database| connects::counted_until(database, (&self.instance, self.incarnation))).flatten()
    }

    /// Connections by the minute that they were made in, milliseconds, from `since` on and for a day at most.
    pub fn connects_by_minute(&self, since: Timestamp) -> Option<BTreeMap<i64, u64>> {
        self.state().look_beside(|database| connects::by_minute(database, (&self.instance, self.incarnation), since))
    }

    /// When the devices that there are were registered or entered, milliseconds, from `since` on, in any order.
    pub fn registered_since(&self, since: Timestamp) -> Option<Vec<i64>> {
        self.state().look_in_directory(|rows| rows.registered_since(since))
    }

    fn state(&self) -> &ViewState {
        self.admission.state()
    }
}
