//! Random histories of one registry, from a seed: mostly sensible, some not.

use std::collections::BTreeSet;

use bytes::Bytes;
use rollcall_backbone::codec::{AnyEvent, Record, encode_record};
use rollcall_domain::{
    ids::{CaId, DeviceId, Fingerprint, LogId, NodeId, PolicyId, ProductId, RequestId, SpaceId},
    registry::{
        Actor, Event, ProductDetails, Registry, Slot,
        event::{DeclaredCredential, DeviceProfile, PresentedCertificate},
    },
    template::Tag,
    time::Timestamp,
};

use super::instance;

/// See the file.
pub(super) struct History {
    pub(super) records: Vec<Record>,
}

/// xorshift64*: a history is a function of its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
    }
}

const DEVICES: u64 = 12;
const FINGERPRINTS: u64 = 20;
const PRODUCTS: u64 = 3;

impl History {
    pub(super) fn random(seed: u64, records: usize) -> Self {
        let mut dice = Dice(seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15));
        let events = (0..records).map(|n| if n == 0 { space() } else { event(&mut dice) });
        Self { records: events.enumerate().map(|(n, event)| record(n, event)).collect() }
    }

    /// So many devices, each registered once.
    pub(super) fn devices(count: usize) -> Self {
        let events = std::iter::once(space()).chain((0..count).map(|n| {
            let mut profile = profile(0, 0);
            profile.device = DeviceId::parse(&format!("device-{n}")).unwrap();
            let mut sha256 = [7; 32];
            sha256[..8].copy_from_slice(&(n as u64).to_be_bytes());
            let credential =
                DeclaredCredential::Certificates { primary: Some(Fingerprint::Sha256(sha256)), secondary: None };
            Event::DevicePreRegistered { profile, credential, description: None, extension_info: None }
        }));
        Self { records: events.enumerate().map(|(n, event)| record(n, event)).collect() }
    }

    pub(super) fn encoded(&self) -> Vec<Bytes> {
        self.records.iter().map(encode_record).collect()
    }

    pub(super) fn folded(&self, records: usize) -> Registry {
        let mut registry = Registry::default();
        for record in self.records.iter().take(records) {
            let AnyEvent::Registry(event) = &record.event else { panic!("only registry events here") };
            registry.evolve(event, record.time);
        }
        registry
    }

    pub(super) fn device_ids(&self) -> BTreeSet<DeviceId> {
        let events = self.records.iter().filter_map(|record| match &record.event {
            AnyEvent::Registry(event) => event.device().cloned(),
            AnyEvent::Fleet(_) => None,
        });
        events.chain((0..DEVICES).map(device)).collect()
    }

    pub(super) fn fingerprints(&self) -> Vec<Fingerprint> {
        (0..FINGERPRINTS).map(fingerprint).collect()
    }

    pub(super) fn products(&self) -> Vec<(SpaceId, ProductId)> {
        (0..PRODUCTS).map(|n| (space_id(), product(n))).collect()
    }
}

pub(super) fn record(n: usize, event: Event) -> Record {
    Record {
        id: uuid::Uuid::from_u128(n as u128 + 1),
        log: LogId::Instance(instance()),
        time: Timestamp::from_unix_ms(1_700_000_000_000 + n as i64),
        cause: request(n),
        actor: Actor::Operator("test".into()),
        traceparent: None,
        event: AnyEvent::Registry(event),
    }
}

pub(super) fn request(n: usize) -> RequestId {
    RequestId::parse(&format!("request-{n}")).unwrap()
}

pub(super) fn device(n: u64) -> DeviceId {
    DeviceId::parse(&format!("device-{n}")).unwrap()
}

pub(super) fn fingerprint(n: u64) -> Fingerprint {
    if n.is_multiple_of(5) { Fingerprint::Sha1([n as u8; 20]) } else { Fingerprint::Sha256([n as u8; 32]) }
}

fn space_id() -> SpaceId {
    SpaceId::parse("space").unwrap()
}

fn product(n: u64) -> ProductId {
    ProductId::parse(&format!("product-{n}")).unwrap()
}

fn space() -> Event {
    let default_policy = PolicyId::parse("default").unwrap();
    Event::SpaceCreated { space: space_id(), name: "Space".into(), default_space: true, default_policy }
}

fn profile(id: u64, product_number: u64) -> DeviceProfile {
    DeviceProfile {
        device: device(id),
        node_id: NodeId::parse(&format!("node-{id}")).unwrap(),
        space: space_id(),
        product: product(product_number),
        name: Some("name".into()),
        tags: vec![Tag { key: "site".into(), value: "north".into() }],
        policies: Vec::new(),
    }
}

fn certificate(dice: &mut Dice) -> PresentedCertificate {
    let n = dice.roll(FINGERPRINTS) as u8;
    PresentedCertificate {
        sha256: [n; 32],
        der: vec![n; 40].into(),
        not_before: Timestamp::from_unix_s(dice.roll(1000) as i64),
        ca: CaId::parse("ca").unwrap(),
    }
}

fn event(dice: &mut Dice) -> Event {
    let id = device(dice.roll(DEVICES));
    let number = dice.roll(DEVICES);
    let product_number = dice.roll(PRODUCTS);
    let pin = |dice: &mut Dice| (dice.roll(3) > 0).then(|| fingerprint(dice.roll(FINGERPRINTS)));
    match dice.roll(16) {
        0 => {
            Event::ProductCreated { space: space_id(), product: product(product_number), details: ProductDetails::default() }
        }
        1 => Event::ProductDeleted { space: space_id(), product: product(product_number) },
        2..=6 => Event::DevicePreRegistered {
            profile: profile(number, product_number),
            credential: DeclaredCredential::Certificates { primary: pin(dice), secondary: pin(dice) },
            description: None,
            extension_info: None,
        },
        7 => Event::DevicePreRegistered {
            profile: profile(number, product_number),
            credential: DeclaredCredential::Secret,
            description: None,
            extension_info: None,
        },
        8 => Event::DeviceCertificatePinned { device: id, certificate: certificate(dice) },
        9 => Event::DeviceCertificateReplaced { device: id, certificate: certificate(dice) },
        10 => Event::DeviceFrozen { device: id },
        11 => Event::DeviceUnfrozen { device: id },
        12 => Event::DeviceFingerprintReset { device: id, slot: Slot::Primary, fingerprint: pin(dice) },
        13 | 14 => Event::DeviceDeleted { device: id },
        _ => Event::DeviceReadmitted { device: id },
    }
}
