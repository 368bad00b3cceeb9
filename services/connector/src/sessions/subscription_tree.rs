//! Subscriptions to custom topics: the filters of one resource space as a tree of levels (MQTT 5 §4.7).
//!
//! Subscribers are kept by number: a whole fleet may share one filter, and each joins and leaves it without a search.
//! Does not decide whether a subscription is allowed, and has no system topics, which need no subscription. A filter
//! has at most `mqtt::limits::TOPIC_BYTES_MAX` bytes, which bounds the depth of the tree.

use std::collections::HashMap;

/// A tree of filters, each with its subscribers.
#[derive(Debug)]
pub(crate) struct SubscriptionTree<H> {
    root: Node<H>,
}

#[derive(Debug)]
struct Node<H> {
    levels: HashMap<Box<str>, Node<H>>,
    /// Subscribers of the filter that ends here.
    here: HashMap<u64, H>,
    /// Subscribers of the filter that ends with `#` below here.
    below: HashMap<u64, H>,
}

impl<H> Default for SubscriptionTree<H> {
    fn default() -> Self {
        Self { root: Node::default() }
    }
}

impl<H> Default for Node<H> {
    fn default() -> Self {
        Self { levels: HashMap::new(), here: HashMap::new(), below: HashMap::new() }
    }
}

impl<H: Clone> SubscriptionTree<H> {
    /// Adds a subscriber to `filter`; idempotent.
    pub(crate) fn insert(&mut self, filter: &str, number: u64, subscriber: H) {
        let mut node = &mut self.root;
        for level in filter.split('/') {
            if level == "#" {
                node.below.insert(number, subscriber);
                return;
            }
            node = node.levels.entry(level.into()).or_default();
        }
        node.here.insert(number, subscriber);
    }

    /// Removes a subscriber from `filter`; idempotent.
    pub(crate) fn remove(&mut self, filter: &str, number: u64) {
        self.root.remove(&mut filter.split('/'), number);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.root.is_empty()
    }

    /// The subscribers of all filters that match a topic; a subscriber that matches by several is there several times.
    pub(crate) fn subscribers(&self, topic: &str) -> Vec<H> {
        let mut found = Vec::new();
        self.root.collect(Some(topic), &mut found);
        found
    }
}

impl<H: Clone> Node<H> {
    fn is_empty(&self) -> bool {
        self.levels.is_empty() && self.here.is_empty() && self.below.is_empty()
    }

    fn remove<'a>(&mut self, levels: &mut impl Iterator<Item = &'a str>, number: u64) {
        match levels.next() {
            None => drop(self.here.remove(&number)),
            Some("#") => drop(self.below.remove(&number)),
            Some(level) => {
                let Some(node) = self.levels.get_mut(level) else { return };
                node.remove(levels, number);
                if node.is_empty() {
                    self.levels.remove(level);
                }
            }
        }
    }

    /// `rest` is what of the topic is below this node; `None` at its end.
    fn collect(&self, rest: Option<&str>, found: &mut Vec<H>) {
        // `a/#` matches `a` too (MQTT 5 §4.7.1.2).
        found.extend(self.below.values().cloned());
        let Some(rest) = rest else { return found.extend(self.here.values().cloned()) };
        let (level, rest) = rest.split_once('/').map_or((rest, None), |(level, rest)| (level, Some(rest)));
        for name in [level, "+"] {
            if let Some(node) = self.levels.get(name) {
                node.collect(rest, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching(filters: &[&str], topic: &str) -> Vec<usize> {
        let mut tree = SubscriptionTree::default();
        filters.iter().zip(0..).for_each(|(filter, n)| tree.insert(filter, n as u64, n));
        let mut found = tree.subscribers(topic);
        found.sort_unstable();
        found
    }

    #[test]
    fn wildcards_match_as_the_standard_says() {
        let filters = ["a/b", "a/+", "a/#", "#", "+/+", "+", "a/b/#", "/a", "+/"];
        assert_eq!(matching(&filters, "a/b"), [0, 1, 2, 3, 4, 6]);
        assert_eq!(matching(&filters, "a"), [2, 3, 5]);
        assert_eq!(matching(&filters, "/a"), [3, 4, 7]);
        assert_eq!(matching(&filters, "a/"), [1, 2, 3, 4, 8]);
    }

    #[test]
    fn what_is_removed_leaves_nothing_behind() {
        let mut tree = SubscriptionTree::default();
        for filter in ["a/b/c", "a/#", "+/b"] {
            tree.insert(filter, 1, ());
            tree.insert(filter, 1, ());
        }
        tree.remove("a/x", 1);
        tree.remove("a/#", 2);
        for filter in ["a/b/c", "a/#", "+/b"] {
            assert!(!tree.is_empty());
            tree.remove(filter, 1);
        }
        assert!(tree.is_empty());
    }
}
