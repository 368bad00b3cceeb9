//! What a request's handling has left of its body: read off and thrown away, within a bound, before the request is answered.
//!
//! A socket that is closed with bytes in it that nobody has read resets the connection, and the client, which is still sending,
//! never reads why it was refused. Bodies are refused in many places; here it is seen to once for all. Invariant: nothing that
//! is thrown away is kept, and it costs no more than the named bytes and time.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};
use tokio::sync::oneshot;

/// What is thrown away of one body at most, bytes; one that is longer is cut off.
const THROWN_AWAY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long that may take.
const THROWN_AWAY_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a client may pause; one that does so for longer waits for its answer.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Gets the rest of a body.
pub(super) struct Leftover(oneshot::Receiver<Body>);

/// A body of which the rest comes back when it is dropped.
struct Lent {
    /// `None` once it has ended.
    body: Option<Body>,
    /// The client waits for 100 Continue (RFC 9110 section 10.1.1), which the first read would send: it has sent nothing, and
    /// is to keep it.
    is_held_back: bool,
    rest: Option<oneshot::Sender<Body>>,
}

/// Lends a body out. `is_held_back`: the client sends it only when it is asked to.
pub(super) fn lend(body: Body, is_held_back: bool) -> (Body, Leftover) {
    let (rest, leftover) = oneshot::channel();
    (Body::new(Lent { body: Some(body), is_held_back, rest: Some(rest) }), Leftover(leftover))
}

impl Leftover {
    /// To be called when the request has its answer.
    pub(super) async fn throw_away(mut self) {
        let Ok(rest) = self.0.try_recv() else { return };
        // What lasts longer is cut off: its client had its chance.
        let _ = tokio::time::timeout(THROWN_AWAY_TIME_MAX, read_off(rest)).await;
    }
}

async fn read_off(mut body: Body) {
    let mut left = THROWN_AWAY_BYTES_MAX;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(PAUSE_MAX, body.frame()).await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(bytes) {
            Some(less) => left = less,
            None => return,
        }
    }
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.is_held_back = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let rest = self.body.take().filter(|body| !self.is_held_back && !body.is_end_stream());
        if let (Some(body), Some(to)) = (rest, self.rest.take()) {
            // The receiver may be gone with the connection.
            drop(to.send(body));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_rest_of_a_body_comes_back_unless_it_was_never_asked_for() {
        let (body, leftover) = lend(Body::from("12345"), false);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "12345");
        assert!(leftover.0.await.is_err(), "nothing was left");
        let (body, leftover) = lend(Body::from("12345"), false);
        drop(body);
        assert_eq!(leftover.0.await.unwrap().collect().await.unwrap().to_bytes(), "12345");
        let (body, leftover) = lend(Body::from("12345"), true);
        drop(body);
        assert!(leftover.0.await.is_err(), "the client holds it back");
    }

    #[tokio::test(start_paused = true)]
    async fn throwing_away_ends_with_a_body_that_does_not() {
        let (_sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(1);
        let endless = futures_util::stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        let (body, leftover) = lend(Body::from_stream(endless), false);
        drop(body);
        leftover.throw_away().await;
    }
}
