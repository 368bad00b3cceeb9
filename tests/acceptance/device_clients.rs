//! What devices do, each done by each client library in the way its manual shows.
//!
//! A table of clients and scenarios; every cell runs a program of its own, on one device for each client, the clients side by
//! side on one `rollcall up`. What a client cannot do is in [`LEFT_OUT`], with its reason. Invariant: every other cell is
//! executed, and all that failed are named together.

use std::{
    any::Any,
    ffi::OsString,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
};

use rollcall_harness::{
    api::Api,
    certificates::{Authority, Key, Pair},
    clients::{Target, folder},
    fleet::Instance,
    operator::Operator,
    process::Process,
    raw::{Raw, Tls},
    up::Up,
    wait,
    wire::{self, Connect, V311},
};
use serde_json::{Value, json};

/// By the names that `clients/` knows them by.
const CLIENTS: [&str; 9] =
    ["mosquitto-3.1.1", "mosquitto-5", "paho-3.1.1", "paho-5", "aiomqtt", "gmqtt", "mqttjs-3.1.1", "mqttjs-5", "rumqttc"];

/// What is done, by its name.
type Scenario = (&'static str, fn(&mut Device));

const SCENARIOS: [Scenario; 7] = [
    ("connect and register", connects),
    ("publish and leave", publishes_and_leaves),
    ("300 at once", publishes_at_once),
    ("subscribe and receive", receives),
    ("command", answers_a_command),
    ("will", leaves_a_will),
    ("persistent session", returns_to_its_session),
];
/// Runs last, when the process that serves all of them has been stopped and is there again.
const RECONNECT: &str = "reconnect";

const LEFT_OUT: [(&str, &str, &str); 3] = [
    (
        "mosquitto-3.1.1",
        "command",
        "mosquitto_sub does not publish, and mosquitto_pub would be a second connection of the device",
    ),
    ("mosquitto-5", "command", "as mosquitto-3.1.1"),
    ("mosquitto-5", RECONNECT, "mosquitto_sub takes a DISCONNECT of the server for its own, whatever the reason, and ends"),
];

/// What a device may send at once at the default rate.
const LEAVING_WITH: usize = 100;
/// mosquitto_pub has a process for each.
const LEAVING_WITH_MOSQUITTO: usize = 20;
const AT_ONCE: usize = 300;

/// One client's device, and another device that it talks to.
struct Device {
    client: &'static str,
    /// The client's name as a CN and client id.
    name: String,
    id: String,
    pair: Pair,
    target: Target,
    api: Api,
    peer: Peer,
    /// Programs that it has run.
    runs: usize,
}

/// What the programs of `clients/` are told beside how to connect.
#[derive(Clone, Copy, Default)]
struct Run<'a> {
    scenario: &'static str,
    topic: &'a str,
    count: usize,
    keep: bool,
}

impl Device {
    fn new(client: &'static str, ca: &Authority, up: &Up) -> Self {
        let name = client.replace('.', "-");
        let (target, api) = (up.target("north.test"), Api::of(&up.announced()["api"]));
        let pair = ca.quick_device(up.folder(), &name);
        let peer = Peer::new(&target, ca.quick_device(up.folder(), &format!("peer-of-{name}")));
        Self { client, id: Instance::device_id(&name), name, pair, target, api, peer, runs: 0 }
    }

    fn uplink_topic(&self) -> String {
        format!("$oc/devices/{}/sys/messages/up", self.id)
    }

    fn start(&mut self, run: Run<'_>) -> Client {
        self.runs += 1;
        let log = format!("{}-{}-{}", self.name, self.runs, run.scenario);
        let mut options = self.target.options(&self.pair);
        let own = json!({
            "client": self.client, "client_id": self.name, "scenario": run.scenario, "topic": run.topic, "count": run.count,
            "keep": run.keep,
        });
        if let (Some(options), Value::Object(own)) = (options.as_object_mut(), own) {
            options.extend(own);
        }
        let python = std::env::var_os("ROLLCALL_TEST_PYTHON").unwrap_or_else(|| "python3".into());
        let source = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(name).into_os_string();
        let (program, mut arguments): (OsString, Vec<OsString>) = match self.client {
            "mosquitto-3.1.1" | "mosquitto-5" => mosquitto(self, run),
            "mqttjs-3.1.1" | "mqttjs-5" => ("node".into(), vec![source("mqttjs.cjs")]),
            "rumqttc" => (env!("CARGO_BIN_EXE_rumqttc-device").into(), Vec::new()),
            _ => (python, vec![source("python.py")]),
        };
        arguments.extend((!self.is_mosquitto()).then(|| options.to_string().into()));
        let process = self.target.start(&log, Path::new(&program), arguments);
        Client { process, of_mosquitto: self.is_mosquitto() }
    }

    fn is_mosquitto(&self) -> bool {
        self.client.starts_with("mosquitto")
    }
}

/// mosquitto_sub where a scenario listens or may end without a message, else mosquitto_pub; its lines are written at once.
fn mosquitto(device: &Device, run: Run<'_>) -> (OsString, Vec<OsString>) {
    let program = if matches!(run.scenario, "leave" | "burst") { "mosquitto_pub" } else { "mosquitto_sub" };
    let mut arguments: Vec<OsString> = match run.scenario {
        "burst" => vec!["-c".into(), format!("seq -f burst-%g 0 {} | \"$0\" \"$@\"", run.count - 1).into(), program.into()],
        _ => vec!["-oL".into(), program.into()],
    };
    let options = device.target.options(&device.pair);
    let text = |name: &str| options[name].as_str().expect("a text").to_owned();
    let is_5 = device.client == "mosquitto-5";
    let mut add = |more: &[&str]| arguments.extend(more.iter().map(Into::into));
    add(&["-h", &text("host"), "-p", &options["port"].to_string(), "--cafile", &text("server_ca")]);
    add(&["--cert", &text("certificate"), "--key", &text("key"), "-V", if is_5 { "mqttv5" } else { "mqttv311" }]);
    add(&["-t", run.topic]);
    if run.keep {
        add(&["-i", &device.name, "-c"]);
        add(if is_5 { &["-x", "600"] } else { &[] });
    }
    match run.scenario {
        "connect" => add(&["-E"]),
        "leave" => add(&["-m", &format!("leave-{}", run.count)]),
        "burst" => add(&["-q", "1", "-l"]),
        "subscribe" => add(&["-q", "1", "-E"]),
        "listen" => add(&["-q", "1", "-d", "-C", "1"]),
        "will" => add(&["-d", "--will-topic", run.topic, "--will-payload", "gone", "--will-qos", "1"]),
        other => panic!("{other} is left out"),
    }
    (if run.scenario == "burst" { "sh".into() } else { "stdbuf".into() }, arguments)
}

/// A running client program.
struct Client {
    process: Process,
    of_mosquitto: bool,
}

impl Client {
    /// What it has said.
    fn events(&self) -> Vec<Value> {
        let event_of_mosquitto = |line: &str| match line {
            line if line.contains("received CONNACK (0)") => json!({"event": "connected"}),
            line if line.starts_with("Subscribed (mid") => {
                json!({"event": "subscribed", "granted": line.rsplit(' ').next().and_then(|qos| qos.parse::<u8>().ok())})
            }
            line if line.starts_with("Client ") => Value::Null,
            line => json!({"event": "message", "payload": line}),
        };
        let event = |line: &str| {
            if self.of_mosquitto { event_of_mosquitto(line) } else { serde_json::from_str(line).unwrap_or_default() }
        };
        self.process.output().lines().map(event).collect()
    }

    /// Waits for the `count`th event of a kind.
    #[track_caller]
    fn expect(&mut self, kind: &str, count: usize) -> Value {
        wait::until(&format!("{kind} number {count}"), || {
            let ended = self.process.ended();
            let events = self.events();
            let found = events.iter().filter(|event| event["event"] == kind).nth(count - 1).cloned();
            assert!(found.is_some() || ended.is_none(), "ended without {kind}: {events:?} {}", self.process.errors());
            found.ok_or_else(|| format!("{events:?} {}", self.process.errors()))
        })
    }

    /// Waits until it has left of its own accord.
    #[track_caller]
    fn left(mut self) -> Vec<Value> {
        let status = wait::until("the client to leave", || {
            self.process.ended().ok_or_else(|| format!("{:?} {}", self.events(), self.process.errors()))
        });
        assert!(status.success(), "{status}: {:?} {}", self.events(), self.process.errors());
        self.events()
    }
}

/// Another device, on a connection whose every byte is the test's.
struct Peer {
    pair: Pair,
    raw: Raw,
}

impl Peer {
    fn new(target: &Target, pair: Pair) -> Self {
        Self { raw: Self::connect(target, &pair), pair }
    }

    fn connect(target: &Target, pair: &Pair) -> Raw {
        let mut raw = Raw::open(target, Some(pair), Tls::V13).expect("a connection");
        // As long as there is: a peer says nothing for as long as its client needs.
        let connect = Connect { keep_alive_s: 1200, ..Connect::new(V311, "peer") };
        assert_eq!(raw.connect(&connect).expect("CONNACK").code, 0);
        raw
    }

    fn reconnect(&mut self, target: &Target) {
        self.raw = Self::connect(target, &self.pair);
    }

    fn subscribe(&mut self, filter: &str) {
        self.raw.send(&wire::subscribe(V311, filter)).expect("sent");
        while self.raw.packet().expect("SUBACK")[0] != 0x90 {}
    }

    /// At QoS 1; returns when it is acknowledged.
    fn publish(&mut self, topic: &str, payload: &str) {
        self.raw.send(&wire::publish(V311, 0x02, topic, payload.as_bytes())).expect("sent");
        while self.raw.packet().expect("PUBACK")[0] != 0x40 {}
    }

    /// Waits for a message with this payload.
    fn hears(&mut self, payload: &str) {
        while !self.raw.packet().expect("a message").ends_with(payload.as_bytes()) {}
    }
}

fn connects(device: &mut Device) {
    device.start(Run { scenario: "connect", topic: "any", ..Run::default() }).left();
}

fn publishes_and_leaves(device: &mut Device) {
    let topic = device.uplink_topic();
    let run = Run { scenario: "leave", topic: &topic, count: LEAVING_WITH, ..Run::default() };
    if !device.is_mosquitto() {
        device.start(run).left();
        return;
    }
    for count in 0..LEAVING_WITH_MOSQUITTO {
        device.start(Run { count, ..run }).left();
    }
}

fn publishes_at_once(device: &mut Device) {
    let topic = device.uplink_topic();
    device.start(Run { scenario: "burst", topic: &topic, count: AT_ONCE, ..Run::default() }).left();
}

fn receives(device: &mut Device) {
    let topic = format!("to/{}", device.name);
    let mut client = device.start(Run { scenario: "listen", topic: &topic, ..Run::default() });
    assert_eq!(client.expect("subscribed", 1)["granted"], 1);
    device.peer.publish(&topic, "last");
    assert_eq!(client.expect("message", 1)["payload"], "last");
    client.left();
}

fn answers_a_command(device: &mut Device) {
    let mut client = device.start(Run { scenario: "command", ..Run::default() });
    client.expect("connected", 1);
    let command = json!({"service_id": "engine", "command_name": "START", "paras": {"of": device.name}});
    let answer = device.api.post(&format!("/v5/iot/{{project_id}}/devices/{}/commands", device.id), &command);
    assert_eq!(answer["response"]["paras"], command["paras"], "{answer}");
    client.left();
}

fn leaves_a_will(device: &mut Device) {
    let topic = format!("wills/{}", device.name);
    device.peer.subscribe(&topic);
    let mut client = device.start(Run { scenario: "will", topic: &topic, ..Run::default() });
    client.expect("connected", 1);
    client.process.kill();
    device.peer.hears("gone");
}

fn returns_to_its_session(device: &mut Device) {
    let topic = format!("kept/{}", device.name);
    let first = Run { scenario: "subscribe", topic: &topic, keep: true, ..Run::default() };
    device.start(first).left();
    device.peer.publish(&topic, "last");
    let mut client = device.start(Run { scenario: "listen", ..first });
    assert_eq!(client.expect("message", 1)["payload"], "last");
    let events = client.left();
    let is_new = |event: &Value| event["event"] == "connected" && event["session_present"] == false;
    assert!(!events.iter().any(is_new), "{events:?}");
}

/// The first half of [`RECONNECT`]: connected and subscribed.
fn will_reconnect(device: &mut Device) -> Client {
    let topic = format!("again/{}", device.name);
    let mut client = device.start(Run { scenario: "listen", topic: &topic, ..Run::default() });
    client.expect("subscribed", 1);
    client
}

/// The second half: it has come back by itself, and goes on.
fn has_reconnected(device: &mut Device, mut client: Client) {
    client.expect("subscribed", 2);
    device.peer.reconnect(&device.target);
    device.peer.publish(&format!("again/{}", device.name), "last");
    client.left();
}

/// Which cells failed, and why.
#[derive(Default)]
struct Outcomes {
    executed: usize,
    failed: Vec<String>,
}

impl Outcomes {
    fn run<T>(&mut self, device: &mut Device, scenario: &str, cell: impl FnOnce(&mut Device) -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(|| cell(device)));
        let why = |panic: &Box<dyn Any + Send>| {
            panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|&why| why.to_owned()))
        };
        self.failed.extend(
            done.as_ref().err().map(|panic| format!("{}, {scenario}: {}", device.client, why(panic).unwrap_or_default())),
        );
        done.ok()
    }
}

fn is_left_out(client: &str, scenario: &str) -> bool {
    LEFT_OUT.iter().any(|(of, what, _)| (*of, *what) == (client, scenario))
}

/// All but the last scenario, and the first half of that.
fn first_scenarios(client: &'static str, ca: &Authority, up: &Up) -> (Device, Option<Client>, Outcomes) {
    let (mut device, mut outcomes) = (Device::new(client, ca, up), Outcomes::default());
    for (scenario, cell) in SCENARIOS {
        if !is_left_out(client, scenario) {
            outcomes.executed += 1;
            outcomes.run(&mut device, scenario, cell);
        }
    }
    outcomes.run(&mut device, "connect and register", |device| drop(up.registered("north", &device.id)));
    if is_left_out(client, RECONNECT) {
        return (device, None, outcomes);
    }
    outcomes.executed += 1;
    let waiting = outcomes.run(&mut device, RECONNECT, will_reconnect);
    (device, waiting, outcomes)
}

/// What a device has sent, as far as it is stored, in the order in which that is.
fn stored(operator: &Operator, end_of: &str, devices: &[Device]) -> Vec<Vec<String>> {
    let mut uplinks = operator.uplinks("north");
    uplinks.expect(end_of, "the end");
    let of = |device: &Device| {
        let own = uplinks.seen().iter().filter(|stored| stored.message.device.as_str() == device.id);
        let payloads = own.map(|stored| String::from_utf8_lossy(&stored.message.payload).into_owned());
        payloads.filter(|payload| payload.starts_with("leave-") || payload.starts_with("burst-")).collect()
    };
    devices.iter().map(of).collect()
}

/// What MQTT 3.1.1 has no packet for is a line of the log, which names the device or its certificate.
#[test]
fn what_a_client_of_mqtt_3_1_1_cannot_be_told_is_in_the_log() {
    const TOPIC: &str = "yard/1/state";
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let target = up.target("north.test");
    let mut device = Peer::new(&target, ca.quick_device(up.folder(), "truck-1"));
    device.raw.send(&wire::publish(V311, 0x03, TOPIC, b"retained")).expect("sent");
    assert_eq!(device.raw.packet().expect("PUBACK")[0], 0x40);
    device.raw.send(&wire::publish(V311, 0x04, TOPIC, b"QoS 2")).expect("sent");
    assert_eq!(device.raw.goodbye(V311), None);
    let mut with_will = Connect { will: Some(TOPIC.to_owned()), ..Connect::new(V311, "will") }.bytes();
    // The connect flags stand behind fixed header, protocol name and level.
    with_will[9] |= 0x10;
    let mut raw = Raw::open(&target, Some(&device.pair), Tls::V13).expect("a connection");
    raw.send(&with_will).expect("sent");
    assert_eq!(raw.goodbye(V311), None);

    let expected = [
        ("the retain flag is ignored", ["device=truck_truck-1", TOPIC]),
        ("session closed", ["device=truck_truck-1", "QoS 2 is not supported"]),
        ("connection refused", ["certificate=", "QoS 2 is not supported"]),
    ];
    wait::until("the log to say so", || {
        let log = up.process().errors();
        let says = |line: &str, parts: &[&str]| line.contains(parts[0]) && line.contains(parts[1]);
        let is_there = |(what, parts): &(&str, [&str; 2])| log.lines().any(|line| line.contains(what) && says(line, parts));
        if expected.iter().all(is_there) { Ok(()) } else { Err(log) }
    });
}

#[test]
fn f46_every_client_does_all_that_devices_do_in_the_way_of_its_manual() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut up = Up::embedded(folder, &[Instance::new("north", &ca.pair.certificate)]);
    // Set by `tests/run`, which says so, where it could not be installed.
    let without_mqttjs = std::env::var_os("ROLLCALL_TESTS_WITHOUT_MQTTJS").is_some();
    let clients: Vec<_> = CLIENTS.into_iter().filter(|client| !(without_mqttjs && client.starts_with("mqttjs"))).collect();

    let first: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = clients.iter().map(|client| scope.spawn(|| first_scenarios(client, &ca, &up))).collect();
        running.into_iter().map(|thread| thread.join().expect("a cell that fails is an outcome")).collect()
    });
    // Not killed: of a connection that ends without close_notify, mosquitto_sub of Debian 12 makes an error and ends.
    assert!(up.process().stop().success());
    up.restart();
    let (mut devices, mut executed, mut failed) = (Vec::new(), 0, Vec::new());
    for (mut device, waiting, mut outcomes) in first {
        if let Some(client) = waiting {
            outcomes.run(&mut device, RECONNECT, |device| has_reconnected(device, client));
        }
        executed += outcomes.executed;
        failed.extend(outcomes.failed);
        devices.push(device);
    }
    assert_eq!(executed, clients.len() * (SCENARIOS.len() + 1) - LEFT_OUT.len());

    let last = devices.last_mut().expect("a device");
    let peer = Instance::device_id(&format!("peer-of-{}", last.name));
    last.peer.reconnect(&last.target);
    last.peer.publish(&format!("$oc/devices/{peer}/sys/messages/up"), "the end");
    up.process().stop();
    let numbered = |scenario: &str, count: usize| (0..count).map(|number| format!("{scenario}-{number}")).collect();
    for (device, stored) in devices.iter().zip(stored(&Operator::embedded(&up.data()), &peer, &devices)) {
        let leaving_with = if device.is_mosquitto() { LEAVING_WITH_MOSQUITTO } else { LEAVING_WITH };
        let expected: [Vec<String>; 2] = [numbered("leave", leaving_with), numbered("burst", AT_ONCE)];
        if stored != expected.concat() {
            failed.push(format!("{}: stored in this order: {stored:?}", device.client));
        }
    }
    assert!(failed.is_empty(), "{} cells executed, failed:\n{}", executed, failed.join("\n"));
}
