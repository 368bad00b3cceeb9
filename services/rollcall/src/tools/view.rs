//! `rollcall view verify`: holds the views in a data folder against the log.
//!
//! Folds each instance's log afresh into a view that is thrown away, and compares the running digests of both at one
//! position. The process whose views they are must have ended: a view has one owner. Nothing is repaired here; a process
//! that finds its own view damaged builds it again, and removing the folder `views` has the same effect.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use rollcall_domain::fleet::Instance;
use rollcall_log::{log::RegistryLog, signing::PublicKey};
use rollcall_projection::{
    admission::{AdmissionView, Store, ViewHealth, ViewStatus},
    fleet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::nats_arguments::NatsArguments,
    processes::{
        backbone::{Streams, open_backbone},
        config, log_keys,
    },
};

/// What to do with views.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Fold the log afresh and compare digests with the views of a process that has ended
    Verify(VerifyArguments),
}

/// Arguments of `rollcall view verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The process's data folder
    #[arg(long, value_name = "DIR", default_value = "rollcall-data", env = "ROLLCALL_DATA")]
    pub(crate) data: PathBuf,
    /// The broker that holds the log; without one, the embedded log in the data folder
    #[command(flatten)]
    pub(crate) nats: NatsArguments,
    /// The registrars' public keys, oldest first [default: that of the key in the data folder]
    #[arg(long = "registrar-key", value_name = "KEY", env = "ROLLCALL_REGISTRAR_KEYS", value_delimiter = ' ')]
    pub(crate) registrar_keys: Vec<PublicKey>,
}

/// Does what the arguments say; the exit code is a failure if a view differs.
///
/// # Errors
/// A log or view that cannot be opened.
pub(crate) async fn run(command: &Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Verify(arguments) => verify(arguments).await,
    }
}

async fn verify(arguments: &VerifyArguments) -> anyhow::Result<ExitCode> {
    let scratch = arguments.data.join(format!("views-verify-{}", std::process::id()));
    let outcome = compare_all(arguments, &scratch).await;
    // A folder that stays behind is only a waste of space.
    drop(std::fs::remove_dir_all(&scratch));
    let differs = outcome?;
    Ok(if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Whether a view differs.
#[expect(clippy::print_stdout, reason = "the comparison is this command's output")]
async fn compare_all(arguments: &VerifyArguments, scratch: &Path) -> anyhow::Result<bool> {
    let backbone = open_backbone(&arguments.nats, "rollcall-view", Streams::Expect, &arguments.data).await?;
    let keys = log_keys::for_tool(&arguments.registrar_keys, &arguments.data)?;
    let shutdown = CancellationToken::new();
    let _stop_at_end = shutdown.clone().drop_guard();
    let open = |folder: PathBuf| Store::open_as_left(folder, config::default_cache(), keys.clone());
    let kept = open(arguments.data.join("views")).context("does the process still run?")?;
    let fresh = open(scratch.to_owned())?;
    let mut fleet = fleet::follow(backbone.log.clone(), keys.clone(), 0, shutdown.clone());
    let fleet = fleet.wait_for(|fleet| fleet.caught_up).await.context("the fleet's log cannot be read")?.clone();
    let mut differs = false;
    for instance in fleet.fleet.instances.values() {
        let kept = caught_up(&kept, instance, &backbone.log, &shutdown).await?;
        let fresh = caught_up(&fresh, instance, &backbone.log, &shutdown).await?;
        let (kept, fresh) = at_one_position(&kept, &fresh).await?;
        let same = kept.digest == fresh.digest;
        differs |= !same;
        let verdict = if same { "agrees with the log" } else { "DIFFERS from the log" };
        let (id, digest) = (&instance.id, hex::encode(kept.digest));
        println!("{id} at position {} digest {digest} {verdict}", kept.position);
        if let Some(foreign) = fresh.foreign {
            println!("{id} holds {} record(s) that no registrar has sealed, the last at {}", foreign.count, foreign.last);
        }
    }
    Ok(differs)
}

/// The view of an instance, caught up with its log; an error if it cannot go on.
async fn caught_up(
    store: &Store,
    instance: &Instance,
    log: &Arc<dyn RegistryLog>,
    shutdown: &CancellationToken,
) -> anyhow::Result<AdmissionView> {
    let (id, incarnation) = (&instance.id, instance.incarnation);
    let view = store.admission(id, incarnation, log.clone(), shutdown.clone())?;
    let mut status = view.status();
    let settled =
        status.wait_for(|status| status.caught_up || matches!(status.health, ViewHealth::Parked { .. })).await?.clone();
    if let ViewHealth::Parked { at, reason } = settled.health {
        anyhow::bail!("instance {id}: the record at position {at} cannot be read: {reason}");
    }
    Ok(view)
}

/// The states of two views at one position, however much is appended meanwhile.
async fn at_one_position(one: &AdmissionView, other: &AdmissionView) -> anyhow::Result<(ViewStatus, ViewStatus)> {
    loop {
        let (left, right) = (one.status().borrow().clone(), other.status().borrow().clone());
        if left.position == right.position {
            return Ok((left, right));
        }
        let further = left.position.max(right.position);
        one.reached(further).await?;
        other.reached(further).await?;
    }
}
