//! A child process with its output in files, stopped by its id.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use crate::wait;

/// The `rollcall` program under test: `ROLLCALL_BIN`, or the one built beside the test binary.
///
/// # Panics
/// When it has not been built.
pub fn rollcall() -> PathBuf {
    if let Some(named) = std::env::var_os("ROLLCALL_BIN") {
        return named.into();
    }
    let test = std::env::current_exe().expect("a test has a path");
    // A test is target/<profile>/deps/<binary>, a benchmark target/<profile>/<binary>; rollcall is target/<profile>/rollcall.
    let built = test.ancestors().skip(1).take(2).map(|folder| folder.join("rollcall")).find(|program| program.exists());
    built.unwrap_or_else(|| panic!("no rollcall beside {}: run tests/run, or cargo build -p rollcall", test.display()))
}

/// A running child.
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
}

impl Process {
    /// Starts `command` with standard output and error in `<folder>/<name>.out` and `.err`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(name: &str, command: &mut Command, folder: &Path) -> Self {
        let file = |extension: &str| {
            let path = folder.join(format!("{name}.{extension}"));
            (File::options().create(true).append(true).open(&path).expect("an output file"), path)
        };
        let ((stdout, output), (stderr, _)) = (file("out"), file("err"));
        let child = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn();
        let child = child.unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        Self { name: name.to_owned(), child, output }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it has written to standard output so far.
    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// Everything that it has written to standard error so far.
    pub fn errors(&self) -> String {
        std::fs::read_to_string(self.output.with_extension("err")).unwrap_or_default()
    }

    /// Its exit status, if it has ended.
    ///
    /// # Panics
    /// When the operating system does not know.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked")
    }

    /// Sends a signal by name, such as `TERM`, `HUP`, `STOP`, `KILL`.
    ///
    /// # Panics
    /// When that fails.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.pid().to_string()]).status().expect("kill runs");
        assert!(status.success(), "cannot send SIG{name} to {}", self.name);
    }

    /// Kills it at once and waits until it is gone.
    ///
    /// # Panics
    /// When that fails.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        wait::until(&format!("{} to stop", self.name), || self.ended().ok_or_else(|| self.errors()))
    }

    /// The largest file that it may write from now on, bytes; `None`: as large as it likes. What it writes beyond is refused
    /// by the operating system, which is as near to a full disk as a test comes without rights.
    ///
    /// # Panics
    /// When that cannot be set.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
        run(Command::new("prlimit").args(["--pid", &self.pid().to_string(), &format!("--fsize={limit}:unlimited")]));
    }

    /// What it takes of the machine now, as a line for people.
    ///
    /// # Panics
    /// When it has ended.
    pub fn usage(&self) -> String {
        let of_process = |file: &str| format!("/proc/{}/{file}", self.pid());
        let status = std::fs::read_to_string(of_process("status")).expect("a running process");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a field of every process");
            line.split_whitespace().next().and_then(|figure| figure.parse::<u64>().ok()).expect("a figure")
        };
        let files = std::fs::read_dir(of_process("fd")).expect("a running process").count();
        format!(
            "{}: {} MiB resident (most {} MiB), {} threads, {files} files open, {} KiB of log",
            self.name,
            field("VmRSS:") / 1024,
            field("VmHWM:") / 1024,
            field("Threads:"),
            self.errors().len() / 1024
        )
    }

    /// Panics with its last words when it has ended.
    ///
    /// # Panics
    /// When it has ended.
    #[track_caller]
    pub fn assert_running(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} has ended with {status}:\n{}", self.name, self.errors());
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // Ended by itself between the two calls: fine.
            drop(self.child.kill());
            drop(self.child.wait());
        }
        if std::thread::panicking() {
            let tail: String = self
                .errors()
                .lines()
                .rev()
                .take(30)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .fold(String::new(), |text, line| text + line + "\n");
            #[expect(clippy::print_stderr, reason = "the last words of a failed test's process")]
            {
                eprintln!("--- last words of {} ---\n{tail}", self.name);
            }
        }
    }
}

/// Runs a command to its end and returns its standard output.
///
/// # Panics
/// When it fails; with its standard error.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let done = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let errors = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{command:?} failed with {}:\n{errors}", done.status);
    String::from_utf8_lossy(&done.stdout).into_owned()
}
