//! MQTT clients of other projects, mosquitto's and paho's, and openssl's TLS client.
//!
//! Names of access domains are resolved by nss_wrapper, so that a test needs no entry in `/etc/hosts`.

use std::{
    ffi::OsStr,
    fs::File,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Output, Stdio},
};

use serde_json::{Value, json};

use crate::{certificates::Pair, earlier::Earlier, process::Process, wait};

/// How a client reaches a server.
#[derive(Clone, Debug)]
pub struct Target {
    /// Host name: resolved to the server's address, and sent as SNI.
    pub host: String,
    /// The server's address.
    pub address: SocketAddr,
    /// What the server's certificate must lead to.
    pub server_ca: PathBuf,
    /// A folder for the client's own files.
    pub folder: PathBuf,
    /// The clock of the clients, if it is not the machine's.
    pub clock: Option<Earlier>,
}

impl Target {
    /// A command that resolves [`Target::host`] to the server.
    fn command(&self, program: &str) -> Command {
        let hosts = self.folder.join(format!("{}.hosts", self.host));
        let text = format!("{} {}\n", self.address.ip(), self.host);
        // Never written again while it says this: a client that is starting may be reading it.
        if std::fs::read_to_string(&hosts).ok().as_ref() != Some(&text) {
            std::fs::write(&hosts, text).expect("a hosts file");
        }
        let mut command = Command::new(program);
        command.env("LD_PRELOAD", "libnss_wrapper.so").env("NSS_WRAPPER_HOSTS", &hosts);
        if let Some(clock) = self.clock {
            clock.set(&mut command);
        }
        command
    }

    /// Publishes one message at QoS 1 with mosquitto_pub; `extra` are further arguments (`-V mqttv5`, `-i id`, …).
    pub fn mosquitto_pub(&self, device: &Pair, topic: &str, message: &str, extra: &[&str]) -> Output {
        let mut command = self.command("mosquitto_pub");
        command.args(["-h", &self.host, "-p", &self.address.port().to_string(), "-q", "1", "-t", topic, "-m", message]);
        command.arg("--cafile").arg(&self.server_ca).arg("--cert").arg(&device.certificate).arg("--key").arg(&device.key);
        command.args(extra).stdin(Stdio::null()).output().expect("mosquitto_pub is installed by tests/run")
    }

    /// Starts mosquitto_sub at QoS 1 with further arguments (`-t filter`, `-C count`, …); it says what happens (`-d`).
    pub fn mosquitto_sub(&self, device: &Pair, extra: &[&str]) -> Process {
        let mut command = self.command("mosquitto_sub");
        command.args(["-d", "-h", &self.host, "-p", &self.address.port().to_string(), "-q", "1"]).args(extra);
        command.arg("--cafile").arg(&self.server_ca).arg("--cert").arg(&device.certificate).arg("--key").arg(&device.key);
        Process::start("mosquitto_sub", &mut command, &self.folder)
    }

    /// Starts a client program; it resolves names as every client here does.
    pub fn start(&self, name: &str, program: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Process {
        Process::start(name, self.command(&program.to_string_lossy()).args(arguments), &self.folder)
    }

    /// What a client program of the tests is told, in JSON: how to reach the server, and the device's certificate.
    pub fn options(&self, device: &Pair) -> Value {
        json!({
            "host": self.host, "port": self.address.port(), "server_ca": self.server_ca,
            "certificate": device.certificate, "key": device.key,
        })
    }

    /// `openssl s_client` with SNI of its own choice (`None`: no SNI); reads until the server closes or 5 s pass.
    pub fn s_client(&self, server_name: Option<&str>, device: Option<&Pair>, extra: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command.args(["5", "openssl", "s_client", "-connect", &self.address.to_string(), "-CAfile"]).arg(&self.server_ca);
        match server_name {
            Some(name) => command.args(["-servername", name]),
            None => command.arg("-noservername"),
        };
        if let Some(device) = device {
            command.arg("-cert").arg(&device.certificate).arg("-key").arg(&device.key);
            command.arg("-cert_chain").arg(&device.certificate);
        }
        command.args(extra).stdin(Stdio::null()).output().expect("openssl is installed by tests/run")
    }

    /// `openssl s_client` that sends `input` and reads on until `enough` says that what came is enough, or the server closes.
    /// For what openssl alone can do: keep a TLS session in a file (`-sess_out`) and resume it (`-sess_in`).
    ///
    /// # Panics
    /// When neither happens.
    #[track_caller]
    pub fn s_client_says(&self, device: &Pair, input: &[u8], extra: &[&str], enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-connect", &self.address.to_string(), "-servername", &self.host, "-nocommands"]);
        command.arg("-CAfile").arg(&self.server_ca).arg("-cert").arg(&device.certificate).arg("-key").arg(&device.key);
        command.args(extra);
        let said = tempfile::Builder::new().prefix("s_client-").tempfile_in(&self.folder).expect("a file");
        let output = || File::options().append(true).open(said.path()).expect("the same file");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(output())
            .stderr(output())
            .spawn()
            .expect("openssl is installed by tests/run");
        let mut stdin = child.stdin.take().expect("piped");
        // A server that has closed already does not take it.
        drop(stdin.write_all(input).and_then(|()| stdin.flush()));
        let seen = wait::until("openssl s_client to hear the server", || {
            let ended = child.try_wait().expect("a child can be asked").is_some();
            let seen = std::fs::read(said.path()).expect("the file");
            if ended || enough(&seen) { Ok(seen) } else { Err(String::from_utf8_lossy(&seen).into_owned()) }
        });
        // The end of its input makes it say goodbye and write the session file.
        drop(stdin);
        drop(child.wait());
        seen
    }

    /// Starts a paho client; see [`Paho`].
    pub fn paho(&self, device: &Pair, options: &PahoOptions) -> Paho {
        Paho::start(self, device, options)
    }
}

/// How a paho client connects.
#[derive(Clone, Debug)]
pub struct PahoOptions {
    /// 4 (MQTT 3.1.1) or 5.
    pub version: u8,
    pub client_id: String,
    /// User name, if any.
    pub user_name: Option<String>,
    /// Keep-alive, seconds.
    pub keep_alive_s: u16,
    /// TLS 1.2 only.
    pub tls12: bool,
    /// Further fields of the client program's options, such as a will.
    pub extra: Value,
}

impl Default for PahoOptions {
    fn default() -> Self {
        Self { version: 5, client_id: "paho".into(), user_name: None, keep_alive_s: 60, tls12: false, extra: json!({}) }
    }
}

/// A running paho client: takes commands as JSON lines, says what happens as JSON lines.
pub struct Paho {
    child: Child,
    commands: ChildStdin,
    said: PathBuf,
}

/// The program: paho behind two pipes.
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/paho_client.py");

impl Paho {
    fn start(target: &Target, device: &Pair, options: &PahoOptions) -> Self {
        let said = tempfile::Builder::new().prefix("paho-").suffix(".jsonl").tempfile_in(&target.folder).expect("a file");
        let (file, said) = said.keep().expect("kept");
        let python = std::env::var("ROLLCALL_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
        let mut command = target.command(&python);
        let mut given = target.options(device);
        let own = json!({
            "version": options.version, "tls12": options.tls12, "client_id": options.client_id,
            "user_name": options.user_name, "keep_alive": options.keep_alive_s,
        });
        for more in [&own, &options.extra] {
            if let (Some(given), Some(more)) = (given.as_object_mut(), more.as_object()) {
                given.extend(more.clone());
            }
        }
        command.arg(PROGRAM).arg(given.to_string());
        let mut child = command.stdin(Stdio::piped()).stdout(file).spawn().expect("python runs; tests/run sets it up");
        let commands = child.stdin.take().expect("piped");
        Self { child, commands, said }
    }

    /// Everything that it has said.
    pub fn said(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.said).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for the first event of a kind (`connack`, `puback`, `suback`, `message`, `disconnect`, `failed`).
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn expect(&self, kind: &str) -> Value {
        self.expect_that(kind, |_| true)
    }

    /// Waits for the first event of a kind that `is` so.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn expect_that(&self, kind: &str, is: impl Fn(&Value) -> bool) -> Value {
        wait::until(&format!("paho to say {kind}"), || {
            let said = self.said();
            let found = said.iter().find(|event| event["event"] == kind && is(event)).cloned();
            found.ok_or_else(|| format!("{said:?}"))
        })
    }

    /// Publishes at QoS 1; the answer is a `puback` with the same `id`.
    ///
    /// # Panics
    /// When the client is gone.
    pub fn publish(&mut self, topic: &str, payload: &str) {
        self.command(&json!({"do": "publish", "topic": topic, "payload": payload, "qos": 1}));
    }

    /// As [`Paho::publish`], with a QoS and retain flag of the test's choice.
    ///
    /// # Panics
    /// When the client is gone.
    pub fn publish_as(&mut self, topic: &str, payload: &str, qos: u8, retain: bool) {
        self.command(&json!({"do": "publish", "topic": topic, "payload": payload, "qos": qos, "retain": retain}));
    }

    /// Publishes `bytes` zeros at QoS 1.
    ///
    /// # Panics
    /// When the client is gone.
    pub fn publish_zeros(&mut self, topic: &str, bytes: usize) {
        self.command(&json!({"do": "publish_zeros", "topic": topic, "bytes": bytes}));
    }

    /// Publishes at QoS 1 and waits for the acknowledgement.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn publish_acknowledged(&mut self, topic: &str, payload: &str) -> Value {
        let before = self.said().iter().filter(|event| event["event"] == "puback").count();
        self.publish(topic, payload);
        wait::until("paho to say puback", || {
            let said = self.said();
            let found = said.iter().filter(|event| event["event"] == "puback").nth(before).cloned();
            found.ok_or_else(|| format!("{said:?}"))
        })
    }

    /// Subscribes at QoS 1 and waits for the acknowledgement.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn subscribe(&mut self, filter: &str) -> Value {
        let before = self.said().iter().filter(|event| event["event"] == "suback").count();
        self.command(&json!({"do": "subscribe", "filter": filter, "qos": 1}));
        wait::until("paho to say suback", || {
            let said = self.said();
            let found = said.iter().filter(|event| event["event"] == "suback").nth(before).cloned();
            found.ok_or_else(|| format!("{said:?}"))
        })
    }

    /// Waits for CONNACK 0 and returns the device id that MQTT 5's user property says.
    ///
    /// # Panics
    /// When it is refused, or nothing comes.
    #[track_caller]
    pub fn accepted(&self) -> Option<String> {
        let connack = self.expect("connack");
        assert_eq!(connack["code"], 0, "{connack}");
        user_property(&connack, "device_id")
    }

    /// Waits for the message with this payload.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn message(&self, payload: &str) -> Value {
        self.expect_that("message", |event| event["payload"] == payload)
    }

    /// Disconnects and ends.
    pub fn disconnect(&mut self) {
        self.command(&json!({"do": "disconnect"}));
    }

    fn command(&mut self, command: &Value) {
        writeln!(self.commands, "{command}").expect("the client takes commands");
        self.commands.flush().expect("the client takes commands");
    }
}

impl Drop for Paho {
    fn drop(&mut self) {
        // Already gone is fine.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The user property of this name that MQTT 5 carried.
pub fn user_property(event: &Value, name: &str) -> Option<String> {
    let pairs = event["properties"]["UserProperty"].as_array()?;
    let found = pairs.iter().find(|pair| pair[0] == name)?;
    found[1].as_str().map(ToOwned::to_owned)
}

/// The CONNACK code of MQTT 3.1.1, which paho says as the MQTT 5 code that it stands for.
///
/// # Panics
/// When it is none.
pub fn connack_code_3(event: &Value) -> u8 {
    match event["code"].as_u64() {
        Some(0) => 0,
        Some(0x84) => 1,
        Some(0x85) => 2,
        Some(0x88) => 3,
        Some(0x86) => 4,
        Some(0x87) => 5,
        _ => panic!("no CONNACK code of MQTT 3.1.1: {event}"),
    }
}

/// The reason string that MQTT 5 carried; empty if there was none.
pub fn reason_string(event: &Value) -> String {
    event["properties"]["ReasonString"].as_str().unwrap_or_default().to_owned()
}

/// Whether a finished client was let in, with its words if it was not.
///
/// # Errors
/// Standard error and standard output of a client that failed.
pub fn success(done: &Output) -> Result<(), String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if done.status.success() {
        Ok(())
    } else {
        Err(format!("{}: {}{}", done.status, text(&done.stderr), text(&done.stdout)))
    }
}

/// A folder that lives as long as the test.
pub fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("rollcall-test-").tempdir().expect("a temporary folder")
}

/// The target of an instance served at an address.
pub fn target(host: &str, address: SocketAddr, server_ca: &Path, folder: &Path) -> Target {
    Target { host: host.to_owned(), address, server_ca: server_ca.to_owned(), folder: folder.to_owned(), clock: None }
}
