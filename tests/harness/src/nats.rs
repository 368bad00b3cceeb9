//! A nats-server of the test's own: JetStream on, every acknowledged write synced, a port from the operating system, and the
//! accounts of `deploy/nats`: what a role may not do there fails here.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use rollcall_log_nats::{Credentials, NatsConfig};
use tempfile::TempDir;

use crate::{
    process::{Process, run},
    wait,
};

/// Connectors that have a user: `connector-0` and so on.
pub const CONNECTORS: usize = 4;
/// The user that may do what all may.
pub const UP: &str = "up";

/// A running nats-server and its store.
pub struct NatsServer {
    folder: TempDir,
    store: PathBuf,
    port: u16,
    process: Process,
}

/// How one process reaches a server: as a user of its own.
#[derive(Clone, Debug)]
pub struct NatsLogin {
    /// The server's URL, or those of a cluster.
    pub url: String,
    /// The user's name.
    pub user: String,
    /// The file with its password.
    pub password_file: PathBuf,
    /// Copies of each stream.
    pub replicas: usize,
}

impl NatsLogin {
    /// The `[nats]` table of a process's file.
    pub fn table(&self) -> String {
        let Self { url, user, password_file, replicas } = self;
        format!("[nats]\nurl = {url:?}\nuser = {user:?}\npassword_file = {password_file:?}\nreplicas = {replicas}\n")
    }

    /// Gives a command the arguments that say the same.
    pub fn pass(&self, command: &mut Command) {
        command.args(["--nats", &self.url, "--nats-user", &self.user, "--nats-password-file"]).arg(&self.password_file);
        command.args(["--nats-replicas", &self.replicas.to_string()]);
    }

    /// As the backbone takes it.
    ///
    /// # Panics
    /// When the password cannot be read.
    pub fn config(&self) -> NatsConfig {
        let password = std::fs::read_to_string(&self.password_file).expect("every user has a password");
        let mut config = NatsConfig::new(&self.url);
        config.credentials = Credentials::User { name: self.user.clone(), password: password.trim().to_owned() };
        config.replicas = self.replicas;
        config
    }
}

/// The nats-server to use: `ROLLCALL_NATS_SERVER`, or the one on the path.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("ROLLCALL_NATS_SERVER").map_or_else(|| "nats-server".into(), PathBuf::from)
}

impl NatsServer {
    /// Starts one.
    ///
    /// # Panics
    /// When there is no nats-server: `tests/run` installs it.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = folder.path().join("store");
        Self::start_in(folder, store)
    }

    /// Starts one on a store that is there already. What a server without accounts wrote becomes the account's that all
    /// streams are in, as an operator would have it who goes over to accounts.
    ///
    /// # Panics
    /// As [`NatsServer::start`].
    pub fn on_store(store: &Path) -> Self {
        let without_accounts = store.join("jetstream/$G");
        if without_accounts.exists() {
            std::fs::rename(without_accounts, store.join("jetstream/ROLLCALL")).expect("renamed");
        }
        Self::start_in(tempfile::tempdir().expect("a temporary folder"), store.to_owned())
    }

    fn start_in(folder: TempDir, store: PathBuf) -> Self {
        make_users(folder.path());
        let mut process = spawn(&folder, &store, -1);
        let port = wait::until("nats-server to listen", || {
            process.assert_running();
            port(&folder, &process)
        });
        Self { folder, store, port, process }
    }

    /// Its URL; the same after [`NatsServer::restart`].
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// How a user of this server reaches it: [`UP`], `registrar`, `api`, or `connector-0` and so on.
    pub fn login(&self, user: &str) -> NatsLogin {
        login(self.folder.path(), self.url(), user, 1)
    }

    /// Copies its store aside, as a backup; it must have been killed.
    ///
    /// # Panics
    /// When it cannot be copied.
    pub fn back_up(&self) {
        run(Command::new("cp").arg("-a").arg(&self.store).arg(self.store.with_extension("backup")));
    }

    /// Puts the backup in the place of its store; it must have been killed.
    ///
    /// # Panics
    /// When it cannot be moved.
    pub fn restore(&self) {
        std::fs::remove_dir_all(&self.store).expect("removed");
        std::fs::rename(self.store.with_extension("backup"), &self.store).expect("restored");
    }

    /// Kills it at once, without a chance to write anything.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops reading and writing, without closing anything; `CONT` goes on.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Starts it again on the same port and store.
    pub fn restart(&mut self) {
        self.process = spawn(&self.folder, &self.store, i32::from(self.port));
        wait::until("nats-server to listen again", || {
            self.process.assert_running();
            std::net::TcpStream::connect(("127.0.0.1", self.port)).map(drop)
        });
    }
}

/// Users and their passwords, by the program that an operator makes them with.
pub(crate) fn make_users(folder: &Path) {
    let connectors: Vec<_> = (0..CONNECTORS).map(|number| format!("connector-{number}")).collect();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nats/make-users");
    run(Command::new(program).arg("--out").arg(folder).args(connectors));
}

pub(crate) fn login(folder: &Path, url: String, user: &str, replicas: usize) -> NatsLogin {
    let password_file = folder.join("users/passwords").join(user);
    assert!(password_file.exists(), "there is no user {user}");
    NatsLogin { url, user: user.to_owned(), password_file, replicas }
}

fn spawn(folder: &TempDir, store: &Path, port: i32) -> Process {
    let config = folder.path().join("nats.conf");
    // Streams reserve what they may grow to, however little a test writes: by default the server allows three quarters of
    // what the disk has free, and then a fourth instance may not fit.
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\nports_file_dir: {:?}\nmax_payload: 2MB\n\
         jetstream {{ store_dir: {store:?}, sync_interval: always, max_file_store: 1TB }}\ninclude \"accounts.conf\"\n",
        folder.path()
    );
    std::fs::write(&config, text).expect("written");
    Process::start("nats-server", Command::new(program()).arg("-c").arg(&config), folder.path())
}

/// nats-server writes `<program>_<pid>.ports` with its URLs once it listens.
fn port(folder: &TempDir, process: &Process) -> Result<u16, String> {
    let ending = format!("_{}.ports", process.pid());
    let files = std::fs::read_dir(folder.path()).map_err(|error| error.to_string())?;
    let file =
        files.flatten().find(|file| file.file_name().to_string_lossy().ends_with(&ending)).ok_or("no ports file yet")?;
    let text = std::fs::read_to_string(file.path()).map_err(|error| error.to_string())?;
    let ports: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let url = ports["nats"][0].as_str().ok_or("no URL in the ports file")?;
    url.rsplit(':').next().and_then(|port| port.parse().ok()).ok_or_else(|| format!("no port in {url}"))
}
