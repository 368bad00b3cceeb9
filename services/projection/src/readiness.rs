//! Whether a view may be relied upon, and if not, why: the one place that says so, for status, health and people.
//!
//! Does not decide whether devices are let in: that goes on by what is known. Codes are stable; `docs/operate/staleness.md`
//! says what to do about each.

use std::{fmt, time::Duration};

use rollcall_domain::ids::Position;
use rollcall_log::heartbeat::INTERVAL;

use crate::{
    freshness::Seen,
    views::{LogProof, ViewHealth, ViewStatus},
};

/// A view that no registrar has confirmed for so long is not relied upon, whatever it says itself.
pub(crate) const AGE_MAX: Duration = INTERVAL.saturating_mul(15);

/// Why a view is not to be relied upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unready {
    /// It has not read its log to the end once.
    Reading,
    /// It is out of reach of its log, or is being built again.
    Stale { reason: String },
    /// It stands before a record that it cannot read.
    Parked { at: Position, reason: String },
    /// Its log holds what cannot be proven with the keys of this process.
    Unproven {
        /// Why, and what to do.
        reason: String,
    },
    /// Its log is expected to be sealed, and is not.
    Unsigned,
    /// Nothing keeps it up.
    Ended,
    /// A registrar has another digest at the same position.
    Diverged { at: Position },
    /// No registrar has confirmed it for longer than [`AGE_MAX`].
    Unconfirmed {
        /// For how long.
        age: Duration,
    },
}

impl Unready {
    /// Its stable name.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Stale { .. } => "stale",
            Self::Parked { .. } => "parked",
            Self::Unproven { .. } => "unproven",
            Self::Unsigned => "unsigned",
            Self::Ended => "ended",
            Self::Diverged { .. } => "diverged",
            Self::Unconfirmed { .. } => "unconfirmed",
        }
    }
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reading => f.write_str("the log has not been read to its end yet"),
            Self::Stale { reason } => write!(f, "the log is out of reach or the view is being built again: {reason}"),
            Self::Parked { at, reason } => {
                write!(f, "the view stands at {at}, before a record that cannot be read: {reason}")
            }
            Self::Unproven { reason } => write!(f, "the log cannot be proven: {reason}"),
            Self::Unsigned => f.write_str("the log is unsigned: adopt it with `rollcall log adopt`"),
            Self::Ended => f.write_str("nothing keeps the view up; it is opened again"),
            Self::Diverged { at } => write!(f, "the view and a registrar's differ at position {at}"),
            Self::Unconfirmed { age } => write!(f, "no registrar has confirmed the view for {} s", age.as_secs()),
        }
    }
}

/// Why a view is not to be relied upon; `None` if it is.
pub fn unready(status: &ViewStatus, seen: &Seen) -> Option<Unready> {
    match &status.health {
        ViewHealth::Following => {}
        ViewHealth::Stale { reason } => return Some(Unready::Stale { reason: reason.clone() }),
        ViewHealth::Parked { at, reason } => return Some(Unready::Parked { at: *at, reason: reason.clone() }),
        ViewHealth::Unproven { reason } => return Some(Unready::Unproven { reason: reason.clone() }),
        ViewHealth::Ended => return Some(Unready::Ended),
    }
    match (&seen.diverged, seen.age) {
        _ if !status.caught_up => Some(Unready::Reading),
        // An empty log is sealed from its first record on.
        _ if status.proof == LogProof::Unsigned && status.position > Position::START => Some(Unready::Unsigned),
        (Some(divergence), _) => Some(Unready::Diverged { at: divergence.position }),
        (None, Some(age)) if age > AGE_MAX => Some(Unready::Unconfirmed { age }),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use rollcall_log::seal::Sealing;

    use super::*;

    #[test]
    fn whatever_is_wrong_with_a_view_is_said() {
        let good = ViewStatus {
            position: Position(7),
            caught_up: true,
            digest: [7; 32],
            sealing: Sealing::Unsigned,
            batch: None,
            proof: LogProof::WithoutKeys,
            foreign: None,
            generation: 0,
            health: ViewHealth::Following,
        };
        let stands = |health: ViewHealth, caught_up: bool, age: Option<Duration>| {
            let status = ViewStatus { health, caught_up, ..good.clone() };
            unready(&status, &Seen { age, ..Seen::default() }).map(|unready| unready.code())
        };
        let following = || ViewHealth::Following;
        assert_eq!(stands(following(), true, None), None);
        assert_eq!(stands(following(), true, Some(AGE_MAX)), None);
        assert_eq!(stands(following(), true, Some(AGE_MAX + INTERVAL)), Some("unconfirmed"));
        assert_eq!(stands(following(), false, None), Some("reading"));
        let reason = || "why".to_owned();
        assert_eq!(stands(ViewHealth::Stale { reason: reason() }, true, None), Some("stale"));
        assert_eq!(stands(ViewHealth::Parked { at: Position(7), reason: reason() }, true, None), Some("parked"));
        assert_eq!(stands(ViewHealth::Unproven { reason: reason() }, true, None), Some("unproven"));
        assert_eq!(stands(ViewHealth::Ended, false, None), Some("ended"));
        let unsigned = ViewStatus { proof: LogProof::Unsigned, ..good.clone() };
        assert_eq!(unready(&unsigned, &Seen::default()).map(|unready| unready.code()), Some("unsigned"));
        let empty = ViewStatus { position: Position::START, ..unsigned };
        assert_eq!(unready(&empty, &Seen::default()), None);
    }
}
