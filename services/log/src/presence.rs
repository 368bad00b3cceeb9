//! Who is online, where, since when. The backbone may forget it: connectors announce again what they hold.
//!
//! Invariants: changes of one device have one order for all watchers, so that the newer of two sessions is the same
//! everywhere; a connector whose lease has run out has no devices online.

use std::time::Duration;

use async_trait::async_trait;
pub use rollcall_domain::session::Session;
use rollcall_domain::{
    ids::{ConnectorId, DeviceId, InstanceId, Position},
    time::Timestamp,
};
use tokio::sync::mpsc;

use crate::error::BackboneError;

/// How often a connector renews its lease.
pub const HEARTBEAT: Duration = Duration::from_secs(2);
/// A connector that has not renewed for this long is gone.
pub const LEASE: Duration = Duration::from_secs(8);

/// A change of presence, as every watcher sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresenceChange {
    /// The device is online with this session; any other session of it is over.
    Online { device: DeviceId, session: Session, at: Timestamp },
    /// This session is over, and every earlier one of the device at its connector ([`Session::ends`]), whether it was
    /// announced or not. Watchers ignore it when another one is online.
    Offline { device: DeviceId, session: Session, at: Timestamp },
    /// A connector's lease has run out: all its devices are offline.
    ConnectorLost { connector: ConnectorId },
    /// Everything known when watching began has been handed over.
    CaughtUp,
}

/// What a connector says of itself when it renews its lease on an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beat {
    /// How far its view of the instance's registry is.
    pub position: Position,
    /// How many sessions of the instance's devices it holds.
    pub sessions: u64,
    /// The log's digest at that position; a connector of an earlier version does not say it.
    pub digest: Option<[u8; 32]>,
    /// How old its view is, milliseconds; `None` if it cannot know.
    pub age_ms: Option<u64>,
    /// How its view of the fleet's log is; a connector that does not follow that, or of an earlier version, does not say it.
    pub fleet: Option<FleetBeat>,
}

/// What a connector says of its view of the fleet's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetBeat {
    /// How far it is.
    pub position: Position,
    /// The log's digest at that position.
    pub digest: [u8; 32],
    /// How old it is, milliseconds; `None` if it cannot know.
    pub age_ms: Option<u64>,
}

/// The last beat of a connector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorBeat {
    pub connector: ConnectorId,
    /// What it said.
    pub beat: Beat,
    /// When, by the backbone's clock.
    pub at: Timestamp,
}

/// Presence of a fleet.
#[async_trait]
pub trait Presence: Send + Sync {
    /// Declares what presence of an instance needs, or checks it against its declaration.
    ///
    /// # Errors
    /// [`BackboneError`] if that cannot be done.
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError>;

    /// Announces [`PresenceChange::Online`] or [`PresenceChange::Offline`]; the other kinds are the backbone's own.
    ///
    /// # Errors
    /// [`BackboneError`] if it could not be announced.
    async fn announce(&self, instance: &InstanceId, change: PresenceChange) -> Result<(), BackboneError>;

    /// Renews a connector's lease, and says how it is; to be called every [`HEARTBEAT`].
    ///
    /// # Errors
    /// [`BackboneError`] if it could not be renewed.
    async fn heartbeat(&self, instance: &InstanceId, connector: &ConnectorId, beat: Beat) -> Result<(), BackboneError>;

    /// The last beat of each connector whose lease has not run out, by id. One of an earlier version, which does not say
    /// how it is, has a [`Beat::default`].
    ///
    /// # Errors
    /// [`BackboneError`] if they cannot be read.
    async fn connectors(&self, instance: &InstanceId) -> Result<Vec<ConnectorBeat>, BackboneError>;

    /// What is online now, as `Online` changes, then `CaughtUp`, then every change. Ends when the connection is lost:
    /// watch again.
    ///
    /// # Errors
    /// [`BackboneError`] if watching cannot start.
    async fn watch(&self, instance: &InstanceId) -> Result<mpsc::Receiver<PresenceChange>, BackboneError>;
}
