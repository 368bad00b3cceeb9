//! A disk that takes no writes: noticed once, said once, looked at again with pauses, and used again when it takes them.
//!
//! redb refuses all reads and writes after one that failed, because what it has in memory may not be what is on disk. So the
//! database is opened again from its file, at once, for the readers; and nothing is written before the disk has taken a
//! file of [`ROOM_BYTES`], so that a full disk does not cost a repair with every attempt.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::PathBuf,
    time::Duration,
};

use redb::Database;
use rollcall_log::BackboneError;
use tokio::time::Instant;

/// What has to fit before writing is tried again, bytes: a large transaction, and some room for the next.
const ROOM_BYTES: usize = 4 * 1024 * 1024;
/// First pause before the disk is looked at again.
pub(crate) const LOOK_MIN: Duration = Duration::from_secs(1);
/// Longest pause: for a disk that has room and fails all the same.
const LOOK_MAX: Duration = Duration::from_secs(30);
/// The file that is written to see whether there is room.
const PROBE: &str = "backbone.room";

/// Opens a database again.
pub(crate) type Reopen = Box<dyn Fn() -> Result<Database, BackboneError> + Send + Sync>;

/// Where a database is, and how to open it again.
pub(crate) struct Disk {
    pub(crate) folder: PathBuf,
    pub(crate) reopen: Reopen,
}

impl Disk {
    /// Whether there is room.
    pub(crate) fn has_room(&self) -> io::Result<()> {
        let path = self.folder.join(PROBE);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(&vec![0; ROOM_BYTES])?;
            file.sync_all()
        });
        // Left behind it would take the room that it was to find.
        let removed = fs::remove_file(&path);
        written.and(removed)
    }
}

/// Writing has failed and was not seen to work since.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    /// What the operating system said.
    pub(crate) reason: String,
    look_at: Instant,
    pause: Duration,
}

impl Trouble {
    pub(crate) fn new(reason: String, before: Option<&Self>) -> Self {
        let pause = before.map_or(LOOK_MIN, |before| (before.pause * 2).min(LOOK_MAX));
        Self { reason, look_at: Instant::now() + pause, pause }
    }

    /// Whether it is time to look at the disk again; the next time is a pause from now.
    pub(crate) fn is_due(&mut self) -> bool {
        let due = Instant::now() >= self.look_at;
        if due {
            self.look_at = Instant::now() + self.pause;
        }
        due
    }
}
