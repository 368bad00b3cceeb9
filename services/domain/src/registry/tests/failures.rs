//! The named failure modes that the registry's rules must be proof against; those of the collision table are there.

use super::world::{Authority, NOW, World, any, authorities, cn_template, id, pinned, standard, word};
use crate::{
    authenticate::Verdict,
    certificate::SubjectAttribute,
    limits,
    refusal::Refusal,
    registry::{
        Actor, Command, Decision, Event, RequestBody,
        command::{Distrust, TemplateChange},
    },
    rejection::Rejection,
    template::{DraftValue, TemplateDraft},
};

fn accepted(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Accept(recognised) => Some(recognised.device.as_str()),
        Verdict::Register { .. } | Verdict::Refuse(_) => None,
    }
}

#[test]
fn f1_the_same_cn_from_two_cas_never_becomes_the_same_device() {
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    world.configure("globex-ca", TemplateChange::Bind(id("t")), Some(true));
    let [first, second] = [authorities()[0].device("dev1"), authorities()[1].device("dev1")];
    assert!(world.connect(&first).outcome.is_ok());
    assert_eq!(word(&world.connect(&second).outcome), "device_elsewhere", "another space");
    let third = Authority::new("acme devices");
    world.verified_ca("third-ca", "acme", &third);
    world.configure("third-ca", TemplateChange::Bind(id("t")), Some(true));
    let third = third.device("dev1");
    assert_eq!(word(&world.connect(&third).outcome), "certificate_mismatch", "the same space");
    for connect in [any(), standard("meter_dev1")] {
        assert_eq!(accepted(&world.authenticate(&first, "acme-ca", &connect)), Some("meter_dev1"));
        assert_eq!(accepted(&world.authenticate(&second, "globex-ca", &connect)), None);
        assert_eq!(accepted(&world.authenticate(&third, "third-ca", &connect)), None);
    }
}

#[test]
fn f13_every_device_of_a_template_registers_not_only_the_first() {
    let mut world = World::furnished();
    let draft = TemplateDraft { policy_ids: vec!["acme-default".into()], ..cn_template("meter") };
    world.put_in_force("t", draft, "acme-ca");
    for n in 0..20 {
        let leaf = authorities()[0].device(&format!("dev{n}"));
        let outcome = world.connect(&leaf).outcome;
        assert!(matches!(outcome, Ok(Decision::Record(Event::DeviceRegistered { .. }))), "device {n}: {outcome:?}");
        let device = format!("meter_dev{n}");
        assert_eq!(accepted(&world.authenticate(&leaf, "acme-ca", &any())), Some(&*device));
    }
}

#[test]
fn f18_an_upload_without_proof_blocks_nobody_and_one_ca_is_verified_in_one_space() {
    let mut world = World::furnished();
    let shared = Authority::new("shared CA");
    let upload = |ca: &str, space: &str, authority: &Authority| Command::UploadCa {
        ca: id(ca),
        space: id(space),
        der: authority.der.clone(),
    };
    world.grant(upload("squatted", "globex", &shared));
    world.verified_ca("rightful", "acme", &shared);
    let proof = shared.device(&world.code("squatted")).der;
    let late = world.word(Command::VerifyCa { ca: id("squatted"), proof });
    assert_eq!(late, "ca_already_verified", "even with the key: devices would change their owner");
    let renewed = shared.before_renewal();
    world.grant(upload("renewed-elsewhere", "globex", &renewed));
    let proof = shared.device(&world.code("renewed-elsewhere")).der;
    assert_eq!(world.word(Command::VerifyCa { ca: id("renewed-elsewhere"), proof }), "ca_already_verified");
    world.verified_ca("renewed", "acme", &renewed);
    let twin = Authority::new("shared CA");
    world.verified_ca("twin", "globex", &twin);
    world.put_in_force("t", cn_template("meter"), "rightful");
    assert_eq!(word(&world.connect(&twin.device("dev1")).outcome), "template_not_bound", "same name, other key, other CA");
}

#[test]
fn f25_ids_are_compared_as_they_are() {
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    let [lower, upper] = ["dev1", "DEV1"].map(|name| authorities()[0].device(name));
    assert!(world.connect(&lower).outcome.is_ok());
    assert!(world.connect(&upper).outcome.is_ok());
    assert_eq!(accepted(&world.authenticate(&lower, "acme-ca", &any())), Some("meter_dev1"));
    assert_eq!(accepted(&world.authenticate(&upper, "acme-ca", &any())), Some("meter_DEV1"));
    assert_eq!(accepted(&world.authenticate(&upper, "acme-ca", &standard("meter_dev1"))), None);
    let too_long = "x".repeat(65);
    for name in ["dеv1", "dev 1", "dev\u{200b}1", "dev.1", "../dev1", "dev1\n", &too_long] {
        let outcome = world.connect(&authorities()[0].device(name)).outcome;
        assert!(matches!(outcome, Err(Rejection::TemplateNotApplicable(_))), "{name:?}: {outcome:?}");
    }
    assert!(world.connect(&authorities()[0].device(&"x".repeat(64))).outcome.is_ok());
}

#[test]
fn f28_a_verification_code_is_for_one_ca_once_and_expires() {
    let mut world = World::furnished();
    let (own, foreign) = (Authority::new("own CA"), Authority::new("foreign CA"));
    for (ca, space, authority) in [("own", "acme", &own), ("foreign", "globex", &foreign)] {
        world.grant(Command::UploadCa { ca: id(ca), space: id(space), der: authority.der.clone() });
    }
    let verify = |ca: &str, proof: &[u8]| Command::VerifyCa { ca: id(ca), proof: proof.into() };
    let code = world.code("own");
    let foreign_code = world.code("foreign");
    assert_eq!(world.word(verify("own", &own.device(&foreign_code).der)), "proof_wrong_code", "another tenant's code");
    assert_eq!(world.word(verify("own", &own.device(&code.to_uppercase()).der)), "proof_wrong_code");
    assert_eq!(world.word(verify("own", &foreign.device(&code).der)), "proof_not_signed_by_ca");
    assert_eq!(world.word(verify("own", b"junk")), "proof_malformed");
    let proof = own.device(&code).der;
    world.grant(Command::IssueCaCode { ca: id("own") });
    assert_eq!(world.word(verify("own", &proof)), "proof_wrong_code", "the old code is spent");
    world.now = NOW.plus_s(limits::VERIFICATION_CODE_LIFETIME_S + 1);
    let proof = own.device(&world.code("own")).der;
    assert_eq!(world.word(verify("own", &proof)), "verification_code_expired");
    world.grant(Command::IssueCaCode { ca: id("own") });
    let proof = own.device(&world.code("own")).der;
    world.grant(verify("own", &proof));
    assert_eq!(world.word(verify("own", &proof)), "already so");
    assert_eq!(world.word(verify("own", &foreign.device("x").der)), "proof_not_signed_by_ca", "verified or not");
    assert_eq!(world.word(verify("own", b"junk")), "proof_malformed");
    world.delete_ca("own");
    world.grant(Command::UploadCa { ca: id("own"), space: id("acme"), der: own.der });
    assert_eq!(world.word(verify("own", &proof)), "proof_wrong_code", "a proof is not good twice");
}

#[test]
fn f29_nobody_is_let_in_outside_the_validity_of_either_certificate() {
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    let leaf = authorities()[0].device("dev1");
    assert!(world.connect(&leaf).outcome.is_ok());
    let (from, until) = (leaf.facts.not_before, leaf.facts.not_after);
    let ca_until = world.registry.configuration.cas[&id("acme-ca")].not_after;
    let cases = [
        (from.plus_s(-1), Some("certificate_not_yet_valid")),
        (from, None),
        (until, None),
        (until.plus_s(1), Some("certificate_expired")),
        (ca_until.plus_s(1), Some("ca_expired")),
    ];
    for (now, expected) in cases {
        world.now = now;
        for connect in [any(), standard("meter_dev1")] {
            let lost = world.lost_right(&leaf, "acme-ca", &connect, "meter_dev1");
            assert_eq!(lost.as_ref().map(Refusal::code), expected, "at {now}");
            let verdict = world.authenticate(&leaf, "acme-ca", &connect);
            assert_eq!(accepted(&verdict).is_some(), expected.is_none(), "at {now}: {verdict:?}");
        }
        let fresh = word(&world.clone().connect(&authorities()[0].device("dev2")).outcome);
        assert_eq!(fresh, if expected.is_none() { "granted" } else { "chain_refused" }, "at {now}");
    }
}

#[test]
fn f30_a_client_id_of_another_device_gets_nowhere() {
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    let [victim, thief] = ["victim", "thief"].map(|name| authorities()[0].device(name));
    assert!(world.connect(&victim).outcome.is_ok());
    let refused = |world: &World| match world.authenticate(&thief, "acme-ca", &standard("meter_victim")) {
        Verdict::Refuse(refusal) => refusal,
        other => panic!("not refused: {other:?}"),
    };
    assert_eq!(refused(&world), Refusal::CertificateMismatch);
    assert!(world.connect(&thief).outcome.is_ok());
    assert_eq!(refused(&world), Refusal::DeviceMismatch, "a certificate that is another's");
    let unknown = world.authenticate(&authorities()[0].device("new"), "acme-ca", &standard("meter_newer"));
    assert_eq!(unknown, Verdict::Refuse(Refusal::DeviceMismatch), "before anything is registered");
}

#[test]
fn a_pre_registered_device_is_pinned_by_its_name_where_no_template_says_otherwise() {
    let mut world = World::furnished();
    world.pre_register("gate", "acme", "meter", pinned(None, None));
    let leaf = authorities()[0].device("serial-77");
    let asked = world.authenticate(&leaf, "acme-ca", &standard("gate"));
    assert_eq!(asked, Verdict::Register { derived: id("gate"), claimed: Some(id("gate")) });
    assert_eq!(word(&world.connect(&leaf).outcome), "template_not_bound", "without the claim there is nothing to go by");
    let outcome = world.connect_as(&leaf, Some(id("gate"))).outcome;
    assert!(matches!(outcome, Ok(Decision::Record(Event::DeviceCertificatePinned { .. }))), "{outcome:?}");
    assert_eq!(accepted(&world.authenticate(&leaf, "acme-ca", &standard("gate"))), Some("gate"));
    let second = authorities()[0].device("serial-78");
    assert_eq!(word(&world.connect_as(&second, Some(id("gate"))).outcome), "certificate_mismatch");
}

#[test]
fn f36_the_space_is_that_of_the_ca_whatever_anybody_claims() {
    let mut world = World::furnished();
    world.pre_register("gate", "acme", "meter", pinned(None, None));
    let foreign = authorities()[1].device("serial-77");
    assert_eq!(word(&world.connect_as(&foreign, Some(id("gate"))).outcome), "device_elsewhere");
    assert_eq!(world.authenticate(&foreign, "globex-ca", &standard("gate")), Verdict::Refuse(Refusal::DeviceMismatch));
    // A product that the certificate names is looked for in the CA's own space only.
    let attribute = |attribute: SubjectAttribute| DraftValue::Ref(attribute.parameter().into());
    let draft = TemplateDraft {
        parameters: [SubjectAttribute::CommonName, SubjectAttribute::Organization]
            .map(|found| (found.parameter().into(), "String".into()))
            .into(),
        node_id: Some(attribute(SubjectAttribute::CommonName)),
        product_id: Some(attribute(SubjectAttribute::Organization)),
        ..TemplateDraft::default()
    };
    world.put_in_force("t", draft, "acme-ca");
    let named = |product: &str| {
        let subject = [(rcgen::DnType::CommonName, "dev1"), (rcgen::DnType::OrganizationName, product)];
        authorities()[0].issue(&subject, (2026, 1))
    };
    assert_eq!(word(&world.connect(&named("pump")).outcome), "product_in_another_space");
    let nowhere = world.connect(&named("none")).outcome;
    assert_eq!(word(&nowhere), "product_in_another_space", "whoever may have certificates issued is not told where it is");
    let outcome = world.connect(&named("meter")).outcome;
    assert!(
        matches!(&outcome, Ok(Decision::Record(Event::DeviceRegistered { profile, .. })) if profile.space == id("acme"))
    );
}

#[test]
fn a_connector_cannot_give_commands_nor_speak_for_another_certificate() {
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    let leaf = authorities()[0].device("dev1");
    let actor = Actor::Certificate(leaf.facts.sha256);
    let command = RequestBody::Command(Command::DeleteCa { ca: id("acme-ca"), distrust: Distrust::No });
    assert_eq!(word(&world.ask(actor, command).outcome), "invalid_field");
    let connect = RequestBody::CertificateConnect { chain: vec![leaf.der.clone()], claimed: None };
    assert_eq!(word(&world.ask(Actor::Certificate([0; 32]), connect.clone()).outcome), "invalid_field");
    assert_eq!(word(&world.ask(Actor::Operator("a\nb".into()), connect.clone()).outcome), "invalid_field");
    assert_eq!(word(&world.ask(Actor::Operator("olga".into()), connect).outcome), "granted", "a replay by an operator");
}

#[test]
fn every_check_is_kept_in_order_and_the_failed_one_is_last() {
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    let names = |checks: &[crate::registry::Check]| checks.iter().map(|check| check.name).collect::<Vec<_>>();
    let granted = world.connect(&authorities()[0].device("dev1"));
    assert_eq!(
        names(&granted.checks),
        [
            "chain_leads_to_verified_ca",
            "ca_certificate_within_validity",
            "certificate_readable",
            "request_is_of_this_certificate",
            "certificate_within_validity",
            "certificate_not_retired",
            "template_in_force",
            "template_makes_a_device",
            "no_collision",
            "self_registration_available",
            "product_in_space_of_ca",
            "policies_in_space_of_ca",
            "tags_within_limits",
            "room_for_retired_certificates",
            "device_quota",
        ]
    );
    assert!(granted.checks.iter().all(|check| check.passed));
    let hostile = world.connect(&authorities()[0].device("dev\u{202e}1"));
    let (last, before) = hostile.checks.split_last().unwrap();
    assert!(before.iter().all(|check| check.passed) && !last.passed);
    assert_eq!(last.name, "template_makes_a_device");
    let printable = |c: char| !c.is_control() && c != '\u{202e}';
    assert!(hostile.checks.iter().all(|check| check.detail.chars().all(printable)), "{:?}", hostile.checks);
    let stranger = world.connect(&Authority::new("nobody").device("dev1"));
    assert_eq!(names(&stranger.checks), ["chain_leads_to_verified_ca"]);
    assert!(!stranger.checks[0].passed);
}
