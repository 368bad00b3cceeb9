//! What must hold of every history.
//!
//! Each is told of what a reader of the log, a device, or somebody who compares views would see; none asks a process what
//! it thinks of itself.

use std::collections::BTreeMap;

use rollcall_domain::{
    authenticate::{Verdict, authenticate},
    certificate::path::Proven,
    fleet::AvailabilityRules,
    ids::{DeviceId, Fingerprint, Position},
    registry::{
        Devices, Event, Registry, Slot,
        event::{DeclaredCredential, DeviceProfile},
    },
    time::Timestamp,
};
use tokio::time::Instant;

use rollcall_chassis::clock::Clock as _;

use crate::{
    certificates::CAS,
    client::Client,
    history::History,
    memory_log::{Ruling, Sight},
    world::{Connector, STALE_ADMISSION, World},
};

/// A bound counts from the last confirmation, which may be so much later than the moment from which a view lacked something.
const BOUND_SLACK: std::time::Duration = std::time::Duration::from_secs(10);

/// A property that does not hold.
#[derive(Debug)]
pub(crate) struct Violation(String);

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

fn violated(property: &str, how: impl std::fmt::Display) -> Result<(), Violation> {
    Err(Violation(format!("{property}: {how}")))
}

/// A device that has lost its right, by what the view of its connector knows, has no live session there.
pub(crate) fn who_lost_the_right_has_no_session(world: &World, clients: &[Vec<Client>; 2]) -> Result<(), Violation> {
    for (place, clients) in clients.iter().enumerate() {
        let position = world.connectors[place].view.status().borrow().position;
        let registry = world.history.registry(position);
        for client in clients {
            let right = right(world, &registry, client);
            match client.end() {
                None if !matches!(&right, Verdict::Accept(device) if device.device == client.device) => {
                    let property = "a device that has lost its right has no live session";
                    let claim = &client.claim.client_id;
                    return violated(
                        property,
                        format!(
                            "{}, as {claim}, is still connected to connector {place}, whose view at {position} says {right:?}",
                            client.device
                        ),
                    );
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// By the path that the session came by, which is one of those that there are.
fn right(world: &World, registry: &Registry, client: &Client) -> Verdict {
    let now = Timestamp::from_unix_ms(world.clock.unix_ms());
    let by = |path: &Proven| {
        authenticate(
            &registry.configuration,
            registry,
            &world.profile,
            &AvailabilityRules::default(),
            &client.leaf.facts,
            path,
            &client.claim.identification(),
            now,
        )
    };
    let mut verdicts = client.leaf.paths.iter().map(by);
    let first = verdicts.next().expect("every certificate of the pool has a path");
    let is_this = |verdict: &Verdict| matches!(verdict, Verdict::Accept(device) if device.device == client.device);
    if is_this(&first) { first } else { verdicts.find(is_this).unwrap_or(first) }
}

/// A certificate that a CA had proven for a device and that was taken away from it connects nobody, whatever the client id,
/// template or pre-registration, until an operator gives it back.
pub(crate) fn f39_what_was_taken_away_connects_nobody(world: &World, clients: &[Vec<Client>; 2]) -> Result<(), Violation> {
    for (place, clients) in clients.iter().enumerate() {
        let position = world.connectors[place].view.status().borrow().position;
        let taken = taken_away(&world.history, position);
        let mut live = clients.iter().filter(|client| client.end().is_none());
        if let Some(client) = live.find(|client| taken.contains_key(&client.leaf.facts.sha256)) {
            let how = format!("{} is connected to connector {place}, whose view is at {position}", client.device);
            return violated("a certificate that was taken away connects nobody", how);
        }
    }
    Ok(())
}

/// Certificates (SHA-256) that were taken away up to a position and not given back since, with the device that they were of. Said
/// without the domain's own words for it; of what operators only typed it says nothing.
fn taken_away(history: &History, position: Position) -> BTreeMap<[u8; 32], DeviceId> {
    let (mut proven, mut taken) = (BTreeMap::<DeviceId, [u8; 32]>::new(), BTreeMap::new());
    for event in history.events(position) {
        match event {
            Event::DeviceRegistered { profile: DeviceProfile { device, .. }, certificate, .. }
            | Event::DeviceCertificatePinned { device, certificate }
            | Event::DeviceCertificateReplaced { device, certificate } => {
                taken.remove(&certificate.sha256);
                if let Some(replaced) = proven.insert(device.clone(), certificate.sha256) {
                    taken.insert(replaced, device.clone());
                }
            }
            Event::DeviceDeleted { device } => {
                taken.extend(proven.remove(device).map(|sha256| (sha256, device.clone())));
            }
            Event::CertificateRetired { device, fingerprint: Fingerprint::Sha256(sha256), .. } => {
                taken.extend(proven.remove(device).filter(|of| of == sha256).map(|sha256| (sha256, device.clone())));
            }
            Event::DeviceReadmitted { device } => taken.retain(|_, of| of != device),
            Event::CertificateReadmitted { fingerprint, .. } => give_back(&mut taken, fingerprint),
            Event::DeviceFingerprintReset { device, slot, fingerprint } => {
                let replaced = (*slot == Slot::Primary).then(|| proven.remove(device)).flatten();
                if let Some(Fingerprint::Sha256(_)) = fingerprint {
                    taken.extend(replaced.map(|sha256| (sha256, device.clone())));
                }
                fingerprint.iter().for_each(|fingerprint| give_back(&mut taken, fingerprint));
            }
            Event::DevicePreRegistered { credential: DeclaredCredential::Certificates { primary, secondary }, .. } => {
                primary.iter().chain(secondary).for_each(|fingerprint| give_back(&mut taken, fingerprint));
            }
            _ => {}
        }
    }
    taken
}

fn give_back(taken: &mut BTreeMap<[u8; 32], DeviceId>, fingerprint: &Fingerprint) {
    for facts in CAS.iter().flat_map(|ca| &ca.leaves).map(|leaf| &leaf.facts) {
        if [Fingerprint::Sha256(facts.sha256), Fingerprint::Sha1(facts.sha1)].contains(fingerprint) {
            taken.remove(&facts.sha256);
        }
    }
}

/// What a connector counts as sessions is what devices hold for connected.
pub(crate) fn sessions_are_counted(connector: &Connector, connected: usize) -> Result<(), Violation> {
    let counted: usize = connector.status.borrow().instances.iter().map(|instance| instance.sessions).sum();
    match counted == connected {
        true => Ok(()),
        false => violated("a session is a connection", format!("{counted} sessions, {connected} connected devices")),
    }
}

/// What an operator was told stays true: a command that was rejected never comes to a record, and one that was accepted to none
/// beyond the position that it was accepted at.
pub(crate) fn an_answer_is_final(world: &World) -> Result<(), Violation> {
    for (request, told) in &world.answers {
        let accepted_at = match told {
            Ruling::Accepted { position } => Some(*position),
            Ruling::Rejected(_) => None,
        };
        if let Some(late) = world.history.caused_by(request).find(|position| Some(*position) > accepted_at) {
            return violated("an answer is final", format!("{request} was told {told:?}, and came to a record at {late}"));
        }
    }
    Ok(())
}

/// No device is registered that there is already, whatever was delivered twice or decided again.
pub(crate) fn one_registration_for_each_life(history: &History) -> Result<(), Violation> {
    for (position, device, _) in history.registrations() {
        let before = history.registry(Position(position.0 - 1));
        if let Some(entry) = before.entry(device) {
            return violated("a device is registered once", format!("{device} at {position} although it was {entry:?}"));
        }
    }
    Ok(())
}

/// A first connection that is accepted is exactly one record; one that is not is at most one.
pub(crate) fn a_first_connection_is_one_record(
    history: &History,
    before: Position,
    verdict: &Verdict,
    sha256: &[u8; 32],
    connected: Result<&DeviceId, &String>,
) -> Result<(), Violation> {
    let registered = history.registrations().filter(|(position, _, of)| *position > before && *of == sha256);
    let registered: Vec<&DeviceId> = registered.map(|(_, device, _)| device).collect();
    let property = "a first connection is one record";
    if registered.len() > 1 {
        return violated(property, format!("one certificate was registered as {registered:?}"));
    }
    let Ok(device) = connected else { return Ok(()) };
    let was_known = history.registry(before).entry(device).is_some();
    match (verdict, was_known, registered.as_slice()) {
        (Verdict::Register { .. }, false, []) => violated(property, format!("{device} was accepted, and is in no record")),
        (_, _, [registered]) if *registered != device => {
            violated(property, format!("{device} was accepted, and registered as {registered}"))
        }
        _ => Ok(()),
    }
}

/// Two readers that stand at one position of the log have one digest of it.
pub(crate) fn one_digest_at_one_position(world: &World) -> Result<(), Violation> {
    let registrars = world.registrars.iter().map(|registrar| &registrar.view);
    let mut digests = BTreeMap::new();
    for view in registrars.chain(world.connectors.iter().map(|connector| &connector.view)) {
        let (position, digest) = {
            let status = view.status();
            let status = status.borrow();
            (status.position, status.digest)
        };
        let known = *digests.entry(position).or_insert_with(|| world.history.digest(position).copied().unwrap_or(digest));
        if known != digest {
            return violated("two views at one position have one digest", format!("there are two at {position}"));
        }
    }
    Ok(())
}

/// A view that does not see the log admits nobody whom what it knows does not let in, and nobody beyond its bound.
pub(crate) fn a_stale_view_admits_no_more(
    connector: &Connector,
    verdict: &Verdict,
    connected: Result<&DeviceId, &String>,
) -> Result<(), Violation> {
    let Ok(device) = connected else { return Ok(()) };
    if connector.link.sight() == Sight::Whole {
        return Ok(());
    }
    let property = "a stale view admits no more than the log at its position allows";
    if !matches!(verdict, Verdict::Accept(allowed) if allowed.device == *device) {
        return violated(property, format!("{device} was accepted, and the view says {verdict:?}"));
    }
    let lacks = connector.behind_since.map(|since| Instant::now() - since);
    match lacks {
        Some(lacks) if connector.bounded && lacks > STALE_ADMISSION + BOUND_SLACK => {
            violated("nobody is admitted beyond the bound", format!("{device} was accepted by a view {lacks:?} old"))
        }
        _ => Ok(()),
    }
}

/// A view that has everything answers as the domain does.
pub(crate) fn a_fresh_view_decides(
    connector: &Connector,
    verdict: &Verdict,
    connected: Result<&DeviceId, &String>,
) -> Result<(), Violation> {
    if connector.link.sight() != Sight::Whole {
        return Ok(());
    }
    let agrees = match (verdict, connected) {
        (Verdict::Accept(device), Ok(connected)) => device.device == *connected,
        (Verdict::Refuse(refusal), Err(refused)) => refusal.code() == refused,
        (Verdict::Register { .. }, _) => true,
        (Verdict::Accept(_), Err(_)) | (Verdict::Refuse(_), Ok(_)) => false,
    };
    if agrees {
        Ok(())
    } else {
        violated("a fresh view decides", format!("it says {verdict:?}, and the device got {connected:?}"))
    }
}

/// What was written stays.
pub(crate) fn the_log_only_grows(before: Position, end: Position) -> Result<(), Violation> {
    if end >= before { Ok(()) } else { violated("the log only grows", format!("it ended at {before}, and now at {end}")) }
}
