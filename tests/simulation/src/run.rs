//! One history: a world, the steps that a seed chooses, and what must hold after each.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rollcall_chassis::clock::Clock as _;
use rollcall_domain::{
    authenticate::{Verdict, authenticate},
    fleet::AvailabilityRules,
    ids::{DeviceId, NodeId, PolicyId, Position},
    policy::{Action, Effect, Statement},
    registry::{
        Command, Devices, Registry,
        command::TemplateChange,
        event::{DeclaredCredential, DeviceProfile},
    },
    time::Timestamp,
};

use crate::{
    certificates::ca,
    client::{Claim, Client, connect},
    memory_log::{Faults, Ruling, Sight},
    operation::{Certificate, Chooser, Connection, Ended, Operation, Typed, template_product},
    properties::{self, Violation},
    world::{SERVER_NAME, World, product, space, template, template_body},
};

/// Steps of a history, unless somebody wants more.
pub const STEPS: usize = 12;
/// How much virtual time passes on the wall clock with each step, milliseconds.
const STEP_MS: i64 = 1000;

/// Between two looks at how many sessions a connector has.
const STATUS_LOOK: Duration = Duration::from_millis(300);
const STATUS_LOOKS_MAX: u32 = 4;

/// What a history came to: a line for each step.
pub type Trace = Vec<String>;

/// A history in which something that must hold does not, or that could not be gone on with.
#[derive(Debug)]
pub struct Failure {
    /// Of which history; `None` of a scenario.
    pub seed: Option<u64>,
    /// Steps that the history was to have.
    pub steps: usize,
    /// What was wrong.
    pub reason: String,
    /// What happened until then.
    pub trace: Trace,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seed {
            Some(seed) => writeln!(f, "seed {seed}: {}", self.reason)?,
            None => writeln!(f, "{}", self.reason)?,
        }
        self.trace.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        match self.seed {
            Some(seed) => write!(f, "replay: cargo run -p simulation -- --seeds 1 --seed {seed} --steps {}", self.steps),
            None => write!(f, "replay: the test itself"),
        }
    }
}

impl std::error::Error for Failure {}

/// Runs the history of a seed.
///
/// # Errors
/// [`Failure`]: a property does not hold.
pub fn run(seed: u64, steps: usize) -> Result<Trace, Box<Failure>> {
    within(Some(seed), steps, async move |trace| {
        let (mut simulation, mut chooser) = (Simulation::new(seed, trace).await?, Chooser::new(seed));
        for _ in 0..steps {
            let faults = chooser.faults();
            let operation = chooser.operation(&simulation.latest(), simulation.sights());
            simulation.step(operation, faults).await?;
        }
        Ok(())
    })
}

/// Runs these steps without faults of the log.
///
/// # Errors
/// [`Failure`]: a property does not hold.
pub(crate) fn run_steps(steps: Vec<Operation>) -> Result<Trace, Box<Failure>> {
    within(None, steps.len(), async move |trace| {
        let mut simulation = Simulation::new(0, trace).await?;
        for operation in steps {
            simulation.step(operation, Faults::default()).await?;
        }
        Ok(())
    })
}

pub(crate) type Lines = Arc<Mutex<Trace>>;

/// Runs a history on a runtime of its own: one thread, and time that passes only while all wait for it.
pub(crate) fn within<F: Future<Output = anyhow::Result<()>>>(
    seed: Option<u64>,
    steps: usize,
    history: impl FnOnce(Lines) -> F,
) -> Result<Trace, Box<Failure>> {
    let lines = Lines::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without I/O can be had");
    let history = history(lines.clone());
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(history)));
    drop(runtime);
    let trace = std::mem::take(&mut *lines.lock().unwrap_or_else(PoisonError::into_inner));
    let reason = match ended {
        Ok(Ok(())) => return Ok(trace),
        Ok(Err(error)) => format!("{error:#}"),
        Err(_) => "something panicked; its message is above".to_owned(),
    };
    Err(Box::new(Failure { seed, steps, reason, trace }))
}

struct Simulation {
    world: World,
    clients: [Vec<Client>; 2],
    trace: Lines,
}

impl Simulation {
    async fn new(seed: u64, trace: Lines) -> anyhow::Result<Self> {
        Ok(Self { world: World::new(seed).await?, clients: Default::default(), trace })
    }

    fn latest(&self) -> Registry {
        self.world.history.registry(self.world.history.end())
    }

    fn sights(&self) -> [Sight; 2] {
        [0, 1].map(|place| self.world.connectors[place].link.sight())
    }

    fn tell(&self, line: String) {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    async fn step(&mut self, operation: Operation, faults: Faults) -> anyhow::Result<()> {
        let told = match faults == Faults::default() {
            true => format!("{operation:?}"),
            false => format!("{operation:?} with {}", rates(faults)),
        };
        self.tell(told);
        self.world.clock.set(self.world.clock.unix_ms() + STEP_MS);
        let before = self.world.history.end();
        self.world.faults.set_faults(faults);
        let outcome = self.perform(operation, faults).await?;
        self.world.settle().await?;
        self.check(before)?;
        self.forget_ended().await?;
        let live: Vec<String> = (0..2).map(|place| self.live(place)).collect();
        self.tell(format!("  {outcome}; connected: {}", live.join(" | ")));
        Ok(())
    }

    /// The devices that are connected at a connector.
    fn live(&self, connector: usize) -> String {
        let mut devices: Vec<&str> = self.clients[connector].iter().map(|client| client.device.as_str()).collect();
        devices.sort_unstable();
        devices.join(" ")
    }

    fn check(&self, before: Position) -> Result<(), Violation> {
        properties::one_registration_for_each_life(&self.world.history)?;
        properties::an_answer_is_final(&self.world)?;
        properties::one_digest_at_one_position(&self.world)?;
        properties::who_lost_the_right_has_no_session(&self.world, &self.clients)?;
        properties::f39_what_was_taken_away_connects_nobody(&self.world, &self.clients)?;
        properties::the_log_only_grows(before, self.world.history.end())
    }

    /// Lets go of the clients whose connections have ended. A connector tells how many sessions it has from time to time.
    async fn forget_ended(&mut self) -> Result<(), Violation> {
        for place in 0..2 {
            let mut looks = 0;
            loop {
                for client in self.clients[place].extract_if(.., |client| client.end().is_some()) {
                    let line = format!("  {} disconnected: {}", client.device, client.end().unwrap_or_default());
                    self.trace.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                }
                let counted = properties::sessions_are_counted(&self.world.connectors[place], self.clients[place].len());
                if counted.is_ok() {
                    break;
                }
                looks += 1;
                if looks > STATUS_LOOKS_MAX {
                    return counted;
                }
                tokio::time::sleep(STATUS_LOOK).await;
            }
        }
        Ok(())
    }

    async fn perform(&mut self, operation: Operation, faults: Faults) -> anyhow::Result<String> {
        match operation {
            Operation::Connect(connection) => self.connect(&connection, faults).await,
            Operation::ConnectTwice(certificate, named) => self.connect_twice(certificate, named).await,
            Operation::ConnectWhile(connection, ended) => self.connect_while(&connection, ended).await,
            Operation::HangUp(connector) => {
                self.clients[connector].clear();
                Ok("hung up".into())
            }
            Operation::Trust(number) => {
                if self.latest().configuration.cas.contains_key(&ca(number)) {
                    return Ok("trusted already".into());
                }
                self.world.trust(number).await?;
                Ok("trusted".into())
            }
            Operation::Cut(connector, sight) => {
                self.world.connectors[connector].link.set_sight(sight);
                Ok("so it is".into())
            }
            Operation::Kill(registrar, steps) => {
                // One at a time: with both dead, nobody would be ruled on before they are replaced.
                if self.world.registrars.iter().any(|registrar| registrar.link.is_doomed()) {
                    return Ok("one is about to die already".into());
                }
                self.world.registrars[registrar].link.die_after(steps);
                Ok("it will".into())
            }
            Operation::Wait { seconds } => {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Ok("waited".into())
            }
            Operation::PassTime { days } => {
                self.world.clock.set(self.world.clock.unix_ms() + days * 24 * 3600 * 1000);
                Ok("passed".into())
            }
            operation => {
                let Some(command) = command(operation)? else { anyhow::bail!("an operation that does nothing") };
                self.command(command).await
            }
        }
    }

    async fn command(&mut self, command: Command) -> anyhow::Result<String> {
        Ok(match self.world.command(command).await? {
            Ruling::Accepted { .. } => "accepted".into(),
            Ruling::Rejected(rejected) => rejected.code,
        })
    }

    async fn connect(&mut self, connection: &Connection, faults: Faults) -> anyhow::Result<String> {
        let (place, before) = (connection.connector, self.world.history.end());
        let verdict = self.verdict(connection);
        let outcome = self.attempt(connection).await;
        self.world.read().await?;
        let connected = outcome.as_ref().map(|client| &client.device);
        properties::a_stale_view_admits_no_more(&self.world.connectors[place], &verdict, connected)?;
        if faults == Faults::default() {
            properties::a_fresh_view_decides(&self.world.connectors[place], &verdict, connected)?;
        }
        let sha256 = &connection.certificate.get().facts.sha256;
        properties::a_first_connection_is_one_record(&self.world.history, before, &verdict, sha256, connected)?;
        Ok(match outcome {
            Ok(client) => {
                let told = format!("accepted as {}", client.device);
                self.clients[place].push(client);
                told
            }
            Err(refused) => refused,
        })
    }

    /// Which of the two sessions stays depends on how threads were scheduled, so neither does.
    async fn connect_twice(&mut self, certificate: Certificate, named: Option<DeviceId>) -> anyhow::Result<String> {
        let before = self.world.history.end();
        let connections = [0, 1].map(|connector| Connection { connector, certificate, named: named.clone() });
        let verdicts = [0, 1].map(|place| self.verdict(&connections[place]));
        let (one, other) = tokio::join!(self.attempt(&connections[0]), self.attempt(&connections[1]));
        self.world.read().await?;
        let sha256 = &certificate.get().facts.sha256;
        for (place, outcome) in [&one, &other].into_iter().enumerate() {
            let connected = outcome.as_ref().map(|client| &client.device);
            properties::a_stale_view_admits_no_more(&self.world.connectors[place], &verdicts[place], connected)?;
            properties::a_first_connection_is_one_record(&self.world.history, before, &verdicts[place], sha256, connected)?;
        }
        let told = [&one, &other].map(|outcome| match outcome {
            Ok(client) => format!("accepted as {}", client.device),
            Err(refused) => refused.clone(),
        });
        for (place, outcome) in [one, other].into_iter().enumerate() {
            self.clients[place].extend(outcome);
        }
        self.world.settle().await?;
        self.check(before)?;
        self.clients.iter_mut().for_each(|clients| clients.retain(|client| client.leaf.facts.sha256 != *sha256));
        Ok(told.join(" and "))
    }

    /// Whether the connection was first depends on how threads were scheduled; that it ends does not.
    async fn connect_while(&mut self, connection: &Connection, ended: Ended) -> anyhow::Result<String> {
        let Verdict::Accept(device) = self.verdict(connection) else { return Ok("nothing to race for".into()) };
        let device = device.device;
        let before = self.world.history.end();
        let command = match ended {
            Ended::Frozen => Command::FreezeDevice { device },
            Ended::Deleted => Command::DeleteDevice { device },
        };
        let connecting = tokio::spawn({
            let (clients, certificate) =
                (self.world.connectors[connection.connector].clients.clone(), connection.certificate);
            let claim = claim(connection);
            async move { connect(&clients, SERVER_NAME, certificate.get(), claim).await }
        });
        let ruled = self.command(command).await?;
        let connected = connecting.await?;
        self.clients[connection.connector].extend(connected);
        self.world.settle().await?;
        self.check(before)?;
        let sha256 = connection.certificate.get().facts.sha256;
        self.clients[connection.connector].retain(|client| client.leaf.facts.sha256 != sha256);
        Ok(ruled)
    }

    async fn attempt(&self, connection: &Connection) -> Result<Client, String> {
        let clients = &self.world.connectors[connection.connector].clients;
        connect(clients, SERVER_NAME, connection.certificate.get(), claim(connection)).await
    }

    /// What the domain says of a connection by what the connector's view knows.
    fn verdict(&self, connection: &Connection) -> Verdict {
        let position = self.world.connectors[connection.connector].view.status().borrow().position;
        let registry = self.world.history.registry(position);
        verdict(&self.world, &registry, connection.certificate, &claim(connection))
    }
}

/// What the domain says of a certificate that comes with this claim.
pub(crate) fn verdict(world: &World, registry: &Registry, certificate: Certificate, claim: &Claim) -> Verdict {
    let (leaf, now) = (certificate.get(), Timestamp::from_unix_ms(world.clock.unix_ms()));
    let (configuration, rules) = (&registry.configuration, AvailabilityRules::default());
    let path = match leaf.path(configuration) {
        Ok(path) => path,
        Err(refusal) => return Verdict::Refuse(refusal),
    };
    let devices: &dyn Devices = registry;
    authenticate(configuration, devices, &world.profile, &rules, &leaf.facts, path, &claim.identification(), now)
}

/// The faults that happen, in 1000 calls.
fn rates(faults: Faults) -> String {
    let text = format!("{faults:?}");
    let rates = text.trim_start_matches("Faults { ").trim_end_matches(" }").split(", ");
    rates.filter(|rate| !rate.ends_with(": 0")).collect::<Vec<_>>().join(", ")
}

fn claim(connection: &Connection) -> Claim {
    connection.named.as_ref().map_or_else(Claim::none, Claim::standard)
}

/// The command of an operation that is one.
fn command(operation: Operation) -> anyhow::Result<Option<Command>> {
    let keep = TemplateChange::Keep;
    Ok(Some(match operation {
        Operation::PreRegister(device, typed) => {
            let primary = typed.map(Typed::fingerprint);
            let profile = DeviceProfile {
                node_id: NodeId::parse(device.as_str())?,
                device,
                space: space(),
                product: product(),
                name: None,
                tags: Vec::new(),
                policies: Vec::new(),
            };
            let credential = DeclaredCredential::Certificates { primary, secondary: None };
            Command::PreRegisterDevice { profile, credential, description: None, extension_info: None }
        }
        Operation::Freeze(device) => Command::FreezeDevice { device },
        Operation::Unfreeze(device) => Command::UnfreezeDevice { device },
        Operation::Delete(device) => Command::DeleteDevice { device },
        Operation::Readmit(device) => Command::ReadmitDevice { device },
        Operation::ResetFingerprint(device, slot, typed) => {
            Command::ResetFingerprint { device, slot, fingerprint: typed.map(Typed::fingerprint) }
        }
        Operation::SwitchCertificate(device, typed, active) => {
            let fingerprint = typed.fingerprint();
            Command::SwitchCertificate { device, fingerprint, active }
        }
        Operation::DeleteCertificate(device, typed) => {
            Command::DeleteCertificate { device, fingerprint: typed.fingerprint() }
        }
        Operation::ReadmitCertificate(typed, device) => {
            Command::ReadmitCertificate { fingerprint: typed.fingerprint(), device }
        }
        Operation::EditTemplate { other } => {
            let body = Some(template_body(&template_product(other)));
            Command::UpdateTemplate { template: template(), description: None, body }
        }
        Operation::BindTemplate { bound: true } => {
            Command::ConfigureCa { ca: ca(0), template: TemplateChange::Bind(template()), self_registration: Some(true) }
        }
        Operation::BindTemplate { bound: false } => {
            Command::ConfigureCa { ca: ca(0), template: TemplateChange::Unbind, self_registration: Some(false) }
        }
        Operation::SelfRegistration { on } => {
            Command::ConfigureCa { ca: ca(0), template: keep, self_registration: Some(on) }
        }
        Operation::DeleteCa(number, distrust) => Command::DeleteCa { ca: ca(number), distrust },
        Operation::ChangePolicy { deny } => {
            let effect = if deny { Effect::Deny } else { Effect::Allow };
            let (actions, resources) = (vec![Action::Publish, Action::Subscribe], vec!["topic:#".into()]);
            let statements = Some(vec![Statement { effect, actions, resources }]);
            Command::UpdatePolicy { policy: PolicyId::parse("default")?, name: None, statements }
        }
        Operation::Connect(_)
        | Operation::ConnectTwice(..)
        | Operation::ConnectWhile(..)
        | Operation::HangUp(_)
        | Operation::Trust(_)
        | Operation::Cut(..)
        | Operation::Kill(..)
        | Operation::Wait { .. }
        | Operation::PassTime { .. } => return Ok(None),
    }))
}
