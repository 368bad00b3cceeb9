//! Certificates that were taken away from their device, and what operators of one resource space can do to another's.

use super::world::{Leaf, NOW, World, any, authorities, cn_template, id, pinned, profile, replacing, standard, word};
use crate::{
    authenticate::Verdict,
    ids::{DeviceId, Fingerprint},
    limits,
    refusal::Refusal,
    registry::{
        Actor, AffectedSessions, Command, Decision, DeviceEntry, Devices, Event, PinKey, Registry, Request, RequestBody,
        Retired, RetirementReason, Slot, command::TemplateChange, forget_retired,
    },
    rejection::Rejection,
    time::Timestamp,
};

const DEVICE: &str = "meter_dev1";

/// A device that registered itself.
fn registered() -> (World, Leaf) {
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    let leaf = authorities()[0].device("dev1");
    assert_eq!(word(&world.connect(&leaf).outcome), "granted");
    (world, leaf)
}

fn enter(device: &str, space: &str, fingerprint: Option<Fingerprint>) -> Command {
    let (profile, credential) = (profile(device, space, "meter"), pinned(fingerprint, None));
    Command::PreRegisterDevice { profile, credential, description: None, extension_info: None }
}

fn refused(world: &World, leaf: &Leaf, connect: &(String, Option<String>)) -> Option<Refusal> {
    match world.authenticate(leaf, "acme-ca", connect) {
        Verdict::Refuse(refusal) => Some(refusal),
        Verdict::Accept(_) | Verdict::Register { .. } => None,
    }
}

/// At the edge and by the registrar, however it connects: as the device, as any other, by the template.
fn barred(world: &World, leaf: &Leaf) {
    for connect in [any(), standard(DEVICE), standard("waiting"), standard("lamp_dev1")] {
        assert_eq!(refused(world, leaf, &connect), Some(Refusal::CertificateRetired), "as {connect:?}");
    }
    for claimed in [None, Some(id(DEVICE)), Some(id("waiting"))] {
        assert_eq!(word(&world.clone().connect_as(leaf, claimed).outcome), "certificate_retired");
    }
}

fn let_in(world: &mut World, leaf: &Leaf) {
    assert!(world.connect(leaf).outcome.is_ok());
    assert!(matches!(world.authenticate(leaf, "acme-ca", &any()), Verdict::Accept(_)));
}

fn retired(world: &World, fingerprint: Fingerprint) -> Option<Retired> {
    world.registry.retired(&PinKey::proven(fingerprint))
}

#[test]
fn f39_a_deleted_devices_certificate_stays_out_under_any_id_template_and_pre_registration() {
    let (mut world, leaf) = registered();
    world.grant(Command::DeleteDevice { device: id(DEVICE) });
    barred(&world, &leaf);
    world.pre_register("waiting", "acme", "meter", pinned(None, None));
    barred(&world, &leaf);
    world.grant(Command::UpdateTemplate { template: id("t"), description: None, body: Some(cn_template("lamp")) });
    barred(&world, &leaf);
    world.configure("acme-ca", TemplateChange::Unbind, Some(false));
    barred(&world, &leaf);
    let remembered = retired(&world, leaf.sha256()).unwrap();
    assert_eq!((remembered.device.as_str(), remembered.reason), (DEVICE, RetirementReason::DeviceDeleted));
    assert_eq!((remembered.since, remembered.not_after), (world.now, Some(leaf.facts.not_after)));
    world.configure("acme-ca", TemplateChange::Bind(id("t")), Some(true));
    world.grant(Command::ReadmitDevice { device: id(DEVICE) });
    let_in(&mut world, &leaf);
}

#[test]
fn f39_a_deleted_certificate_is_not_pinned_again_nor_is_one_that_was_inactive() {
    for (inactive, cleared) in [(false, false), (true, false), (true, true)] {
        let (mut world, leaf) = registered();
        let fingerprint = leaf.sha256();
        if inactive {
            world.grant(Command::SwitchCertificate { device: id(DEVICE), fingerprint, active: false });
        }
        let taken_away = match cleared {
            false => Command::DeleteCertificate { device: id(DEVICE), fingerprint },
            true => Command::ResetFingerprint { device: id(DEVICE), slot: Slot::Primary, fingerprint: None },
        };
        world.grant(taken_away.clone());
        let Some(event @ Event::CertificateRetired { .. }) = world.history.last() else { panic!("not retired") };
        let affected = AffectedSessions::OfCertificates(id(DEVICE), vec![leaf.facts.sha256]);
        assert_eq!(event.affected_sessions(), affected);
        assert_eq!(world.lost_right(&leaf, "acme-ca", &any(), DEVICE), Some(Refusal::CertificateRetired));
        barred(&world, &leaf);
        assert_eq!(world.word(taken_away), "already so");
        let another = authorities()[0].issue(&[(rcgen::DnType::CommonName, "dev1")], (2026, 3));
        let_in(&mut world, &another);
        barred(&world, &leaf);
        world.grant(Command::ResetFingerprint { device: id(DEVICE), slot: Slot::Primary, fingerprint: Some(fingerprint) });
        let_in(&mut world, &leaf);
        barred(&world, &another);
    }
}

#[test]
fn a_cleared_fingerprint_is_pinned_again_as_with_the_service() {
    let (mut world, leaf) = registered();
    world.grant(Command::ResetFingerprint { device: id(DEVICE), slot: Slot::Primary, fingerprint: None });
    let_in(&mut world, &leaf);
}

#[test]
fn f39_a_replaced_certificate_stays_out_when_its_device_is_gone() {
    let mut world = World::furnished();
    world.put_in_force("t", replacing(cn_template("meter")), "acme-ca");
    let [old, new] = [1, 3].map(|month| authorities()[0].issue(&[(rcgen::DnType::CommonName, "dev1")], (2026, month)));
    let_in(&mut world, &old);
    let_in(&mut world, &new);
    barred(&world, &old);
    world.grant(Command::DeleteDevice { device: id(DEVICE) });
    world.grant(Command::ReadmitDevice { device: id(DEVICE) });
    barred(&world, &old);
    world.grant(Command::ReadmitCertificate { fingerprint: old.sha256(), device: Some(id(DEVICE)) });
    let_in(&mut world, &old);
}

#[test]
fn readmitted_for_one_device_a_certificate_becomes_no_other() {
    let (mut world, leaf) = registered();
    world.grant(Command::DeleteCertificate { device: id(DEVICE), fingerprint: leaf.sha256() });
    world.grant(Command::ReadmitCertificate { fingerprint: leaf.sha256(), device: Some(id("waiting")) });
    assert_eq!(refused(&world, &leaf, &any()), Some(Refusal::CertificateRetired));
    world.configure("acme-ca", TemplateChange::Unbind, Some(false));
    world.pre_register("waiting", "acme", "meter", pinned(None, None));
    assert_eq!(word(&world.clone().connect_as(&leaf, Some(id(DEVICE))).outcome), "certificate_retired");
    assert_eq!(word(&world.connect_as(&leaf, Some(id("waiting"))).outcome), "granted");
    assert_eq!(retired(&world, leaf.sha256()), None, "it is that device's again");
}

#[test]
fn entering_a_deleted_device_again_readmits_its_id_and_the_certificates_that_are_typed() {
    let (mut world, leaf) = registered();
    world.grant(Command::DeleteDevice { device: id(DEVICE) });
    assert_eq!(world.clone().word(enter(DEVICE, "globex", None)), "already_exists", "another space's id is taken");
    let mut without = world.clone();
    without.grant(enter(DEVICE, "acme", None));
    barred(&without, &leaf);
    let another = authorities()[0].issue(&[(rcgen::DnType::CommonName, "dev1")], (2026, 3));
    let_in(&mut without, &another);
    world.grant(enter(DEVICE, "acme", Some(leaf.sha256())));
    let_in(&mut world, &leaf);
    assert_eq!(world.word(enter(DEVICE, "acme", Some(leaf.sha256()))), "already so");
}

#[test]
fn a_readmission_gives_back_no_certificate_that_was_inactive() {
    let (mut world, leaf) = registered();
    world.grant(Command::SwitchCertificate { device: id(DEVICE), fingerprint: leaf.sha256(), active: false });
    world.grant(Command::DeleteDevice { device: id(DEVICE) });
    world.grant(Command::ReadmitDevice { device: id(DEVICE) });
    barred(&world, &leaf);
}

#[test]
fn f39_a_sha1_as_typed_bars_the_certificate_of_its_own_space_alone() {
    for (space, expected) in [("acme", Some(Refusal::CertificateRetired)), ("globex", None)] {
        let mut world = World::furnished();
        world.put_in_force("t", cn_template("meter"), "acme-ca");
        let leaf = authorities()[0].device("dev1");
        world.grant(enter("typed", space, Some(leaf.sha1())));
        world.grant(Command::DeleteDevice { device: id("typed") });
        assert_eq!(refused(&world, &leaf, &any()), expected, "typed in {space}");
    }
}

#[test]
fn an_operator_who_types_the_sha1_of_the_same_certificate_has_not_replaced_it() {
    let (mut world, leaf) = registered();
    world.grant(Command::ResetFingerprint { device: id(DEVICE), slot: Slot::Primary, fingerprint: Some(leaf.sha1()) });
    let_in(&mut world, &leaf);
    world.grant(Command::ResetFingerprint { device: id(DEVICE), slot: Slot::Primary, fingerprint: Some(leaf.sha256()) });
    let_in(&mut world, &leaf);
    world.grant(Command::DeleteDevice { device: id(DEVICE) });
    barred(&world, &leaf);
}

#[test]
fn f39_typing_either_digest_of_a_retired_certificate_lifts_it_under_both() {
    for digest in [Leaf::sha256, Leaf::sha1] {
        let (mut world, leaf) = registered();
        world.grant(Command::DeleteDevice { device: id(DEVICE) });
        assert_eq!(world.registry.retired_count(), 1, "by two digests, one certificate");
        let mut reset = world.clone();
        world.grant(enter("waiting", "acme", Some(digest(&leaf))));
        reset.grant(enter("waiting", "acme", None));
        barred(&reset, &leaf);
        let (device, fingerprint) = (id("waiting"), Some(digest(&leaf)));
        reset.grant(Command::ResetFingerprint { device, slot: Slot::Secondary, fingerprint });
        for mut world in [world, reset] {
            let verdict = world.authenticate(&leaf, "acme-ca", &standard("waiting"));
            assert!(matches!(verdict, Verdict::Accept(_)), "{verdict:?}");
            assert_eq!([leaf.sha256(), leaf.sha1()].map(|digest| retired(&world, digest)), [None, None]);
            world.grant(Command::DeleteDevice { device: id("waiting") });
            barred(&world, &leaf);
            world.grant(Command::ReadmitDevice { device: id("waiting") });
            assert_eq!(
                refused(&world, &leaf, &any()),
                Some(Refusal::DeviceDeleted),
                "what is left is its first device's id"
            );
        }
    }
}

#[test]
fn f39_a_sha1_that_was_typed_before_the_certificate_was_taken_away_lets_nobody_in_after() {
    let (mut world, leaf) = registered();
    world.grant(enter("waiting", "acme", Some(leaf.sha1())));
    world.grant(Command::DeleteDevice { device: id(DEVICE) });
    barred(&world, &leaf);
    world.grant(Command::DeleteDevice { device: id("waiting") });
    world.grant(Command::ReadmitDevice { device: id("waiting") });
    barred(&world, &leaf);
}

#[test]
fn a_retired_certificate_is_readmitted_by_either_digest_for_one_device_or_any() {
    let (mut world, leaf) = registered();
    world.grant(Command::DeleteCertificate { device: id(DEVICE), fingerprint: leaf.sha1() });
    barred(&world, &leaf);
    for fingerprint in [leaf.sha256(), leaf.sha1()] {
        let mut world = world.clone();
        world.grant(Command::ReadmitCertificate { fingerprint, device: Some(id(DEVICE)) });
        for digest in [leaf.sha256(), leaf.sha1()] {
            assert_eq!(retired(&world, digest).and_then(|retired| retired.readmitted_for), Some(id(DEVICE)));
        }
        let again = Command::ReadmitCertificate { fingerprint, device: Some(id(DEVICE)) };
        assert_eq!(world.word(again), "already so");
        world.grant(Command::ReadmitCertificate { fingerprint, device: None });
        assert_eq!([leaf.sha256(), leaf.sha1()].map(|digest| retired(&world, digest)), [None, None]);
        let_in(&mut world, &leaf);
    }
}

#[test]
fn f39_a_certificate_that_is_pinned_by_both_digests_is_deleted_by_both() {
    for named in [Leaf::sha256, Leaf::sha1] {
        let (mut world, leaf) = registered();
        let (device, fingerprint) = (id(DEVICE), Some(leaf.sha1()));
        world.grant(Command::ResetFingerprint { device, slot: Slot::Secondary, fingerprint });
        let_in(&mut world, &leaf);
        world.grant(Command::DeleteCertificate { device: id(DEVICE), fingerprint: named(&leaf) });
        let Some(DeviceEntry::Live(device)) = world.registry.entry(&id(DEVICE)) else { panic!("it is gone") };
        assert_eq!(device.credential.pins().count(), 0);
        barred(&world, &leaf);
    }
}

#[test]
fn f42_what_another_spaces_operator_types_neither_bars_nor_lifts_nor_is_told() {
    let (mut world, leaf) = registered();
    let unknown = authorities()[0].device("dev2");
    // Before the first connection, and of a device that is there.
    for fingerprint in [unknown.sha256(), unknown.sha1()] {
        let mut world = world.clone();
        world.grant(enter("squatter", "globex", Some(fingerprint)));
        assert_eq!(word(&world.connect(&unknown).outcome), "granted");
        assert!(matches!(world.authenticate(&unknown, "acme-ca", &any()), Verdict::Accept(_)));
        world.grant(Command::DeleteDevice { device: id("squatter") });
        assert!(matches!(world.authenticate(&unknown, "acme-ca", &any()), Verdict::Accept(_)), "nor by deleting it");
    }
    let held = world.command(enter("squatter", "globex", Some(leaf.sha256())));
    assert_eq!(held, Err(Rejection::CertificateHeldByOther(None)), "whose it is, is not told");
    assert!(!held.unwrap_err().to_string().contains(DEVICE));
    let own = world.command(enter("squatter", "acme", Some(leaf.sha256())));
    assert_eq!(own, Err(Rejection::CertificateHeldByOther(Some(id(DEVICE)))));
    world.grant(Command::DeleteDevice { device: id(DEVICE) });
    let typed = world.command(enter("squatter", "globex", Some(leaf.sha256())));
    let reason = RetirementReason::DeviceDeleted;
    assert_eq!(typed, Err(Rejection::CertificateRetired { device: None, reason }), "no readmission by others");
    let typed = world.command(enter("squatter", "globex", Some(leaf.sha1())));
    assert_eq!(typed, Err(Rejection::CertificateRetired { device: None, reason }), "nor by its other digest");
    barred(&world, &leaf);
}

/// A certificate of a CA that two roots have signed, in two resource spaces.
#[test]
fn f42_a_session_by_a_typed_fingerprint_ends_when_another_spaces_ca_proves_the_certificate() {
    let [_, globex, line] = authorities();
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("pump"), "globex-ca");
    let by_acme = line.device("dev1");
    let by_globex = Leaf { above: vec![globex.signs(line)], ..by_acme.clone() };
    for fingerprint in [by_acme.sha256(), by_acme.sha1()] {
        let mut world = world.clone();
        world.grant(enter("typed", "acme", Some(fingerprint)));
        let chain = by_acme.chain();
        let chain: Vec<&[u8]> = chain.iter().map(|der| &**der).collect();
        let path = world.registry.configuration.trust_store().prove(&chain, world.now).unwrap();
        let verdict = world.authenticate_by(&by_acme, &path, &standard("typed"));
        assert!(matches!(verdict, Verdict::Accept(_)), "{verdict:?}");
        assert_eq!(word(&world.connect(&by_globex).outcome), "granted");
        let lost = world.lost_right_by(&by_acme, &path, &standard("typed"), "typed");
        assert_eq!(lost, Some(Refusal::DeviceMismatch));
        let registered = world.history.last().unwrap();
        assert!(registered.affected_sessions().contains(&id("typed"), &by_acme.facts.sha256), "{registered:?}");
    }
}

#[test]
fn f42_what_a_space_readmits_for_its_device_stays_barred_where_another_space_took_it_away() {
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    let leaf = authorities()[0].device("dev1");
    world.grant(enter("squatter", "globex", Some(leaf.sha256())));
    assert_eq!(word(&world.connect(&leaf).outcome), "granted");
    for device in [DEVICE, "squatter"] {
        world.grant(Command::DeleteDevice { device: id(device) });
    }
    let readmit = |device: &str| Command::ReadmitCertificate { fingerprint: leaf.sha256(), device: Some(id(device)) };
    world.grant(readmit("squatter"));
    barred(&world, &leaf);
    let retired = world.registry.retired(&PinKey::proven(leaf.sha256())).unwrap();
    assert_eq!((retired.device, retired.readmitted_for), (id(DEVICE), None));
    assert_eq!(world.word(readmit("squatter")), "invalid_field", "nothing is left that it could lift");
    // The space that took it away lifts it, and what the other does then changes nothing.
    world.grant(readmit(DEVICE));
    assert_eq!(world.word(readmit("squatter")), "invalid_field");
    let retired = world.registry.retired(&PinKey::proven(leaf.sha256())).unwrap();
    assert_eq!(retired.readmitted_for, Some(id(DEVICE)));
}

#[test]
fn f42_a_predictable_id_that_another_space_took_is_called_taken_until_it_is_released() {
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    let leaf = authorities()[0].device("dev1");
    world.grant(enter(DEVICE, "globex", None));
    for taken in ["live", "deleted"] {
        assert_eq!(word(&world.connect(&leaf).outcome), "device_elsewhere", "{taken}");
        let refused = refused(&world, &leaf, &any());
        assert_eq!(refused.as_ref().map(Refusal::code), Some("device_elsewhere"), "{taken}");
        assert_eq!(world.clone().word(enter(DEVICE, "acme", None)), "already_exists", "{taken}");
        let _ = world.command(Command::DeleteDevice { device: id(DEVICE) });
    }
    world.grant(Command::ReadmitDevice { device: id(DEVICE) });
    let_in(&mut world, &leaf);
}

#[test]
fn a_retirement_is_forgotten_after_the_certificates_own_end_and_not_before() {
    let (mut world, leaf) = registered();
    world.grant(enter("typed", "acme", Some(Fingerprint::Sha256([7; 32]))));
    world.grant(Command::DeleteDevice { device: id(DEVICE) });
    world.grant(Command::DeleteDevice { device: id("typed") });
    let end = leaf.facts.not_after;
    let kept_until = end.plus_s(limits::RETIRED_BEYOND_END_S);
    assert_eq!(forget_retired(&world.registry, kept_until), None);
    let event = forget_retired(&world.registry, kept_until.plus_s(1)).unwrap();
    assert_eq!(event, Event::RetiredForgotten { fingerprints: vec![leaf.sha256()] });
    let mut early = world.registry.clone();
    early.evolve(&event, end);
    assert!(early.retired(&PinKey::proven(leaf.sha256())).is_some(), "while it is good, no record makes it forgotten");
    world.registry.evolve(&event, kept_until.plus_s(1));
    assert_eq!(retired(&world, leaf.sha256()), None);
    assert_eq!(world.registry.retired_count(), 1, "what an operator typed has no end that is known");
}

#[test]
fn a_batch_forgets_so_many_and_the_rest_is_for_the_next() {
    let (world, leaf) = registered();
    let mut registry = world.registry;
    let Some(Event::DeviceRegistered { certificate, .. }) = world.history.last() else { panic!("not registered") };
    for n in 0..=limits::RETIRED_FORGOTTEN_MAX {
        let mut certificate = certificate.clone();
        certificate.sha256[..8].copy_from_slice(&n.to_be_bytes());
        registry.evolve(&Event::DeviceCertificateReplaced { device: id(DEVICE), certificate }, NOW);
    }
    let later = leaf.facts.not_after.plus_s(2 * limits::RETIRED_BEYOND_END_S);
    for left in [1, 0] {
        registry.evolve(&forget_retired(&registry, later).unwrap(), later);
        assert_eq!(registry.retired_count(), left);
    }
    assert_eq!(forget_retired(&registry, later), None);
}

/// A registry in which as many certificates are retired as there may be.
pub(super) struct Full<'a>(pub(super) &'a Registry);

impl Devices for Full<'_> {
    fn entry(&self, id: &DeviceId) -> Option<DeviceEntry> {
        self.0.entry(id)
    }

    fn holder(&self, key: &PinKey) -> Option<DeviceId> {
        self.0.holder(key)
    }

    fn retired(&self, key: &PinKey) -> Option<Retired> {
        self.0.retired(key)
    }

    fn retired_and_ended(&self, instant: Timestamp, max: usize) -> Vec<Fingerprint> {
        self.0.retired_and_ended(instant, max)
    }

    fn retired_count(&self) -> u64 {
        limits::RETIRED_PER_INSTANCE_MAX
    }

    fn any_of_product(&self, space: &crate::ids::SpaceId, product: &crate::ids::ProductId) -> bool {
        self.0.any_of_product(space, product)
    }

    fn count(&self) -> u64 {
        self.0.count()
    }
}

#[test]
fn at_the_bound_of_retired_certificates_a_registration_is_refused_and_no_deletion() {
    let (mut world, leaf) = registered();
    world.grant(enter("meter_dev3", "acme", None));
    world.grant(Command::UpdateTemplate {
        template: id("t"),
        description: None,
        body: Some(replacing(cn_template("meter"))),
    });
    let decided = |actor, body| {
        let request = Request { id: id("request"), actor, body };
        world.decide_on(&Full(&world.registry), &request).outcome
    };
    let command = |command| decided(Actor::Operator("olga".into()), RequestBody::Command(command));
    let connect = |leaf: &Leaf, claimed| {
        let body = RequestBody::CertificateConnect { chain: vec![leaf.der.clone()], claimed };
        decided(Actor::Certificate(leaf.facts.sha256), body)
    };
    let reset = |slot, fingerprint| Command::ResetFingerprint { device: id(DEVICE), slot, fingerprint };
    let [new, awaited] = ["dev2", "dev3"].map(|name| authorities()[0].device(name));
    let newer = authorities()[0].issue(&[(rcgen::DnType::CommonName, "dev1")], (2026, 3));
    let max = limits::RETIRED_PER_INSTANCE_MAX;
    let full = Err(Rejection::LimitReached { what: "retired certificates in this instance", max });
    assert_eq!(connect(&new, None), full, "a registration");
    assert_eq!(connect(&awaited, None), full, "the first certificate of a device that waits for one");
    assert_eq!(connect(&newer, None), full, "another in the place of the old one");
    assert_eq!(command(enter("new", "acme", None)), full);
    for slot in [Slot::Primary, Slot::Secondary] {
        assert_eq!(command(reset(slot, Some(newer.sha256()))), full, "{slot:?}");
    }
    for still in [
        Command::DeleteDevice { device: id(DEVICE) },
        Command::DeleteCertificate { device: id(DEVICE), fingerprint: leaf.sha256() },
        reset(Slot::Primary, None),
    ] {
        assert!(matches!(command(still), Ok(Decision::Record(_))));
    }
    assert_eq!(connect(&leaf, None), Ok(Decision::AlreadySo), "whoever is there stays");
}

#[test]
fn a_pin_that_an_older_log_granted_is_no_longer_retired() {
    let (mut world, leaf) = registered();
    world.grant(enter("typed", "acme", Some(Fingerprint::Sha1([9; 20]))));
    let Some(Event::DeviceRegistered { profile, certificate, template, template_version }) =
        world.history.iter().find(|event| matches!(event, Event::DeviceRegistered { .. })).cloned()
    else {
        panic!("not registered")
    };
    let again = Event::DeviceRegistered {
        profile: crate::registry::event::DeviceProfile { device: id("meter_other"), ..profile },
        certificate,
        template,
        template_version,
    };
    world.grant(Command::DeleteDevice { device: id(DEVICE) });
    assert!(retired(&world, leaf.sha256()).is_some());
    world.registry.evolve(&again, NOW);
    assert_eq!(retired(&world, leaf.sha256()), None);
    assert_eq!(world.registry.holder(&PinKey::proven(leaf.sha256())), Some(id("meter_other")));
}
