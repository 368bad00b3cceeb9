//! Asking what would be: what a changed template would do to a device, and what a certificate would come to.
//!
//! Each answer is held against what then really happens.

use rcgen::DnType;

use super::world::{Authority, Leaf, World, any, authorities, cn_template, id, pinned, replacing, standard, word};
use crate::{
    authenticate::Verdict,
    certificate::SubjectAttribute,
    fleet::AvailabilityRules,
    ids::DeviceId,
    refusal::Refusal,
    registry::{
        Command, Context, DebugOutcome, Debugged, DeviceEntry, Devices, WhatIf, command::TemplateChange, debug, what_if,
    },
    template::{DraftValue, TemplateDraft},
};

/// A world with the template `t` in force, and the device that a certificate (CN `dev1`, serial number `sn1`) became by it.
fn registered() -> (World, Leaf) {
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    let leaf = authorities()[0].issue(&[(DnType::CommonName, "dev1"), (serial_number(), "sn1")], (2026, 1));
    assert_eq!(word(&world.connect(&leaf).outcome), "granted");
    (world, leaf)
}

fn serial_number() -> DnType {
    DnType::CustomDnType(vec![2, 5, 4, 5])
}

/// The node id is the attribute; the product is `product`.
fn by(attribute: SubjectAttribute, product: &str) -> TemplateDraft {
    let parameter = attribute.parameter();
    TemplateDraft {
        parameters: vec![(parameter.into(), "String".into())],
        node_id: Some(DraftValue::Ref(parameter.into())),
        ..cn_template(product)
    }
}

/// The device id is the CN: the product is free to be another.
fn explicit(product: &str) -> TemplateDraft {
    let cn = SubjectAttribute::CommonName.parameter();
    TemplateDraft { device_id: Some(DraftValue::Ref(cn.into())), ..cn_template(product) }
}

fn dry_run(world: &World, leaf: &Leaf, device: &str, draft: &TemplateDraft) -> WhatIf {
    let Some(DeviceEntry::Live(device)) = world.registry.entry(&id(device)) else { panic!("the device is there") };
    let ca = &world.registry.configuration.cas[&id("acme-ca")];
    what_if(&draft.validate().unwrap(), ca, &device, &leaf.facts, &world.registry)
}

#[test]
fn a_changed_template_locks_out_whom_the_dry_run_said() {
    let (mut world, leaf) = registered();
    let id_of = |text: &str| id::<DeviceId>(text);
    world.pre_register("lamp_dev1", "acme", "lamp", pinned(None, None));
    world.pre_register("meter_sn1", "acme", "meter", pinned(None, None));
    world.grant(Command::DeleteDevice { device: id("meter_sn1") });
    let named = TemplateDraft {
        tags: vec![(DraftValue::Static("a".into()), DraftValue::Static("b".into()))],
        ..cn_template("meter")
    };
    let cases = [
        (cn_template("meter"), WhatIf::Unchanged),
        (named, WhatIf::Unchanged),
        (by(SubjectAttribute::SerialNumber, "lamp"), WhatIf::OtherDevice { would_be: id_of("lamp_sn1") }),
        (cn_template("lamp"), WhatIf::Collides { would_be: id_of("lamp_dev1") }),
        (by(SubjectAttribute::SerialNumber, "meter"), WhatIf::Collides { would_be: id_of("meter_sn1") }),
    ];
    for (draft, expected) in cases {
        assert_eq!(dry_run(&world, &leaf, "meter_dev1", &draft), expected);
        held(&world, &leaf, "meter_dev1", &draft, &expected);
    }
    let unfit = by(SubjectAttribute::Organization, "meter");
    let change = dry_run(&world, &leaf, "meter_dev1", &unfit);
    assert!(matches!(change, WhatIf::NoDevice(_)) && change.name() == "no_device", "{change:?}");
    held(&world, &leaf, "meter_dev1", &unfit, &change);
}

#[test]
fn the_same_device_id_of_another_product_is_another_device() {
    let mut world = World::furnished();
    world.put_in_force("t", explicit("meter"), "acme-ca");
    let leaf = authorities()[0].device("dev1");
    assert_eq!(word(&world.connect(&leaf).outcome), "granted");
    let change = dry_run(&world, &leaf, "dev1", &explicit("lamp"));
    assert_eq!(change, WhatIf::ProductElsewhere { would_be: id("lamp") });
    held(&world, &leaf, "dev1", &explicit("lamp"), &change);
    assert_eq!(dry_run(&world, &leaf, "dev1", &explicit("meter")), WhatIf::Unchanged);
}

/// Changes the template, and looks who gets in: by the template only whom it leaves unchanged, in the standard form all.
fn held(world: &World, leaf: &Leaf, device: &str, draft: &TemplateDraft, change: &WhatIf) {
    let mut world = world.clone();
    world.grant(Command::UpdateTemplate { template: id("t"), description: None, body: Some(draft.clone()) });
    let verdict = world.authenticate(leaf, "acme-ca", &any());
    match change {
        WhatIf::Unchanged => assert!(matches!(verdict, Verdict::Accept(_)), "{verdict:?}"),
        _ => assert_eq!(verdict, Verdict::Refuse(Refusal::TemplateNoLongerDerives), "{change:?}"),
    }
    let named = world.authenticate(leaf, "acme-ca", &standard(device));
    assert!(matches!(named, Verdict::Accept(_)), "a client in the standard form asks no template: {named:?}");
}

fn debugged(world: &World, leaf: &Leaf, ca: &str) -> Debugged {
    debugged_chain(world, std::slice::from_ref(&leaf.der), ca)
}

fn debugged_chain(world: &World, chain: &[Box<[u8]>], ca: &str) -> Debugged {
    let trust = world.registry.configuration.trust_store();
    let context = Context {
        now: world.now,
        instance: &world.instance,
        availability: &AvailabilityRules::default(),
        trust: &trust,
        verification_code: "",
        devices_max_default: world.devices_max,
    };
    debug(&world.registry.configuration, &world.registry, chain, &id(ca), &context)
}

/// The names of the checks that failed.
fn failed(debugged: &Debugged) -> Vec<&'static str> {
    debugged.checks.iter().filter(|check| !check.passed).map(|check| check.name).collect()
}

#[test]
fn a_certificate_is_debugged_as_it_would_be_ruled_on() {
    let mut world = World::furnished();
    let (dev1, dev2) = (authorities()[0].device("dev1"), authorities()[0].device("dev2"));
    world.put_in_force("t", replacing(cn_template("meter")), "acme-ca");
    world.pre_register("meter_dev2", "acme", "meter", pinned(None, None));
    for (leaf, expected) in [(&dev1, "register"), (&dev2, "pin")] {
        let debugged = debugged(&world, leaf, "acme-ca");
        assert_eq!((debugged.outcome.word(), failed(&debugged)), (expected, vec![]));
        assert!(!world.history.iter().any(|event| event.device() == Some(&id("meter_dev1"))), "nothing happens by it");
    }
    let shown = debugged(&world, &dev1, "acme-ca");
    assert_eq!(shown.derived.map(|derived| derived.device_id), Some(id("meter_dev1")));
    assert_eq!(shown.template, Some((id("t"), 1)));
    assert_eq!(word(&world.connect(&dev1).outcome), "granted");
    assert_eq!(debugged(&world, &dev1, "acme-ca").outcome, DebugOutcome::AlreadyRegistered);
    let newer = authorities()[0].issue(&[(DnType::CommonName, "dev1")], (2026, 3));
    assert_eq!(debugged(&world, &newer, "acme-ca").outcome, DebugOutcome::Replace);
    let older = authorities()[0].issue(&[(DnType::CommonName, "dev1")], (2025, 3));
    assert_eq!(debugged(&world, &older, "acme-ca").outcome.word(), "certificate_not_newer");
    world.grant(Command::SwitchCertificate { device: id("meter_dev1"), fingerprint: dev1.sha256(), active: false });
    assert_eq!(failed(&debugged(&world, &dev1, "acme-ca")), ["certificate_active"]);
}

#[test]
fn what_stands_in_the_way_is_said_and_the_rest_is_shown() {
    let mut world = World::furnished();
    let leaf = authorities()[0].device("dev1");
    let bare = debugged(&world, &leaf, "acme-ca");
    assert_eq!((bare.outcome.word(), bare.derived.is_some()), ("template_not_bound", false));
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    world.configure("acme-ca", TemplateChange::Keep, Some(false));
    let off = debugged(&world, &leaf, "acme-ca");
    assert_eq!((off.outcome.word(), failed(&off)), ("self_registration_disabled", vec!["template_in_force"]));
    assert_eq!(off.derived.map(|derived| derived.device_id), Some(id("meter_dev1")));
    let unfit = authorities()[0].device("not an id");
    assert_eq!(failed(&debugged(&world, &unfit, "acme-ca")), ["template_in_force", "template_makes_a_device"]);

    let own = Authority::new("own CA");
    world.grant(Command::UploadCa { ca: id("own"), space: id("acme"), der: own.der.clone() });
    world.configure("own", TemplateChange::Bind(id("t")), None);
    let unverified = debugged(&world, &own.device("dev1"), "own");
    assert_eq!((unverified.outcome.word(), failed(&unverified)), ("ca_not_verified", vec!["ca_certificate_verified"]));
    assert!(unverified.derived.is_some());
    let strange = debugged(&world, &leaf, "own");
    let expected = ["ca_certificate_verified", "chain_leads_to_this_ca_certificate", "template_in_force"];
    assert_eq!((failed(&strange), &strange.instead), (expected.to_vec(), &Some(id("acme-ca"))));
    assert_eq!(debugged(&world, &leaf, "nowhere").outcome.word(), "not_found");
}

#[test]
fn a_chain_that_leads_elsewhere_is_said_to_and_tells_nothing_of_another_space() {
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    let foreign = authorities()[1].device("dev1");
    let told = debugged(&world, &foreign, "acme-ca");
    assert_eq!((told.outcome.word(), failed(&told)), ("chain_refused", vec!["chain_leads_to_this_ca_certificate"]));
    assert!(!format!("{:?}", told.checks).contains("globex"), "{:?}", told.checks);

    world.verified_ca("old-ca", "acme", &authorities()[0].before_renewal());
    let leaf = authorities()[0].device("dev1");
    let renewed = debugged(&world, &leaf, "old-ca");
    assert_eq!((renewed.outcome.word(), failed(&renewed)), ("register", vec!["chain_leads_to_this_ca_certificate"]));
    assert!(renewed.derived.is_some());
    assert_eq!(renewed.instead, Some(id("acme-ca")));
}

/// The listener refuses such a chain; debugging says the same, and whose it is.
#[test]
fn a_chain_that_does_not_hold_is_debugged_at_the_ca_certificate_that_it_is_from() {
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    let leaf = authorities()[0].device("dev1");
    world.verified_ca("old-ca", "acme", &authorities()[0].before_renewal());
    world.now = leaf.facts.not_after.plus_s(1);
    let told = debugged(&world, &leaf, "old-ca");
    assert_eq!((told.outcome.word(), &told.instead), ("chain_refused", &Some(id("acme-ca"))));
    assert!(told.outcome.text().contains("the device certificate (CN=dev1) expired at "), "{}", told.outcome.text());
    let large = [leaf.der.clone(), vec![0; crate::limits::CHAIN_BYTES_MAX].into()];
    let told = debugged_chain(&world, &large, "acme-ca");
    assert!(told.outcome.text().contains("at most 32768 are accepted"), "{}", told.outcome.text());
    let foreign = debugged(&world, &authorities()[1].device("dev1"), "acme-ca");
    assert_eq!((foreign.outcome.word(), &foreign.instead), ("chain_refused", &None));
    assert!(!format!("{foreign:?}").contains("globex"), "{foreign:?}");
}
