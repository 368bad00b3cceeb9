//! A nats-server of the test's own: JetStream on, every acknowledged write synced, a port from the operating system.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::{process::Process, wait};

/// A running nats-server and its store.
pub struct NatsServer {
    folder: TempDir,
    store: PathBuf,
    port: u16,
    process: Process,
}

/// The nats-server to use: `ROLLCALL_NATS_SERVER`, or the one on the path.
fn program() -> PathBuf {
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

    /// Starts one on a store that is there already.
    ///
    /// # Panics
    /// As [`NatsServer::start`].
    pub fn on_store(store: &Path) -> Self {
        Self::start_in(tempfile::tempdir().expect("a temporary folder"), store.to_owned())
    }

    fn start_in(folder: TempDir, store: PathBuf) -> Self {
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

fn spawn(folder: &TempDir, store: &Path, port: i32) -> Process {
    let config = folder.path().join("nats.conf");
    // Streams reserve what they may grow to, however little a test writes: by default the server allows three quarters of
    // what the disk has free, and then a fourth instance may not fit.
    let text = format!(
        "listen: \"127.0.0.1:{port}\"\nports_file_dir: {:?}\nmax_payload: 2MB\n\
         jetstream {{ store_dir: {store:?}, sync_interval: always, max_file_store: 1TB }}\n",
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
