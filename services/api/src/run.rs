//! Composition root: binds first, then follows the fleet, then serves.

use std::{net::SocketAddr, sync::Arc};

use futures_util::future::BoxFuture;
use rollcall_backbone::Backbone;
use rollcall_chassis::{clock::Clock, entropy::Entropy};
use rollcall_domain::ids::LogId;
use rollcall_projection::{admission::Store, fleet::FleetSnapshot, freshness::Freshness};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    bootstrap::{self, AccessCredentials, FirstAdministrator},
    change_client::{ChangeClient, CommandSigner, ViewReached},
    config::Config,
    http::{codes::Code, error::ApiError, router, serve, server_certificates},
    instances::{Dependencies, Instances},
    security::{access::Access, command_key, rate_limit::RateLimit},
    state::{Api, DRY_RUNS_MAX},
    writable,
};

/// A burst of searches is this many seconds' worth.
const BURST_S: u32 = 10;

/// What an API process works with.
pub struct Parts {
    /// The log, requests, attempts, messages, presence, documents.
    pub backbone: Backbone,
    /// Where the views are; opened with the directory.
    pub store: Store,
    /// How old the views are.
    pub freshness: Freshness,
    /// Which instances, operators and access keys there are.
    pub fleet: watch::Receiver<Arc<FleetSnapshot>>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Gets the bound address, once, before anything else happens.
    pub bound: oneshot::Sender<SocketAddr>,
    /// Gets what the first administrator needs, once; the password only if this process made them.
    pub first_administrator: oneshot::Sender<FirstAdministrator>,
    /// Gets what the process's own fleet file is applied with; absent: there is none.
    pub fleet_file_credentials: Option<oneshot::Sender<AccessCredentials>>,
}

/// Why the API cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The port cannot be had.
    #[error("cannot listen on {address}: choose another `listen`, or stop what listens there")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The master key cannot be used.
    #[error("the master key cannot be used")]
    MasterKey(#[source] crate::security::master_key::MasterKeyError),
    /// The command key cannot be used.
    #[error(
        "the command key cannot be used: make one with `rollcall pki command-key --out FILE`, name the file as command_key_file, and what it prints in the registrars' command_keys"
    )]
    CommandKey(#[source] crate::security::command_key::CommandKeyError),
    /// The server certificate cannot be used.
    #[error("the API's certificate cannot be used: give `certificate` and `key`, or set `plain_http` on a loopback address")]
    Tls(#[source] rollcall_chassis::tls_server::TlsServerError),
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
    let tls = match config.plain_http {
        true => None,
        false => Some(server_certificates::acceptor(&config, parts.fleet.clone(), &shutdown).map_err(RunError::Tls)?),
    };
    let scheme = if tls.is_some() { "https" } else { "http" };
    // Whoever started this may not care where.
    let _ = parts.bound.send(address);
    tracing::info!(%address, scheme, "serving the API");
    let fleet_changes = ChangeClient::start(
        LogId::Fleet,
        Arc::clone(&parts.backbone.requests),
        signer.clone(),
        fleet_reached(parts.fleet.clone()),
        &config.limits,
        shutdown.clone(),
    );
    let searches = config.limits.searches_per_s_max;
    let search_rate = RateLimit::per_second(searches, searches.saturating_mul(BURST_S));
    let writable = writable::watch(Arc::clone(&parts.backbone.log), shutdown.clone());
    let api = Arc::new(Api {
        config: Arc::new(config),
        backbone: parts.backbone,
        fleet: parts.fleet.clone(),
        clock: parts.clock,
        entropy: parts.entropy,
        access,
        search_rate,
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
        shutdown: shutdown.clone(),
    };
    let serving = serve::serve(listener, tls, router::router(&api), &api.config.limits, shutdown.clone());
    let bootstrapping = shutdown.run_until_cancelled(async {
        // In this order: only a fleet without operators gets its first administrator.
        bootstrap::create_first_administrator(&api, parts.first_administrator).await;
        if let Some(credentials) = parts.fleet_file_credentials {
            bootstrap::create_fleet_file_operator(&api, credentials).await;
        }
    });
    tokio::join!(serving, api.instances.follow(parts.fleet, dependencies), bootstrapping);
    Ok(())
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
