//! One registrar: what is answered, what is written, what is kept.

use rollcall_domain::{
    fleet::{FleetCommand, FleetEvent, InstanceDraft, NewOperator, OperatorName, PasswordHash, ProjectId, Role, Scope},
    ids::{DeviceId, Incarnation, LogId, RequestId, TemplateId},
    registry::{Actor, Command, Devices, Event, Request, RequestBody, command::TemplateChange},
    template::{DraftValue, TemplateDraft},
};
use rollcall_log::{
    codec::{AnyEvent, AnyRequest, Ruling},
    requests::{RequestKind, Submitted},
};

use super::{
    pki::Ca,
    world::{
        World, accepted, ca, certificate_connect, create_template, draft, instance, log, operator, product, rejected, space,
    },
};

#[tokio::test(start_paused = true)]
async fn a_first_connection_is_registered_once_however_often_it_is_asked_for() {
    let world = World::new(1).await;
    let _registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    let certificate = world.ca.device("0001");
    let first = accepted(world.connect(&certificate).await);
    let again = accepted(world.connect(&certificate).await);
    assert!(again >= first, "a view that has reached {again} knows what is at {first}");
    assert_eq!(world.registered().await, ["sensor_0001"]);
    world.assert_all_finished().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_certificate_was_proven_by_is_in_its_record() {
    let world = World::new(20).await;
    let _registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    accepted(world.connect(&world.ca.device("0001")).await);
    let ca = world.registry().await.configuration.cas[&ca()].clone();
    let Some(AnyEvent::Registry(Event::DeviceRegistered { certificate, .. })) =
        world.records().await.pop().map(|record| record.event)
    else {
        panic!("the last record is no registration")
    };
    let proof = certificate.proof.unwrap();
    assert_eq!(proof.ca_name_and_key_sha256, ca.name_and_key_sha256);
    let chain: Vec<_> = proof.chain.iter().map(|above| (above.name_and_key_sha256, above.not_after)).collect();
    assert_eq!(chain, [(ca.name_and_key_sha256, ca.not_after)]);
}

#[tokio::test(start_paused = true)]
async fn an_instance_made_again_is_another_and_the_registrars_figures_are_in_its_record() {
    let world = World::new(21).await;
    let _registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    let changed = InstanceDraft { access_domain: "two.example.com".into(), ..draft() };
    for (id, command) in [
        ("change", FleetCommand::UpdateInstance(changed)),
        ("delete", FleetCommand::DeleteInstance(instance())),
        ("create again", FleetCommand::CreateInstance(draft())),
    ] {
        accepted(world.fleet_command(&id.replace(' ', "-"), command).await);
    }
    let recorded: Vec<_> = world
        .records_of(&LogId::Fleet)
        .await
        .into_iter()
        .filter_map(|record| match record.event {
            AnyEvent::Fleet(FleetEvent::InstanceCreated(instance) | FleetEvent::InstanceUpdated(instance)) => Some(instance),
            _ => None,
        })
        .collect();
    let [made, changed, again] = &recorded[..] else { panic!("{recorded:?}") };
    assert_eq!(made.incarnation, changed.incarnation);
    assert!(made.incarnation != again.incarnation && made.incarnation != Incarnation::NIL, "{recorded:?}");
    for instance in &recorded {
        assert_eq!(instance.devices_max, Some(crate::Config::default().devices_max));
        assert_eq!(instance.self_registration_available, Some(true));
    }
}

#[tokio::test(start_paused = true)]
async fn f13_the_nth_device_of_a_template_registers_like_the_first() {
    let world = World::new(2).await;
    let _registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    let mut expected = Vec::new();
    for n in 0..20 {
        accepted(world.connect(&world.ca.device(&format!("{n:04}"))).await);
        expected.push(format!("sensor_{n:04}"));
    }
    assert_eq!(world.registered().await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_command_seen_again_gets_its_earlier_ruling() {
    let world = World::new(3).await;
    let _registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    accepted(world.connect(&world.ca.device("0001")).await);
    let device = DeviceId::parse("sensor_0001").unwrap();
    let delete = || Command::DeleteDevice { device: device.clone() };
    let first = world.grant("delete", delete()).await;
    assert_eq!(world.grant("delete", delete()).await, first, "the same request, the same record");
    let at = world.grant("readmit", Command::ReadmitDevice { device: device.clone() }).await;
    assert_eq!(world.grant("delete", delete()).await, first, "even when it would be refused by now");
    assert_eq!(world.grant("readmit", Command::ReadmitDevice { device: device.clone() }).await, at);
    assert_eq!(world.registry().await.entry(&device), None);
}

#[tokio::test(start_paused = true)]
async fn a_product_can_be_deleted_right_after_its_last_device() {
    let world = World::new(4).await;
    let _registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    accepted(world.connect(&world.ca.device("0001")).await);
    let unbound = TemplateChange::Unbind;
    world.grant("unbind", Command::ConfigureCa { ca: ca(), template: unbound, self_registration: Some(false) }).await;
    // Both wait in the queue at once, so that they are decided in one batch.
    let device = DeviceId::parse("sensor_0001").unwrap();
    let (deleted, product_deleted) = tokio::join!(
        world.command("delete", Command::DeleteDevice { device }),
        world.command("delete-product", Command::DeleteProduct { space: space(), product: product() }),
    );
    accepted(deleted);
    accepted(product_deleted);
}

#[tokio::test(start_paused = true)]
async fn f36_a_refused_attempt_is_kept_with_every_check() {
    let world = World::new(5).await;
    let _registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    let stranger = Ca::new("Enterprise CA").device("0001");
    assert_eq!(rejected(world.connect(&stranger).await), "chain_refused");
    let unfit = world.ca.device("not/an/id");
    let code = rejected(world.connect(&unfit).await);
    world.assert_all_finished().await;
    let attempts = world.attempts().await;
    assert_eq!(attempts.len(), 2);
    assert_eq!((attempts[0].rejection.code.as_str(), &attempts[0].template), ("chain_refused", &None));
    assert_eq!(attempts[1].rejection.code, code);
    assert_eq!(attempts[1].template.as_ref().map(|(id, version)| (id.as_str(), *version)), Some(("template", 1)));
    for attempt in &attempts {
        let (last, before) = attempt.checks.split_last().expect("checks are listed");
        assert!(!last.1, "the last check is the one that failed: {:?}", attempt.checks);
        assert!(before.iter().all(|check| check.1), "{:?}", attempt.checks);
    }
    assert!(world.registered().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_request_is_answered_and_does_not_come_for_ever() {
    let world = World::new(6).await;
    let _registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    let id = RequestId::parse("garbage").unwrap();
    let mut rulings = world.backbone.requests.rulings(&log()).await.unwrap();
    let submitted =
        world.backbone.requests.submit(&log(), RequestKind::Connect, &id, b"{\"what\":1}".as_slice().into()).await.unwrap();
    assert_eq!(submitted, Submitted::Queued);
    let announced = rulings.recv().await.unwrap();
    assert_eq!(announced.id, id);
    let ruling = rollcall_log::codec::decode_ruling(&announced.ruling).unwrap();
    assert!(matches!(ruling, Ruling::Rejected(rejected) if rejected.code == "malformed_request"));
    // Another requester's id on the envelope would send the answer to the wrong requester.
    let inner = Request { id: RequestId::parse("inner").unwrap(), ..certificate_connect(&world.ca.device("0002")) };
    let inner = AnyRequest::Registry(inner);
    let bytes = rollcall_log::codec::encode_request(&super::world::queued(inner));
    world.backbone.requests.submit(&log(), RequestKind::Connect, &RequestId::parse("outer").unwrap(), bytes).await.unwrap();
    let announced = rulings.recv().await.unwrap();
    assert_eq!(announced.id.as_str(), "outer");
    world.assert_all_finished().await;
    assert!(world.registered().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn f36_a_certificate_gives_no_commands() {
    let world = World::new(7).await;
    let _registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    let id = RequestId::parse("template-by-device").unwrap();
    let body = RequestBody::Command(create_template("mine", "mine"));
    let ruling = world.ask(Request { id, actor: Actor::Certificate([1; 32]), body }).await;
    assert_eq!(rejected(ruling), "invalid_field");
    assert!(matches!(operator(), Actor::Operator(_)));
}

#[tokio::test(start_paused = true)]
async fn f36_a_connector_that_was_broken_into_gives_no_commands() {
    let world = World::new(9).await;
    let _registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    let before = world.records().await.len();
    // In an operator's name, which is only a field of the request.
    let id = RequestId::parse("template-by-connector").unwrap();
    let body = RequestBody::Command(create_template("mine", "mine"));
    let forged = Request { id, actor: operator(), body };
    assert_eq!(rejected(world.ask_as(RequestKind::Connect, forged).await), "malformed_request");
    let in_an_operators_name = Request { actor: operator(), ..certificate_connect(&world.ca.device("0001")) };
    assert_eq!(rejected(world.ask_as(RequestKind::Connect, in_an_operators_name).await), "malformed_request");
    assert_eq!(world.records().await.len(), before, "nothing is recorded");
    world.assert_all_finished().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_certificate_is_replayed_by_an_operator_once_the_template_is_mended() {
    let world = World::new(10).await;
    let _registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    let certificate = world.ca.device("0001");
    let Command::CreateTemplate { body: mended, .. } = create_template("template", "sensors") else { unreachable!() };
    let broken =
        TemplateDraft { product_id: Some(DraftValue::Ref("iotda::certificate::common_name".into())), ..mended.clone() };
    let template = || TemplateId::parse("template").unwrap();
    let edit = |body| Command::UpdateTemplate { template: template(), description: None, body: Some(body) };
    world.grant("break", edit(broken)).await;
    assert_eq!(rejected(world.connect(&certificate).await), "product_in_another_space", "there is no such product");

    let replay = |id: &str| {
        let id = RequestId::parse(id).unwrap();
        world.ask_as(RequestKind::Command, Request { id, actor: operator(), ..certificate_connect(&certificate) })
    };
    assert_eq!(rejected(replay("replay-1").await), "product_in_another_space", "nothing has been mended yet");
    world.grant("mend", edit(mended)).await;
    let position = accepted(replay("replay-2").await);
    assert_eq!(world.registered().await, ["sensor_0001"]);
    assert_eq!(accepted(replay("replay-2").await), position, "sent again, it is already so");
    assert_eq!(accepted(replay("replay-3").await), position, "and so is a replay of the replay");
    assert_eq!(accepted(world.connect(&certificate).await), position, "and the device that comes by itself");
    assert_eq!(world.registered().await, ["sensor_0001"]);
    world.assert_all_finished().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_operator_is_kept_without_the_hash_of_the_password() {
    let world = World::new(11).await;
    let _registrar = world.registrar(0, world.backbone.clone());
    let create = |hash: &str| {
        FleetCommand::CreateOperator(NewOperator {
            name: OperatorName::parse("olga").unwrap(),
            role: Role::Admin,
            scope: Scope::default(),
            project: ProjectId::parse("0123456789abcdef0123456789abcdef").unwrap(),
            password_hash: Some(PasswordHash::parse(hash).unwrap()),
        })
    };
    let position = accepted(world.fleet_command("create", create("$argon2id$one")).await);
    assert_eq!(accepted(world.fleet_command("create", create("$argon2id$one")).await), position);
    assert_eq!(rejected(world.fleet_command("create-another", create("$argon2id$two")).await), "already_exists");
    let delete = FleetCommand::DeleteOperator(OperatorName::parse("olga").unwrap());
    assert_eq!(rejected(world.fleet_command("delete", delete).await), "last_admin");
    let attempts = world.attempts_of(&LogId::Fleet).await;
    let AnyRequest::Fleet { command, .. } = &attempts[0].request.request else { panic!("a fleet request") };
    assert_eq!(*command, create("withheld"));
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_consistent_with_itself() {
    let world = World::new(8).await;
    let registrar = world.registrar(0, world.backbone.clone());
    world.furnish().await;
    // All of it waits before the registrar looks.
    registrar.shutdown.cancel();
    registrar.task.await.unwrap();
    let names: Vec<String> = (0..12).map(|n| format!("template-{n}")).collect();
    let asked = async {
        let one = |name: &String| {
            let name = name.clone();
            let world = &world;
            async move { world.command(&name, create_template(&name, &name)).await }
        };
        let mut asking = Vec::new();
        for name in &names {
            asking.push(one(name));
        }
        join_all(asking).await
    };
    let later = async {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        world.registrar(1, world.backbone.clone())
    };
    let (rulings, _registrar) = tokio::join!(asked, later);
    let granted = rulings.iter().filter(|ruling| matches!(ruling, Ruling::Accepted { .. })).count();
    assert_eq!(granted, 9, "ten with the one that was there");
    assert_eq!(world.registry().await.configuration.templates.len(), 10);
}

/// Polls all futures together.
pub(super) async fn join_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = future.as_mut().poll(context)
            {
                *output = Some(ready);
            }
        }
        if outputs.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}
