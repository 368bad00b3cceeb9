//! `decide`: whether a request is granted, and every check that was made on the way.

use crate::{
    certificate::path::TrustStore,
    fleet::{AvailabilityRules, Instance},
    registry::{
        command::Request,
        event::Event,
        state::{Configuration, Devices},
    },
    rejection::Rejection,
    time::Timestamp,
};

/// What a decision may depend on beside the request and the state.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The instant of the decision.
    pub now: Timestamp,
    /// The instance whose registry this is, from the fleet.
    pub instance: &'a Instance,
    /// Where self-registration is available.
    pub availability: &'a AvailabilityRules,
    /// The verified CA certificates of this very configuration: [`Configuration::trust_store`], built again whenever an
    /// event [changes trust](crate::registry::Event::changes_trust). A store that lags behind is harmless: the CA
    /// certificate that it names is looked up in the configuration again.
    pub trust: &'a TrustStore,
    /// A fresh, unpredictable verification code (UUID v4 text), used if the decision issues one.
    pub verification_code: &'a str,
    /// The most live devices that this instance may hold.
    pub devices_max: u64,
}

/// What a granted request comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This happens.
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
pub struct Judgement {
    /// Granted or not.
    pub outcome: Result<Decision, Rejection>,
    /// Certificate-connect events list every check; operators' commands may leave this empty.
    pub checks: Vec<Check>,
}

/// Rules on one request. Pure; re-derives everything from the certificate's DER and the state.
pub fn decide(configuration: &Configuration, devices: &dyn Devices, request: &Request, context: &Context<'_>) -> Judgement {
    let _ = (configuration, devices, request, context);
    todo!()
}
