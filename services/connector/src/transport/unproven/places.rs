//! Who has a place among the unproven connections, and who loses it when they are too many. Time is an argument.
//!
//! A place is taken from the source that has most, so that a flood sheds itself. Of that source it is the connection that has
//! let us wait longest. If none lets us wait, the machine is what is slow, and the newest one loses its place: were it the
//! oldest, a storm would shed each connection just before its turn, and no device would ever get in.
//! While half of the places are free, neither the bound of a source nor the deadline for an answer holds: many devices may
//! share an address, and some are slow. When no connection is left for who arrives, places are scarce however few are taken:
//! connections that have proven themselves have all the others.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use rollcall_chassis::sources::SourceNetwork;
use tokio::{sync::oneshot, time::Instant};

use crate::metrics::Shed;

/// Connections past their deadline that one arrival sheds at most, which bounds its work.
const OVERDUE_PER_ARRIVAL_MAX: usize = 64;

/// How many may be unproven.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) total_max: usize,
    /// Of one source, while more than half of `total_max` are taken.
    pub(crate) per_source_max: usize,
    /// From the server's flight to the client's, while more than half of `total_max` are taken.
    pub(crate) answer_max: Duration,
}

/// A connection that has lost its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Loser {
    pub(crate) source: SourceNetwork,
    pub(crate) why: Shed,
}

pub(super) struct Places {
    bounds: Bounds,
    sources: HashMap<SourceNetwork, Source>,
    /// The source that loses the next place is last.
    ranking: BTreeSet<Rank>,
    /// Connections that have been sent the server's flight and are still in the handshake, by when.
    in_handshake: BTreeSet<(Instant, SourceNetwork, u64)>,
    taken: usize,
    /// Numbers connections, and the order in which they began to let us wait.
    next: u64,
}

#[derive(Default)]
struct Source {
    connections: BTreeMap<u64, Connection>,
    /// Those that let us wait: since when, and which.
    waited_for: BTreeSet<(u64, u64)>,
}

struct Connection {
    /// Tells it that it has lost its place.
    shed: oneshot::Sender<()>,
    waited_for_since: Option<u64>,
    flight_sent: Option<Instant>,
}

/// How many it has; whose connection has let us wait longest; whose is newest.
type Rank = (usize, Reverse<u64>, u64, SourceNetwork);

impl Places {
    pub(super) fn new(bounds: Bounds) -> Self {
        Self { bounds, sources: HashMap::new(), ranking: BTreeSet::new(), in_handshake: BTreeSet::new(), taken: 0, next: 0 }
    }

    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Gives a new connection a place; returns its number, and who has lost a place for that, which may be itself.
    pub(super) fn enter(&mut self, source: SourceNetwork, shed: oneshot::Sender<()>, now: Instant) -> (u64, Vec<Loser>) {
        let number = self.number();
        let connection = Connection { shed, waited_for_since: None, flight_sent: None };
        self.insert(source, number, connection);
        (number, self.make_room(source, now))
    }

    /// The connection comes from another source than it seemed to.
    pub(super) fn attribute(&mut self, from: SourceNetwork, to: SourceNetwork, number: u64, now: Instant) -> Vec<Loser> {
        let Some(connection) = self.remove(from, number) else { return Vec::new() };
        self.insert(to, number, Connection { waited_for_since: None, ..connection });
        self.make_room(to, now)
    }

    /// Whether the client is to be waited for, or waits for us.
    pub(super) fn wait_for(&mut self, source: SourceNetwork, number: u64, is_waited_for: bool) {
        let since = self.number();
        self.change(source, |held| {
            let Some(connection) = held.connections.get_mut(&number) else { return };
            if let Some(before) = connection.waited_for_since.take() {
                held.waited_for.remove(&(before, number));
            }
            if is_waited_for {
                connection.waited_for_since = Some(since);
                held.waited_for.insert((since, number));
            }
        });
    }

    /// The server's flight has been sent. Counts once: a second one does not put the deadline off.
    pub(super) fn flight_sent(&mut self, source: SourceNetwork, number: u64, now: Instant) {
        let connection = self.sources.get_mut(&source).and_then(|held| held.connections.get_mut(&number));
        if let Some(connection) = connection
            && connection.flight_sent.is_none()
        {
            connection.flight_sent = Some(now);
            self.in_handshake.insert((now, source, number));
        }
    }

    /// The handshake is complete.
    pub(super) fn answered(&mut self, source: SourceNetwork, number: u64) {
        let connection = self.sources.get_mut(&source).and_then(|held| held.connections.get_mut(&number));
        if let Some(sent) = connection.and_then(|connection| connection.flight_sent) {
            self.in_handshake.remove(&(sent, source, number));
        }
    }

    /// Gives the place back; `false`: it had been lost.
    pub(super) fn leave(&mut self, source: SourceNetwork, number: u64) -> bool {
        self.remove(source, number).is_some()
    }

    /// Makes one connection end for one that arrives from `arriving`, whose place is not taken yet; `None`: nobody has to.
    ///
    /// Who is overdue ends first. Otherwise a source loses a place only if it has as many left as the arriving one then
    /// has: a storm of devices, each from an address of its own, would else close each other before any is done.
    pub(super) fn make_way(&mut self, arriving: SourceNetwork, now: Instant) -> Option<Loser> {
        let mut losers = Vec::new();
        let overdue = self.overdue(now).next();
        if let Some((source, number)) = overdue {
            self.shed(source, number, Shed::Unanswered, &mut losers);
        } else if let Some(&(most, .., source)) = self.ranking.last() {
            let of_arriving = self.sources.get(&arriving).map_or(0, |held| held.connections.len());
            if most > of_arriving + 1 {
                self.shed_of(source, Shed::NoConnectionLeft, &mut losers);
            }
        }
        losers.pop()
    }

    fn make_room(&mut self, arrived: SourceNetwork, now: Instant) -> Vec<Loser> {
        let mut losers = Vec::new();
        if self.more_than_half_taken() {
            self.shed_unanswered(now, &mut losers);
        }
        let of_source = self.sources.get(&arrived).map_or(0, |held| held.connections.len());
        if self.more_than_half_taken() && of_source > self.bounds.per_source_max {
            self.shed_of(arrived, Shed::OfSource, &mut losers);
        }
        if self.taken > self.bounds.total_max
            && let Some(&(.., source)) = self.ranking.last()
        {
            self.shed_of(source, Shed::Full, &mut losers);
        }
        losers
    }

    fn more_than_half_taken(&self) -> bool {
        self.taken > self.bounds.total_max / 2
    }

    /// Only when room is needed, so that no timer is.
    fn shed_unanswered(&mut self, now: Instant, losers: &mut Vec<Loser>) {
        let overdue: Vec<_> = self.overdue(now).collect();
        for (source, number) in overdue {
            if !self.more_than_half_taken() {
                return;
            }
            self.shed(source, number, Shed::Unanswered, losers);
        }
    }

    /// Those that owe us an answer for longer than they may, among the first that were sent our flight.
    fn overdue(&self, now: Instant) -> impl Iterator<Item = (SourceNetwork, u64)> {
        let sent = self.in_handshake.iter();
        let late = sent.take_while(move |(sent, ..)| now.duration_since(*sent) >= self.bounds.answer_max);
        late.take(OVERDUE_PER_ARRIVAL_MAX).filter_map(|(_, source, number)| {
            // One that has answered and waits for its turn is not late; we are.
            let connection = self.sources.get(source)?.connections.get(number)?;
            connection.waited_for_since.map(|_| (*source, *number))
        })
    }

    fn shed_of(&mut self, source: SourceNetwork, why: Shed, losers: &mut Vec<Loser>) {
        let Some(held) = self.sources.get(&source) else { return };
        let longest = held.waited_for.first().map(|(_, number)| *number);
        if let Some(number) = longest.or_else(|| held.connections.last_key_value().map(|(number, _)| *number)) {
            self.shed(source, number, why, losers);
        }
    }

    fn shed(&mut self, source: SourceNetwork, number: u64, why: Shed, losers: &mut Vec<Loser>) {
        if let Some(connection) = self.remove(source, number) {
            // A connection that ends at this moment does not need to be told.
            let _ = connection.shed.send(());
            losers.push(Loser { source, why });
        }
    }

    fn insert(&mut self, source: SourceNetwork, number: u64, connection: Connection) {
        if let Some(sent) = connection.flight_sent {
            self.in_handshake.insert((sent, source, number));
        }
        self.taken += 1;
        self.change(source, |held| drop(held.connections.insert(number, connection)));
    }

    fn remove(&mut self, source: SourceNetwork, number: u64) -> Option<Connection> {
        let connection = self.change(source, |held| {
            let connection = held.connections.remove(&number)?;
            if let Some(since) = connection.waited_for_since {
                held.waited_for.remove(&(since, number));
            }
            Some(connection)
        })?;
        if let Some(sent) = connection.flight_sent {
            self.in_handshake.remove(&(sent, source, number));
        }
        self.taken -= 1;
        Some(connection)
    }

    /// Changes what a source has, and where it ranks.
    fn change<T>(&mut self, source: SourceNetwork, change: impl FnOnce(&mut Source) -> T) -> T {
        let held = self.sources.entry(source).or_default();
        if let Some(rank) = held.rank(source) {
            self.ranking.remove(&rank);
        }
        let changed = change(held);
        match held.rank(source) {
            Some(rank) => drop(self.ranking.insert(rank)),
            None => drop(self.sources.remove(&source)),
        }
        changed
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

impl Source {
    fn rank(&self, source: SourceNetwork) -> Option<Rank> {
        let newest = *self.connections.last_key_value()?.0;
        let longest = self.waited_for.first().map_or(u64::MAX, |(since, _)| *since);
        Some((self.connections.len(), Reverse(longest), newest, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { total_max: 8, per_source_max: 6, answer_max: Duration::from_secs(3) };

    struct Scene {
        places: Places,
        now: Instant,
    }

    /// A connection, as the test holds it.
    struct Held {
        source: SourceNetwork,
        number: u64,
        shed: oneshot::Receiver<()>,
    }

    impl Held {
        fn is_shed(&mut self) -> bool {
            self.shed.try_recv().is_ok()
        }
    }

    fn source(n: u8) -> SourceNetwork {
        SourceNetwork::of([192, 0, 2, n].into())
    }

    impl Scene {
        fn new() -> Self {
            Self { places: Places::new(BOUNDS), now: Instant::now() }
        }

        fn enter(&mut self, n: u8) -> (Held, Vec<Loser>) {
            let (shed, receiver) = oneshot::channel();
            let (number, losers) = self.places.enter(source(n), shed, self.now);
            (Held { source: source(n), number, shed: receiver }, losers)
        }

        /// It has been sent the server's flight and is silent.
        fn silent(&mut self, n: u8) -> (Held, Vec<Loser>) {
            let (held, losers) = self.enter(n);
            self.places.flight_sent(held.source, held.number, self.now);
            self.places.wait_for(held.source, held.number, true);
            (held, losers)
        }
    }

    #[tokio::test]
    async fn f44_a_flood_sheds_itself_the_longest_silent_first() {
        let mut scene = Scene::new();
        let (mut lonely, _) = scene.silent(1);
        let mut flood: Vec<_> = (0..5).map(|_| scene.silent(2).0).collect();
        let mut more: Vec<_> = (0..2).map(|_| scene.enter(3).0).collect();
        let (mut device, losers) = scene.enter(4);
        assert_eq!(losers, [Loser { source: source(2), why: Shed::Full }]);
        let shed: Vec<_> = flood.iter_mut().map(Held::is_shed).collect();
        assert_eq!(shed, [true, false, false, false, false]);
        assert!(!lonely.is_shed() && !device.is_shed() && !more.iter_mut().any(Held::is_shed));
        assert_eq!(scene.places.taken(), 8);
        assert!(!scene.places.leave(source(2), flood[0].number), "its place was lost");
    }

    #[tokio::test]
    async fn a_storm_that_waits_for_us_loses_who_came_last_and_not_who_is_next() {
        let mut scene = Scene::new();
        let mut first: Vec<_> = (0..8).map(|n| scene.enter(n).0).collect();
        let (mut late, losers) = scene.enter(9);
        assert_eq!(losers, [Loser { source: source(9), why: Shed::Full }]);
        assert!(late.is_shed() && !first.iter_mut().any(Held::is_shed));
        // One of them lets us wait: that one loses its place.
        scene.places.wait_for(first[3].source, first[3].number, true);
        let (mut late, _) = scene.enter(9);
        assert!(!late.is_shed() && first[3].is_shed());
    }

    #[tokio::test]
    async fn neither_bound_of_a_source_nor_deadline_holds_while_half_of_the_places_are_free() {
        let mut scene = Scene::new();
        scene.places.bounds.per_source_max = 2;
        let mut slow: Vec<_> = (0..4).map(|_| scene.silent(1).0).collect();
        scene.now += Duration::from_secs(9);
        assert!(!slow.iter_mut().any(Held::is_shed));
        // The fifth of eight.
        let (_, losers) = scene.enter(2);
        assert_eq!(losers, [Loser { source: source(1), why: Shed::Unanswered }]);
        assert!(slow[0].is_shed() && !slow[1].is_shed(), "no more than needed");
    }

    #[tokio::test]
    async fn a_source_over_its_bound_loses_its_own() {
        let mut scene = Scene::new();
        let mut many: Vec<_> = (0..6).map(|_| scene.silent(1).0).collect();
        let (_, losers) = scene.silent(1);
        assert_eq!(losers, [Loser { source: source(1), why: Shed::OfSource }]);
        assert!(many[0].is_shed() && !many[1].is_shed());
    }

    #[tokio::test]
    async fn f44_way_is_made_at_the_cost_of_who_has_most_and_not_of_who_has_as_few() {
        let mut scene = Scene::new();
        let mut flood: Vec<_> = (0..3).map(|_| scene.silent(1).0).collect();
        let mut lonely = scene.silent(2).0;
        assert_eq!(scene.places.make_way(source(1), scene.now), None, "who has most closes none of its own for more");
        let why = Shed::NoConnectionLeft;
        assert_eq!(scene.places.make_way(source(3), scene.now), Some(Loser { source: source(1), why }));
        assert!(flood[0].is_shed());
        assert_eq!(scene.places.make_way(source(2), scene.now), None, "it would have more than the other then");
        assert_eq!(scene.places.make_way(source(3), scene.now), Some(Loser { source: source(1), why }));
        assert_eq!(scene.places.make_way(source(3), scene.now), None, "one each");
        assert!(flood[1].is_shed() && !flood[2].is_shed() && !lonely.is_shed());
        // Whoever is late makes way, for its own source too.
        scene.now += Duration::from_secs(3);
        let why = Shed::Unanswered;
        assert_eq!(scene.places.make_way(source(1), scene.now), Some(Loser { source: source(1), why }));
        assert_eq!(scene.places.make_way(source(1), scene.now), Some(Loser { source: source(2), why }));
        assert_eq!(scene.places.make_way(source(1), scene.now), None, "nobody is left");
    }

    #[tokio::test]
    async fn who_has_answered_and_waits_for_its_turn_is_not_late() {
        let mut scene = Scene::new();
        let mut answered = scene.silent(1).0;
        scene.places.wait_for(answered.source, answered.number, false);
        let mut complete = scene.silent(2).0;
        scene.places.answered(complete.source, complete.number);
        let others: Vec<_> = (3..6).map(|n| scene.silent(n).0).collect();
        scene.now += Duration::from_secs(3);
        let (_, losers) = scene.enter(7);
        assert!(losers.iter().all(|loser| loser.source == others[0].source || loser.source == others[1].source));
        assert!(!answered.is_shed() && !complete.is_shed());
    }

    #[tokio::test]
    async fn a_place_moves_to_the_source_that_a_proxy_names() {
        let mut scene = Scene::new();
        let proxied: Vec<_> = (0..6).map(|_| scene.silent(1).0).collect();
        for (n, held) in (10..).zip(&proxied) {
            assert_eq!(scene.places.attribute(source(1), source(n), held.number, scene.now), []);
        }
        assert_eq!((scene.places.taken(), scene.places.sources.len()), (6, 6));
        for (n, held) in (10..).zip(&proxied) {
            assert!(scene.places.leave(source(n), held.number));
        }
        assert_eq!((scene.places.taken(), scene.places.sources.len(), scene.places.ranking.len()), (0, 0, 0));
        assert!(scene.places.in_handshake.is_empty());
    }
}
