//! Messages from the client: which of them the owner still has to answer, and the client's topic aliases.
//!
//! Invariant: acknowledgements leave in the order in which the messages came (MQTT 5 §4.6), whatever the order of the
//! owner's answers.

use std::{collections::VecDeque, num::NonZeroU16};

use super::{
    interface::{PublishOutcome, PublishRef},
    limits::IDLE_QUEUE_LEN_MAX,
    violation::Violation,
};

/// What to say to the client about its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The owner's.
    Owner(PublishOutcome),
    /// The machine's own: over the length limit.
    TopicTooLong,
}

#[derive(Debug)]
struct Waiting {
    /// `None` at QoS 0.
    packet_id: Option<NonZeroU16>,
    answer: Option<Answer>,
}

/// Messages of the client that have not been answered yet.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    /// The reference of the first in the queue.
    first: u64,
    waiting: VecDeque<Waiting>,
    /// Those at QoS 1.
    unacknowledged: usize,
}

impl Unanswered {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn unacknowledged(&self) -> usize {
        self.unacknowledged
    }

    pub(super) fn push(&mut self, packet_id: Option<NonZeroU16>) -> PublishRef {
        let publish = PublishRef(self.first + self.waiting.len() as u64);
        self.unacknowledged += usize::from(packet_id.is_some());
        self.waiting.push_back(Waiting { packet_id, answer: None });
        publish
    }

    /// Notes an answer; one for a message that is gone, or that has one, changes nothing.
    pub(super) fn answer(&mut self, publish: PublishRef, answer: Answer) {
        let index = publish.0.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        if let Some(waiting) = index.and_then(|index| self.waiting.get_mut(index)) {
            waiting.answer.get_or_insert(answer);
        }
    }

    /// The oldest message, once it has been answered.
    pub(super) fn pop_answered(&mut self) -> Option<(Option<NonZeroU16>, Answer)> {
        let answer = self.waiting.front()?.answer?;
        let oldest = self.waiting.pop_front()?;
        self.first += 1;
        self.unacknowledged -= usize::from(oldest.packet_id.is_some());
        if self.waiting.is_empty() {
            self.waiting.shrink_to(IDLE_QUEUE_LEN_MAX);
        }
        Some((oldest.packet_id, answer))
    }
}

/// The topic aliases that an MQTT 5 client has set (§3.3.2.3.4).
#[derive(Debug, Default)]
pub(super) struct Aliases(Vec<Box<str>>);

impl Aliases {
    /// The topic name of a PUBLISH: sets the alias, or looks it up if the name is empty.
    pub(super) fn resolve(&mut self, topic: String, alias: Option<NonZeroU16>, max: u16) -> Result<String, Violation> {
        let Some(alias) = alias else { return Ok(topic) };
        if alias.get() > max {
            return Err(Violation::TopicAlias);
        }
        let index = usize::from(alias.get()) - 1;
        if topic.is_empty() {
            let known = self.0.get(index).filter(|name| !name.is_empty());
            return known.map(|name| name.to_string()).ok_or(Violation::TopicAlias);
        }
        if self.0.len() <= index {
            self.0.resize(index + 1, Box::default());
        }
        self.0[index] = topic.as_str().into();
        Ok(topic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_leave_in_the_order_of_the_messages() {
        let mut unanswered = Unanswered::default();
        let ids = [1, 2, 3].map(NonZeroU16::new);
        let [first, second, third] = ids.map(|id| unanswered.push(id));
        let stored = Answer::Owner(PublishOutcome::Stored);
        unanswered.answer(third, stored);
        unanswered.answer(second, stored);
        assert_eq!(unanswered.pop_answered(), None);
        unanswered.answer(first, stored);
        for id in ids {
            assert_eq!(unanswered.pop_answered(), Some((id, stored)));
        }
        unanswered.answer(first, stored);
        assert_eq!((unanswered.pop_answered(), unanswered.len(), unanswered.unacknowledged()), (None, 0, 0));
    }

    #[test]
    fn an_alias_stands_for_what_it_was_last_set_to() {
        let mut aliases = Aliases::default();
        let two = NonZeroU16::new(2);
        assert_eq!(aliases.resolve(String::new(), two, 2), Err(Violation::TopicAlias));
        assert_eq!(aliases.resolve("a".into(), two, 2), Ok("a".into()));
        assert_eq!(aliases.resolve("b".into(), two, 2), Ok("b".into()));
        assert_eq!(aliases.resolve(String::new(), two, 2), Ok("b".into()));
        assert_eq!(aliases.resolve(String::new(), NonZeroU16::new(1), 2), Err(Violation::TopicAlias));
        assert_eq!(aliases.resolve("c".into(), NonZeroU16::new(3), 2), Err(Violation::TopicAlias));
    }
}
