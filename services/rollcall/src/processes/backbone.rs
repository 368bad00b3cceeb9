//! The backbone as a process or a tool opens it: on NATS, or on the embedded log in a data folder.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use rollcall_chassis::{
    clock::{Clock as _, SystemClock},
    entropy::{Entropy as _, SystemEntropy},
};
use rollcall_log::{Backbone, BackboneError};
use rollcall_log_embedded::EmbeddedConfig;

use super::config::NatsTable;
use crate::cli::nats_arguments::NatsArguments;

/// What a process does about streams that do not exist.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Streams {
    /// It creates them, as a registrar does.
    Declare,
    /// It waits for them, since its account may not create any.
    Expect,
}

/// Opens it on NATS if the arguments name a server, else on the embedded log in the data folder.
pub(crate) async fn open_backbone(
    nats: &NatsArguments,
    name: &str,
    streams: Streams,
    data: &Path,
) -> anyhow::Result<Backbone> {
    match nats.to_table() {
        Some(table) => connect(&table, name, streams).await,
        None => {
            let folder = data.join("log");
            let config = EmbeddedConfig::new(Arc::new(|| SystemClock.unix_ms()), Arc::new(|| SystemEntropy.uuid_v4()));
            rollcall_log_embedded::open(&folder, config)
                .with_context(|| format!("cannot use the embedded log in {}", folder.display()))
        }
    }
}

/// Another for each process, so that all that lost one broker do not come back at one moment.
pub(super) fn retry_seed() -> u64 {
    SystemEntropy.uuid_v4().as_u64_pair().0
}

pub(super) async fn connect(nats: &NatsTable, name: &str, streams: Streams) -> anyhow::Result<Backbone> {
    let mut config = nats.to_config(name)?;
    config.declares = streams == Streams::Declare;
    config.retry_seed = retry_seed();
    let connected = rollcall_log_nats::connect(config).await;
    connected.map_err(|error| {
        let context = match &error {
            BackboneError::StreamDiffers { .. } => {
                "the broker's streams are not as this was told: the number of copies is `replicas` in [nats], --nats-replicas and \
                 ROLLCALL_NATS_REPLICAS, the same for every process and command"
            }
            BackboneError::Unavailable { .. }
            | BackboneError::Unwritable { .. }
            | BackboneError::LimitReached { .. }
            | BackboneError::Full { .. }
            | BackboneError::Damaged { .. }
            | BackboneError::Closed => "cannot use the broker",
        };
        anyhow::Error::new(error).context(context)
    })
}
