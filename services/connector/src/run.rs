//! The composition root: binds, builds what everything else needs, serves, drains.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rollcall_chassis::{clock::Clock, entropy::Entropy};
use rollcall_domain::ids::ConnectorId;
use rollcall_log::{Backbone, messages::MESSAGES_AGE_S_MAX};
use rollcall_projection::{admission::Store, fleet::FleetSnapshot, freshness::Freshness};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Config,
    context::ConnectorContext,
    instance::InstanceParts,
    status::{self, ConnectorStatus, report},
    transport::{below_tls, listener},
};

/// Between two looks at the status.
const STATUS_EVERY: Duration = Duration::from_millis(250);

/// Between two checks whether a starting connector can serve.
const READY_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What a connector works with.
pub struct Parts {
    /// The log, requests, messages and presence.
    pub backbone: Backbone,
    /// Where the views are.
    pub store: Store,
    /// How old the views are.
    pub freshness: Freshness,
    /// Which instances there are.
    pub fleet: watch::Receiver<Arc<FleetSnapshot>>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Source of ids and of jitter.
    pub entropy: Arc<dyn Entropy>,
    /// Gets the bound address, once, before anything else happens. What connects there is accepted once [`ConnectorStatus::accepting`].
    pub bound: oneshot::Sender<SocketAddr>,
    /// Gets the status of the connector, whenever it changes.
    pub status: watch::Sender<ConnectorStatus>,
}

/// Why a connector cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The port cannot be had.
    #[error("cannot listen on {address}: choose another `listen`, or stop what listens there")]
    Bind {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    /// A limit that makes no sense.
    #[error("{limit}: {rule}")]
    Limit {
        /// Its key in the configuration.
        limit: &'static str,
        /// What would do.
        rule: &'static str,
    },
}

/// Serves devices until `shutdown`; then drains, within [`crate::config::Limits::drain_ms_max`].
///
/// # Errors
/// [`RunError`]: it could not start.
pub async fn run(config: Config, parts: Parts, shutdown: CancellationToken) -> Result<(), RunError> {
    check(&config, &parts.freshness)?;
    let (address, backlog_max) = (config.listen, config.limits.backlog_max);
    let bind = move |source| RunError::Bind { address, source };
    let bound = listener::bind(address).map_err(bind)?;
    let address = bound.address().map_err(bind)?;
    let accepting = |context: Arc<ConnectorContext>, connections, start: Start| {
        // A caller that dropped the receiver does not need the address.
        let _ = start.bound.send(address);
        async move {
            until_ready(&context).await;
            let listener = bound.listen(backlog_max).map_err(bind)?;
            tracing::info!(%address, connector = %start.connector, "accepting MQTT over TLS");
            context.accepting.store(true, Ordering::Relaxed);
            listener::accept(listener, context, &connections).await;
            Ok(())
        }
    };
    serve(config, parts, accepting, shutdown).await
}

/// As [`run`], without a listener, SNI and TLS: serves the clients that are handed over. [`Config::listen`] and
/// [`Parts::bound`] are not used. For what has streams and proven chains of its own, such as a simulation.
///
/// # Errors
/// [`RunError::Limit`].
pub async fn run_below_tls(
    config: Config,
    parts: Parts,
    clients: mpsc::Receiver<below_tls::Client>,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    check(&config, &parts.freshness)?;
    let accepting = |context: Arc<ConnectorContext>, connections, _: Start| async move {
        context.accepting.store(true, Ordering::Relaxed);
        below_tls::accept(clients, context, &connections).await;
        Ok(())
    };
    serve(config, parts, accepting, shutdown).await
}

/// What is known before anything is served.
struct Start {
    connector: ConnectorId,
    bound: oneshot::Sender<SocketAddr>,
}

/// Waits until what is known of the fleet can be served, within [`crate::config::Limits::start_ms_max`]: who connected
/// before would be told of an unknown name, an unknown CA or a view that is not ready, which some clients take for final.
async fn until_ready(context: &ConnectorContext) {
    let ready = async {
        while !(context.instances.complete() && context.instances.all().iter().all(|instance| instance.is_served())) {
            tokio::time::sleep(READY_POLL_INTERVAL).await;
        }
    };
    if tokio::time::timeout(context.config.limits.start(), ready).await.is_err() {
        let instances = context.instances.all();
        let unready: Vec<_> =
            instances.iter().filter(|instance| !instance.is_served()).map(|found| found.id.as_str()).collect();
        let fleet_complete = context.instances.complete();
        tracing::warn!(fleet_complete, ?unready, "not everything can be served yet; accepting all the same");
    }
}

/// Serves what `accept` accepts until `shutdown` or until it fails, then drains.
async fn serve<F: Future<Output = Result<(), RunError>>>(
    config: Config,
    parts: Parts,
    accept: impl FnOnce(Arc<ConnectorContext>, TaskTracker, Start) -> F,
    shutdown: CancellationToken,
) -> Result<(), RunError> {
    let connector = connector_id(&*parts.entropy);
    let context = Arc::new(ConnectorContext::new(Arc::new(config), parts.entropy, parts.fleet.clone()));
    let connections = TaskTracker::new();
    let start = Start { connector: connector.clone(), bound: parts.bound };
    let accepting = accept(context.clone(), connections.clone(), start);
    let instance_parts = InstanceParts {
        config: context.config.clone(),
        backbone: parts.backbone,
        store: parts.store,
        freshness: parts.freshness.clone(),
        clock: parts.clock,
        entropy: context.entropy.clone(),
        connector,
        fleet: parts.fleet.clone(),
        numbers: Arc::new(AtomicU64::new(1)),
    };
    let fleet = status::Fleet { snapshot: parts.fleet, freshness: parts.freshness };
    let serving = async {
        let reporting = async {
            report(&context, &fleet, &parts.status, STATUS_EVERY).await;
            Ok(())
        };
        let until_shutdown = async { tokio::try_join!(accepting, reporting).map(drop) };
        let outcome = shutdown.run_until_cancelled(until_shutdown).await;
        // From here on the instances close every session with Refusal::ShuttingDown, and announce that.
        context.stopping.cancel();
        parts.status.send_modify(|status| status.stopping = true);
        drain(&connections, context.config.limits.drain()).await;
        outcome.unwrap_or(Ok(()))
    };
    tokio::join!(context.instances.follow(instance_parts, context.stopping.clone()), serving).1
}

/// Waits for the connections to end.
async fn drain(connections: &TaskTracker, limit: Duration) {
    connections.close();
    tracing::info!(connections = connections.len(), "draining");
    if tokio::time::timeout(limit, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "some connections did not end in time");
    }
}

fn check(config: &Config, freshness: &Freshness) -> Result<(), RunError> {
    check_staleness(config, freshness)?;
    let limits = &config.limits;
    let positive = [
        ("limits.connections_max", u64::from(limits.connections_max)),
        ("limits.unproven_max", u64::from(limits.unproven_max)),
        ("limits.unproven_per_source_max", u64::from(limits.unproven_per_source_max)),
        ("limits.handshake_answer_ms_max", limits.handshake_answer_ms_max),
        ("limits.handshakes_max", u64::from(limits.handshakes_max)),
        ("limits.registrations_max", u64::from(limits.registrations_max)),
        ("limits.handshake_ms_max", limits.handshake_ms_max),
        ("limits.connect_ms_max", limits.connect_ms_max),
        ("limits.registration_ms_max", limits.registration_ms_max),
        ("limits.uplinks_in_flight_max", u64::from(limits.uplinks_in_flight_max)),
        ("limits.downlinks_in_flight_max", u64::from(limits.downlinks_in_flight_max)),
        ("limits.uplinks_per_s_max", u64::from(limits.uplinks_per_s_max)),
        ("limits.uplink_bytes_per_s_max", u64::from(limits.uplink_bytes_per_s_max)),
        ("limits.uplink_bytes_in_flight_max", u64::from(limits.uplink_bytes_in_flight_max)),
        ("limits.queue_messages_max", u64::from(limits.queue_messages_max)),
        ("limits.queue_bytes_max", u64::from(limits.queue_bytes_max)),
        ("limits.chain_bytes_max", u64::from(limits.chain_bytes_max)),
    ];
    match positive.into_iter().find(|(_, value)| *value == 0) {
        Some((limit, _)) => Err(RunError::Limit { limit, rule: "0 would let nobody in: give at least 1" }),
        None if u64::from(limits.session_expiry_s_max) > MESSAGES_AGE_S_MAX => Err(RunError::Limit {
            limit: "limits.session_expiry_s_max",
            rule: "messages are kept for a day: give at most 86400",
        }),
        None if !config.has_usable_fragment_sizes() => Err(RunError::Limit {
            limit: "instances.*.max_fragment_size",
            rule: "a TLS record holds at most 16384 bytes, and small ones cost more than they carry: give 512 to 16384",
        }),
        None => Ok(()),
    }
}

fn check_staleness(config: &Config, freshness: &Freshness) -> Result<(), RunError> {
    let own = config.instances.values().filter_map(|instance| instance.stale_admission_s_max);
    let bounded = std::iter::once(config.stale_admission_s_max).chain(own).any(|seconds| seconds > 0);
    if bounded && !freshness.is_proven() {
        let rule =
            "how old a view is can only be known from registrars' announcements: configure their public key, or give 0";
        return Err(RunError::Limit { limit: "stale_admission_s_max", rule });
    }
    Ok(())
}

fn connector_id(entropy: &dyn Entropy) -> ConnectorId {
    ConnectorId::parse(&entropy.uuid_v4().to_string()).expect("a UUID is hexadecimal digits and '-'")
}
