//! The writer: one thread that gives all writes that wait one transaction and one sync.
//!
//! No linger: whatever queued while the last transaction was syncing makes the next one, so a lone write is not delayed
//! and a storm shares its syncs. A thread of its own, because a sync blocks, and because there can be only one
//! transaction at a time.

use std::{sync::Arc, thread, time::Duration};

use async_trait::async_trait;
use rollcall_log::BackboneError;
use tokio::{
    runtime,
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use super::file::FolderLock;
use crate::engine::{
    disk::LOOK_MIN,
    job::{self, Committer, Job, Write},
    shared::Shared,
};

/// Most writes that wait for the writer; more wait in their callers.
const WAITING_MAX: usize = 4096;
/// Most writes in one transaction.
const TOGETHER_MAX: usize = 1024;
/// How often what is too old is removed from streams that are not written to.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// The writer's thread; stopped and waited for when dropped.
pub(crate) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. It holds the lock for as long as it may write.
    pub(crate) fn start(shared: Arc<Shared>, lock: FolderLock) -> Result<Self, BackboneError> {
        let unavailable = |error: std::io::Error| BackboneError::Unavailable {
            attempted: "starting the writer of the embedded log".to_owned(),
            reason: error.to_string(),
        };
        let (sender, jobs) = mpsc::channel(WAITING_MAX);
        let runtime = runtime::Builder::new_current_thread().enable_time().build().map_err(unavailable)?;
        let thread = thread::Builder::new().name("embedded-log".to_owned()).spawn(move || {
            runtime.block_on(run(&shared, jobs));
            // Closed before the folder is released, so that the next process finds it whole.
            shared.store.close();
            drop(lock);
        });
        Ok(Self { jobs: Some(sender), thread: Some(thread.map_err(unavailable)?) })
    }
}

#[async_trait]
impl Committer for Writer {
    async fn submit(&self, job: Box<dyn Job>) -> Result<(), BackboneError> {
        let jobs = self.jobs.as_ref().ok_or(BackboneError::Closed)?;
        jobs.send(job).await.map_err(|_| BackboneError::Closed)
    }

    fn stop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of the embedded log panicked; what it had acknowledged is on disk");
        }
    }
}

async fn run(shared: &Shared, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
    let mut sweep = interval(SWEEP_EVERY);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Callers that are told that the disk takes no writes may not ask for one: so it is tried here.
    let mut looks = interval(LOOK_MIN);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut together = Vec::new();
    loop {
        tokio::select! {
            biased;
            received = jobs.recv_many(&mut together, TOGETHER_MAX) => {
                if received == 0 {
                    return;
                }
            }
            _ = sweep.tick() => together.push(sweeping()),
            _ = looks.tick() => match shared.store.writable() {
                Ok(()) => continue,
                Err(_) => together.push(probing()),
            },
        }
        job::commit(shared, std::mem::take(&mut together));
    }
}

/// Writes a little, so that it is seen whether that can be done.
fn probing() -> Box<dyn Job> {
    let (job, _answer) = Write::<(), BackboneError, _>::new(|batch| batch.touch().map(Ok));
    Box::new(job)
}

fn sweeping() -> Box<dyn Job> {
    let (job, _answer) = Write::<(), BackboneError, _>::new(|batch| batch.sweep().map(Ok));
    Box::new(job)
}
