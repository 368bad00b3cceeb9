//! What the directory should say: each device's life, kept in plain maps.

use std::collections::BTreeMap;

use rollcall_domain::{
    certificate::{CertificateFacts, SubjectAttribute},
    ids::{DeviceId, Fingerprint, Position},
    registry::{Configuration, DeviceEntry, Pin, event::PresentedCertificate, evolve::evolve_device},
};
use rollcall_log::codec::AnyEvent;

use crate::{
    directory::{CertificateId, DeviceQuery, Listed, ListedCertificate, Order},
    rows::presented,
    tests::history::History,
};

#[derive(Default)]
pub(super) struct Oracle {
    /// By the record that created each, oldest first.
    pub(super) devices: Vec<Listed>,
    /// In the order of their records.
    pub(super) certificates: Vec<ListedCertificate>,
    /// For each device the latest comes first.
    pub(super) history: BTreeMap<DeviceId, Vec<Position>>,
}

#[derive(Clone)]
struct Life {
    entry: Option<DeviceEntry>,
    created: Position,
    updated: Position,
    certificates: Vec<(Position, PresentedCertificate, Vec<[u8; 32]>)>,
}

impl Oracle {
    pub(super) fn of(history: &History, until: Position) -> Self {
        let mut oracle = Self::default();
        let mut lives: BTreeMap<DeviceId, Life> = BTreeMap::new();
        let mut configuration = Configuration::default();
        for (record, position) in history.records.iter().zip(1..=until.0).map(|(record, n)| (record, Position(n))) {
            let AnyEvent::Registry(event) = &record.event else { panic!("only registry events here") };
            let Some(id) = event.device() else {
                configuration.evolve(event, record.time);
                continue;
            };
            oracle.history.entry(id.clone()).or_default().insert(0, position);
            let nobody = Life { entry: None, created: position, updated: position, certificates: Vec::new() };
            let mut life = lives.remove(id).unwrap_or(nobody);
            let was_live = matches!(life.entry, Some(DeviceEntry::Live(_)));
            life.entry = evolve_device(life.entry, event, &configuration, record.time);
            if !was_live && matches!(life.entry, Some(DeviceEntry::Live(_))) {
                life.created = position;
            }
            life.updated = position;
            let pins = pins(life.entry.as_ref());
            life.certificates.retain(|(_, known, _)| pins.iter().any(|pin| is_of(pin, known)));
            if let Some(brought) = presented(event)
                && pins.iter().any(|pin| is_of(pin, brought) && pin.not_before == Some(brought.not_before))
                && !life.certificates.iter().any(|(_, known, _)| known.sha256 == brought.sha256)
            {
                let by_id = configuration.cas.get(&brought.ca).map(|ca| ca.name_and_key_sha256);
                let recorded = brought.proof.iter().flat_map(|proof| &proof.chain).map(|above| above.name_and_key_sha256);
                let path = recorded.chain(by_id.filter(|_| brought.proof.is_none())).collect();
                life.certificates.push((position, brought.clone(), path));
            }
            if life.entry.is_some() {
                lives.insert(id.clone(), life);
            }
        }
        lives.into_values().for_each(|life| oracle.add(life));
        oracle.devices.sort_by_key(|listed| listed.created);
        oracle.certificates.sort_by_key(|certificate| certificate.id);
        oracle
    }

    fn add(&mut self, life: Life) {
        let pins = pins(life.entry.as_ref());
        let Some(DeviceEntry::Live(device)) = life.entry else { return };
        for (position, brought, path) in life.certificates {
            let facts = CertificateFacts::from_der(&brought.der).ok();
            let common_name = facts.as_ref().and_then(|facts| facts.attribute(SubjectAttribute::CommonName).ok());
            self.certificates.push(ListedCertificate {
                id: CertificateId::of(position, &brought.sha256),
                device: device.id.clone(),
                space: device.space.clone(),
                ca: brought.ca.clone(),
                path,
                sha256: brought.sha256,
                sha1: facts.as_ref().map(|facts| facts.sha1),
                common_name: common_name.unwrap_or_default().into(),
                not_after: facts.as_ref().map(|facts| facts.not_after),
                active: pins.iter().filter(|pin| is_of(pin, &brought)).all(|pin| pin.active),
            });
        }
        self.devices.push(Listed { device, created: life.created, updated: life.updated });
    }

    /// All that a query means, in its order.
    pub(super) fn meant(&self, query: &DeviceQuery<'_>) -> Vec<Listed> {
        let meant = self.devices.iter().filter(|listed| query.means(listed)).cloned();
        match query.order {
            Order::NewestFirst => meant.rev().collect(),
            Order::OldestFirst => meant.collect(),
        }
    }
}

fn pins(entry: Option<&DeviceEntry>) -> Vec<Pin> {
    match entry {
        Some(DeviceEntry::Live(device)) => device.credential.pins().cloned().collect(),
        Some(DeviceEntry::Deleted { .. }) | None => Vec::new(),
    }
}

fn is_of(pin: &Pin, certificate: &PresentedCertificate) -> bool {
    match pin.fingerprint {
        Fingerprint::Sha256(sha256) => sha256 == certificate.sha256,
        Fingerprint::Sha1(sha1) => CertificateFacts::from_der(&certificate.der).is_ok_and(|facts| facts.sha1 == sha1),
    }
}
