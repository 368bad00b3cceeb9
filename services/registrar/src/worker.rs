//! The loop of one log: take, decide, append, answer.
//!
//! Why it is safe to die, or to be told nothing, between any two of these. Before the append nothing has happened. After
//! it the records are the truth: the requests come again when their lease runs out, and are found to be ruled on
//! (operators' commands, by the request's id in the record) or already so (certificates, by the device that is there). What is
//! written in no record is told only once its request is gone: see `answer`.
//!
//! Nothing is decided for a request whose lease may have run out, by this process's own clock: its next taker may reject it at the
//! same moment, which no record would show and no append conflict with.
//!
//! A conflict, or an append that got no answer, is met alike: wait until the view has everything that the log has, forget
//! what is pending, decide again. An append that was given up and comes about late makes the next one conflict, and is a
//! good batch of ours: it was sealed for the place where it stands. Records of others move the end like any append.
//!
//! Another registrar on the same log is no special case: its appends are records in between.

use std::{sync::Arc, time::Duration};

use rollcall_chassis::{
    clock::Clock,
    entropy::Entropy,
    retry::{Backoff, Retry},
};
use rollcall_domain::{
    ids::{LogId, Position},
    time::Timestamp,
};
use rollcall_log::{Backbone, signing::SigningKey};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::{
    answer::answer,
    append::{self, confirm},
    config::Config,
    draft::{Draft, draft},
    intake,
    log_state::{Closed, LogState, Tip},
    metrics::{RetryReason, metrics},
    notices::Notices,
    parts::Parts,
    proofs::Proofs,
    request::Taken,
};

/// How long to wait before the backbone is asked again.
const RETRY: Backoff = Backoff { min: Duration::from_millis(50), max: Duration::from_secs(2) };
/// From one look for what has to be recorded without a request to the next.
const CHORE_INTERVAL: Duration = Duration::from_secs(3600);
/// How long a worker that is told to stop goes on answering what it has taken.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) struct LogWorker<R> {
    log: LogId,
    backbone: Backbone,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    key: Arc<SigningKey>,
    proofs: Proofs,
    state: R,
    notices: Arc<Notices>,
    /// Where the log ends, as far as this worker knows; `None` after anything that casts a doubt on it.
    end: Option<Tip>,
    retry: Retry,
    next_chore: Instant,
}

impl<R: LogState> LogWorker<R> {
    pub(crate) fn new(log: LogId, config: &Config, parts: &Parts, notices: Arc<Notices>, state: R) -> Self {
        let (clock, entropy) = (Arc::clone(&parts.clock), Arc::clone(&parts.entropy));
        let (backbone, key) = (parts.backbone.clone(), Arc::clone(&parts.key));
        let proofs = Proofs::new(log.clone(), config, parts);
        let retry = Retry::new(RETRY, Arc::clone(&entropy));
        Self { log, backbone, clock, entropy, key, proofs, state, notices, end: None, retry, next_chore: Instant::now() }
    }

    /// Serves until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), Closed> {
        if stop.run_until_cancelled(self.open()).await.is_none() {
            return Ok(());
        }
        while let Some(taken) = stop.run_until_cancelled(self.take()).await {
            let stopped_and_late = async {
                stop.cancelled().await;
                tokio::time::sleep(GRACE).await;
            };
            let served = async {
                self.serve(taken).await?;
                self.do_chore().await
            };
            tokio::select! {
                biased;
                served = served => served?,
                () = stopped_and_late => return Ok(()),
            }
        }
        Ok(())
    }

    async fn open(&mut self) {
        loop {
            let opened = match self.backbone.log.open(&self.log).await {
                Ok(_) => self.backbone.requests.open(&self.log).await,
                Err(error) => Err(error),
            };
            match opened {
                Ok(()) => {
                    if self.notices.opening.recovered() {
                        tracing::info!(log = %self.log, "the log can be served");
                    }
                    break self.retry.succeeded();
                }
                Err(error) => {
                    if let Some(left_out) = self.notices.opening.failed(&error) {
                        tracing::warn!(log = %self.log, %error, left_out, "the log cannot be served yet; trying again");
                    }
                }
            }
            self.retry.pause().await;
        }
    }

    async fn take(&mut self) -> Vec<Taken> {
        loop {
            match intake::take(&*self.backbone.requests, &self.log, &self.proofs).await {
                Ok(taken) => {
                    if self.notices.taking.recovered() {
                        tracing::info!(log = %self.log, "requests are taken again");
                    }
                    self.retry.succeeded();
                    return taken;
                }
                Err(error) => {
                    if let Some(left_out) = self.notices.taking.failed(&error) {
                        tracing::warn!(log = %self.log, %error, left_out, "requests cannot be taken; trying again");
                    }
                }
            }
            self.retry.pause().await;
        }
    }

    /// Records what nobody has asked for, one batch at a time, between requests. What cannot be recorded now is found again.
    async fn do_chore(&mut self) -> Result<(), Closed> {
        if Instant::now() < self.next_chore {
            return Ok(());
        }
        let now = Timestamp::from_unix_ms(self.clock.unix_ms());
        if self.state.chore(now).is_none() {
            self.next_chore = Instant::now() + CHORE_INTERVAL;
            return Ok(());
        }
        // By all that the log has: another registrar may have seen to it.
        self.end = None;
        let end = self.known_end().await?;
        self.state.begin();
        let Some(event) = self.state.chore(now).filter(|_| self.state.is_sound()) else { return Ok(()) };
        let draft = Draft::of_chore(&self.log, event, now, &*self.entropy);
        let appended = match append::sealed(&self.key, self.state.sealed_log(), end, &draft, &self.notices).await {
            Ok(sealed) => confirm(&*self.backbone.log, &self.log, sealed, true, &self.notices).await,
            Err(why) => Err(why),
        };
        // The next decision waits for a view that has it.
        self.end = None;
        if let Err(why) = appended {
            self.doubt(why).await;
        }
        Ok(())
    }

    /// Rules on everything that was taken, in as many appends as it needs; what is not surely this worker's any more is left to
    /// its next taker.
    async fn serve(&mut self, mut taken: Vec<Taken>) -> Result<(), Closed> {
        loop {
            let before = taken.len();
            taken.retain(|taken| self.is_ours(taken));
            metrics().left(before - taken.len());
            if taken.is_empty() {
                return Ok(());
            }
            match self.settle(&taken).await? {
                Ok((draft, last)) => {
                    answer(&self.backbone, &self.log, &self.notices, &taken, &draft.rulings, last).await;
                    taken.drain(..draft.rulings.len());
                }
                Err(why) => self.doubt(why).await,
            }
        }
    }

    fn is_ours(&self, taken: &Taken) -> bool {
        self.backbone.requests.is_leased(&self.log, &taken.receipt)
    }

    /// Decides, and has the log confirm the draft. Returns it, and where the log ends with it.
    async fn settle(&mut self, taken: &[Taken]) -> Result<Result<(Draft, Position), RetryReason>, Closed> {
        let end = self.known_end().await?;
        self.state.prepare(taken).await;
        let draft = self.draft(taken, end.position).await?;
        if !self.state.is_sound() {
            // The view is being built again; what it did not find may well be there.
            return Ok(Err(RetryReason::Damage));
        }
        let sealed = match append::sealed(&self.key, self.state.sealed_log(), end, &draft, &self.notices).await {
            Ok(sealed) => sealed,
            Err(why) => return Ok(Err(why)),
        };
        if !taken.iter().zip(&draft.rulings).all(|(taken, _)| self.is_ours(taken)) {
            return Ok(Err(RetryReason::Lease));
        }
        let confirmed = confirm(&*self.backbone.log, &self.log, sealed, draft.depends_on_the_end(), &self.notices).await;
        Ok(confirmed.map(|end| {
            self.end = Some(end);
            self.retry.succeeded();
            (draft, end.position)
        }))
    }

    async fn draft(&mut self, taken: &[Taken], expected: Position) -> Result<Draft, Closed> {
        let first = draft(&mut self.state, &self.log, taken, expected, &*self.clock, &*self.entropy).await;
        if !first.rulings.is_empty() {
            return Ok(first);
        }
        // The first request can only be decided by a view that knows everything.
        self.state.catch_up(expected).await?;
        Ok(draft(&mut self.state, &self.log, taken, expected, &*self.clock, &*self.entropy).await)
    }

    /// Where the log ends, with a state that knows everything up to there. What the state has seen beyond the last look at
    /// the log is as good: both are behind at worst, and then the append conflicts.
    async fn known_end(&mut self) -> Result<Tip, Closed> {
        if let Some(end) = self.end
            && self.state.tip().position <= end.position
        {
            return Ok(end);
        }
        loop {
            match self.backbone.log.last(&self.log).await {
                Ok(last) => {
                    self.state.catch_up(last).await?;
                    let end = self.state.tip();
                    self.end = Some(end);
                    if self.notices.ending.recovered() {
                        tracing::info!(log = %self.log, "the end of the log is known again");
                    }
                    return Ok(end);
                }
                Err(error) => {
                    if let Some(left_out) = self.notices.ending.failed(&error) {
                        tracing::warn!(log = %self.log, %error, left_out, "the end of the log is not known; trying again");
                    }
                }
            }
            self.retry.pause().await;
        }
    }

    async fn doubt(&mut self, why: RetryReason) {
        metrics().decided_again(why);
        self.end = None;
        match why {
            // Another registrar got on, or may soon: no reason to wait.
            RetryReason::Conflict | RetryReason::Lease => {}
            RetryReason::Unavailable | RetryReason::Damage | RetryReason::OtherKey => self.retry.pause().await,
        }
    }
}
