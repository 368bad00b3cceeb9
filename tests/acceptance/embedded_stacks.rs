//! Devices with embedded TLS stacks, mbedTLS 2.28 and wolfSSL 5.5.4 of Debian 12, and the settings of an instance that they need.
//!
//! Every stack and version with every setting and every client of [`CLIENTS`]. Where a stack fails, that is asserted too:
//! one that no longer does needs no setting, and the pages that name it are to be changed. Debian's mbedTLS has TLS 1.2 only.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    process::Command,
};

use rollcall_harness::{
    certificates::{Authority, Key},
    clients::folder,
    deployment::Deployment,
    fleet::Instance,
    process, wait,
};
use serde_json::Value;

use Outcome::{Fragmented, RecordTooLarge, TicketRefused, Whole};

/// What a device sends to itself, bytes: more than two records of [`FRAGMENT_SIZE`].
const PAYLOAD: usize = 10_000;
/// `max_fragment_size` of the instance `small`.
const FRAGMENT_SIZE: usize = 4096;
/// What a record has beside its content: what encryption adds, which depends on the suite that a stack chooses. Without the header.
const OVERHEADS: RangeInclusive<usize> = 16..=24;

/// As it is by default; without tickets; and with small records too.
const INSTANCES: [&str; 3] = ["plain", "no-tickets", "small"];
const SETTINGS: &str = "[connector.instances.no-tickets]\ntls_session_tickets = false\n\
                        [connector.instances.small]\ntls_session_tickets = false\nmax_fragment_size = 4096";

/// Arguments of the programs: a client that takes what TLS allows, one that asks for 4096 bytes by max_fragment_length
/// (RFC 6066), and one whose buffer holds no more. Debian's stacks have large buffers, set when they are compiled: the
/// program refuses what a smaller one could not hold.
const CLIENTS: [&str; 3] = ["content_max=0", "ask=true", "content_max=4096"];

/// What becomes of a device.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    /// It gets back what it sent, in one record.
    Whole,
    /// It gets back what it sent, in records that its instance's setting bounds.
    Fragmented,
    /// It is let in, and gives up at a record that it cannot hold.
    RecordTooLarge,
    /// Its handshake is complete, and it gives up before CONNACK: a ticket's nonce has 32 bytes in rustls, of which wolfSSL
    /// has room for 8.
    TicketRefused,
}

/// Stack, version, instance, and the outcome for each of [`CLIENTS`].
const TABLE: [(&str, &str, &str, [Outcome; CLIENTS.len()]); 9] = [
    ("mbedtls", "1.2", "plain", [Whole, Whole, RecordTooLarge]),
    ("mbedtls", "1.2", "no-tickets", [Whole, Whole, RecordTooLarge]),
    ("mbedtls", "1.2", "small", [Fragmented, Fragmented, Fragmented]),
    ("wolfssl", "1.2", "plain", [Whole, Whole, RecordTooLarge]),
    ("wolfssl", "1.2", "no-tickets", [Whole, Whole, RecordTooLarge]),
    ("wolfssl", "1.2", "small", [Fragmented, Fragmented, Fragmented]),
    ("wolfssl", "1.3", "plain", [TicketRefused, TicketRefused, TicketRefused]),
    ("wolfssl", "1.3", "no-tickets", [Whole, Whole, RecordTooLarge]),
    ("wolfssl", "1.3", "small", [Fragmented, Fragmented, Fragmented]),
];

/// The programs by stack.
struct Programs {
    mbedtls: PathBuf,
    wolfssl: PathBuf,
}

impl Programs {
    fn compile(folder: &Path) -> Self {
        let compiled = |stack: &str, libraries: &[&str]| {
            let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/clients");
            let program = folder.join(stack);
            let mut cc = Command::new("cc");
            cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program);
            cc.args([format!("{sources}/embedded.c"), format!("{sources}/embedded_{stack}.c")]).args(libraries);
            process::run(&mut cc);
            program
        };
        Self {
            mbedtls: compiled("mbedtls", &["-lmbedtls", "-lmbedx509", "-lmbedcrypto"]),
            wolfssl: compiled("wolfssl", &["-lwolfssl"]),
        }
    }

    fn of(&self, stack: &str) -> &Path {
        if stack == "mbedtls" { &self.mbedtls } else { &self.wolfssl }
    }
}

/// Runs a client to its end; returns what it says.
fn run(deployment: &Deployment, ca: &Authority, program: &Path, name: &str, instance: &str, own: &[String]) -> Value {
    let target = deployment.target(&format!("{instance}.test"), 0);
    let options = target.options(&ca.quick_device(deployment.folder(), name));
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut arguments: Vec<_> = options
        .as_object()
        .into_iter()
        .flatten()
        .map(|(option, value)| format!("{option}={}", text(value)))
        .chain([format!("client_id={name}"), format!("topic=echo/{name}"), format!("payload={PAYLOAD}")])
        .collect();
    arguments.extend_from_slice(own);
    let mut client = target.start(name, program, arguments);
    wait::until(&format!("{name} to end"), || client.ended().ok_or_else(|| client.errors()));
    serde_json::from_str(&client.output()).unwrap_or_else(|error| panic!("{name}: {error}: {}", client.errors()))
}

/// Which outcome a client's line is, if it is one.
fn outcome(line: &Value, stack: &str) -> Option<Outcome> {
    let figure = |name: &str| line[name].as_u64().and_then(|figure| usize::try_from(figure).ok());
    let (received, largest) = (figure("received")?, figure("largest_record")?);
    let (let_in, error) = (line["connack"] == 0, line["error"].as_str()?);
    // mbedTLS has an error of its own for it; wolfSSL is told that the socket failed.
    let too_large = if stack == "mbedtls" { "read: -29184, " } else { "read: -308, " };
    // A record's content has the size of its header less than the setting says.
    let fragment = FRAGMENT_SIZE - 5 + OVERHEADS.start()..=FRAGMENT_SIZE - 5 + OVERHEADS.end();
    let all = let_in && error.is_empty() && line["acknowledged"] == true && received == PAYLOAD;
    match line["connack"].as_i64()? {
        _ if all && largest > PAYLOAD => Some(Whole),
        _ if all && fragment.contains(&largest) => Some(Fragmented),
        0 if received == 0 && largest > PAYLOAD && error.starts_with(too_large) => Some(RecordTooLarge),
        // INVALID_PARAMETER.
        -1 if error.starts_with("read: -425, ") => Some(TicketRefused),
        _ => None,
    }
}

#[test]
fn embedded_tls_stacks_get_in_with_the_settings_that_they_need() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let instances = INSTANCES.map(|id| Instance::new(id, &ca.pair.certificate));
    let mut deployment = Deployment::configured(folder, &instances, SETTINGS, "");
    let programs = Programs::compile(deployment.folder());
    let mut failed = Vec::new();
    for (stack, version, instance, expected) in TABLE {
        for (number, (client, expected)) in CLIENTS.into_iter().zip(expected).enumerate() {
            let name = format!("{stack}-{}-{instance}-{number}", version.replace('.', "-"));
            let own = [format!("tls={version}"), client.to_owned()];
            let line = run(&deployment, &ca, programs.of(stack), &name, instance, &own);
            if outcome(&line, stack) != Some(expected) || line["version"] != format!("TLSv{version}") {
                failed.push(format!("{name} ({client}): {expected:?} was expected: {line}"));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    // Who meets it without knowing the setting finds a line: the alert was sent after the handshake.
    wait::until("the log to say so", || {
        let log = deployment.connector(0).process.errors();
        let parts = ["TLS failed after the handshake", "instance=plain", "illegal_parameter"];
        if log.lines().any(|line| parts.iter().all(|part| line.contains(part))) { Ok(()) } else { Err(log) }
    });
}
