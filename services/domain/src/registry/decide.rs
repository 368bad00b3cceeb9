//! `decide`: whether a request is granted, and every check that was made on the way.
//!
//! [`connect`] rules on certificate-connect events, the other files on operators' commands, one for each kind of object.
//! [`debug`] asks the same of a certificate without recording anything, [`preview`] with a template that is not saved, and
//! [`issuer_of`] finds the CA certificate to ask about. [`membership`] holds what must be in one resource
//! space, [`fields`] what a field may hold.

mod cas;
mod checks;
mod connect;
mod debug;
mod devices;
mod fields;
mod issuer;
mod membership;
mod policies;
mod preview;
mod products;
mod retired;
mod spaces;
mod templates;

use crate::{
    certificate::path::TrustStore,
    fleet::{AvailabilityRules, Instance},
    registry::{
        command::{Actor, Command, Request, RequestBody},
        event::Event,
        state::{Configuration, Devices},
    },
    rejection::Rejection,
    time::Timestamp,
};

pub use debug::{DebugOutcome, Debugged, debug};
pub use issuer::{ChainIssuer, issuer_of};
pub use membership::template_fits;
pub use preview::{Below, Previewed, preview, supposed};
pub use retired::forget as forget_retired;

/// What a decision may depend on beside the request and the state.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The instant of the decision.
    pub now: Timestamp,
    /// The instance whose registry this is, from the fleet.
    pub instance: &'a Instance,
    /// Where self-registration is available, if the instance's own record does not say.
    pub availability: &'a AvailabilityRules,
    /// The verified CA certificates of this very configuration: [`Configuration::trust_store`], built again when one
    /// is verified or deleted. A store that lags behind is harmless: the CA certificate that it names is looked up in the
    /// configuration again.
    pub trust: &'a TrustStore,
    /// A fresh, unpredictable verification code (UUID v4 text), used if the decision issues one.
    pub verification_code: &'a str,
    /// The most live devices that this instance may hold, if its own record does not say.
    pub devices_max_default: u64,
}

impl Context<'_> {
    /// The most live devices that this instance may hold.
    fn devices_max(&self) -> u64 {
        self.instance.devices_max.unwrap_or(self.devices_max_default)
    }
}

/// What a granted request comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all decisions record something, and none is kept in bulk")]
pub enum Decision {
    Record(Event),
    /// It is already so; nothing is written.
    AlreadySo,
}

/// One check and how it came out, for the attempts that people look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Stable name, `snake_case`, such as `chain_leads_to_verified_ca`.
    pub name: &'static str,
    /// Whether it held.
    pub passed: bool,
    /// What was found, for people: escaped and bounded.
    pub detail: String,
}

/// A decision with the checks that led to it, in the order made. The last is the failed one if it was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedDecision {
    /// Granted or not.
    pub outcome: Result<Decision, Rejection>,
    /// Certificate-connect events list every check; operators' commands may leave this empty.
    pub checks: Vec<Check>,
}

/// Rules on one request. Pure; re-derives everything from the certificate's DER and the state.
///
/// Commands are idempotent: to create what exists with the same content, or to set what is set, is
/// [`Decision::AlreadySo`]; to create what exists with other content is refused.
pub fn decide(
    configuration: &Configuration,
    devices: &dyn Devices,
    request: &Request,
    context: &Context<'_>,
) -> CheckedDecision {
    match &request.body {
        RequestBody::CertificateConnect { chain, claimed } => {
            connect::decide(configuration, devices, &request.actor, chain, claimed.as_ref(), context)
        }
        RequestBody::Command(command) => {
            let permitted = check_operator(&request.actor);
            let outcome = permitted.and_then(|()| decide_command(configuration, devices, command, context));
            CheckedDecision { outcome, checks: Vec::new() }
        }
    }
}

/// What each kind of request comes to.
type Decided = Result<Decision, Rejection>;

/// A certificate asks for nothing but to be let in: a connector that was broken into still cannot give commands.
fn check_operator(actor: &Actor) -> Result<(), Rejection> {
    match actor {
        Actor::Certificate(_) => Err(fields::invalid("actor", "only an operator may give a command".into())),
        Actor::Operator(name) => fields::operator_name(name),
    }
}

fn decide_command(
    configuration: &Configuration,
    devices: &dyn Devices,
    command: &Command,
    context: &Context<'_>,
) -> Decided {
    match command {
        Command::CreateSpace { space, name, default_policy } => {
            spaces::create(configuration, space, name, default_policy.as_ref())
        }
        Command::RenameSpace { space, name } => spaces::rename(configuration, space, name),
        Command::DeleteSpace { space } => spaces::delete(configuration, space),
        Command::CreateProduct { space, product, details } => products::create(configuration, space, product, details),
        Command::UpdateProduct { space, product, details } => products::update(configuration, space, product, details),
        Command::DeleteProduct { space, product } => products::delete(configuration, devices, space, product),
        Command::CreatePolicy { policy, space, name, statements } => {
            policies::create(configuration, policy, space, name, statements)
        }
        Command::UpdatePolicy { policy, name, statements } => {
            policies::update(configuration, policy, name.as_deref(), statements.as_deref())
        }
        Command::DeletePolicy { policy } => policies::delete(configuration, policy),
        Command::BindPolicy { policy, target } => policies::bind(configuration, devices, policy, target),
        Command::UnbindPolicy { policy, target } => policies::unbind(configuration, devices, policy, target),
        Command::CreateTemplate { template, name, description, body } => {
            templates::create(configuration, template, name, description, body)
        }
        Command::UpdateTemplate { template, description, body } => {
            templates::update(configuration, template, description.as_deref(), body.as_ref())
        }
        Command::DeleteTemplate { template } => templates::delete(configuration, template),
        Command::UploadCa { ca, space, der } => cas::upload(configuration, ca, space, der, context),
        Command::IssueCaCode { ca } => cas::issue_code(configuration, ca, context),
        Command::VerifyCa { ca, proof } => cas::verify(configuration, ca, proof, context.now),
        Command::ConfigureCa { ca, template, self_registration } => {
            cas::configure(configuration, ca, template, *self_registration, context)
        }
        Command::DeleteCa { ca, distrust } => cas::delete(configuration, ca, *distrust, context.now),
        Command::PreRegisterDevice { profile, credential, description, extension_info } => {
            let remarks = [description, extension_info].map(Option::as_deref);
            devices::pre_register(configuration, devices, profile, credential, remarks, context.devices_max())
        }
        Command::UpdateDevice { device, name, description, extension_info } => {
            let (name, description) = (name.as_deref(), description.as_deref());
            devices::update(devices, device, name, description, extension_info.as_deref())
        }
        Command::TagDevice { device, tags } => devices::tag(devices, device, tags),
        Command::UntagDevice { device, keys } => devices::untag(devices, device, keys),
        Command::FreezeDevice { device } => devices::freeze(devices, device),
        Command::UnfreezeDevice { device } => devices::unfreeze(devices, device),
        Command::ResetFingerprint { device, slot, fingerprint } => {
            devices::reset_fingerprint(devices, device, *slot, *fingerprint)
        }
        Command::SwitchCertificate { device, fingerprint, active } => {
            devices::switch_certificate(devices, device, fingerprint, *active)
        }
        Command::DeleteCertificate { device, fingerprint } => retired::delete(devices, device, fingerprint),
        Command::ReadmitCertificate { fingerprint, device } => retired::readmit(devices, fingerprint, device.as_ref()),
        Command::DeleteDevice { device } => devices::delete(devices, device),
        Command::ReadmitDevice { device } => devices::readmit(devices, device),
    }
}

/// Grants `event` if it changes something.
fn record_if(changes: bool, event: Event) -> Decided {
    Ok(if changes { Decision::Record(event) } else { Decision::AlreadySo })
}
