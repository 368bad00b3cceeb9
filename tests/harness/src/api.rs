//! The API for the operations that the cloud SDK has no method for: requests signed by the SDK's own signer.

use std::{
    path::Path,
    process::{Command, Output},
};

use rollcall_chassis::keys;
use serde_json::{Value, json};

use crate::{
    earlier::Earlier,
    process::{Process, rollcall},
    wait,
};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/signed_request.py");

/// An API, and the access key to use there.
#[derive(Clone, Debug)]
pub struct Api {
    /// As `up.json` has it: `url`, `ca_file`, `project_id`, `access_key`, `secret_key`.
    announced: Value,
    instance: Option<String>,
    clock: Option<Earlier>,
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Header names in lower case.
    pub headers: Value,
    /// JSON, or text.
    pub body: Value,
}

/// A client that reads server-sent events.
pub struct Events(Process);

impl Events {
    /// Everything that it has read: `event`, `id` and `data` of each event.
    pub fn read(&self) -> Vec<Value> {
        self.0.output().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for so many events of a kind.
    ///
    /// # Panics
    /// When they do not come.
    #[track_caller]
    pub fn expect(&self, kind: &str, count: usize) -> Vec<Value> {
        wait::until(&format!("{count} events {kind}"), || {
            let read = self.read();
            let found: Vec<Value> = read.iter().filter(|event| event["event"] == kind).cloned().collect();
            if found.len() >= count { Ok(found) } else { Err(format!("{read:?} {}", self.0.errors())) }
        })
    }
}

impl Api {
    /// The API that was announced.
    pub fn of(announced: &Value) -> Self {
        Self { announced: announced.clone(), instance: None, clock: None }
    }

    /// The same for one instance.
    #[must_use]
    pub fn on(&self, instance: &str) -> Self {
        Self { instance: Some(instance.to_owned()), ..self.clone() }
    }

    /// The same, asked with another clock: a signature says when it was made.
    #[must_use]
    pub fn at(&self, clock: Earlier) -> Self {
        Self { clock: Some(clock), ..self.clone() }
    }

    /// Asks, whatever the answer is. `{project_id}` in the path is the access key's.
    ///
    /// # Panics
    /// When there is no answer.
    #[track_caller]
    pub fn ask(&self, method: &str, path: &str, body: Option<&Value>, headers: &Value) -> Answer {
        let wanted = self.wanted(method, path, body, headers);
        let done = self.program().arg(wanted.to_string()).output().expect("python is installed by tests/run");
        let said: Value = serde_json::from_slice(&done.stdout)
            .unwrap_or_else(|_| panic!("{method} {path}: {}", String::from_utf8_lossy(&done.stderr)));
        let status = said["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
        Answer { status, headers: said["headers"].clone(), body: said["body"].clone() }
    }

    /// Reads server-sent events, after the event with an id if one is given; what is read goes into `folder`.
    ///
    /// # Panics
    /// When no client can be started.
    pub fn events(&self, path: &str, last: Option<&str>, folder: &Path) -> Events {
        let headers = last.map_or(json!({}), |last| json!({"Last-Event-ID": last}));
        let mut wanted = self.wanted("GET", path, None, &headers);
        wanted["events"] = true.into();
        let name = format!("events-after-{}", last.unwrap_or("now"));
        Events(Process::start(&name, self.program().arg(wanted.to_string()), folder))
    }

    /// What the program is told of a request.
    fn wanted(&self, method: &str, path: &str, body: Option<&Value>, headers: &Value) -> Value {
        let project = self.announced["project_id"].as_str().expect("a project_id");
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let pairs: Vec<Value> =
            query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| json!([name, value])).collect();
        let mut wanted = self.announced.clone();
        wanted["method"] = method.into();
        wanted["path"] = path.replace("{project_id}", project).into();
        wanted["query"] = pairs.into();
        wanted["headers"] = headers.clone();
        wanted["body"] = body.cloned().unwrap_or(Value::Null);
        if let Some(instance) = &self.instance {
            wanted["headers"]["Instance-Id"] = instance.clone().into();
        }
        wanted
    }

    fn program(&self) -> Command {
        let python = std::env::var_os("ROLLCALL_TEST_PYTHON").unwrap_or_else(|| "python3".into());
        let mut command = Command::new(python);
        if let Some(clock) = self.clock {
            clock.set(&mut command);
        }
        command.arg(PROGRAM);
        command
    }

    /// A body of something that is there.
    ///
    /// # Panics
    /// When the answer is not 200.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.granted("GET", path, None)
    }

    /// Does something.
    ///
    /// # Panics
    /// When the answer is not a 2xx.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.granted("POST", path, Some(body))
    }

    /// Changes something.
    ///
    /// # Panics
    /// When the answer is not a 2xx.
    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Value {
        self.granted("PUT", path, Some(body))
    }

    /// `rollcall apply` of a fleet file with this text, with this access key; its files go into `folder`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn apply(&self, folder: &Path, yaml: &str) -> Output {
        let announced = |field: &str| self.announced[field].as_str().expect("an API and an access key");
        let (file, secret) = (folder.join("fleet.yaml"), folder.join("access-key.secret"));
        std::fs::write(&file, yaml).expect("the fleet file");
        drop(std::fs::remove_file(&secret));
        keys::write_private(&secret, announced("secret_key")).expect("the secret");
        let mut command = Command::new(rollcall());
        command.args(["apply", "--api", announced("url"), "--access-key", announced("access_key"), "--secret-file"]);
        command.arg(&secret).arg("--fleet").arg(&file).arg("--ca-file").arg(announced("ca_file"));
        command.arg("--data").arg(folder.join("apply")).output().expect("rollcall apply starts")
    }

    /// Makes an access key; the answer has its secret and its project.
    ///
    /// # Panics
    /// When that is refused.
    #[track_caller]
    pub fn access_key(&self, wanted: &Value) -> Value {
        self.post("/rollcall/v1/access-keys", wanted)
    }

    #[track_caller]
    fn granted(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let answer = self.ask(method, path, body, &json!({}));
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.body);
        answer.body
    }
}
