//! The two tables that every versioned family of shapes has: what there is now, and what was ever released.
//!
//! Macros, because each would otherwise be five matches over the same forty names that could disagree. A name that is in
//! one table and not in the other does not compile, or fails the test that compares them.

/// An enum with a variant for each type in its latest version; serialises as the bare body.
macro_rules! catalogue {
    ($(#[$doc:meta])* $family:ident { $($name:ident $version:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum $family {
            $($name($name)),*
        }

        impl $family {
            /// Every type with its latest version.
            pub const LATEST: &[(&str, u32)] = &[$((stringify!($name), $version)),*];

            /// The stable name of the type.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name)),*
                }
            }

            /// The version that it is written in.
            pub fn version(&self) -> u32 {
                match self {
                    $(Self::$name(_) => $version),*
                }
            }
        }

        impl serde::Serialize for $family {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$name(body) => body.serialize(serializer)),*
                }
            }
        }

        $(
            impl From<$name> for $family {
                fn from(body: $name) -> Self {
                    Self::$name(body)
                }
            }
        )*
    };
}

/// One row for each released (type, version): the shape it has, and the variant of the latest that it becomes.
macro_rules! released {
    ($family:ident, $envelope:ident { $($name:ident $version:literal: $shape:ty),* $(,)? }) => {
        /// Reads a body of any released type and version, and brings it to the latest.
        pub(crate) fn upcast(
            kind: &str,
            version: u32,
            body: &serde_json::value::RawValue,
        ) -> Result<$family, $crate::WireError> {
            match (kind, version) {
                $((stringify!($name), $version) => {
                    let written: $shape = $crate::error::read(body.get().as_bytes())?;
                    Ok($family::$name(written.into()))
                })*
                _ => Err(unknown(kind, version)),
            }
        }

        fn unknown(kind: &str, version: u32) -> $crate::WireError {
            let kind = $crate::error::shortened(kind);
            match $family::LATEST.iter().find(|(known, _)| *known == kind) {
                Some((_, newest)) => $crate::WireError::UnknownVersion { kind, version, newest: *newest },
                None => $crate::WireError::UnknownType { kind },
            }
        }

        /// Every released (type, version), with the JSON Schema of the whole message.
        pub fn released() -> Vec<(&'static str, u32, schemars::Schema)> {
            vec![$((stringify!($name), $version, schemars::schema_for!($envelope<$shape>))),*]
        }
    };
}

pub(crate) use {catalogue, released};
