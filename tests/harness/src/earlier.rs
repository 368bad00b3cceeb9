//! Another time of day for the processes that a test starts: what an earlier version wrote is opened as on the day it was written.
//!
//! Certificates end, messages time out, attempts age. libfaketime (Debian's package `faketime`) shifts the clock of a process
//! that goes through the C library: `rollcall`, Python, mosquitto, openssl. Not nats-server, which asks the kernel itself. The
//! monotonic clock stays as it is, so timeouts last as long as ever.

use std::{
    ffi::{OsStr, OsString},
    process::Command,
};

use rollcall_chassis::clock::{Clock as _, SystemClock};

use crate::process::run;

/// Where Debian has it; the loader expands `$LIB`.
const LIBRARY: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";
/// How far a shifted clock may be from what was wanted when that is checked: a loaded machine starts `date` late.
const APART_S_MAX: i64 = 60;

/// A clock that is so far from the machine's, and goes on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    offset_s: i64,
}

impl Earlier {
    /// A clock that says `unix_s` (seconds since 1970) now.
    ///
    /// # Panics
    /// When processes do not see it: libfaketime is not there.
    pub fn at(unix_s: i64) -> Self {
        let earlier = Self { offset_s: unix_s - SystemClock.unix_ms() / 1000 };
        let mut date = Command::new("date");
        earlier.set(date.arg("+%s"));
        let seen: i64 = run(&mut date).trim().parse().expect("date says seconds");
        // The loader only warns of a library that it does not find.
        assert!(
            (seen - unix_s).abs() <= APART_S_MAX,
            "{seen} instead of {unix_s}: is faketime installed, as tests/run does?"
        );
        earlier
    }

    /// Has a command see this clock; what it preloads already stays.
    pub fn set(self, command: &mut Command) {
        let preloaded = command.get_envs().find(|(name, _)| *name == OsStr::new("LD_PRELOAD")).and_then(|(_, value)| value);
        let mut libraries = preloaded.map(OsStr::to_owned).unwrap_or_default();
        if !libraries.is_empty() {
            libraries.push(":");
        }
        libraries.push(OsString::from(LIBRARY));
        command.env("LD_PRELOAD", libraries);
        command.env("FAKETIME", format!("{:+}", self.offset_s)).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    }
}
