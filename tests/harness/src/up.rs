//! A running `rollcall up`, with a data folder, fleet file and port of its own.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    clients::{self, Target},
    earlier::Earlier,
    fleet::{self, Instance},
    nats::{NatsLogin, NatsServer, UP},
    process::{Process, rollcall},
    raw, wait,
};

/// A running `rollcall up`.
pub struct Up {
    nats: Option<NatsLogin>,
    clock: Option<Earlier>,
    process: Process,
    address: SocketAddr,
    /// Last: it has the last words of the process.
    folder: TempDir,
}

impl Up {
    /// Starts one on the embedded log.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn embedded(folder: TempDir, instances: &[Instance]) -> Self {
        Self::start(folder, instances, None)
    }

    /// Starts one on a NATS server.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn on_nats(folder: TempDir, instances: &[Instance], nats: &NatsServer) -> Self {
        Self::start(folder, instances, Some(nats.login(UP)))
    }

    fn start(folder: TempDir, instances: &[Instance], nats: Option<NatsLogin>) -> Self {
        let up = Self::start_text(folder, &fleet::yaml(instances), nats);
        up.trusted(instances);
        up
    }

    /// Starts one with a fleet file of this text; on the embedded log if `nats` is `None`.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_text(folder: TempDir, yaml: &str, nats: Option<NatsLogin>) -> Self {
        std::fs::write(folder.path().join("fleet.yaml"), yaml).expect("the fleet file");
        Self::start_in(folder, nats, None)
    }

    /// Starts one on the data folder `data` that is there already, without a fleet file, with a clock of its own.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_earlier(folder: TempDir, nats: Option<NatsLogin>, clock: Earlier) -> Self {
        Self::start_in(folder, nats, Some(clock))
    }

    fn start_in(folder: TempDir, nats: Option<NatsLogin>, clock: Option<Earlier>) -> Self {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = spawn(folder.path(), any_port, nats.as_ref(), clock);
        let address = ready(folder.path(), &mut process);
        Self { folder, nats, clock, process, address }
    }

    /// Waits until new handshakes are accepted for the CA certificate of each instance.
    fn trusted(&self, instances: &[Instance]) {
        for instance in instances {
            raw::trusted(&self.target(&instance.access_domain), &instance.probe(self.folder()));
        }
    }

    /// How a client reaches the instance with this access domain.
    pub fn target(&self, host: &str) -> Target {
        Target { clock: self.clock, ..clients::target(host, self.address, &self.server_ca(), self.folder()) }
    }

    /// Its data folder.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What `up.json` says.
    ///
    /// # Panics
    /// When it is not there.
    pub fn announced(&self) -> Value {
        let text = std::fs::read_to_string(self.data().join("up.json")).expect("up.json");
        serde_json::from_str(&text).expect("up.json is JSON")
    }

    /// Its folder: certificates of the test may go there.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it accepts MQTT over TLS.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The CA certificate that its server certificates lead to.
    pub fn server_ca(&self) -> PathBuf {
        self.folder.path().join("data/ca/platform-ca.crt")
    }

    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Writes another fleet file and applies it; returns once it has been applied.
    ///
    /// # Panics
    /// When it is not applied.
    pub fn apply(&mut self, instances: &[Instance]) {
        self.apply_text(&fleet::yaml(instances));
        self.trusted(instances);
    }

    /// As [`Up::apply`], from text.
    ///
    /// # Panics
    /// When it is not applied.
    pub fn apply_text(&mut self, yaml: &str) {
        std::fs::write(self.folder.path().join("fleet.yaml"), yaml).expect("the fleet file");
        let done = |errors: &str| errors.matches("fleet file applied").count() + errors.matches("was not applied").count();
        let before = done(&self.process.errors());
        self.process.signal("HUP");
        wait::until("the fleet file to be applied", || {
            self.process.assert_running();
            let errors = self.process.errors();
            if done(&errors) > before { Ok(()) } else { Err(errors) }
        });
    }

    /// Starts it again on the same port and data; it must have ended.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart(&mut self) {
        // A killed process leaves its announcement behind.
        drop(std::fs::remove_file(self.folder.path().join("data/up.json")));
        self.process = spawn(self.folder.path(), self.address, self.nats.as_ref(), self.clock);
        self.address = ready(self.folder.path(), &mut self.process);
    }

    /// Every record shown so far, of all runs in this folder, as `{"type": "record", "position": n, "record": {…}}`.
    pub fn records(&self) -> Vec<Value> {
        let lines = self.process.output();
        lines
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .filter(|line: &Value| line["type"] == "record")
            .collect()
    }

    /// The records of one type in one instance.
    pub fn records_of(&self, instance: &str, kind: &str) -> Vec<Value> {
        let wanted = |line: &Value| line["record"]["instance"] == instance && line["record"]["type"] == kind;
        self.records().into_iter().filter(wanted).collect()
    }

    /// Waits until a device is registered in an instance, and returns its record.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn registered(&self, instance: &str, device_id: &str) -> Value {
        wait::until(&format!("{device_id} to be registered in {instance}"), || {
            let records = self.records_of(instance, "DeviceRegistered");
            let found = records.iter().find(|line| line["record"]["body"].to_string().contains(&format!("\"{device_id}\"")));
            found.cloned().ok_or_else(|| format!("{} registrations", records.len()))
        })
    }
}

fn spawn(folder: &Path, listen: SocketAddr, nats: Option<&NatsLogin>, clock: Option<Earlier>) -> Process {
    // Without the signal, what writes too large a file gets an error, as on a full disk; see [`Process::limit_files`].
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(rollcall());
    command.args(["up", "--output", "json", "--api", "127.0.0.1:0", "--listen", &listen.to_string(), "--data"]);
    command.arg(folder.join("data"));
    let fleet = folder.join("fleet.yaml");
    if fleet.exists() {
        command.arg("--fleet").arg(fleet);
    }
    if let Some(nats) = nats {
        nats.pass(&mut command);
    }
    if let Some(clock) = clock {
        clock.set(&mut command);
    }
    Process::start("up", &mut command, folder)
}

/// Waits for `up.json`, which is there only once all is ready; proves that it is this process's.
fn ready(folder: &Path, process: &mut Process) -> SocketAddr {
    let file = folder.join("data/up.json");
    wait::until("rollcall up to be ready", || {
        process.assert_running();
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{error}; {}", process.errors()))?;
        let announcement: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if announcement["pid"] != process.pid() {
            return Err(format!("an announcement of process {}", announcement["pid"]));
        }
        let address = announcement["instances"][0]["mqtts_address"].as_str().ok_or("no instance")?;
        address.parse().map_err(|error| format!("{address}: {error}"))
    })
}
