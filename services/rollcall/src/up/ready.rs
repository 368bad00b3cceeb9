//! Waits until everything is ready, and announces it.

use std::{io::IsTerminal as _, net::SocketAddr, path::Path, time::Duration};

use anyhow::Context as _;
use rollcall_api::{CONSOLE_IS_EMBEDDED, FirstAdministrator};
use rollcall_connector::ConnectorStatus;
use rollcall_domain::ids::InstanceId;
use rollcall_projection::admission::AdmissionView;
use secrecy::ExposeSecret as _;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Arguments,
    announcement::{Announcement, ApiAnnouncement, ApiCredentials, Demo, FirstSignIn, InstanceAnnouncement},
    demo,
    events::Output,
};
use crate::processes::{dependencies::Dependencies, first_sign_in};

/// How long to wait for the connector to serve what the fleet file declares.
const SERVED_WITHIN: Duration = Duration::from_secs(20);

/// Returns once the connector serves every instance of the fleet with all its verified CA certificates: what is announced
/// as ready lets the first device in. An instance that does not get there is named, and the others are announced.
pub(super) async fn until_served(
    dependencies: &Dependencies,
    connector: &mut watch::Receiver<ConnectorStatus>,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let mut views = Vec::new();
    for instance in dependencies.fleet.borrow().clone().fleet.instances.values() {
        let (id, incarnation) = (instance.id.clone(), instance.incarnation);
        let view = dependencies.store.admission(&id, incarnation, dependencies.backbone.log.clone(), shutdown.clone())?;
        views.push((id, view));
    }
    // Counted at each look: a view that is being built has no CA certificates yet.
    let served = |status: &ConnectorStatus, (id, view): &(InstanceId, AdmissionView)| {
        let cas = view.configuration().cas.values().filter(|ca| ca.is_verified()).count();
        let found = status.instances.iter().find(|found| found.instance == *id);
        found.is_some_and(|found| found.view_ready && found.trust_epoch.is_some() && found.trusted_cas == cas)
    };
    let all = connector.wait_for(|status| status.accepting && views.iter().all(|wanted| served(status, wanted)));
    if tokio::time::timeout(SERVED_WITHIN, all).await.is_err() {
        let status = connector.borrow();
        for (id, _) in views.iter().filter(|wanted| !served(&status, wanted)) {
            tracing::warn!(instance = %id, "not served yet; see the messages above");
        }
    }
    Ok(())
}

/// Describes what runs now.
pub(super) fn announcement(
    arguments: &Arguments,
    dependencies: &Dependencies,
    address: SocketAddr,
    server_ca_file: &Path,
    api: &ApiAnnouncement,
    demo: Option<&demo::Files>,
    shutdown: &CancellationToken,
) -> anyhow::Result<Announcement> {
    let absolute = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let snapshot = dependencies.fleet.borrow().clone();
    let instances: Vec<_> = snapshot
        .fleet
        .instances
        .values()
        .map(|instance| InstanceAnnouncement {
            id: instance.id.to_string(),
            access_domain: instance.access_domain.to_string(),
            region: instance.region.to_string(),
            edition: instance.edition.name().to_owned(),
            mqtts_address: address,
            server_ca_file: absolute(server_ca_file),
        })
        .collect();
    // Without the demo everything else is up all the same.
    let demo = demo.and_then(|files| {
        let described = describe_demo(files, dependencies, &instances, shutdown);
        described.inspect_err(|error| tracing::warn!(reason = format!("{error:#}"), "there is no demo")).ok()
    });
    let log = arguments.nats.url.clone().unwrap_or_else(|| "embedded".to_owned());
    Ok(Announcement { pid: std::process::id(), data: absolute(&arguments.data), log, instances, api: api.clone(), demo })
}

/// Describes the API and what its first administrator signs with.
///
/// # Errors
/// If the file with the first administrator's password cannot be written.
pub(super) fn api(
    arguments: &Arguments,
    address: &SocketAddr,
    server_ca_file: &Path,
    first_administrator: Option<FirstAdministrator>,
) -> anyhow::Result<ApiAnnouncement> {
    let is_read_by_people = arguments.output == Output::Text && std::io::stdout().is_terminal();
    let first_sign_in = match &first_administrator {
        Some(first) if is_read_by_people => first.password.clone().map(FirstSignIn::Shown),
        Some(first) => first_sign_in::write(&arguments.data, first)?.map(FirstSignIn::In),
        None => None,
    };
    // A name, since many clients do not verify addresses; the certificate has both.
    let host = if address.ip().is_loopback() { "localhost".to_owned() } else { address.ip().to_string() };
    let url = format!("https://{host}:{}", address.port());
    let has_console = CONSOLE_IS_EMBEDDED || arguments.console_dir.is_some();
    Ok(ApiAnnouncement {
        console_url: has_console.then(|| format!("{url}/console/")),
        url,
        address: *address,
        ca_file: std::fs::canonicalize(server_ca_file).unwrap_or_else(|_| server_ca_file.to_owned()),
        credentials: first_administrator.map(|first_administrator| ApiCredentials {
            project_id: first_administrator.project_id,
            operator: first_administrator.operator,
            access_key: first_administrator.access_key,
            secret_key: first_administrator.secret_key.expose_secret().to_owned(),
        }),
        first_sign_in,
    })
}

fn describe_demo(
    files: &demo::Files,
    dependencies: &Dependencies,
    instances: &[InstanceAnnouncement],
    shutdown: &CancellationToken,
) -> anyhow::Result<Demo> {
    let instance = instances.first().context("--demo needs a fleet file with an instance")?;
    let id = InstanceId::parse(&instance.id)?;
    let fleet = dependencies.fleet.borrow().clone();
    let incarnation = fleet.fleet.instances.get(&id).context("the instance is gone again")?.incarnation;
    let view = dependencies.store.admission(&id, incarnation, dependencies.backbone.log.clone(), shutdown.clone())?;
    let program = std::env::current_exe().unwrap_or_else(|_| "rollcall".into());
    files.describe(&program, instance, &view.configuration())
}

/// Prints the announcement on standard output.
#[expect(clippy::print_stdout, reason = "what is up is this command's output")]
pub(super) fn print(output: Output, announcement: &Announcement) -> anyhow::Result<()> {
    match output {
        Output::Text => println!("{}", announcement.text()),
        Output::Json => {
            let mut line = serde_json::to_value(announcement)?;
            line["type"] = "up".into();
            // What is in `up.json` for its owner is not for what the output goes to.
            if let Some(api) = line["api"].as_object_mut() {
                api.remove("secret_key");
            }
            if let Some(FirstSignIn::In(file)) = &announcement.api.first_sign_in {
                line["api"]["first_administrator_file"] = file.display().to_string().into();
            }
            println!("{line}");
        }
    }
    Ok(())
}
