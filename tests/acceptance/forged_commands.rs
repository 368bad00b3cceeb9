//! Commands that somebody puts into the queues of a deployment without the API's key. The broker here lets everybody do
//! everything: what holds is the proof alone.

use std::process::Command as Process;

use rollcall_domain::{
    fleet::{FleetCommand, NewOperator, OperatorName, ProjectId, Role, Scope},
    ids::DeviceId,
    registry::Command,
};
use rollcall_harness::{
    certificates::{Authority, Key},
    clients::{PahoOptions, folder, success},
    deployment::Deployment,
    fleet::Instance,
    nats::UP,
    operator::Operator,
    process::rollcall,
};
use rollcall_log::codec::Ruling;
use serde_json::json;

#[track_caller]
fn refused(ruling: &Ruling, reason: &str) {
    let Ruling::Rejected(rejected) = ruling else { panic!("granted: {ruling:?}") };
    assert_eq!(rejected.code, "command_unproven");
    assert!(rejected.message.contains(reason), "{}", rejected.message);
}

#[test]
fn f37_who_has_the_broker_and_not_the_key_gives_no_command() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let mut deployment = Deployment::start(folder, &[Instance::new("north", &ca.pair.certificate)]);
    let device = ca.quick_device(deployment.folder(), "truck-1");
    let target = deployment.target("north.test", 0);
    assert_eq!(target.paho(&device, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-1"));
    let administrator = deployment.administrator();
    let viewer = json!({ "name": "vera", "role": "viewer" });
    administrator.post("/rollcall/v1/operators", &viewer);

    // A key of one's own, which no registrar knows.
    let key = deployment.folder().join("forged.key");
    success(&Process::new(rollcall()).args(["pki", "command-key", "--out"]).arg(&key).output().expect("it starts"))
        .expect("a key");
    let mut forger = Operator::on_nats(&deployment.nats.login(UP)).with_command_key(&key);
    let (records, attempts) = (forger.records("north").len(), forger.attempts("north").len());
    let admin = |name: &str| {
        FleetCommand::CreateOperator(NewOperator {
            name: OperatorName::parse(name).expect("a name"),
            role: Role::Admin,
            scope: Scope::default(),
            project: ProjectId::parse("0123456789abcdef0123456789abcdef").expect("a project"),
            password_hash: None,
        })
    };
    let promoted = FleetCommand::UpdateOperator {
        name: OperatorName::parse("vera").expect("a name"),
        role: Some(Role::Admin),
        scope: None,
        enabled: None,
    };
    refused(&forger.ask_fleet_unproven(promoted.clone()), "carries no proof");
    refused(&forger.ask_fleet(promoted), "not among this registrar's command_keys");
    refused(&forger.ask_fleet(admin("malory")), "not among this registrar's command_keys");
    let device_id = DeviceId::parse("truck_truck-1").expect("a device id");
    refused(&forger.ask("north", Command::DeleteDevice { device: device_id }), "not among this registrar's command_keys");

    let operators = administrator.get("/rollcall/v1/operators");
    let role_of = |name: &str| {
        let all = operators["operators"].as_array().expect("a list");
        all.iter().find(|operator| operator["name"] == name).map(|operator| operator["role"].clone())
    };
    assert_eq!((role_of("vera"), role_of("malory")), (Some(json!("viewer")), None));
    assert_eq!((forger.records("north").len(), forger.attempts("north").len()), (records, attempts), "nothing is written");
    let said = deployment.registrar().errors();
    // Two of the fleet's three have one reason.
    for (log, reasons) in [("fleet", 2), ("instance north", 1)] {
        let lines =
            said.lines().filter(|line| line.contains("without a good proof") && line.contains(&format!("log={log}")));
        assert_eq!(lines.count(), reasons, "one line about {log} for each reason, however many forgeries:\n{said}");
    }
    // Whoever has the key is ruled on as before.
    assert_eq!(target.paho(&device, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-1"));
    administrator.put("/rollcall/v1/operators/vera", &json!({ "role": "operator", "enabled": true }));
}
