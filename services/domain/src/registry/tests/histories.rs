//! Random histories: what connectors, devices and operators do in any order leaves the registry whole.
//!
//! Every request goes through `decide`, every event through `evolve`; connections take the connector's own way
//! (authenticate, ask the registrar, authenticate again). proptest prints the seed of a failure and keeps it under `proptest-regressions`.

mod steps;

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use self::steps::{CAS, DEVICES, PRODUCTS, SPACES, Step, TEMPLATES, create_space, draft, step};
use super::{
    retired::Full,
    world::{Leaf, World, any, authorities, details, id, standard, word},
};
use crate::{
    authenticate::{Absent, Verdict, absent},
    certificate::{
        authority,
        path::{ChainCertificate, Proven},
    },
    ids::{DeviceId, Fingerprint, PolicyId, SpaceId},
    limits,
    refusal::Refusal,
    registry::{
        Actor, CaStatus, Command, Decision, DeviceEntry, Devices, Event, PinKey, Registry, Request, RequestBody, Slot,
        command::TemplateChange,
        event::{DeclaredCredential, PolicyTarget},
    },
    time::Timestamp,
};

struct Stage {
    world: World,
    leaves: Vec<Leaf>,
    sessions: Vec<Session>,
    /// Leaves that a CA had proven for a device, which were taken away from it and not let back in since.
    taken_away: HashSet<usize>,
}

#[derive(Clone)]
struct Session {
    leaf: usize,
    path: Proven,
    connect: (String, Option<String>),
    device: String,
    registered_at: Timestamp,
}

fn leaves() -> Vec<Leaf> {
    use rcgen::DnType::CommonName;
    let [acme, globex, line] = authorities();
    let of_line = line.issue(&[(CommonName, "a")], (2027, 1));
    vec![
        acme.issue(&[(CommonName, "a")], (2025, 1)),
        acme.issue(&[(CommonName, "a")], (2026, 1)),
        acme.issue(&[(CommonName, "b")], (2025, 1)),
        globex.issue(&[(CommonName, "a")], (2026, 1)),
        of_line.clone(),
        // The same certificate by another path, to a CA that may be another space's.
        Leaf { above: vec![globex.signs(line)], ..of_line },
    ]
}

impl Stage {
    fn new() -> Self {
        let mut world = World::empty();
        for space in SPACES {
            world.grant(create_space(space));
            for product in PRODUCTS {
                world.grant(Command::CreateProduct { space: id(space), product: id(product), details: details() });
            }
        }
        Self { world, leaves: leaves(), sessions: Vec::new(), taken_away: HashSet::new() }
    }

    /// Templates there, two CAs verified, self-registration on: where most of the traffic is.
    fn in_business() -> Self {
        let mut stage = Self::new();
        for (n, template) in TEMPLATES.into_iter().enumerate() {
            let (template, name) = (id(template), template.into());
            stage.world.grant(Command::CreateTemplate { template, name, description: "".into(), body: draft(n) });
        }
        for (ca, template) in [(0, "t2"), (3, "t0")] {
            let (ca, space, certificate) = CAS[ca];
            stage.world.verified_ca(ca, space, &authorities()[certificate / 2]);
            stage.world.configure(ca, TemplateChange::Bind(id(template)), Some(true));
        }
        stage
    }

    fn take(&mut self, step: &Step) {
        let (events, sessions) = (self.world.history.len(), self.sessions.clone());
        let before = self.world.registry.clone();
        match step {
            Step::Command(command) => self.command(self.resolve(command.clone())),
            Step::Prove(ca) => self.prove(*ca),
            Step::Connect(leaf, named) => self.connect(*leaf, *named),
            Step::Event(leaf, named) => {
                let (leaf, claimed) = (self.leaves[*leaf].clone(), named.map(|device| id(DEVICES[device])));
                let body = RequestBody::CertificateConnect { chain: leaf.chain(), claimed: claimed.clone() };
                self.check_bound(Actor::Certificate(leaf.facts.sha256), body);
                self.world.connect_as(&leaf, claimed);
            }
            Step::Wait(hours) => self.world.now = self.world.now.plus_s(hours * 3600),
        }
        whole(&self.world.registry);
        self.check_policies();
        let happened = self.world.history[events..].to_vec();
        happened.iter().for_each(|event| self.note_taken_away(&before, event));
        happened.iter().for_each(|event| self.check_replacement(&before, event));
        for session in sessions {
            self.check_session(&session, &happened);
        }
        let world = &self.world;
        self.sessions.retain(|session| lost(world, &self.leaves, session).is_none());
    }

    /// Said again in other words, and only of what was proven: what takes a certificate away, and what operators do to have it
    /// back. A typed fingerprint counts however it is given.
    fn note_taken_away(&mut self, before: &Registry, event: &Event) {
        let proven_of = |device: &DeviceId| match before.devices.get(device) {
            Some(DeviceEntry::Live(device)) => device.credential.pins().filter(|pin| pin.is_proven()).cloned().collect(),
            Some(DeviceEntry::Deleted { .. }) | None => Vec::new(),
        };
        let leaf_of = |fingerprint: &Fingerprint| {
            self.leaves.iter().position(|leaf| [leaf.sha256(), leaf.sha1()].contains(fingerprint))
        };
        // By its other digest, an operator may have typed it for the same device.
        let has_still = |device: &DeviceId, leaf: usize| match self.world.registry.devices.get(device) {
            Some(DeviceEntry::Live(device)) => {
                device.credential.pins().any(|pin| pin.fingerprint == self.leaves[leaf].sha1())
            }
            Some(DeviceEntry::Deleted { .. }) | None => false,
        };
        let mut back: Vec<Fingerprint> = Vec::new();
        match event {
            Event::DeviceDeleted { device }
            | Event::DeviceCertificateReplaced { device, .. }
            | Event::DeviceFingerprintReset { device, slot: Slot::Primary, fingerprint: Some(_) } => {
                let taken = proven_of(device).into_iter().filter_map(|pin| leaf_of(&pin.fingerprint));
                let taken: Vec<usize> = taken.filter(|leaf| !has_still(device, *leaf)).collect();
                self.taken_away.extend(taken);
            }
            Event::CertificateRetired { device, fingerprint, .. } => {
                let proven = proven_of(device).iter().any(|pin| pin.fingerprint == *fingerprint);
                let taken = leaf_of(fingerprint).filter(|_| proven);
                assert!(taken.is_none_or(|leaf| !has_still(device, leaf)), "f39: taken away by one digest alone");
                self.taken_away.extend(taken);
            }
            Event::DeviceReadmitted { device } => {
                if let Some(DeviceEntry::Deleted { certificates, .. }) = before.devices.get(device) {
                    back.extend(certificates.iter().map(|key| key.fingerprint));
                }
            }
            Event::DevicePreRegistered { credential: DeclaredCredential::Certificates { primary, secondary }, .. } => {
                back.extend(primary.iter().chain(secondary))
            }
            Event::CertificateReadmitted { fingerprint, .. } => back.push(*fingerprint),
            _ => {}
        }
        if let Event::DeviceFingerprintReset { fingerprint: Some(fingerprint), .. } = event {
            back.push(*fingerprint);
        }
        let back: Vec<usize> = back.iter().filter_map(leaf_of).collect();
        back.iter().for_each(|leaf| _ = self.taken_away.remove(leaf));
    }

    /// Said again from the history: what a device was bound to is a policy and not its id, nor what had the device's id before.
    fn check_policies(&self) {
        let (mut made, mut ids, mut bound) = (0, HashMap::<&PolicyId, usize>::new(), HashSet::new());
        let mut of_space: HashMap<&SpaceId, Vec<&PolicyId>> = HashMap::new();
        for event in &self.world.history {
            match event {
                Event::SpaceCreated { space, default_policy: Some(policy), .. }
                | Event::PolicyCreated { policy, space, .. } => {
                    made += 1;
                    ids.insert(policy, made);
                    of_space.entry(space).or_default().push(policy);
                }
                Event::PolicyDeleted { policy } => _ = ids.remove(policy),
                Event::SpaceDeleted { space } => {
                    of_space.remove(space).into_iter().flatten().for_each(|policy| _ = ids.remove(policy));
                }
                Event::PolicyBound { policy, target: PolicyTarget::Device(device) } => {
                    bound.extend(ids.get(policy).map(|made| (device, *made)));
                }
                Event::PolicyUnbound { policy, target: PolicyTarget::Device(device) } => {
                    bound.retain(|of| ids.get(policy) != Some(&of.1) || of.0 != device);
                }
                Event::DeviceDeleted { device } => bound.retain(|(of, _)| *of != device),
                _ => {}
            }
        }
        let configuration = &self.world.registry.configuration;
        for (id, entry) in &self.world.registry.devices {
            let DeviceEntry::Live(device) = entry else { continue };
            let product = &configuration.products[&(device.space.clone(), device.product.clone())];
            let of_all = product.policies.iter().chain(&configuration.spaces[&device.space].policies);
            let of_all: HashSet<&PolicyId> = of_all.collect();
            let own = configuration.policies_of(device).map(|policy| &policy.id).filter(|policy| !of_all.contains(policy));
            let own: HashSet<usize> = own.map(|policy| ids[policy]).collect();
            let is_own = |made: &usize| ids.iter().any(|(policy, of)| of == made && !of_all.contains(policy));
            let expected = bound.iter().filter(|(of, _)| *of == id).map(|(_, made)| *made);
            let expected: HashSet<usize> = expected.filter(is_own).collect();
            assert_eq!(own, expected, "f40: the policies that {id} was given itself");
        }
    }

    /// Granted once, a command is not granted again: asked twice, it happens once (f13).
    fn command(&mut self, command: Command) {
        self.check_bound(Actor::Operator("olga".into()), RequestBody::Command(command.clone()));
        let outcome = self.world.command(command.clone());
        let repeatable = matches!(command, Command::IssueCaCode { .. });
        if matches!(outcome, Ok(Decision::Record(_))) && !repeatable {
            let body = RequestBody::Command(command.clone());
            let request = Request { id: id("again"), actor: Actor::Operator("olga".into()), body };
            let again = self.world.decide(&request).outcome;
            assert!(!matches!(again, Ok(Decision::Record(_))), "{command:?} asked again is {}", word(&again));
        }
    }

    /// Where no more may be retired, nothing is granted that leads to more: neither retired nor still to be.
    fn check_bound(&self, actor: Actor, body: RequestBody) {
        let before = &self.world.registry;
        let request = Request { id: id("at-the-bound"), actor, body };
        let Ok(Decision::Record(event)) = self.world.decide_on(&Full(before), &request).outcome else { return };
        let mut after = before.clone();
        after.evolve(&event, self.world.now);
        let (had, has) = (to_be_remembered(before), to_be_remembered(&after));
        assert!(has <= had, "{had} certificates are retired or pinned, and {has} after {event:?}");
    }

    fn prove(&mut self, ca: usize) {
        let ca = id(CAS[ca].0);
        let Some(entry) = self.world.registry.configuration.cas.get(&ca) else { return };
        let CaStatus::AwaitingProof { code, .. } = &entry.status else { return };
        let holder = authorities().iter().find(|holder| holder.name_and_key_sha256() == entry.name_and_key_sha256).unwrap();
        let proof = holder.device(code).der;
        let _ = self.world.command(Command::VerifyCa { ca, proof });
    }

    /// The connector's way: prove, authenticate, ask if there is something to ask, authenticate again.
    fn connect(&mut self, leaf: usize, named: Option<usize>) {
        let certificate = self.leaves[leaf].clone();
        let trust = self.world.registry.configuration.trust_store();
        let chain = certificate.chain();
        let chain: Vec<&[u8]> = chain.iter().map(|der| &**der).collect();
        let Ok(proven) = trust.prove(&chain, self.world.now) else { return };
        let connect = named.map_or_else(any, |device| standard(DEVICES[device]));
        let mut verdict = self.world.authenticate_by(&certificate, &proven, &connect);
        if let Verdict::Register { derived, claimed } = verdict {
            let granted = self.world.connect_as(&certificate, claimed).outcome.is_ok();
            verdict = self.world.authenticate_by(&certificate, &proven, &connect);
            if granted {
                let Verdict::Accept(recognised) = &verdict else { panic!("granted, and then {verdict:?}") };
                assert_eq!(recognised.device, derived, "the registrar makes the device that the edge foresaw");
            }
        }
        if let Verdict::Accept(recognised) = verdict {
            let same = |other: &Leaf| other.facts.sha256 == certificate.facts.sha256;
            let is_taken = self.leaves.iter().position(same).is_some_and(|first| self.taken_away.contains(&first));
            assert!(!is_taken, "f39: leaf {leaf} was taken away, and is let in as {recognised:?}");
            self.check_right(&certificate, &proven, &recognised.device);
            let trusted = |above: &ChainCertificate| !self.distrusted().contains(&above.name_and_key_sha256);
            assert!(proven.chain.iter().all(trusted), "f41: a path through a distrusted CA");
            let Some(DeviceEntry::Live(device)) = self.world.registry.entry(&recognised.device) else {
                panic!("{recognised:?} is not live")
            };
            let (device, registered_at) = (device.id.to_string(), device.registered_at);
            self.sessions.push(Session { leaf, path: proven, connect, device, registered_at });
        }
    }

    /// The CAs that a deletion with distrust was the last word on, read from the history again.
    fn distrusted(&self) -> HashSet<[u8; 32]> {
        let (mut uploaded, mut distrusted, mut spaces) = (HashMap::new(), HashMap::new(), HashSet::new());
        for event in &self.world.history {
            match event {
                Event::SpaceCreated { space, .. } => _ = spaces.insert(space),
                Event::SpaceDeleted { space } => _ = spaces.remove(space),
                Event::CaUploaded { ca, space, certificate, .. } => {
                    uploaded.insert(ca, (space, certificate.name_and_key_sha256));
                }
                Event::CaVerified { ca } => {
                    let (space, name_and_key) = uploaded[ca];
                    if distrusted.get(&name_and_key).is_some_and(|by| *by == space || !spaces.contains(by)) {
                        distrusted.remove(&name_and_key);
                    }
                }
                Event::CaDeleted { ca, distrust: true } => {
                    let (space, name_and_key) = uploaded[ca];
                    distrusted.insert(name_and_key, space);
                }
                _ => {}
            }
        }
        distrusted.into_keys().collect()
    }

    /// Said again in other words: who is let in is live, not frozen, has this certificate active, alone, and in one space.
    fn check_right(&self, leaf: &Leaf, path: &Proven, device: &DeviceId) {
        let registry = &self.world.registry;
        let ca = &registry.configuration.cas[&path.ca];
        assert!(ca.is_verified() && ca.is_valid_at(self.world.now));
        let Some(DeviceEntry::Live(found)) = registry.entry(device) else { panic!("{device} is not live") };
        assert!(!found.frozen && found.space == ca.space);
        let own: Vec<_> =
            found.credential.pins().filter(|pin| [leaf.sha256(), leaf.sha1()].contains(&pin.fingerprint)).collect();
        assert!(!own.is_empty() && own.iter().all(|pin| pin.active));
        assert!(registry.holder(&PinKey::proven(leaf.sha256())).is_none_or(|holder| holder == *device));
    }

    /// Who holds the key of the new certificate's issuer held that of the old one's, whatever the ids of CA certificates say.
    fn check_replacement(&self, before: &Registry, event: &Event) {
        let Event::DeviceCertificateReplaced { device, certificate } = event else { return };
        let issuer = |sha256: &[u8; 32]| {
            let leaf = self.leaves.iter().find(|leaf| leaf.facts.sha256 == *sha256).unwrap();
            authorities().iter().position(|authority| authority::signed(&authority.der, &leaf.der))
        };
        let Some(DeviceEntry::Live(device)) = before.entry(device) else { panic!("{device} was not live") };
        let Some(Fingerprint::Sha256(old)) = device.credential.pins().next().map(|pin| pin.fingerprint) else {
            panic!("a typed SHA-1 was replaced")
        };
        assert_eq!(issuer(&old), issuer(&certificate.sha256), "f40: another CA's certificate replaced a pin");
    }

    /// A session that lost its right is among those that the events affect; one that keeps it would be let in again.
    fn check_session(&self, session: &Session, happened: &[Event]) {
        let leaf = &self.leaves[session.leaf];
        let lost = lost(&self.world, &self.leaves, session);
        let verdict = self.world.authenticate_by(leaf, &session.path, &session.connect);
        let accepted = matches!(&verdict, Verdict::Accept(recognised) if recognised.device.as_str() == session.device);
        assert_eq!(lost.is_none(), accepted, "lost_right and authenticate agree: {lost:?}, {verdict:?}");
        let device = id(&session.device);
        self.check_absent(session, &device, lost.is_none());
        let affected = happened.iter().any(|event| event.affected_sessions().contains(&device, &leaf.facts.sha256));
        assert!(lost.is_none() || affected || happened.is_empty(), "{lost:?} came of {happened:?} unannounced");
    }

    /// What is asked of a device that has gone is what is asked of its session, but for the template.
    fn check_absent(&self, session: &Session, device: &DeviceId, keeps: bool) {
        let leaf = &self.leaves[session.leaf].facts;
        let above: Vec<_> = session.path.chain.iter().map(|above| above.name_and_key_sha256).collect();
        let asked = Absent {
            device,
            registered_at: session.registered_at,
            sha256: leaf.sha256,
            sha1: leaf.sha1,
            not_after: leaf.not_after,
            ca_sha256: session.path.ca_sha256,
            above: &above,
        };
        let right = absent(&self.world.registry.configuration, &self.world.registry, &asked, self.world.now);
        let by_template = session.connect.1.is_none();
        let agree = if by_template { right.is_ok() || !keeps } else { right.is_ok() == keeps };
        // The same id may be another device's, at once and with the same certificate: its session is none the worse.
        let another = matches!(right, Err(Refusal::DeviceDeleted)) && keeps;
        assert!(agree || another, "{device} keeps its right: {keeps}; absent: {right:?}");
    }

    /// Fingerprints in commands stand for those of the leaves: 0 to 4 their SHA-256, 5 to 9 their SHA-1.
    fn resolve(&self, mut command: Command) -> Command {
        let real = |fingerprint: &mut Fingerprint| {
            let n = usize::from(fingerprint.as_bytes()[0]);
            let leaf = &self.leaves[n % 5];
            *fingerprint = if n < 5 { leaf.sha256() } else { leaf.sha1() };
        };
        match &mut command {
            Command::PreRegisterDevice { credential: DeclaredCredential::Certificates { primary, secondary }, .. } => {
                [primary, secondary].into_iter().flatten().for_each(real);
            }
            Command::ResetFingerprint { fingerprint: Some(fingerprint), .. }
            | Command::SwitchCertificate { fingerprint, .. }
            | Command::DeleteCertificate { fingerprint, .. }
            | Command::ReadmitCertificate { fingerprint, .. } => real(fingerprint),
            _ => {}
        }
        command
    }
}

fn lost(world: &World, leaves: &[Leaf], session: &Session) -> Option<Refusal> {
    world.lost_right_by(&leaves[session.leaf], &session.path, &session.connect, &session.device)
}

/// Certificates that are retired, or will be if all that devices have is taken away from them.
fn to_be_remembered(registry: &Registry) -> u64 {
    let live = registry.devices.values().filter_map(|entry| match entry {
        DeviceEntry::Live(device) => Some(device.credential.pins().count() as u64),
        DeviceEntry::Deleted { .. } => None,
    });
    registry.retired_count() + live.sum::<u64>()
}

/// What is true of every registry that only decisions have made.
fn whole(registry: &Registry) {
    let configuration = &registry.configuration;
    let mut holders: HashMap<PinKey, DeviceId> = HashMap::new();
    let mut live = 0;
    for (id, entry) in &registry.devices {
        let DeviceEntry::Live(device) = entry else { continue };
        live += 1;
        let product = (device.space.clone(), device.product.clone());
        assert!(configuration.products.contains_key(&product), "{id} has a product in its space");
        for (key, _) in device.pin_keys() {
            assert_eq!(registry.retired(&key), None, "what {id} has is not retired");
            let other = holders.insert(key, id.clone());
            assert_eq!(other, None, "f33: one certificate, one device");
        }
    }
    assert_eq!(registry.count(), live);
    assert_eq!(registry.holders, holders, "the index is what the devices say");
    assert!(configuration.templates.len() <= limits::TEMPLATES_PER_INSTANCE_MAX);
    for ca in configuration.cas.values() {
        assert!(!ca.self_registration || (ca.is_verified() && ca.template.is_some()));
        assert!(ca.template.iter().all(|template| configuration.templates.contains_key(template)));
        let twins = configuration.cas.values().filter(|other| other.name_and_key_sha256 == ca.name_and_key_sha256);
        let elsewhere = twins.filter(|other| other.is_verified() && other.space != ca.space).count();
        assert!(!ca.is_verified() || elsewhere == 0, "f18: one CA is verified in one space");
        let distrusted = configuration.is_distrusted(&ca.name_and_key_sha256);
        assert!(!ca.is_verified() || !distrusted, "a distrusted CA has no verified certificate");
    }
    let spaces = configuration.spaces.values().map(|space| (&space.id, &space.policies));
    let products = configuration.products.values().map(|product| (&product.space, &product.policies));
    for (space, bound) in spaces.chain(products) {
        assert!(bound.len() <= limits::POLICIES_PER_TARGET_MAX);
        assert!(bound.iter().all(|policy| configuration.policies[policy].space == *space), "bound within one space");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_registry_is_whole(
        in_business in proptest::bool::weighted(0.8),
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut stage = if in_business { Stage::in_business() } else { Stage::new() };
        let start = stage.world.registry.clone();
        let begun = stage.world.history.len();
        let mut times = Vec::new();
        for step in &steps {
            let before = stage.world.history.len();
            stage.take(step);
            times.resize(times.len() + stage.world.history.len() - before, stage.world.now);
        }
        let mut replayed = start;
        for (event, at) in stage.world.history[begun..].iter().zip(times) {
            replayed.evolve(event, at);
        }
        prop_assert_eq!(&replayed, &stage.world.registry, "a replay gives what was live");
    }
}
