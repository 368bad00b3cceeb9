//! Answers CONNECT: authenticates, opens the session, or returns the refusal.

use std::{net::IpAddr, sync::Arc};

use rollcall_domain::{authenticate::Identification, notice::Notice, refusal::Refusal};
use tokio::time::Instant;

use crate::{
    admission::{
        authenticate::{Admitted, Client, admit},
        registration::certificate_connect::Chain,
        turn::{NotAccepted, wait_for_turn},
    },
    instance::Instance,
    metrics::metrics,
    mqtt::{Connect, SessionGrant},
    sessions::{
        ended::begin::begin,
        reauthorize::reauthorize,
        session::{Opening, Session},
        takeovers::Origin,
    },
    transport::chain_verifier::VerifiedChain,
};

/// Ends its session when it is dropped with the connection.
pub(crate) struct SessionGuard {
    instance: Arc<Instance>,
    pub(crate) session: Arc<Session>,
    /// What people should know of this connection.
    pub(crate) notice: Option<Notice>,
}

impl Drop for SessionGuard {
    fn drop(&mut self) {
        self.instance.end_session(&self.session);
    }
}

/// Opens a session for a client; `chain` is called only if the device must be registered first, `has_left` while it waits.
///
/// # Errors
/// The [`Refusal`] to answer with, or that there is no one to answer.
pub(crate) async fn accept(
    instance: &Arc<Instance>,
    verified: &Result<Arc<VerifiedChain>, Refusal>,
    connect: &Connect,
    source: IpAddr,
    chain: impl FnOnce() -> Chain,
    has_left: impl Fn() -> bool,
) -> Result<(SessionGuard, SessionGrant), NotAccepted> {
    let verified = verified.as_ref().map_err(Clone::clone)?;
    let identification = Identification { client_id: &connect.client_id, user_name: connect.user_name.as_deref() };
    let admitted = admit(instance, &Client { verified, identification, source }, chain).await?;
    wait_for_turn(instance, &admitted.device.device, has_left).await?;
    let guard = open(instance, verified, identification, source, &admitted);
    // Read after the session is in the table: a retirement either sees the session there or is seen here.
    if instance.retiring.is_cancelled() {
        return Err(Refusal::ShuttingDown.into());
    }
    // A record that was folded since the authentication may have come before the session was there to be reauthorized.
    let at = {
        let status = instance.status.borrow();
        (status.generation, status.position)
    };
    if at != admitted.at {
        reauthorize(instance, &guard.session);
    }
    match guard.session.mailbox.closed() {
        Some(refusal) => Err(refusal.into()),
        None => {
            // Before presence hears of it: whoever learns of the session finds what it leaves.
            let grant = begin(instance, &guard.session, connect).await;
            instance.announcements.online(&instance.connector, &guard.session, &instance.sessions);
            metrics().accepted();
            Ok((guard, grant))
        }
    }
}

fn open(
    instance: &Arc<Instance>,
    verified: &VerifiedChain,
    identification: Identification<'_>,
    source: IpAddr,
    admitted: &Admitted,
) -> SessionGuard {
    let (device, now) = (&admitted.device.device, Instant::now());
    if instance.sessions.of(device).is_some() {
        instance.takeovers.note(device, false, now);
    }
    let shared = instance.takeovers.opened(device, Origin { source, sha256: verified.facts.sha256 }, now);
    let notice = shared.map(|sources| Notice::CertificateShared { device: device.clone(), sources });
    let session = instance.sessions.open(Opening {
        device: admitted.device.clone(),
        identification,
        facts: verified.facts.clone(),
        path: verified.path.clone(),
        since: instance.now(),
    });
    SessionGuard { instance: instance.clone(), session, notice }
}

/// Reports a refusal to operators. Certificate and CONNECT are hostile text and stay out of it, except as the
/// refusal quotes them, escaped.
pub(crate) fn report(instance: &Instance, source: IpAddr, refusal: &Refusal) {
    metrics().refused(refusal);
    let (code, reason) = (refusal.code(), refusal.to_string());
    tracing::info!(instance = %instance.id, %source, code, %reason, "connection refused");
}
