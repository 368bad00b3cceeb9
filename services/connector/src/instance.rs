//! One instance at this connector: its view, trust, sessions, registration and presence, as its tasks and connections
//! read them.
//!
//! Instances share only the connector's sockets and limits. Invariant: what a connection needs is read from here at
//! each use, not copied into the connection. An instance whose tasks or view have failed is not repaired: it is
//! replaced.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use rollcall_chassis::{
    clock::Clock,
    entropy::Entropy,
    retry::{Backoff, Retry},
};
use rollcall_domain::{
    fleet::{self, AvailabilityRules},
    ids::{ConnectorId, InstanceId, LogId},
    refusal::Refusal,
    time::Timestamp,
};
use rollcall_log::{Backbone, codec::Attempt, repeats::Repeats, resume::Resume, seal::SealedLog};
use rollcall_projection::{
    admission::{AdmissionView, Store, ViewError, ViewStatus},
    fleet::FleetSnapshot,
    freshness::{Freshness, view_point},
    supervisor::Run,
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    admission::{attempts::AttemptRecorder, registration::Registration, staleness::Staleness, view_ready::view_ready},
    config::Config,
    connection::client_reports::ClientReports,
    sessions::{
        ended::schedule::Schedule, mailbox::Bounds, persistent::routed::Routed, presence::announcements::Announcements,
        session::Session, table::SessionTable, takeovers::Takeovers,
    },
    transport::trust::TrustEpoch,
};

/// How long a task of an instance waits before it tries again what the backbone has refused: devices wait for it.
const BACKBONE_RETRY: Backoff = Backoff { min: Duration::from_millis(100), max: Duration::from_millis(500) };

/// What every instance of this connector is built from.
#[derive(Clone)]
pub(crate) struct InstanceParts {
    pub(crate) config: Arc<Config>,
    pub(crate) backbone: Backbone,
    pub(crate) store: Store,
    pub(crate) freshness: Freshness,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) connector: ConnectorId,
    /// Which instances there are, and how each stands there.
    pub(crate) fleet: watch::Receiver<Arc<FleetSnapshot>>,
    /// Session numbers: they rise within the connector's life, whatever instances come and go.
    pub(crate) numbers: Arc<AtomicU64>,
}

pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    /// Which incarnation of this id it is.
    pub(crate) sealed: SealedLog,
    pub(crate) log: LogId,
    /// As the fleet had it when it was opened.
    opened_as: fleet::Instance,
    fleet: watch::Receiver<Arc<FleetSnapshot>>,
    pub(crate) availability: AvailabilityRules,
    pub(crate) view: AdmissionView,
    pub(crate) status: watch::Receiver<ViewStatus>,
    pub(crate) freshness: Freshness,
    pub(crate) staleness: Staleness,
    /// `None` until the first trust epoch: there is no handshake before.
    pub(crate) trust: ArcSwapOption<TrustEpoch>,
    pub(crate) sessions: SessionTable,
    pub(crate) takeovers: Takeovers,
    pub(crate) registration: Registration,
    pub(crate) attempts: AttemptRecorder,
    pub(crate) announcements: Announcements,
    /// What is still to be done for sessions that have ended.
    pub(crate) schedule: Schedule,
    /// Up to where messages have been routed.
    pub(crate) routed: Routed,
    /// What has been said of messages that could not be stored.
    pub(crate) uplink_repeats: Repeats,
    /// What has been said of wills that could not be stored.
    pub(crate) will_repeats: Repeats,
    /// What has been said of clients that do what MQTT or this server does not have.
    pub(crate) client_reports: ClientReports,
    /// Whether the message stream is being followed.
    pub(crate) routing: watch::Sender<bool>,
    pub(crate) backbone: Backbone,
    pub(crate) clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    pub(crate) connector: ConnectorId,
    /// Cancelled first of all when it is no longer served: from then on no device is accepted.
    pub(crate) retiring: CancellationToken,
    /// Cancelled when its tasks have to end: its sessions should be closed, and that announced, before.
    pub(crate) stop: CancellationToken,
}

impl Instance {
    /// Opens the view. The receiver takes the attempts to write.
    ///
    /// # Errors
    /// [`ViewError`]: the view cannot be opened.
    pub(crate) fn open(
        run: &Run,
        parts: &InstanceParts,
        tasks: &TaskTracker,
    ) -> Result<(Arc<Self>, mpsc::Receiver<Box<Attempt>>), ViewError> {
        let (stop, limits) = (CancellationToken::new(), &parts.config.limits);
        let (id, sealed) = (run.instance.id.clone(), SealedLog::of(&run.instance));
        let view = parts.store.admission(&id, sealed.incarnation, parts.backbone.log.clone(), stop.clone())?;
        let log = LogId::Instance(id.clone());
        let standing = view.status();
        parts.freshness.track(log.clone(), move || view_point(&standing.borrow()));
        let bounds = Bounds { messages_max: limits.queue_messages_max as usize, bytes_max: limits.queue_bytes_max as usize };
        let queue = parts.backbone.requests.clone();
        let registration = Registration::start(&id, queue, view.clone(), parts.clock.clone(), limits, tasks, stop.clone());
        let (attempts, recorded) = AttemptRecorder::new(view.clone(), parts.clock.clone());
        let instance = Arc::new(Self {
            opened_as: run.instance.clone(),
            fleet: parts.fleet.clone(),
            availability: parts.config.availability(),
            status: view.status(),
            freshness: parts.freshness.clone(),
            staleness: Staleness::new(parts.config.staleness(&id), parts.freshness.clone(), log.clone()),
            trust: ArcSwapOption::empty(),
            sessions: SessionTable::new(bounds, parts.numbers.clone()),
            takeovers: Takeovers::default(),
            registration,
            attempts,
            announcements: Announcements::default(),
            schedule: Schedule::default(),
            routed: Routed::new(limits.persistent()),
            uplink_repeats: Repeats::default(),
            will_repeats: Repeats::default(),
            client_reports: ClientReports::default(),
            routing: watch::Sender::new(false),
            backbone: parts.backbone.clone(),
            clock: parts.clock.clone(),
            entropy: parts.entropy.clone(),
            connector: parts.connector.clone(),
            retiring: run.stop.clone(),
            view,
            log,
            id,
            sealed,
            stop,
        });
        Ok((instance, recorded))
    }

    /// Access domain, edition and region, as the fleet has them now.
    pub(crate) fn profile(&self) -> fleet::Instance {
        let latest = self.fleet.borrow().fleet.instances.get(&self.id).cloned();
        latest.filter(|latest| SealedLog::of(latest) == self.sealed).unwrap_or_else(|| self.opened_as.clone())
    }

    /// Whether devices can be accepted: the view is ready, and TLS trusts what stands in it.
    pub(crate) fn is_served(&self) -> bool {
        let trust = self.trust.load();
        view_ready(&self.status.borrow())
            && trust.as_ref().is_some_and(|trust| trust.basis == self.view.configuration().trust_basis())
    }

    /// Now, by the injected clock.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.clock.unix_ms())
    }

    /// For a task that follows something of this instance.
    pub(crate) fn resume(&self, what: &'static str) -> Resume {
        let seed = self.entropy.uuid_v4().as_u64_pair().0;
        Resume::new(what, format_args!("instance {}", self.id), seed).at_most(BACKBONE_RETRY.max)
    }

    /// For a task that tries something again until the backbone takes it.
    pub(crate) fn retry(&self) -> Retry {
        self.retry_by(BACKBONE_RETRY)
    }

    /// For something of this instance that has delays of its own.
    pub(crate) fn retry_by(&self, backoff: Backoff) -> Retry {
        Retry::new(backoff, self.entropy.clone())
    }

    /// Removes a session whose connection has ended, and announces that the device is offline.
    pub(crate) fn end_session(&self, session: &Arc<Session>) {
        if self.sessions.remove(session) {
            self.announcements.offline(&self.connector, session, self.now());
        }
        self.routed.remove(session);
        // A newer connection here is shown after it has seen to what this one leaves; one elsewhere has been shown.
        let newer = self.sessions.of(&session.device.device).is_none_or(|newer| newer.acknowledged.load(Ordering::SeqCst));
        let superseded = newer && session.mailbox.closed() == Some(Refusal::TakenOver);
        self.schedule.ended(session, &self.connector, superseded, Instant::now());
    }

    /// Tells every session to close.
    pub(crate) fn close_all(&self, refusal: &Refusal) {
        for session in self.sessions.all() {
            session.mailbox.close(refusal.clone());
        }
    }
}
