//! The decision table: every state crossed with every request, as a file that a reviewer reads.
//!
//! `golden/decisions.md` is what the rules say; a change of a rule shows as a change of that file. `BLESS=1` rewrites it.

use std::fmt::Write as _;

use super::world::{
    Authority, Leaf, World, any, authorities, cn_template, details, id, pinned, profile, replacing, standard, word,
};
use crate::{
    authenticate::Verdict,
    certificate::SubjectAttribute,
    fleet::Edition,
    ids::{DeviceId, SpaceId},
    refusal::Refusal,
    registry::{
        Command, Decision, Event, Slot,
        command::TemplateChange,
        event::{DeclaredCredential, PolicyTarget},
    },
    rejection::Rejection,
    template::Tag,
};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/decisions.md");

const PREFACE: &str = "\
# The decision table

What the rules of Rollcall say to every state crossed with every request. Written by a test, which fails when a rule says
something else; `BLESS=1 cargo nextest run -p rollcall-domain the_decision_table` rewrites it for review.

";

#[test]
fn the_decision_table() {
    let mut table = String::from(PREFACE);
    connections(&mut table);
    device_commands(&mut table);
    configuration_commands(&mut table);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(GOLDEN, &table).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    let difference = golden.lines().zip(table.lines()).find(|(golden, table)| golden != table);
    assert!(golden == table, "the rules differ from {GOLDEN}; first difference (golden, now): {difference:?}");
}

/// The device id that all of this is about; the certificate's CN is `dev1`.
const DEVICE: &str = "meter_dev1";

// --- connections ---------------------------------------------------------------------------------------------------

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

const DEVICES: [(&str, Furnish); 20] = [
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
        world.grant(Command::DeleteCa { ca: id("acme-ca") });
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

const SETTINGS: [(&str, Furnish); 9] = [
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
    ("the CA certificate has been deleted", |world, _| world.grant(Command::DeleteCa { ca: id("acme-ca") })),
    ("the device certificate has expired", |world, _| {
        world.put_in_force("t", cn_template("meter"), "acme-ca");
        world.now = world.now.plus_s(5 * 365 * 24 * 3600);
    }),
];

fn connections(table: &mut String) {
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

// --- operators' commands about devices -----------------------------------------------------------------------------

const LIVES: [(&str, fn(&mut World)); 6] = [
    ("absent", |_| {}),
    ("live", |world| world.pre_register(DEVICE, "acme", "meter", pinned(Some(fingerprint()), None))),
    ("live, changed", |world| {
        world.pre_register(DEVICE, "acme", "meter", pinned(Some(fingerprint()), None));
        world.grant(Command::TagDevice { device: id(DEVICE), tags: vec![tag("floor", "1")] });
    }),
    ("frozen", |world| {
        world.pre_register(DEVICE, "acme", "meter", pinned(Some(fingerprint()), None));
        freeze(world);
    }),
    ("secret", |world| world.pre_register(DEVICE, "acme", "meter", DeclaredCredential::Secret)),
    ("deleted", |world| {
        world.pre_register(DEVICE, "acme", "meter", pinned(None, None));
        world.grant(Command::DeleteDevice { device: id(DEVICE) });
    }),
];

fn fingerprint() -> crate::ids::Fingerprint {
    crate::ids::Fingerprint::Sha256([7; 32])
}

fn other_fingerprint() -> crate::ids::Fingerprint {
    crate::ids::Fingerprint::Sha1([9; 20])
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.into(), value: value.into() }
}

fn device_commands(table: &mut String) {
    let device: DeviceId = id(DEVICE);
    let named = |name: &str| Command::UpdateDevice {
        device: id(DEVICE),
        name: Some(name.into()),
        description: None,
        extension_info: None,
    };
    let reset = |slot, fingerprint| Command::ResetFingerprint { device: id(DEVICE), slot, fingerprint };
    let commands = [
        (
            "pre-register, this fingerprint",
            Command::PreRegisterDevice {
                profile: profile(DEVICE, "acme", "meter"),
                credential: pinned(Some(fingerprint()), None),
            },
        ),
        (
            "pre-register, without fingerprint",
            Command::PreRegisterDevice { profile: profile(DEVICE, "acme", "meter"), credential: pinned(None, None) },
        ),
        (
            "pre-register in another space",
            Command::PreRegisterDevice {
                profile: profile(DEVICE, "globex", "meter"),
                credential: pinned(Some(fingerprint()), None),
            },
        ),
        (
            "pre-register, product of another space",
            Command::PreRegisterDevice {
                profile: profile(DEVICE, "acme", "pump"),
                credential: pinned(Some(fingerprint()), None),
            },
        ),
        ("name it", named("north gate")),
        ("name it with a line break", named("north\ngate")),
        ("tag floor=1", Command::TagDevice { device: device.clone(), tags: vec![tag("floor", "1")] }),
        ("tag iot_x=1", Command::TagDevice { device: device.clone(), tags: vec![tag("iot_x", "1")] }),
        ("untag floor", Command::UntagDevice { device: device.clone(), keys: vec!["floor".into()] }),
        ("freeze", Command::FreezeDevice { device: device.clone() }),
        ("unfreeze", Command::UnfreezeDevice { device: device.clone() }),
        ("reset primary to the same", reset(Slot::Primary, Some(fingerprint()))),
        ("reset primary to another", reset(Slot::Primary, Some(other_fingerprint()))),
        ("clear primary", reset(Slot::Primary, None)),
        ("set secondary to the primary's", reset(Slot::Secondary, Some(fingerprint()))),
        (
            "switch this certificate off",
            Command::SwitchCertificate { device: device.clone(), fingerprint: fingerprint(), active: false },
        ),
        (
            "switch an unknown one off",
            Command::SwitchCertificate { device: device.clone(), fingerprint: other_fingerprint(), active: false },
        ),
        (
            "bind a policy of its space",
            Command::BindPolicy { policy: id("acme-default"), target: PolicyTarget::Device(device.clone()) },
        ),
        (
            "bind a policy of another space",
            Command::BindPolicy { policy: id("globex-default"), target: PolicyTarget::Device(device.clone()) },
        ),
        ("delete its product", Command::DeleteProduct { space: id("acme"), product: id("meter") }),
        ("delete", Command::DeleteDevice { device: device.clone() }),
        ("readmit", Command::ReadmitDevice { device }),
    ];
    let states: Vec<(&str, World)> = LIVES.into_iter().map(|(state, furnish)| (state, after(furnish))).collect();
    cross(table, "Operators' commands about a device", &states, &commands);
}

fn after(furnish: fn(&mut World)) -> World {
    let mut world = World::furnished();
    furnish(&mut world);
    world
}

/// Every command against every state, a column each.
fn cross(table: &mut String, title: &str, states: &[(&str, World)], commands: &[(&str, Command)]) {
    let _ = write!(table, "\n## {title}\n\n| |");
    for (state, _) in states {
        let _ = write!(table, " {state} |");
    }
    let _ = write!(table, "\n| --- |{}\n", " --- |".repeat(states.len()));
    for (request, command) in commands {
        let _ = write!(table, "| {request} |");
        for (_, world) in states {
            let _ = write!(table, " {} |", world.clone().word(command.clone()));
        }
        table.push('\n');
    }
}

// --- operators' commands about everything else ---------------------------------------------------------------------

fn configuration_commands(table: &mut String) {
    let third = Authority::new("third CA");
    let third_der = third.der.clone();
    let upload = |ca: &str, space: &str| Command::UploadCa { ca: id(ca), space: id(space), der: third_der.clone() };
    let configure = |template, self_registration| Command::ConfigureCa { ca: id("third"), template, self_registration };
    let bare = World::furnished();
    let mut uploaded = bare.clone();
    uploaded.grant(upload("third", "acme"));
    uploaded.grant(template("t", "meter"));
    let mut verified = bare.clone();
    verified.verified_ca("third", "acme", &third);
    verified.grant(template("t", "meter"));
    let mut bound = verified.clone();
    bound.grant(configure(TemplateChange::Bind(id("t")), None));
    let mut enabled = bound.clone();
    enabled.grant(configure(TemplateChange::Keep, Some(true)));
    let mut elsewhere = bare.clone();
    elsewhere.verified_ca("third-of-globex", "globex", &third);
    elsewhere.grant(upload("third", "acme"));
    let states = [
        ("CA absent", bare),
        ("uploaded", uploaded),
        ("verified", verified),
        ("template bound", bound),
        ("self-registration on", enabled),
        ("verified in another space", elsewhere),
    ];
    let commands = [
        ("upload the same", upload("third", "acme")),
        ("upload it under another id", upload("fourth", "acme")),
        ("upload it in another space", upload("fourth", "globex")),
        (
            "upload another under this id",
            Command::UploadCa { ca: id("third"), space: id("acme"), der: Authority::new("fourth CA").der },
        ),
        ("upload what is no certificate", Command::UploadCa { ca: id("fifth"), space: id("acme"), der: (*b"hello").into() }),
        ("issue a code", Command::IssueCaCode { ca: id("third") }),
        ("verify with another's proof", Command::VerifyCa { ca: id("third"), proof: authorities()[0].device("x").der }),
        ("verify with a wrong code", Command::VerifyCa { ca: id("third"), proof: third.device("x").der }),
        ("bind a template", configure(TemplateChange::Bind(id("t")), None)),
        ("bind one that does not exist", configure(TemplateChange::Bind(id("none")), None)),
        ("switch self-registration on", configure(TemplateChange::Keep, Some(true))),
        ("bind and switch on", configure(TemplateChange::Bind(id("t")), Some(true))),
        ("switch off", configure(TemplateChange::Keep, Some(false))),
        ("unbind", configure(TemplateChange::Unbind, None)),
        ("unbind and switch off", configure(TemplateChange::Unbind, Some(false))),
        (
            "edit the template",
            Command::UpdateTemplate { template: id("t"), description: None, body: Some(replacing(cn_template("meter"))) },
        ),
        (
            "edit it to a product of another space",
            Command::UpdateTemplate { template: id("t"), description: None, body: Some(cn_template("pump")) },
        ),
        ("create the same template", template("t", "meter")),
        ("create another under its id", template("t", "lamp")),
        (
            "create another under its name",
            Command::CreateTemplate {
                template: id("u"),
                name: "t".into(),
                description: "".into(),
                body: cn_template("meter"),
            },
        ),
        ("delete the template", Command::DeleteTemplate { template: id("t") }),
        ("delete the CA", Command::DeleteCa { ca: id("third") }),
    ];
    cross(table, "Operators' commands about a CA certificate and its template", &states, &commands);
    rest_of_configuration(table);
}

fn template(template: &str, product: &str) -> Command {
    Command::CreateTemplate {
        template: id(template),
        name: template.into(),
        description: "".into(),
        body: cn_template(product),
    }
}

fn rest_of_configuration(table: &mut String) {
    let space: SpaceId = id("initech");
    let create_space =
        |name: &str| Command::CreateSpace { space: id("initech"), name: name.into(), default_policy: id("initech-default") };
    let create_product = |name: &str| Command::CreateProduct {
        space: id("initech"),
        product: id("stapler"),
        details: crate::registry::ProductDetails { name: name.into(), ..details() },
    };
    let create_policy = |name: &str| Command::CreatePolicy {
        policy: id("p"),
        space: id("initech"),
        name: name.into(),
        statements: crate::policy::system_default(id("p"), id("initech")).statements,
    };
    let bind = |target| Command::BindPolicy { policy: id("initech-default"), target };
    let unbind = |target| Command::UnbindPolicy { policy: id("initech-default"), target };
    let product = || PolicyTarget::Product(id("initech"), id("stapler"));
    let bare = World::furnished();
    let mut empty = bare.clone();
    empty.grant(create_space("initech"));
    let mut furnished = empty.clone();
    furnished.grant(create_product("stapler"));
    furnished.grant(bind(product()));
    let mut used = furnished.clone();
    used.pre_register("stapler_1", "initech", "stapler", pinned(None, None));
    let states = [("space absent", bare), ("space empty", empty), ("with a product", furnished), ("with a device", used)];
    let commands = [
        ("create the space", create_space("initech")),
        ("create it with another name", create_space("initrode")),
        ("rename it", Command::RenameSpace { space: space.clone(), name: "initrode".into() }),
        ("create the product", create_product("stapler")),
        ("create it with other details", create_product("red stapler")),
        ("update the product", Command::UpdateProduct { space: id("initech"), product: id("stapler"), details: details() }),
        ("create a policy", create_policy("p")),
        (
            "update the default policy",
            Command::UpdatePolicy { policy: id("initech-default"), name: Some("all".into()), statements: None },
        ),
        ("bind the default policy to the product", bind(product())),
        ("unbind it from the product", unbind(product())),
        ("unbind it from the space", unbind(PolicyTarget::Space(space.clone()))),
        (
            "bind another space's policy to it",
            Command::BindPolicy { policy: id("acme-default"), target: PolicyTarget::Space(space.clone()) },
        ),
        ("delete the default policy", Command::DeletePolicy { policy: id("initech-default") }),
        ("delete the product", Command::DeleteProduct { space: space.clone(), product: id("stapler") }),
        ("delete the space", Command::DeleteSpace { space }),
    ];
    cross(table, "Operators' commands about a resource space and what is in it", &states, &commands);
}
