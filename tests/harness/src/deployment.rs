//! Rollcall as separate processes on NATS: a registrar, an API, and as many connectors as a test wants (up to
//! [`crate::nats::CONNECTORS`]), each with its own user of the shipped accounts.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use rollcall_chassis::keys;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    api::Api,
    certificates::{Authority, Key},
    clients::{Target, target},
    fleet::{self, Instance},
    nats::{NatsServer, UP},
    operator::Operator,
    process::{Process, rollcall},
    raw, wait,
};

/// A deployment of separate processes.
pub struct Deployment {
    /// Of the servers' certificates.
    server_authority: Authority,
    server_ca: PathBuf,
    instances: Vec<Instance>,
    connectors: Vec<Connector>,
    registrar: Option<Process>,
    registrar_lines: String,
    /// What the registrars seal with.
    registrar_key: SigningKey,
    /// What the API gives commands with.
    command_key: SigningKey,
    api: Option<Process>,
    second_api: Option<Process>,
    /// What `up.json` would say of the API, and an access key of its first administrator.
    announced: Value,
    /// The broker, which outlives the others.
    pub nats: NatsServer,
    /// Last: it has the last words of the processes.
    folder: TempDir,
}

/// A key as an operator makes it.
struct SigningKey {
    file: PathBuf,
    public: String,
}

impl SigningKey {
    /// `rollcall pki <kind>`.
    fn make(kind: &str, file: PathBuf) -> Self {
        let made = Command::new(rollcall()).args(["pki", kind, "--out"]).arg(&file).output();
        let made = made.expect("rollcall pki starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let public = String::from_utf8(made.stdout).expect("text").trim().to_owned();
        Self { file, public }
    }
}

/// One connector process.
pub struct Connector {
    pub process: Process,
    /// Where it accepts MQTT over TLS.
    pub address: SocketAddr,
    name: String,
    limits: String,
}

impl Deployment {
    /// Starts a broker, a registrar, an API and one connector, and applies a fleet file of these instances.
    ///
    /// # Panics
    /// When something does not come up.
    pub fn start(folder: TempDir, instances: &[Instance]) -> Self {
        Self::configured(folder, instances, "", "")
    }

    /// As [`Deployment::start`]; `limits` are lines of the connector's `[connector.limits]`, with further tables behind them
    /// (`[connector.instances.north]`) if a test wants any; `registrar` of `[registrar]`.
    ///
    /// # Panics
    /// When something does not come up.
    pub fn configured(folder: TempDir, instances: &[Instance], limits: &str, registrar: &str) -> Self {
        Self::configured_on(NatsServer::start(), folder, instances, limits, registrar)
    }

    /// As [`Deployment::start`], on a broker that was made for it.
    ///
    /// # Panics
    /// When something does not come up.
    pub fn on(nats: NatsServer, folder: TempDir, instances: &[Instance]) -> Self {
        Self::configured_on(nats, folder, instances, "", "")
    }

    fn configured_on(nats: NatsServer, folder: TempDir, instances: &[Instance], limits: &str, registrar: &str) -> Self {
        let domains: Vec<_> = instances.iter().map(|instance| (&*instance.id, &*instance.access_domain)).collect();
        let mut deployment = Self { registrar_lines: registrar.to_owned(), ..Self::prepared(nats, folder, &domains) };
        deployment.instances = instances.to_vec();
        deployment.start_registrar();
        deployment.start_api();
        deployment.add_connector(limits);
        deployment.apply();
        deployment
    }

    /// Starts a broker, a registrar and one connector for a fleet that is still to be made: ids and access domains.
    ///
    /// # Panics
    /// When something does not come up.
    pub fn empty(folder: TempDir, domains: &[(&str, &str)]) -> Self {
        let mut deployment = Self::prepared(NatsServer::start(), folder, domains);
        deployment.start_registrar();
        deployment.add_connector("");
        deployment
    }

    /// A broker and server certificates, and nothing else yet.
    fn prepared(nats: NatsServer, folder: TempDir, domains: &[(&str, &str)]) -> Self {
        let tls = folder.path().join("tls");
        std::fs::create_dir_all(&tls).expect("a folder");
        let ca = Authority::root(folder.path(), "server-ca", Key::P256);
        for (id, access_domain) in domains {
            ca.server(&tls, id, access_domain);
        }
        ca.server(&tls, "api", "localhost");
        let server_ca = ca.pair.certificate.clone();
        std::fs::create_dir_all(folder.path().join("api")).expect("a folder");
        let registrar_key = SigningKey::make("registrar-key", folder.path().join("registrar.key"));
        let command_key = SigningKey::make("command-key", folder.path().join("api/command.key"));
        Self {
            folder,
            server_authority: ca,
            server_ca,
            instances: Vec::new(),
            connectors: Vec::new(),
            registrar: None,
            registrar_lines: String::new(),
            registrar_key,
            command_key,
            api: None,
            second_api: None,
            announced: Value::Null,
            nats,
        }
    }

    /// Its folder: certificates of the test may go there.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Makes a server certificate for an instance that is still to be made, where connectors look for it.
    pub fn add_server_certificate(&self, instance: &Instance) {
        self.server_authority.server(&self.folder().join("tls"), &instance.id, &instance.access_domain);
    }

    /// Applies the instances of the start; returns once every connector trusts their CA certificates.
    fn apply(&self) {
        let done = self.apply_text(&fleet::yaml(&self.instances));
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        for connector in 0..self.connectors.len() {
            for instance in &self.instances {
                let probe = instance.probe(self.folder());
                raw::trusted(&self.target(&instance.access_domain, connector), &probe);
            }
        }
    }

    /// `rollcall apply` of a fleet file with this text, as the first administrator; there must be an API.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn apply_text(&self, yaml: &str) -> Output {
        self.administrator().apply(self.folder(), yaml)
    }

    /// The same as another operator, with their password.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn apply_as(&self, yaml: &str, operator: &str, password: &str) -> Output {
        let url = self.announced["url"].as_str().expect("an API");
        let (file, secret) = (self.folder().join("fleet.yaml"), self.folder().join(format!("{operator}.password")));
        std::fs::write(&file, yaml).expect("the fleet file");
        drop(std::fs::remove_file(&secret));
        keys::write_private(&secret, password).expect("the password");
        let mut command = Command::new(rollcall());
        command.args(["apply", "--api", url, "--user", operator, "--password-file"]).arg(&secret);
        command.arg("--fleet").arg(&file).arg("--ca-file").arg(&self.server_ca);
        command.arg("--data").arg(self.folder().join("apply")).output().expect("rollcall apply starts")
    }

    /// How a client reaches a connector.
    pub fn target(&self, host: &str, connector: usize) -> Target {
        target(host, self.connectors[connector].address, &self.server_ca, self.folder())
    }

    /// An operator, with the key of the deployment's API.
    pub fn operator(&self) -> Operator {
        Operator::on_nats(&self.nats.login(UP)).with_command_key(&self.command_key.file)
    }

    /// What the registrars seal with, for readers.
    pub fn public_registrar_key(&self) -> &str {
        &self.registrar_key.public
    }

    /// The folder where the registrar keeps its views.
    pub fn registrar_data(&self) -> PathBuf {
        self.folder().join("registrar")
    }

    /// The folder where a connector keeps its views.
    pub fn connector_data(&self, connector: usize) -> PathBuf {
        self.folder().join(&self.connectors[connector].name)
    }

    /// The registrar; it must be running.
    ///
    /// # Panics
    /// When it is not.
    pub fn registrar(&mut self) -> &mut Process {
        self.registrar.as_mut().expect("a registrar")
    }

    /// The connector that was started as this one, from 0.
    pub fn connector(&mut self, number: usize) -> &mut Connector {
        &mut self.connectors[number]
    }

    /// Starts the registrar (again).
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_registrar(&mut self) {
        let config = self.folder().join("registrar.toml");
        let text = format!(
            "data = {:?}\n{}[log]\nregistrar_key_file = {:?}\n[registrar]\ncommand_keys = [{:?}]\n{}\n",
            self.registrar_data(),
            self.nats.login("registrar").table(),
            self.registrar_key.file,
            self.command_key.public,
            self.registrar_lines
        );
        std::fs::write(&config, text).expect("written");
        let mut command = Command::new(rollcall());
        command.arg("registrar").arg("--config").arg(&config);
        self.registrar = Some(Process::start("registrar", &mut command, self.folder()));
    }

    /// Starts an API; returns what `up.json` would say of it, from what the first start prints and writes down.
    ///
    /// # Panics
    /// When it does not come up, or is not the first.
    pub fn start_api(&mut self) -> Value {
        let mut process = self.spawn_api("api");
        let announced = wait::until("the API to make its first administrator", || {
            process.assert_running();
            let output = process.output();
            let word = |before: &str| {
                let (_, rest) = output.split_once(before)?;
                rest.lines().next().map(str::to_owned)
            };
            match (word("listening on "), word("password and access key in ")) {
                (Some(address), Some(file)) => {
                    let port = address.rsplit(':').next().unwrap_or_default().to_owned();
                    let first: Value = serde_json::from_slice(&std::fs::read(file).expect("the file")).expect("JSON");
                    for secret in ["password", "secret_key"] {
                        assert!(!output.contains(first[secret].as_str().expect("a secret")), "printed: {output}");
                    }
                    Ok(json!({
                        "url": format!("https://localhost:{port}"), "address": address, "ca_file": self.server_ca,
                        "project_id": first["project_id"], "access_key": first["access_key"],
                        "secret_key": first["secret_key"], "operator": first["operator"], "password": first["password"],
                    }))
                }
                _ => Err(format!("{output}{}", process.errors())),
            }
        });
        self.api = Some(process);
        self.announced = announced.clone();
        announced
    }

    fn spawn_api(&self, name: &str) -> Process {
        let (config, tls) = (self.folder().join(format!("{name}.toml")), self.folder().join("tls"));
        let text = format!(
            "data = {:?}\n{}[log]\nregistrar_keys = [{:?}]\n[api]\nlisten = \"127.0.0.1:0\"\ncertificate = {:?}\nkey = {:?}\ntls_folder = {tls:?}\nmaster_key_file = {:?}\ncommand_key_file = {:?}\n",
            self.folder().join(name),
            self.nats.login("api").table(),
            self.registrar_key.public,
            tls.join("api.crt"),
            tls.join("api.key"),
            self.folder().join("api/master.key"),
            self.command_key.file,
        );
        std::fs::write(&config, text).expect("written");
        let mut command = Command::new(rollcall());
        command.arg("api").arg("--config").arg(&config);
        Process::start(name, &mut command, self.folder())
    }

    /// Starts another API of the fleet, with the first one's keys; returns what `up.json` would say of it, without an access key.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_second_api(&mut self) -> Value {
        let mut process = self.spawn_api("api-2");
        let (url, address) = listening(&mut process);
        self.second_api = Some(process);
        json!({ "url": url, "address": address, "ca_file": self.server_ca })
    }

    /// Starts the API that has ended again, on the same data; its first administrator is whom the first start made.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart_api(&mut self) {
        // What it prints now is told from what it printed before.
        drop(std::fs::remove_file(self.folder().join("api.out")));
        let mut process = self.spawn_api("api");
        let (url, address) = listening(&mut process);
        self.announced["url"] = url.into();
        self.announced["address"] = address.into();
        self.api = Some(process);
    }

    /// The API as its first administrator uses it; there must be one.
    pub fn administrator(&self) -> Api {
        Api::of(&self.announced)
    }

    /// The API; it must be running.
    ///
    /// # Panics
    /// When it is not.
    pub fn api(&mut self) -> &mut Process {
        self.api.as_mut().expect("an API")
    }

    /// Starts one more connector; `limits` are lines of its `[connector.limits]`. Returns its number.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn add_connector(&mut self, limits: &str) -> usize {
        let name = format!("connector-{}", self.connectors.len());
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let connector = self.spawn_connector(name, any, limits.to_owned());
        self.connectors.push(connector);
        self.connectors.len() - 1
    }

    /// As [`Deployment::add_connector`], and waits until it serves every instance.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn add_serving_connector(&mut self) -> usize {
        let number = self.add_connector("");
        for instance in &self.instances {
            raw::trusted(&self.target(&instance.access_domain, number), &instance.probe(self.folder()));
        }
        number
    }

    /// Starts a connector that has ended again, on the same port and data.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart_connector(&mut self, number: usize) {
        let Connector { name, address, limits, .. } = &self.connectors[number];
        let (name, address, limits) = (name.clone(), *address, limits.clone());
        self.connectors[number] = self.spawn_connector(name, address, limits);
    }

    fn spawn_connector(&self, name: String, listen: SocketAddr, limits: String) -> Connector {
        let config = self.folder().join(format!("{name}.toml"));
        let text = format!(
            "data = {:?}\n{}[log]\nregistrar_keys = [{:?}]\n[connector]\nlisten = \"{listen}\"\ntls_folder = {:?}\n[connector.limits]\n{limits}\n",
            self.folder().join(&name),
            self.nats.login(&name).table(),
            self.registrar_key.public,
            self.folder().join("tls"),
        );
        std::fs::write(&config, text).expect("written");
        let mut command = Command::new(rollcall());
        command.arg("connector").arg("--config").arg(&config);
        // A connector that is started again appends to the output of the one before.
        drop(std::fs::remove_file(self.folder().join(format!("{name}.out"))));
        let mut process = Process::start(&name, &mut command, self.folder());
        let address = wait::until(&format!("{name} to listen"), || {
            process.assert_running();
            let output = process.output();
            let line = output.lines().find_map(|line| line.strip_prefix("listening on ")).map(str::parse);
            line.and_then(Result::ok).ok_or_else(|| format!("{output}{}", process.errors()))
        });
        Connector { process, address, name, limits }
    }
}

/// Where an API says that it listens: its URL and address.
fn listening(process: &mut Process) -> (String, String) {
    let address = wait::until("the API to listen", || {
        process.assert_running();
        let output = process.output();
        let line = output.lines().find_map(|line| line.strip_prefix("listening on ")).map(str::to_owned);
        line.ok_or_else(|| format!("{output}{}", process.errors()))
    });
    let port = address.rsplit(':').next().unwrap_or_default();
    (format!("https://localhost:{port}"), address)
}
