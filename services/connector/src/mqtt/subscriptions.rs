//! The subscriptions of one session.
//!
//! A plain list: there are at most a hundred, most sessions have none or a few, and an idle session must cost next to
//! nothing. Matching walks it.

use super::topic;

/// One granted subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    pub(crate) filter: Box<str>,
    /// 0 or 1.
    pub(crate) qos: u8,
    /// The session's own messages are not delivered.
    pub(crate) no_local: bool,
}

/// The subscriptions of one session.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subscriptions(Vec<Subscription>);

impl From<Vec<Subscription>> for Subscriptions {
    fn from(subscriptions: Vec<Subscription>) -> Self {
        Self(subscriptions)
    }
}

impl Subscriptions {
    /// All of them, in the order in which they came.
    pub(crate) fn all(&self) -> &[Subscription] {
        &self.0
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is a subscription with exactly this filter.
    pub(crate) fn contains(&self, filter: &str) -> bool {
        self.0.iter().any(|subscription| &*subscription.filter == filter)
    }

    /// Adds a subscription, or replaces the one with the same filter (MQTT 5 §3.8.4).
    pub(crate) fn insert(&mut self, filter: &str, qos: u8, no_local: bool) {
        match self.0.iter_mut().find(|subscription| &*subscription.filter == filter) {
            Some(subscription) => (subscription.qos, subscription.no_local) = (qos, no_local),
            None => self.0.push(Subscription { filter: filter.into(), qos, no_local }),
        }
    }

    /// Removes the subscription with exactly this filter; whether there was one.
    pub(crate) fn remove(&mut self, filter: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|subscription| &*subscription.filter != filter);
        self.0.shrink_to(2 * self.0.len());
        self.0.len() < before
    }

    /// The highest QoS among the subscriptions that match a topic name, or `None`. A message that matches several is
    /// delivered once (§3.3.4). `own`: this session published it.
    pub(crate) fn qos_for(&self, name: &str, own: bool) -> Option<u8> {
        self.0
            .iter()
            .filter(|subscription| !(own && subscription.no_local) && topic::matches(&subscription.filter, name))
            .map(|subscription| subscription.qos)
            .max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlapping_subscriptions_give_the_highest_qos() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.insert("a/+", 0, false);
        subscriptions.insert("a/#", 1, false);
        assert_eq!(subscriptions.qos_for("a/b", false), Some(1));
        assert!(subscriptions.remove("a/#"));
        assert_eq!(subscriptions.qos_for("a/b", false), Some(0));
        assert!(!subscriptions.remove("a/#"));
        assert_eq!(subscriptions.qos_for("b", false), None);
    }

    #[test]
    fn subscribing_again_replaces() {
        let mut subscriptions = Subscriptions::default();
        subscriptions.insert("a", 1, false);
        subscriptions.insert("a", 0, true);
        assert_eq!(subscriptions.len(), 1);
        assert_eq!(subscriptions.qos_for("a", false), Some(0));
        assert_eq!(subscriptions.qos_for("a", true), None);
    }
}
