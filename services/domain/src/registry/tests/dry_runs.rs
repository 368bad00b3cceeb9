//! Asking what would be: what a changed template would do to a device, and what a certificate would come to.
//!
//! Each answer is held against what then really happens.

use rcgen::DnType;

use super::world::{Authority, Leaf, World, any, authorities, cn_template, id, pinned, replacing, standard, word};
use crate::{
    authenticate::Verdict,
    certificate::{
        SubjectAttribute,
        path::{PathError, TrustStore},
    },
    fleet::AvailabilityRules,
    ids::{DeviceId, SpaceId},
    refusal::Refusal,
    registry::{
        Below, ChainIssuer, Command, Context, DebugOutcome, Debugged, Decision, DeviceEntry, Devices, Event, Previewed,
        Template, WhatIf, command::TemplateChange, debug, issuer_of, preview, supposed, what_if,
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
    let (trust, availability) = (world.registry.configuration.trust_store(), AvailabilityRules::default());
    let context = context(world, &trust, &availability);
    debug(&world.registry.configuration, &world.registry, chain, &id(ca), None, &context)
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

/// Works out a template that is not saved, as seen by somebody who may see `spaces`.
fn previewed(world: &World, leaf: &Leaf, draft: &TemplateDraft, below: Below<'_>, spaces: &[&str]) -> Previewed {
    let configuration = &world.registry.configuration;
    let trust = configuration.trust_store();
    let availability = AvailabilityRules::default();
    let context = context(world, &trust, &availability);
    let template = Template {
        id: id("unsaved"),
        name: "".into(),
        description: "".into(),
        body: draft.validate().unwrap(),
        version: 1,
        created_at: world.now,
        updated_at: world.now,
    };
    let visible = |space: &SpaceId| spaces.contains(&space.as_str());
    let supposed = supposed(configuration, template.clone(), &visible);
    preview(supposed, &world.registry, &template, &leaf.chain(), &leaf.facts, below, &context)
}

fn context<'a>(world: &'a World, trust: &'a TrustStore, availability: &'a AvailabilityRules) -> Context<'a> {
    Context {
        now: world.now,
        instance: &world.instance,
        availability,
        trust,
        verification_code: "",
        devices_max_default: world.devices_max,
    }
}

#[test]
fn an_unsaved_template_makes_what_it_makes_once_it_is_in_force() {
    let world = World::furnished();
    let leaf = authorities()[0].issue(&[(DnType::CommonName, "dev1"), (serial_number(), "sn1")], (2026, 1));
    let ca = id("acme-ca");
    let mut registered = world.clone();
    registered.put_in_force("old", cn_template("meter"), "acme-ca");
    registered.connect(&leaf);
    let mut waiting = world.clone();
    waiting.pre_register("meter_sn1", "acme", "meter", pinned(None, None));
    let drafts = [
        cn_template("meter"),
        by(SubjectAttribute::SerialNumber, "meter"),
        by(SubjectAttribute::Organization, "meter"),
        cn_template("lamp"),
    ];
    for world in [&world, &registered, &waiting] {
        for draft in &drafts {
            let seen = previewed(world, &leaf, draft, Below::Ca(&ca), &["acme", "globex"]);
            let debugged = seen.debugged.as_ref().unwrap();
            let mut then = world.clone();
            then.put_in_force("new", draft.clone(), "acme-ca");
            let outcome = then.connect(&leaf).outcome;
            let expected = match &outcome {
                Ok(Decision::AlreadySo) => "already_registered",
                Ok(Decision::Record(Event::DeviceCertificatePinned { .. })) => "pin",
                Ok(_) => "register",
                Err(rejection) => rejection.code(),
            };
            assert_eq!(debugged.outcome.word(), expected, "{draft:?}");
            if let (Ok(derived), Ok(_)) = (&seen.derived, &outcome) {
                let Some(DeviceEntry::Live(device)) = then.registry.entry(&derived.device_id) else { panic!("{outcome:?}") };
                assert_eq!(device.product, derived.product_id);
                assert_eq!(seen.collision, None, "{outcome:?}");
            }
        }
    }
}

#[test]
fn a_preview_tells_of_a_collision_also_without_a_ca_certificate() {
    let (mut world, leaf) = registered();
    let space = id::<SpaceId>("acme");
    let strange = Authority::new("not uploaded").device("dev1");
    let seen = previewed(&world, &strange, &cn_template("meter"), Below::Space(&space), &["acme"]);
    assert_eq!(seen.derived.map(|derived| derived.device_id), Ok(id("meter_dev1")));
    assert_eq!((seen.debugged, seen.unbindable), (None, None));
    assert_eq!(seen.collision.map(|rejection| rejection.code()), Some("certificate_mismatch"));
    let free = Authority::new("not uploaded").device("dev9");
    assert_eq!(previewed(&world, &free, &cn_template("meter"), Below::Space(&space), &["acme"]).collision, None);
    let ca = id("acme-ca");
    let other = previewed(&world, &leaf, &by(SubjectAttribute::SerialNumber, "meter"), Below::Ca(&ca), &["acme"]);
    assert_eq!(other.collision.map(|rejection| rejection.code()), Some("certificate_held_by_other"));
    world.grant(Command::DeleteDevice { device: id("meter_dev1") });
    let gone = previewed(&world, &leaf, &cn_template("meter"), Below::Ca(&ca), &["acme"]);
    assert_eq!(gone.collision.map(|rejection| rejection.code()), Some("certificate_retired"));
}

#[test]
fn what_is_in_another_space_is_to_a_preview_as_what_is_nowhere() {
    let world = World::furnished();
    let leaf = authorities()[0].device("dev1");
    let ca = id("acme-ca");
    let told = |product: &str, spaces: &[&str]| {
        let seen = previewed(&world, &leaf, &cn_template(product), Below::Ca(&ca), spaces);
        (seen.unbindable.unwrap().code(), seen.debugged.unwrap().outcome.word())
    };
    assert_eq!(told("pump", &["acme", "globex"]), ("product_in_another_space", "product_in_another_space"));
    assert_eq!(told("pump", &["acme"]), told("nowhere", &["acme"]));
}

#[test]
fn the_ca_certificate_of_a_chain_is_found_and_none_named_that_may_not_be_seen() {
    let mut world = World::furnished();
    let everywhere = |_: &SpaceId| true;
    let found = |world: &World, chain: &[Box<[u8]>], visible: &dyn Fn(&SpaceId) -> bool| {
        let (trust, availability) = (world.registry.configuration.trust_store(), AvailabilityRules::default());
        issuer_of(&world.registry.configuration, chain, &context(world, &trust, &availability), visible)
    };
    let leaf = authorities()[0].device("dev1");
    let chain = std::slice::from_ref(&leaf.der);
    assert_eq!(found(&world, chain, &everywhere), Ok(ChainIssuer::InForce(id("acme-ca"))));
    let elsewhere = |space: &SpaceId| space.as_str() != "acme";
    assert_eq!(found(&world, chain, &elsewhere), Err(PathError::UnknownIssuer));

    // A key of another's CA, or none of it: the same to who may not see it.
    let forged = [Authority::new("acme devices").device("dev1").der];
    assert_eq!(found(&world, &forged, &elsewhere), Err(PathError::UnknownIssuer));

    let own = Authority::new("own CA");
    let of_own = [own.device("dev1").der];
    assert_eq!(found(&world, &of_own, &everywhere), Err(PathError::UnknownIssuer));
    world.grant(Command::UploadCa { ca: id("own"), space: id("acme"), der: own.der.clone() });
    assert_eq!(found(&world, &of_own, &everywhere), Ok(ChainIssuer::NotInForce(id("own"))));
    assert_eq!(found(&world, &of_own, &elsewhere), Err(PathError::UnknownIssuer));

    assert_eq!(found(&world, &[], &everywhere), Err(PathError::Empty));
    let large = [leaf.der.clone(), vec![0; crate::limits::CHAIN_BYTES_MAX].into()];
    assert!(matches!(found(&world, &large, &everywhere), Err(PathError::TooManyBytes { .. })));
    world.now = leaf.facts.not_after.plus_s(1);
    assert_eq!(
        found(&world, chain, &everywhere),
        Ok(ChainIssuer::InForce(id("acme-ca"))),
        "expired, and from it all the same"
    );
    assert_eq!(found(&world, chain, &elsewhere), found(&world, &forged, &elsewhere));
}
