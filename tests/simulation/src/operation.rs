//! What may happen in one step, and how a seed chooses it.
//!
//! Invariant: a choice depends on the seed and on what has been decided so far, never on how threads were scheduled.

use std::collections::BTreeSet;

use rollcall_domain::{
    ids::{DeviceId, Fingerprint},
    registry::{Device, DeviceEntry, Devices, Registry, Slot, command::Distrust},
};

use crate::{
    certificates::{CAS, Leaf, ca},
    memory_log::{Faults, Sight, SplitMix},
    world::{other_product, product},
};

/// A certificate of the pool: its CA and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) ca: usize,
    pub(crate) leaf: usize,
}

impl Certificate {
    pub(crate) fn get(self) -> &'static Leaf {
        &CAS[self.ca].leaves[self.leaf]
    }

    pub(crate) const fn sha1(self) -> Typed {
        Typed::Sha1(self)
    }

    pub(crate) const fn sha256(self) -> Typed {
        Typed::Sha256(self)
    }
}

/// A fingerprint by the certificate that it is of: keys are made anew in each process, and a history is to look the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    Sha1(Certificate),
    Sha256(Certificate),
}

impl Typed {
    pub(crate) fn fingerprint(self) -> Fingerprint {
        match self {
            Self::Sha1(certificate) => Fingerprint::Sha1(certificate.get().facts.sha1),
            Self::Sha256(certificate) => Fingerprint::Sha256(certificate.get().facts.sha256),
        }
    }
}

/// How a device connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) connector: usize,
    pub(crate) certificate: Certificate,
    /// The device that it says it is; `None` leaves that to the template.
    pub(crate) named: Option<DeviceId>,
}

/// What happens in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Connect(Connection),
    /// At both connectors at once.
    ConnectTwice(Certificate, Option<DeviceId>),
    /// While the device is frozen or deleted.
    ConnectWhile(Connection, Ended),
    /// Every client of a connector goes away.
    HangUp(usize),
    PreRegister(DeviceId, Option<Typed>),
    Freeze(DeviceId),
    Unfreeze(DeviceId),
    Delete(DeviceId),
    Readmit(DeviceId),
    ResetFingerprint(DeviceId, Slot, Option<Typed>),
    SwitchCertificate(DeviceId, Typed, bool),
    DeleteCertificate(DeviceId, Typed),
    ReadmitCertificate(Typed, Option<DeviceId>),
    /// The template makes devices of the other product.
    EditTemplate {
        other: bool,
    },
    BindTemplate {
        bound: bool,
    },
    SelfRegistration {
        on: bool,
    },
    DeleteCa(usize, Distrust),
    Trust(usize),
    ChangePolicy {
        deny: bool,
    },
    Cut(usize, Sight),
    /// A registrar dies after so many steps; another one takes its place.
    Kill(usize, i64),
    Wait {
        seconds: u64,
    },
    PassTime {
        days: i64,
    },
}

/// How a device loses its right while it connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Frozen,
    Deleted,
}

/// Draws what happens next.
pub(crate) struct Chooser(SplitMix);

impl Chooser {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(SplitMix::new(seed ^ 0x0515))
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.0.next_u64() % u64::try_from(n.max(1)).expect("small")).expect("small")
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() { None } else { all.get(self.below(all.len())) }
    }

    fn certificate(&mut self) -> Certificate {
        let ca = self.below(CAS.len());
        Certificate { ca, leaf: self.below(CAS[ca].leaves.len()) }
    }

    /// Which faults the log has during a step. Rates are so low that what is asked for comes about in the end.
    pub(crate) fn faults(&mut self) -> Faults {
        let none = Faults::default();
        match self.below(24) {
            0 => Faults { unavailable: 200, ..none },
            1 => Faults { lost_ack: 300, ..none },
            2 => Faults { spurious_conflict: 300, ..none },
            3 => Faults { redelivery: 300, ..none },
            4 => Faults { dropped_ruling: 600, ..none },
            5 => Faults { delayed_ruling: 1000, ..none },
            6 => Faults { cut_follower: 200, ..none },
            7 => Faults { foreign_record: 300, ..none },
            8 => Faults { foreign_record: 100, ..Faults::some() },
            _ => none,
        }
    }

    /// What happens next in a world that has come to `registry`.
    pub(crate) fn operation(&mut self, registry: &Registry, sights: [Sight; 2]) -> Operation {
        match self.below(40) {
            0..=9 => Operation::Connect(self.connection(registry)),
            10..=12 => {
                let Connection { certificate, named, .. } = self.connection(registry);
                Operation::ConnectTwice(certificate, named)
            }
            13..=14 => {
                let ended = if self.one_in(2) { Ended::Frozen } else { Ended::Deleted };
                Operation::ConnectWhile(self.connection(registry), ended)
            }
            15 => Operation::HangUp(self.below(2)),
            16..=20 => self.pre_registration(registry),
            21..=29 => self.about_device(registry),
            30..=34 => self.about_configuration(registry),
            35..=36 => self.cut(sights),
            37..=38 => Operation::Kill(self.below(2), i64::try_from(self.below(10)).expect("small")),
            _ if self.one_in(3) => Operation::PassTime { days: 40 },
            _ => Operation::Wait { seconds: 30 },
        }
    }

    fn connection(&mut self, registry: &Registry) -> Connection {
        let connector = self.below(2);
        let known: Vec<_> = live(registry)
            .flat_map(|device| certificates_of(&device).into_iter().map(move |c| (device.id.clone(), c)))
            .collect();
        // Mostly as a device that has the certificate; else as it comes.
        if !self.one_in(3)
            && let Some((device, certificate)) = self.of(&known).cloned()
        {
            let named = (certificate.ca != 0 || !self.one_in(3)).then_some(device);
            return Connection { connector, certificate, named };
        }
        let certificate = self.certificate();
        let named = self.one_in(2).then(|| self.device(registry));
        Connection { connector, certificate, named }
    }

    /// A device that there is, or may be.
    fn device(&mut self, registry: &Registry) -> DeviceId {
        let known: Vec<DeviceId> = possible().filter(|device| registry.entry(device).is_some()).collect();
        match self.of(&known) {
            Some(device) if !self.one_in(4) => device.clone(),
            _ => entered(self.below(ENTERED)),
        }
    }

    fn pre_registration(&mut self, registry: &Registry) -> Operation {
        let device = entered(self.below(ENTERED));
        // A certificate that has a device already, as often as not.
        let known: Vec<Certificate> = live(registry).flat_map(|device| certificates_of(&device)).collect();
        let certificate = match self.of(&known) {
            Some(certificate) if self.one_in(2) => *certificate,
            _ => self.certificate(),
        };
        let fingerprint = match self.below(5) {
            0 => None,
            1 | 2 => Some(certificate.sha1()),
            _ => Some(certificate.sha256()),
        };
        Operation::PreRegister(device, fingerprint)
    }

    fn about_device(&mut self, registry: &Registry) -> Operation {
        let device = self.device(registry);
        let entry = registry.entry(&device);
        let live = match &entry {
            Some(DeviceEntry::Live(device)) => device,
            Some(DeviceEntry::Deleted { .. }) if self.one_in(3) => {
                let certificate = self.certificate();
                let fingerprint = [None, Some(certificate.sha1()), Some(certificate.sha256())][self.below(3)];
                return Operation::PreRegister(device, fingerprint);
            }
            Some(DeviceEntry::Deleted { .. }) => return Operation::Readmit(device),
            None if self.one_in(4) => return Operation::Delete(device),
            None => return self.pre_registration(registry),
        };
        let pins: Vec<(Typed, bool)> = pins_of(live).collect();
        match self.below(6) {
            0 | 1 if live.frozen => Operation::Unfreeze(device),
            0 | 1 => Operation::Freeze(device),
            2 => Operation::Delete(device),
            3 if self.one_in(4) => {
                let named = self.one_in(2).then_some(device);
                Operation::ReadmitCertificate(self.certificate().sha256(), named)
            }
            3 => match self.of(&pins) {
                Some((fingerprint, _)) if self.one_in(2) => Operation::DeleteCertificate(device, *fingerprint),
                Some((fingerprint, active)) => Operation::SwitchCertificate(device, *fingerprint, !active),
                None => Operation::Delete(device),
            },
            _ => {
                let slot = if self.one_in(3) { Slot::Secondary } else { Slot::Primary };
                let certificate = self.certificate();
                let fingerprint = [None, Some(certificate.sha1()), Some(certificate.sha256())][self.below(3)];
                Operation::ResetFingerprint(device, slot, fingerprint)
            }
        }
    }

    fn about_configuration(&mut self, registry: &Registry) -> Operation {
        let absent = (0..CAS.len()).find(|number| !registry.configuration.cas.contains_key(&ca(*number)));
        // Without a CA little happens.
        if let Some(number) = absent
            && !self.one_in(3)
        {
            return Operation::Trust(number);
        }
        match self.below(6) {
            0 => Operation::EditTemplate { other: self.one_in(2) },
            1 => Operation::BindTemplate { bound: !self.one_in(3) },
            2 => Operation::SelfRegistration { on: !self.one_in(3) },
            3 => {
                let distrust = if self.one_in(2) { Distrust::No } else { Distrust::UnlessRenewed };
                Operation::DeleteCa(self.below(CAS.len()), distrust)
            }
            _ => Operation::ChangePolicy { deny: self.one_in(2) },
        }
    }

    fn cut(&mut self, sights: [Sight; 2]) -> Operation {
        let connector = self.below(2);
        match sights[connector] {
            Sight::Whole if self.one_in(2) => Operation::Cut(connector, Sight::Silent),
            Sight::Whole => Operation::Cut(connector, Sight::Broken),
            Sight::Silent | Sight::Broken => Operation::Cut(connector, Sight::Whole),
        }
    }
}

/// How many devices operators enter.
const ENTERED: usize = 3;

/// A device that operators enter.
pub(crate) fn entered(number: usize) -> DeviceId {
    DeviceId::parse(["dev-a", "dev-b", "dev-c"][number]).expect("an id")
}

/// The product of an edited template.
pub(crate) fn template_product(other: bool) -> rollcall_domain::ids::ProductId {
    if other { other_product() } else { product() }
}

/// Every id that a device of a history can have.
fn possible() -> impl Iterator<Item = DeviceId> {
    let names = CAS[0].leaves.iter().map(|leaf| &leaf.cn).collect::<BTreeSet<_>>().into_iter();
    let made = |name: &String| {
        [product(), other_product()].map(|product| DeviceId::parse(&format!("{product}_{name}")).expect("an id"))
    };
    (0..ENTERED).map(entered).chain(names.flat_map(made))
}

fn live(registry: &Registry) -> impl Iterator<Item = Device> {
    possible().filter_map(|device| match registry.entry(&device) {
        Some(DeviceEntry::Live(device)) => Some(device),
        Some(DeviceEntry::Deleted { .. }) | None => None,
    })
}

/// The certificates of the pool that a device has, with how it has them and whether they are active.
fn pins_of(device: &Device) -> impl Iterator<Item = (Typed, bool)> {
    let all = (0..CAS.len()).flat_map(|ca| (0..CAS[ca].leaves.len()).map(move |leaf| Certificate { ca, leaf }));
    let typed: Vec<Typed> = all.flat_map(|certificate| [certificate.sha1(), certificate.sha256()]).collect();
    device.credential.pins().filter_map(move |pin| {
        let typed = typed.iter().find(|typed| typed.fingerprint() == pin.fingerprint);
        typed.map(|typed| (*typed, pin.active))
    })
}

fn certificates_of(device: &Device) -> Vec<Certificate> {
    let certificate = |(typed, _)| match typed {
        Typed::Sha1(certificate) | Typed::Sha256(certificate) => certificate,
    };
    pins_of(device).map(certificate).collect()
}
