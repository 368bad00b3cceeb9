//! The centre: takes requests from the queue of each log, decides them one after the other, appends what was decided
//! as one batch, and answers.
//!
//! The job: at most one record for each request, whatever dies in between and however many registrars run. The
//! rules are the `domain`'s (`decide`), what is durable the `backbone`'s, what is known the `projection`'s.
//!
//! The trust boundary: a request is whatever was put into the queue. Nothing of it is believed but a device
//! certificate's DER, and that only as far as it proves itself, and a command that an API has signed (`proofs`), which has
//! checked the operator's name when it let the operator in.
//!
//! Read [`run`] (who serves which log), then `worker` (the loop of one log, and why it is safe), `intake`, `draft` (a batch is
//! decided), `log_state` with `instance`, `pending` and `fleet` (what it is decided against), `append` (the log confirms it),
//! `answer`; beside it, `announce` (how far the views are, for readers), `notices` (what was said of a log's troubles).

mod announce;
mod answer;
mod append;
mod config;
mod draft;
mod fleet;
mod instance;
mod intake;
mod log_state;
mod metrics;
mod notices;
mod parts;
mod pending;
mod proofs;
mod request;
mod run;
mod trust;
mod worker;

pub use config::Config;
pub use parts::Parts;
pub use run::run;

#[cfg(test)]
mod tests;
