//! Presence: announces which devices are online here, and closes sessions that are newer elsewhere.
//!
//! Which of two sessions is the newer is decided by the one order in which presence shows them to everybody. Invariant: a
//! session that has seen its own announcement is closed by any later foreign one; before that, a foreign one is older.

pub(crate) mod announce;
pub(crate) mod announcements;
pub(crate) mod lease;
pub(crate) mod watch;
