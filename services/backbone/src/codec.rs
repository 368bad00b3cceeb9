//! Where domain types and wire types meet, and nowhere else.

use bytes::Bytes;
use rollcall_domain::{
    fleet::{FleetCommand, FleetEvent},
    ids::{LogId, Position, RequestId},
    registry::{Actor, Event, Request},
    rejection::Rejection,
    time::Timestamp,
};

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
    /// Who asked.
    pub actor: Actor,
    /// W3C `traceparent` of the request, if it had one; at most 55 characters.
    pub traceparent: Option<String>,
    /// What happened.
    pub event: AnyEvent,
}

/// An event of either kind of log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnyEvent {
    /// In the fleet's log.
    Fleet(FleetEvent),
    /// In an instance's log.
    Registry(Event),
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
        /// Who asks.
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
    /// Refused.
    Rejected(RejectedRuling),
}

/// A refusal as it travels: code and text, not the domain's structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedRuling {
    /// [`Rejection::code`].
    pub code: String,
    /// Its text.
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
}

/// Why bytes are not what they should be. Readers stop at the first.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what} cannot be read: {reason}")]
pub struct CodecError {
    /// `record`, `request`, `ruling` or `attempt`.
    pub what: &'static str,
    /// Which field or version, and why.
    pub reason: String,
}

/// Encodes a record (JSON, latest version).
pub fn encode_record(record: &Record) -> Bytes {
    let _ = record;
    todo!()
}

/// Decodes a record of `log`.
///
/// # Errors
/// [`CodecError`]: unknown type or version, another log's record, a value that breaks its rules.
pub fn decode_record(log: &LogId, bytes: &[u8]) -> Result<Record, CodecError> {
    let _ = (log, bytes);
    todo!()
}

/// Encodes a request.
pub fn encode_request(request: &QueuedRequest) -> Bytes {
    let _ = request;
    todo!()
}

/// Decodes a request.
///
/// # Errors
/// [`CodecError`].
pub fn decode_request(bytes: &[u8]) -> Result<QueuedRequest, CodecError> {
    let _ = bytes;
    todo!()
}

/// Encodes a ruling.
pub fn encode_ruling(ruling: &Ruling) -> Bytes {
    let _ = ruling;
    todo!()
}

/// Decodes a ruling.
///
/// # Errors
/// [`CodecError`].
pub fn decode_ruling(bytes: &[u8]) -> Result<Ruling, CodecError> {
    let _ = bytes;
    todo!()
}

/// Encodes an attempt.
pub fn encode_attempt(attempt: &Attempt) -> Bytes {
    let _ = attempt;
    todo!()
}

/// Decodes an attempt.
///
/// # Errors
/// [`CodecError`].
pub fn decode_attempt(bytes: &[u8]) -> Result<Attempt, CodecError> {
    let _ = bytes;
    todo!()
}
