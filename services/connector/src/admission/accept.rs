//! Answers CONNECT: judges, opens the session, or says why not.

use std::{net::IpAddr, sync::Arc};

use rollcall_domain::{authenticate::Identification, refusal::Refusal};

use crate::{
    admission::{
        authenticate::{Admitted, Client, admit},
        registration::Chain,
    },
    instance::Instance,
    metrics::metrics,
    mqtt::Connect,
    sessions::{
        reauthorize::reauthorize,
        session::{Opening, Session},
    },
    transport::chain_verifier::VerifiedChain,
};

/// A session that is left when its connection ends, however it ends.
pub(crate) struct SessionGuard {
    instance: Arc<Instance>,
    pub(crate) session: Arc<Session>,
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.instance.end_session(&self.session);
    }
}

/// Lets somebody in, or says why not; `chain` is asked for only if the device must be registered first.
///
/// # Errors
/// The [`Refusal`] to answer with.
pub(crate) async fn accept(
    instance: &Arc<Instance>,
    verified: &Result<Arc<VerifiedChain>, Refusal>,
    connect: &Connect,
    source: IpAddr,
    chain: impl FnOnce() -> Chain,
) -> Result<SessionGuard, Refusal> {
    let verified = verified.as_ref().map_err(Clone::clone)?;
    let identification = Identification { client_id: &connect.client_id, user_name: connect.user_name.as_deref() };
    let admitted = admit(instance, &Client { verified, identification, source }, chain).await?;
    let guard = open(instance, verified, identification, &admitted);
    // Asked now that the session is in the table: whoever retires the instance sees the one or has said the other.
    if instance.retiring.is_cancelled() {
        return Err(Refusal::ShuttingDown);
    }
    // A record that was folded since the judgement may have come before the session was there to be judged again.
    let at = {
        let status = instance.status.borrow();
        (status.generation, status.position)
    };
    if at != admitted.at {
        reauthorize(instance, &guard.session);
    }
    match guard.session.mailbox.closed() {
        Some(refusal) => Err(refusal),
        None => {
            instance.announcements.online(&instance.connector, &guard.session, &instance.sessions);
            metrics().accepted();
            Ok(guard)
        }
    }
}

fn open(
    instance: &Arc<Instance>,
    verified: &VerifiedChain,
    identification: Identification<'_>,
    admitted: &Admitted,
) -> SessionGuard {
    let session = instance.sessions.open(Opening {
        device: admitted.device.clone(),
        identification,
        facts: verified.facts.clone(),
        ca: verified.ca.clone(),
        since: instance.now(),
    });
    SessionGuard { instance: instance.clone(), session }
}

/// Says to operators who was refused. Certificate and CONNECT are hostile text and stay out of it, except as the
/// refusal quotes them, escaped.
pub(crate) fn report(instance: &Instance, source: IpAddr, refusal: &Refusal) {
    metrics().refused(refusal);
    let (code, reason) = (refusal.code(), refusal.to_string());
    tracing::info!(instance = %instance.id, %source, code, ?reason, "connection refused");
}
