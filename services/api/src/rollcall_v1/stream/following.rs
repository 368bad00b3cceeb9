//! Following the log, the attempts and presence of one instance for one caller.
//!
//! Events are read off the log as the view moves: what the stream shows is then in every list too. Attempts can only be read,
//! so they are, every second. Invariant: the marker of an item counts it in, and everything before it of its kind.

use std::{convert::Infallible, sync::Arc, time::Duration};

use rollcall_devices::presence::ConnectionChange;
use rollcall_domain::{
    fleet::Scope,
    ids::{DeviceId, Position},
};
use rollcall_log::codec::decode_attempt;
use rollcall_projection::admission::{ViewHealth, ViewStatus};
use serde::Serialize;
use tokio::{
    sync::{broadcast, watch},
    time::{MissedTickBehavior, interval},
};

use super::{
    Kind,
    beginning::{self, Gap},
    marker::Marker,
};
use crate::{
    context::InstanceContext,
    http::{codes::Code, error::ApiError, times},
    instances::{
        records::{self, StoredRecord},
        served::ServedInstance,
    },
    rollcall_v1::{
        attempts,
        events::EventShown,
        history::visible_since,
        live::{End, Outlet, Source},
    },
};

/// How often refusals are read.
const REFUSALS_EVERY: Duration = Duration::from_secs(1);
/// Refusals read at a time.
const REFUSALS_READ_MAX: usize = 32;
/// Records read at a time.
const RECORDS_READ_MAX: u64 = 64;

/// The first event.
#[derive(Serialize)]
struct Opened {
    /// What comes is after this.
    marker: String,
    /// What is heard.
    kinds: Vec<Kind>,
}

/// A device came online or went offline.
#[derive(Serialize)]
struct PresenceShown {
    device_id: String,
    online: bool,
    /// RFC 3339, UTC.
    at: String,
    /// Where it is connected; absent when it went offline.
    #[serde(skip_serializing_if = "Option::is_none")]
    connector: Option<String>,
}

/// What one caller hears of an instance.
pub(super) struct Following {
    instance: Arc<ServedInstance>,
    scope: Scope,
    kinds: Vec<Kind>,
    at: Marker,
    /// Not told yet.
    gaps: Vec<Gap>,
    /// The view's generation at the last look.
    generation: u64,
    status: watch::Receiver<ViewStatus>,
    presence: broadcast::Receiver<ConnectionChange>,
}

impl Following {
    /// After a marker, or from now on.
    ///
    /// # Errors
    /// The backbone's.
    pub(super) async fn begin(context: &InstanceContext, kinds: Vec<Kind>, asked: Option<Marker>) -> Result<Self, ApiError> {
        let instance = Arc::clone(&context.instance);
        let presence = instance.devices.presence().changes();
        let status = instance.view.admission().status();
        let generation = status.borrow().generation;
        let known = context.api.fleet().fleet.instances.get(&instance.id).map(|instance| instance.incarnation);
        let (at, gaps) = beginning::beginning(&instance, known.unwrap_or_default(), &kinds, asked).await?;
        Ok(Self { instance, scope: context.caller.scope.clone(), kinds, at, gaps, generation, status, presence })
    }

    async fn run(&mut self, to: &Outlet<'_>) -> Result<Infallible, End> {
        let opened = Opened { marker: self.at.text(), kinds: self.kinds.clone() };
        to.send("opened", &opened.marker, &opened).await?;
        for gap in std::mem::take(&mut self.gaps) {
            to.send("gap", &self.at.text(), &gap).await?;
        }
        let [events, refusals, presence] = Kind::ALL.map(|kind| self.kinds.contains(&kind));
        let mut due = interval(REFUSALS_EVERY);
        due.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.status.mark_changed();
        loop {
            tokio::select! {
                changed = self.status.changed() => {
                    let ended = changed.is_err() || self.status.borrow().health == ViewHealth::Ended;
                    if ended {
                        return Err(End::LogAway);
                    }
                    if events {
                        self.tell_events(to).await?;
                    }
                }
                change = self.presence.recv(), if presence => self.tell_presence(change, to).await?,
                _ = due.tick(), if refusals => self.tell_refusals(to).await?,
            }
        }
    }

    /// Up to where the view is.
    async fn tell_events(&mut self, to: &Outlet<'_>) -> Result<(), End> {
        loop {
            let (reached, generation, caught_up) = {
                let status = self.status.borrow_and_update();
                (status.position, status.generation, status.caught_up)
            };
            if reached < self.at.events {
                // Behind where another process was, or being built again; or made from a log that has lost its end.
                if caught_up && generation != self.generation {
                    self.at.events = reached;
                    to.send("gap", &self.at.text(), &Gap::another_log(Kind::Event)).await?;
                }
                return Ok(());
            }
            self.generation = generation;
            if reached == self.at.events {
                return Ok(());
            }
            let until = reached.min(Position(self.at.events.0.saturating_add(RECORDS_READ_MAX)));
            let Some(read) = self.records(until, generation).await? else { return Ok(()) };
            for stored in &read {
                if self.shows(stored).await? {
                    self.at.events = stored.position;
                    to.send(Kind::Event.name(), &self.at.text(), &EventShown::from(stored)).await?;
                }
            }
            self.at.events = until;
        }
    }

    /// `None`: the view was damaged or replaced meanwhile, and has taken records of ours for others'. It will move again.
    async fn records(&self, until: Position, generation: u64) -> Result<Option<Vec<StoredRecord>>, End> {
        let view = self.instance.view.admission();
        let damaged = view.lookups_damaged();
        let read = records::between(&self.instance, self.at.events, until).await.map_err(|error| self.away(&error))?;
        let as_it_was = view.lookups_damaged() == damaged && self.status.borrow().generation == generation;
        Ok(as_it_was.then_some(read))
    }

    /// Whether the caller may see an event: all of the whole instance, else those of devices as their history shows them.
    async fn shows(&self, stored: &StoredRecord) -> Result<bool, End> {
        if self.scope.spaces.is_none() {
            return Ok(true);
        }
        let Some(device) = stored.event().and_then(|event| event.device()) else { return Ok(false) };
        match visible_since(&self.instance, &self.scope, device).await {
            Ok(from) => Ok(stored.position >= from),
            Err(error) if error.code == Code::DeviceNotFound => Ok(false),
            Err(error) => Err(self.away(&error)),
        }
    }

    /// All that have been kept since.
    async fn tell_refusals(&mut self, to: &Outlet<'_>) -> Result<(), End> {
        let (log, kept) = (self.instance.log(), Arc::clone(&self.instance.backbone.attempts));
        loop {
            let after = self.at.refusals.unwrap_or_default();
            let entries = kept.read(&log, after, REFUSALS_READ_MAX).await.map_err(|error| self.away(&error.into()))?;
            let Some(last) = entries.last().map(|entry| entry.position) else { return Ok(()) };
            let read = entries.iter().filter_map(|entry| Some((entry.position, decode_attempt(&entry.record).ok()?)));
            let shown = attempts::shown(&self.instance, read.collect()).await.map_err(|error| self.away(&error))?;
            for attempt in shown {
                self.at.refusals = Some(Position(attempt.position));
                to.send(Kind::Refusal.name(), &self.at.text(), &attempt).await?;
            }
            self.at.refusals = Some(last);
        }
    }

    async fn tell_presence(
        &self,
        change: Result<ConnectionChange, broadcast::error::RecvError>,
        to: &Outlet<'_>,
    ) -> Result<(), End> {
        let ConnectionChange { device, online, at, connector } = match change {
            Ok(change) => change,
            Err(broadcast::error::RecvError::Lagged(_)) => return to.send("gap", &self.at.text(), &Gap::LAGGED).await,
            Err(broadcast::error::RecvError::Closed) => return Err(End::LogAway),
        };
        if !self.holds(&device).await? {
            return Ok(());
        }
        let shown = PresenceShown {
            device_id: device.to_string(),
            online,
            at: times::with_milliseconds(at),
            connector: connector.map(|connector| connector.to_string()),
        };
        to.send(Kind::Presence.name(), &self.at.text(), &shown).await
    }

    /// Whether a device is in the caller's scope now.
    async fn holds(&self, device: &DeviceId) -> Result<bool, End> {
        if self.scope.spaces.is_none() {
            return Ok(true);
        }
        let id = device.clone();
        let found = self.instance.lookup(move |instance| instance.view.show(&id)).await;
        let found = found.map_err(|error| self.away(&error))?;
        Ok(found.is_some_and(|listed| self.scope.holds_space(&listed.device.space)))
    }

    fn away(&self, error: &ApiError) -> End {
        tracing::warn!(instance = %self.instance.id, error = error.message, "an instance's stream cannot go on");
        End::LogAway
    }
}

impl Source for Following {
    async fn follow(mut self, to: &Outlet<'_>) -> End {
        match self.run(to).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }
}
