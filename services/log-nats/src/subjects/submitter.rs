//! Who submits a request, or keeps an attempt: the broker's user of the connection, as one token of the subject.
//!
//! Invariant: on a broker with the accounts of `deploy/nats` no user publishes under another's token, because a user's
//! permissions and its account's imports name its own. What has no user (a broker without accounts, a `.creds` file, whose user
//! is a key) has a token that no user can have: there, processes cannot be told apart, and nothing is bounded by submitter.

use std::fmt;

use crate::{config::Credentials, subjects::token::token};

/// Stands where a user would. `~` is encoded in a user's token.
const NOBODY: &str = "~";

/// See the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Submitter(Option<String>);

impl Submitter {
    /// No user's.
    pub(crate) const NOBODY: Self = Self(None);

    /// The one that the server knows by these credentials.
    pub(crate) fn of(credentials: &Credentials) -> Self {
        match credentials {
            Credentials::User { name, .. } if !name.is_empty() => Self(Some(token(name))),
            Credentials::User { .. } | Credentials::None | Credentials::File(_) => Self::NOBODY,
        }
    }

    /// From the token of a subject.
    pub(crate) fn read(token: &str) -> Self {
        Self((token != NOBODY).then(|| token.to_owned()))
    }

    /// The user, as a token; `None` without one.
    pub(crate) fn user(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// As a token of a subject.
impl fmt::Display for Submitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.user().unwrap_or(NOBODY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_one_token_and_none_is_taken_for_nobody() {
        let of = |name: &str| {
            Submitter::of(&Credentials::User { name: name.to_owned(), password: "secret".to_owned() }).to_string()
        };
        assert_eq!(["connector-1", "a.b", "~", ""].map(of), ["connector-1", "a%2Eb", "%7E", "~"]);
        assert_eq!(Submitter::of(&Credentials::None), Submitter::read("~"));
        assert_eq!(Submitter::read("connector-1").user(), Some("connector-1"));
    }
}
