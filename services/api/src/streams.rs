//! Streams of events, and lists as CSV, that are being served: how many there may be, of one operator and in all, and that they
//! end before the process does.
//!
//! Invariant: a stream is served, and events wait for its client, while it holds its [`StreamSlot`], and not after `stop`. A
//! client that reads nothing, and for which a body therefore stays, keeps no place: it would keep it for as long as it likes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rollcall_domain::fleet::OperatorName;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Limits,
    http::{codes::Code, error::ApiError},
};

pub(crate) struct Streams {
    open: Arc<Mutex<HashMap<OperatorName, u32>>>,
    max: u32,
    of_operator_max: u32,
    /// When the process stops.
    pub(crate) stop: CancellationToken,
    tasks: TaskTracker,
}

/// The place of one stream among those of its operator.
#[derive(Debug)]
pub(crate) struct StreamSlot {
    open: Arc<Mutex<HashMap<OperatorName, u32>>>,
    operator: OperatorName,
}

impl Streams {
    pub(crate) fn new(limits: &Limits, stop: CancellationToken) -> Self {
        let (max, of_operator_max) = (limits.streams_max, limits.streams_of_operator_max);
        Self { open: Arc::default(), max, of_operator_max, stop, tasks: TaskTracker::new() }
    }

    /// A place for one more stream of an operator.
    ///
    /// # Errors
    /// [`Code::LimitReached`] for one too many of the operator, [`Code::Overloaded`] for one too many in all or while the
    /// process stops.
    pub(crate) fn admit(&self, operator: &OperatorName) -> Result<StreamSlot, ApiError> {
        if self.stop.is_cancelled() {
            return Err(ApiError::new(Code::Overloaded, "this process is stopping: try again").retry_after(1));
        }
        let mut open = locked(&self.open);
        let of_operator = open.get(operator).copied().unwrap_or_default();
        if of_operator >= self.of_operator_max {
            let max = self.of_operator_max;
            let text = format!("operator {operator} has {max} streams open here, the limit: close one");
            return Err(ApiError::new(Code::LimitReached, text));
        }
        if open.values().sum::<u32>() >= self.max {
            let text = format!("{} streams are open here, the limit: try again", self.max);
            return Err(ApiError::new(Code::Overloaded, text).retry_after(5));
        }
        open.insert(operator.clone(), of_operator + 1);
        Ok(StreamSlot { open: Arc::clone(&self.open), operator: operator.clone() })
    }

    /// Serves a stream until it ends.
    pub(crate) fn serve(&self, slot: StreamSlot, stream: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(async move {
            stream.await;
            drop(slot);
        });
    }

    /// Returns when every stream has ended; to be called after `stop`.
    pub(crate) async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let mut open = locked(&self.open);
        match open.get_mut(&self.operator) {
            Some(count) if *count > 1 => *count -= 1,
            Some(_) | None => drop(open.remove(&self.operator)),
        }
    }
}

fn locked(open: &Mutex<HashMap<OperatorName, u32>>) -> MutexGuard<'_, HashMap<OperatorName, u32>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_for_each_operator_and_in_all_and_come_back() {
        let limits = Limits { streams_max: 3, streams_of_operator_max: 2, ..Limits::default() };
        let streams = Streams::new(&limits, CancellationToken::new());
        let [anna, ben, carl] = ["anna", "ben", "carl"].map(|name| OperatorName::parse(name).unwrap());
        let first = streams.admit(&anna).unwrap();
        let _second = streams.admit(&anna).unwrap();
        assert_eq!(streams.admit(&anna).unwrap_err().code, Code::LimitReached);
        let _third = streams.admit(&ben).unwrap();
        assert_eq!(streams.admit(&carl).unwrap_err().code, Code::Overloaded);
        drop(first);
        let _fourth = streams.admit(&carl).unwrap();
        assert_eq!(locked(&streams.open).len(), 3);
        streams.stop.cancel();
        assert_eq!(streams.admit(&anna).unwrap_err().code, Code::Overloaded);
    }
}
