//! SIGKILL at any write: what was acknowledged is there, once, in order; what was not is there whole or not at all.
//!
//! The test starts itself as a child that writes as fast as it can and prints what was acknowledged; kills it; opens
//! the folder and compares. The same folder goes through all rounds, so that later ones also kill the repair.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use rollcall_domain::ids::{LogId, RequestId};
use rollcall_log::{
    Backbone,
    messages::{Lane, MessageCursor},
    requests::RequestKind,
};

use crate::{
    folder::{open, records},
    instance, message,
};

const ROUNDS: u64 = 40;
const FOLDER: &str = "ROLLCALL_KILLED_TEST_FOLDER";
const ROUND: &str = "ROLLCALL_KILLED_TEST_ROUND";
const THIS_TEST: &str = "killed::what_was_acknowledged_survives_sigkill";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_sigkill() {
    if let Some(folder) = env::var_os(FOLDER) {
        return write_until_killed(Path::new(&folder), &env::var(ROUND).unwrap()).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut told = Acknowledged::default();
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        acknowledged += kill_one(folder.path(), round, &mut told);
        check(folder.path(), &told).await;
    }
    assert!(acknowledged > 100, "only {acknowledged} writes were acknowledged in {ROUNDS} rounds: nothing was tested");
}

/// Everything that children said was acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// First position and number of records, by log.
    appends: BTreeMap<String, Vec<(u64, u64)>>,
    submitted: BTreeSet<String>,
    /// Asked to be finished: gone, or not yet.
    finishing: BTreeSet<String>,
    finished: BTreeSet<String>,
    published: BTreeMap<u64, String>,
}

impl Acknowledged {
    fn note(&mut self, line: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["appended", log, first, count] => {
                self.appends.entry(log.to_owned()).or_default().push((first.parse().unwrap(), count.parse().unwrap()));
            }
            ["submitted", id] => drop(self.submitted.insert(id.to_owned())),
            ["finishing", id] => drop(self.finishing.insert(id.to_owned())),
            ["finished", id] => drop(self.finished.insert(id.to_owned())),
            ["published", position, payload] => {
                self.published.insert(position.parse().unwrap(), payload.to_owned());
            }
            _ => return false,
        }
        true
    }
}

/// Starts a child, kills it after some acknowledgements and a moment, and notes all that it had said.
fn kill_one(folder: &Path, round: u64, told: &mut Acknowledged) -> u64 {
    let mut child = start(folder, round);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut seen, mut killed) = (0, false);
    // Every other round does not wait for a write, so that opening and repairing are killed too.
    let enough = if round.is_multiple_of(2) { round * 3 } else { 0 };
    loop {
        if !killed && seen >= enough {
            // Not a wait for anything: it moves the moment of the kill about.
            std::thread::sleep(Duration::from_micros(round * 7919 % 60_000));
            child.kill().unwrap();
            killed = true;
        }
        // A line that was cut short by the kill was not said.
        match lines.next() {
            Some(Ok(line)) if line.ends_with('.') => seen += u64::from(told.note(line.trim_end_matches('.'))),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => break,
        }
    }
    let status = child.wait().unwrap();
    assert!(status.code().is_none(), "round {round}: the child was to be killed at work, but ended with {status}");
    seen
}

fn start(folder: &Path, round: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args([THIS_TEST, "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Opens the folder and compares it with what was acknowledged.
async fn check(folder: &Path, told: &Acknowledged) {
    let backbone = open(folder).unwrap();
    for (name, log) in logs() {
        backbone.log.open(&log).await.unwrap();
        let held = records(&backbone, &log).await.unwrap();
        check_log(&name, &held, told.appends.get(&name).map_or(&[], Vec::as_slice));
    }
    check_queue(&backbone, told).await;
    check_messages(&backbone, told).await;
}

/// Records say which append they belong to: `first count part`.
fn check_log(name: &str, held: &[Bytes], appends: &[(u64, u64)]) {
    let mut batches = BTreeMap::new();
    for (position, record) in (1_u64..).zip(held) {
        let text = String::from_utf8_lossy(record);
        let numbers: Vec<u64> = text.split(' ').take(3).map(|number| number.parse().unwrap()).collect();
        let [first, count, part] = numbers[..] else { panic!("{name} holds at {position}: {text}") };
        assert_eq!(first + part, position, "{name} holds a record at another place than it was appended at");
        *batches.entry((first, count)).or_insert(0) += 1;
    }
    for ((first, count), parts) in &batches {
        assert_eq!(count, parts, "{name}: the append at {first} is there in part");
    }
    for append in appends {
        assert!(batches.contains_key(append), "{name}: the append {append:?} was acknowledged and is not there");
    }
}

async fn check_queue(backbone: &Backbone, told: &Acknowledged) {
    backbone.requests.open(&LogId::Fleet).await.unwrap();
    let taken = backbone.requests.take(&LogId::Fleet, usize::MAX, Duration::ZERO).await.unwrap();
    let held: BTreeSet<String> = taken.iter().map(|delivery| delivery.id.to_string()).collect();
    assert_eq!(held.len(), taken.len(), "a request is in the queue once");
    for delivery in &taken {
        assert_eq!(delivery.request, format!("request {}", delivery.id), "a request is as it was submitted");
    }
    let missing: Vec<_> = told.submitted.difference(&held).filter(|id| !told.finishing.contains(*id)).collect();
    assert!(missing.is_empty(), "submitted, acknowledged, not in the queue: {missing:?}");
    let undead: Vec<_> = told.finished.intersection(&held).collect();
    assert!(undead.is_empty(), "finished, acknowledged, in the queue again: {undead:?}");
}

async fn check_messages(backbone: &Backbone, told: &Acknowledged) {
    backbone.messages.open(&instance()).await.unwrap();
    let end = backbone.messages.publish(&instance(), message(Lane::Uplink, "end")).await.unwrap();
    let mut follower = backbone.messages.follow(&instance(), &[Lane::Uplink], Some(MessageCursor::START)).await.unwrap();
    let (mut held, mut once) = (BTreeMap::new(), BTreeSet::new());
    loop {
        let found = follower.recv().await.unwrap().unwrap();
        let payload = String::from_utf8(found.message.payload.to_vec()).unwrap();
        if found.position == end {
            break;
        }
        assert!(payload == "end" || once.insert(payload.clone()), "{payload} was published once and is there twice");
        held.insert(found.position.to_string().parse::<u64>().unwrap(), payload);
    }
    for (position, payload) in &told.published {
        assert_eq!(held.get(position), Some(payload), "a published message is at its acknowledged position");
    }
}

fn logs() -> [(String, LogId); 2] {
    [("fleet".to_owned(), LogId::Fleet), ("instance".to_owned(), LogId::Instance(instance()))]
}

/// The child: writes of all kinds side by side, each said when it was acknowledged.
async fn write_until_killed(folder: &Path, round: &str) {
    let backbone = open(folder).unwrap();
    let [(one, fleet), (two, other)] = logs();
    tokio::join!(
        append(&backbone, &one, &fleet),
        append(&backbone, &two, &other),
        submit(&backbone, round),
        publish(&backbone, round, 0),
        publish(&backbone, round, 1),
    );
}

fn say(line: &str) {
    // One write, with its end marked: a line that was cut short is not taken for a shorter one.
    std::io::stdout().lock().write_all(format!("{line}.\n").as_bytes()).unwrap();
}

async fn append(backbone: &Backbone, name: &str, log: &LogId) {
    backbone.log.open(log).await.unwrap();
    loop {
        let last = backbone.log.last(log).await.unwrap();
        let (first, count) = (last.0 + 1, 1 + last.0 % 7);
        let record = |part| Bytes::from(format!("{first} {count} {part} {}", "x".repeat((first * 31 % 3000) as usize)));
        backbone.log.append(log, last, (0..count).map(record).collect::<Vec<_>>().into()).await.unwrap();
        say(&format!("appended {name} {first} {count}"));
    }
}

async fn submit(backbone: &Backbone, round: &str) {
    backbone.requests.open(&LogId::Fleet).await.unwrap();
    for number in 0.. {
        let id = RequestId::parse(&format!("r{round}-{number}")).unwrap();
        backbone
            .requests
            .submit(&LogId::Fleet, RequestKind::Connect, &id, Bytes::from(format!("request {id}")))
            .await
            .unwrap();
        say(&format!("submitted {id}"));
        if number % 3 == 0 {
            let taken = backbone.requests.take(&LogId::Fleet, 2, Duration::ZERO).await.unwrap();
            taken.iter().for_each(|delivery| say(&format!("finishing {}", delivery.id)));
            let ids: Vec<_> = taken.iter().map(|delivery| delivery.id.clone()).collect();
            let receipts = taken.into_iter().map(|delivery| delivery.receipt).collect();
            backbone.requests.finish(&LogId::Fleet, receipts).await.unwrap();
            ids.iter().for_each(|id| say(&format!("finished {id}")));
        }
    }
}

async fn publish(backbone: &Backbone, round: &str, publisher: u64) {
    backbone.messages.open(&instance()).await.unwrap();
    for number in 0_u64.. {
        let payload = format!("m{round}-{publisher}-{number}");
        let position = backbone.messages.publish(&instance(), message(Lane::Uplink, &payload)).await.unwrap();
        say(&format!("published {position} {payload}"));
    }
}
