//! A CA is its name and its key: nothing is inherited by an id, and nothing leads through one that is distrusted.

use super::world::{Authority, Leaf, World, any, authorities, cn_template, id, replacing, standard, word};
use crate::{
    authenticate::Verdict,
    certificate::path::Proven,
    ids::{CaId, SpaceId},
    limits,
    refusal::Refusal,
    registry::{
        Command, Credential, Decision, DeviceEntry, Devices, Distrusted, Event,
        command::{Distrust, TemplateChange},
        event::{PolicyTarget, PresentedCertificate},
    },
};

const SUBJECT: [(rcgen::DnType, &str); 1] = [(rcgen::DnType::CommonName, "dev1")];

/// A furnished world where the template of acme's CA makes devices `meter_<CN>` and replaces certificates.
fn world() -> World {
    let mut world = World::furnished();
    world.put_in_force("t", replacing(cn_template("meter")), "acme-ca");
    world
}

fn delete(ca: &str, distrust: Distrust) -> Command {
    Command::DeleteCa { ca: id(ca), distrust }
}

fn bind(world: &mut World, ca: &str) {
    world.configure(ca, TemplateChange::Bind(id("t")), Some(true));
}

/// What the registrar says, in a word.
fn asked(world: &mut World, leaf: &Leaf) -> String {
    word(&world.connect(leaf).outcome)
}

/// The path that a handshake would find now.
fn path(world: &World, leaf: &Leaf) -> Result<Proven, crate::certificate::path::PathError> {
    let chain = leaf.chain();
    let chain: Vec<&[u8]> = chain.iter().map(|der| &**der).collect();
    world.registry.configuration.trust_store().prove(&chain, world.now)
}

fn refusal(verdict: Verdict) -> Option<Refusal> {
    match verdict {
        Verdict::Refuse(refusal) => Some(refusal),
        Verdict::Accept(_) | Verdict::Register { .. } => None,
    }
}

#[test]
fn f18_f40_an_id_used_again_lets_no_other_ca_replace_a_certificate() {
    let mut world = world();
    assert_eq!(asked(&mut world, &authorities()[0].issue(&SUBJECT, (2026, 1))), "granted");
    world.delete_ca("acme-ca");
    let other = Authority::new("acme devices");
    world.verified_ca("acme-ca", "acme", &other);
    bind(&mut world, "acme-ca");
    let forged = other.issue(&SUBJECT, (2026, 3));
    assert_eq!(asked(&mut world, &forged), "certificate_not_newer");
    let verdict = world.authenticate(&forged, "acme-ca", &any());
    assert_eq!(refusal(verdict).map(|refusal| refusal.code().to_owned()).as_deref(), Some("certificate_not_newer"));
}

#[test]
fn a_newer_certificate_replaces_after_its_ca_certificate_was_deleted_and_uploaded_again() {
    for again in ["acme-ca", "acme-again"] {
        let mut world = world();
        assert_eq!(asked(&mut world, &authorities()[0].issue(&SUBJECT, (2026, 1))), "granted");
        world.delete_ca("acme-ca");
        world.verified_ca(again, "acme", &authorities()[0]);
        bind(&mut world, again);
        let newer = authorities()[0].issue(&SUBJECT, (2026, 3));
        assert!(matches!(world.authenticate(&newer, again, &any()), Verdict::Register { .. }));
        assert_eq!(asked(&mut world, &newer), "granted", "{again}");
    }
}

#[test]
fn f18_f40_a_handshake_of_a_ca_does_not_count_for_another_that_has_its_id_now() {
    let mut world = world();
    let leaf = authorities()[0].device("dev1");
    let shaken = path(&world, &leaf).unwrap();
    assert_eq!(asked(&mut world, &leaf), "granted");
    assert_eq!(world.lost_right_by(&leaf, &shaken, &any(), "meter_dev1"), None);
    world.delete_ca("acme-ca");
    world.verified_ca("acme-ca", "acme", &Authority::new("acme devices"));
    bind(&mut world, "acme-ca");
    for connect in [any(), standard("meter_dev1")] {
        assert_eq!(refusal(world.authenticate_by(&leaf, &shaken, &connect)), Some(Refusal::CaNotTrusted));
        assert_eq!(world.lost_right_by(&leaf, &shaken, &connect, "meter_dev1"), Some(Refusal::CaNotTrusted));
    }
    // A renewed certificate of the same CA may allow less: the path is to be found anew.
    world.delete_ca("acme-ca");
    world.verified_ca("acme-ca", "acme", &authorities()[0].before_renewal());
    bind(&mut world, "acme-ca");
    assert_eq!(refusal(world.authenticate_by(&leaf, &shaken, &any())), Some(Refusal::CaNotTrusted));
    let anew = path(&world, &leaf).unwrap();
    assert!(matches!(world.authenticate_by(&leaf, &anew, &any()), Verdict::Accept(_)));
    // The very certificate, under an id of its own.
    world.verified_ca("acme-again", "acme", &authorities()[0]);
    bind(&mut world, "acme-again");
    assert!(matches!(world.authenticate_by(&leaf, &shaken, &any()), Verdict::Accept(_)));
}

#[test]
fn a_record_without_the_hash_means_the_ca_that_has_its_id_as_it_is_applied() {
    let of_version_1 = |event: Event| {
        let strip = |certificate: PresentedCertificate| PresentedCertificate { proof: None, ..certificate };
        match event {
            Event::DeviceRegistered { profile, certificate, template, template_version } => {
                Event::DeviceRegistered { profile, certificate: strip(certificate), template, template_version }
            }
            other => other,
        }
    };
    let mut world = world();
    let first = authorities()[0].issue(&SUBJECT, (2026, 1));
    let Ok(Decision::Record(event)) = world.clone().connect(&first).outcome else { panic!("not registered") };
    world.registry.evolve(&of_version_1(event), world.now);
    let Some(DeviceEntry::Live(device)) = world.registry.entry(&id("meter_dev1")) else { panic!("not live") };
    let Credential::Certificates { primary: Some(pin), .. } = device.credential else { panic!("not pinned") };
    assert_eq!(pin.ca_name_and_key_sha256, Some(authorities()[0].name_and_key_sha256()));
    // What becomes of the id afterwards changes nothing.
    world.delete_ca("acme-ca");
    world.verified_ca("acme-again", "acme", &authorities()[0]);
    bind(&mut world, "acme-again");
    assert_eq!(asked(&mut world, &authorities()[0].issue(&SUBJECT, (2026, 3))), "granted");
}

/// A world in which the CA below acme's has a certificate of its own, with a device that it issued.
fn with_line(world: &mut World) -> Leaf {
    let line = &authorities()[2];
    world.verified_ca("line-ca", "acme", line);
    bind(world, "line-ca");
    let leaf = line.device("dev1");
    assert_eq!(asked(world, &leaf), "granted");
    leaf
}

fn still_vouching(world: &World, gone: &crate::registry::Ca, paths: &[Vec<[u8; 32]>]) -> Vec<String> {
    world.registry.configuration.still_vouching(gone, paths).iter().map(CaId::to_string).collect()
}

#[test]
fn f41_a_deleted_intermediate_vouches_through_its_root_unless_it_is_distrusted() {
    for distrust in [Distrust::No, Distrust::Yes, Distrust::UnlessRenewed] {
        let mut world = world();
        let leaf = with_line(&mut world);
        let shaken = path(&world, &leaf).unwrap();
        assert_eq!(shaken.ca, id("line-ca"));
        let gone = world.registry.configuration.cas[&id::<CaId>("line-ca")].clone();
        world.grant(delete("line-ca", distrust));
        let paths = [vec![authorities()[2].name_and_key_sha256()]];
        if distrust == Distrust::No {
            assert_eq!(path(&world, &leaf).unwrap().ca, id("acme-ca"));
            assert_eq!(still_vouching(&world, &gone, &paths), ["acme-ca"]);
            assert_eq!(world.lost_right_by(&leaf, &shaken, &any(), "meter_dev1"), Some(Refusal::CaNotTrusted));
            continue;
        }
        assert_eq!(path(&world, &leaf), Err(crate::certificate::path::PathError::Distrusted));
        assert_eq!(still_vouching(&world, &gone, &paths), Vec::<String>::new());
        assert_eq!(asked(&mut world, &leaf), "ca_distrusted");
        assert_eq!(asked(&mut world, &authorities()[2].device("new")), "ca_distrusted");
        for connect in [any(), standard("meter_dev1")] {
            assert_eq!(refusal(world.authenticate_by(&leaf, &shaken, &connect)), Some(Refusal::CaDistrusted));
            assert_eq!(world.lost_right_by(&leaf, &shaken, &connect, "meter_dev1"), Some(Refusal::CaDistrusted));
        }
        assert_eq!(asked(&mut world, &authorities()[0].device("dev2")), "granted", "the root's own are as before");
    }
}

#[test]
fn f41_a_session_that_came_through_a_distrusted_ca_ends_whichever_certificate_it_leads_to() {
    let mut world = world();
    let leaf = authorities()[2].device("dev1");
    let shaken = path(&world, &leaf).unwrap();
    assert_eq!(shaken.ca, id("acme-ca"));
    assert_eq!(asked(&mut world, &leaf), "granted");
    world.verified_ca("line-ca", "acme", &authorities()[2]);
    assert_eq!(world.lost_right_by(&leaf, &shaken, &any(), "meter_dev1"), None, "it came by acme's");
    world.grant(delete("line-ca", Distrust::UnlessRenewed));
    assert_eq!(world.lost_right_by(&leaf, &shaken, &any(), "meter_dev1"), Some(Refusal::CaDistrusted));
    let recorded = [shaken.chain.iter().map(|above| above.name_and_key_sha256).collect()];
    let gone = &world.registry.configuration.cas[&id::<CaId>("acme-ca")];
    assert_eq!(still_vouching(&world, gone, &recorded), ["acme-ca"], "its own devices; the path ends at the distrusted");
}

#[test]
fn distrust_is_lifted_by_verifying_again_in_the_same_space() {
    let mut world = world();
    let leaf = with_line(&mut world);
    world.grant(delete("line-ca", Distrust::UnlessRenewed));
    let line = &authorities()[2];
    let name_and_key = line.name_and_key_sha256();
    let expected = Distrusted { space: id("acme"), ca: id("line-ca"), cn_name: "acme line".into(), since: world.now };
    assert_eq!(world.registry.configuration.distrusted.get(&name_and_key), Some(&expected));
    // Another space that has the key is not believed in its place.
    world.grant(Command::UploadCa { ca: id("elsewhere"), space: id("globex"), der: line.der.clone() });
    let proof = line.device(&world.code("elsewhere")).der;
    assert_eq!(world.word(Command::VerifyCa { ca: id("elsewhere"), proof }), "ca_distrusted");
    // An upload proves nothing.
    world.grant(Command::UploadCa { ca: id("line-ca"), space: id("acme"), der: line.der.clone() });
    assert_eq!(asked(&mut world, &leaf), "ca_distrusted");
    let proof = line.device(&world.code("line-ca")).der;
    world.grant(Command::VerifyCa { ca: id("line-ca"), proof });
    assert!(!world.registry.configuration.is_distrusted(&name_and_key));
    bind(&mut world, "line-ca");
    assert_eq!(asked(&mut world, &leaf), "already so");
    let anew = path(&world, &leaf).unwrap();
    assert!(matches!(world.authenticate_by(&leaf, &anew, &any()), Verdict::Accept(_)));
}

#[test]
fn of_a_space_that_is_gone_any_space_may_lift_the_distrust() {
    let mut world = World::furnished();
    let passing = Authority::new("passing");
    world.grant(Command::CreateSpace {
        space: id("brief"),
        name: "brief".into(),
        default_policy: Some(id("brief-default")),
    });
    world.verified_ca("passing-ca", "brief", &passing);
    world.grant(delete("passing-ca", Distrust::Yes));
    world.grant(Command::DeleteSpace { space: id::<SpaceId>("brief") });
    assert!(world.registry.configuration.is_distrusted(&passing.name_and_key_sha256()));
    world.verified_ca("passing-ca", "globex", &passing);
    assert!(!world.registry.configuration.is_distrusted(&passing.name_and_key_sha256()));
}

#[test]
fn a_ca_certificate_that_was_renewed_is_deleted_without_distrust() {
    let mut world = world();
    let leaf = authorities()[0].device("dev1");
    assert_eq!(asked(&mut world, &leaf), "granted");
    let old = authorities()[0].before_renewal();
    world.verified_ca("acme-old", "acme", &old);
    let gone = world.registry.configuration.cas[&id::<CaId>("acme-old")].clone();
    assert_eq!(world.word(delete("acme-old", Distrust::Yes)), "invalid_field", "the renewal would be refused too");
    world.grant(delete("acme-old", Distrust::UnlessRenewed));
    assert_eq!(still_vouching(&world, &gone, &[]), ["acme-ca"]);
    assert_eq!(asked(&mut world, &leaf), "already so");
    world.grant(delete("acme-ca", Distrust::UnlessRenewed));
    assert!(world.registry.configuration.is_distrusted(&authorities()[0].name_and_key_sha256()), "the last of it");
}

#[test]
fn f18_f42_a_ca_that_nobody_has_proven_is_not_distrusted() {
    let mut world = world();
    let acme = authorities()[0].der.clone();
    world.grant(Command::UploadCa { ca: id("squatter"), space: id("globex"), der: acme });
    assert_eq!(world.word(delete("squatter", Distrust::Yes)), "invalid_field");
    world.grant(delete("squatter", Distrust::UnlessRenewed));
    assert!(world.registry.configuration.distrusted.is_empty());
    assert_eq!(asked(&mut world, &authorities()[0].device("dev1")), "granted");
}

#[test]
fn the_distrusted_are_bounded_and_one_more_is_deleted_without() {
    let mut world = world();
    let one = Distrusted { space: id("acme"), ca: id("old"), cn_name: "old".into(), since: world.now };
    let distrusted = |count: usize, one: &Distrusted| {
        let key = |n: usize| {
            let mut name_and_key = [0; 32];
            name_and_key[..8].copy_from_slice(&n.to_be_bytes());
            name_and_key
        };
        (0..count).map(|n| (key(n), one.clone())).collect()
    };
    for (count, one) in [
        (limits::DISTRUSTED_CAS_PER_SPACE_MAX, one.clone()),
        (limits::DISTRUSTED_CAS_PER_INSTANCE_MAX, Distrusted { space: id("globex"), ..one.clone() }),
    ] {
        let mut world = world.clone();
        world.registry.configuration.distrusted = distrusted(count, &one);
        assert_eq!(world.word(delete("acme-ca", Distrust::UnlessRenewed)), "limit_reached");
        world.grant(delete("acme-ca", Distrust::No));
    }
    let globex = Distrusted { space: id("globex"), ..one };
    world.registry.configuration.distrusted = distrusted(limits::DISTRUSTED_CAS_PER_SPACE_MAX, &globex);
    world.grant(delete("acme-ca", Distrust::UnlessRenewed));
}

#[test]
fn f3_a_cross_signed_ca_leads_to_the_root_that_is_not_distrusted() {
    let mut world = world();
    let (one, other) = (Authority::new("one root"), Authority::new("other root"));
    let plant = one.below("plant");
    let crossed = other.signs(&plant);
    world.verified_ca("one", "acme", &one);
    world.verified_ca("other", "acme", &other);
    let device = plant.device("dev1");
    let leaf = Leaf { above: vec![plant.der.clone(), crossed], ..device };
    let either = path(&world, &leaf).unwrap().ca;
    for (gone, left) in [("one", "other"), ("other", "one")] {
        let mut world = world.clone();
        world.grant(delete(gone, Distrust::Yes));
        assert_eq!(path(&world, &leaf).unwrap().ca, id(left), "found by {either} before");
    }
    world.verified_ca("plant", "acme", &plant);
    world.grant(delete("plant", Distrust::Yes));
    assert!(path(&world, &leaf).is_err(), "neither root stands for a CA that is distrusted itself");
}

#[test]
fn f40_a_policy_id_that_is_used_again_is_bound_to_nothing() {
    let mut world = world();
    assert_eq!(asked(&mut world, &authorities()[0].issue(&SUBJECT, (2026, 1))), "granted");
    let target = PolicyTarget::Device(id("meter_dev1"));
    let statements = world.registry.configuration.policies[&id("acme-default")].statements.clone();
    let create =
        Command::CreatePolicy { policy: id("own"), space: id("acme"), name: "own".into(), statements: statements.clone() };
    let bind = Command::BindPolicy { policy: id("own"), target: target.clone() };
    let own = |world: &World| {
        let Some(DeviceEntry::Live(device)) = world.registry.entry(&id("meter_dev1")) else { panic!("it is gone") };
        world.registry.configuration.policies_of(&device).filter(|policy| policy.id == id("own")).count()
    };
    world.grant(create.clone());
    world.grant(bind.clone());
    assert_eq!(own(&world), 1);
    world.grant(Command::DeletePolicy { policy: id("own") });
    world.grant(create);
    assert_eq!(own(&world), 0, "the id is another policy's");
    assert_eq!(world.word(Command::UnbindPolicy { policy: id("own"), target }), "already so");
    assert_eq!(world.word(bind.clone()), "granted");
    assert_eq!((own(&world), &*world.word(bind)), (1, "already so"));
}
