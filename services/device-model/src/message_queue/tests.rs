//! What a user sees of a message: it waits, it is delivered once, it is given up; and of those that wait the oldest go first.

use super::*;
use crate::claim::CLAIM_MS_MAX;

fn entry(id: &str, created_ms: i64, ttl_ms: i64) -> QueuedMessage {
    QueuedMessage {
        id: id.to_owned(),
        number: created_ms.unsigned_abs(),
        body: 1,
        digest: format!("digest of {id}"),
        created_ms,
        expires_ms: created_ms + ttl_ms,
        state: MessageState::Pending,
    }
}

fn delivered(number: u64, at_ms: i64) -> (u64, MessageState) {
    (number, MessageState::Delivered { at_ms })
}

#[test]
fn a_message_waits_until_its_device_is_there_and_is_delivered_by_one() {
    let mut queue = MessageQueue::new(7);
    assert_eq!(queue.add(entry("a", 1, 1000), 1), Added::New { dropped: vec![] });
    assert_eq!(queue.add(entry("b", 2, 1000), 2), Added::New { dropped: vec![] });
    assert!(queue.claim("first", 10));
    assert!(!queue.claim("second", 11), "somebody else is delivering");
    assert_eq!(queue.waiting(11), [1, 2], "oldest first");
    assert!(!queue.record("first", &[delivered(1, 12), delivered(2, 12)], AfterDelivery::Continue, 13));
    assert_eq!(queue.get("a").unwrap().state_at(5000), MessageState::Delivered { at_ms: 12 });
    assert!(!queue.claim("second", 14), "nothing waits");
}

#[test]
fn what_comes_meanwhile_is_delivered_by_who_is_at_it() {
    let mut queue = MessageQueue::new(7);
    queue.add(entry("a", 1, 1000), 1);
    assert!(queue.claim("first", 10));
    queue.add(entry("b", 2, 1000), 11);
    assert!(queue.record("first", &[delivered(1, 12)], AfterDelivery::Continue, 12));
    assert_eq!(queue.waiting(12), [2]);
}

#[test]
fn a_message_is_given_up_after_its_time() {
    let mut queue = MessageQueue::new(7);
    queue.add(entry("a", 1, 1000), 1);
    assert_eq!(queue.get("a").unwrap().state_at(1000), MessageState::Pending);
    assert_eq!(queue.get("a").unwrap().state_at(1001), MessageState::TimedOut { at_ms: 1001 });
    assert!(!queue.claim("first", 2000));
    assert!(queue.waiting(2000).is_empty());
}

#[test]
fn a_claim_of_a_process_that_died_ends() {
    let mut queue = MessageQueue::new(7);
    queue.add(entry("a", 1, 1_000_000), 1);
    assert!(queue.claim("dead", 10));
    assert!(!queue.claim("other", 10 + CLAIM_MS_MAX - 1));
    assert!(queue.claim("other", 11 + CLAIM_MS_MAX));
    // It was not dead after all: what it did still counts, and the claim is the other's.
    assert!(!queue.record("dead", &[delivered(1, 20)], AfterDelivery::Continue, 30 + CLAIM_MS_MAX));
    assert_eq!(queue.get("a").unwrap().state, MessageState::Delivered { at_ms: 20 });
    assert!(queue.is_claimed(30 + CLAIM_MS_MAX));
}

#[test]
fn a_device_that_goes_leaves_the_rest_to_its_next_arrival() {
    let mut queue = MessageQueue::new(7);
    queue.add(entry("a", 1, 1000), 1);
    queue.add(entry("b", 2, 1000), 2);
    assert!(queue.claim("first", 10));
    assert!(!queue.record("first", &[delivered(1, 11)], AfterDelivery::Release, 12));
    assert!(queue.claim("second", 13));
    assert_eq!(queue.waiting(13), [2]);
}

#[test]
fn the_same_message_again_is_the_same_and_another_one_of_its_id_is_refused() {
    let mut queue = MessageQueue::new(7);
    queue.add(entry("a", 1, 1000), 1);
    assert_eq!(queue.add(entry("a", 5, 1000), 5), Added::Existing);
    let other = QueuedMessage { digest: "another".to_owned(), ..entry("a", 6, 1000) };
    assert_eq!(queue.add(other, 6), Added::IdTaken);
    assert_eq!(queue.entries.len(), 1);
    assert_eq!(queue.remove("a").unwrap().number, 1);
    assert_eq!(queue.remove("a"), None);
}

fn dropped_by(queue: &mut MessageQueue, id: &str, now_ms: i64) -> Vec<String> {
    let Added::New { dropped } = queue.add(entry(id, now_ms, 1000), now_ms) else { panic!("{id} is new") };
    dropped.into_iter().map(|entry| entry.id).collect()
}

#[test]
fn what_has_ended_makes_room_and_then_the_oldest_that_waits() {
    let mut queue = MessageQueue::new(7);
    for n in 1..=20 {
        queue.add(entry(&format!("m{n}"), n, 1000), n);
    }
    assert!(queue.claim("first", 31));
    queue.record("first", &[delivered(2, 32)], AfterDelivery::Release, 32);
    assert_eq!(dropped_by(&mut queue, "m21", 33), ["m2"], "it has ended");
    assert_eq!(dropped_by(&mut queue, "m22", 34), ["m1"], "all wait");
    assert_eq!(queue.entries.len(), MESSAGES_MAX);
    assert!(queue.get("m1").is_none() && queue.get("m2").is_none());
    // One that is dropped while it is being delivered ends for nobody.
    assert!(queue.claim("second", 40));
    assert_eq!(dropped_by(&mut queue, "m23", 41), ["m3"]);
    assert!(queue.record("second", &[delivered(3, 42)], AfterDelivery::Continue, 42));
    assert_eq!(queue.waiting(43).first(), Some(&4));
}
