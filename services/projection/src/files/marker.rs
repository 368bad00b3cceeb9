//! The marker file: says whether the database beside it can be believed at all.
//!
//! Says nothing of what the database holds; that has its own checks. Invariant: a marker says `clean` only after every byte of
//! the database was synced, and says otherwise (synced) before the first byte of it is touched again.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// What the folder as a whole is laid out like; another one is thrown away.
const FORMAT: &str = "rollcall-views-1";
/// Linux tells one boot from another here. Elsewhere there is none, and every unclean stop counts as a power cut.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What the marker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Marker {
    /// The boot in which the database was last open, if the system tells.
    pub(crate) boot: Option<String>,
    /// Whether it was closed in order.
    pub(crate) clean: bool,
    /// Which of the `db-<n>` folders it is about.
    pub(crate) database: u64,
}

impl Marker {
    /// Whether the database may be opened: closed in order, or left by a process that died in this same boot, so that
    /// everything it had written is still in the page cache. After a power cut nothing that was not synced is certain.
    pub(crate) fn is_believable(&self) -> bool {
        self.clean || (self.boot.is_some() && self.boot == current_boot())
    }

    /// Reads the marker; `None` when there is none, or none that can be understood.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(path(folder)).ok()?;
        let mut lines = text.lines();
        if lines.next() != Some(FORMAT) {
            return None;
        }
        let boot = lines.next()?.strip_prefix("boot ")?;
        let clean = lines.next()?.strip_prefix("clean ")?.parse().ok()?;
        let database = lines.next()?.strip_prefix("database ")?.parse().ok()?;
        Some(Self { boot: (boot != "-").then(|| boot.to_owned()), clean, database })
    }

    /// Replaces the marker, synced.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        let next = folder.join("marker.next");
        let mut file = File::create(&next)?;
        let boot = self.boot.as_deref().unwrap_or("-");
        write!(file, "{FORMAT}\nboot {boot}\nclean {}\ndatabase {}\n", self.clean, self.database)?;
        file.sync_all()?;
        fs::rename(&next, path(folder))?;
        File::open(folder)?.sync_all()
    }
}

/// This boot's id.
pub(crate) fn current_boot() -> Option<String> {
    Some(fs::read_to_string(BOOT_ID).ok()?.trim().to_owned()).filter(|id| !id.is_empty())
}

fn path(folder: &Path) -> PathBuf {
    folder.join("marker")
}
