//! Time to rebuild the view of many devices from zero, beside only reading and decoding the same log.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use clap::Args;
use rollcall_domain::{
    certificate::path::{ChainCertificate, PROVER},
    ids::{
        CaId, DeviceId, Incarnation, InstanceId, LogId, NodeId, PolicyId, Position, ProductId, RequestId, SpaceId,
        TemplateId,
    },
    registry::{
        Actor, Event,
        event::{DeviceProfile, PathProof, PresentedCertificate},
    },
    template::Tag,
    time::Timestamp,
};
use rollcall_log::{
    Backbone,
    codec::{self, AnyEvent, Record},
    log::{BATCH_RECORDS_MAX, Batch, Followed, RegistryLog},
    seal::{self, SealKeys, SealedLog},
    signing::SigningKey,
};
use rollcall_log_embedded::EmbeddedConfig;
use rollcall_projection::admission::{Store, StoreConfig};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{proc::cpu_s, register::now};

/// Appends under way together while a log is filled.
const APPENDS_TOGETHER: usize = 64;
/// Times that each log is folded.
const ROUNDS: u32 = 6;

/// How much to measure.
#[derive(Args)]
pub(crate) struct Arguments {
    /// Devices in the log.
    #[arg(long, default_value_t = 1_000_000)]
    devices: u64,
    /// sled's cache, MiB.
    #[arg(long, default_value_t = 1024)]
    cache_mib: u64,
    /// Records in one sealed batch: 1 is a log that grew a device at a time, 1000 one that grew in storms.
    #[arg(long, default_value_t = 1)]
    batch: usize,
    /// A folder with the embedded log of an instance `north` that another version wrote: rebuilt too, with and without the
    /// directory. Use a copy
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
}

#[expect(clippy::print_stdout, reason = "figures are this program's output")]
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    if let Some(log) = &arguments.log {
        rebuild_of_another(log, folder.path(), arguments).await?;
    }
    let backbone = open(&folder.path().join("log"))?;
    let key = SigningKey::generate();
    let (unsigned, sealed) = (InstanceId::parse("unsigned")?, InstanceId::parse("sealed")?);
    fill(backbone.log.as_ref(), &unsigned, arguments.devices, (None, BATCH_RECORDS_MAX), registration).await?;
    fill(backbone.log.as_ref(), &sealed, arguments.devices, (Some(&key), arguments.batch), registration).await?;
    let begun = now();
    read(backbone.log.as_ref(), &unsigned).await?;
    let reading = begun.elapsed().as_secs_f64();
    // In turns, each first in every other round (what comes second finds a heap that the first has left), the best of each.
    let keys: SealKeys = [key.public()].into_iter().collect();
    let (mut unproven, mut proven) = (Took::NEVER, Took::NEVER);
    for round in 0..ROUNDS {
        let at = |name: &str| folder.path().join(format!("{name}-{round}"));
        let config = |name, keys| config(at(name), arguments, false, keys);
        let (plain, sealing) = (config("unsigned", SealKeys::default()), config("sealed", keys.clone()));
        let sealed_first = round % 2 == 1;
        if sealed_first {
            proven = proven.best(rebuild(&backbone, &sealed, &sealing).await?);
        }
        unproven = unproven.best(rebuild(&backbone, &unsigned, &plain).await?);
        if !sealed_first {
            proven = proven.best(rebuild(&backbone, &sealed, &sealing).await?);
        }
    }
    println!(
        "{} devices: rebuilt in {unproven} unsigned, in {proven} sealed in batches of {}, ratio {:.2} ({:.2} of CPU); read and \
         decoded in {reading:.1} s, ratio {:.2}; {} MB resident",
        arguments.devices,
        arguments.batch,
        proven.wall / unproven.wall,
        proven.cpu / unproven.cpu,
        unproven.wall / reading,
        crate::proc::resident_bytes(std::process::id())? / 1_000_000
    );
    Ok(())
}

/// Rebuilds the log that another version wrote, as it is until it is adopted.
#[expect(clippy::print_stdout, reason = "figures are this program's output")]
async fn rebuild_of_another(log: &Path, folder: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let (backbone, instance) = (open(log)?, InstanceId::parse("north")?);
    let keys: SealKeys = [SigningKey::generate().public()].into_iter().collect();
    backbone.log.open(&LogId::Instance(instance.clone())).await?;
    let begun = now();
    read(backbone.log.as_ref(), &instance).await?;
    let reading = begun.elapsed().as_secs_f64();
    let mut best = [Took::NEVER; 2];
    for round in 0..ROUNDS {
        for (best, directory) in best.iter_mut().zip([false, true]) {
            let at = folder.join(format!("another-{directory}-{round}"));
            *best = best.best(rebuild(&backbone, &instance, &config(at, arguments, directory, keys.clone())).await?);
        }
    }
    let [without, with] = best;
    println!("{}: rebuilt in {without}, in {with} with the directory; read and decoded in {reading:.2} s", log.display());
    Ok(())
}

fn open(log: &Path) -> anyhow::Result<Backbone> {
    Ok(rollcall_log_embedded::open(log, EmbeddedConfig::new(Arc::new(|| 0), Arc::new(|| Uuid::from_u128(1))))?)
}

fn config(folder: PathBuf, arguments: &Arguments, directory: bool, keys: SealKeys) -> StoreConfig {
    StoreConfig { folder, cache_bytes_max: arguments.cache_mib * 1024 * 1024, directory, keys, retry_seed: 0 }
}

/// What folding a log took, seconds.
#[derive(Clone, Copy)]
struct Took {
    wall: f64,
    /// Of all threads: what other processes of the machine do not change.
    cpu: f64,
}

impl Took {
    const NEVER: Self = Self { wall: f64::INFINITY, cpu: f64::INFINITY };

    /// The best of both, each by itself.
    fn best(self, other: Self) -> Self {
        Self { wall: self.wall.min(other.wall), cpu: self.cpu.min(other.cpu) }
    }
}

impl std::fmt::Display for Took {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} s ({:.2} s of CPU)", self.wall, self.cpu)
    }
}

/// Folds a log afresh.
async fn rebuild(backbone: &Backbone, instance: &InstanceId, config: &StoreConfig) -> anyhow::Result<Took> {
    let (cpu, begun) = (cpu_s(std::process::id())?, now());
    let store = Store::open(config)?;
    let view = store.admission(instance, Incarnation::NIL, backbone.log.clone(), CancellationToken::new())?;
    view.status().wait_for(|status| status.caught_up).await?;
    Ok(Took { wall: begun.elapsed().as_secs_f64(), cpu: cpu_s(std::process::id())? - cpu })
}

/// Fills an instance's log with so many devices, in batches, sealed if there is a key.
pub(crate) async fn fill(
    log: &dyn RegistryLog,
    instance: &InstanceId,
    devices: u64,
    (key, batch): (Option<&SigningKey>, usize),
    registration: impl Fn(u64) -> anyhow::Result<Event>,
) -> anyhow::Result<()> {
    let id = LogId::Instance(instance.clone());
    log.open(&id).await?;
    let sealed = SealedLog { log: id.clone(), incarnation: Incarnation::NIL };
    let (mut position, mut digest) = (Position::START, seal::START);
    let all: Vec<u64> = (0..devices).collect();
    // Several at a time, because the embedded log gives them one sync; more than these would not be polled in order.
    for together in all.chunks(batch * APPENDS_TOGETHER) {
        let mut appends = Vec::new();
        for batch in together.chunks(batch) {
            let record = |n: &u64| record(&id, *n, registration(*n)?);
            let records = batch.iter().map(record).collect::<anyhow::Result<Vec<Bytes>>>()?;
            let mut batch = Batch::from(records);
            batch.seal = key.map(|key| seal::seal(key, &sealed, (position, digest), &batch.records));
            digest = batch.seal.as_ref().map_or(digest, |seal| seal.after);
            let (expected, count) = (position, batch.records.len() as u64);
            position = Position(position.0 + count);
            appends.push(log.append(&id, expected, batch));
        }
        futures_util::future::try_join_all(appends).await?;
    }
    Ok(())
}

/// The SHA-256 that a device's certificate is said to have.
pub(crate) fn digest(n: u64) -> [u8; 32] {
    let mut sha256 = [0; 32];
    sha256[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    sha256
}

/// That a certificate was signed by its CA directly.
pub(crate) fn proof() -> PathProof {
    let (not_before, not_after) = (Timestamp::from_unix_s(1_700_000_000), Timestamp::from_unix_s(2_000_000_000));
    let ca = ChainCertificate { name_and_key_sha256: digest(0), not_before, not_after };
    PathProof { not_after, ca_name_and_key_sha256: ca.name_and_key_sha256, chain: vec![ca], prover: PROVER }
}

/// A registration as the registrar writes it, with a certificate of the usual size.
fn registration(n: u64) -> anyhow::Result<Event> {
    let profile = DeviceProfile {
        device: DeviceId::parse(&format!("truck_{n:09}"))?,
        node_id: NodeId::parse(&format!("{n:09}"))?,
        space: SpaceId::parse("vehicles")?,
        product: ProductId::parse("truck")?,
        name: Some(format!("truck {n}").into()),
        tags: vec![Tag { key: "kind".into(), value: "truck".into() }],
        policies: vec![PolicyId::parse("truck-topics")?],
    };
    let not_before = Timestamp::from_unix_s(1_700_000_000);
    let certificate = PresentedCertificate {
        sha256: digest(n),
        der: vec![0x30; 420].into(),
        not_before,
        ca: CaId::parse("ca")?,
        proof: Some(proof()),
    };
    Ok(Event::DeviceRegistered { profile, certificate, template: TemplateId::parse("by-cn")?, template_version: 1 })
}

fn record(log: &LogId, n: u64, event: Event) -> anyhow::Result<Bytes> {
    let sha256 = digest(n);
    Ok(codec::encode_record(&Record {
        id: Uuid::from_u128(u128::from(n)),
        log: log.clone(),
        time: Timestamp::from_unix_s(1_700_000_000),
        cause: RequestId::of_certificate(&sha256),
        actor: Actor::Certificate(sha256),
        traceparent: None,
        event: AnyEvent::Registry(event),
    }))
}

async fn read(log: &dyn RegistryLog, instance: &InstanceId) -> anyhow::Result<()> {
    let id = LogId::Instance(instance.clone());
    let mut follower = log.follow(&id, Position::START).await?;
    while let Some(followed) = follower.recv().await {
        match followed? {
            Followed::Entry(entry) => drop(codec::decode_record(&id, &entry.record)?),
            Followed::CaughtUp(_) => return Ok(()),
            Followed::Interrupted { reason } => anyhow::bail!("reading the log was interrupted: {reason}"),
        }
    }
    Ok(())
}
