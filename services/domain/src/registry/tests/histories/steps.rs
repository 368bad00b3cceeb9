//! What may happen in a random history: steps over small pools of ids, so that they meet.

use proptest::prelude::*;

use super::super::world::{authorities, cn_template, details, id, pinned, profile, replacing};
use crate::{
    certificate::SubjectAttribute,
    ids::{DeviceId, Fingerprint, PolicyId},
    registry::{
        Command, Slot,
        command::{Distrust, TemplateChange},
        event::{DeclaredCredential, PolicyTarget},
    },
    template::{DraftValue, TemplateDraft},
};

pub(super) const SPACES: [&str; 2] = ["s0", "s1"];
pub(super) const PRODUCTS: [&str; 2] = ["p0", "p1"];
pub(super) const DEVICES: [&str; 4] = ["p0_a", "p0_b", "p1_a", "a"];
const POLICIES: [&str; 3] = ["x0", "x1", "x2"];
pub(super) const TEMPLATES: [&str; 4] = ["t0", "t1", "t2", "t3"];
/// CA certificate id, space, and which certificate it has when it is not another's: 0 acme, 1 acme before its renewal, 2 globex,
/// 3 the one below acme. Acme is in both spaces.
pub(super) const CAS: [(&str, &str, usize); 5] =
    [("c0", "s0", 0), ("c1", "s0", 1), ("c2", "s1", 0), ("c3", "s1", 2), ("c4", "s0", 3)];

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a hundred of them at a time")]
pub(super) enum Step {
    Command(Command),
    /// Prove possession of a CA's key with the code that is awaited.
    Prove(usize),
    /// A device connects, naming that device in the standard form or nothing in particular.
    Connect(usize, Option<usize>),
    /// A certificate-connect event comes without the connector having authenticated first, as from one whose view is old.
    Event(usize, Option<usize>),
    /// So many hours pass.
    Wait(i64),
}

/// Device id, product and the rest of each template; the last takes the CN as the device id itself.
pub(super) fn draft(n: usize) -> TemplateDraft {
    match n {
        0 => cn_template("p0"),
        1 => cn_template("p1"),
        2 => replacing(cn_template("p0")),
        _ => {
            let cn = DraftValue::Ref(SubjectAttribute::CommonName.parameter().into());
            TemplateDraft { device_id: Some(cn), ..cn_template("p1") }
        }
    }
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..6usize, proptest::option::of(0..4usize)).prop_map(|(leaf, named)| Step::Connect(leaf, named)),
        2 => (0..6usize, proptest::option::of(0..4usize)).prop_map(|(leaf, named)| Step::Event(leaf, named)),
        4 => (0..5usize).prop_map(Step::Prove),
        1 => (1..30i64).prop_map(Step::Wait),
        8 => ca_command().prop_map(Step::Command),
        4 => device_command().prop_map(Step::Command),
        2 => other_command().prop_map(Step::Command),
    ]
}

fn ca_command() -> impl Strategy<Value = Command> {
    let change = prop_oneof![
        Just(TemplateChange::Keep),
        (0..4usize).prop_map(|t| TemplateChange::Bind(id(TEMPLATES[t]))),
        Just(TemplateChange::Unbind)
    ];
    prop_oneof![
        4 => (0..5usize).prop_map(|c| Command::UploadCa { ca: id(CAS[c].0), space: id(CAS[c].1), der: der(CAS[c].2) }),
        2 => (0..5usize, 0..4usize)
            .prop_map(|(c, n)| Command::UploadCa { ca: id(CAS[c].0), space: id(CAS[c].1), der: der(n) }),
        1 => (0..5usize).prop_map(|c| Command::IssueCaCode { ca: id(CAS[c].0) }),
        6 => (0..5usize, change, proptest::option::of(proptest::bool::weighted(0.8))).prop_map(|(c, template, on)| {
            Command::ConfigureCa { ca: id(CAS[c].0), template, self_registration: on }
        }),
        2 => (0..5usize, distrust()).prop_map(|(c, distrust)| Command::DeleteCa { ca: id(CAS[c].0), distrust }),
        2 => (0..4usize).prop_map(|t| Command::CreateTemplate {
            template: id(TEMPLATES[t]),
            name: TEMPLATES[t].into(),
            description: "".into(),
            body: draft(t)
        }),
        2 => (0..4usize, 0..4usize).prop_map(|(t, body)| Command::UpdateTemplate {
            template: id(TEMPLATES[t]),
            description: None,
            body: Some(draft(body))
        }),
        1 => (0..4usize).prop_map(|t| Command::DeleteTemplate { template: id(TEMPLATES[t]) }),
    ]
}

fn der(n: usize) -> Box<[u8]> {
    let [acme, globex, line] = authorities();
    match n {
        0 => acme.der.clone(),
        1 => acme.before_renewal().der,
        2 => globex.der.clone(),
        _ => line.der.clone(),
    }
}

fn distrust() -> impl Strategy<Value = Distrust> {
    prop_oneof![Just(Distrust::No), Just(Distrust::Yes), Just(Distrust::UnlessRenewed)]
}

/// A fingerprint of one of the leaves, by its place; resolved when the step is taken.
fn fingerprint(n: usize) -> Fingerprint {
    let mut digest = [0xff; 32];
    digest[0] = u8::try_from(n).unwrap_or(0);
    Fingerprint::Sha256(digest)
}

fn declared() -> impl Strategy<Value = DeclaredCredential> {
    prop_oneof![
        1 => Just(DeclaredCredential::Secret),
        4 => (proptest::option::of(0..10usize), proptest::option::of(0..10usize))
            .prop_map(|(first, spare)| pinned(first.map(fingerprint), spare.map(fingerprint))),
    ]
}

fn device_command() -> impl Strategy<Value = Command> {
    let device = || (0..4usize).prop_map(|d| id::<DeviceId>(DEVICES[d]));
    prop_oneof![
        4 => (0..4usize, 0..2usize, 0..2usize, declared()).prop_map(|(d, s, p, credential)| Command::PreRegisterDevice {
            profile: profile(DEVICES[d], SPACES[s], PRODUCTS[p]),
            credential, description: None, extension_info: None
        }),
        1 => device().prop_map(|device| Command::FreezeDevice { device }),
        1 => device().prop_map(|device| Command::UnfreezeDevice { device }),
        2 => (device(), proptest::bool::ANY, proptest::option::of(0..10usize)).prop_map(|(device, first, n)| {
            let slot = if first { Slot::Primary } else { Slot::Secondary };
            Command::ResetFingerprint { device, slot, fingerprint: n.map(fingerprint) }
        }),
        1 => (device(), 0..10usize, proptest::bool::ANY)
            .prop_map(|(device, n, active)| Command::SwitchCertificate { device, fingerprint: fingerprint(n), active }),
        2 => device().prop_map(|device| Command::DeleteDevice { device }),
        1 => (device(), 0..10usize)
            .prop_map(|(device, n)| Command::DeleteCertificate { device, fingerprint: fingerprint(n) }),
        1 => (proptest::option::of(device()), 0..10usize)
            .prop_map(|(device, n)| Command::ReadmitCertificate { fingerprint: fingerprint(n), device }),
        1 => device().prop_map(|device| Command::ReadmitDevice { device }),
    ]
}

fn other_command() -> impl Strategy<Value = Command> {
    let target = prop_oneof![
        (0..4usize).prop_map(|d| PolicyTarget::Device(id(DEVICES[d]))),
        (0..2usize, 0..2usize).prop_map(|(s, p)| PolicyTarget::Product(id(SPACES[s]), id(PRODUCTS[p]))),
        (0..2usize).prop_map(|s| PolicyTarget::Space(id(SPACES[s]))),
    ];
    prop_oneof![
        (0..2usize, 0..2usize).prop_map(|(s, p)| Command::CreateProduct {
            space: id(SPACES[s]),
            product: id(PRODUCTS[p]),
            details: details()
        }),
        (0..2usize, 0..2usize).prop_map(|(s, p)| Command::DeleteProduct { space: id(SPACES[s]), product: id(PRODUCTS[p]) }),
        (0..3usize, 0..2usize).prop_map(|(p, s)| {
            let policy =
                crate::policy::system_default(id(POLICIES[p]), 1, id(SPACES[s]), crate::time::Timestamp::from_unix_s(1));
            Command::CreatePolicy {
                policy: policy.id,
                space: policy.space,
                name: policy.name,
                statements: policy.statements,
            }
        }),
        (0..3usize).prop_map(|p| Command::DeletePolicy { policy: id(POLICIES[p]) }),
        (0..3usize, target).prop_map(|(p, target)| Command::BindPolicy { policy: id(POLICIES[p]), target }),
        (0..2usize).prop_map(|s| Command::DeleteSpace { space: id(SPACES[s]) }),
        (0..2usize, any::<bool>()).prop_map(|(s, is_open)| match is_open {
            true => create_space(SPACES[s]),
            false => create_space_with(SPACES[s], None),
        }),
    ]
}

pub(super) fn create_space(space: &str) -> Command {
    create_space_with(space, Some(id(&format!("{space}-default"))))
}

fn create_space_with(space: &str, default_policy: Option<PolicyId>) -> Command {
    Command::CreateSpace { space: id(space), name: space.into(), default_policy }
}
