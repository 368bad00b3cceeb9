//! The first start: a fleet without operators gets its first administrator.
//!
//! It gets the operator `admin` and one access key of theirs. Any number of processes may find such a fleet at once: both
//! requests have fixed ids, so that each is accepted once. Invariant: a password is told by the process whose request made the
//! operator, and by no other; an access key's secret can be told by each, since it is derived.
//!
//! A process that applies a fleet file of its own does so as an operator like any other, `fleet-file`, made here too: its role
//! and its changes are visible, and disabling it ends them.

use std::{sync::Arc, time::Duration};

use rollcall_chassis::retry::{Backoff, Retry};
use rollcall_domain::{
    fleet::{AccessKey, FleetCommand, NewOperator, OperatorName, ProjectId, Role, Scope},
    ids::{Position, RequestId},
    registry::Actor,
};
use rollcall_log::{
    codec::{AnyRequest, QueuedRequest},
    repeats::Repeats,
};
use rollcall_projection::fleet::FleetSnapshot;
use secrecy::SecretString;
use tokio::sync::oneshot;

use crate::{
    change_client::Change,
    http::{codes::Code, error::ApiError},
    security::password,
    state::Api,
};

const ADMIN: &str = "admin";
/// The actor of these requests; no operator has this name's rights.
const ACTOR: &str = "first-start";
/// The id of the request that makes the first administrator: one for all processes.
const OPERATOR_REQUEST: &str = "first-start-operator";
/// The id of the request that makes their access key.
const KEY_REQUEST: &str = "first-start-access-key";
/// The operator that a process applies its own fleet file as.
const FLEET_FILE_OPERATOR: &str = "fleet-file";
/// The id of the request that makes that operator.
const FLEET_FILE_OPERATOR_REQUEST: &str = "fleet-file-operator";
/// The id of the request that makes that operator's access key.
const FLEET_FILE_KEY_REQUEST: &str = "fleet-file-access-key";
/// How long to wait before what could not be made is tried again.
const RETRY: Backoff = Backoff { min: Duration::from_millis(500), max: Duration::from_secs(5) };

/// The credentials of the first administrator.
#[derive(Debug)]
pub struct FirstAdministrator {
    /// The `project_id` in the path of v5 requests.
    pub project_id: String,
    pub operator: String,
    /// Only if this process has made the operator; it is nowhere else.
    pub password: Option<SecretString>,
    /// The id of their first enabled access key.
    pub access_key: String,
    pub secret_key: SecretString,
}

/// An access key of a process's own tools.
#[derive(Debug)]
pub struct AccessCredentials {
    /// The id of an access key.
    pub access_key: String,
    pub secret_key: SecretString,
}

/// Makes the operator that applies this process's fleet file, once in the life of a fleet, and sends its credentials.
/// Sends nothing if the operator was deleted, is disabled or has no enabled access key: an administrator decided so.
/// Retries until it succeeds.
pub(crate) async fn create_fleet_file_operator(api: &Api, to: oneshot::Sender<AccessCredentials>) {
    let (repeats, mut retry) = (Repeats::default(), Retry::new(RETRY, Arc::clone(&api.entropy)));
    loop {
        match try_create_fleet_file_operator(api).await {
            Ok(Some(credentials)) => return drop(to.send(credentials)),
            Ok(None) => return,
            Err(error) => {
                if let Some(left_out) = repeats.failed(&error.message) {
                    tracing::warn!(
                        error = error.message,
                        left_out,
                        "the operator of the fleet file cannot be made yet; trying again"
                    );
                }
                retry.pause().await;
            }
        }
    }
}

async fn try_create_fleet_file_operator(api: &Api) -> Result<Option<AccessCredentials>, ApiError> {
    let fleet = caught_up(api).await?;
    let name = OperatorName::parse(FLEET_FILE_OPERATOR).expect("letters and a dash");
    let ruled = |fleet: &FleetSnapshot, request: &str| fleet.ruled.contains_key(&request_id(request));
    if !ruled(&fleet, FLEET_FILE_OPERATOR_REQUEST) && !fleet.fleet.operators.contains_key(&name) {
        let operator = NewOperator {
            name: name.clone(),
            role: Role::Admin,
            scope: Scope::default(),
            project: project(api),
            password_hash: None,
        };
        submit(api, FLEET_FILE_OPERATOR_REQUEST, FleetCommand::CreateOperator(operator)).await?;
    }
    let fleet = api.fleet();
    if !ruled(&fleet, FLEET_FILE_KEY_REQUEST) && fleet.fleet.operators.contains_key(&name) {
        let (key, description) = (api.access.new_access_key(&*api.entropy), "applies the fleet file".into());
        submit(api, FLEET_FILE_KEY_REQUEST, FleetCommand::CreateAccessKey { key, operator: name.clone(), description })
            .await?;
    }
    let fleet = api.fleet();
    let enabled = fleet.fleet.operators.get(&name).is_some_and(|operator| operator.enabled);
    let keys = fleet.fleet.access_keys.values().filter(|key| enabled && key.enabled && key.operator == name);
    let key = keys.min_by_key(|key| key.created_at);
    Ok(key.map(|key| AccessCredentials { access_key: key.id.to_string(), secret_key: api.access.secret_of(&key.id) }))
}

/// Makes the first administrator if the fleet has no operator, and sends their credentials. Sends nothing if `admin` does
/// not exist or has no enabled access key. Retries until it succeeds.
pub(crate) async fn create_first_administrator(api: &Api, to: oneshot::Sender<FirstAdministrator>) {
    let (mut first, repeats) = (None, Repeats::default());
    let mut retry = Retry::new(RETRY, Arc::clone(&api.entropy));
    loop {
        match try_create_first_administrator(api, &mut first).await {
            Ok(Some(administrator)) => return drop(to.send(administrator)),
            Ok(None) => return,
            Err(error) => {
                if let Some(left_out) = repeats.failed(&error.message) {
                    tracing::warn!(
                        error = error.message,
                        left_out,
                        "the first administrator cannot be made yet; trying again"
                    );
                }
                retry.pause().await;
            }
        }
    }
}

/// The operator that this process would make; the same at each try, else a try that is accepted late is not recognised.
struct NewAdministrator {
    operator: NewOperator,
    password: SecretString,
}

async fn try_create_first_administrator(
    api: &Api,
    first: &mut Option<NewAdministrator>,
) -> Result<Option<FirstAdministrator>, ApiError> {
    if caught_up(api).await?.fleet.operators.is_empty() {
        let first = match first {
            Some(first) => first,
            None => first.insert(NewAdministrator::generate(api).await?),
        };
        submit(api, OPERATOR_REQUEST, FleetCommand::CreateOperator(first.operator.clone())).await?;
    }
    let fleet = api.fleet();
    let ruled = |request: &str| fleet.ruled.contains_key(&request_id(request));
    // Also where the process that made the operator ended before it could make the key.
    if ruled(OPERATOR_REQUEST) && !ruled(KEY_REQUEST) && fleet.fleet.operators.contains_key(&admin()) {
        let (key, operator) = (api.access.new_access_key(&*api.entropy), admin());
        let description = "made at the first start".into();
        submit(api, KEY_REQUEST, FleetCommand::CreateAccessKey { key, operator, description }).await?;
    }
    Ok(credentials(api, first.as_ref()))
}

impl NewAdministrator {
    async fn generate(api: &Api) -> Result<Self, ApiError> {
        let password = password::generate(&*api.entropy);
        let password_hash = api.access.hash_password("password", password.clone(), &api.entropy).await?;
        let operator = NewOperator {
            name: admin(),
            role: Role::Admin,
            scope: Scope::default(),
            project: project(api),
            password_hash: Some(password_hash),
        };
        Ok(Self { operator, password })
    }
}

async fn submit(api: &Api, id: &str, command: FleetCommand) -> Result<Position, ApiError> {
    let id = request_id(id);
    let request = AnyRequest::Fleet { id: id.clone(), actor: Actor::Operator(ACTOR.into()), command };
    let request = QueuedRequest { submitted_at: api.now(), traceparent: None, request };
    api.fleet_changes.submit(Change { id, request }).await
}

/// The administrator's credentials; with the password if the operator is the one that this process made.
fn credentials(api: &Api, first: Option<&NewAdministrator>) -> Option<FirstAdministrator> {
    let fleet = api.fleet();
    let operator = fleet.fleet.operators.get(&admin())?;
    let enabled = |key: &&AccessKey| key.enabled && key.operator == operator.name;
    let key = fleet.fleet.access_keys.values().filter(enabled).min_by_key(|key| key.created_at)?;
    let is_ours = |first: &&NewAdministrator| first.operator.password_hash == operator.password_hash;
    Some(FirstAdministrator {
        project_id: key.project.to_string(),
        operator: operator.name.to_string(),
        password: first.filter(is_ours).map(|first| first.password.clone()),
        access_key: key.id.to_string(),
        secret_key: api.access.secret_of(&key.id),
    })
}

async fn caught_up(api: &Api) -> Result<Arc<FleetSnapshot>, ApiError> {
    let mut fleet = api.fleet.clone();
    let known = fleet.wait_for(|fleet| fleet.caught_up).await.map(|fleet| Arc::clone(&fleet));
    known.map_err(|_| ApiError::new(Code::NotReady, "the fleet is not followed any more"))
}

fn admin() -> OperatorName {
    OperatorName::parse(ADMIN).expect("letters")
}

fn project(api: &Api) -> ProjectId {
    ProjectId::parse(&api.entropy.uuid_v4().simple().to_string()).expect("32 hex digits")
}

fn request_id(text: &str) -> RequestId {
    RequestId::parse(text).expect("letters and dashes")
}
