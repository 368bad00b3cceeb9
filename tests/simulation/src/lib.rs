//! The whole of Rollcall below TLS in one thread: registrars, connectors, their views and devices over the log in memory,
//! with time that stands still until everybody waits for it. A seed chooses what happens and what goes wrong; after every
//! step it is checked what must hold of any history.
//!
//! Not simulated: sockets and TLS (the chain is verified, the handshake is not made), the API, the broker, disks.
//!
//! One seed gives one sequence of steps and outcomes. It does not give one order of polls: threads seal batches and read
//! views through, and `select!` draws its branches. So a step begins when all that followed from the one before is done,
//! and races are only run where their end does not depend on who wins.
//!
//! Read [`operation`] (what may happen), [`run`] (a history), [`properties`] (what must hold), then what they stand on:
//! [`world`], [`client`], [`history`], [`certificates`]. [`scenario`] has histories that were found once;
//! [`sessions`] and [`wills`] are histories of their own kinds.

mod certificates;
mod client;
mod history;
mod memory_log;
mod operation;
mod properties;
mod run;
pub mod scenario;
mod seeds;
mod sessions;
mod wills;
mod world;

pub use run::{Failure, STEPS, Trace, run};
pub use seeds::{Run, run_seeds};
pub use sessions::run_sessions;
pub use wills::run_wills;
