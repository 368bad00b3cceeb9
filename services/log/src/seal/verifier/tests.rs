//! What is ours and what is not, over logs made by hand and at random.

use bytes::Bytes;
use proptest::prelude::*;
use rollcall_domain::ids::{Incarnation, InstanceId, LogId};

use super::*;
use crate::{
    log::NewRecord,
    seal::{START, seal},
    signing::SigningKey,
};

/// A log under construction, with the digest of what is ours.
struct Log {
    sealed: SealedLog,
    key: SigningKey,
    entries: Vec<Entry>,
    digest: Digest,
}

fn instance(incarnation: u8) -> SealedLog {
    SealedLog { log: LogId::Instance(InstanceId::parse("north").unwrap()), incarnation: Incarnation([incarnation; 16]) }
}

impl Log {
    fn new() -> Self {
        Self { sealed: instance(7), key: SigningKey::generate(), entries: Vec::new(), digest: START }
    }

    fn keys(&self) -> SealKeys {
        [self.key.public()].into_iter().collect()
    }

    fn end(&self) -> Position {
        Position(self.entries.len() as u64)
    }

    fn push(&mut self, record: &Bytes, seal: Option<Seal>) -> Position {
        let position = self.end().next();
        self.entries.push(Entry { seal, ..Entry::bare(position, record.clone()) });
        position
    }

    /// A batch of ours; returns the position of its first record.
    fn batch(&mut self, count: usize) -> Position {
        let records: Vec<NewRecord> = (0..count).map(|n| Bytes::from(format!("{} of {}", n, self.end())).into()).collect();
        let seal = seal(&self.key, &self.sealed, (self.end(), self.digest), &records);
        self.digest = seal.after;
        let first = self.end().next();
        let mut seal = Some(seal);
        for new in records {
            self.push(&new.record, seal.take());
        }
        first
    }

    fn verifier(&self) -> Verifier {
        Verifier::new(self.sealed.clone(), self.keys(), Point::start(&self.sealed, &self.keys()))
    }

    /// Reads everything, pushing as many at a time as `sizes` says, over and over.
    fn read(&self, sizes: &[usize]) -> (Vec<Verified>, Point) {
        let mut verifier = self.verifier();
        let mut told = Vec::new();
        let (mut entries, mut sizes) = (self.entries.iter().cloned().peekable(), sizes.iter().cycle());
        while entries.peek().is_some() {
            for entry in entries.by_ref().take(*sizes.next().unwrap()) {
                verifier.push(entry);
            }
            told.extend(verifier.take().unwrap());
        }
        (told, *verifier.point())
    }
}

fn own(told: &[Verified]) -> Vec<(u64, usize)> {
    let batches = told.iter().filter_map(|verified| match verified {
        Verified::Own { entries, .. } => Some((entries[0].position.0, entries.len())),
        Verified::Foreign { .. } | Verified::Damaged { .. } => None,
    });
    batches.collect()
}

fn foreign(told: &[Verified]) -> Vec<(u64, Foreign)> {
    let found = told.iter().filter_map(|verified| match verified {
        Verified::Foreign { position, why, .. } => Some((position.0, *why)),
        Verified::Own { .. } | Verified::Damaged { .. } => None,
    });
    found.collect()
}

#[test]
fn what_a_registrar_appended_is_ours_whole_batch_by_batch() {
    let mut log = Log::new();
    for count in [1, 3, 1000, 2] {
        log.batch(count);
    }
    for sizes in [&[5000][..], &[1], &[7, 300]] {
        let (told, point) = log.read(sizes);
        assert_eq!(own(&told), [(1, 1), (2, 3), (5, 1000), (1005, 2)]);
        assert_eq!((point.position, point.digest, point.sealing), (log.end(), log.digest, Sealing::By(log.key.public())));
        let batch = point.batch.unwrap();
        assert_eq!((batch.first, batch.end), (Position(1005), Position(1006)));
    }
}

#[test]
fn f37_whatever_else_is_put_into_the_log_is_stepped_over_by_name() {
    let mut log = Log::new();
    log.batch(2);
    let taken = log.entries[0].clone();
    let other = Log { key: SigningKey::generate(), ..Log::new() };
    let record = Bytes::from_static(b"{\"forged\":true}");
    let seal_for = |log: &Log, sealed: &SealedLog, digest, count: usize| {
        seal(&log.key, sealed, (log.end(), digest), &vec![NewRecord::from(record.clone()); count])
    };

    let unsealed = log.push(&record, None);
    // A server answers a direct get with the stored message, headers and all.
    let copied = log.push(&taken.record, taken.seal.clone());
    let otherwise = seal_for(&log, &instance(8), log.digest, 1);
    let other_incarnation = log.push(&record, Some(otherwise));
    let mut stranger = seal_for(&log, &log.sealed, log.digest, 1);
    stranger.key = other.key.public().id().0;
    stranger.signature = other.key.sign(stranger.signed().as_bytes());
    let by_a_stranger = log.push(&record, Some(stranger));
    let history = seal_for(&log, &log.sealed, START, 1);
    let other_history = log.push(&record, Some(history));
    // As good as ours but for the signature, and claiming to be a batch that swallows what follows.
    let mut swallowing = seal_for(&log, &log.sealed, log.digest, 900);
    swallowing.signature = [1; 64];
    let swallows = log.push(&record, Some(swallowing));
    let mut altered = seal_for(&log, &log.sealed, log.digest, 1);
    altered.signature = [2; 64];
    let forged = log.push(&record, Some(altered));
    let after = log.batch(1);

    for sizes in [&[100][..], &[1], &[3]] {
        let (told, point) = log.read(sizes);
        assert_eq!(own(&told), [(1, 2), (after.0, 1)]);
        let expected = [
            (unsealed.0, Foreign::Unsealed),
            (copied.0, Foreign::ElsewhereSealed),
            (other_incarnation.0, Foreign::ElsewhereSealed),
            (by_a_stranger.0, Foreign::OtherKey),
            (other_history.0, Foreign::OtherHistory),
            (swallows.0, Foreign::Forged),
            (forged.0, Foreign::Forged),
        ];
        assert_eq!(foreign(&told), expected);
        assert_eq!((point.position, point.digest), (log.end(), log.digest));
    }
}

#[test]
fn a_sealed_batch_that_is_not_what_was_sealed_is_the_brokers_damage() {
    let mut log = Log::new();
    log.batch(1);
    let first = log.batch(3);
    log.batch(2);
    log.entries[first.0 as usize].record = Bytes::from_static(b"rotten");
    let (told, point) = log.read(&[100]);
    let damaged =
        told.iter().any(|verified| matches!(verified, Verified::Damaged { entries, .. } if entries[0].position == first));
    assert!(damaged, "{told:?}");
    assert_eq!(own(&told), [(1, 1), (5, 2)], "what follows is still told, for a reader in search of a word on the damage");
    assert_eq!(point.digest, log.digest);
}

#[test]
fn an_unsigned_log_is_folded_as_it_is_until_it_is_adopted_whole() {
    let mut log = Log { sealed: instance(0), ..Log::new() };
    for n in 0..3_u8 {
        let at = log.push(&Bytes::from(vec![n]), None);
        log.digest = chain(&log.digest, at, &[n]);
    }
    let (told, point) = log.read(&[2]);
    assert_eq!(own(&told), [(1, 1), (2, 1), (3, 1)]);
    assert_eq!(point.sealing, Sealing::Unsigned);
    let adopting = log.batch(1);
    let unsealed = log.push(&Bytes::from_static(b"late"), None);
    let (told, point) = log.read(&[2]);
    assert_eq!(own(&told).last(), Some(&(adopting.0, 1)));
    assert_eq!(foreign(&told), [(unsealed.0, Foreign::Unsealed)]);
    assert_eq!(point.sealing, Sealing::By(log.key.public()));
    // Adopted with a prefix that this reader does not find.
    log.entries[1].record = Bytes::from_static(b"other");
    let mut verifier = log.verifier();
    log.entries.iter().cloned().for_each(|entry| verifier.push(entry));
    verifier.take().unwrap();
    assert_eq!(verifier.take(), Err(Stop::AdoptedOtherwise { at: adopting }));
}

#[test]
fn a_reader_without_the_key_says_so_instead_of_folding_or_stepping_over_a_whole_log() {
    let mut log = Log { sealed: instance(0), ..Log::new() };
    let first = log.batch(2);
    let keys: SealKeys = [SigningKey::generate().public()].into_iter().collect();
    let mut verifier = Verifier::new(log.sealed.clone(), keys.clone(), Point::start(&log.sealed, &keys));
    log.entries.iter().cloned().for_each(|entry| verifier.push(entry));
    assert_eq!(verifier.take(), Err(Stop::UnknownKey { at: first, key: log.key.public().id() }));
    assert!(verifier.take().is_err(), "asked again, it is the answer again");
}

#[test]
fn without_any_key_everything_counts_as_ours() {
    let mut log = Log::new();
    log.batch(2);
    log.push(&Bytes::from_static(b"anything"), None);
    let keys = SealKeys::default();
    let mut verifier = Verifier::new(log.sealed.clone(), keys.clone(), Point::start(&log.sealed, &keys));
    log.entries.iter().cloned().for_each(|entry| verifier.push(entry));
    assert_eq!(own(&verifier.take().unwrap()), [(1, 1), (2, 1), (3, 1)]);
}

proptest! {
    /// However a log is mixed of our batches and others' records, and however it is cut into pieces for reading, the same is
    /// ours, and it is what we appended.
    #[test]
    fn the_same_is_ours_however_it_is_read(
        made in proptest::collection::vec((0_u8..6, 1_usize..5), 1..30),
        sizes in proptest::collection::vec(1_usize..9, 1..5),
    ) {
        let mut log = Log::new();
        let mut ours = Vec::new();
        for (kind, count) in made {
            let forged = |log: &Log, count: usize| {
                let records = vec![NewRecord::from(Bytes::from_static(b"x")); count];
                let mut seal = seal(&log.key, &log.sealed, (log.end(), log.digest), &records);
                seal.signature[3] ^= 1;
                seal
            };
            match kind {
                0..3 => ours.push((log.batch(count).0, count)),
                3 => drop(log.push(&Bytes::from_static(b"x"), None)),
                4 => {
                    let seal = forged(&log, count);
                    log.push(&Bytes::from_static(b"x"), Some(seal));
                }
                _ => {
                    let copy = log.entries.first().cloned();
                    let copy = copy.unwrap_or_else(|| Entry::bare(Position(0), Bytes::new()));
                    log.push(&copy.record, copy.seal);
                }
            }
        }
        // A copy of the first batch's first record at the first place would be ours: then it is the record itself.
        let (told, point) = log.read(&sizes);
        prop_assert_eq!(own(&told), ours);
        prop_assert_eq!(point.digest, log.digest);
        prop_assert_eq!(point.position, log.end());
    }
}

mod keys_that_follow_each_other {
    use rollcall_domain::{ids::RequestId, registry::Actor, time::Timestamp};

    use super::*;
    use crate::codec::{AnyEvent, Record, encode_record};

    fn says(log: &Log, event: LogEvent) -> NewRecord {
        let record = Record {
            id: uuid::Uuid::nil(),
            log: log.sealed.log.clone(),
            time: Timestamp::from_unix_s(1_780_272_000),
            cause: RequestId::parse("log").unwrap(),
            actor: Actor::Operator("rollcall-log".into()),
            traceparent: None,
            event: AnyEvent::Log(event),
        };
        encode_record(&record).into()
    }

    /// One sealed record, by a key of one's choice.
    fn sealed_by(log: &mut Log, key: &SigningKey, record: NewRecord) -> Position {
        let made = seal(key, &log.sealed, (log.end(), log.digest), std::slice::from_ref(&record));
        log.digest = made.after;
        log.push(&record.record, Some(made))
    }

    #[test]
    fn a_key_that_the_current_one_names_takes_its_place() {
        let (mut log, next) = (Log::new(), SigningKey::generate());
        log.batch(1);
        let named = says(&log, LogEvent::RegistrarKeyNamed { public_key: next.public() });
        let current = std::mem::replace(&mut log.key, SigningKey::generate());
        sealed_by(&mut log, &current, named);
        sealed_by(&mut log, &next, Bytes::from_static(b"by the next").into());
        let digest = log.digest;
        let late = sealed_by(&mut log, &current, Bytes::from_static(b"by the old").into());
        log.digest = digest;
        log.key = current;
        // Readers that were never told of the next key go over to it all the same.
        let (told, point) = log.read(&[1]);
        assert_eq!(own(&told), [(1, 1), (2, 1), (3, 1)]);
        assert_eq!(foreign(&told), [(late.0, Foreign::OtherKey)]);
        assert_eq!(point.sealing, Sealing::By(next.public()));
    }

    #[test]
    fn with_the_key_lost_one_that_is_listed_later_adopts_the_log_and_no_earlier_one_does() {
        let (mut log, later, earlier) = (Log::new(), SigningKey::generate(), SigningKey::generate());
        log.batch(2);
        let digest = log.digest;
        let adopted = says(&log, LogEvent::Adopted { prefix_end: log.end(), prefix_digest: log.digest });
        let by_an_earlier = sealed_by(&mut log, &earlier, adopted.clone());
        log.digest = digest;
        let not_an_adoption = sealed_by(&mut log, &later, Bytes::from_static(b"{}").into());
        log.digest = digest;
        sealed_by(&mut log, &later, adopted);
        sealed_by(&mut log, &later, Bytes::from_static(b"by the later").into());
        let keys: SealKeys = [earlier.public(), log.key.public(), later.public()].into_iter().collect();
        let mut verifier = Verifier::new(log.sealed.clone(), keys.clone(), Point::start(&log.sealed, &keys));
        log.entries.iter().cloned().for_each(|entry| verifier.push(entry));
        let told = verifier.take().unwrap();
        assert_eq!(own(&told), [(1, 2), (5, 1), (6, 1)]);
        assert_eq!(foreign(&told), [(by_an_earlier.0, Foreign::OtherKey), (not_an_adoption.0, Foreign::OtherKey)]);
        assert_eq!(verifier.point().sealing, Sealing::By(later.public()));
    }
}
