//! Whatever events come in whatever order, `evolve` neither panics nor lets anybody in who was not let in by a decision.

use std::collections::HashMap;

use proptest::prelude::*;

use super::world::{NOW, cn_template, details, id, pinned, profile};
use crate::{
    ids::{DeviceId, Fingerprint},
    policy::Policy,
    registry::{
        Devices, Event, PinKey, Registry, RetirementReason, Slot,
        event::{CaCertificate, DeclaredCredential, PolicyTarget, PresentedCertificate},
        state::{DeviceEntry, Template},
    },
};

fn name(prefix: &'static str) -> impl Strategy<Value = String> {
    (0..3u8).prop_map(move |n| format!("{prefix}{n}"))
}

fn fingerprint() -> impl Strategy<Value = Fingerprint> {
    prop_oneof![(0..4u8).prop_map(|n| Fingerprint::Sha256([n; 32])), (0..4u8).prop_map(|n| Fingerprint::Sha1([n; 20]))]
}

fn credential() -> impl Strategy<Value = DeclaredCredential> {
    prop_oneof![
        Just(DeclaredCredential::Secret),
        (proptest::option::of(fingerprint()), proptest::option::of(fingerprint())).prop_map(|(a, b)| pinned(a, b)),
    ]
}

fn certificate() -> impl Strategy<Value = PresentedCertificate> {
    (0..4u8, name("ca")).prop_map(|(n, ca)| PresentedCertificate {
        sha256: [n; 32],
        der: Box::default(),
        not_before: NOW.plus_s(i64::from(n)),
        ca: id(&ca),
        proof: None,
    })
}

fn about_configuration() -> impl Strategy<Value = Event> {
    let text = "text";
    prop_oneof![
        (name("s"), any::<bool>(), proptest::option::of(name("p"))).prop_map(move |(space, default_space, policy)| {
            let (space, default_policy) = (id(&space), policy.map(|policy| id(&policy)));
            Event::SpaceCreated { space, name: text.into(), default_space, default_policy }
        }),
        name("s").prop_map(move |space| Event::SpaceRenamed { space: id(&space), name: text.into() }),
        name("s").prop_map(|space| Event::SpaceDeleted { space: id(&space) }),
        (name("s"), name("prod")).prop_map(|(space, product)| Event::ProductCreated {
            space: id(&space),
            product: id(&product),
            details: details()
        }),
        (name("s"), name("prod"))
            .prop_map(|(space, product)| Event::ProductDeleted { space: id(&space), product: id(&product) }),
        (name("p"), name("s")).prop_map(move |(policy, space)| Event::PolicyCreated {
            policy: id(&policy),
            space: id(&space),
            name: text.into(),
            statements: Vec::new()
        }),
        name("p").prop_map(|policy| Event::PolicyDeleted { policy: id(&policy) }),
        (name("p"), target()).prop_map(|(policy, target)| Event::PolicyBound { policy: id(&policy), target }),
        (name("p"), target()).prop_map(|(policy, target)| Event::PolicyUnbound { policy: id(&policy), target }),
        name("t").prop_map(move |template| Event::TemplateCreated {
            template: id(&template),
            name: text.into(),
            description: text.into(),
            body: cn_template("prod0").validate().unwrap()
        }),
        name("t").prop_map(move |template| Event::TemplateUpdated {
            template: id(&template),
            description: text.into(),
            body: cn_template("prod1").validate().unwrap()
        }),
        name("t").prop_map(|template| Event::TemplateDeleted { template: id(&template) }),
        (name("ca"), name("s")).prop_map(move |(ca, space)| Event::CaUploaded {
            ca: id(&ca),
            space: id(&space),
            certificate: CaCertificate {
                der: Box::default(),
                cn_name: text.into(),
                sha256: [0; 32],
                name_and_key_sha256: [0; 32],
                not_before: NOW,
                not_after: NOW
            },
            code: text.into(),
            code_expires_at: NOW
        }),
        name("ca").prop_map(move |ca| Event::CaCodeIssued { ca: id(&ca), code: text.into(), code_expires_at: NOW }),
        name("ca").prop_map(|ca| Event::CaVerified { ca: id(&ca) }),
        (name("ca"), proptest::option::of(name("t")), any::<bool>()).prop_map(|(ca, template, self_registration)| {
            Event::CaConfigured { ca: id(&ca), template: template.map(|template| id(&template)), self_registration }
        }),
        (name("ca"), any::<bool>()).prop_map(|(ca, distrust)| Event::CaDeleted { ca: id(&ca), distrust }),
        fingerprint().prop_map(|fingerprint| Event::RetiredForgotten { fingerprints: vec![fingerprint] }),
    ]
}

fn target() -> impl Strategy<Value = PolicyTarget> {
    prop_oneof![
        name("d").prop_map(|device| PolicyTarget::Device(id(&device))),
        (name("s"), name("prod")).prop_map(|(space, product)| PolicyTarget::Product(id(&space), id(&product))),
        name("s").prop_map(|space| PolicyTarget::Space(id(&space))),
    ]
}

fn about_devices() -> impl Strategy<Value = Event> {
    prop_oneof![
        (name("d"), certificate()).prop_map(|(device, certificate)| Event::DeviceRegistered {
            profile: profile(&device, "s0", "prod0"),
            certificate,
            template: id("t0"),
            template_version: 1
        }),
        (name("d"), credential()).prop_map(|(device, credential)| Event::DevicePreRegistered {
            profile: profile(&device, "s0", "prod0"),
            credential,
            description: None,
            extension_info: None
        }),
        (name("d"), certificate())
            .prop_map(|(device, certificate)| Event::DeviceCertificatePinned { device: id(&device), certificate }),
        (name("d"), certificate())
            .prop_map(|(device, certificate)| Event::DeviceCertificateReplaced { device: id(&device), certificate }),
        name("d").prop_map(|device| Event::DeviceUpdated {
            device: id(&device),
            name: None,
            description: None,
            extension_info: None
        }),
        name("d").prop_map(|device| Event::DeviceTagsChanged { device: id(&device), tags: Vec::new() }),
        name("d").prop_map(|device| Event::DeviceFrozen { device: id(&device) }),
        name("d").prop_map(|device| Event::DeviceUnfrozen { device: id(&device) }),
        (name("d"), any::<bool>(), proptest::option::of(fingerprint())).prop_map(|(device, first, fingerprint)| {
            let slot = if first { Slot::Primary } else { Slot::Secondary };
            Event::DeviceFingerprintReset { device: id(&device), slot, fingerprint }
        }),
        (name("d"), fingerprint(), any::<bool>()).prop_map(|(device, fingerprint, active)| {
            Event::DeviceCertificateSwitched { device: id(&device), fingerprint, active }
        }),
        name("d").prop_map(|device| Event::DeviceDeleted { device: id(&device) }),
        name("d").prop_map(|device| Event::DeviceReadmitted { device: id(&device) }),
        (name("d"), fingerprint()).prop_map(|(device, fingerprint)| Event::CertificateRetired {
            fingerprint,
            device: id(&device),
            reason: RetirementReason::DeviceDeleted,
            not_after: None
        }),
        (proptest::option::of(name("d")), fingerprint()).prop_map(|(device, fingerprint)| {
            Event::CertificateReadmitted { fingerprint, device: device.map(|device| id(&device)) }
        }),
    ]
}

fn live(registry: &Registry) -> HashMap<&DeviceId, Vec<PinKey>> {
    let live = registry.devices.iter().filter_map(|(id, entry)| match entry {
        DeviceEntry::Live(device) => Some((id, device.pin_keys().map(|(key, _)| key).collect())),
        DeviceEntry::Deleted { .. } => None,
    });
    live.collect()
}

fn check(registry: &Registry) {
    let live = live(registry);
    assert_eq!(registry.count(), live.len() as u64, "live devices are counted");
    for (fingerprint, holder) in &registry.holders {
        assert!(live.get(holder).is_some_and(|pins| pins.contains(fingerprint)), "a holder has what it holds");
    }
    let configuration = &registry.configuration;
    for ca in configuration.cas.values() {
        assert!(configuration.spaces.contains_key(&ca.space), "a CA certificate has its space");
        let template: Option<Option<&Template>> = ca.template.as_ref().map(|template| configuration.templates.get(template));
        assert_ne!(template, Some(None), "a bound template exists");
        assert!(!ca.self_registration || ca.template.is_some(), "self-registration has a template");
    }
    for space in configuration.spaces.values() {
        assert!(space.policies.iter().all(|policy| configuration.policies.contains_key(policy)));
    }
}

proptest! {
    #[test]
    fn evolve_never_panics_and_keeps_its_own_order(
        events in proptest::collection::vec(prop_oneof![about_configuration(), about_devices()], 0..120)
    ) {
        let mut registry = Registry::default();
        for event in &events {
            let before = registry.clone();
            registry.evolve(event, NOW);
            check(&registry);
            let _ = event.affected_sessions();
            let returned = before.devices.iter().find(|(id, entry)| {
                let was_deleted = matches!(entry, DeviceEntry::Deleted { .. });
                was_deleted && !matches!(registry.devices.get(id), Some(DeviceEntry::Deleted { .. }))
            });
            if let Some((device, _)) = returned {
                let readmits = match event {
                    Event::DeviceReadmitted { device: readmitted } => readmitted == device,
                    Event::DevicePreRegistered { profile, .. } => profile.device == *device,
                    _ => false,
                };
                assert!(readmits, "f22: only an operator lifts a tombstone, not {event:?}");
            }
            if !event.changes_configuration() {
                assert_eq!(before.configuration, registry.configuration);
            }
        }
        let mut again = Registry::default();
        events.iter().for_each(|event| again.evolve(event, NOW));
        prop_assert_eq!(again, registry, "a replay gives the same registry");
    }

    #[test]
    fn other_policies_apply_to_a_device_only_after_an_event_that_says_so(
        events in proptest::collection::vec(prop_oneof![about_configuration(), about_devices()], 0..120)
    ) {
        let mut registry = Registry::default();
        let founding = [
            Event::SpaceCreated { space: id("s0"), name: "text".into(), default_space: true, default_policy: Some(id("p0")) },
            Event::ProductCreated { space: id("s0"), product: id("prod0"), details: details() },
            Event::DevicePreRegistered {
                profile: profile("d0", "s0", "prod0"),
                credential: DeclaredCredential::Secret,
                description: None,
                extension_info: None
            },
        ];
        for event in founding.iter().chain(&events) {
            // No decision creates a space or a product that devices belong to already.
            let created = matches!(event, Event::SpaceCreated { .. } | Event::ProductCreated { .. });
            if created && registry.count() > 0 {
                continue;
            }
            let before = registry.clone();
            registry.evolve(event, NOW);
            let affected = event.affected_topics();
            for device in live(&registry).into_keys().filter(|device| !affected.contains(device, &[0; 32])) {
                prop_assert_eq!(policies(&before, device), policies(&registry, device), "of {} after {:?}", device, event);
            }
        }
    }
}

fn policies(registry: &Registry, device: &DeviceId) -> Option<Vec<Policy>> {
    match registry.entry(device)? {
        DeviceEntry::Live(device) => Some(registry.configuration.policies_of(&device).cloned().collect()),
        DeviceEntry::Deleted { .. } => None,
    }
}
