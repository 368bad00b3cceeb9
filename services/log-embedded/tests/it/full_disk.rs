//! A disk that is full: what is there is read, what is written is refused with the disk's name, and once there is room the
//! log takes writes again by itself.
//!
//! The test starts itself as a child and lowers the largest file that the child may write (RLIMIT_FSIZE, by `prlimit`),
//! which needs no rights and no file system of its own. A shell has the child ignore SIGXFSZ, so that it gets the error.

use std::{
    env,
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use rollcall_domain::ids::{LogId, Position, RequestId};
use rollcall_log::{Backbone, BackboneError, log::AppendError, requests::RequestKind};

use crate::folder::{open, records};

const FOLDER: &str = "ROLLCALL_FULL_DISK_TEST_FOLDER";
const THIS_TEST: &str = "full_disk::f20_a_log_whose_disk_was_full_takes_writes_again_by_itself";
/// Larger than what a database keeps in reserve.
const RECORD_BYTES: usize = 256 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f20_a_log_whose_disk_was_full_takes_writes_again_by_itself() {
    if let Some(folder) = env::var_os(FOLDER) {
        return write_what_is_asked_for(Path::new(&folder)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut child = FullDisk::start(folder.path());
    let before: u64 = child.asked("append").strip_prefix("appended ").unwrap().parse().unwrap();
    let path = folder.path().join("backbone.redb");
    // As on a full disk: what is there can be written over, and nothing grows.
    child.limit(&path.metadata().unwrap().len().to_string());
    let told = child.asked("fill");
    assert!(told.contains(path.to_str().unwrap()) && told.contains("takes no writes"), "{told}");
    assert!(told.contains("File too large"), "the operating system's own words: {told}");
    // Told at once, and not tried with every request.
    let told = child.asked("append");
    assert!(told.contains("takes no writes"), "{told}");
    let held: u64 = child.asked("read").strip_prefix("read ").unwrap().parse().unwrap();
    assert!(held >= before, "what was acknowledged is read while the disk is full");
    assert_eq!(child.asked("queue"), "refused");

    child.limit("unlimited");
    // Nobody asks for a write: it is noticed all the same.
    assert_eq!(child.asked("wait"), "writable");
    let after: u64 = child.asked("append").strip_prefix("appended ").unwrap().parse().unwrap();
    assert!(after > held, "{after} after {held}");
    assert_eq!(child.asked("queue"), "queued");
    assert_eq!(child.asked("read"), format!("read {after}"));
    child.end();
    let backbone = open(folder.path()).unwrap();
    assert_eq!(records(&backbone, &LogId::Fleet).await.unwrap().len() as u64, after);
}

struct FullDisk {
    child: Child,
    asks: ChildStdin,
    answers: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl FullDisk {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new("sh")
            .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
            .arg(env::current_exe().unwrap())
            .args([THIS_TEST, "--exact", "--nocapture"])
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (asks, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, asks, answers: BufReader::new(answers).lines() }
    }

    fn asked(&mut self, what: &str) -> String {
        writeln!(self.asks, "{what}").unwrap();
        loop {
            let line = self.answers.next().expect("the child answers").unwrap();
            // The test's own name may stand on the same line.
            if let Some((_, answer)) = line.split_once("> ") {
                return answer.to_owned();
            }
        }
    }

    /// The largest file that the child may write, bytes.
    fn limit(&self, bytes: &str) {
        let (pid, limit) = (self.child.id().to_string(), format!("--fsize={bytes}:unlimited"));
        let done = Command::new("prlimit").args(["--pid", &pid, &limit]).output().expect("prlimit (util-linux)");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn end(mut self) {
        drop(self.asks);
        assert!(self.child.wait().unwrap().success());
    }
}

/// The child: one answer a line.
async fn write_what_is_asked_for(folder: &Path) {
    let backbone = open(folder).unwrap();
    backbone.log.open(&LogId::Fleet).await.unwrap();
    backbone.requests.open(&LogId::Fleet).await.unwrap();
    for ask in std::io::stdin().lines() {
        let answer = match ask.unwrap().as_str() {
            "append" => append(&backbone).await.map_or_else(|error| error.to_string(), |last| format!("appended {last}")),
            "fill" => loop {
                if let Err(error) = append(&backbone).await {
                    break error.to_string();
                }
            },
            "read" => format!("read {}", records(&backbone, &LogId::Fleet).await.unwrap().len()),
            "queue" => {
                let id = RequestId::parse("request").unwrap();
                let submitted =
                    backbone.requests.submit(&LogId::Fleet, RequestKind::Command, &id, Bytes::from("request")).await;
                match submitted {
                    Ok(_) => "queued".to_owned(),
                    Err(BackboneError::Unwritable { .. }) => "refused".to_owned(),
                    Err(error) => error.to_string(),
                }
            }
            "wait" => {
                while let Err(error) = backbone.log.writable(&LogId::Fleet).await {
                    assert!(matches!(error, BackboneError::Unwritable { .. }), "{error}");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                "writable".to_owned()
            }
            other => format!("cannot {other}"),
        };
        // As one write: what the test harness prints is not to come in between.
        let line = format!("> {answer}\n");
        std::io::stdout().write_all(line.as_bytes()).unwrap();
    }
}

async fn append(backbone: &Backbone) -> Result<Position, AppendError> {
    let last = backbone.log.last(&LogId::Fleet).await?;
    backbone.log.append(&LogId::Fleet, last, vec![Bytes::from(vec![b'x'; RECORD_BYTES])].into()).await
}
