//! The instances that this process serves, and which of them a request means.
//!
//! An instance that appears in the fleet is served without a restart, one that is deleted is served no longer. A request names
//! its instance by the header `Instance-Id`, else by the host that it was sent to (the instance's access domain), or not at all
//! if there is only one. Invariant: a request that could mean two instances is refused.

pub(crate) mod recent_attempts;
pub(crate) mod records;
pub(crate) mod served;

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use rollcall_backbone::{Backbone, repeats::Repeats, seal::SealedLog};
use rollcall_chassis::{clock::Clock, entropy::Entropy};
use rollcall_devices::Parts;
use rollcall_domain::ids::{InstanceId, LogId};
use rollcall_projection::{
    admission::Store,
    fleet::FleetSnapshot,
    freshness::{Freshness, view_point},
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{recent_attempts::RecentAttempts, served::ServedInstance};
use crate::{
    change_client::{ChangeClient, CommandSigner},
    config::Limits,
    http::{codes::Code, error::ApiError},
};

/// The pause before an instance that could not be opened is opened again.
const RETRY_DELAY: Duration = Duration::from_millis(500);

#[derive(Default)]
pub(crate) struct Instances(RwLock<BTreeMap<InstanceId, Arc<ServedInstance>>>);

/// What an instance is opened with.
pub(crate) struct Dependencies {
    pub(crate) backbone: Backbone,
    pub(crate) signer: CommandSigner,
    pub(crate) store: Store,
    pub(crate) freshness: Freshness,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) limits: Limits,
    pub(crate) shutdown: CancellationToken,
    /// Those that stop an instance when its view has ended.
    pub(crate) tasks: TaskTracker,
}

impl Instances {
    /// An instance, if it is served by now.
    pub(crate) fn get(&self, instance: &InstanceId) -> Option<Arc<ServedInstance>> {
        self.read().get(instance).cloned()
    }

    /// Every served instance, by id.
    pub(crate) fn all(&self) -> Vec<Arc<ServedInstance>> {
        self.read().values().cloned().collect()
    }

    /// The instance that a request means. `host` is the name that it was sent to, `named` its `Instance-Id`.
    ///
    /// # Errors
    /// [`Code::InstanceNotFound`], [`Code::InstanceRequired`], or [`Code::NotReady`] while it is being opened.
    pub(crate) fn of_request(
        &self,
        fleet: &FleetSnapshot,
        host: Option<&str>,
        named: Option<&str>,
    ) -> Result<Arc<ServedInstance>, ApiError> {
        let by_host = host.and_then(|host| fleet.fleet.by_access_domain(host)).map(|instance| &instance.id);
        let id = match (named, by_host) {
            // The header goes first: a machine's own name may happen to be an access domain.
            (Some(named), _) => known(fleet, named)?,
            (None, Some(by_host)) => by_host.clone(),
            (None, None) => {
                let mut ids = fleet.fleet.instances.keys();
                match (ids.next(), ids.next()) {
                    (Some(only), None) => only.clone(),
                    (None, _) => return Err(ApiError::new(Code::InstanceNotFound, "the fleet has no instance yet")),
                    (Some(_), Some(_)) => {
                        let text = "there are several instances: name one in the header Instance-Id, or use its access domain as host";
                        return Err(ApiError::new(Code::InstanceRequired, text));
                    }
                }
            }
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

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<InstanceId, Arc<ServedInstance>>> {
        // A panic leaves the map consistent: each change is one insertion or removal.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<InstanceId, Arc<ServedInstance>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves every instance of the fleet until `shutdown`.
    pub(crate) async fn follow(&self, mut fleet: watch::Receiver<Arc<FleetSnapshot>>, dependencies: Dependencies) {
        let mut repeats: BTreeMap<InstanceId, Repeats> = BTreeMap::new();
        loop {
            let snapshot = Arc::clone(&fleet.borrow_and_update());
            self.write().retain(|id, instance| {
                // An instance that was deleted and made again under its id is another one.
                let is_served =
                    snapshot.fleet.instances.get(id).is_some_and(|found| SealedLog::of(found) == instance.sealed);
                let kept = is_served && !instance.stop.is_cancelled();
                if !kept {
                    instance.stop.cancel();
                }
                kept
            });
            repeats.retain(|id, _| snapshot.fleet.instances.contains_key(id));
            let mut all_open = true;
            for (id, instance) in &snapshot.fleet.instances {
                if self.get(id).is_some() {
                    continue;
                }
                match open(id, SealedLog::of(instance), &dependencies).await {
                    Ok(instance) => {
                        self.write().insert(id.clone(), instance);
                        if repeats.get(id).is_some_and(Repeats::recovered) {
                            tracing::info!(instance = %id, "the instance has been opened");
                        }
                    }
                    Err(error) => {
                        if let Some(left_out) = repeats.entry(id.clone()).or_default().failed(&error.message) {
                            tracing::warn!(instance = %id, error = error.message, left_out, "an instance cannot be opened yet; trying again");
                        }
                        all_open = false;
                    }
                }
            }
            let instances = self.all();
            let changed = async {
                tokio::select! {
                    changed = fleet.changed() => changed.is_ok(),
                    () = any_ended(&instances) => true,
                    () = tokio::time::sleep(RETRY_DELAY), if !all_open => true,
                }
            };
            if !matches!(dependencies.shutdown.run_until_cancelled(changed).await, Some(true)) {
                dependencies.shutdown.cancelled().await;
                dependencies.tasks.close();
                return dependencies.tasks.wait().await;
            }
        }
    }
}

/// Returns once the view of an instance has ended, so that it is opened again.
async fn any_ended(instances: &[Arc<ServedInstance>]) {
    if instances.is_empty() {
        return std::future::pending().await;
    }
    futures_util::future::select_all(instances.iter().map(|instance| Box::pin(instance.stop.cancelled()))).await;
}

/// The instance of the fleet with this id.
///
/// # Errors
/// [`Code::InstanceNotFound`].
pub(crate) fn known(fleet: &FleetSnapshot, named: &str) -> Result<InstanceId, ApiError> {
    let id = InstanceId::parse(named).ok().filter(|id| fleet.fleet.instances.contains_key(id));
    id.ok_or_else(|| not_found(named))
}

/// The error for an instance that does not exist.
pub(crate) fn not_found(named: &str) -> ApiError {
    ApiError::new(Code::InstanceNotFound, format!("instance {named:?} does not exist"))
}

async fn open(id: &InstanceId, sealed: SealedLog, dependencies: &Dependencies) -> Result<Arc<ServedInstance>, ApiError> {
    served::open(&dependencies.backbone, id).await?;
    let stop = dependencies.shutdown.child_token();
    let view = dependencies.store.directory(id, sealed.incarnation, Arc::clone(&dependencies.backbone.log), stop.clone())?;
    let admission = view.admission().clone();
    let reached = Arc::new(move |position| -> futures_util::future::BoxFuture<'static, Result<(), ApiError>> {
        let admission = admission.clone();
        Box::pin(async move { admission.reached(position).await.map_err(ApiError::from) })
    });
    let log = LogId::Instance(id.clone());
    let standing = view.admission().status();
    dependencies.freshness.track(log.clone(), move || view_point(&standing.borrow()));
    let (queue, signer) = (Arc::clone(&dependencies.backbone.requests), dependencies.signer.clone());
    let changes = ChangeClient::start(log, queue, signer, reached, &dependencies.limits, stop.clone());
    let devices = rollcall_devices::start(Parts {
        instance: id.clone(),
        view: view.clone(),
        backbone: dependencies.backbone.clone(),
        clock: Arc::clone(&dependencies.clock),
        entropy: Arc::clone(&dependencies.entropy),
        stop: stop.clone(),
    });
    let instance = Arc::new(ServedInstance {
        id: id.clone(),
        sealed,
        view,
        changes,
        devices,
        attempts: RecentAttempts::default(),
        freshness: dependencies.freshness.clone(),
        backbone: dependencies.backbone.clone(),
        stop: stop.clone(),
    });
    let ended = instance.view.admission().clone();
    dependencies.tasks.spawn(async move {
        stop.run_until_cancelled(ended.ended()).await;
        stop.cancel();
    });
    Ok(instance)
}
