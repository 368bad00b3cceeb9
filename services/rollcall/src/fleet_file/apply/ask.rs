//! How an applier asks: one request at a time, and what it came to read back from the view before the next is made.

use std::{sync::Arc, time::Duration};

use rollcall_backbone::{
    BackboneError,
    codec::{AnyRequest, QueuedRequest, Ruling, encode_request},
    petition::{PetitionError, Petitioner},
    requests::RequestKind,
};
use rollcall_domain::{
    ids::{InstanceId, LogId, Position, RequestId},
    registry::{Actor, Command, Configuration, Request, RequestBody},
    time::Timestamp,
};
use rollcall_projection::admission::{AdmissionView, ViewError};
use tokio::time::{Instant, sleep};

use super::{Applier, Outcome};
use crate::fleet_file::document::{Fault, Place};

/// How long one command may take to be ruled on.
const RULING_DEADLINE: Duration = Duration::from_secs(30);
/// How long a log and its queue may take to be opened.
const OPENING_DEADLINE: Duration = Duration::from_secs(30);
/// Pause before they are opened again.
const OPEN_AGAIN: Duration = Duration::from_millis(200);
/// The name that commands of a fleet file carry.
pub(super) const OPERATOR: &str = "fleet-file";

/// Why applying stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// No ruling came, or the request could not be queued.
    #[error("{place}: no ruling")]
    Petition {
        /// What was being applied.
        place: Place,
        /// Why.
        #[source]
        source: PetitionError,
    },
    /// A log or queue cannot be opened.
    #[error("cannot open log and queue of {log}")]
    Open {
        /// Whose.
        log: LogId,
        /// Why.
        #[source]
        source: BackboneError,
    },
    /// The view of an instance cannot be used.
    #[error("cannot read what instance {instance} holds")]
    View {
        /// Which instance.
        instance: InstanceId,
        /// Why.
        #[source]
        source: ViewError,
    },
    /// The process is stopping.
    #[error("stopped before the fleet file was applied")]
    Stopped,
}

/// One instance while it is being applied.
pub(super) struct Target<'a> {
    pub(super) instance: &'a InstanceId,
    pub(super) view: AdmissionView,
}

impl Target<'_> {
    pub(super) fn configuration(&self) -> Arc<Configuration> {
        self.view.configuration()
    }
}

impl Applier {
    /// The instance's view, caught up with its log.
    pub(super) async fn view(&self, instance: &InstanceId) -> Result<AdmissionView, ApplyError> {
        self.open(&LogId::Instance(instance.clone())).await?;
        let failed = |source| ApplyError::View { instance: instance.clone(), source };
        let view = self.store.admission(instance, self.backbone.log.clone(), self.shutdown.clone()).map_err(failed)?;
        let mut status = view.status();
        match self.shutdown.run_until_cancelled(status.wait_for(|status| status.caught_up)).await {
            Some(Ok(_)) => Ok(view),
            _ => Err(ApplyError::Stopped),
        }
    }

    /// Opens a log and its queue; the registrar does too, and whoever comes second finds them there. A cluster may leave a
    /// request for a stream unanswered that is being made for somebody else: asked again, it answers.
    pub(super) async fn open(&self, log: &LogId) -> Result<(), ApplyError> {
        let deadline = Instant::now() + OPENING_DEADLINE;
        loop {
            let opened = async {
                self.backbone.log.open(log).await?;
                self.backbone.requests.open(log).await
            };
            let source = match self.shutdown.run_until_cancelled(opened).await {
                Some(Ok(())) => return Ok(()),
                Some(Err(source)) => source,
                None => return Err(ApplyError::Stopped),
            };
            if !matches!(source, BackboneError::Unavailable { .. }) || Instant::now() >= deadline {
                return Err(ApplyError::Open { log: log.clone(), source });
            }
            tracing::debug!(%log, %source, "log and queue cannot be opened yet; trying again");
            if self.shutdown.run_until_cancelled(sleep(OPEN_AGAIN)).await.is_none() {
                return Err(ApplyError::Stopped);
            }
        }
    }

    /// Asks for a command, if there is one to ask for, and waits until the view knows what came of it.
    pub(super) async fn command(
        &mut self,
        target: &Target<'_>,
        command: Option<Command>,
        place: &Place,
        outcome: &mut Outcome,
    ) -> Result<(), ApplyError> {
        let Some(command) = command else { return Ok(()) };
        let id = self.request_id();
        let actor = Actor::Operator(OPERATOR.into());
        let request = Request { id: id.clone(), actor, body: RequestBody::Command(command) };
        let log = LogId::Instance(target.instance.clone());
        if let Some(position) = self.ask(&log, id, AnyRequest::Registry(request), place, outcome).await? {
            let failed = |source| ApplyError::View { instance: target.instance.clone(), source };
            target.view.reached(position).await.map_err(failed)?;
        }
        Ok(())
    }

    /// The position of an accepted request; a rejected one is a fault of the outcome.
    pub(super) async fn ask(
        &mut self,
        log: &LogId,
        id: RequestId,
        request: AnyRequest,
        place: &Place,
        outcome: &mut Outcome,
    ) -> Result<Option<Position>, ApplyError> {
        let queued =
            QueuedRequest { submitted_at: Timestamp::from_unix_ms(self.clock.unix_ms()), traceparent: None, request };
        let petitioner = self.petitioner(log);
        let asked = petitioner.ask(RequestKind::Command, &id, encode_request(&queued), RULING_DEADLINE);
        let ruling = match self.shutdown.run_until_cancelled(asked).await {
            Some(answered) => answered.map_err(|source| ApplyError::Petition { place: place.clone(), source })?,
            None => return Err(ApplyError::Stopped),
        };
        match ruling {
            Ruling::Accepted { position } => {
                outcome.changes += 1;
                Ok(Some(position))
            }
            Ruling::Rejected(rejected) => {
                let rule = format!("{} ({})", rejected.message, rejected.code);
                outcome.faults.push(Fault { place: place.clone(), rule });
                Ok(None)
            }
        }
    }

    fn petitioner(&mut self, log: &LogId) -> Petitioner {
        let start = || Petitioner::start(log.clone(), self.backbone.requests.clone(), self.shutdown.clone());
        self.petitioners.entry(log.clone()).or_insert_with(start).clone()
    }

    pub(super) fn request_id(&self) -> RequestId {
        let id = self.entropy.uuid_v7(self.clock.unix_ms());
        RequestId::parse(&format!("fleet-file-{id}")).expect("a UUID holds hex digits and dashes only")
    }
}
