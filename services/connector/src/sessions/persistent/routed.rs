//! Up to where the message stream has been routed to live sessions, and which sessions have yet to catch up with that.
//!
//! A session that has to catch up is read to from the stream, while the latest messages that are routed past it are kept
//! for it. So it need not come to exactly where routing is, which on a busy instance is always somewhere else by then: it
//! goes over as soon as it has been given everything up to the first of those. Invariant: a session goes over to what is
//! routed while nothing is being routed, with everything up to there given to it: no message is missed, and none comes
//! twice.

use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};

use rollcall_log::messages::{MessageCursor, MessagePosition};
use tokio::sync::Notify;

use super::state::{Reading, State};
use crate::sessions::{mailbox::Mailbox, session::Session};

/// The bounds of kept sessions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PersistentLimits {
    /// How long a session outlives its connection at most, seconds; 0: none does.
    pub(crate) expiry_s_max: u32,
    /// Messages that a session is given because it was away, at most.
    pub(crate) backlog_max: u32,
}

/// Whether positions go on from those that there were before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Continuity {
    Kept,
    /// The stream was made again, or has lost its end: an earlier position means nothing any more.
    Lost,
}

/// Of one instance.
#[derive(Debug)]
pub(crate) struct Routed {
    pub(crate) limits: PersistentLimits,
    routing: Mutex<Option<Routing>>,
    /// How often it was another stream that positions are of.
    streams: AtomicU64,
    behind: Mutex<Vec<Arc<Session>>>,
    more: Arc<Notify>,
}

#[derive(Clone, Copy, Debug)]
struct Routing {
    /// Every message after this has been routed up to `up_to`.
    from: MessageCursor,
    up_to: MessageCursor,
}

impl Routed {
    pub(crate) fn new(limits: PersistentLimits) -> Self {
        Self {
            limits,
            routing: Mutex::default(),
            streams: AtomicU64::new(0),
            behind: Mutex::default(),
            more: Arc::default(),
        }
    }

    /// Routing goes on after this cursor. After [`Continuity::Lost`] the sessions that there are have to begin anew.
    pub(crate) fn start(&self, after: MessageCursor) -> Continuity {
        let mut routing = self.routing();
        let before = routing.replace(Routing { from: after, up_to: after });
        match (before, &mut *routing) {
            (Some(before), _) if !after.covers(&before.up_to) => self.is_lost(),
            (Some(before), Some(routing)) if before.up_to == after => {
                routing.from = before.from;
                Continuity::Kept
            }
            _ => Continuity::Kept,
        }
    }

    fn is_lost(&self) -> Continuity {
        self.streams.fetch_add(1, Ordering::SeqCst);
        Continuity::Lost
    }

    /// Which stream positions are of, to be given to [`Self::add`] with those that a session goes on from.
    pub(super) fn stream(&self) -> u64 {
        self.streams.load(Ordering::SeqCst)
    }

    /// Whether the message that is to be routed next comes after those before it; if not, as [`Self::start`]. A message that
    /// is read twice comes after itself.
    pub(crate) fn continues_with(&self, position: MessagePosition) -> Continuity {
        let mut routing = self.routing();
        let Some(before) = *routing else { return Continuity::Kept };
        let mut moved = before.up_to;
        moved.advance(position);
        if moved == before.up_to || !before.up_to.covers(&moved) {
            return Continuity::Kept;
        }
        *routing = Some(Routing { from: MessageCursor::START, up_to: MessageCursor::START });
        self.is_lost()
    }

    /// Routes the message at a position.
    pub(crate) fn route(&self, position: MessagePosition, route: impl FnOnce()) {
        let mut routing = self.routing();
        route();
        let (from, up_to) = (MessageCursor::START, MessageCursor::START);
        routing.get_or_insert(Routing { from, up_to }).up_to.advance(position);
    }

    /// Up to where messages have been routed; `None` before the first time.
    pub(crate) fn up_to(&self) -> Option<MessageCursor> {
        self.routing().map(|routing| routing.up_to)
    }

    /// A session that was away has to catch up. Its filters are in the table by now: what is routed from here on and is
    /// for it is kept for it. It goes on from a position of `stream`.
    pub(super) fn add(&self, session: &Arc<Session>, stream: u64) {
        if let Some(state) = session.persistence.get() {
            self.keep_from_now(state);
        }
        if self.stream() != stream {
            session.persistence.begin_anew();
        }
        self.behind().push(session.clone());
        self.more.notify_one();
    }

    fn keep_from_now(&self, state: &State) {
        let routing = self.routing();
        state.keep_passed_after(routing.map_or(MessageCursor::START, |routing| routing.up_to));
    }

    /// Sessions that have to catch up and can take messages.
    pub(super) fn ready(&self) -> Vec<Arc<Session>> {
        let mut behind = self.behind();
        behind.retain(|session| {
            session.mailbox.closed().is_none() && matches!(session.persistence.reading(), Reading::Behind(_))
        });
        behind.iter().filter(|session| session.mailbox.has_room_or_notify(&self.more)).cloned().collect()
    }

    /// A session that has ended has nothing to catch up with.
    pub(crate) fn remove(&self, session: &Session) {
        self.behind().retain(|known| known.number != session.number);
    }

    /// Returns when a session may have become ready.
    pub(super) async fn more(&self) {
        self.more.notified().await;
    }

    /// A session has been given everything up to `cursor`: it goes over to what is routed, unless that has come too far.
    /// `true` if it has nothing to catch up with any more.
    pub(super) fn hand_over(&self, session: &Session, cursor: MessageCursor) -> bool {
        let Some(state) = session.persistence.get() else { return true };
        self.go_over(state, &session.mailbox, cursor)
    }

    fn go_over(&self, state: &State, mailbox: &Mailbox, cursor: MessageCursor) -> bool {
        // Nothing is routed while this is held.
        let routing = self.routing();
        routing.is_some_and(|routing| state.go_over(mailbox, cursor, routing.from))
    }

    fn routing(&self) -> MutexGuard<'_, Option<Routing>> {
        self.routing.lock().expect("nothing panics while it holds this lock")
    }

    fn behind(&self) -> MutexGuard<'_, Vec<Arc<Session>>> {
        self.behind.lock().expect("nothing panics while it holds this lock")
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use bytes::Bytes;
    use rollcall_domain::ids::{DeviceId, SpaceId};
    use rollcall_log::messages::{DeviceMessage, Lane, MessageProperties, StoredMessage};

    use super::{
        super::state::{PASSED_MESSAGES_MAX, Persistence},
        *,
    };
    use crate::sessions::mailbox::{Bounds, Mail};

    const LIMITS: PersistentLimits = PersistentLimits { expiry_s_max: 3600, backlog_max: 10 };

    fn message(sequence: u64) -> Arc<StoredMessage> {
        let message = DeviceMessage {
            lane: Lane::Peer,
            space: SpaceId::parse("s").unwrap(),
            device: DeviceId::parse("d").unwrap(),
            topic: "t".into(),
            payload: Bytes::new(),
            qos: 1,
            properties: MessageProperties::default(),
        };
        Arc::new(StoredMessage { position: MessagePosition::own(sequence), stored_at_ms: 0, message })
    }

    fn at(sequence: u64) -> MessageCursor {
        MessagePosition::own(sequence).into()
    }

    /// A session whose filters match every message, as the connection and the router use it.
    struct Subscriber {
        persistence: Persistence,
        mailbox: Mailbox,
        given: Vec<u64>,
    }

    impl Subscriber {
        fn behind(routed: &Routed, after: u64, mailbox_max: usize) -> Self {
            let persistence = Persistence::default();
            persistence.start().resume(at(after), at(after), Vec::new());
            routed.keep_from_now(persistence.get().unwrap());
            let mailbox = Mailbox::new(Bounds { messages_max: mailbox_max, bytes_max: 1000 });
            Self { persistence, mailbox, given: Vec::new() }
        }

        fn state(&self) -> &State {
            self.persistence.get().unwrap()
        }

        fn route(&self, routed: &Routed, sequence: u64) {
            if routed.continues_with(MessagePosition::own(sequence)) == Continuity::Lost {
                self.persistence.begin_anew();
            }
            routed.route(MessagePosition::own(sequence), || {
                if self.persistence.takes(&message(sequence)) {
                    assert!(self.mailbox.put(message(sequence)));
                }
            });
        }

        /// Takes all that waits.
        fn take(&mut self) {
            let mut cx = Context::from_waker(Waker::noop());
            while let Poll::Ready(Mail::Message(message)) = self.mailbox.poll_next(true, &mut cx) {
                self.given.push(message.position.sequence());
            }
        }
    }

    #[test]
    fn a_session_catches_up_however_far_routing_has_come_meanwhile() {
        let routed = Routed::new(LIMITS);
        assert_eq!(routed.start(at(100)), Continuity::Kept);
        let mut subscriber = Subscriber::behind(&routed, 90, 1000);
        // While the stream is read up to 105, twenty more are routed.
        (101..=120).for_each(|sequence| subscriber.route(&routed, sequence));
        (91..=105).for_each(|sequence| assert!(subscriber.mailbox.put(message(sequence))));
        assert!(routed.go_over(subscriber.state(), &subscriber.mailbox, at(105)));
        subscriber.route(&routed, 121);
        subscriber.take();
        assert_eq!(subscriber.given, (91..=121).collect::<Vec<_>>());
    }

    #[test]
    fn what_was_routed_before_and_what_is_not_kept_any_more_is_read_first() {
        let routed = Routed::new(LIMITS);
        assert_eq!(routed.start(at(100)), Continuity::Kept);
        let mut subscriber = Subscriber::behind(&routed, 90, 10_000);
        let more = PASSED_MESSAGES_MAX as u64 + 5;
        assert!(!routed.go_over(subscriber.state(), &subscriber.mailbox, at(99)), "100 was routed before it came");
        (101..=100 + more).for_each(|sequence| subscriber.route(&routed, sequence));
        assert!(!routed.go_over(subscriber.state(), &subscriber.mailbox, at(104)), "105 is not kept any more");
        assert!(routed.go_over(subscriber.state(), &subscriber.mailbox, at(105)));
        subscriber.take();
        assert_eq!(subscriber.given, (106..=100 + more).collect::<Vec<_>>());
    }

    #[test]
    fn a_mailbox_that_takes_only_some_gets_the_rest_later_and_each_once() {
        let routed = Routed::new(LIMITS);
        assert_eq!(routed.start(at(100)), Continuity::Kept);
        let mut subscriber = Subscriber::behind(&routed, 100, 3);
        (101..=108).for_each(|sequence| subscriber.route(&routed, sequence));
        let mut tries = 0;
        while !routed.go_over(subscriber.state(), &subscriber.mailbox, at(100)) {
            subscriber.take();
            tries += 1;
        }
        subscriber.take();
        assert_eq!((tries, subscriber.given), (2, (101..=108).collect::<Vec<_>>()));
    }

    #[test]
    fn a_stream_that_was_made_again_is_routed_from_its_beginning_to_every_session() {
        let routed = Routed::new(LIMITS);
        assert_eq!(routed.start(at(100)), Continuity::Kept);
        let mut caught_up = Subscriber::behind(&routed, 90, 1000);
        assert!(routed.go_over(caught_up.state(), &caught_up.mailbox, at(100)));
        let mut behind = Subscriber::behind(&routed, 90, 1000);
        for subscriber in [&mut caught_up, &mut behind] {
            assert_eq!(routed.start(at(100)), Continuity::Kept, "following begins again where it was");
            (1..=3).for_each(|sequence| subscriber.route(&routed, sequence));
            subscriber.take();
            assert_eq!(subscriber.given, [1, 2, 3]);
            assert_eq!(subscriber.state().acknowledged(routed.up_to(), &subscriber.mailbox), Some(at(3)));
            // What was still being read of the old one changes nothing.
            assert!(routed.go_over(subscriber.state(), &subscriber.mailbox, at(110)));
            subscriber.route(&routed, 4);
            subscriber.take();
            assert_eq!(subscriber.given, [1, 2, 3, 4]);
            assert_eq!(routed.start(at(2)), Continuity::Lost, "a stream that has lost its end");
            assert_eq!(routed.start(at(100)), Continuity::Kept);
        }
    }
}
