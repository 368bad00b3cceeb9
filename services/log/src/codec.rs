//! Where domain types and wire types meet, and nowhere else.
//!
//! Decoding is strict and total: any bytes give a value that keeps the domain's own invariants, or a [`CodecError`] that
//! names the field; never a panic and never a guess. Encoding cannot fail, and what it makes decodes to what it was made
//! of. Limits that a rule may change one day (name lengths, counts) are not checked here: a record that was good when it
//! was written must stay readable. Bounds that a shape itself has are.
//!
//! [`event`], [`log`] and [`request`] go between bodies, [`template`] between template bodies, [`operator`] between what
//! operators are made of, [`part`] between what they share.

mod availability;
mod event;
mod log;
mod operator;
mod part;
mod request;
mod template;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use bytes::Bytes;
use rollcall_domain::{
    fleet::{FleetCommand, FleetEvent},
    ids::{CaId, DeviceId, LogId, Position, RequestId},
    registry::{Actor, Event, Request},
    rejection::Rejection,
    time::Timestamp,
};
use rollcall_schemas::{WireError, attempt as wire_attempt, record as wire_record, ruling as wire_ruling};
use sha2::{Digest as _, Sha256};

pub use availability::AvailabilityTable;
pub use log::LogEvent;
pub use template::{
    statements_from_json, statements_to_json, template_body_to_json, template_draft_from_json, template_draft_to_json,
};

use part::{Violation, id};

/// What a record of a log says: one decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Unique (UUID v7).
    pub id: uuid::Uuid,
    /// The log it belongs to; a record read from another log is refused.
    pub log: LogId,
    /// When it was decided.
    pub time: Timestamp,
    /// The request that it came of.
    pub cause: RequestId,
    pub actor: Actor,
    /// W3C `traceparent` of the request, if it had one; at most 55 characters.
    pub traceparent: Option<String>,
    pub event: AnyEvent,
}

/// An event of either kind of log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyEvent {
    /// In the fleet's log.
    Fleet(FleetEvent),
    /// In an instance's log.
    Registry(Event),
    /// In either: about the log itself. No state is another after it.
    Log(LogEvent),
}

/// A request for either kind of log, as queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedRequest {
    /// When it was submitted.
    pub submitted_at: Timestamp,
    /// W3C `traceparent`, if there was one.
    pub traceparent: Option<String>,
    /// What is asked.
    pub request: AnyRequest,
}

/// What is asked of either kind of log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyRequest {
    /// Of the fleet.
    Fleet {
        /// The same however often it is sent.
        id: RequestId,
        actor: Actor,
        /// What is asked.
        command: FleetCommand,
    },
    /// Of an instance's registry.
    Registry(Request),
}

/// How a request was ruled on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// Granted: a view that has reached this position knows it.
    Accepted {
        /// The record's position, or the log's last one if it was already so.
        position: Position,
    },
    Rejected(RejectedRuling),
}

/// A refusal as it travels: code and text, not the domain's structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRuling {
    /// [`Rejection::code`].
    pub code: String,
    pub message: String,
}

impl From<&Rejection> for RejectedRuling {
    fn from(rejection: &Rejection) -> Self {
        Self { code: rejection.code().to_owned(), message: rejection.to_string() }
    }
}

/// A rejected attempt, for people to look at and to replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it was ruled on.
    pub time: Timestamp,
    /// The request, whole.
    pub request: QueuedRequest,
    /// Why it was refused.
    pub rejection: RejectedRuling,
    /// Id and version of the template that was consulted, if one was.
    pub template: Option<(rollcall_domain::ids::TemplateId, u32)>,
    /// Every check made, in order: name, passed, detail.
    pub checks: Vec<(String, bool, String)>,
    /// Whose the certificate was; `None` of a command.
    pub attribution: Option<AttemptAttribution>,
}

/// Whose a refused certificate was at that instant, and how it was presented.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptAttribution {
    /// The verified CA certificate that it was from.
    pub ca: Option<CaId>,
    /// The device that had the certificate, or that the template made of it.
    pub device: Option<DeviceId>,
    /// Where the client was, if the writer saw it.
    pub source: Option<IpAddr>,
    /// Whether the client had proven to hold the certificate's key, if the writer could know. Without that anybody may have
    /// sent it: certificates are public.
    pub key_proven: Option<bool>,
}

impl RejectedRuling {
    /// Whether it is the proof that was refused ([`Rejection::CommandUnproven`]) and not what was asked.
    pub fn is_of_the_proof(&self) -> bool {
        self.code == Rejection::CommandUnproven(String::new()).code()
    }
}

/// Why bytes are not what they should be. Readers stop at the first.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what} cannot be read: {reason}")]
pub struct CodecError {
    /// `record`, `request`, `ruling`, `attempt`, `template_body` or `statement`.
    pub what: &'static str,
    /// Which field or version, and why.
    pub reason: String,
}

impl CodecError {
    fn wire(what: &'static str) -> impl Fn(WireError) -> Self {
        move |error| Self { what, reason: error.to_string() }
    }

    fn violation(what: &'static str) -> impl Fn(Violation) -> Self {
        move |fault| Self { what, reason: fault.to_string() }
    }
}

/// Encodes a record (JSON, latest version).
pub fn encode_record(record: &Record) -> Bytes {
    let event = match &record.event {
        AnyEvent::Fleet(event) => event::fleet_to_wire(event),
        AnyEvent::Registry(event) => event::to_wire(event),
        AnyEvent::Log(event) => log::to_wire(event),
    };
    let instance = match &record.log {
        LogId::Fleet => None,
        LogId::Instance(instance) => Some(instance.to_string()),
    };
    let record = wire_record::Record {
        id: record.id,
        instance,
        time: part::time(record.time),
        cause: record.cause.to_string(),
        actor: part::actor_to_wire(&record.actor),
        traceparent: part::traceparent_to_wire(record.traceparent.as_deref()),
        event,
    };
    record.to_json().into()
}

/// SHA-256 over what was asked: the request without when and in which trace it was submitted, which differ at every try.
pub fn request_sha256(request: &QueuedRequest) -> [u8; 32] {
    let asked =
        QueuedRequest { submitted_at: Timestamp::from_unix_ms(0), traceparent: None, request: request.request.clone() };
    Sha256::digest(encode_request(&asked)).into()
}

/// Decodes a record of `log`.
///
/// # Errors
/// [`CodecError`]: unknown type or version, another log's record, a value that breaks its rules.
pub fn decode_record(log: &LogId, bytes: &[u8]) -> Result<Record, CodecError> {
    let record = wire_record::Record::from_json(bytes).map_err(CodecError::wire("record"))?;
    read_record(log, record).map_err(CodecError::violation("record"))
}

fn read_record(log: &LogId, record: wire_record::Record) -> Result<Record, Violation> {
    let written_for = match &record.instance {
        None => LogId::Fleet,
        Some(instance) => LogId::Instance(id("instance", instance)?),
    };
    if written_for != *log {
        return Err(Violation::new(
            "instance",
            format!("this is a record of the log of {written_for}, read from that of {log}"),
        ));
    }
    let kind = record.event.kind();
    let event = event::from_wire(record.event)?;
    match (&event, log) {
        (AnyEvent::Fleet(_), LogId::Fleet) | (AnyEvent::Registry(_), LogId::Instance(_)) | (AnyEvent::Log(_), _) => {}
        (AnyEvent::Fleet(_), LogId::Instance(_)) | (AnyEvent::Registry(_), LogId::Fleet) => {
            return Err(Violation::new("type", format!("{kind} has no place in the log of {log}")));
        }
    }
    Ok(Record {
        id: record.id,
        log: written_for,
        time: part::timestamp(record.time),
        cause: id("cause", &record.cause)?,
        actor: part::actor_from_wire(record.actor)?,
        traceparent: part::traceparent_from_wire(record.traceparent)?,
        event,
    })
}

/// Encodes a request.
pub fn encode_request(request: &QueuedRequest) -> Bytes {
    request::to_wire(request).to_json().into()
}

/// Decodes a request.
///
/// # Errors
/// [`CodecError`].
pub fn decode_request(bytes: &[u8]) -> Result<QueuedRequest, CodecError> {
    let request = rollcall_schemas::request::Request::from_json(bytes).map_err(CodecError::wire("request"))?;
    request::from_wire(request).map_err(CodecError::violation("request"))
}

/// Encodes a ruling.
pub fn encode_ruling(ruling: &Ruling) -> Bytes {
    let ruling = match ruling {
        Ruling::Accepted { position } => wire_ruling::Ruling::Accepted { position: position.0 },
        Ruling::Rejected(rejected) => wire_ruling::Ruling::Rejected(rejection_to_wire(rejected)),
    };
    ruling.to_json().into()
}

/// Decodes a ruling.
///
/// # Errors
/// [`CodecError`].
pub fn decode_ruling(bytes: &[u8]) -> Result<Ruling, CodecError> {
    let ruling = wire_ruling::Ruling::from_json(bytes).map_err(CodecError::wire("ruling"))?;
    Ok(match ruling {
        wire_ruling::Ruling::Accepted { position } => Ruling::Accepted { position: Position(position) },
        wire_ruling::Ruling::Rejected(rejected) => Ruling::Rejected(rejection_from_wire(rejected)),
    })
}

/// Encodes an attempt.
pub fn encode_attempt(attempt: &Attempt) -> Bytes {
    let attempt = wire_attempt::Attempt {
        time: part::time(attempt.time),
        request: request::to_wire(&attempt.request),
        rejection: rejection_to_wire(&attempt.rejection),
        template: attempt
            .template
            .as_ref()
            .map(|(id, version)| wire_attempt::ConsultedTemplate { id: id.to_string(), version: *version }),
        checks: attempt
            .checks
            .iter()
            .map(|(name, passed, detail)| wire_attempt::Check {
                name: name.clone(),
                passed: *passed,
                detail: detail.clone(),
            })
            .collect(),
        attribution: attempt.attribution.as_ref().map(|attribution| wire_attempt::Attribution {
            ca: attribution.ca.as_ref().map(ToString::to_string),
            device: attribution.device.as_ref().map(ToString::to_string),
            source: attribution.source.map(|source| source.to_string()),
            key_proven: attribution.key_proven,
        }),
    };
    attempt.to_json().into()
}

/// Decodes an attempt.
///
/// # Errors
/// [`CodecError`].
pub fn decode_attempt(bytes: &[u8]) -> Result<Attempt, CodecError> {
    let attempt = wire_attempt::Attempt::from_json(bytes).map_err(CodecError::wire("attempt"))?;
    read_attempt(attempt).map_err(CodecError::violation("attempt"))
}

fn read_attempt(attempt: wire_attempt::Attempt) -> Result<Attempt, Violation> {
    let template = match attempt.template {
        Some(template) => Some((id("template.id", &template.id)?, template.version)),
        None => None,
    };
    Ok(Attempt {
        time: part::timestamp(attempt.time),
        request: request::from_wire(attempt.request)?,
        rejection: rejection_from_wire(attempt.rejection),
        template,
        checks: attempt.checks.into_iter().map(|check| (check.name, check.passed, check.detail)).collect(),
        attribution: attempt.attribution.map(read_attribution).transpose()?,
    })
}

fn read_attribution(attribution: wire_attempt::Attribution) -> Result<AttemptAttribution, Violation> {
    let source = attribution.source.map(|text| text.parse());
    Ok(AttemptAttribution {
        ca: attribution.ca.map(|text| id("attribution.ca", &text)).transpose()?,
        device: attribution.device.map(|text| id("attribution.device", &text)).transpose()?,
        source: source.transpose().map_err(|error| Violation::new("attribution.source", error))?,
        key_proven: attribution.key_proven,
    })
}

fn rejection_to_wire(rejected: &RejectedRuling) -> wire_ruling::Rejection {
    wire_ruling::Rejection { code: rejected.code.clone(), message: rejected.message.clone() }
}

fn rejection_from_wire(rejected: wire_ruling::Rejection) -> RejectedRuling {
    RejectedRuling { code: rejected.code, message: rejected.message }
}
