//! Server-sent events (WHATWG HTML, section 9.2) to one client: a bounded buffer, comments while nothing comes, and a last
//! event that says why the stream ends.
//!
//! Does not know what the events say. Invariants: what is buffered for a client is bounded; a client that does not read
//! keeps nobody waiting for longer than it may stall; the last event comes after those before it, or instead of them.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
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
    /// Whether what waits is not to go out any more.
    withheld: Arc<AtomicBool>,
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
    let ((last, ending), withheld) = (oneshot::channel(), Arc::<AtomicBool>::default());
    let sender = EventSender {
        events,
        room: Arc::new(Semaphore::new(BUFFER_BYTES_MAX)),
        last,
        withheld: Arc::clone(&withheld),
        stall_max,
    };
    let body = stream::unfold(Some(Reader { buffered, ending, withheld }), async |reader| {
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

    /// Ends the stream with this event, after those that wait.
    pub(crate) fn end(self, last: Event) {
        // The client may have gone.
        let _ = self.last.send(last);
    }

    /// Ends the stream with this event, and withholds those that wait.
    pub(crate) fn end_now(self, last: Event) {
        self.withheld.store(true, Ordering::Release);
        self.end(last);
    }
}

/// Where they come out.
struct Reader {
    buffered: mpsc::Receiver<Buffered>,
    ending: oneshot::Receiver<Event>,
    withheld: Arc<AtomicBool>,
}

impl Reader {
    /// `None`: the last event comes next.
    async fn next(&mut self) -> Option<Event> {
        let next = self.buffered.recv().await?;
        (!self.withheld.load(Ordering::Acquire)).then_some(next.event)
    }
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
        sender.end(event("over"));
        assert_eq!(text(response).await, "data: one\n\ndata: over\n\n");
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
            sender.end(event("slow"));
            assert_eq!(text(response).await, format!("{}data: slow\n\n", "data: x\n\n".repeat(fit)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_broken_by_comments() {
        let (sender, response) = event_stream(STALL);
        let reading = tokio::spawn(text(response));
        tokio::time::sleep(KEEP_ALIVE * 2 + Duration::from_secs(1)).await;
        sender.end(event("over"));
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
