//! `rollcall log`: what an operator does with registry logs themselves: look whether all in them is ours, adopt a log that
//! version 0.1 began, go over to another registrar's key, get past a record that no reader gets past.
//!
//! With the registrar's key, and with an account that may append to the logs. Each change is one sealed record, appended
//! like any other at the log's end: registrars and readers may run meanwhile, and find it there.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use rollcall_chassis::{
    clock::{Clock, SystemClock},
    entropy::{Entropy, SystemEntropy},
};
use rollcall_domain::{
    fleet::Fleet,
    ids::{LogId, Position, RequestId},
    registry::Actor,
    time::Timestamp,
};
use rollcall_log::{
    codec::{AnyEvent, LogEvent, Record, encode_record},
    examine::{Examined, examine},
    follow::{LogFollower, Step},
    log::{AppendError, BATCH_RECORDS_MAX, Batch, RegistryLog},
    seal::{Point, SealKeys, SealedLog, Sealing, is_signed, seal},
    signing::{PublicKey, SigningKey},
};

use crate::{
    cli::nats_arguments::NatsArguments,
    processes::{
        backbone::{Streams, open_backbone},
        log_keys,
    },
};

/// Who such records are by.
const OPERATOR: &str = "rollcall-log";
/// How often an append is tried while registrars get on with theirs.
const TRIES_MAX: usize = 100;
/// How many positions are named in one line.
const NAMED_MAX: usize = 20;

/// What to do with logs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read every log whole: what is ours, what is not, what is damaged or cannot be read
    Verify(LogArguments),
    /// Take over logs that version 0.1 began: from then on only what registrars seal is believed
    Adopt(SealingArguments),
    /// Name the key that registrars seal with from now on, in every log
    Rotate(RotateArguments),
    /// Have every reader pass over a record that none can read, or over a damaged batch
    Skip(SkipArguments),
}

/// Where the logs are, and what proves them.
#[derive(Debug, Args)]
pub(crate) struct LogArguments {
    /// The data folder of `rollcall up`, which must have ended: its embedded log, its key
    #[arg(long, value_name = "DIR", default_value = "rollcall-data", env = "ROLLCALL_DATA")]
    pub(crate) data: PathBuf,
    /// The broker that holds the logs; without one, the embedded log in the data folder
    #[command(flatten)]
    pub(crate) nats: NatsArguments,
    /// The registrars' public keys, oldest first [default: that of the key in the data folder]
    #[arg(long = "registrar-key", value_name = "KEY", env = "ROLLCALL_REGISTRAR_KEYS", value_delimiter = ' ')]
    pub(crate) registrar_keys: Vec<PublicKey>,
    /// Only this log: `fleet`, or an instance's id [default: all of them]
    #[arg(long, value_name = "LOG")]
    pub(crate) only: Option<String>,
}

/// As above, with the key that seals.
#[derive(Debug, Args)]
pub(crate) struct SealingArguments {
    #[command(flatten)]
    logs: LogArguments,
    /// The registrar's private key [default: that in the data folder]
    #[arg(long, value_name = "FILE", env = "ROLLCALL_REGISTRAR_KEY_FILE")]
    key_file: Option<PathBuf>,
}

/// Arguments of `rollcall log rotate`.
#[derive(Debug, Args)]
pub(crate) struct RotateArguments {
    #[command(flatten)]
    sealing: SealingArguments,
    /// The public key that follows
    #[arg(long, value_name = "KEY")]
    next: PublicKey,
}

/// Arguments of `rollcall log skip`.
#[derive(Debug, Args)]
pub(crate) struct SkipArguments {
    #[command(flatten)]
    sealing: SealingArguments,
    /// The position that `rollcall log verify` and the instance's status name
    #[arg(long)]
    position: u64,
}

/// Does what the arguments say. Verifying fails with an exit code if anything is found.
///
/// # Errors
/// A log that cannot be opened, read or proven, or a change that it is not in a state for.
pub(crate) async fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Verify(arguments) => verify(arguments).await,
        Command::Adopt(arguments) => adopt(arguments).await,
        Command::Rotate(arguments) => rotate(arguments).await,
        Command::Skip(arguments) => skip(arguments).await,
    }
}

/// Adopts every log of a backbone that is unsigned: what `rollcall up` does at its first start. Says which. Of a log that is
/// sealed already only the end is read.
///
/// # Errors
/// A log that cannot be read or appended to.
pub(crate) async fn adopt_all(log: &Arc<dyn RegistryLog>, key: &SigningKey, keys: &SealKeys) -> anyhow::Result<Vec<LogId>> {
    let mut adopted = Vec::new();
    for sealed in all(log, keys).await? {
        if !ends_sealed(&**log, &sealed, keys).await? && adopt_one(&**log, &sealed, key, keys).await? {
            adopted.push(sealed.log);
        }
    }
    Ok(adopted)
}

/// Whether one of the last records is sealed, which none is before a log has been adopted.
async fn ends_sealed(log: &dyn RegistryLog, sealed: &SealedLog, keys: &SealKeys) -> anyhow::Result<bool> {
    let last = log.last(&sealed.log).await?;
    let after = Position(last.0.saturating_sub(BATCH_RECORDS_MAX as u64));
    let entries = log.read(&sealed.log, after, BATCH_RECORDS_MAX).await?;
    Ok(entries.iter().any(|entry| is_signed(sealed, keys, entry)))
}

struct Opened {
    log: Arc<dyn RegistryLog>,
    keys: SealKeys,
    chosen: Vec<SealedLog>,
}

async fn open(arguments: &LogArguments, own: Option<&SigningKey>) -> anyhow::Result<Opened> {
    let known = log_keys::for_tool(&arguments.registrar_keys, &arguments.data)?;
    let own = own.map(SigningKey::public).filter(|own| !known.iter().any(|known| known == own));
    let keys: SealKeys = known.iter().copied().chain(own).collect();
    let log = open_backbone(&arguments.nats, "rollcall-log", Streams::Expect, &arguments.data).await?.log;
    let mut chosen = all(&log, &keys).await?;
    if let Some(only) = &arguments.only {
        chosen.retain(|sealed| name(&sealed.log) == only);
        if chosen.is_empty() {
            bail!("there is no log {only:?}: give `fleet`, or the id of an instance");
        }
    }
    Ok(Opened { log, keys, chosen })
}

/// Every log of the fleet, its own first.
async fn all(log: &Arc<dyn RegistryLog>, keys: &SealKeys) -> anyhow::Result<Vec<SealedLog>> {
    log.open(&LogId::Fleet).await?;
    let fleet = fleet_of(log, keys).await?;
    let mut logs = vec![SealedLog::FLEET];
    for instance in fleet.instances.values() {
        let sealed = SealedLog::of(instance);
        log.open(&sealed.log).await?;
        logs.push(sealed);
    }
    Ok(logs)
}

/// The fleet as far as it can be read: its log may be the one that has to be looked at.
async fn fleet_of(log: &Arc<dyn RegistryLog>, keys: &SealKeys) -> anyhow::Result<Fleet> {
    let start = Point::start(&SealedLog::FLEET, keys);
    let mut follower = LogFollower::new(Arc::clone(log), SealedLog::FLEET, keys.clone(), start);
    let mut fleet = Fleet::default();
    loop {
        for step in follower.next().await.context("the fleet's log cannot be read")? {
            match step {
                Step::Batch(batch) => {
                    for read in batch.records {
                        if let AnyEvent::Fleet(event) = &read.record.event {
                            fleet.evolve(event, read.record.time);
                        }
                    }
                }
                Step::CaughtUp(_) | Step::Parked { .. } => return Ok(fleet),
                Step::Foreign { .. } | Step::Interrupted { .. } => {}
            }
        }
    }
}

fn name(log: &LogId) -> &str {
    match log {
        LogId::Fleet => "fleet",
        LogId::Instance(id) => id.as_str(),
    }
}

async fn read(log: &dyn RegistryLog, sealed: &SealedLog, keys: &SealKeys) -> anyhow::Result<Examined> {
    examine(log, sealed, keys).await.with_context(|| format!("cannot read the log of {}", sealed.log))
}

#[expect(clippy::print_stdout, reason = "what was found is this command's output")]
async fn verify(arguments: &LogArguments) -> anyhow::Result<ExitCode> {
    let opened = open(arguments, None).await?;
    if opened.keys.is_empty() {
        bail!("no registrar's public key is known, so nothing can be proven: name them with --registrar-key");
    }
    let mut clean = true;
    for sealed in &opened.chosen {
        let found = read(&*opened.log, sealed, &opened.keys).await?;
        clean &= is_clean(&found);
        println!("{}", report(sealed, &found));
    }
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn is_clean(found: &Examined) -> bool {
    let signed = found.end.sealing != Sealing::Unsigned || found.own == 0;
    signed && found.foreign == 0 && found.stops_at().is_empty()
}

fn report(sealed: &SealedLog, found: &Examined) -> String {
    let digest = hex::encode(found.end.digest);
    let proof = match found.end.sealing {
        Sealing::By(key) => format!("sealed, last by key {}", key.id()),
        Sealing::Unsigned if found.own > 0 => "UNSIGNED: adopt it with `rollcall log adopt`".to_owned(),
        Sealing::Unsigned | Sealing::Awaited => "empty".to_owned(),
    };
    let mut text = format!(
        "{}: {} records up to position {}, {proof}, digest {digest}",
        name(&sealed.log),
        found.own,
        found.end.position
    );
    if found.foreign > 0 {
        let named: Vec<_> =
            found.foreign_found.iter().take(NAMED_MAX).map(|(at, why)| format!("{at} ({})", why.name())).collect();
        text += &format!("\n  {} record(s) that no registrar has sealed, stepped over: {}", found.foreign, named.join(", "));
        if found.foreign > named.len() as u64 {
            text += ", …";
        }
    }
    for (first, last) in &found.damaged {
        text +=
            &format!("\n  the batch from {first} to {last} is not what was sealed: the broker has damaged or lost records");
    }
    for (at, why) in &found.unreadable {
        text += &format!("\n  the record at {at} cannot be read: {why}");
    }
    for at in &found.skipped {
        text += &format!("\n  what stands at {at} is passed over");
    }
    for at in found.stops_at() {
        let log = name(&sealed.log);
        text += &format!("\n  readers stop before {at}: upgrade them, or `rollcall log skip --only {log} --position {at}`");
    }
    text
}

async fn sealing(arguments: &SealingArguments) -> anyhow::Result<(Opened, SigningKey)> {
    let key = match &arguments.key_file {
        Some(file) => log_keys::read(file)?,
        None => log_keys::existing_in_data_folder(&arguments.logs.data)?,
    };
    let opened = open(&arguments.logs, Some(&key)).await?;
    Ok((opened, key))
}

#[expect(clippy::print_stdout, reason = "what was done is this command's output")]
async fn adopt(arguments: &SealingArguments) -> anyhow::Result<ExitCode> {
    let (opened, key) = sealing(arguments).await?;
    for sealed in &opened.chosen {
        let adopted = adopt_one(&*opened.log, sealed, &key, &opened.keys).await?;
        println!("{}: {}", name(&sealed.log), if adopted { "adopted" } else { "sealed already, or empty" });
    }
    Ok(ExitCode::SUCCESS)
}

async fn adopt_one(log: &dyn RegistryLog, sealed: &SealedLog, key: &SigningKey, keys: &SealKeys) -> anyhow::Result<bool> {
    let appended = append(log, sealed, key, keys, |found| match found.end.sealing {
        Sealing::Unsigned if found.own == 0 => Ok(None),
        Sealing::Awaited => Ok(None),
        Sealing::By(current) if current == key.public() => Ok(None),
        // With the current key lost, one that is listed after it takes the log over.
        Sealing::Unsigned | Sealing::By(_) => {
            Ok(Some(LogEvent::Adopted { prefix_end: found.end.position, prefix_digest: found.end.digest }))
        }
    });
    Ok(appended.await?.is_some())
}

#[expect(clippy::print_stdout, reason = "what was done is this command's output")]
async fn rotate(arguments: &RotateArguments) -> anyhow::Result<ExitCode> {
    let (opened, key) = sealing(&arguments.sealing).await?;
    let next = arguments.next;
    for sealed in &opened.chosen {
        let appended = append(&*opened.log, sealed, &key, &opened.keys, |found| match found.end.sealing {
            Sealing::By(current) if current == next => Ok(None),
            Sealing::By(current) if current == key.public() => Ok(Some(LogEvent::RegistrarKeyNamed { public_key: next })),
            Sealing::By(current) => bail!("it is sealed by key {}, and this one is {}", current.id(), key.public().id()),
            Sealing::Unsigned if found.own > 0 => bail!("it is unsigned: adopt it first"),
            // Its first record names the key by being sealed with it.
            Sealing::Unsigned | Sealing::Awaited => Ok(None),
        });
        let said = match appended.await.with_context(|| format!("the log of {}", sealed.log))? {
            Some(at) => format!("from position {at} on sealed by key {}", next.id()),
            None => "nothing to do".to_owned(),
        };
        println!("{}: {said}", name(&sealed.log));
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "what was done is this command's output")]
async fn skip(arguments: &SkipArguments) -> anyhow::Result<ExitCode> {
    let (opened, key) = sealing(&arguments.sealing).await?;
    let [sealed] = &opened.chosen[..] else { bail!("say which log: --only fleet, or --only and the id of an instance") };
    let position = Position(arguments.position);
    let appended = append(&*opened.log, sealed, &key, &opened.keys, |found| {
        if found.skipped.contains(&position) {
            return Ok(None);
        }
        if found.stops_at().contains(&position) {
            return Ok(Some(LogEvent::RecordSkipped { position }));
        }
        let stops: Vec<_> = found.stops_at().iter().map(ToString::to_string).collect();
        let where_to = if stops.is_empty() { "nowhere".to_owned() } else { stops.join(", ") };
        bail!("no reader stops before position {position} of {}; they stop before: {where_to}", name(&sealed.log))
    });
    match appended.await? {
        Some(at) => println!("{}: position {position} is passed over, by the record at {at}", name(&sealed.log)),
        None => println!("{}: position {position} is passed over already", name(&sealed.log)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Appends what `wanted` makes of the log as it is, sealed by `key`; returns its position, or `None` if nothing is wanted.
async fn append(
    log: &dyn RegistryLog,
    sealed: &SealedLog,
    key: &SigningKey,
    keys: &SealKeys,
    wanted: impl Fn(&Examined) -> anyhow::Result<Option<LogEvent>>,
) -> anyhow::Result<Option<Position>> {
    for _ in 0..TRIES_MAX {
        let found = read(log, sealed, keys).await?;
        let Some(event) = wanted(&found)? else { return Ok(None) };
        let mut batch = Batch::from(vec![encode_record(&record(&sealed.log, event))]);
        batch.seal = Some(seal(key, sealed, (found.end.position, found.end.digest), &batch.records));
        match log.append(&sealed.log, found.end.position, batch).await {
            Ok(position) => return Ok(Some(position)),
            // A registrar was faster: look again.
            Err(AppendError::Conflict { .. }) => {}
            Err(AppendError::Backbone(error)) => return Err(error.into()),
        }
    }
    bail!("the log of {} is appended to all the time: stop its registrars and try again", sealed.log)
}

fn record(log: &LogId, event: LogEvent) -> Record {
    let now_ms = SystemClock.unix_ms();
    let id = SystemEntropy.uuid_v7(now_ms);
    Record {
        id,
        log: log.clone(),
        time: Timestamp::from_unix_ms(now_ms),
        cause: RequestId::parse(&format!("log-{id}")).expect("a UUID holds hex digits and dashes only"),
        actor: Actor::Operator(OPERATOR.into()),
        traceparent: None,
        event: AnyEvent::Log(event),
    }
}
