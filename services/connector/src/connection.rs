//! One connection: drives the client's stream and the MQTT state machine, and hands its effects to the code that answers them.
//!
//! One task, small while idle: what the handshake and CONNECT needed is freed by then, buffers are borrowed from the
//! stack while bytes move. Invariant: it waits for everything at once; a client that takes nothing, sends nothing or
//! sends too much meets a deadline or a full mailbox whatever else is under way.

pub(crate) mod client_reports;
mod progress;
mod token_bucket;

use std::{future::poll_fn, net::IpAddr, pin::Pin, sync::Arc};

use rollcall_domain::{
    authenticate::{Identification, Recognised, StandardForm},
    ids::DeviceId,
    refusal::Refusal,
};
use rustls::pki_types::CertificateDer;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    time::{Instant, Sleep, sleep_until, timeout},
};
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::{
    admission::{
        accept::{self, SessionGuard, accept},
        attempts::{RefusedConnection, Rules},
        turn::NotAccepted,
    },
    connection::token_bucket::TokenBucket,
    context::ConnectorContext,
    instance::Instance,
    metrics::metrics,
    mqtt::{Closing, Connect, Effect, Grant, Protocol, Publish, PublishOutcome},
    sessions::{
        persistent::save,
        session::Session,
        topic_authorization::{authorize_publish, authorize_subscribe},
        uplinks::Uplinks,
    },
    transport::{
        chain_verifier::VerifiedChain,
        client_stream::ClientStream,
        handshake::{Handshake, handshake},
        unproven::Place,
    },
};

/// Serves one accepted socket from ClientHello to its end, or until it has to make room before it has proven anything.
pub(crate) async fn serve(context: Arc<ConnectorContext>, socket: TcpStream, source: IpAddr) {
    let (place, lost) = context.unproven.enter(source);
    tokio::select! {
        () = serve_with_place(context, socket, source, place) => {}
        () = lost => {}
    }
}

async fn serve_with_place(context: Arc<ConnectorContext>, socket: TcpStream, source: IpAddr, place: Place) {
    // Boxed: what a handshake needs is many times what a connection needs, and would stay part of the task.
    let handshake = Box::pin(async {
        tokio::select! {
            handshake = handshake(&context, socket, source, place) => handshake,
            () = context.stopping.cancelled() => None,
        }
    });
    if let Some(handshake) = handshake.await {
        serve_established(context, handshake).await;
    }
}

/// Serves a connection from the end of its handshake to its own.
pub(crate) async fn serve_established<S: ClientStream>(context: Arc<ConnectorContext>, handshake: Handshake<S>) {
    Connection::new(context, handshake).run().await;
}

struct Connection<S> {
    context: Arc<ConnectorContext>,
    instance: Arc<Instance>,
    stream: S,
    source: IpAddr,
    protocol: Protocol,
    stage: Stage,
    uplinks: Option<Box<Uplinks>>,
    /// In messages, and in bytes of whatever kind.
    buckets: [TokenBucket; 2],
    timer: Pin<Box<Sleep>>,
    /// Output has been written that may still be in the stream's buffers.
    unflushed: bool,
    /// Output can no longer be written: the client has gone, though what it sent before may still be read.
    unwritable: bool,
    /// The mailbox has given its last: the reason to close.
    dismissed: bool,
    /// QoS 1 messages wait in the state machine for the client's acknowledgements.
    backlogged: bool,
}

/// Before or after CONNACK 0.
enum Stage {
    /// CONNECT has not been accepted.
    Connecting(Box<Connecting>),
    /// It has a session, which ends with the guard.
    Connected(SessionGuard),
}

struct Connecting {
    verified: Result<Arc<VerifiedChain>, Refusal>,
    /// The device that a refused CONNECT has named.
    claimed: Option<DeviceId>,
    /// Its place among the unproven, until it has sent CONNECT over a verified chain.
    place: Option<Place>,
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S: ClientStream> Connection<S> {
    fn new(context: Arc<ConnectorContext>, handshake: Handshake<S>) -> Self {
        let (now, now_ms) = (Instant::now(), context.now_ms());
        let limits = &context.config.limits;
        let stopping = Box::pin(handshake.instance.retiring.clone().cancelled_owned());
        Self {
            protocol: Protocol::new(limits.protocol(), now_ms),
            stage: Stage::Connecting(Box::new(Connecting {
                verified: handshake.verified,
                claimed: None,
                place: handshake.place,
                stopping,
            })),
            uplinks: None,
            buckets: [limits.uplinks_per_s_max, limits.uplink_bytes_per_s_max].map(|max| TokenBucket::per_s(max, now)),
            timer: Box::pin(sleep_until(now)),
            unflushed: false,
            unwritable: false,
            dismissed: false,
            backlogged: false,
            instance: handshake.instance,
            stream: handshake.stream,
            source: handshake.source,
            context,
        }
    }

    async fn run(mut self) {
        loop {
            self.note_unacknowledged();
            while let Some(effect) = self.protocol.next_effect() {
                match effect {
                    Effect::Connect(connect) => Box::pin(self.answer_connect(*connect)).await,
                    Effect::Publish(publish) => self.take_publish(*publish),
                    Effect::Subscribe(subscribe) => {
                        let Stage::Connected(guard) = &self.stage else { continue };
                        let outcomes = authorize_subscribe(&self.instance, &guard.session, &subscribe.filters);
                        self.protocol.subscribed(&outcomes);
                        // Before SUBACK is written.
                        Box::pin(self.keep_subscriptions()).await;
                    }
                    Effect::Unsubscribed(filters) => {
                        let Stage::Connected(guard) = &self.stage else { continue };
                        filters.iter().for_each(|filter| self.instance.sessions.unsubscribe(&guard.session, filter));
                        Box::pin(self.keep_subscriptions()).await;
                    }
                    Effect::Disconnected(disconnected) => {
                        let Stage::Connected(guard) = &self.stage else { continue };
                        if !disconnected.with_will {
                            guard.session.discard_will();
                        }
                        if let (Some(expiry_s), Some(kept)) =
                            (disconnected.session_expiry_s, guard.session.persistence.get())
                        {
                            kept.note_expiry(expiry_s);
                        }
                    }
                    Effect::Dropped(_) => metrics().denied("publish"),
                    Effect::Ignored(ignored) => {
                        let Stage::Connected(guard) = &self.stage else { continue };
                        self.instance.client_reports.ignored(&self.instance.id, &guard.session.device.device, &ignored);
                    }
                    Effect::Close(closing) => return Box::pin(self.end(closing)).await,
                }
            }
            poll_fn(|cx| self.poll_progress(cx)).await;
        }
    }

    async fn answer_connect(&mut self, connect: Connect) {
        let Stage::Connecting(connecting) = &mut self.stage else { return };
        if connecting.verified.is_ok()
            && let Some(place) = connecting.place.take()
            && !place.prove()
        {
            // Too late: `serve` is about to drop this connection.
            return;
        }
        let stream = &self.stream;
        let accepted =
            accept(&self.instance, &connecting.verified, &connect, self.source, || stream.chain(), || stream.has_left());
        match accepted.await {
            Ok((guard, session)) => {
                let Recognised { device, space, product } = guard.session.device.clone();
                let grant = Grant { device, space, product, session };
                tracing::debug!(
                    instance = %self.instance.id, device = %grant.device, mqtt = connect.version.name(), "connected"
                );
                self.protocol.accept(&grant, self.context.now_ms());
                if let (Some(notice), Ok(verified)) = (&guard.notice, &connecting.verified) {
                    self.instance.attempts.record_notice(
                        verified,
                        &guard.session.device.device,
                        notice,
                        self.source,
                        stream.chain(),
                    );
                }
                self.stage = Stage::Connected(guard);
            }
            Err(NotAccepted::Left) => self.protocol.receive_ended(),
            Err(NotAccepted::Refused(refusal)) => {
                connecting.claimed = claimed(&connect);
                let retry_after_s = self.context.retry_after_s(&refusal);
                self.protocol.refuse(refusal, retry_after_s);
            }
        }
    }

    /// Of a session that is kept: up to where in the message stream its client has come.
    fn note_unacknowledged(&self) {
        if let Stage::Connected(guard) = &self.stage
            && let Some(kept) = guard.session.persistence.get()
        {
            kept.note_unacknowledged(self.protocol.unacknowledged());
        }
    }

    /// Of a session that is kept: writes down its subscriptions. If that fails now it is tried again; the client keeps them
    /// as long as this connection lasts.
    fn keep_subscriptions(&self) -> impl Future<Output = ()> + use<S> {
        let mut kept = None;
        if let Stage::Connected(guard) = &self.stage
            && let Some(state) = guard.session.persistence.get()
        {
            state.note_subscriptions(self.protocol.subscriptions(), self.instance.routed.up_to());
            kept = Some((self.instance.clone(), guard.session.clone()));
        }
        async move {
            let Some((instance, session)) = kept else { return };
            if let Err(error) = save::write(&instance, &session).await {
                tracing::debug!(instance = %instance.id, %error, "subscriptions could not be written yet");
            }
        }
    }

    fn take_publish(&mut self, publish: Publish) {
        let Stage::Connected(guard) = &self.stage else { return };
        self.buckets[0].spend(1, Instant::now());
        let reference = publish.publish;
        match authorize_publish(&self.instance, &guard.session, publish) {
            Some(message) => {
                metrics().uplink();
                self.uplinks.get_or_insert_default().push(reference, message);
            }
            None => self.protocol.published(reference, PublishOutcome::Denied),
        }
    }

    /// Ends: writes what is left of the output and close_notify, and leaves the client time to read both.
    async fn end(mut self, closing: Closing) {
        self.report_unstored();
        match (&self.stage, &closing) {
            (_, Closing::Client | Closing::Gone) => {}
            (Stage::Connecting(_), Closing::Refused(refusal)) => accept::report(&self.instance, self.source, refusal),
            (Stage::Connecting(connecting), Closing::Violated(violation)) => {
                let facts = connecting.verified.as_ref().ok().map(|verified| &*verified.facts);
                self.instance.client_reports.violated(&self.instance.id, self.source, facts, *violation);
            }
            (Stage::Connected(guard), closing) => report_closed(&self.instance, &guard.session, closing),
        }
        let last_output = async {
            while !self.unwritable && !self.protocol.output().is_empty() {
                let bytes = self.stream.write(self.protocol.output()).await?;
                self.protocol.written(bytes);
            }
            self.stream.shutdown().await
        };
        let written = timeout(self.context.config.limits.linger(), last_output).await;
        if let (Stage::Connecting(connecting), Some(refusal)) = (&self.stage, closing.refusal()) {
            self.record(connecting, &refusal, &closing);
        }
        // The device is offline from here on, whatever it still has to read.
        drop(self.stage);
        if matches!((written, closing), (Ok(Ok(())), Closing::Refused(_) | Closing::Violated(_))) {
            self.stream.linger(&self.context).await;
        }
    }

    /// Keeps a refused CONNECT among the attempts.
    fn record(&self, connecting: &Connecting, refusal: &Refusal, closing: &Closing) {
        let Some(trust) = self.instance.trust.load_full() else { return };
        let (instance, claimed) = (&self.instance, connecting.claimed.as_ref());
        match &connecting.verified {
            Ok(verified) => {
                let (availability, trust) = (&instance.availability, trust.chain_verifier.store());
                let rules = Rules { instance: &instance.profile(), availability, trust };
                let (source, message) = (self.source, reason(closing));
                let refused = RefusedConnection { verified, claimed, refusal, message, source, rules };
                instance.attempts.record(&refused, || self.stream.chain());
            }
            // No handshake has judged the chain of a session that is resumed: it was judged after, and did not hold.
            Err(_) => {
                let chain = self.stream.chain();
                let presented: Vec<_> = chain.iter().map(|der| CertificateDer::from(&**der)).collect();
                let judged = trust.chain_verifier.verify(presented.iter()).map(drop);
                drop(presented);
                if let Err(unproven) = judged {
                    instance.attempts.record_chain(&unproven, chain, claimed.cloned(), self.source, true);
                }
            }
        }
    }

    /// Says what a goodbye has waited for in vain.
    fn report_unstored(&self) {
        let (Stage::Connected(guard), Some(uplinks)) = (&self.stage, &self.uplinks) else { return };
        let what = "the session ended before its last messages could be stored";
        if let Some(left_out) = self.instance.uplink_repeats.failed(what) {
            let (device, messages) = (&guard.session.device.device, uplinks.len());
            tracing::warn!(instance = %self.instance.id, %device, messages, left_out, "{what}");
        }
    }
}

fn claimed(connect: &Connect) -> Option<DeviceId> {
    let identification = Identification { client_id: &connect.client_id, user_name: connect.user_name.as_deref() };
    StandardForm::of(&identification).map(|form| form.device_id)
}

fn report_closed(instance: &Instance, session: &Session, closing: &Closing) {
    let Some(refusal) = closing.refusal() else { return };
    metrics().closed(&refusal);
    let (code, reason) = (refusal.code(), reason(closing));
    tracing::info!(instance = %instance.id, device = %session.device.device, code, %reason, "session closed");
}

/// Texts of others are escaped in it where they are quoted.
fn reason(closing: &Closing) -> String {
    match closing {
        Closing::Client | Closing::Gone => String::new(),
        Closing::Refused(refusal) => refusal.to_string(),
        Closing::Violated(violation) => violation.to_string(),
    }
}
