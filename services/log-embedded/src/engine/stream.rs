//! The names of streams and of the tables that hold them. Built here and nowhere else.
//!
//! Invariant: ids hold only letters, digits, `_` and `-`, so that `/` separates, and no two streams share a name.

use std::{fmt, sync::Arc};

use redb::TableDefinition;
use rollcall_domain::ids::{InstanceId, LogId};
use rollcall_log::BackboneError;

/// Row of a stream by position; framed by [`super::frame`].
pub(crate) type Rows<'a> = TableDefinition<'a, u64, &'static [u8]>;
/// Position in a queue by request id, or of a document by its key.
pub(crate) type Keys<'a> = TableDefinition<'a, &'static str, u64>;

/// One stream of one fleet or instance.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StreamName(Arc<str>);

/// What a stream is for: decides which of its rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamKind {
    Log,
    Queue,
    Attempts,
    Messages,
    Documents,
}

impl StreamName {
    pub(crate) fn log(log: &LogId) -> Self {
        Self::of("log", log)
    }

    pub(crate) fn queue(log: &LogId) -> Self {
        Self::of("queue", log)
    }

    pub(crate) fn attempts(log: &LogId) -> Self {
        Self::of("attempts", log)
    }

    pub(crate) fn messages(instance: &InstanceId) -> Self {
        Self(format!("messages/instance/{instance}").into())
    }

    pub(crate) fn documents(log: &LogId) -> Self {
        Self::of("documents", log)
    }

    fn of(prefix: &str, log: &LogId) -> Self {
        Self(match log {
            LogId::Fleet => format!("{prefix}/fleet").into(),
            LogId::Instance(instance) => format!("{prefix}/instance/{instance}").into(),
        })
    }

    /// The stream whose name was stored, unless no version of this crate can have stored it.
    pub(crate) fn stored(name: &str) -> Result<(Self, StreamKind), BackboneError> {
        let kind = match name.split_once('/').map(|(prefix, _)| prefix) {
            Some("log") => StreamKind::Log,
            Some("queue") => StreamKind::Queue,
            Some("attempts") => StreamKind::Attempts,
            Some("messages") => StreamKind::Messages,
            Some("documents") => StreamKind::Documents,
            _ => {
                return Err(BackboneError::Damaged {
                    what: "the list of streams".to_owned(),
                    reason: format!("{name:?} is not the name of a stream"),
                });
            }
        };
        Ok((Self(name.into()), kind))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn rows(&self) -> Rows<'_> {
        TableDefinition::new(&self.0)
    }

    /// The name of the table of a queue's request ids, or of the keys of documents.
    pub(crate) fn keys_name(&self) -> String {
        format!("keys/{}", self.0)
    }

    /// The name of the table of what stands beside a log's records.
    pub(crate) fn beside_name(&self) -> String {
        format!("beside/{}", self.0)
    }

    pub(crate) fn undeclared(&self) -> BackboneError {
        BackboneError::StreamDiffers {
            stream: self.to_string(),
            difference: "it does not exist: open it before it is used".to_owned(),
        }
    }

    pub(crate) fn damaged(&self, reason: impl Into<String>) -> BackboneError {
        BackboneError::Damaged { what: format!("stream {self}"), reason: reason.into() }
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
