//! Two registrars on one log, with and without faults: nothing doubled, nothing lost.

use std::collections::BTreeSet;

use rollcall_domain::registry::{Command, Devices};
use rollcall_log::codec::Ruling;
use rollcall_log_memory::Faults;

use super::{
    answers::join_all,
    world::{World, accepted, create_template, some_faults},
};

#[tokio::test(start_paused = true)]
async fn f11_many_first_connects_at_two_registrars_register_each_device_once() {
    for seed in 0..5 {
        let world = World::new(seed).await;
        let _registrars = [world.registrar(0, world.backbone.clone()), world.registrar(1, world.backbone.clone())];
        world.furnish().await;
        storm(&world, 60).await;
    }
}

#[tokio::test(start_paused = true)]
async fn f11_f14_f15_two_registrars_with_faults_lose_nothing_and_double_nothing() {
    for seed in 100..130 {
        let world = World::new(seed).await;
        let _registrars = [world.registrar(0, world.backbone.clone()), world.registrar(1, world.backbone.clone())];
        world.furnish().await;
        world.faults.set_faults(some_faults());
        storm(&world, 30).await;
    }
}

/// Every device connects three times at once, in waves that overlap.
async fn storm(world: &World, devices: usize) {
    let certificates: Vec<_> = (0..devices).map(|n| world.ca.device(&format!("{n:04}"))).collect();
    let connects = certificates.iter().enumerate().flat_map(|(n, certificate)| {
        (0..3).map(move |wave| async move {
            tokio::time::sleep(std::time::Duration::from_millis((n as u64 * 7 + wave * 13) % 40)).await;
            world.connect(certificate).await
        })
    });
    for ruling in join_all(connects.collect()).await {
        accepted(ruling);
    }
    world.faults.clear();
    let registered = world.registered().await;
    assert_eq!(registered.len(), devices, "{registered:?}");
    assert_eq!(registered.iter().collect::<BTreeSet<_>>().len(), devices);
    assert_eq!(world.registry().await.count(), devices as u64);
    world.assert_all_finished().await;
}

#[tokio::test(start_paused = true)]
async fn f15_a_limit_holds_however_many_ask_at_once() {
    for seed in 200..210 {
        let world = World::new(seed).await;
        let _registrars = [world.registrar(0, world.backbone.clone()), world.registrar(1, world.backbone.clone())];
        world.furnish().await;
        world.faults.set_faults(some_faults());
        let world_ref = &world;
        let asking = (0..15).map(|n| async move {
            let name = format!("template-{n}");
            tokio::time::sleep(std::time::Duration::from_millis(n * 3 % 11)).await;
            world_ref.command(&name, create_template(&name, &name)).await
        });
        let rulings = join_all(asking.collect()).await;
        let granted = rulings.iter().filter(|ruling| matches!(ruling, Ruling::Accepted { .. })).count();
        let templates = world.registry().await.configuration.templates.len();
        assert_eq!((granted, templates), (9, 10), "ten with the one that was there");
        let causes: Vec<_> = world.records().await.into_iter().map(|record| record.cause).collect();
        assert_eq!(causes.iter().collect::<BTreeSet<_>>().len(), causes.len(), "one record for each request: {causes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_never_told_from_a_state_that_was_not() {
    // One registrar creates a template while the other is asked to delete it: both orders are right, an answer that
    // fits neither is not. Leases hold: of one that is ended early, in another's favour, no registrar can know.
    for seed in 300..320 {
        let world = World::new(seed).await;
        let _registrars = [world.registrar(0, world.backbone.clone()), world.registrar(1, world.backbone.clone())];
        world.furnish().await;
        world.faults.set_faults(Faults { redelivery: 0, ..some_faults() });
        let template = rollcall_domain::ids::TemplateId::parse("other").unwrap();
        let (created, deleted) = tokio::join!(
            world.command("create", create_template("other", "other")),
            world.command("delete", Command::DeleteTemplate { template: template.clone() }),
        );
        accepted(created);
        let there = world.registry().await.configuration.templates.contains_key(&template);
        match deleted {
            Ruling::Accepted { .. } => assert!(!there),
            Ruling::Rejected(rejected) => assert_eq!((rejected.code.as_str(), there), ("not_found", true)),
        }
    }
}
