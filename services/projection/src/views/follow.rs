//! Following an instance's log: the task that keeps a view up.
//!
//! Does not say how a record becomes rows, nor what readers hold. One generation is folded at a time. Usually that is the
//! one being served; after damage or a change of schema it is a new one, and the old one is served as it stands until the
//! new one has reached it. Invariants: what is served was folded from this log and no other; nothing is served of a
//! generation that is being built for the first time until it has caught up; a batch is committed whole or not at all.

use std::{convert::Infallible, sync::Arc, time::Duration};

use rollcall_domain::ids::{Incarnation, InstanceId, LogId, Position};
use rollcall_log::{
    BackboneError,
    follow::{Batch, LogFollower, Step, Stop},
    log::{RegistryLog, StreamIdentity},
    repeats::Repeats,
    resume::Resume,
    seal::{Point, SealKeys, SealedLog},
};
use tokio_util::sync::CancellationToken;

use super::{
    state::{Ended, ViewState},
    status::{Applied, ViewHealth},
};
use crate::{
    files::{Fault, Files, StoredGeneration, StoredGenerations, generations},
    fold::Fold,
    foreign::{ForeignNotice, metrics},
    rows::Rows,
};

/// Most records folded before readers are told and other tasks get their turn.
const GROUP_RECORDS_MAX: usize = 64;
/// Keys of an old generation that are removed at a time.
const ERASED_AT_ONCE_MAX: usize = 1000;
/// How often it is looked whether an old generation still has readers.
const RETIRE_LOOK: Duration = Duration::from_millis(100);

/// The task of one view.
pub(crate) struct Follower {
    state: Arc<ViewState>,
    files: Arc<Files>,
    instance: InstanceId,
    sealed: SealedLog,
    log: Arc<dyn RegistryLog>,
    /// What is being folded, if that is settled.
    fold: Option<Fold>,
    /// Whether `fold` is what is served.
    serving: bool,
    /// Whether the rows of `fold` have been read through.
    audited: bool,
    /// What was folded turned out to be of another log: none of it is gone on from.
    diverged: bool,
    foreign: ForeignNotice,
    /// What was said of a log that is out of reach.
    reaching: Repeats,
    /// What was said of one that cannot be read on, or is another than it was.
    reading: Repeats,
    resume: Resume,
    /// Dropped last: the view may be opened again as soon as its end is told, and then no other task writes it.
    _ended: Ended,
}

/// Why following stopped.
enum Stopped {
    /// The log went away; try again.
    Lost(String),
    /// The database cannot be believed.
    Fault(Fault),
    /// Another database is in use.
    Replaced,
    /// What was folded is of another log.
    Diverged(String),
    /// The log cannot be proven with the keys there are.
    Unproven(String),
}

impl From<BackboneError> for Stopped {
    fn from(error: BackboneError) -> Self {
        Self::Lost(error.to_string())
    }
}

impl From<Stop> for Stopped {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Lost(error) => error.into(),
            Stop::Diverged { .. } => Self::Diverged(stop.to_string()),
            Stop::Unproven(why) => Self::Unproven(why.to_string()),
        }
    }
}

impl From<Fault> for Stopped {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Opens the view as it was left, to be served at once; the follower takes it on from there.
pub(crate) fn open(
    files: Arc<Files>,
    instance: InstanceId,
    incarnation: Incarnation,
    log: Arc<dyn RegistryLog>,
) -> (Arc<ViewState>, Follower) {
    let state = Arc::new(ViewState::new(Arc::clone(&files), instance.clone(), incarnation));
    let ended = Ended::of(Arc::clone(&state), instance.clone());
    let sealed = SealedLog { log: LogId::Instance(instance.clone()), incarnation };
    let resume = Resume::new("the registry log", &sealed.log, files.config().retry_seed);
    let mut follower = Follower {
        state: Arc::clone(&state),
        files,
        instance,
        sealed,
        log,
        fold: None,
        serving: false,
        audited: false,
        diverged: false,
        foreign: ForeignNotice::default(),
        reaching: Repeats::default(),
        reading: Repeats::default(),
        resume,
        _ended: ended,
    };
    if let Err(fault) = follower.serve_what_was_left() {
        follower.give_up_database(&fault);
    }
    (state, follower)
}

impl Follower {
    /// Follows until the view has no user any more.
    pub(crate) async fn run(mut self) {
        let state = Arc::clone(&self.state);
        tokio::select! {
            biased;
            () = state.unused() => {}
            never = self.keep_up() => match never {},
        }
    }

    async fn keep_up(&mut self) -> Infallible {
        loop {
            match self.follow().await {
                Ok(never) => match never {},
                Err(stopped) => self.recover(stopped).await,
            }
        }
    }

    /// One session with the log; returns only with a reason to stop.
    async fn follow(&mut self) -> Result<Infallible, Stopped> {
        let mut databases = self.files.changes();
        let current = databases.borrow_and_update().number;
        let stream = self.log.open(&self.sealed.log).await?;
        let last = self.log.last(&self.sealed.log).await?;
        self.settle(&stream, last, current)?;
        self.audit().await?;
        let from = self.fold.as_ref().map_or_else(|| self.start(), |fold| fold.point);
        let mut reader = LogFollower::new(Arc::clone(&self.log), self.sealed.clone(), self.keys().clone(), from);
        loop {
            let steps = tokio::select! {
                biased;
                _ = databases.changed() => return Err(Stopped::Replaced),
                steps = reader.next() => steps?,
            };
            let mut steps = steps.into_iter();
            while steps.len() > 0 {
                if databases.has_changed().unwrap_or(true) {
                    return Err(Stopped::Replaced);
                }
                self.fold_group(&mut steps).await?;
                tokio::task::yield_now().await;
            }
        }
    }

    fn keys(&self) -> &SealKeys {
        &self.files.config().keys
    }

    /// Before the first record.
    fn start(&self) -> Point {
        Point::start(&self.sealed, self.keys())
    }

    async fn recover(&mut self, stopped: Stopped) {
        match stopped {
            Stopped::Replaced => {}
            Stopped::Lost(reason) => {
                self.out_of_reach(reason);
                self.wait().await;
            }
            Stopped::Fault(fault) => {
                self.give_up_database(&fault);
                self.wait().await;
            }
            Stopped::Diverged(reason) => {
                if let Some(left_out) = self.reading.failed(&reason) {
                    tracing::error!(instance = %self.instance, reason, left_out, "building the view again");
                }
                self.state.serve_nothing();
                self.state.stale(format!("building the view again: {reason}"));
                (self.fold, self.diverged) = (None, true);
            }
            Stopped::Unproven(reason) => {
                if let Some(left_out) = self.reading.failed(&reason) {
                    tracing::error!(instance = %self.instance, reason, left_out, "the registry log cannot be proven");
                }
                self.state.stand(ViewHealth::Unproven { reason });
                self.wait().await;
            }
        }
    }

    fn out_of_reach(&self, reason: String) {
        if let Some(left_out) = self.reaching.failed(&reason) {
            tracing::warn!(instance = %self.instance, reason, left_out, "the registry log is out of reach; trying again");
        }
        self.state.stale(reason);
    }

    /// Waits before the next try; what has happened has been said.
    async fn wait(&mut self) {
        self.resume.pause(Ok::<_, Infallible>(())).await;
    }

    fn give_up_database(&mut self, fault: &Fault) {
        self.state.stale(format!("rebuilding the view: {fault}"));
        let database = self.fold.as_ref().map_or_else(|| self.files.current(), |fold| Arc::clone(&fold.rows.database));
        if let Err(fault) = self.files.replace(&database, fault) {
            self.state.stale(format!("the view cannot be rebuilt: {fault}"));
        }
        // What was folded in memory and never written or told would otherwise be taken for done.
        self.fold = None;
    }

    /// Serves the generation that was served before the process stopped.
    fn serve_what_was_left(&mut self) -> Result<(), Fault> {
        let database = self.files.current();
        let Some(generation) = generations::generations(&database, &self.instance, self.sealed.incarnation)?.serving else {
            return Ok(());
        };
        if !self.files.serves(generation.schema) {
            return Ok(());
        }
        if let Some(fold) = Fold::load(Arc::new(Rows { database, generation }), self.state.standings())? {
            self.state.serve(&fold);
            self.state.publish(&fold, false);
            if generation.schema == self.files.schema() {
                self.fold = Some(fold);
                self.serving = true;
            } else {
                self.state.stale("rebuilding the view for this version".into());
            }
        }
        Ok(())
    }

    /// Settles what is folded, now that the log has said which stream it is and where it ends.
    fn settle(&mut self, stream: &StreamIdentity, last: Position, database: u64) -> Result<(), Fault> {
        let served_stream = self.state.served().stream.clone();
        let served_position = self.state.position();
        if served_stream.is_some_and(|served| served != *stream) || served_position > last {
            if let Some(left_out) = self.reading.failed("another log, or one that has lost records") {
                tracing::error!(instance = %self.instance, position = %served_position, %last, left_out,
                    "the log is not the one that the view was made from, or has lost records: building the view again");
            }
            self.state.serve_nothing();
            self.fold = None;
        }
        if self.fold.as_ref().is_some_and(|fold| fold.rows.database.number != database) {
            self.state.stale("rebuilding the view: its files were damaged".into());
            self.fold = None;
        }
        if self.fold.as_ref().is_some_and(|fold| fold.stream != *stream || fold.point.position > last) {
            self.fold = None;
        }
        if self.fold.is_none() {
            self.fold = Some(self.begin(stream, last)?);
            self.serving = false;
            self.audited = false;
        }
        Ok(())
    }

    /// A generation to build: the one that was being built when the process stopped, or a new one.
    fn begin(&mut self, stream: &StreamIdentity, last: Position) -> Result<Fold, Fault> {
        let diverged = std::mem::take(&mut self.diverged);
        let _one_at_a_time = self.files.generations();
        let database = self.files.current();
        let StoredGenerations { serving, building } =
            generations::generations(&database, &self.instance, self.sealed.incarnation)?;
        if let Some(generation) = building
            && !diverged
            && generation.schema == self.files.schema()
            && let Some(fold) =
                Fold::load(Arc::new(Rows { database: Arc::clone(&database), generation }), self.state.standings())?
            && fold.stream == *stream
            && fold.point.position <= last
        {
            return Ok(fold);
        }
        let generation = StoredGeneration { number: generations::next_generation(&database)?, schema: self.files.schema() };
        let generations = StoredGenerations { serving, building: Some(generation) };
        generations::put_generations(&database, &self.instance, self.sealed.incarnation, generations)?;
        let rows = Arc::new(Rows { database, generation });
        let mut fold = Fold::fresh(rows, stream.clone(), self.sealed.incarnation, self.start(), self.state.standings());
        fold.commit()?;
        Ok(fold)
    }

    /// Reads every row once, off the runtime's threads; lookups go on meanwhile.
    async fn audit(&mut self) -> Result<(), Stopped> {
        if self.audited {
            return Ok(());
        }
        let Some(mut fold) = self.fold.take() else { return Ok(()) };
        let clean = self.files.was_clean();
        let (fold, audited) = tokio::task::spawn_blocking(move || {
            let audited = fold.audit(clean);
            (fold, audited)
        })
        .await
        .map_err(|error| Stopped::Lost(format!("reading the view through was interrupted: {error}")))?;
        let fold = self.fold.insert(fold);
        audited?;
        self.audited = true;
        if self.serving {
            self.state.count_anew(fold);
        }
        Ok(())
    }

    /// Folds steps until [`GROUP_RECORDS_MAX`] records are done, then commits and shows them. A larger batch is folded
    /// whole, with turns for other tasks between its records.
    async fn fold_group(&mut self, steps: &mut std::vec::IntoIter<Step>) -> Result<(), Stopped> {
        let Some(fold) = self.fold.as_mut() else { return Ok(()) };
        let mut applied = Vec::new();
        let (mut caught_up, mut interrupted, mut parked) = (false, None, None);
        for step in steps.by_ref() {
            match step {
                Step::Batch(batch) => fold_batch(&self.state, fold, batch, self.serving, &mut applied).await?,
                Step::Foreign { position, why, after } => {
                    fold.step_over(position, after)?;
                    metrics().foreign(why);
                    self.foreign.tell(&self.sealed.log, position, why);
                }
                Step::CaughtUp(_) => (caught_up, interrupted) = (true, None),
                Step::Interrupted { reason } => (caught_up, interrupted) = (false, Some(reason)),
                Step::Parked { at, reason } => parked = Some((at, reason)),
            }
            if applied.len() >= GROUP_RECORDS_MAX {
                break;
            }
        }
        fold.commit()?;
        if caught_up {
            self.resume.follows();
            let back = [self.reaching.recovered(), self.reading.recovered()];
            if back.contains(&true) {
                tracing::info!(instance = %self.instance, position = %fold.point.position, "the registry log is followed again");
            }
        }
        self.show(applied, caught_up, parked.is_some())?;
        if let Some(reason) = interrupted {
            self.out_of_reach(reason);
        }
        if let Some((at, reason)) = parked {
            if let Some(left_out) = self.reading.failed(&reason) {
                tracing::error!(instance = %self.instance, position = %at, reason, left_out, "the view is parked before a record");
            }
            self.state.stand(ViewHealth::Parked { at, reason });
        }
        Ok(())
    }

    /// Lets readers see what was folded, and the new generation once it has reached what they have.
    fn show(&mut self, mut applied: Vec<Applied>, caught_up: bool, parked: bool) -> Result<(), Fault> {
        let Some(fold) = self.fold.as_ref() else { return Ok(()) };
        let seen = self.state.position();
        if !self.serving {
            let serves_an_old_one = self.state.served().rows.is_some();
            let reached = if serves_an_old_one { fold.point.position >= seen } else { caught_up };
            if !reached && !parked {
                return Ok(());
            }
            switch(&self.files, &self.state, &self.instance, fold)?;
            self.serving = true;
            applied.retain(|applied| applied.position > seen);
        }
        self.state.publish(fold, caught_up);
        for record in applied {
            self.state.tell(record);
        }
        Ok(())
    }
}

async fn fold_batch(
    state: &ViewState,
    fold: &mut Fold,
    batch: Batch,
    serving: bool,
    applied: &mut Vec<Applied>,
) -> Result<(), Fault> {
    for (count, read) in (1..).zip(batch.records) {
        let position = read.entry.position;
        // Readers see a change of configuration before any later record's rows: never a mix that the log never was.
        if fold.fold(&read.record, position, serving)? && serving {
            state.serve(fold);
        }
        applied.push(Applied { position, record: read.record });
        if count % GROUP_RECORDS_MAX == 0 {
            tokio::task::yield_now().await;
        }
    }
    fold.advance(batch.after);
    Ok(())
}

/// Serves a generation that was being built, and forgets the one that was served.
fn switch(files: &Files, state: &ViewState, instance: &InstanceId, fold: &Fold) -> Result<(), Fault> {
    let database = &fold.rows.database;
    let generations = StoredGenerations { serving: Some(fold.rows.generation), building: None };
    generations::put_generations(database, instance, fold.incarnation, generations)?;
    let old = state.served().rows.clone();
    state.serve_another(fold);
    tracing::info!(%instance, position = %fold.point.position, devices = fold.stats.live, "the view has been built");
    if let Some(old) = old.filter(|old| old.database.number == database.number) {
        files.spawn(|closing| retire(closing, old));
    }
    Ok(())
}

/// Removes a generation that is not served any more, once its last reader is gone. What is left when the store closes is
/// removed at its next opening.
async fn retire(closing: CancellationToken, old: Arc<Rows>) {
    while Arc::strong_count(&old) > 1 {
        if closing.run_until_cancelled(tokio::time::sleep(RETIRE_LOOK)).await.is_none() {
            return;
        }
    }
    let erased = tokio::task::spawn_blocking(move || {
        while !closing.is_cancelled() && old.erase(ERASED_AT_ONCE_MAX)?.is_continue() {}
        Ok::<_, Fault>(())
    });
    if let Ok(Err(fault)) = erased.await {
        tracing::warn!(%fault, "an old generation of a view was not wholly removed; the next start goes on");
    }
}
