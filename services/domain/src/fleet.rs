//! The fleet: which instances there are, where self-registration is available, and which operators may ask.
//!
//! Folded from the fleet log by the same `decide` and `evolve` discipline as a registry. Invariant: an access domain
//! belongs to one instance, whatever its case. What holds of operators and access keys is in [`operators`].

pub(crate) mod names;
mod operators;

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    ids::{Incarnation, InstanceId},
    limits,
    rejection::{Rejection, Subject},
    time::Timestamp,
};

pub use names::{AccessKeyId, OperatorName, ProjectId};
pub use operators::{AccessKey, NewOperator, Operator, PasswordHash, Role, Scope};

/// What an instance was bought as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edition {
    /// Shared; no self-registration anywhere.
    Basic,
    /// Logical multi-tenant.
    Standard,
    Enterprise,
}

impl Edition {
    /// `basic`, `standard` or `enterprise`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Standard => "standard",
            Self::Enterprise => "enterprise",
        }
    }
}

/// One IoT platform instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub id: InstanceId,
    /// The DNS name that a device's SNI must carry; lower case.
    pub access_domain: Box<str>,
    pub edition: Edition,
    /// Its region, such as `cn-north-4`.
    pub region: Box<str>,
    /// Which of the instances of this id it is. An update never changes it.
    pub incarnation: Incarnation,
    /// The most live devices that it may hold. `None` in a record of version 1: the reader falls back to its own
    /// configuration.
    pub devices_max: Option<u64>,
    /// Whether its edition and region allow self-registration, as the registrar ruled when the record was written. `None`
    /// in a record of version 1: [`AvailabilityRules::allow`] falls back to a table.
    pub self_registration_available: Option<bool>,
}

/// An instance as an operator wants it: what the registrar rules on or draws itself is not in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceDraft {
    pub id: InstanceId,
    /// The DNS name that a device's SNI must carry, in any case.
    pub access_domain: Box<str>,
    pub edition: Edition,
    /// Its region, such as `cn-north-4`.
    pub region: Box<str>,
    /// The most live devices that it may hold. `None` leaves what there is; a new instance gets the registrar's default.
    pub devices_max: Option<u64>,
}

impl InstanceDraft {
    /// Whether `instance` is what is wanted: all that an operator can ask for is so.
    pub fn is_met_by(&self, instance: &Instance) -> bool {
        let Self { id, access_domain, edition, region, devices_max } = self;
        *id == instance.id
            && access_domain.eq_ignore_ascii_case(&instance.access_domain)
            && *edition == instance.edition
            && *region == instance.region
            && devices_max.is_none_or(|wanted| instance.devices_max == Some(wanted))
    }
}

/// What a decision on the fleet may depend on beside the command and the state. It goes into the record, so that every
/// process that serves the instance afterwards says the same.
#[derive(Clone, Copy, Debug)]
pub struct FleetContext<'a> {
    /// Fresh and unpredictable, used if the decision makes an instance.
    pub incarnation: Incarnation,
    /// The most live devices of an instance for which no figure is asked.
    pub devices_max: u64,
    /// Where self-registration is available.
    pub availability: &'a AvailabilityRules,
}

/// Where self-registration is not available: any row that matches forbids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvailabilityRules {
    /// Edition, and region or every region.
    pub unavailable: Vec<(Edition, Option<Box<str>>)>,
}

impl Default for AvailabilityRules {
    /// The service's own: no basic edition; no standard edition in `cn-east-3`.
    fn default() -> Self {
        Self { unavailable: vec![(Edition::Basic, None), (Edition::Standard, Some("cn-east-3".into()))] }
    }
}

impl AvailabilityRules {
    /// Whether devices may register themselves at this instance: what its record says, and this table only where the
    /// record says nothing.
    pub fn allow(&self, instance: &Instance) -> bool {
        instance.self_registration_available.unwrap_or_else(|| self.allow_at(instance.edition, &instance.region))
    }

    /// Whether this table lets devices of an instance of that edition and region register themselves.
    pub(crate) fn allow_at(&self, edition: Edition, region: &str) -> bool {
        !self
            .unavailable
            .iter()
            .any(|(unavailable, within)| *unavailable == edition && within.as_ref().is_none_or(|within| **within == *region))
    }
}

/// The instances and operators, folded from the fleet log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    pub instances: BTreeMap<InstanceId, Instance>,
    pub operators: BTreeMap<OperatorName, Operator>,
    /// By id; each is of an operator that exists.
    pub access_keys: BTreeMap<AccessKeyId, AccessKey>,
}

/// What an operator asks of the fleet. `None` in an update means "leave as it is".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FleetCommand {
    /// Adds an instance.
    CreateInstance(InstanceDraft),
    /// Changes access domain, edition, region or how many devices it may hold.
    UpdateInstance(InstanceDraft),
    /// Removes an instance from service; its log stays.
    DeleteInstance(InstanceId),
    /// Lets another operator in.
    CreateOperator(NewOperator),
    /// Changes what it may, where, or whether at all.
    UpdateOperator { name: OperatorName, role: Option<Role>, scope: Option<Scope>, enabled: Option<bool> },
    /// Gives it another password, which ends its sessions.
    SetOperatorPassword { name: OperatorName, password_hash: PasswordHash },
    /// Takes it away, with its access keys.
    DeleteOperator(OperatorName),
    /// Gives an operator an access key; its project is the operator's.
    CreateAccessKey { key: AccessKeyId, operator: OperatorName, description: Box<str> },
    /// Makes an access key usable or not.
    SwitchAccessKey { key: AccessKeyId, enabled: bool },
    /// Takes an access key away.
    DeleteAccessKey(AccessKeyId),
}

/// What happened to the fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FleetEvent {
    /// An instance is served.
    InstanceCreated(Instance),
    /// Something of it is different; its incarnation never is.
    InstanceUpdated(Instance),
    /// It is no longer served.
    InstanceDeleted(InstanceId),
    /// An operator exists, enabled.
    OperatorCreated(NewOperator),
    /// The whole of what it may now.
    OperatorUpdated { name: OperatorName, role: Role, scope: Scope, enabled: bool },
    /// It has another password; its sessions have ended.
    OperatorPasswordSet { name: OperatorName, password_hash: PasswordHash },
    /// It is gone, and its access keys with it.
    OperatorDeleted(OperatorName),
    /// An access key exists, enabled.
    AccessKeyCreated { key: AccessKeyId, operator: OperatorName, project: ProjectId, description: Box<str> },
    /// It may be used, or no longer.
    AccessKeySwitched { key: AccessKeyId, enabled: bool },
    /// It is gone.
    AccessKeyDeleted(AccessKeyId),
}

impl Fleet {
    /// Rules on a command; `None` when it is already so.
    ///
    /// # Errors
    /// [`Rejection`]: why not.
    pub fn decide(&self, command: &FleetCommand, context: &FleetContext<'_>) -> Result<Option<FleetEvent>, Rejection> {
        match command {
            FleetCommand::CreateInstance(wanted) => {
                let access_domain = self.admissible(wanted)?;
                match self.instances.get(&wanted.id) {
                    // What is ruled on or drawn anew at each decision is no part of what must be the same.
                    Some(existing) if wanted.is_met_by(existing) => Ok(None),
                    Some(existing) => Err(Rejection::AlreadyExists(Subject::Instance(existing.id.clone()))),
                    None => Ok(Some(FleetEvent::InstanceCreated(settled(wanted, access_domain, None, context)))),
                }
            }
            FleetCommand::UpdateInstance(wanted) => {
                let existing = self.existing(&wanted.id)?;
                let updated = settled(wanted, self.admissible(wanted)?, Some(existing), context);
                // Also recorded when only the table says otherwise now, or when the record is of version 1 and says nothing.
                Ok((*existing != updated).then_some(FleetEvent::InstanceUpdated(updated)))
            }
            FleetCommand::DeleteInstance(id) => {
                self.existing(id)?;
                Ok(Some(FleetEvent::InstanceDeleted(id.clone())))
            }
            FleetCommand::CreateOperator(wanted) => self.create_operator(wanted),
            FleetCommand::UpdateOperator { name, role, scope, enabled } => {
                self.update_operator(name, *role, scope.as_ref(), *enabled)
            }
            FleetCommand::SetOperatorPassword { name, password_hash } => self.set_operator_password(name, password_hash),
            FleetCommand::DeleteOperator(name) => self.delete_operator(name),
            FleetCommand::CreateAccessKey { key, operator, description } => {
                self.create_access_key(key, operator, description)
            }
            FleetCommand::SwitchAccessKey { key, enabled } => self.switch_access_key(key, *enabled),
            FleetCommand::DeleteAccessKey(key) => self.delete_access_key(key),
        }
    }

    /// Applies what happened. What exists is not made again, what does not exist is not changed. `at` is the record's time.
    pub fn evolve(&mut self, event: &FleetEvent, at: Timestamp) {
        match event {
            FleetEvent::InstanceCreated(instance) => {
                self.instances.entry(instance.id.clone()).or_insert_with(|| instance.clone());
            }
            FleetEvent::InstanceUpdated(instance) => {
                if let Some(existing) = self.instances.get_mut(&instance.id) {
                    *existing = Instance { incarnation: existing.incarnation, ..instance.clone() };
                }
            }
            FleetEvent::InstanceDeleted(id) => {
                self.instances.remove(id);
            }
            FleetEvent::OperatorCreated(new) => self.operator_created(new, at),
            FleetEvent::OperatorUpdated { name, role, scope, enabled } => {
                self.operator_updated(name, *role, scope, *enabled, at);
            }
            FleetEvent::OperatorPasswordSet { name, password_hash } => self.operator_password_set(name, password_hash, at),
            FleetEvent::OperatorDeleted(name) => self.operator_deleted(name),
            FleetEvent::AccessKeyCreated { key, operator, project, description } => {
                self.access_key_created(key, operator, project, description, at);
            }
            FleetEvent::AccessKeySwitched { key, enabled } => self.access_key_switched(key, *enabled),
            FleetEvent::AccessKeyDeleted(key) => {
                self.access_keys.remove(key);
            }
        }
    }

    /// The instance whose access domain is `server_name` (any case).
    pub fn by_access_domain(&self, server_name: &str) -> Option<&Instance> {
        self.instances.values().find(|instance| instance.access_domain.eq_ignore_ascii_case(server_name))
    }

    fn existing(&self, id: &InstanceId) -> Result<&Instance, Rejection> {
        self.instances.get(id).ok_or_else(|| Rejection::NotFound(Subject::Instance(id.clone())))
    }

    /// The access domain as it would be kept: in lower case, valid, and no other instance's. What else can be
    /// wrong with a draft is checked with it.
    fn admissible(&self, wanted: &InstanceDraft) -> Result<Box<str>, Rejection> {
        let access_domain = wanted.access_domain.to_ascii_lowercase().into_boxed_str();
        check_access_domain(&access_domain).map_err(|rule| invalid("access_domain", rule))?;
        check_region(&wanted.region).map_err(|rule| invalid("region", rule))?;
        if wanted.devices_max.is_some_and(|max| max > limits::DEVICES_PER_INSTANCE_MAX) {
            return Err(invalid("devices_max", format!("give 0 to {}", limits::DEVICES_PER_INSTANCE_MAX)));
        }
        match self.by_access_domain(&access_domain) {
            Some(other) if other.id != wanted.id => Err(Rejection::AccessDomainTaken {
                domain: access_domain.into(),
                holder: Subject::Instance(other.id.clone()),
            }),
            _ => Ok(access_domain),
        }
    }
}

/// The instance that is recorded: what is wanted, what an `existing` one keeps, and what is ruled on now.
fn settled(
    wanted: &InstanceDraft,
    access_domain: Box<str>,
    existing: Option<&Instance>,
    context: &FleetContext<'_>,
) -> Instance {
    let kept = existing.and_then(|existing| existing.devices_max);
    Instance {
        id: wanted.id.clone(),
        access_domain,
        edition: wanted.edition,
        region: wanted.region.clone(),
        incarnation: existing.map_or(context.incarnation, |existing| existing.incarnation),
        devices_max: Some(wanted.devices_max.or(kept).unwrap_or(context.devices_max)),
        self_registration_available: Some(context.availability.allow_at(wanted.edition, &wanted.region)),
    }
}

fn invalid(field: &str, rule: String) -> Rejection {
    Rejection::InvalidField { field: field.into(), rule }
}

/// A host name as SNI can carry it (RFC 6066 section 3: no IP literal, no trailing dot), in lower case.
fn check_access_domain(domain: &str) -> Result<(), String> {
    if domain.is_empty() || domain.len() > limits::ACCESS_DOMAIN_CHARS_MAX {
        return Err(format!("give 1 to {} characters", limits::ACCESS_DOMAIN_CHARS_MAX));
    }
    if domain.parse::<IpAddr>().is_ok() {
        return Err("an IP address cannot be sent as SNI: give a DNS name".into());
    }
    let is_label = |label: &str| {
        (1..=limits::DOMAIN_LABEL_CHARS_MAX).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if let Some(label) = domain.split('.').find(|label| !is_label(label)) {
        let max = limits::DOMAIN_LABEL_CHARS_MAX;
        return Err(format!(
            "{label:?} is not a DNS label: 1 to {max} letters, digits and inner '-', separated by single dots"
        ));
    }
    // A name that ends in digits is read as an IPv4 address by some resolvers and clients, which then send no SNI.
    if domain.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
        return Err("the last label must not be a number: clients take such a name for an IP address".into());
    }
    Ok(())
}

fn check_region(region: &str) -> Result<(), String> {
    let max = limits::REGION_CHARS_MAX;
    let is_region = (1..=max).contains(&region.len())
        && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if is_region { Ok(()) } else { Err(format!("give 1 to {max} lower-case letters, digits and '-', such as cn-north-4")) }
}

#[cfg(test)]
mod tests;
