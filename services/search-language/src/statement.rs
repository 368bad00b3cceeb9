//! All that a statement can say, its limits, and how it prints.
//!
//! Invariant: what is printed reads as the same statement again.

use std::fmt;

/// Longest statement, characters.
pub const SQL_CHARS_MAX: usize = 400;
/// Most comparisons of one statement.
pub const CONDITIONS_MAX: usize = 5;
pub const OFFSET_MAX: u32 = 500;
/// Most rows of one answer.
pub const ROWS_MAX: u32 = 50;
/// Rows of an answer without a `limit`.
pub const ROWS_DEFAULT: u32 = 10;
/// Shortest beginning that `like` looks for, characters.
pub const PREFIX_CHARS_MIN: usize = 4;

/// Why a text is not a statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SqlError {
    /// Longer than [`SQL_CHARS_MAX`].
    #[error("the statement has {characters} characters; {SQL_CHARS_MAX} are allowed")]
    TooLong {
        /// How long it is.
        characters: usize,
    },
    /// Another token was expected.
    #[error("column {column}: expected {expected}, found {found}")]
    Unexpected {
        /// Where, characters from 1.
        column: usize,
        /// What would have been right.
        expected: String,
        /// What is there, shortened.
        found: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What of each device is wanted.
    pub select: Select,
    /// A device matches if all comparisons of any group hold: `and` binds tighter than `or`. Without a group each device
    /// matches. No group is empty.
    pub any_of: Vec<Vec<Comparison>>,
    pub order: Order,
    /// How many matches are passed over, at most [`OFFSET_MAX`].
    pub offset: u32,
    /// How many are wanted, 1 to [`ROWS_MAX`].
    pub limit: u32,
}

/// What of each device is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// `*`
    Everything,
    /// Some fields, at least one; repeated if they were.
    Fields(Vec<Field>),
    /// `count(*)` or `count(1)`
    Count,
}

/// The order of matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    /// Newest first: like every list of the API, and so the default.
    Descending,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    pub field: Field,
    /// With what, and how. Only what [`Field`] allows.
    pub operator: Operator,
}

/// How a field is compared. Values are text, case-sensitive; a number is its digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equals(String),
    /// `!=`
    NotEquals(String),
    /// `>`
    GreaterThan(String),
    /// `<`
    LessThan(String),
    /// `like`, with what stands before the `%`: at least [`PREFIX_CHARS_MIN`] characters, no other `%`.
    StartsWith(String),
    /// `in`, with at least one value.
    In(Vec<String>),
    /// `not in`, with at least one value.
    NotIn(Vec<String>),
}

macro_rules! fields {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// A field of a device.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Field {
            $($(#[$doc])* $variant,)+
        }

        impl Field {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// As it is written.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

fields! {
    /// Its resource space.
    AppId = "app_id",
    DeviceId = "device_id",
    /// The gateway it is behind; its own id if it is direct.
    GatewayId = "gateway_id",
    ProductId = "product_id",
    DeviceName = "device_name",
    /// Its node id.
    NodeId = "node_id",
    /// `ONLINE`, `OFFLINE`, `ABNORMAL`, `INACTIVE` or `FROZEN`.
    Status = "status",
    /// `ENDPOINT`, `GATEWAY` or `UNKNOWN`.
    NodeType = "node_type",
    /// The key of any of its tags.
    TagKey = "tag_key",
    /// The value of any of its tags.
    TagValue = "tag_value",
    /// Version of its software.
    SwVersion = "sw_version",
    /// Version of its firmware.
    FwVersion = "fw_version",
    /// A group it is in.
    GroupId = "group_id",
    /// When it was created.
    CreateTime = "create_time",
    /// Its place in the order of creation, 24 hexadecimal digits.
    Marker = "marker",
}

impl Field {
    /// Whether `>` and `<` may follow.
    pub fn is_ordered(self) -> bool {
        matches!(self, Self::CreateTime | Self::Marker)
    }

    /// Whether `like` may follow.
    pub fn has_prefixes(self) -> bool {
        matches!(self, Self::DeviceName | Self::NodeId | Self::TagKey | Self::TagValue)
    }

    /// Whether `in` and `not in` may follow.
    pub fn is_listed(self) -> bool {
        !matches!(self, Self::TagKey | Self::TagValue)
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.select {
            Select::Everything => f.write_str("select *")?,
            Select::Count => f.write_str("select count(*)")?,
            Select::Fields(fields) => write!(f, "select {}", joined(fields, ","))?,
        }
        f.write_str(" from device")?;
        if !self.any_of.is_empty() {
            let groups: Vec<String> = self.any_of.iter().map(|group| joined(group, " and ")).collect();
            write!(f, " where {}", groups.join(" or "))?;
        }
        f.write_str(match self.order {
            Order::Ascending => " order by marker asc",
            Order::Descending => " order by marker desc",
        })?;
        write!(f, " limit {},{}", self.offset, self.limit)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |values: &[String]| values.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(",");
        let field = self.field;
        match &self.operator {
            Operator::Equals(value) => write!(f, "{field} = {}", quoted(value)),
            Operator::NotEquals(value) => write!(f, "{field} != {}", quoted(value)),
            Operator::GreaterThan(value) => write!(f, "{field} > {}", quoted(value)),
            Operator::LessThan(value) => write!(f, "{field} < {}", quoted(value)),
            Operator::StartsWith(prefix) => write!(f, "{field} like {}", quoted(&format!("{prefix}%"))),
            Operator::In(values) => write!(f, "{field} in ({})", list(values)),
            Operator::NotIn(values) => write!(f, "{field} not in ({})", list(values)),
        }
    }
}

fn joined(parts: &[impl fmt::Display], between: &str) -> String {
    parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}
