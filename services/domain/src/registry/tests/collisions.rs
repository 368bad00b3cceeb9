//! Every row of the collision table of `registry::collision`, with what the registrar writes.

use super::world::{Authority, Leaf, World, authorities, cn_template, id, pinned, replacing, word};
use crate::{
    certificate::path::PROVER,
    ids::Fingerprint,
    registry::{CheckedDecision, Command, Credential, Decision, DeviceEntry, Devices, Event},
    template::TemplateDraft,
};

/// A furnished world where CN `x` of the acme CA becomes device `meter_x`, and a certificate of CN `dev1`.
fn world(draft: TemplateDraft) -> (World, Leaf) {
    let mut world = World::furnished();
    world.put_in_force("t", draft, "acme-ca");
    (world, authorities()[0].device("dev1"))
}

fn recorded(decision: CheckedDecision) -> Event {
    match decision.outcome {
        Ok(Decision::Record(event)) => event,
        other => panic!("not recorded: {other:?}"),
    }
}

fn primary(world: &World, device: &str) -> Option<Fingerprint> {
    let Some(DeviceEntry::Live(device)) = world.registry.entry(&id(device)) else { panic!("{device} is not live") };
    match device.credential {
        Credential::Certificates { primary, .. } => primary.map(|pin| pin.fingerprint),
        Credential::Secret => None,
    }
}

#[test]
fn unknown_device_and_certificate_register() {
    let (mut world, leaf) = world(cn_template("meter"));
    let Event::DeviceRegistered { profile, certificate, template, template_version } = recorded(world.connect(&leaf)) else {
        panic!("not a registration")
    };
    assert_eq!((profile.device.as_str(), profile.node_id.as_str()), ("meter_dev1", "dev1"));
    assert_eq!((profile.space.as_str(), profile.product.as_str()), ("acme", "meter"));
    assert_eq!((certificate.sha256, &certificate.der, certificate.ca.as_str()), (leaf.facts.sha256, &leaf.der, "acme-ca"));
    let proof = certificate.proof.unwrap();
    let ca = &world.registry.configuration.cas[&id("acme-ca")];
    assert_eq!((proof.not_after, proof.prover), (leaf.facts.not_after, PROVER));
    assert_eq!(proof.ca_name_and_key_sha256, ca.name_and_key_sha256, "the hash that the upload has recorded");
    let above: Vec<_> =
        proof.chain.iter().map(|above| (above.name_and_key_sha256, above.not_before, above.not_after)).collect();
    assert_eq!(above, [(ca.name_and_key_sha256, ca.not_before, ca.not_after)]);
    assert_eq!((template.as_str(), template_version), ("t", 1));
    assert_eq!(primary(&world, "meter_dev1"), Some(leaf.sha256()));
}

#[test]
fn known_with_this_fingerprint_is_the_same_device() {
    let (mut world, leaf) = world(cn_template("meter"));
    recorded(world.connect(&leaf));
    assert_eq!(world.connect(&leaf).outcome, Ok(Decision::AlreadySo));
    for declared in [pinned(Some(leaf.sha1()), None), pinned(None, Some(leaf.sha256()))] {
        let (mut world, _) = self::world(cn_template("meter"));
        world.pre_register("meter_dev1", "acme", "meter", declared);
        assert_eq!(world.connect(&leaf).outcome, Ok(Decision::AlreadySo));
    }
}

#[test]
fn pre_registered_without_fingerprint_is_pinned() {
    let (mut world, leaf) = world(cn_template("meter"));
    world.pre_register("meter_dev1", "acme", "meter", pinned(None, None));
    let event = recorded(world.connect(&leaf));
    assert!(matches!(event, Event::DeviceCertificatePinned { device, .. } if device.as_str() == "meter_dev1"));
    assert_eq!(primary(&world, "meter_dev1"), Some(leaf.sha256()));
    assert_eq!(word(&world.connect(&authorities()[0].device("dev1")).outcome), "certificate_mismatch");
}

#[test]
fn another_fingerprint_is_rejected_unless_the_template_says_replace() {
    let subject = [(rcgen::DnType::CommonName, "dev1")];
    let newer = authorities()[0].issue(&subject, (2026, 3));
    let (mut world, leaf) = world(cn_template("meter"));
    recorded(world.connect(&leaf));
    assert_eq!(word(&world.connect(&newer).outcome), "certificate_mismatch");

    let (mut world, _) = self::world(replacing(cn_template("meter")));
    recorded(world.connect(&leaf));
    let event = recorded(world.connect(&newer));
    assert!(matches!(event, Event::DeviceCertificateReplaced { device, .. } if device.as_str() == "meter_dev1"));
    assert_eq!(primary(&world, "meter_dev1"), Some(newer.sha256()));
    assert_eq!(word(&world.connect(&leaf).outcome), "certificate_retired", "the old one does not come back");
    let same_day = authorities()[0].issue(&subject, (2026, 3));
    assert_eq!(word(&world.connect(&same_day).outcome), "certificate_not_newer");
}

#[test]
fn a_renewed_ca_certificate_is_the_same_ca_another_is_not() {
    let (mut world, _) = world(replacing(cn_template("meter")));
    world.delete_ca("acme-ca");
    world.verified_ca("acme-old", "acme", &authorities()[0].before_renewal());
    world.configure("acme-old", crate::registry::command::TemplateChange::Bind(id("t")), Some(true));
    let subject = [(rcgen::DnType::CommonName, "dev1")];
    recorded(world.connect(&authorities()[0].issue(&subject, (2025, 1))));
    world.verified_ca("acme-ca", "acme", &authorities()[0]);
    world.configure("acme-ca", crate::registry::command::TemplateChange::Bind(id("t")), Some(true));
    let other = Authority::new("acme devices");
    world.verified_ca("acme-other", "acme", &other);
    world.configure("acme-other", crate::registry::command::TemplateChange::Bind(id("t")), Some(true));
    assert_eq!(word(&world.connect(&other.issue(&subject, (2026, 3))).outcome), "certificate_not_newer");
    let event = recorded(world.connect(&authorities()[0].issue(&subject, (2026, 3))));
    assert!(matches!(event, Event::DeviceCertificateReplaced { certificate, .. } if certificate.ca.as_str() == "acme-ca"));
}

#[test]
fn another_space_another_product_and_a_secret_are_rejected() {
    let cases = [("acme", "lamp", pinned(None, None)), ("globex", "meter", pinned(None, None))];
    for (space, product, credential) in cases {
        let (mut world, leaf) = world(cn_template("meter"));
        world.pre_register("meter_dev1", space, product, credential);
        assert_eq!(word(&world.connect(&leaf).outcome), "device_elsewhere");
    }
    let (mut world, leaf) = world(cn_template("meter"));
    world.pre_register("meter_dev1", "acme", "meter", crate::registry::event::DeclaredCredential::Secret);
    assert_eq!(word(&world.connect(&leaf).outcome), "secret_authenticated");
}

#[test]
fn f22_a_deleted_device_is_rejected_until_it_is_readmitted() {
    let (mut world, leaf) = world(cn_template("meter"));
    recorded(world.connect(&leaf));
    world.grant(Command::DeleteDevice { device: id("meter_dev1") });
    let newer = authorities()[0].issue(&[(rcgen::DnType::CommonName, "dev1")], (2026, 3));
    for (certificate, code) in [(&leaf, "certificate_retired"), (&newer, "device_deleted")] {
        assert_eq!(word(&world.connect(certificate).outcome), code);
        assert_eq!(word(&world.connect_as(certificate, Some(id("meter_dev1"))).outcome), code);
    }
    world.grant(Command::ReadmitDevice { device: id("meter_dev1") });
    assert!(matches!(recorded(world.connect(&leaf)), Event::DeviceRegistered { .. }));
}

#[test]
fn f33_one_certificate_is_one_device() {
    let (mut world, leaf) = world(cn_template("meter"));
    recorded(world.connect(&leaf));
    world.grant(Command::UpdateTemplate { template: id("t"), description: None, body: Some(cn_template("lamp")) });
    assert_eq!(word(&world.connect(&leaf).outcome), "certificate_held_by_other");
    world.pre_register("lamp_dev2", "acme", "lamp", pinned(None, None));
    assert_eq!(word(&world.connect_as(&leaf, Some(id("lamp_dev2"))).outcome), "device_mismatch");
    world.configure("acme-ca", crate::registry::command::TemplateChange::Keep, Some(false));
    assert_eq!(word(&world.connect_as(&leaf, Some(id("lamp_dev2"))).outcome), "certificate_held_by_other");
    let profile = super::world::profile("lamp_dev3", "acme", "lamp");
    let credential = pinned(None, Some(leaf.sha256()));
    assert_eq!(
        world.word(Command::PreRegisterDevice { profile, credential, description: None, extension_info: None }),
        "certificate_held_by_other"
    );
}

#[test]
fn a_frozen_device_is_neither_pinned_nor_given_a_new_certificate() {
    let (mut world, leaf) = world(replacing(cn_template("meter")));
    world.pre_register("meter_dev1", "acme", "meter", pinned(None, None));
    world.grant(Command::FreezeDevice { device: id("meter_dev1") });
    assert_eq!(word(&world.connect(&leaf).outcome), "device_frozen");
    world.grant(Command::UnfreezeDevice { device: id("meter_dev1") });
    recorded(world.connect(&leaf));
    world.grant(Command::FreezeDevice { device: id("meter_dev1") });
    let newer = authorities()[0].issue(&[(rcgen::DnType::CommonName, "dev1")], (2026, 3));
    assert_eq!(word(&world.connect(&newer).outcome), "device_frozen");
}
