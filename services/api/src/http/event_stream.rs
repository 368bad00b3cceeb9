//! Server-sent events (WHATWG HTML, section 9.2) to one client: a bounded buffer, comments while nothing comes, and a last
//! event that says why the stream ends.
//!
//! Does not know what the events say. Invariants: what is buffered for a client is bounded, and nothing is after the stream
//! has ended, however long its response stays; a client that does not read keeps nobody waiting for longer than it may
//! stall; the last event comes after those before it, or instead of them.

use std::{
    convert::Infallible,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{
        IntoResponse as _, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::timeout,
};

/// The header by which a client says which event it has had last.
pub(crate) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Tells a proxy (nginx) not to collect events before it passes them on.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// How long a stream may be silent: proxies take one that is silent for a minute for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Most events that wait for a client.
const BUFFER_EVENTS_MAX: usize = 256;
/// Most bytes of events that wait for a client, but for one event that alone has more.
const BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Where the events of one client go in.
pub(crate) struct EventSender {
    events: mpsc::Sender<Buffered>,
    room: Arc<Semaphore>,
    last: oneshot::Sender<Event>,
    /// What waits; none when the response is gone.
    waiting: Weak<Mutex<mpsc::Receiver<Buffered>>>,
    stall_max: Duration,
}

/// Why an event has not gone in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// The client has gone away.
    Gone,
    /// There was no room for it for as long as the client may stall.
    Stalled,
}

struct Buffered {
    event: Event,
    _room: OwnedSemaphorePermit,
}

/// A stream, and the response that it is the body of.
pub(crate) fn event_stream(stall_max: Duration) -> (EventSender, Response) {
    let (events, buffered) = mpsc::channel(BUFFER_EVENTS_MAX);
    let ((last, ending), buffered) = (oneshot::channel(), Arc::new(Mutex::new(buffered)));
    let sender = EventSender {
        events,
        room: Arc::new(Semaphore::new(BUFFER_BYTES_MAX)),
        last,
        waiting: Arc::downgrade(&buffered),
        stall_max,
    };
    let body = stream::unfold(Some(Reader { buffered, ending }), async |reader| {
        let mut reader = reader?;
        match reader.next().await {
            Some(event) => Some((Ok::<_, Infallible>(event), Some(reader))),
            None => Some((Ok(reader.ending.await.ok()?), None)),
        }
    });
    let mut response = Sse::new(body).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    (sender, response)
}

impl EventSender {
    /// Puts an event of so many bytes in, once there is room.
    ///
    /// # Errors
    /// [`Unsent`].
    pub(crate) async fn send(&self, event: Event, bytes: usize) -> Result<(), Unsent> {
        let bytes = u32::try_from(bytes.clamp(1, BUFFER_BYTES_MAX)).unwrap_or(u32::MAX);
        let putting = async {
            let room = Arc::clone(&self.room).acquire_many_owned(bytes).await.map_err(|_closed| Unsent::Gone)?;
            self.events.send(Buffered { event, _room: room }).await.map_err(|_gone| Unsent::Gone)
        };
        tokio::select! {
            () = self.events.closed() => Err(Unsent::Gone),
            put = timeout(self.stall_max, putting) => put.unwrap_or(Err(Unsent::Stalled)),
        }
    }

    /// Returns when the client has gone away.
    pub(crate) async fn gone(&self) {
        self.events.closed().await;
    }

    /// Ends the stream with this event, after those that wait and that the client reads before it stalls. Dropped before it
    /// returns, it leaves them all to be read.
    pub(crate) async fn end(self, last: Event) {
        // The client may have gone.
        let _ = self.last.send(last);
        let read = async {
            tokio::select! {
                () = self.events.closed() => {}
                _all = self.room.acquire_many(BUFFER_BYTES_MAX as u32) => {}
            }
        };
        let _in_time = timeout(self.stall_max, read).await;
        discard(&self.waiting);
    }

    /// Ends the stream with this event, in the place of those that wait.
    pub(crate) fn end_now(self, last: Event) {
        discard(&self.waiting);
        let _ = self.last.send(last);
    }
}

fn discard(waiting: &Weak<Mutex<mpsc::Receiver<Buffered>>>) {
    if let Some(waiting) = waiting.upgrade() {
        let mut waiting = locked(&waiting);
        while waiting.try_recv().is_ok() {}
    }
}

/// Where they come out.
struct Reader {
    buffered: Arc<Mutex<mpsc::Receiver<Buffered>>>,
    ending: oneshot::Receiver<Event>,
}

impl Reader {
    /// `None`: the last event comes next.
    async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| locked(&self.buffered).poll_recv(cx)).await.map(|next| next.event)
    }
}

fn locked(buffered: &Mutex<mpsc::Receiver<Buffered>>) -> MutexGuard<'_, mpsc::Receiver<Buffered>> {
    buffered.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    const STALL: Duration = Duration::from_secs(10);

    fn event(text: &str) -> Event {
        Event::default().data(text)
    }

    async fn text(response: Response) -> String {
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_event_comes_after_what_waits_or_instead_of_it() {
        let (sender, response) = event_stream(STALL);
        sender.send(event("one"), 3).await.unwrap();
        let (read, ()) = tokio::join!(text(response), sender.end(event("over")));
        assert_eq!(read, "data: one\n\ndata: over\n\n");
        let (sender, response) = event_stream(STALL);
        sender.send(event("one"), 3).await.unwrap();
        sender.end_now(event("over"));
        assert_eq!(text(response).await, "data: over\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_has_a_bounded_buffer_and_is_told_when_it_reads_again() {
        for (bytes, fit) in [(1, BUFFER_EVENTS_MAX), (BUFFER_BYTES_MAX / 2, 2), (BUFFER_BYTES_MAX * 2, 1)] {
            let (sender, response) = event_stream(STALL);
            let started = tokio::time::Instant::now();
            for _ in 0..fit {
                sender.send(event("x"), bytes).await.unwrap();
            }
            assert_eq!(started.elapsed(), Duration::ZERO, "there is room for {fit} events of {bytes} bytes");
            assert_eq!(sender.send(event("x"), bytes).await, Err(Unsent::Stalled));
            assert_eq!(started.elapsed(), STALL);
            let (read, ()) = tokio::join!(text(response), sender.end(event("slow")));
            assert_eq!(read, format!("{}data: slow\n\n", "data: x\n\n".repeat(fit)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_for_a_client_after_its_stream_has_ended() {
        for at_once in [true, false] {
            let (sender, response) = event_stream(STALL);
            sender.send(event("x"), 1).await.unwrap();
            let room = Arc::downgrade(&sender.room);
            let started = tokio::time::Instant::now();
            if at_once {
                sender.end_now(event("slow"));
                assert_eq!(started.elapsed(), Duration::ZERO);
            } else {
                sender.end(event("slow")).await;
                assert_eq!(started.elapsed(), STALL, "it might have read");
            }
            assert!(room.upgrade().is_none(), "nothing takes room any more, although the response is there");
            assert_eq!(text(response).await, "data: slow\n\n");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_broken_by_comments() {
        let (sender, response) = event_stream(STALL);
        let reading = tokio::spawn(text(response));
        tokio::time::sleep(KEEP_ALIVE * 2 + Duration::from_secs(1)).await;
        sender.end(event("over")).await;
        assert_eq!(reading.await.unwrap(), ":\n\n:\n\ndata: over\n\n");
    }

    #[tokio::test]
    async fn a_client_that_has_gone_is_noticed() {
        let (sender, response) = event_stream(STALL);
        drop(response);
        sender.gone().await;
        assert_eq!(sender.send(event("x"), 1).await, Err(Unsent::Gone));
    }
}
