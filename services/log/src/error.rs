//! The one error of every trait of this crate. What a caller does differently is a variant; conflicts of a trait are its own.

/// Why the backbone cannot do something.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BackboneError {
    /// It cannot be reached or did not answer in time; whether the operation took effect is not known.
    #[error("{attempted}: the backbone is unavailable: {reason}")]
    Unavailable {
        /// What was attempted, and on what.
        attempted: String,
        /// What the client library said.
        reason: String,
    },
    /// The live stream is configured differently from what this version declares: an operator must look.
    #[error("stream {stream} differs from its declaration: {difference}")]
    StreamDiffers {
        /// The stream's name.
        stream: String,
        /// Which settings, found and wanted.
        difference: String,
    },
    /// A named limit of this backbone is reached (queue full, message too large).
    #[error("{what} is over its limit of {max}")]
    LimitReached { what: String, max: u64 },
    /// The broker has no room for another stream, or for what is to be stored: nothing was made, and all else goes on.
    /// Waiting does not help; an operator has to make room.
    #[error(
        "{attempted}: the broker is full: {reason}; {usage}. Give it more room (max_file_store, or the account's limits), or lower what other streams reserve"
    )]
    Full {
        /// What was attempted, and on what.
        attempted: String,
        /// What the broker said.
        reason: String,
        /// What is used, reserved and left, as far as the broker tells.
        usage: String,
    },
    /// It can be read, and its disk takes no writes: full, or failing. Whether a write that met this first took effect is not
    /// known; later ones have not. It goes on by itself.
    #[error("{what} takes no writes: {reason}: see to its disk (is it full?); it goes on by itself when there is room")]
    Unwritable {
        /// What, with its path.
        what: String,
        /// What the operating system said.
        reason: String,
    },
    /// What is stored cannot be right: a gap, an unreadable entry, a database that fails its own checks.
    #[error("{what} is damaged: {reason}")]
    Damaged {
        what: String,
        /// How it shows.
        reason: String,
    },
    /// This backbone has been closed.
    #[error("the backbone has been closed")]
    Closed,
}
