//! Shows what happens: each record of each log as one line, as soon as it is in the log.
//!
//! Follows the logs themselves, not a view: what is printed is what was written, once and in order. All but the hashes of
//! operators' passwords: those are in the fleet's log and nowhere that people look.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use clap::ValueEnum;
use rollcall_backbone::{
    codec::{self, AnyEvent, LogEvent, Record},
    log::{Entry, Followed, RegistryLog},
};
use rollcall_domain::{
    fleet::{FleetEvent, NewOperator, Role, Scope},
    ids::{LogId, Position},
    registry::{
        Event,
        event::{DeviceProfile, PolicyTarget},
    },
    template::Tag,
};
use rollcall_projection::fleet::FleetSnapshot;
use time::{OffsetDateTime, macros::format_description};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long to wait before following a log again after it could not be read.
const FOLLOW_AGAIN: std::time::Duration = std::time::Duration::from_secs(1);

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people
    #[default]
    Text,
    /// For programs: a JSON object a line
    Json,
}

/// Prints the records of every log from now on, also of instances that appear later, until `shutdown`.
pub async fn show(
    log: Arc<dyn RegistryLog>,
    mut fleet: watch::Receiver<Arc<FleetSnapshot>>,
    output: Output,
    shutdown: CancellationToken,
) {
    let mut shown = HashSet::new();
    // What an instance's log holds when this process first sees it has been shown before, unless the instance is new.
    let mut from_start = false;
    spawn_once(&mut shown, LogId::Fleet, &log, from_start, output, &shutdown);
    loop {
        let snapshot = fleet.borrow_and_update().clone();
        if snapshot.caught_up {
            for id in snapshot.fleet.instances.keys() {
                spawn_once(&mut shown, LogId::Instance(id.clone()), &log, from_start, output, &shutdown);
            }
            from_start = true;
        }
        match shutdown.run_until_cancelled(fleet.changed()).await {
            Some(Ok(())) => {}
            Some(Err(_)) | None => return,
        }
    }
}

fn spawn_once(
    shown: &mut HashSet<LogId>,
    id: LogId,
    log: &Arc<dyn RegistryLog>,
    from_start: bool,
    output: Output,
    shutdown: &CancellationToken,
) {
    if shown.insert(id.clone()) {
        let (log, shutdown) = (log.clone(), shutdown.clone());
        tokio::spawn(async move { shutdown.run_until_cancelled(show_log(log, id, from_start, output)).await });
    }
}

async fn show_log(log: Arc<dyn RegistryLog>, id: LogId, from_start: bool, output: Output) {
    let mut position = if from_start { Some(Position::START) } else { None };
    loop {
        if let Err(error) = follow(log.as_ref(), &id, &mut position, output).await {
            tracing::debug!(log = %id, %error, "cannot follow; trying again");
        }
        tokio::time::sleep(FOLLOW_AGAIN).await;
    }
}

async fn follow(
    log: &dyn RegistryLog,
    id: &LogId,
    position: &mut Option<Position>,
    output: Output,
) -> Result<(), rollcall_backbone::BackboneError> {
    log.open(id).await?;
    let after = match *position {
        Some(after) => after,
        None => *position.insert(log.last(id).await?),
    };
    let mut follower = log.follow(id, after).await?;
    while let Some(followed) = follower.recv().await {
        match followed? {
            Followed::Entry(entry) => {
                print(id, &entry, output);
                *position = Some(entry.position);
            }
            Followed::CaughtUp(_) => {}
            Followed::Interrupted { reason } => tracing::warn!(log = %id, reason, "records are held up; going on by itself"),
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "registry events are this command's output")]
fn print(id: &LogId, entry: &Entry, output: Output) {
    match (output, codec::decode_record(id, &entry.record)) {
        (Output::Json, Ok(record)) => println!(
            r#"{{"type":"record","position":{},"record":{}}}"#,
            entry.position,
            String::from_utf8_lossy(&showable(entry, record))
        ),
        (Output::Text, Ok(record)) => println!("{}", line(entry.position, &record)),
        (_, Err(error)) => tracing::error!(log = %id, position = %entry.position, %error, "a record that cannot be read"),
    }
}

/// The record's JSON, as it was written, but for what nobody may see.
fn showable(entry: &Entry, record: Record) -> Cow<'_, [u8]> {
    let AnyEvent::Fleet(event) = &record.event else { return Cow::Borrowed(&entry.record) };
    let shown = event.for_people();
    if shown == *event {
        return Cow::Borrowed(&entry.record);
    }
    Cow::Owned(codec::encode_record(&Record { event: AnyEvent::Fleet(shown), ..record }).into())
}

/// One record for people: time, instance, position, what happened.
pub fn line(position: Position, record: &Record) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(record.time.unix_ms()) * 1_000_000)
        .ok()
        .and_then(|time| time.format(format_description!("[hour]:[minute]:[second].[subsecond digits:3]")).ok())
        .unwrap_or_default();
    let place = match &record.log {
        LogId::Fleet => "fleet".to_owned(),
        LogId::Instance(id) => id.to_string(),
    };
    let (name, what) = match &record.event {
        AnyEvent::Fleet(event) => fleet_event(event),
        AnyEvent::Registry(event) => registry_event(event),
        AnyEvent::Log(event) => (event.kind(), log_event(event)),
    };
    format!("{time} {place:<12} #{position:<6} {name:<24} {what}")
}

fn log_event(event: &LogEvent) -> String {
    match event {
        LogEvent::Adopted { prefix_end, .. } => format!("the records up to #{prefix_end} as they are"),
        LogEvent::RegistrarKeyNamed { public_key } => format!("{public_key} (id {})", public_key.id()),
    }
}

fn fleet_event(event: &FleetEvent) -> (&'static str, String) {
    let describe = |instance: &rollcall_domain::fleet::Instance| {
        let place =
            format!("{} at {} ({}, {}", instance.id, instance.access_domain, instance.edition.name(), instance.region);
        let devices = instance.devices_max.map(|max| format!(", at most {max} devices")).unwrap_or_default();
        let closed = instance.self_registration_available == Some(false);
        format!("{place}{devices}{})", if closed { ", no self-registration" } else { "" })
    };
    match event {
        FleetEvent::InstanceCreated(instance) => ("InstanceCreated", describe(instance)),
        FleetEvent::InstanceUpdated(instance) => ("InstanceUpdated", describe(instance)),
        FleetEvent::InstanceDeleted(id) => ("InstanceDeleted", id.to_string()),
        FleetEvent::OperatorCreated(NewOperator { name, role, scope, password_hash, .. }) => {
            let password = if password_hash.is_some() { "a password" } else { "no password" };
            ("OperatorCreated", format!("{name}: {}, {password}", granted(*role, scope)))
        }
        FleetEvent::OperatorUpdated { name, role, scope, enabled } => {
            let switch = if *enabled { "enabled" } else { "disabled" };
            ("OperatorUpdated", format!("{name}: {}, {switch}", granted(*role, scope)))
        }
        FleetEvent::OperatorPasswordSet { name, .. } => ("OperatorPasswordSet", name.to_string()),
        FleetEvent::OperatorDeleted(name) => ("OperatorDeleted", name.to_string()),
        FleetEvent::AccessKeyCreated { key, operator, .. } => ("AccessKeyCreated", format!("{key} of {operator}")),
        FleetEvent::AccessKeySwitched { key, enabled } => {
            ("AccessKeySwitched", format!("{key}: {}", if *enabled { "enabled" } else { "disabled" }))
        }
        FleetEvent::AccessKeyDeleted(key) => ("AccessKeyDeleted", key.to_string()),
    }
}

fn granted(role: Role, scope: &Scope) -> String {
    let within = |kind: &str, ids: Vec<String>| format!(" of {kind} {}", ids.join(" "));
    let instances = scope.instances.as_ref().map(|ids| within("instances", ids.iter().map(ToString::to_string).collect()));
    let spaces = scope.spaces.as_ref().map(|ids| within("spaces", ids.iter().map(ToString::to_string).collect()));
    format!("{}{}{}", role.name(), instances.unwrap_or_default(), spaces.unwrap_or_default())
}

fn registry_event(event: &Event) -> (&'static str, String) {
    match event {
        Event::SpaceCreated { space, name, .. } => ("SpaceCreated", format!("{space} {name:?}")),
        Event::SpaceRenamed { space, name } => ("SpaceRenamed", format!("{space} is now {name:?}")),
        Event::SpaceDeleted { space } => ("SpaceDeleted", space.to_string()),
        Event::ProductCreated { space, product, .. } => ("ProductCreated", format!("{product} in space {space}")),
        Event::ProductUpdated { space, product, .. } => ("ProductUpdated", format!("{product} in space {space}")),
        Event::ProductDeleted { space, product } => ("ProductDeleted", format!("{product} in space {space}")),
        Event::PolicyCreated { policy, space, name, .. } => ("PolicyCreated", format!("{policy} {name:?} in space {space}")),
        Event::PolicyUpdated { policy, .. } => ("PolicyUpdated", policy.to_string()),
        Event::PolicyDeleted { policy } => ("PolicyDeleted", policy.to_string()),
        Event::PolicyBound { policy, target } => ("PolicyBound", format!("{policy} to {}", bound(target))),
        Event::PolicyUnbound { policy, target } => ("PolicyUnbound", format!("{policy} from {}", bound(target))),
        Event::TemplateCreated { template, name, .. } => ("TemplateCreated", format!("{template} {name:?}")),
        Event::TemplateUpdated { template, .. } => ("TemplateUpdated", template.to_string()),
        Event::TemplateDeleted { template } => ("TemplateDeleted", template.to_string()),
        Event::CaUploaded { ca, space, certificate, code, .. } => {
            ("CaUploaded", format!("{ca} ({}) in space {space}; verification code {code}", certificate.cn_name))
        }
        Event::CaCodeIssued { ca, code, .. } => ("CaCodeIssued", format!("{ca}; verification code {code}")),
        Event::CaVerified { ca } => ("CaVerified", ca.to_string()),
        Event::CaConfigured { ca, template, self_registration } => {
            let template = template.as_ref().map_or("no template".to_owned(), |template| format!("template {template}"));
            let switch = if *self_registration { "on" } else { "off" };
            ("CaConfigured", format!("{ca}: {template}, self-registration {switch}"))
        }
        Event::CaDeleted { ca, distrust } => ("CaDeleted", format!("{ca}{}", if *distrust { ", distrusted" } else { "" })),
        Event::DeviceRegistered { profile, certificate, template, template_version } => {
            let by = format!("by template {template} v{template_version}, CA {}", certificate.ca);
            ("DeviceRegistered", format!("{}, {by}", describe(profile)))
        }
        Event::DevicePreRegistered { profile, .. } => ("DevicePreRegistered", describe(profile)),
        Event::DeviceCertificatePinned { device, .. } => ("DeviceCertificatePinned", device.to_string()),
        Event::DeviceCertificateReplaced { device, .. } => ("DeviceCertificateReplaced", device.to_string()),
        Event::DeviceUpdated { device, .. } => ("DeviceUpdated", device.to_string()),
        Event::DeviceTagsChanged { device, tags } => ("DeviceTagsChanged", format!("{device}{}", list(tags))),
        Event::DeviceFrozen { device } => ("DeviceFrozen", device.to_string()),
        Event::DeviceUnfrozen { device } => ("DeviceUnfrozen", device.to_string()),
        Event::DeviceFingerprintReset { device, .. } => ("DeviceFingerprintReset", device.to_string()),
        Event::DeviceCertificateSwitched { device, active, .. } => {
            ("DeviceCertificateSwitched", format!("{device}: {}", if *active { "active" } else { "inactive" }))
        }
        Event::DeviceDeleted { device } => ("DeviceDeleted", device.to_string()),
        Event::DeviceReadmitted { device } => ("DeviceReadmitted", device.to_string()),
        Event::CertificateRetired { fingerprint, device, reason, .. } => {
            ("CertificateRetired", format!("{fingerprint} of {device}: {}", reason.name()))
        }
        Event::CertificateReadmitted { fingerprint, device } => {
            let whose = device.as_ref().map(|device| format!(" for {device}")).unwrap_or_default();
            ("CertificateReadmitted", format!("{fingerprint}{whose}"))
        }
        Event::RetiredForgotten { fingerprints } => {
            ("RetiredForgotten", format!("{} certificates past their own end", fingerprints.len()))
        }
    }
}

fn bound(target: &PolicyTarget) -> String {
    match target {
        PolicyTarget::Device(device) => format!("device {device}"),
        PolicyTarget::Product(space, product) => format!("product {product} of space {space}"),
        PolicyTarget::Space(space) => format!("space {space}"),
    }
}

fn describe(profile: &DeviceProfile) -> String {
    let DeviceProfile { device, node_id, space, product, tags, .. } = profile;
    format!("{device} (node {node_id}) in space {space}, product {product}{}", list(tags))
}

fn list(tags: &[Tag]) -> String {
    tags.iter().map(|tag| format!(", {}={}", tag.key, tag.value)).collect()
}

#[cfg(test)]
mod tests {
    use rollcall_domain::{
        fleet::{OperatorName, PasswordHash, ProjectId},
        ids::RequestId,
        registry::Actor,
        time::Timestamp,
    };

    use super::*;

    #[test]
    fn no_hash_of_a_password_is_shown() {
        let name = OperatorName::parse("olga").unwrap();
        let password_hash = PasswordHash::parse("$argon2id$secret").unwrap();
        let new = NewOperator {
            name: name.clone(),
            role: Role::Admin,
            scope: Scope::default(),
            project: ProjectId::parse("0123456789abcdef0123456789abcdef").unwrap(),
            password_hash: Some(password_hash.clone()),
        };
        for event in [FleetEvent::OperatorCreated(new), FleetEvent::OperatorPasswordSet { name, password_hash }] {
            let record = Record {
                id: Default::default(),
                log: LogId::Fleet,
                time: Timestamp::from_unix_s(1_780_272_000),
                cause: RequestId::parse("r-1").unwrap(),
                actor: Actor::Operator("root".into()),
                traceparent: None,
                event: AnyEvent::Fleet(event),
            };
            let entry = Entry { position: Position(1), record: codec::encode_record(&record) };
            let text = line(Position(1), &record);
            let json = String::from_utf8(showable(&entry, record).into_owned()).unwrap();
            assert!(json.contains("olga") && json.contains("withheld") && !json.contains("argon2id"), "{json}");
            assert!(text.contains("olga") && !text.contains("argon2id"), "{text}");
        }
    }
}
