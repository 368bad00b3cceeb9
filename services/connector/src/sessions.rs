//! Live sessions: their table, what they may use, who loses the right, and their messages in both directions.

pub(crate) mod downlinks;
pub(crate) mod ended;
mod holder;
pub(crate) mod mailbox;
pub(crate) mod persistent;
pub(crate) mod presence;
pub(crate) mod reauthorize;
pub(crate) mod session;
mod subscription_tree;
pub(crate) mod table;
pub(crate) mod takeovers;
pub(crate) mod topic_authorization;
pub(crate) mod uplinks;
