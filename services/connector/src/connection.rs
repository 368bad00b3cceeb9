//! One connection: bytes between the socket and the MQTT state machine, and its effects to those who answer them.
//!
//! One task, light while idle: what the handshake and CONNECT needed is gone by then, buffers are borrowed from the stack
//! while bytes move. Invariant: nothing here waits for one thing only; a client that takes nothing, sends nothing or
//! sends too much is found out by a deadline or a full mailbox whatever else is under way.

use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use rollcall_domain::refusal::Refusal;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until, timeout},
};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::{
    edge::Edge,
    entrance::{self, Held, enter},
    handshake::{Shaken, linger, shake},
    instance::Instance,
    mailbox::Mail,
    metrics::metrics,
    mqtt::{Closing, Connect, Delivered, Effect, Grant, Protocol, Publish, PublishOutcome},
    pace::Pace,
    prover::Proof,
    session::{delivery, rule_on_publish, rule_on_subscribe},
    sessions::Session,
    uplinks::Uplinks,
};

/// Bytes read at a time.
const READ_BYTES: usize = 4096;
/// Output above which no more messages are taken from the mailbox: there they count against the client's bounds.
const OUTPUT_HIGH_BYTES: usize = 32 * 1024;

/// Serves one accepted socket from ClientHello to its end.
pub(crate) async fn serve(edge: Arc<Edge>, socket: TcpStream, source: IpAddr) {
    // Boxed: what a handshake needs is many times what a connection needs, and would stay part of the task.
    let shaken = Box::pin(async {
        tokio::select! {
            shaken = shake(&edge, socket) => shaken,
            () = edge.stopping.cancelled() => None,
        }
    });
    if let Some(shaken) = shaken.await {
        Connection::new(edge, shaken, source).run().await;
    }
}

struct Connection {
    edge: Arc<Edge>,
    instance: Arc<Instance>,
    tls: TlsStream<TcpStream>,
    source: IpAddr,
    protocol: Protocol,
    stage: Stage,
    uplinks: Option<Box<Uplinks>>,
    /// Messages, and bytes of whatever kind.
    paces: [Pace; 2],
    timer: Pin<Box<Sleep>>,
    /// Output has been written that may still be in the TLS layer.
    unflushed: bool,
    /// QoS 1 messages wait in the state machine for the client's acknowledgements.
    backlogged: bool,
}

/// How far the connection is.
enum Stage {
    /// CONNECT has not been answered.
    Outside(Box<Outside>),
    /// It has a session.
    Inside(Held),
}

struct Outside {
    proof: Result<Arc<Proof>, Refusal>,
    stopping: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Connection {
    fn new(edge: Arc<Edge>, shaken: Shaken, source: IpAddr) -> Self {
        let (now, now_ms) = (Instant::now(), edge.now_ms());
        let limits = &edge.config.limits;
        let stopping = Box::pin(edge.stopping.clone().cancelled_owned());
        Self {
            protocol: Protocol::new(limits.protocol(), now_ms),
            stage: Stage::Outside(Box::new(Outside { proof: shaken.proof, stopping })),
            uplinks: None,
            paces: [limits.uplinks_per_s_max, limits.uplink_bytes_per_s_max].map(|max| Pace::per_s(max, now)),
            timer: Box::pin(sleep_until(now)),
            unflushed: false,
            backlogged: false,
            instance: shaken.instance,
            tls: shaken.tls,
            source,
            edge,
        }
    }

    async fn run(mut self) {
        loop {
            while let Some(effect) = self.protocol.next_effect() {
                match effect {
                    Effect::Connect(connect) => Box::pin(self.answer_connect(*connect)).await,
                    Effect::Publish(publish) => self.take_publish(*publish),
                    Effect::Subscribe(subscribe) => {
                        let Stage::Inside(held) = &self.stage else { continue };
                        let outcomes = rule_on_subscribe(&self.instance, &held.session, &subscribe.filters);
                        self.protocol.subscribed(&outcomes);
                    }
                    Effect::Unsubscribed(filters) => {
                        let Stage::Inside(held) = &self.stage else { continue };
                        filters.iter().for_each(|filter| self.instance.sessions.unsubscribe(&held.session, filter));
                    }
                    Effect::Dropped(_) => metrics().denied("publish"),
                    Effect::Close(closing) => return Box::pin(self.end(closing)).await,
                }
            }
            if poll_fn(|context| self.poll_progress(context)).await.is_err() {
                // Gone without a word: the session is left by being dropped.
                return;
            }
        }
    }

    async fn answer_connect(&mut self, connect: Connect) {
        let Stage::Outside(outside) = &self.stage else { return };
        let tls = &self.tls;
        let chain = || {
            let chain = tls.get_ref().1.peer_certificates().unwrap_or_default();
            chain.iter().map(|der| der.as_ref().into()).collect()
        };
        match enter(&self.edge, &self.instance, &outside.proof, &connect, self.source, chain).await {
            Ok(held) => {
                let recognised = held.session.device.clone();
                let grant = Grant { device: recognised.device, space: recognised.space, product: recognised.product };
                tracing::debug!(
                    instance = %self.instance.id, device = %grant.device, mqtt = connect.version.name(), "connected"
                );
                self.protocol.accept(&grant, self.edge.now_ms());
                self.stage = Stage::Inside(held);
            }
            Err(refusal) => {
                let retry_after_s = self.edge.retry_after_s(&refusal);
                self.protocol.refuse(refusal, retry_after_s);
            }
        }
    }

    fn take_publish(&mut self, publish: Publish) {
        let Stage::Inside(held) = &self.stage else { return };
        self.paces[0].spend(1, Instant::now());
        let reference = publish.publish;
        match rule_on_publish(&self.instance, &held.session, publish) {
            Some(message) => {
                metrics().uplink();
                self.uplinks.get_or_insert_default().push(reference, message);
            }
            None => self.protocol.published(reference, PublishOutcome::Denied),
        }
    }

    /// Moves whatever can move; ready when the state machine may have something to say.
    fn poll_progress(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // One instant for all: what one of them waits for, the timer must not take for past.
        let now = Instant::now();
        let wrote = self.poll_write(context)?;
        let progress = [
            wrote,
            self.poll_mail(context),
            self.poll_uplinks(now, context),
            self.poll_read(now, context)?,
            self.poll_timer(now, context),
        ];
        if progress.iter().any(Poll::is_ready) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Writes output as far as the client takes it.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut progress = Poll::Pending;
        while !self.protocol.output().is_empty() {
            match Pin::new(&mut self.tls).poll_write(context, self.protocol.output()) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(bytes)) => {
                    self.protocol.written(bytes);
                    (self.unflushed, progress) = (true, Poll::Ready(Ok(())));
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return progress,
            }
        }
        if self.unflushed && Pin::new(&mut self.tls).poll_flush(context)?.is_ready() {
            self.unflushed = false;
        }
        progress
    }

    fn poll_mail(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Stage::Inside(held) = &self.stage else { return self.poll_stopping(context) };
        let wanted = !self.backlogged && self.protocol.output().len() < OUTPUT_HIGH_BYTES;
        match ready!(held.session.mailbox.poll_next(wanted, context)) {
            Mail::Close(refusal) => self.protocol.close(refusal),
            Mail::Withdraw(filters) => self.protocol.withdraw(&filters),
            Mail::Message(stored) => {
                let mut stored = Arc::unwrap_or_clone(stored);
                if let Some(delivery) = delivery(&self.instance, &held.session, &mut stored) {
                    self.backlogged = self.protocol.deliver(&delivery) == Delivered::Queued;
                }
            }
        }
        Poll::Ready(())
    }

    fn poll_stopping(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Stage::Outside(outside) = &mut self.stage else { return Poll::Pending };
        ready!(outside.stopping.as_mut().poll(context));
        self.protocol.refuse(Refusal::ShuttingDown, None);
        Poll::Ready(())
    }

    fn poll_uplinks(&mut self, now: Instant, context: &mut Context<'_>) -> Poll<()> {
        let Some(uplinks) = &mut self.uplinks else { return Poll::Pending };
        let (publish, outcome) = ready!(uplinks.poll_answer(&self.instance, now, context));
        if uplinks.is_empty() {
            self.uplinks = None;
        }
        self.protocol.published(publish, outcome);
        Poll::Ready(())
    }

    fn poll_read(&mut self, now: Instant, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.protocol.wants_input() || self.is_too_fast(now) {
            return Poll::Pending;
        }
        let mut scratch = [const { MaybeUninit::uninit() }; READ_BYTES];
        let mut read = ReadBuf::uninit(&mut scratch);
        ready!(Pin::new(&mut self.tls).poll_read(context, &mut read))?;
        if read.filled().is_empty() {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        self.backlogged = false;
        self.paces[1].spend(read.filled().len(), now);
        self.protocol.receive(read.filled(), self.edge.now_ms());
        Poll::Ready(Ok(()))
    }

    /// Whether more is under way than the device may have: then it is not read from, and slows down by itself.
    fn is_too_fast(&self, now: Instant) -> bool {
        let in_flight = self.uplinks.as_ref().map_or(0, |uplinks| uplinks.bytes());
        in_flight >= self.edge.config.limits.uplink_bytes_in_flight_max as usize
            || self.paces.iter().any(|pace| pace.resumes_at(now).is_some())
    }

    /// The timer is moved only when it would ring too late: each packet puts the keep-alive off, and a ring that is
    /// early does no harm.
    fn poll_timer(&mut self, now: Instant, context: &mut Context<'_>) -> Poll<()> {
        let deadline_ms = self.protocol.deadline_ms();
        if deadline_ms.is_some_and(|at_ms| self.edge.instant(at_ms) <= now) {
            self.protocol.tick(self.edge.now_ms());
            return Poll::Ready(());
        }
        let deadline = deadline_ms.map(|at_ms| self.edge.instant(at_ms));
        let again = self.uplinks.as_ref().and_then(|uplinks| uplinks.again_at());
        let [messages, bytes] = &self.paces;
        let all = [deadline, messages.resumes_at(now), bytes.resumes_at(now), again];
        let Some(due) = all.into_iter().flatten().min() else { return Poll::Pending };
        if due < self.timer.deadline() || self.timer.is_elapsed() {
            self.timer.as_mut().reset(due);
        }
        self.timer.as_mut().poll(context)
    }

    /// Says goodbye: what is left of the output, close_notify, and time to read both.
    async fn end(mut self, closing: Closing) {
        match (&self.stage, &closing) {
            (_, Closing::Client) => {}
            (Stage::Outside(_), Closing::Refused(refusal)) => entrance::report(&self.instance, self.source, refusal),
            (Stage::Outside(_), Closing::Violated(violation)) => metrics().refused(&violation.refusal()),
            (Stage::Inside(held), closing) => report_closed(&self.instance, &held.session, closing),
        }
        let goodbye = async {
            while !self.protocol.output().is_empty() {
                let bytes = self.tls.write(self.protocol.output()).await?;
                self.protocol.written(bytes);
            }
            self.tls.shutdown().await
        };
        let said = timeout(self.edge.config.limits.linger(), goodbye).await;
        // The device is offline from here on, whatever it still has to read.
        drop(self.stage);
        if matches!((said, closing), (Ok(Ok(())), Closing::Refused(_) | Closing::Violated(_))) {
            linger(&self.edge, self.tls.into_inner().0).await;
        }
    }
}

fn report_closed(instance: &Instance, session: &Session, closing: &Closing) {
    let Some(refusal) = closing.refusal() else { return };
    metrics().closed(&refusal);
    let reason = match closing {
        Closing::Client => String::new(),
        Closing::Refused(refusal) => refusal.to_string(),
        Closing::Violated(violation) => violation.to_string(),
    };
    let code = refusal.code();
    tracing::info!(instance = %instance.id, device = %session.device.device, code, ?reason, "session closed");
}
