//! Composition root: binds first, then follows the fleet, then serves.

use std::{net::SocketAddr, sync::Arc};

use futures_util::future::{BoxFuture, OptionFuture};
use rollcall_chassis::{
    clock::Clock, entropy::Entropy, rate_limit::RateLimit, sources::SharedBound, tls_server::TlsServerError,
};
use rollcall_domain::ids::LogId;
use rollcall_log::Backbone;
use rollcall_projection::{admission::Store, fleet::FleetSnapshot, freshness::Freshness};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    bootstrap::{self, AccessCredentials, FirstAdministrator},
    change_client::{ChangeClient, CommandSigner, ViewReached},
    config::Config,
    http::{codes::Code, error::ApiError, router, serve, server_certificates},
    instances::{Dependencies, Instances},
    security::{
        access::Access,
        command_key::{self, CommandKeyError},
        master_key::MasterKeyError,
        sessions::{REAPED_EVERY, Sessions},
    },
    state::{Api, DRY_RUNS_MAX},
    streams::Streams,
    writable,
};

/// A burst of searches is as many as this many seconds allow.
const BURST_S: u32 = 10;

/// What an API process works with.
pub struct Parts {
    pub backbone: Backbone,
    /// Holds the views; opened with the directory.
    pub store: Store,
    pub freshness: Freshness,
    /// Instances, operators and access keys.
    pub fleet: watch::Receiver<Arc<FleetSnapshot>>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Gets the bound address, once, before anything else happens.
    pub bound: oneshot::Sender<SocketAddr>,
    /// Gets the first administrator's credentials, once; the password only if this process made it.
    pub first_administrator: oneshot::Sender<FirstAdministrator>,
    /// Gets the credentials that this process's own fleet file is applied with; `None`: it has no fleet file.
    pub fleet_file_credentials: Option<oneshot::Sender<AccessCredentials>>,
}

/// Why the API cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("cannot listen on {address}: choose another `listen`, or stop what listens there")]
    Bind {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    #[error("the master key cannot be used")]
    MasterKey(#[source] MasterKeyError),
    #[error(
        "the command key cannot be used: make one with `rollcall pki command-key --out FILE`, name the file as command_key_file, and what it prints in the registrars' command_keys"
    )]
    CommandKey(#[source] CommandKeyError),
    #[error("the API's certificate cannot be used: give `certificate` and `key`, or set `plain_http` on a loopback address")]
    Tls(#[source] TlsServerError),
}

/// Serves operators until `shutdown`.
///
/// # Errors
/// [`RunError`]: it could not start.
pub async fn run(config: Config, parts: Parts, shutdown: CancellationToken) -> Result<(), RunError> {
    let bind = |source| RunError::Bind { address: config.listen, source };
    let listener = serve::bind(config.listen, config.plain_http).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    let access = Access::open(&config, &*parts.entropy).map_err(RunError::MasterKey)?;
    let key = command_key::read(&config.command_key_file).map_err(RunError::CommandKey)?;
    let signer = CommandSigner::new(key, Arc::clone(&parts.clock), parts.fleet.clone());
    let (tls, following_names) = match config.plain_http {
        true => (None, None),
        false => {
            let tls = server_certificates::acceptor(&config, parts.fleet.clone()).map_err(RunError::Tls)?;
            (Some(tls.0), Some(tls.1))
        }
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    // The receiver may be gone: nothing here depends on the address being heard.
    let _ = parts.bound.send(address);
    tracing::info!(%address, scheme, "serving the API");
    let tasks = TaskTracker::new();
    let fleet_changes = ChangeClient::start(
        LogId::Fleet,
        Arc::clone(&parts.backbone.requests),
        signer.clone(),
        fleet_reached(parts.fleet.clone()),
        &config.limits,
        &tasks,
        shutdown.clone(),
    );
    let searches = config.limits.searches_per_s_max;
    let search_rate = RateLimit::per_second(searches, searches.saturating_mul(BURST_S));
    let limits = &config.limits;
    let unproven_bodies = SharedBound::new(limits.unproven_bytes_max, limits.unproven_bytes_of_source_max);
    let streams = Streams::new(&config.limits, shutdown.clone());
    let sessions = Sessions::new(Arc::clone(&parts.backbone.documents), access.session_key(), &config.limits);
    let (writable_publisher, writable) = watch::channel(None);
    let api = Arc::new(Api {
        config: Arc::new(config),
        backbone: parts.backbone,
        fleet: parts.fleet.clone(),
        freshness: parts.freshness.clone(),
        clock: parts.clock,
        entropy: parts.entropy,
        access,
        sessions,
        unproven_bodies,
        search_rate,
        streams,
        dry_runs: Semaphore::new(DRY_RUNS_MAX),
        instances: Instances::default(),
        writable,
        fleet_changes,
    });
    let dependencies = Dependencies {
        backbone: api.backbone.clone(),
        signer,
        store: parts.store,
        freshness: parts.freshness,
        clock: Arc::clone(&api.clock),
        entropy: Arc::clone(&api.entropy),
        limits: api.config.limits.clone(),
    };
    let drained = CancellationToken::new();
    let serving = async {
        let _drained = drained.clone().drop_guard();
        serve::serve(listener, tls, router::router(&api), &api.config.limits, Arc::clone(&api.entropy), shutdown.clone())
            .await;
        api.streams.ended().await;
    };
    // Instances end after the requests that are under way for them.
    let following = api.instances.follow(parts.fleet, dependencies, drained.clone());
    let polling = shutdown.run_until_cancelled(writable::poll(&*api.backbone.log, writable_publisher));
    let following_names = shutdown.run_until_cancelled(OptionFuture::from(following_names));
    let telling_failures = shutdown.run_until_cancelled(api.access.tell_failures());
    let reaping_sessions = shutdown.run_until_cancelled(reap_sessions(&api));
    let bootstrapping = shutdown.run_until_cancelled(async {
        // In this order: only a fleet without operators gets its first administrator.
        bootstrap::create_first_administrator(&api, parts.first_administrator).await;
        if let Some(credentials) = parts.fleet_file_credentials {
            bootstrap::create_fleet_file_operator(&api, credentials).await;
        }
    });
    tokio::join!(serving, following, polling, following_names, telling_failures, reaping_sessions, bootstrapping);
    tasks.close();
    tasks.wait().await;
    Ok(())
}

/// Deletes sessions that have ended by themselves, from time to time. Does not end.
async fn reap_sessions(api: &Api) {
    loop {
        tokio::time::sleep(REAPED_EVERY).await;
        let fleet = api.fleet();
        if !fleet.caught_up {
            continue;
        }
        if let Err(error) = api.sessions.reap(&fleet.fleet, api.now()).await {
            tracing::debug!(%error, "sessions that have ended were not deleted");
        }
    }
}

fn fleet_reached(fleet: watch::Receiver<Arc<FleetSnapshot>>) -> ViewReached {
    Arc::new(move |position| -> BoxFuture<'static, Result<(), ApiError>> {
        let mut fleet = fleet.clone();
        Box::pin(async move {
            let reached = fleet.wait_for(|snapshot| snapshot.position() >= position).await;
            reached.map(drop).map_err(|_| ApiError::new(Code::NotReady, "the fleet is not followed any more"))
        })
    })
}
