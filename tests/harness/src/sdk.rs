//! The official cloud SDK as a client: Python programs that are given a scene and must come to their end.
//!
//! Access domains are resolved by nss_wrapper, as for the MQTT clients.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

/// What a program of `tests/acceptance/sdk` is given.
#[derive(Clone, Debug)]
pub struct Scene {
    /// As `up.json` has it.
    pub api: Value,
    /// The instance that it works on.
    pub instance: String,
    /// Its access domain.
    pub host: String,
    /// Where its connector accepts MQTT over TLS.
    pub mqtts: SocketAddr,
    /// What the connector's certificate leads to.
    pub server_ca: PathBuf,
    /// A folder for the program's own files.
    pub folder: PathBuf,
    /// Fields that one program needs beside those above.
    pub more: Value,
}

impl Scene {
    /// Runs `tests/acceptance/sdk/<program>.py` to its end.
    ///
    /// # Panics
    /// When it does not end well; says what it said.
    #[track_caller]
    pub fn play(&self, program: &str) {
        let mut scene = json!({
            "api": self.api, "instance": self.instance, "host": self.host, "mqtts_port": self.mqtts.port(),
            "server_ca": self.server_ca, "folder": self.folder,
        });
        if let (Some(scene), Some(more)) = (scene.as_object_mut(), self.more.as_object()) {
            scene.extend(more.clone());
        }
        let hosts = self.folder.join("sdk.hosts");
        std::fs::write(&hosts, "127.0.0.1 localhost\n127.0.0.1 north.test\n127.0.0.1 south.test\n").expect("a hosts file");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../acceptance/sdk").join(program).with_extension("py");
        let python = std::env::var_os("ROLLCALL_TEST_PYTHON").unwrap_or_else(|| "python3".into());
        let mut command = Command::new(python);
        command.env("LD_PRELOAD", "libnss_wrapper.so").env("NSS_WRAPPER_HOSTS", &hosts);
        // The SDK keeps a file of its own in the home folder.
        command.env("HOME", &self.folder).env("PYTHONDONTWRITEBYTECODE", "1");
        let done = command.arg(script).arg(scene.to_string()).output().expect("python is installed by tests/run");
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(done.status.success(), "{program}: {}\n{}", said(&done.stdout), said(&done.stderr));
        assert!(said(&done.stdout).ends_with("done\n"), "{program} came to its end: {}", said(&done.stdout));
    }
}
