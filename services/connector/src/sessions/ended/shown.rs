//! What presence shows of the connections that gone connectors may have had, and what is to be looked for because of it.
//!
//! Plain state, kept only until it has been looked. Invariant: a connection that presence shows again, after its connector was lost,
//! is not gone; what was seen by one watch of presence says nothing once that watch is over, because what came after may
//! have gone unseen: the next watch looks for everything.

use std::collections::{HashMap, HashSet};

use rollcall_domain::ids::{ConnectorId, DeviceId};
use rollcall_log::{
    online::OnlineDevices,
    presence::{PresenceChange, Session as PresenceSession},
};

/// What connectors that are gone may have left, to be looked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Search {
    /// By which watch of presence.
    pub(super) watch: u64,
    /// Connectors whose lease has run out.
    pub(super) lost: Vec<ConnectorId>,
    /// That watch has shown all there is.
    pub(super) everything: bool,
}

/// See the file.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Counts watches, and the times between them.
    watch: u64,
    /// Who is online as this watch shows it; kept only until it has been looked for everything.
    online: Option<OnlineDevices>,
    /// Connections of connectors that were lost and have not been looked for yet, that have been shown since.
    back: HashMap<ConnectorId, HashSet<u64>>,
    search: Search,
}

impl Shown {
    /// A watch begins.
    pub(super) fn begin(&mut self) {
        self.end();
        self.online = Some(OnlineDevices::default());
    }

    /// The watch is over.
    pub(super) fn end(&mut self) {
        let watch = self.watch + 1;
        *self = Self { watch, search: Search { watch, ..Search::default() }, ..Self::default() };
    }

    /// `true`: there is something to look for.
    pub(super) fn observe(&mut self, change: &PresenceChange, own: &ConnectorId) -> bool {
        if let Some(online) = &mut self.online {
            online.apply(change.clone());
        }
        match change {
            PresenceChange::Online { session, .. } => {
                if let Some(back) = self.back.get_mut(&session.connector) {
                    back.insert(session.number);
                }
                false
            }
            PresenceChange::Offline { .. } => false,
            PresenceChange::ConnectorLost { connector } if connector == own => false,
            PresenceChange::ConnectorLost { connector } => {
                self.back.insert(connector.clone(), HashSet::new());
                self.search.lost.push(connector.clone());
                true
            }
            PresenceChange::CaughtUp => {
                self.search.everything = true;
                true
            }
        }
    }

    /// What to look for now, if there is anything.
    pub(super) fn take_search(&mut self) -> Option<Search> {
        let none = Search { watch: self.watch, ..Search::default() };
        if self.search == none { None } else { Some(std::mem::replace(&mut self.search, none)) }
    }

    /// Whether a connection is gone, as far as this watch, if it is not over, has shown.
    pub(super) fn is_gone(&self, watch: u64, device: &DeviceId, session: &PresenceSession) -> bool {
        let is_online = || {
            let online = self.online.as_ref().and_then(|online| online.get(device));
            online.is_some_and(|online| online.session == *session)
        };
        let is_back = || self.back.get(&session.connector).is_some_and(|back| back.contains(&session.number));
        self.watch == watch && !is_online() && !is_back()
    }

    /// It has been looked: what was kept for that is kept no longer.
    pub(super) fn searched(&mut self, search: &Search) {
        if self.watch != search.watch {
            return;
        }
        let lost_again = &self.search.lost;
        self.back.retain(|connector, _| !search.lost.contains(connector) || lost_again.contains(connector));
        if search.everything && !self.search.everything {
            self.online = None;
        }
    }
}
