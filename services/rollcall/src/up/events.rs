//! Prints each record of each log as one line, as soon as it is in the log.
//!
//! It follows the logs themselves, so it prints what registrars wrote, once and in order. It does not print the hashes of
//! operators' passwords, which are in the fleet's log only.

use std::{borrow::Cow, collections::HashSet, sync::Arc};

use clap::ValueEnum;
use rollcall_domain::{
    fleet::{FleetEvent, NewOperator, Role, Scope},
    ids::{InstanceId, LogId, Position},
    registry::{
        Event,
        event::{DeviceProfile, PolicyTarget},
    },
    template::Tag,
};
use rollcall_log::{
    BackboneError,
    codec::{self, AnyEvent, LogEvent, Record},
    follow::{LogFollower, Step, Stop},
    log::{Entry, RegistryLog},
    repeats::Repeats,
    resume::Resume,
    seal::{Point, SealKeys, SealedLog},
};
use rollcall_projection::{admission::Store, fleet::FleetSnapshot};
use time::{OffsetDateTime, macros::format_description};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The format of the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    #[default]
    Text,
    /// For programs: a JSON object a line
    Json,
}

/// Prints the records of every log from now on, also of instances that appear later, until `shutdown`. The store's views
/// only say from where a log has to be read.
pub(crate) async fn show(
    log: Arc<dyn RegistryLog>,
    store: Store,
    mut fleet: watch::Receiver<Arc<FleetSnapshot>>,
    output: Output,
    shutdown: CancellationToken,
) {
    let printer = Printer { log, store, output, shutdown, tasks: TaskTracker::new() };
    let mut followed = HashSet::new();
    // What an instance's log holds when this process first sees it has been shown before, unless the instance is new.
    let mut from_start = false;
    loop {
        let snapshot = fleet.borrow_and_update().clone();
        if followed.insert(SealedLog::FLEET) {
            let start = Point::start(&SealedLog::FLEET, printer.store.keys());
            printer.follow(SealedLog::FLEET, start, false);
        }
        if snapshot.caught_up {
            for instance in snapshot.fleet.instances.values() {
                let sealed = SealedLog::of(instance);
                if followed.insert(sealed.clone()) {
                    let start = printer.point(&instance.id, &sealed);
                    printer.follow(sealed, start, from_start);
                }
            }
            from_start = true;
        }
        match printer.shutdown.run_until_cancelled(fleet.changed()).await {
            Some(Ok(())) => {}
            Some(Err(_)) | None => break,
        }
    }
    printer.tasks.close();
    printer.tasks.wait().await;
}

/// Prints all logs; starts one [`LogPrinter`] for each.
struct Printer {
    log: Arc<dyn RegistryLog>,
    store: Store,
    output: Output,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Printer {
    /// The position of this process's own view: up to there it is known which records registrars sealed.
    fn point(&self, instance: &InstanceId, sealed: &SealedLog) -> Point {
        let view = self.store.admission(instance, sealed.incarnation, Arc::clone(&self.log), self.shutdown.clone());
        view.map_or_else(|_| Point::start(sealed, self.store.keys()), |view| view.status().borrow().point())
    }

    fn follow(&self, sealed: SealedLog, start: Point, from_start: bool) {
        let (log, keys, shutdown) = (Arc::clone(&self.log), self.store.keys().clone(), self.shutdown.clone());
        let output = self.output;
        self.tasks.spawn(async move {
            let mut printer = LogPrinter {
                log,
                sealed,
                keys,
                point: start,
                repeats: Repeats::default(),
                shown: from_start.then_some(Position::START),
            };
            shutdown.run_until_cancelled(printer.show(output)).await
        });
    }
}

/// Follows one log and prints its records.
struct LogPrinter {
    log: Arc<dyn RegistryLog>,
    sealed: SealedLog,
    keys: SealKeys,
    /// Up to here it is known which records registrars sealed.
    point: Point,
    /// Keeps a failure that lasts from being logged each time.
    repeats: Repeats,
    /// The last position printed; `None` until the end of the log is known.
    shown: Option<Position>,
}

impl LogPrinter {
    async fn show(&mut self, output: Output) {
        // No seed: the log is this process's own, and nothing else comes back to it at the same time.
        let mut resume = Resume::new("records to print", &self.sealed.log, 0);
        loop {
            match self.follow(output, &mut resume).await {
                Stop::Lost(error) => tracing::debug!(log = %self.sealed.log, %error, "cannot follow; trying again"),
                stop @ (Stop::Diverged { .. } | Stop::Unproven(_)) => {
                    if let Some(left_out) = self.repeats.failed(&stop) {
                        tracing::error!(log = %self.sealed.log, reason = %stop, left_out, "cannot show the log");
                    }
                    self.point = Point::start(&self.sealed, &self.keys);
                }
            }
            // What has happened has been said.
            resume.pause(Ok::<_, BackboneError>(())).await;
        }
    }

    async fn follow(&mut self, output: Output, resume: &mut Resume) -> Stop {
        let after = match (self.shown, self.end().await) {
            (Some(after), Ok(_)) => after,
            (None, Ok(end)) => *self.shown.insert(end),
            (_, Err(error)) => return error.into(),
        };
        let mut follower = LogFollower::new(Arc::clone(&self.log), self.sealed.clone(), self.keys.clone(), self.point);
        loop {
            let steps = match follower.next().await {
                Ok(steps) => steps,
                Err(stop) => return stop,
            };
            resume.follows();
            for step in steps {
                self.handle(step, after, output);
            }
        }
    }

    async fn end(&self) -> Result<Position, BackboneError> {
        self.log.open(&self.sealed.log).await?;
        self.log.last(&self.sealed.log).await
    }

    fn handle(&mut self, step: Step, after: Position, output: Output) {
        let log = &self.sealed.log;
        match step {
            Step::Batch(batch) => {
                for read in batch.records.iter().filter(|read| read.entry.position > after) {
                    print(&read.entry, &read.record, output);
                }
                (self.point, self.shown) = (batch.after, self.shown.max(Some(batch.after.position)));
            }
            Step::Foreign { position, why, after: point } => {
                if position > after {
                    let why = why.name();
                    if let Some(left_out) = self.repeats.failed(why) {
                        tracing::error!(%log, %position, why, left_out, "a record that no registrar has sealed");
                    }
                }
                self.point = point;
            }
            Step::CaughtUp(_) => {}
            Step::Interrupted { reason } => {
                if let Some(left_out) = self.repeats.failed(&reason) {
                    tracing::warn!(%log, reason, left_out, "records are held up; going on by itself");
                }
            }
            Step::Parked { at, reason } => {
                if let Some(left_out) = self.repeats.failed(&reason) {
                    tracing::error!(%log, position = %at, reason, left_out, "a record that cannot be read");
                }
            }
        }
    }
}

#[expect(clippy::print_stdout, reason = "registry events are this command's output")]
fn print(entry: &Entry, record: &Record, output: Output) {
    match output {
        Output::Json => println!(
            r#"{{"type":"record","position":{},"record":{}}}"#,
            entry.position,
            String::from_utf8_lossy(&without_secrets(entry, record))
        ),
        Output::Text => println!("{}", line(entry.position, record)),
    }
}

/// The record's JSON as it was written, without hashes of passwords.
fn without_secrets<'e>(entry: &'e Entry, record: &Record) -> Cow<'e, [u8]> {
    let AnyEvent::Fleet(event) = &record.event else { return Cow::Borrowed(&entry.record) };
    let shown = event.for_people();
    if shown == *event {
        return Cow::Borrowed(&entry.record);
    }
    Cow::Owned(codec::encode_record(&Record { event: AnyEvent::Fleet(shown), ..record.clone() }).into())
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
        LogEvent::RecordSkipped { position } => format!("what stands at {position} is passed over"),
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
            let entry = Entry::bare(Position(1), codec::encode_record(&record));
            let text = line(Position(1), &record);
            let json = String::from_utf8(without_secrets(&entry, &record).into_owned()).unwrap();
            assert!(json.contains("olga") && json.contains("withheld") && !json.contains("argon2id"), "{json}");
            assert!(text.contains("olga") && !text.contains("argon2id"), "{text}");
        }
    }
}
