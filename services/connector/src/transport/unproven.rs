//! Bounds the connections that have not proven anything: from accept to CONNECT over a verified client certificate.
//!
//! Who comes last is not refused, as by a [shared bound](rollcall_chassis::sources::SharedBound): somebody else may have to
//! close, without an alert, which a flood would not read. Invariant: what has lost its place is closed before it is served
//! any further, and what has proven itself cannot be shed.

mod places;

use std::{
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use rollcall_chassis::sources::SourceNetwork;
use rollcall_log::repeats::Repeats;
use tokio::{sync::oneshot, time::Instant};

pub(crate) use self::places::Bounds;
use self::places::{Loser, Places};
use crate::metrics::{Shed, metrics};

/// Shared by all connections of a connector.
pub(crate) struct Unproven {
    places: Mutex<Places>,
    repeats: Repeats,
}

/// A place among the unproven; given back when it is dropped.
pub(crate) struct Place {
    unproven: Arc<Unproven>,
    source: SourceNetwork,
    number: u64,
}

/// Ready once the connection has lost its place; never, if it has given it back.
pub(crate) struct Lost(Option<oneshot::Receiver<()>>);

impl Unproven {
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self { places: Mutex::new(Places::new(bounds)), repeats: Repeats::default() })
    }

    /// Gives a connection a place.
    pub(crate) fn enter(self: &Arc<Self>, source: IpAddr) -> (Place, Lost) {
        let (shed, lost) = oneshot::channel();
        let source = SourceNetwork::of(source);
        let (number, losers) = self.places().enter(source, shed, Instant::now());
        self.report(&losers);
        (Place { unproven: self.clone(), source, number }, Lost(Some(lost)))
    }

    /// No connection is left for one that arrives: makes another end, and says whether one does.
    pub(crate) fn make_way(&self, source: IpAddr) -> bool {
        let loser = self.places().make_way(SourceNetwork::of(source), Instant::now());
        self.report(loser.as_slice());
        loser.is_some()
    }

    fn report(&self, losers: &[Loser]) {
        for Loser { source, why } in losers {
            metrics().shed(*why);
            let what = match why {
                Shed::Unanswered => "a connection was closed: it let half a handshake wait while many are unproven",
                Shed::OfSource => "a connection was closed: its source has too many that are unproven",
                Shed::NoConnectionLeft => {
                    "a connection was closed: all are taken, and its source has most that are unproven"
                }
                Shed::Full => "a connection was closed: too many are unproven, most of them of its source",
            };
            if let Some(left_out) = self.repeats.failed(what) {
                tracing::warn!(%source, left_out, "{what}");
            }
        }
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        // What a panic leaves behind is a place too many at worst.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The connection comes from another source than its socket does, says who may say that.
    pub(crate) fn attribute(&mut self, source: IpAddr) {
        let (from, to) = (self.source, SourceNetwork::of(source));
        if from != to {
            let losers = self.unproven.places().attribute(from, to, self.number, Instant::now());
            self.source = to;
            self.unproven.report(&losers);
        }
    }

    /// From here on the client is waited for.
    pub(crate) fn wait_for_client(&self) {
        self.unproven.places().wait_for(self.source, self.number, true);
    }

    /// From here on the client waits for us.
    pub(crate) fn take_turn(&self) {
        self.unproven.places().wait_for(self.source, self.number, false);
    }

    /// From here on the client has a short time to answer, if places are scarce.
    pub(crate) fn flight_sent(&self) {
        self.unproven.places().flight_sent(self.source, self.number, Instant::now());
    }

    /// The handshake is complete; CONNECT is waited for.
    pub(crate) fn handshake_complete(&self) {
        self.unproven.places().answered(self.source, self.number);
        self.wait_for_client();
    }

    /// The client has proven who it is; `false`: too late, its place was lost.
    pub(crate) fn prove(self) -> bool {
        self.unproven.places().leave(self.source, self.number)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.unproven.places().leave(self.source, self.number);
    }
}

impl Future for Lost {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(lost) = &mut self.0 else { return Poll::Pending };
        match std::task::ready!(Pin::new(lost).poll(cx)) {
            Ok(()) => Poll::Ready(()),
            Err(_) => {
                self.0 = None;
                Poll::Pending
            }
        }
    }
}

impl std::fmt::Debug for Unproven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unproven").field("taken", &self.places().taken()).finish_non_exhaustive()
    }
}
