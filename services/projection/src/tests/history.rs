//! Random histories of one registry, from a seed: mostly sensible, some not.

use std::collections::BTreeSet;

use bytes::Bytes;
use rollcall_domain::{
    certificate::{CertificateFacts, path::ChainCertificate},
    ids::{CaId, DeviceId, Fingerprint, LogId, NodeId, PolicyId, ProductId, RequestId, SpaceId, TemplateId},
    registry::{
        Actor, Event, ProductDetails, Registry, RetirementReason, Slot,
        event::{CaCertificate, DeclaredCredential, DeviceProfile, PathProof, PresentedCertificate},
    },
    template::Tag,
    time::Timestamp,
};
use rollcall_log::codec::{AnyEvent, Record, encode_record};

use super::instance;

pub(super) struct History {
    pub(super) records: Vec<Record>,
}

/// xorshift64*: a history is a function of its seed.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(0x9E37_79B9_7F4A_7C15))
    }

    pub(super) fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
    }
}

const DEVICES: u64 = 12;
const FINGERPRINTS: u64 = 20;
const PRODUCTS: u64 = 3;
const SPACES: u64 = 2;
const CAS: u64 = 2;
pub(super) const NAMES_AND_KEYS: u64 = 3;

impl History {
    pub(super) fn random(seed: u64, records: usize) -> Self {
        let mut dice = Dice::of(seed);
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
            AnyEvent::Fleet(_) | AnyEvent::Log(_) => None,
        });
        events.chain((0..DEVICES).map(device)).collect()
    }

    pub(super) fn fingerprints(&self) -> Vec<Fingerprint> {
        (0..FINGERPRINTS).map(fingerprint).collect()
    }

    pub(super) fn spaces(&self) -> impl Iterator<Item = SpaceId> + use<> {
        (0..SPACES).map(space_id)
    }

    /// Instants between and after the ends of certificates.
    pub(super) fn ends(&self) -> impl Iterator<Item = Timestamp> + use<> {
        (0..=FINGERPRINTS).map(|n| Timestamp::from_unix_ms(not_after(n).unix_ms() - 1))
    }

    pub(super) fn products(&self) -> Vec<(SpaceId, ProductId)> {
        (0..SPACES).flat_map(|space| (0..PRODUCTS).map(move |n| (space_id(space), product(n)))).collect()
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
    match CertificateFacts::from_der(&der(n)) {
        Ok(facts) if n.is_multiple_of(5) => Fingerprint::Sha1(facts.sha1),
        Ok(_) | Err(_) => Fingerprint::Sha256([n as u8; 32]),
    }
}

pub(super) fn space_id(n: u64) -> SpaceId {
    SpaceId::parse(&format!("space-{n}")).unwrap()
}

pub(super) fn ca(n: u64) -> CaId {
    CaId::parse(&format!("ca-{n}")).unwrap()
}

pub(super) fn product(n: u64) -> ProductId {
    ProductId::parse(&format!("product-{n}")).unwrap()
}

fn space() -> Event {
    let default_policy = PolicyId::parse("default").unwrap();
    Event::SpaceCreated {
        space: space_id(0),
        name: "Space".into(),
        default_space: true,
        default_policy: Some(default_policy),
    }
}

fn profile(id: u64, product_number: u64) -> DeviceProfile {
    DeviceProfile {
        device: device(id),
        node_id: NodeId::parse(&format!("node-{}", id / 2)).unwrap(),
        space: space_id(u64::from(id % 4 == 3)),
        product: product(product_number),
        name: (!id.is_multiple_of(5)).then(|| format!("name {}", id / 3).into()),
        tags: tags(id),
        policies: Vec::new(),
    }
}

fn tags(n: u64) -> Vec<Tag> {
    let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
    match n % 4 {
        0 => Vec::new(),
        1 => vec![tag("site", "north")],
        2 => vec![tag("site", "north-east"), tag("stage", "north")],
        _ => vec![tag("site", "south"), tag("size", "9")],
    }
}

fn certificate(dice: &mut Dice) -> PresentedCertificate {
    let n = dice.roll(FINGERPRINTS);
    PresentedCertificate {
        sha256: [n as u8; 32],
        der: der(n).into(),
        not_before: Timestamp::from_unix_s(dice.roll(1000) as i64),
        ca: ca(n % CAS),
        proof: (dice.roll(2) == 0).then(|| proof(dice, n)),
    }
}

/// Some end before the records of a history, which are a millisecond apart, and some while they are written.
pub(super) fn not_after(n: u64) -> Timestamp {
    Timestamp::from_unix_ms(1_700_000_000_000 + n as i64 * 40 - 200)
}

/// A device registers itself, with a certificate that ends at [`not_after`] of `end`.
pub(super) fn registered(n: u64, end: u64) -> Event {
    let mut dice = Dice::of(n);
    let certificate = PresentedCertificate { proof: Some(proof(&mut dice, end)), ..certificate(&mut dice) };
    Event::DeviceRegistered {
        profile: DeviceProfile { device: device(n), ..profile(0, 0) },
        certificate,
        template: TemplateId::parse("template").unwrap(),
        template_version: 1,
    }
}

/// By one CA, or by one below another.
fn proof(dice: &mut Dice, n: u64) -> PathProof {
    let at = Timestamp::from_unix_s(0);
    let above = |n| ChainCertificate { name_and_key_sha256: name_and_key(n), not_before: at, not_after: at };
    let chain: Vec<_> = (0..1 + dice.roll(2)).map(|_| above(dice.roll(NAMES_AND_KEYS))).collect();
    let ca_name_and_key_sha256 = chain.last().unwrap().name_and_key_sha256;
    PathProof { not_after: not_after(n), ca_name_and_key_sha256, chain, prover: 1 }
}

pub(super) fn name_and_key(n: u64) -> [u8; 32] {
    [0xc0 + n as u8; 32]
}

/// Ids of CA certificates are used again for whichever CA comes.
fn uploaded(dice: &mut Dice) -> Event {
    let at = Timestamp::from_unix_s(0);
    let certificate = CaCertificate {
        der: [][..].into(),
        cn_name: "CA".into(),
        sha256: [dice.roll(4) as u8; 32],
        name_and_key_sha256: name_and_key(dice.roll(NAMES_AND_KEYS)),
        not_before: at,
        not_after: at,
    };
    let (ca, space) = (ca(dice.roll(CAS)), space_id(0));
    Event::CaUploaded { ca, space, certificate, code: "code".into(), code_expires_at: at }
}

/// An X.509 v1 certificate that can be read and proves nothing; one in four cannot be read either.
fn der(n: u64) -> Vec<u8> {
    if n % 4 == 3 {
        return vec![n as u8; 40];
    }
    let sequence = |parts: &[&[u8]]| tlv(0x30, &parts.concat());
    let algorithm = sequence(&[&[0x06, 0x03, 0x2b, 0x65, 0x70]]);
    let name = |cn: &str| {
        let attribute = sequence(&[&[0x06, 0x03, 0x55, 0x04, 0x03], &tlv(0x0c, cn.as_bytes())]);
        sequence(&[&tlv(0x31, &attribute)])
    };
    let validity = sequence(&[&tlv(0x17, b"260101000000Z"), &tlv(0x17, format!("3{}0101000000Z", n % 10).as_bytes())]);
    let public_key = sequence(&[&algorithm, &tlv(0x03, &[0; 33])]);
    let subject = name(&format!("cn-{}-{n}", n % 3));
    let signed = sequence(&[&[0x02, 0x01, n as u8], &algorithm, &name("ca"), &validity, &subject, &public_key]);
    sequence(&[&signed, &algorithm, &tlv(0x03, &[0; 65])])
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len() as u8;
    let head = if length < 0x80 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [head, content.to_vec()].concat()
}

fn event(dice: &mut Dice) -> Event {
    let id = device(dice.roll(DEVICES));
    let number = dice.roll(DEVICES);
    let product_number = dice.roll(PRODUCTS);
    let pin = |dice: &mut Dice| (dice.roll(3) > 0).then(|| fingerprint(dice.roll(FINGERPRINTS)));
    match dice.roll(27) {
        0 => Event::ProductCreated {
            space: space_id(0),
            product: product(product_number),
            details: ProductDetails::default(),
        },
        1 => Event::ProductDeleted { space: space_id(0), product: product(product_number) },
        2..=5 => Event::DevicePreRegistered {
            profile: profile(number, product_number),
            credential: DeclaredCredential::Certificates { primary: pin(dice), secondary: pin(dice) },
            description: None,
            extension_info: None,
        },
        6 => Event::DevicePreRegistered {
            profile: profile(number, product_number),
            credential: DeclaredCredential::Secret,
            description: None,
            extension_info: None,
        },
        7 | 8 => Event::DeviceRegistered {
            profile: profile(number, product_number),
            certificate: certificate(dice),
            template: TemplateId::parse("template").unwrap(),
            template_version: 1,
        },
        9 => Event::DeviceCertificatePinned { device: id, certificate: certificate(dice) },
        10 | 11 => Event::DeviceCertificateReplaced { device: id, certificate: certificate(dice) },
        12 => Event::DeviceFrozen { device: id },
        13 => Event::DeviceUnfrozen { device: id },
        14 => {
            let slot = if dice.roll(2) == 0 { Slot::Primary } else { Slot::Secondary };
            Event::DeviceFingerprintReset { device: id, slot, fingerprint: pin(dice) }
        }
        15 => {
            let name = (dice.roll(4) > 0).then(|| format!("name {}", dice.roll(5)).into());
            Event::DeviceUpdated { device: id, name, description: None, extension_info: None }
        }
        16 => Event::DeviceTagsChanged { device: id, tags: tags(number) },
        17 => {
            let fingerprint = fingerprint(dice.roll(FINGERPRINTS));
            Event::DeviceCertificateSwitched { device: id, fingerprint, active: dice.roll(2) == 0 }
        }
        18 => Event::DeviceDeleted { device: id },
        24 => Event::CertificateRetired {
            fingerprint: fingerprint(dice.roll(FINGERPRINTS)),
            device: id,
            reason: RetirementReason::CertificateDeleted,
            not_after: (dice.roll(2) == 0).then(|| not_after(dice.roll(FINGERPRINTS))),
        },
        25 => {
            let fingerprint = fingerprint(dice.roll(FINGERPRINTS));
            Event::CertificateReadmitted { fingerprint, device: (dice.roll(2) == 0).then_some(id) }
        }
        26 => {
            let many = (0..1 + dice.roll(4)).map(|_| fingerprint(dice.roll(FINGERPRINTS)));
            Event::RetiredForgotten { fingerprints: many.collect() }
        }
        20 | 21 => uploaded(dice),
        22 => Event::CaVerified { ca: ca(dice.roll(CAS)) },
        23 => Event::CaDeleted { ca: ca(dice.roll(CAS)), distrust: dice.roll(2) == 0 },
        _ => Event::DeviceReadmitted { device: id },
    }
}
