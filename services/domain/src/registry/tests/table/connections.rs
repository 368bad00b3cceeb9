//! The decision table's connections: device states, settings of the CA certificate, ways to connect.

use std::fmt::Write as _;

use super::{
    super::world::{Authority, Leaf, World, any, authorities, cn_template, id, pinned, replacing, standard, word},
    DEVICE,
};
use crate::{
    authenticate::Verdict,
    certificate::SubjectAttribute,
    fleet::Edition,
    refusal::Refusal,
    registry::{
        Command, Decision, Event,
        command::{Distrust, TemplateChange},
        event::DeclaredCredential,
    },
    rejection::Rejection,
};

type Furnish = fn(&mut World, &Certificates);

/// What the device presents, and others that have been there before.
struct Certificates {
    presented: Leaf,
    /// Same CN, same CA, earlier and later notBefore.
    older: Leaf,
    newer: Leaf,
    /// Same CN, older, by another CA of the same space.
    other_ca: Leaf,
    /// That other CA, and the certificate that `acme-ca` is a renewal of.
    other: Authority,
    before_renewal: Authority,
}

fn certificates() -> Certificates {
    let acme = &authorities()[0];
    let other = Authority::new("another CA of acme");
    let subject = [(rcgen::DnType::CommonName, "dev1")];
    Certificates {
        presented: acme.device("dev1"),
        older: acme.issue(&subject, (2025, 1)),
        newer: acme.issue(&subject, (2026, 5)),
        other_ca: other.issue(&subject, (2025, 1)),
        before_renewal: acme.before_renewal(),
        other,
    }
}

const DEVICES: [(&str, Furnish); 26] = [
    ("unknown", |_, _| {}),
    ("registered with this certificate", |world, own| registered(world, &own.presented, "acme-ca")),
    ("registered with this, now INACTIVE", |world, own| {
        registered(world, &own.presented, "acme-ca");
        let fingerprint = own.presented.sha256();
        world.grant(Command::SwitchCertificate { device: id(DEVICE), fingerprint, active: false });
    }),
    ("registered with this, device FROZEN", |world, own| {
        registered(world, &own.presented, "acme-ca");
        freeze(world);
    }),
    ("pre-registered, this SHA-256", |world, own| declared(world, pinned(Some(own.presented.sha256()), None))),
    ("pre-registered, this SHA-1", |world, own| declared(world, pinned(Some(own.presented.sha1()), None))),
    ("pre-registered, this as secondary", |world, own| declared(world, pinned(None, Some(own.presented.sha256())))),
    ("pre-registered, no fingerprint", |world, _| declared(world, pinned(None, None))),
    ("pre-registered, no fingerprint, FROZEN", |world, _| {
        declared(world, pinned(None, None));
        freeze(world);
    }),
    ("pre-registered, another SHA-256", |world, own| declared(world, pinned(Some(own.older.sha256()), None))),
    ("registered, older certificate", |world, own| registered(world, &own.older, "acme-ca")),
    ("registered, older, FROZEN", |world, own| {
        registered(world, &own.older, "acme-ca");
        freeze(world);
    }),
    ("registered, newer certificate", |world, own| registered(world, &own.newer, "acme-ca")),
    ("registered, older, CA renewed since", |world, own| {
        world.delete_ca("acme-ca");
        world.verified_ca("acme-old-ca", "acme", &own.before_renewal);
        registered(world, &own.older, "acme-old-ca");
        world.verified_ca("acme-ca", "acme", &authorities()[0]);
    }),
    ("registered, older, of another CA", |world, own| {
        world.verified_ca("acme-other-ca", "acme", &own.other);
        registered(world, &own.other_ca, "acme-other-ca");
    }),
    ("exists in another product", |world, _| world.pre_register(DEVICE, "acme", "lamp", pinned(None, None))),
    ("exists in another space", |world, _| world.pre_register(DEVICE, "globex", "meter", pinned(None, None))),
    ("has a secret", |world, _| declared(world, DeclaredCredential::Secret)),
    ("deleted", |world, own| {
        registered(world, &own.presented, "acme-ca");
        world.grant(Command::DeleteDevice { device: id(DEVICE) });
    }),
    ("deleted, and entered again without fingerprint", |world, own| {
        registered(world, &own.presented, "acme-ca");
        world.grant(Command::DeleteDevice { device: id(DEVICE) });
        declared(world, pinned(None, None));
    }),
    ("deleted, and entered again with this SHA-256", |world, own| {
        registered(world, &own.presented, "acme-ca");
        world.grant(Command::DeleteDevice { device: id(DEVICE) });
        declared(world, pinned(Some(own.presented.sha256()), None));
    }),
    ("deleted and readmitted", |world, own| {
        registered(world, &own.presented, "acme-ca");
        world.grant(Command::DeleteDevice { device: id(DEVICE) });
        world.grant(Command::ReadmitDevice { device: id(DEVICE) });
    }),
    ("deleted, with another certificate", |world, own| {
        registered(world, &own.older, "acme-ca");
        world.grant(Command::DeleteDevice { device: id(DEVICE) });
    }),
    ("registered, this certificate deleted", |world, own| {
        registered(world, &own.presented, "acme-ca");
        world.grant(Command::DeleteCertificate { device: id(DEVICE), fingerprint: own.presented.sha256() });
    }),
    ("unknown, this SHA-256 typed in another space", |world, own| {
        world.pre_register("theirs", "globex", "meter", pinned(Some(own.presented.sha256()), None));
    }),
    ("unknown, certificate is another's", |world, own| {
        world.pre_register("meter_other", "acme", "meter", pinned(Some(own.presented.sha256()), None));
    }),
];

/// A device that registered itself with `leaf` while `ca` had a template for it.
fn registered(world: &mut World, leaf: &Leaf, ca: &str) {
    world.put_in_force("first", cn_template("meter"), ca);
    world.connect(leaf).outcome.unwrap();
    world.configure(ca, TemplateChange::Unbind, Some(false));
    world.grant(Command::DeleteTemplate { template: id("first") });
}

fn declared(world: &mut World, credential: DeclaredCredential) {
    world.pre_register(DEVICE, "acme", "meter", credential);
}

fn freeze(world: &mut World) {
    world.grant(Command::FreezeDevice { device: id(DEVICE) });
}

const SETTINGS: [(&str, Furnish); 10] = [
    ("the template derives this device; a certificate change is rejected", |world, _| {
        world.put_in_force("t", cn_template("meter"), "acme-ca");
    }),
    ("the template derives this device; a certificate change replaces", |world, _| {
        world.put_in_force("t", replacing(cn_template("meter")), "acme-ca");
    }),
    ("the template derives another device", |world, _| {
        world.put_in_force("t", cn_template("lamp"), "acme-ca");
    }),
    ("the template needs an attribute that the certificate lacks", |world, _| {
        let mut draft = cn_template("meter");
        draft.parameters.push((SubjectAttribute::Organization.parameter().into(), "String".into()));
        world.put_in_force("t", draft, "acme-ca");
    }),
    ("a template is bound, self-registration is off", |world, _| {
        world.put_in_force("t", cn_template("meter"), "acme-ca");
        world.configure("acme-ca", TemplateChange::Keep, Some(false));
    }),
    ("no template is bound", |_, _| {}),
    ("the template derives this device; edition basic", |world, _| {
        world.put_in_force("t", cn_template("meter"), "acme-ca");
        world.instance.edition = Edition::Basic;
    }),
    ("the CA certificate has been deleted", |world, _| world.delete_ca("acme-ca")),
    ("the CA certificate has been deleted with distrust", |world, _| {
        if world.registry.configuration.cas.contains_key(&id("acme-old-ca")) {
            world.delete_ca("acme-old-ca");
        }
        world.grant(Command::DeleteCa { ca: id("acme-ca"), distrust: Distrust::Yes });
    }),
    ("the device certificate has expired", |world, _| {
        world.put_in_force("t", cn_template("meter"), "acme-ca");
        world.now = world.now.plus_s(5 * 365 * 24 * 3600);
    }),
];

pub(super) fn connections(table: &mut String) {
    let certificates = certificates();
    table.push_str(
        "## Connections\n\n\
        A certificate of CN `dev1` connects; it is about device `meter_dev1`. `own id` is a CONNECT in the standard form that \
        names that device, `any id` one with anything else. `event` is what the registrar says to the certificate-connect \
        event, `event, claimed` to one that carries the device id of the CONNECT. `session` is a live session of the device \
        with any id: kept, or closed with this code.\n",
    );
    for (setting, configure) in SETTINGS {
        let _ = write!(table, "\n### {setting}\n\n| the device | own id | any id | session | event | event, claimed |\n");
        table.push_str("| --- | --- | --- | --- | --- | --- |\n");
        let rows = DEVICES.map(|(state, furnish)| {
            let mut world = World::furnished();
            furnish(&mut world, &certificates);
            configure(&mut world, &certificates);
            (state, cells(&world, &certificates.presented))
        });
        match rows.iter().all(|(_, cells)| *cells == rows[0].1) {
            true => row(table, "any of them", &rows[0].1),
            false => rows.iter().for_each(|(state, cells)| row(table, state, cells)),
        }
    }
}

fn cells(world: &World, leaf: &Leaf) -> [String; 5] {
    let session = world.lost_right(leaf, "acme-ca", &any(), DEVICE);
    [
        verdict(&world.authenticate(leaf, "acme-ca", &standard(DEVICE))),
        verdict(&world.authenticate(leaf, "acme-ca", &any())),
        session.map_or("kept".into(), |refusal| refusal.code().to_owned()),
        event(&world.clone().connect(leaf).outcome),
        event(&world.clone().connect_as(leaf, Some(id(DEVICE))).outcome),
    ]
}

fn row(table: &mut String, state: &str, cells: &[String]) {
    let _ = writeln!(table, "| {state} | {} |", cells.join(" | "));
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Accept(recognised) => format!("**in** as {}", recognised.device),
        Verdict::Register { derived, claimed: None } => format!("ask: {derived}"),
        Verdict::Register { claimed: Some(claimed), .. } => format!("ask, claiming {claimed}"),
        Verdict::Refuse(Refusal::RegistrationRejected(rejection)) => format!("rejected: {}", rejection.code()),
        Verdict::Refuse(refusal) => refusal.code().into(),
    }
}

fn event(outcome: &Result<Decision, Rejection>) -> String {
    match outcome {
        Ok(Decision::Record(Event::DeviceRegistered { profile, .. })) => format!("**registers** {}", profile.device),
        Ok(Decision::Record(Event::DeviceCertificatePinned { .. })) => "**pins**".into(),
        Ok(Decision::Record(Event::DeviceCertificateReplaced { .. })) => "**replaces**".into(),
        other => word(other),
    }
}
