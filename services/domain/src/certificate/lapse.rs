//! A certificate outside its validity, said so that somebody can act: which one it is, the date that was passed or is to
//! come, and the clock that judged.

use std::fmt;

use crate::{ids::CaId, time::Timestamp};

/// One certificate of a chain that was judged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// By its place among those presented; 0 is the device's own.
    Presented(usize),
    /// The CA certificate that the chain leads to, which a device need not present.
    Ca(CaId),
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Presented(0) => f.write_str("the device certificate"),
            Self::Presented(place) => write!(f, "certificate {place} of the chain"),
            Self::Ca(ca) => write!(f, "the CA certificate {ca}"),
        }
    }
}

/// A certificate that was judged outside its validity.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lapse {
    pub link: Link,
    /// Its Subject for people, escaped and bounded; empty where the judge did not have it.
    subject: Box<str>,
    /// notAfter if that has passed, else notBefore.
    bound: Timestamp,
    /// What the judge's clock said.
    now: Timestamp,
}

impl Lapse {
    /// `None` while `now` is within the validity; both ends are inside (RFC 5280 §4.1.2.5).
    pub fn of(link: Link, subject: &str, not_before: Timestamp, not_after: Timestamp, now: Timestamp) -> Option<Self> {
        let bound = match now {
            now if now < not_before => not_before,
            now if now > not_after => not_after,
            _ => return None,
        };
        Some(Self { link, subject: subject.into(), bound, now })
    }

    /// Whether its notAfter has passed; else its notBefore is to come.
    pub fn is_expiry(&self) -> bool {
        self.now > self.bound
    }
}

impl fmt::Display for Lapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { link, subject, bound, now } = self;
        write!(f, "{link}")?;
        if !subject.is_empty() {
            write!(f, " ({subject})")?;
        }
        f.write_str(if self.is_expiry() { " expired at " } else { " is not valid before " })?;
        write!(f, "{bound}; the clock here says {now}")
    }
}
