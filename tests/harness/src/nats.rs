//! A nats-server of the test's own: JetStream on, every acknowledged write synced, a port from the operating system, and the
//! accounts of `deploy/nats`: what a role may not do there fails here.

use std::{
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use rollcall_backbone::nats::{Credentials, NatsConfig};
use tempfile::TempDir;

use crate::{
    process::{Process, run},
    wait,
};

/// Connectors that have a user: `connector-0` and so on.
pub const CONNECTORS: usize = 4;
/// The user that may do what all may.
pub const UP: &str = "up";

/// What a store is on.
#[derive(Clone, Copy)]
enum Disk {
    /// The machine's.
    Whole,
    /// One of its own.
    Small { mebibytes: usize },
}

/// A running nats-server and its store.
pub struct NatsServer {
    store: PathBuf,
    disk: Disk,
    port: u16,
    process: Process,
    /// Last: it has the last words of the process.
    folder: TempDir,
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
        Self::start_in(folder, store, Disk::Whole)
    }

    /// Starts one whose store is a disk of its own with this many MiB: a file system in memory, in a mount namespace of the
    /// server's. What it holds is gone when the server has ended.
    ///
    /// # Panics
    /// As [`NatsServer::start`]; when there are no user namespaces here, which `tests/run` sees to.
    pub fn on_small_disk(mebibytes: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = folder.path().join("store");
        std::fs::create_dir(&store).expect("a folder");
        Self::start_in(folder, store, Disk::Small { mebibytes })
    }

    /// Fills the disk of [`NatsServer::on_small_disk`] to the last byte.
    ///
    /// # Panics
    /// When that fails for another reason than that there is no room.
    pub fn fill_disk(&self) {
        let mut file = std::fs::File::create(self.filler()).expect("a file on the server's disk");
        let full = std::iter::repeat(()).find_map(|()| file.write_all(&[0; 4096]).err()).expect("a disk has an end");
        assert_eq!(full.kind(), std::io::ErrorKind::StorageFull, "{full}");
    }

    /// Kills it and starts it again on the machine's disk, with what was on its own.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn move_to_larger_disk(&mut self) {
        self.process.signal("STOP");
        std::fs::remove_file(self.filler()).expect("removed");
        let copied = self.store.with_extension("copy");
        run(Command::new("cp").arg("-a").arg(self.seen_by_server()).arg(&copied));
        self.process.kill();
        // What the disk was mounted on, which only the server has seen it on.
        std::fs::remove_dir(&self.store).expect("an empty folder");
        std::fs::rename(&copied, &self.store).expect("renamed");
        self.disk = Disk::Whole;
        self.restart();
    }

    fn filler(&self) -> PathBuf {
        self.seen_by_server().join("filler")
    }

    /// Its store, as the server sees it.
    fn seen_by_server(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.process.pid()));
        root.join(self.store.strip_prefix("/").expect("an absolute path"))
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
        Self::start_in(tempfile::tempdir().expect("a temporary folder"), store.to_owned(), Disk::Whole)
    }

    fn start_in(folder: TempDir, store: PathBuf, disk: Disk) -> Self {
        make_users(folder.path());
        let mut process = spawn(&folder, &store, disk, -1);
        let port = wait::until("nats-server to listen", || {
            process.assert_running();
            port(&folder, &process, "nats")
        });
        Self { folder, store, disk, port, process }
    }

    /// Its URL; the same after [`NatsServer::restart`].
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// How a user of this server reaches it: [`UP`], `registrar`, `api`, or `connector-0` and so on.
    pub fn login(&self, user: &str) -> NatsLogin {
        login(self.folder.path(), self.url(), user, 1)
    }

    /// What it takes of the machine now, as a line for people.
    pub fn usage(&self) -> String {
        self.process.usage()
    }

    /// What it says of its streams, with their configuration and consumers, at its monitoring port (`/jsz`).
    ///
    /// # Panics
    /// When it does not answer.
    pub fn streams(&self) -> Vec<serde_json::Value> {
        let port = port(&self.folder, &self.process, "monitoring").expect("a monitoring port");
        let mut socket = std::net::TcpStream::connect(("127.0.0.1", port)).expect("the monitoring port is open");
        socket
            .write_all(b"GET /jsz?accounts=true&streams=true&consumers=true&config=true HTTP/1.0\r\n\r\n")
            .expect("the server reads");
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("the server answers");
        let (_, body) = answer.split_once("\r\n\r\n").expect("headers and a body");
        let said: serde_json::Value = serde_json::from_str(body).expect("JSON");
        let accounts = said["account_details"].as_array().expect("accounts");
        accounts.iter().flat_map(|account| account["stream_detail"].as_array().cloned().unwrap_or_default()).collect()
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
        self.process = spawn(&self.folder, &self.store, self.disk, i32::from(self.port));
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

fn spawn(folder: &TempDir, store: &Path, disk: Disk, port: i32) -> Process {
    let config = folder.path().join("nats.conf");
    // Streams reserve what they may grow to, however little a test writes: by default the server allows three quarters of
    // what the disk has free, and then a fourth instance may not fit.
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:-1\"\nports_file_dir: {:?}\nmax_payload: 2MB\n\
         jetstream {{ store_dir: {store:?}, sync_interval: always, max_file_store: 1TB }}\ninclude \"accounts.conf\"\n",
        folder.path()
    );
    std::fs::write(&config, text).expect("written");
    let mut command = match disk {
        Disk::Whole => Command::new(program()),
        Disk::Small { mebibytes } => on_disk(mebibytes, store),
    };
    Process::start("nats-server", command.arg("-c").arg(&config), folder.path())
}

/// The server in a mount namespace of its own, as the same process.
fn on_disk(mebibytes: usize, store: &Path) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c"]);
    command.arg("mount -t tmpfs -o \"size=$1m\" none \"$2\" && shift 2 && exec \"$@\"");
    command.args(["sh", &mebibytes.to_string()]).arg(store).arg(program());
    command
}

/// nats-server writes `<program>_<pid>.ports` with its URLs once it listens.
fn port(folder: &TempDir, process: &Process, of: &str) -> Result<u16, String> {
    let ending = format!("_{}.ports", process.pid());
    let files = std::fs::read_dir(folder.path()).map_err(|error| error.to_string())?;
    let file =
        files.flatten().find(|file| file.file_name().to_string_lossy().ends_with(&ending)).ok_or("no ports file yet")?;
    let text = std::fs::read_to_string(file.path()).map_err(|error| error.to_string())?;
    let ports: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let url = ports[of][0].as_str().ok_or("no URL in the ports file")?;
    url.rsplit(':').next().and_then(|port| port.parse().ok()).ok_or_else(|| format!("no port in {url}"))
}
