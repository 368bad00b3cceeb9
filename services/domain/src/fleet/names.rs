//! What operators, projects and access keys are called: checked once where they enter, then cheap to clone.
//!
//! Beside [`crate::ids`] and not in it: an operator's name may hold `.` and `@`, so that an address of a person can be one,
//! and must never become part of a subject or a topic. Invariant: a value of one of these types has the form it documents.

use std::{fmt, sync::Arc};

use crate::{ids::IdError, limits};

/// Hex digits of a project id.
const PROJECT_ID_DIGITS: usize = 32;
/// Characters of an access key id.
const ACCESS_KEY_ID_CHARS: usize = 20;

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $form:literal, $is_one:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks length and characters.
            ///
            /// # Errors
            /// [`IdError::Form`] says what the text should have been.
            pub fn parse(value: &str) -> Result<Self, IdError> {
                let is_one: fn(&str) -> bool = $is_one;
                if is_one(value) { Ok(Self(value.into())) } else { Err(IdError::Form { kind: $kind, form: $form }) }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(value: &str) -> Result<Self, IdError> {
                Self::parse(value)
            }
        }
    };
}

name!(/// An operator: who signs in, or whose access key signs. What [`Actor::Operator`](crate::registry::Actor) carries.
OperatorName, "operator name", "1 to 64 of letters, digits, '.', '_', '@' and '-'", |text| {
    (1..=limits::OPERATOR_NAME_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@-".contains(&b))
});
name!(/// A project: what stands in the path of every v5 call.
ProjectId, "project id", "32 lower-case hex digits", |text| {
    text.len() == PROJECT_ID_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
});
name!(/// The public half of an access key: it names the key, its secret signs.
AccessKeyId, "access key id", "20 of upper-case letters and digits", |text| {
    text.len() == ACCESS_KEY_ID_CHARS && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
});
