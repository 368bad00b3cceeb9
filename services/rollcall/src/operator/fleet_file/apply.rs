//! Applies a fleet file through the API: declares what it declares, one thing after the other, as an operator.
//!
//! What differs from what is there is found by the API for what it takes whole (spaces, products, policies, templates, CA
//! certificates), and here, by reading first, for the rest. Strictly in order, since a later thing depends on an earlier
//! one (a verification code is issued at upload), and a file is small. What is refused is reported with its place and does
//! not stop the others. Rights are the operator's, and so is the name in every record.

mod ca;

use hyper::Method;
use rollcall_domain::{
    fleet::InstanceDraft,
    ids::{InstanceId, PolicyId, SpaceId},
};
use rollcall_log::codec;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::document::{
    BrokenRule, Declared, DefaultPolicy, Document, InstanceDeclaration, Place, PolicyDeclaration, ProductDeclaration,
    SpaceDeclaration, TemplateDeclaration, Warning,
};
use crate::operator::api_client::{Answer, Client, ClientError};

/// Entries of one page of a policy's targets; the most that there may be.
const PAGE: usize = 50;

/// What the API says of an instance that is not there.
const INSTANCE_NOT_FOUND: &str = "IOTDA.014907";

/// The outcome of applying a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct ApplyReport {
    /// Declarations that changed something.
    pub(crate) changes: usize,
    /// What was refused, with its place.
    pub(crate) faults: Vec<BrokenRule>,
    /// What an operator still has to do.
    pub(crate) notes: Vec<String>,
    /// What was granted and is hardly meant, with its place.
    pub(crate) warnings: Vec<Warning>,
}

/// Why applying stopped before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    /// The API cannot be asked.
    #[error("{place}: the API cannot be asked")]
    At {
        /// What was being applied.
        place: Place,
        #[source]
        source: ClientError,
    },
    /// The API refuses the credentials, or cannot be asked about them.
    #[error("the API cannot be asked who this is")]
    Login(#[source] ClientError),
    /// The API does not tell who this is.
    #[error("the API does not say who this is: {0}")]
    UnknownOperator(String),
    /// The process is stopping.
    #[error("stopped before the fleet file was applied")]
    Stopped,
}

/// Applies fleet files through the API, until it is told to stop.
pub(crate) struct FleetFileClient {
    /// The API, with an operator's credentials.
    pub(crate) client: Client,
    /// Cancelled, it ends the wait for an answer.
    pub(crate) shutdown: CancellationToken,
}

impl FleetFileClient {
    /// Applies a document.
    ///
    /// # Errors
    /// [`ApplyError`] if the API cannot be asked; refusals are in the [`ApplyReport`].
    pub(crate) async fn apply(&mut self, document: &Document) -> Result<ApplyReport, ApplyError> {
        let stopping = self.shutdown.clone();
        stopping.run_until_cancelled(Box::pin(self.apply_all(document))).await.unwrap_or(Err(ApplyError::Stopped))
    }

    async fn apply_all(&mut self, document: &Document) -> Result<ApplyReport, ApplyError> {
        let me = self.client.ask(&Method::GET, "/rollcall/v1/me", None, None).await.map_err(ApplyError::Login)?;
        let me = me.map_err(|refusal| ApplyError::UnknownOperator(format!("{} ({})", refusal.message, refusal.code)))?;
        let project =
            me["project_id"].as_str().ok_or_else(|| ApplyError::UnknownOperator("no project_id".into()))?.to_owned();
        let mut outcome = ApplyReport::default();
        for declared in &document.instances {
            if self.instance(declared, &mut outcome).await? {
                let requests = InstanceRequests {
                    client: &mut self.client,
                    outcome: &mut outcome,
                    instance: &declared.item.instance.id,
                };
                Contents { project: &project, requests }.apply(&declared.item).await?;
            }
        }
        Ok(outcome)
    }

    /// Whether the instance exists after this.
    async fn instance(
        &mut self,
        declared: &Declared<InstanceDeclaration>,
        outcome: &mut ApplyReport,
    ) -> Result<bool, ApplyError> {
        let (wanted, place) = (&declared.item.instance, &declared.place);
        let failed = |source| ApplyError::At { place: place.clone(), source };
        let one = format!("/rollcall/v1/instances/{}", wanted.id);
        // Each by itself: all of them for each would be as many answers about instances as the square of the file's.
        let found = match self.client.ask(&Method::GET, &one, None, None).await.map_err(failed)? {
            Err(refusal) if refusal.code == INSTANCE_NOT_FOUND => None,
            answer => match granted(answer, place, outcome) {
                Some(found) => Some(found),
                None => return Ok(false),
            },
        };
        let mut body = json!({
            "access_domain": &*wanted.access_domain, "edition": wanted.edition.name(), "region": &*wanted.region,
        });
        if let Some(devices_max) = wanted.devices_max {
            body["devices_max"] = devices_max.into();
        }
        let (method, path) = match found {
            Some(ref found) if is_met_by(wanted, found) => return Ok(true),
            Some(_) => (Method::PUT, one.as_str()),
            None => {
                body["id"] = wanted.id.as_str().into();
                (Method::POST, "/rollcall/v1/instances")
            }
        };
        let asked = self.client.ask(&method, path, None, Some(&body)).await.map_err(failed)?;
        let is_granted = granted(asked, place, outcome).is_some();
        outcome.changes += usize::from(is_granted);
        Ok(is_granted || found.is_some())
    }
}

/// Whether an instance, as the API shows it, is what is wanted: all that an operator can ask for is so.
fn is_met_by(wanted: &InstanceDraft, found: &Value) -> bool {
    let text = |field: &str| found[field].as_str().unwrap_or_default();
    wanted.access_domain.eq_ignore_ascii_case(text("access_domain"))
        && wanted.edition.name() == text("edition")
        && *wanted.region == *text("region")
        && wanted.devices_max.is_none_or(|wanted| found["devices_max"] == wanted)
}

/// The granted answer; a refusal becomes a fault of the outcome.
fn granted(answer: Answer, place: &Place, outcome: &mut ApplyReport) -> Option<Value> {
    match answer {
        Ok(body) => Some(body),
        Err(refusal) => {
            let rule = format!("{} ({})", refusal.message, refusal.code);
            outcome.faults.push(BrokenRule { place: place.clone(), rule });
            None
        }
    }
}

/// Sends requests about one instance and collects their refusals.
struct InstanceRequests<'a> {
    client: &'a mut Client,
    outcome: &'a mut ApplyReport,
    instance: &'a InstanceId,
}

impl InstanceRequests<'_> {
    /// The granted answer; a refusal becomes a fault of the outcome.
    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        place: &Place,
    ) -> Result<Option<Value>, ApplyError> {
        let asked = self.client.ask(&method, path, Some(self.instance.as_str()), body).await;
        let answer = asked.map_err(|source| ApplyError::At { place: place.clone(), source })?;
        Ok(granted(answer, place, self.outcome))
    }

    /// Declares something under `/rollcall/v1/instances/{i}`; counts it if that changed anything.
    async fn declare(&mut self, path: &str, body: &Value, place: &Place) -> Result<Option<Value>, ApplyError> {
        let path = format!("/rollcall/v1/instances/{}{path}", self.instance);
        let answer = self.ask(Method::PUT, &path, Some(body), place).await?;
        let has_changed = answer.as_ref().is_some_and(|answer| answer["outcome"] != "unchanged");
        self.outcome.changes += usize::from(has_changed);
        Ok(answer)
    }
}

/// Applies what one instance contains.
struct Contents<'a> {
    project: &'a str,
    requests: InstanceRequests<'a>,
}

impl Contents<'_> {
    async fn apply(&mut self, declaration: &InstanceDeclaration) -> Result<(), ApplyError> {
        for space in &declaration.spaces {
            self.space(space).await?;
        }
        for template in &declaration.templates {
            self.template(template).await?;
        }
        for space in &declaration.spaces {
            for ca in &space.item.cas {
                self.ca(&space.item.id, ca).await?;
            }
        }
        Ok(())
    }

    async fn space(&mut self, declared: &Declared<SpaceDeclaration>) -> Result<(), ApplyError> {
        let wanted = &declared.item;
        let mut body = json!({ "app_name": &*wanted.name });
        if let Some(default_policy) = wanted.default_policy {
            body["default_policy"] = default_policy.name().into();
        }
        if wanted.default_policy != Some(DefaultPolicy::None) {
            body["default_policy_id"] = default_policy_id(&wanted.id).as_str().into();
        }
        let mut warned = self.requests.declare(&format!("/apps/{}", wanted.id), &body, &declared.place).await?;
        for product in &wanted.products {
            self.product(&wanted.id, product).await?;
        }
        for policy in &wanted.policies {
            warned = self.policy(wanted, policy).await?.or(warned);
        }
        // Each answer says what is so of the whole space by then: the last one counts.
        let warnings = warned.as_ref().and_then(|answer| answer["warnings"].as_array()).into_iter().flatten();
        let warnings = warnings.filter_map(|warning| warning.as_str());
        let warnings = warnings.map(|text| Warning { place: declared.place.clone(), text: text.to_owned() });
        self.requests.outcome.warnings.extend(warnings);
        Ok(())
    }

    async fn product(&mut self, space: &SpaceId, declared: &Declared<ProductDeclaration>) -> Result<(), ApplyError> {
        let details = &declared.item.details;
        let capabilities: Value = serde_json::from_str(&details.service_capabilities).unwrap_or_else(|_| json!([]));
        let mut body = json!({
            "name": &*details.name, "device_type": &*details.device_type, "protocol_type": &*details.protocol_type,
            "data_format": &*details.data_format, "service_capabilities": capabilities,
        });
        for (field, text) in [
            ("manufacturer_name", &details.manufacturer_name),
            ("industry", &details.industry),
            ("description", &details.description),
        ] {
            if let Some(text) = text {
                body[field] = (**text).into();
            }
        }
        let path = format!("/apps/{space}/products/{}", declared.item.id);
        self.requests.declare(&path, &body, &declared.place).await.map(drop)
    }

    /// Declares a policy and what it is bound to; what the API said of the declaration, if it was granted.
    async fn policy(
        &mut self,
        space: &SpaceDeclaration,
        declared: &Declared<PolicyDeclaration>,
    ) -> Result<Option<Value>, ApplyError> {
        let (wanted, place) = (&declared.item, &declared.place);
        let body = json!({ "policy_name": &*wanted.name, "statement": codec::statements_to_json(&wanted.statements) });
        let path = format!("/apps/{}/policies/{}", space.id, wanted.id);
        let Some(answer) = self.requests.declare(&path, &body, place).await? else { return Ok(None) };
        let mut products: Vec<&str> = wanted.bound_to_products.iter().map(|product| product.as_str()).collect();
        products.sort_unstable();
        products.dedup();
        let spaces = if wanted.bound_to_space { vec![space.id.as_str()] } else { Vec::new() };
        for (kind, wanted) in [("app", spaces), ("product", products)] {
            self.rebind(&declared.item.id, kind, &wanted, place).await?;
        }
        Ok(Some(answer))
    }

    /// Binds and unbinds until exactly these targets of one kind have the policy.
    async fn rebind(&mut self, policy: &PolicyId, kind: &str, wanted: &[&str], place: &Place) -> Result<(), ApplyError> {
        let Some(bound) = self.targets(policy, kind, place).await? else { return Ok(()) };
        let missing: Vec<&str> = wanted.iter().copied().filter(|id| !bound.iter().any(|bound| bound == id)).collect();
        let surplus: Vec<&str> = bound.iter().map(String::as_str).filter(|bound| !wanted.contains(bound)).collect();
        for (what, ids) in [("bind", missing), ("unbind", surplus)] {
            for id in ids {
                let body = json!({ "target_type": kind, "target_ids": [id] });
                let path = format!("/v5/iot/{}/device-policies/{policy}/{what}", self.project);
                let Some(answer) = self.requests.ask(Method::POST, &path, Some(&body), place).await? else { continue };
                match answer["failure_targets"].as_array().and_then(|failed| failed.first()) {
                    None => self.requests.outcome.changes += 1,
                    Some(failed) => {
                        let text = |field: &str| failed[field].as_str().unwrap_or_default().to_owned();
                        let rule = format!("{} ({})", text("error_msg"), text("error_code"));
                        self.requests.outcome.faults.push(BrokenRule { place: place.clone(), rule });
                    }
                }
            }
        }
        Ok(())
    }

    /// The targets of one kind that a policy is bound to.
    async fn targets(&mut self, policy: &PolicyId, kind: &str, place: &Place) -> Result<Option<Vec<String>>, ApplyError> {
        let path = format!("/v5/iot/{}/device-policies/{policy}/list-targets", self.project);
        let (mut found, mut marker) = (Vec::new(), Value::Null);
        loop {
            let body = json!({ "target_type": kind, "limit": PAGE, "marker": marker });
            let Some(page) = self.requests.ask(Method::POST, &path, Some(&body), place).await? else { return Ok(None) };
            let targets = page["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
            found.extend(targets.iter().filter_map(|target| target["target_id"].as_str().map(str::to_owned)));
            if targets.len() < PAGE {
                return Ok(Some(found));
            }
            marker = page["page"]["marker"].clone();
        }
    }

    async fn template(&mut self, declared: &Declared<TemplateDeclaration>) -> Result<(), ApplyError> {
        let wanted = &declared.item;
        let body = json!({
            "template_name": &*wanted.name, "description": &*wanted.description,
            "template_body": codec::template_draft_to_json(&wanted.body),
        });
        self.requests.declare(&format!("/templates/{}", wanted.id), &body, &declared.place).await.map(drop)
    }
}

/// The id of a new space's `system_default_policy`: the same at every application of the file, and like the service's ids
/// 24 hex digits.
pub(super) fn default_policy_id(space: &SpaceId) -> PolicyId {
    let digest = Sha256::digest(format!("system_default_policy of {space}"));
    PolicyId::parse(&hex::encode(&digest[..12])).expect("hex digits are id characters")
}
