//! What every implementation of the log must do, as checks that run against any of them, and a [`nats_server`] to run them on.
//!
//! The test binary beside it writes one line per implementation, and gets one test per check:
//!
//! ```ignore
//! async fn under_test() -> (UnderTest, TempDir) { … }
//! rollcall_conformance::conformance_tests!(under_test);
//! ```
//!
//! Checks use instances of their own, named by [`UnderTest::prefix`], so that they can share a server with each other
//! and with earlier runs. A failure says in words what was expected and what was seen; a wait that is not over after
//! [`PATIENCE`] is a failure. What depends on an implementation (surviving a restart, bounds) has tests there.

pub mod attempts;
pub mod documents;
pub mod follow;
pub mod heartbeat;
pub mod log;
pub mod messages;
pub mod nats_server;
pub mod presence;
pub mod requests;

use std::{future::Future, time::Duration};

use rollcall_domain::ids::{InstanceId, LogId};
use rollcall_log::{Backbone, BackboneError, documents::PutError, log::AppendError};
use tokio::{sync::mpsc, time::timeout};

/// How long a check waits for something that should come at once.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A backbone to check.
#[derive(Clone)]
pub struct UnderTest {
    /// The backbone, without faults.
    pub backbone: Backbone,
    /// 1 to 20 of `[A-Za-z0-9_-]`: no earlier run on the same server may have used it.
    pub prefix: String,
    /// Its lease for requests. A second or two is right: short enough to wait for, long enough to act within.
    pub request_lease: Duration,
    /// Its lease for connectors. A second or two.
    pub presence_lease: Duration,
}

/// What was expected and what was seen.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl From<BackboneError> for Failure {
    fn from(error: BackboneError) -> Self {
        Self(format!("an operation was expected to succeed, and failed: {error}"))
    }
}

impl From<AppendError> for Failure {
    fn from(error: AppendError) -> Self {
        Self(format!("an append was expected to succeed, and failed: {error}"))
    }
}

impl From<PutError> for Failure {
    fn from(error: PutError) -> Self {
        Self(format!("a write of a document was expected to succeed, and failed: {error}"))
    }
}

/// Ends a check with a [`Failure`] unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err($crate::Failure(format!($($words)+)));
        }
    };
}
pub(crate) use ensure;

impl UnderTest {
    /// An instance of this run: the same name, the same instance.
    pub(crate) fn instance(&self, name: &str) -> Result<InstanceId, Failure> {
        InstanceId::parse(&format!("{}-{name}", self.prefix)).map_err(|error| Failure(error.to_string()))
    }

    /// A log of this run, opened, with its queue.
    pub(crate) async fn open_log(&self, name: &str) -> Result<LogId, Failure> {
        let log = LogId::Instance(self.instance(name)?);
        self.backbone.log.open(&log).await?;
        self.backbone.requests.open(&log).await?;
        Ok(log)
    }
}

/// Waits for something that should come at once.
pub(crate) async fn soon<T>(expected: &str, future: impl Future<Output = T>) -> Result<T, Failure> {
    timeout(PATIENCE, future)
        .await
        .map_err(|_| Failure(format!("{expected}: expected at once, not there after {PATIENCE:?}")))
}

/// The next item of a channel that should have one.
pub(crate) async fn next<T>(expected: &str, from: &mut mpsc::Receiver<T>) -> Result<T, Failure> {
    soon(expected, from.recv())
        .await?
        .ok_or_else(|| Failure(format!("{expected}: expected next, but the channel has ended")))
}

/// Whether nothing is there now. What should not come would have come before whatever the check waited for last.
pub(crate) fn nothing<T: std::fmt::Debug>(expected: &str, from: &mut mpsc::Receiver<T>) -> Result<(), Failure> {
    match from.try_recv() {
        Err(mpsc::error::TryRecvError::Empty) => Ok(()),
        other => Err(Failure(format!("{expected}: expected nothing more, got {other:?}"))),
    }
}

/// One test per check, each against what `$under_test` makes: an async function without arguments that returns an
/// [`UnderTest`] and whatever must live as long (a folder, a server).
#[macro_export]
macro_rules! conformance_tests {
    ($under_test:ident) => {
        $crate::conformance_tests! { $under_test;
            log: positions_rise_by_one_over_batches, a_stale_expectation_is_a_conflict,
                one_racer_wins_each_position, what_is_too_large_is_refused_whole, the_largest_append_is_taken,
                a_log_is_read_in_steps, a_step_of_large_records_is_shorter,
                what_stands_beside_records_comes_back,
                the_identity_is_stable, logs_are_isolated;
            follow: every_position_without_gap_or_repeat, beyond_the_end_is_damaged, caught_up_is_said_once,
                a_slow_follower_misses_nothing;
            requests: a_key_waits_once, the_kind_stays_with_a_request, the_oldest_come_first, taking_waits_for_the_first,
                takers_share_a_queue, an_unfinished_request_comes_again, a_stale_receipt_finishes_nothing,
                finishing_tells_what_is_gone_for_good,
                rulings_reach_every_listener, queues_are_isolated;
            attempts: attempts_are_read_in_order, attempts_of_logs_are_isolated;
            messages: a_message_arrives_whole, publishers_keep_their_order, a_sequence_keeps_its_order,
                a_sequence_ends_before_what_is_too_large, lanes_are_told_apart,
                following_starts_after_a_position_or_now, what_is_too_large_is_not_published,
                messages_of_instances_are_isolated, the_latest_are_read_back_page_by_page,
                a_quiet_device_is_found_behind_busy_ones, a_page_of_large_messages_is_shorter,
                devices_are_followed_apart, what_is_kept_is_known, a_replay_ends_where_the_next_begins;
            presence: changes_are_seen_in_order, the_newer_session_stays, an_end_is_the_end_of_earlier_sessions_too, watchers_agree_on_the_order,
                a_silent_connector_loses_its_devices, a_heartbeat_keeps_a_connector, a_lost_connector_announces_again,
                connectors_tell_how_they_are, presence_of_instances_is_isolated;
            documents: a_document_is_written_over_what_was_read, one_of_two_writers_wins,
                many_documents_are_written_at_once, keys_and_instances_are_told_apart, what_is_too_large_is_not_put,
                sessions_and_wills_are_listed, operators_sessions_are_the_fleets;
            heartbeat: a_follower_is_told_the_last_of_each_source, followers_are_told_what_comes;
        }
    };
    ($under_test:ident; $($part:ident: $($check:ident),+;)+) => {
        $(mod $part {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $check() {
                let (under_test, _guard) = super::$under_test().await;
                if let Err(failure) = $crate::$part::$check(&under_test).await {
                    panic!("{failure}");
                }
            })+
        })+
    };
}
