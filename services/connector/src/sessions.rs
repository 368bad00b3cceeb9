//! Live sessions: their table, what they may use, who loses the right, and their messages in both directions.

mod filters;
pub(crate) mod judge;
pub(crate) mod mailbox;
pub(crate) mod presence;
pub(crate) mod router;
pub(crate) mod session;
pub(crate) mod table;
pub(crate) mod uplinks;
