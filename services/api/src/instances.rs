//! The instances that this process serves, and which of them a request means.
//!
//! An instance that appears in the fleet is served without a restart, one that is deleted is served no longer. A request names
//! its instance by the header `Instance-Id`, else by the host that it was sent to (the instance's access domain), or not at all
//! if there is only one. Invariant: a request that could mean two instances is refused.

pub(crate) mod recent_attempts;
pub(crate) mod records;
pub(crate) mod served;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use rollcall_chassis::{clock::Clock, entropy::Entropy, retry::Backoff};
use rollcall_devices::Parts;
use rollcall_domain::{
    fleet::Scope,
    ids::{InstanceId, LogId},
};
use rollcall_log::Backbone;
use rollcall_projection::{
    admission::Store,
    fleet::FleetSnapshot,
    freshness::{Freshness, view_point},
    supervisor::{RetryDelay, Run, Running, supervise},
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{recent_attempts::RecentAttempts, served::ServedInstance};
use crate::{
    change_client::{ChangeClient, CommandSigner},
    config::Limits,
    http::{codes::Code, error::ApiError},
};

/// How long to wait before an instance that could not be opened, or whose view has ended, is opened again.
const RETRY: Backoff = Backoff { min: Duration::from_millis(500), max: Duration::from_secs(5) };

/// How many instances are named to a caller who has named none.
const INSTANCES_NAMED_MAX: usize = 20;

#[derive(Default)]
pub(crate) struct Instances(Running<ServedInstance>);

/// What an instance is opened with.
pub(crate) struct Dependencies {
    pub(crate) backbone: Backbone,
    pub(crate) signer: CommandSigner,
    pub(crate) store: Store,
    pub(crate) freshness: Freshness,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) limits: Limits,
}

impl Instances {
    /// An instance, if it is served by now.
    pub(crate) fn get(&self, instance: &InstanceId) -> Option<Arc<ServedInstance>> {
        self.0.get(instance)
    }

    /// The instance that a request means, if it is in the caller's scope. `host` is the name that it was sent to, `named` its
    /// `Instance-Id`.
    ///
    /// # Errors
    /// [`Code::InstanceNotFound`], [`Code::InstanceRequired`], or [`Code::NotReady`] while it is being opened.
    pub(crate) fn of_request(
        &self,
        fleet: &FleetSnapshot,
        scope: &Scope,
        host: Option<&str>,
        named: Option<&str>,
    ) -> Result<Arc<ServedInstance>, ApiError> {
        // Out of scope it is a host like any other, or the refusal would tell the instance's id.
        let by_host = host.and_then(|host| fleet.fleet.by_access_domain(host)).map(|instance| &instance.id);
        let by_host = by_host.filter(|id| scope.holds_instance(id));
        let id = match (named, by_host) {
            // The header goes first: a machine's own name may happen to be an access domain.
            (Some(named), _) => known(fleet, scope, named)?,
            (None, Some(by_host)) => known(fleet, scope, by_host.as_str())?,
            (None, None) => only(fleet, scope)?,
        };
        self.ready(&id)
    }

    /// An instance of the fleet, ready to be read.
    ///
    /// # Errors
    /// [`Code::NotReady`] while it is being opened or built.
    pub(crate) fn ready(&self, id: &InstanceId) -> Result<Arc<ServedInstance>, ApiError> {
        self.get(id).filter(|instance| instance.is_ready()).ok_or_else(ApiError::not_ready)
    }

    /// Serves every instance of the fleet until `shutdown`, then waits for what runs for them.
    pub(crate) async fn follow(
        &self,
        fleet: watch::Receiver<Arc<FleetSnapshot>>,
        dependencies: Dependencies,
        shutdown: CancellationToken,
    ) {
        let entropy = Arc::clone(&dependencies.entropy);
        let delay: RetryDelay = Arc::new(move |failures| RETRY.delay(failures, &*entropy));
        let dependencies = Arc::new(dependencies);
        supervise(fleet, delay, shutdown, |_| {
            let (dependencies, running) = (Arc::clone(&dependencies), self.0.clone());
            move |run| serve(run, Arc::clone(&dependencies), running.clone())
        })
        .await;
    }
}

/// The instance of the fleet with this id.
///
/// # Errors
/// [`Code::InstanceNotFound`], also for one out of scope.
pub(crate) fn known(fleet: &FleetSnapshot, scope: &Scope, named: &str) -> Result<InstanceId, ApiError> {
    let id = InstanceId::parse(named).ok().filter(|id| fleet.fleet.instances.contains_key(id));
    id.filter(|id| scope.holds_instance(id)).ok_or_else(|| not_found(named))
}

/// The one instance that there is. Of several none is taken, also if the caller may use one alone: a wider scope would change
/// what the same request means.
fn only(fleet: &FleetSnapshot, scope: &Scope) -> Result<InstanceId, ApiError> {
    let instances = &fleet.fleet.instances;
    let mut usable = instances.keys().filter(|id| scope.holds_instance(id));
    match (instances.len(), usable.next()) {
        (0, _) => Err(ApiError::new(Code::InstanceNotFound, "the fleet has no instance yet")),
        (_, None) => Err(ApiError::new(Code::InstanceNotFound, "the fleet has no instance that you may use")),
        (1, Some(only)) => Ok(only.clone()),
        (_, Some(first)) => {
            let others = usable.by_ref().take(INSTANCES_NAMED_MAX - 1);
            let named: Vec<&str> = std::iter::once(first).chain(others).map(InstanceId::as_str).collect();
            let more = match usable.count() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let text = "there are several instances: name one in the header Instance-Id, or use its access domain as host";
            Err(ApiError::new(Code::InstanceRequired, format!("{text}; you may use {}{more}", named.join(", "))))
        }
    }
}

/// The error for an instance that does not exist, or is out of scope.
pub(crate) fn not_found(named: &str) -> ApiError {
    ApiError::new(Code::InstanceNotFound, format!("instance {named:?} does not exist, or you may not use it"))
}

/// Serves an instance until it is told to stop or its view has ended.
async fn serve(run: Run, dependencies: Arc<Dependencies>, running: Running<ServedInstance>) -> Result<(), String> {
    let tasks = TaskTracker::new();
    let opened = run.stop.run_until_cancelled(open(&run, &tasks, &dependencies)).await;
    let Some(instance) = opened.transpose().map_err(|error| error.message)? else { return Ok(()) };
    let view = instance.view.admission().clone();
    let _showing = running.show(&run, instance);
    run.stop.run_until_cancelled(view.ended()).await;
    // From here on it is not shown, and what runs for it ends before another run begins.
    run.stop.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(())
}

async fn open(run: &Run, tasks: &TaskTracker, dependencies: &Dependencies) -> Result<Arc<ServedInstance>, ApiError> {
    let Run { instance, stop } = run;
    let (id, backbone) = (&instance.id, &dependencies.backbone);
    served::open(backbone, id).await?;
    let view = dependencies.store.directory(id, instance.incarnation, Arc::clone(&backbone.log), stop.clone())?;
    let admission = view.admission().clone();
    let reached = Arc::new(move |position| -> BoxFuture<'static, Result<(), ApiError>> {
        let admission = admission.clone();
        Box::pin(async move { admission.reached(position).await.map_err(ApiError::from) })
    });
    let log = LogId::Instance(id.clone());
    let standing = view.admission().status();
    dependencies.freshness.track(log.clone(), move || view_point(&standing.borrow()));
    let (queue, signer) = (Arc::clone(&backbone.requests), dependencies.signer.clone());
    let changes = ChangeClient::start(log, queue, signer, reached, &dependencies.limits, tasks, stop.clone());
    let devices = rollcall_devices::start(Parts {
        instance: id.clone(),
        view: view.clone(),
        backbone: backbone.clone(),
        clock: Arc::clone(&dependencies.clock),
        entropy: Arc::clone(&dependencies.entropy),
        stop: stop.clone(),
        tasks: tasks.clone(),
    });
    Ok(Arc::new(ServedInstance {
        id: id.clone(),
        view,
        changes,
        devices,
        attempts: RecentAttempts::default(),
        freshness: dependencies.freshness.clone(),
        backbone: backbone.clone(),
    }))
}
