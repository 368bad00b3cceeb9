//! The decision table's commands about a device.

use super::{
    super::world::{World, id, pinned, profile},
    DEVICE, cross,
};
use crate::{
    ids::{DeviceId, Fingerprint},
    registry::{
        Command, Slot,
        event::{DeclaredCredential, PolicyTarget},
    },
    template::Tag,
};

type Life = fn(&mut World);

const LIVES: [(&str, Life); 8] = [
    ("absent", |_| {}),
    ("live", |world| world.pre_register(DEVICE, "acme", "meter", pinned(Some(fingerprint()), None))),
    ("live, changed", |world| {
        world.pre_register(DEVICE, "acme", "meter", pinned(Some(fingerprint()), None));
        world.grant(Command::TagDevice { device: id(DEVICE), tags: vec![tag("floor", "1")] });
    }),
    ("frozen", |world| {
        world.pre_register(DEVICE, "acme", "meter", pinned(Some(fingerprint()), None));
        world.grant(Command::FreezeDevice { device: id(DEVICE) });
    }),
    ("secret", |world| world.pre_register(DEVICE, "acme", "meter", DeclaredCredential::Secret)),
    ("INACTIVE", |world| {
        world.pre_register(DEVICE, "acme", "meter", pinned(Some(fingerprint()), None));
        world.grant(Command::SwitchCertificate { device: id(DEVICE), fingerprint: fingerprint(), active: false });
    }),
    ("deleted", |world| {
        world.pre_register(DEVICE, "acme", "meter", pinned(Some(fingerprint()), None));
        world.grant(Command::DeleteDevice { device: id(DEVICE) });
    }),
    ("certificate deleted", |world| {
        world.pre_register(DEVICE, "acme", "meter", pinned(Some(fingerprint()), None));
        world.grant(Command::DeleteCertificate { device: id(DEVICE), fingerprint: fingerprint() });
    }),
];

fn fingerprint() -> Fingerprint {
    Fingerprint::Sha256([7; 32])
}

fn other_fingerprint() -> Fingerprint {
    Fingerprint::Sha1([9; 20])
}

fn tag(key: &str, value: &str) -> Tag {
    Tag { key: key.into(), value: value.into() }
}

pub(super) fn commands(table: &mut String) {
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
                description: None,
                extension_info: None,
            },
        ),
        (
            "pre-register, without fingerprint",
            Command::PreRegisterDevice {
                profile: profile(DEVICE, "acme", "meter"),
                credential: pinned(None, None),
                description: None,
                extension_info: None,
            },
        ),
        (
            "pre-register in another space",
            Command::PreRegisterDevice {
                profile: profile(DEVICE, "globex", "meter"),
                credential: pinned(Some(fingerprint()), None),
                description: None,
                extension_info: None,
            },
        ),
        (
            "pre-register, product of another space",
            Command::PreRegisterDevice {
                profile: profile(DEVICE, "acme", "pump"),
                credential: pinned(Some(fingerprint()), None),
                description: None,
                extension_info: None,
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
        ("delete its certificate", Command::DeleteCertificate { device: id(DEVICE), fingerprint: fingerprint() }),
        (
            "delete another certificate of it",
            Command::DeleteCertificate { device: id(DEVICE), fingerprint: other_fingerprint() },
        ),
        (
            "readmit its certificate for it",
            Command::ReadmitCertificate { fingerprint: fingerprint(), device: Some(id(DEVICE)) },
        ),
        ("readmit its certificate", Command::ReadmitCertificate { fingerprint: fingerprint(), device: None }),
        ("delete", Command::DeleteDevice { device: device.clone() }),
        ("readmit", Command::ReadmitDevice { device }),
    ];
    let states: Vec<(&str, World)> = LIVES.into_iter().map(|(state, furnish)| (state, after(furnish))).collect();
    cross(table, "Operators' commands about a device", &states, &commands);
}

fn after(furnish: Life) -> World {
    let mut world = World::furnished();
    furnish(&mut world);
    world
}
