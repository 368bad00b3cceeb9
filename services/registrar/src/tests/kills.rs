//! A registrar that dies between any two steps, and the one that takes over.

use std::{collections::BTreeSet, time::Duration};

use rollcall_domain::{
    ids::{DeviceId, RequestId},
    registry::{Command, Devices, Request, RequestBody},
};
use rollcall_log::{
    codec::AnyRequest,
    requests::{LEASE, RequestKind},
};
use rollcall_log_memory::link::Link;

use super::world::{World, accepted, certificate_connect, kind_of, log, operator, rejected};

/// Steps of one batch: taken; before and after append, announce what is recorded, keep, finish, announce what is not.
const STEPS: i64 = 11;
/// Longest wait for a registrar to die.
const DEATH: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn f15_a_registrar_killed_between_any_two_steps_leaves_nothing_half_done() {
    for steps in 0..=STEPS {
        eprintln!("killed after {steps} steps");
        let world = World::new(1000 + steps as u64).await;
        let furnisher = world.registrar(0, world.backbone.clone());
        world.furnish().await;
        accepted(world.connect(&world.ca.device("gone")).await);
        furnisher.shutdown.cancel();
        furnisher.task.await.unwrap();

        let requests = submit_all(&world).await;
        let link = Link::to(&world.backbone);
        link.die_after(steps);
        let victim = world.registrar(1, link.backbone());
        // Whichever comes first: it dies, or it has nothing left to do.
        let died = tokio::time::timeout(DEATH, link.died()).await.is_ok();
        assert_eq!(died, steps < STEPS, "every step is one to die at");
        victim.task.abort();

        let _heir = world.registrar(2, world.backbone.clone());
        for (request, code) in requests {
            let ruling = world.ask(request.clone()).await;
            match code {
                None => drop(accepted(ruling)),
                Some(code) => assert_eq!(rejected(ruling), code),
            }
        }
        let mut registered = world.registered().await;
        registered.sort();
        assert_eq!(registered, ["sensor_0000", "sensor_0001", "sensor_0002", "sensor_gone"]);
        let causes: Vec<_> = world.records().await.into_iter().map(|record| record.cause).collect();
        assert_eq!(causes.iter().collect::<BTreeSet<_>>().len(), causes.len(), "one record for each request");
        assert_eq!(world.registry().await.count(), 3);
        world.assert_all_finished().await;
        assert!(!world.attempts().await.is_empty(), "the refused one is kept, at least once");
    }
}

#[tokio::test(start_paused = true)]
async fn f15_a_rejection_that_was_told_never_comes_true() {
    let (mut told, mut came_true) = (0, 0);
    // A rejection alone has nothing to append and nothing recorded to announce.
    for steps in 0..=STEPS - 4 {
        let world = World::new(1100 + steps as u64).await;
        let furnisher = world.registrar(0, world.backbone.clone());
        world.furnish().await;
        furnisher.shutdown.cancel();
        furnisher.task.await.unwrap();

        let mut rulings = world.backbone.requests.rulings(&log()).await.unwrap();
        let (id, device) = (RequestId::parse("freeze").unwrap(), DeviceId::parse("sensor_0001").unwrap());
        let body = RequestBody::Command(Command::FreezeDevice { device });
        let request = AnyRequest::Registry(Request { id: id.clone(), actor: operator(), body });
        let bytes = world.bytes(RequestKind::Command, &log(), &id, request);
        world.backbone.requests.submit(&log(), RequestKind::Command, &id, bytes).await.unwrap();
        let link = Link::to(&world.backbone);
        link.die_after(steps);
        let victim = world.registrar(1, link.backbone());
        let died = tokio::time::timeout(DEATH, link.died()).await.is_ok();
        assert_eq!(died, steps < STEPS - 4, "every step is one to die at");
        victim.task.abort();
        let was_told = rulings.try_recv().is_ok_and(|ruling| ruling.id == id);

        // The device is there before the request comes again.
        let _heir = world.registrar(2, world.backbone.clone());
        accepted(world.connect(&world.ca.device("0001")).await);
        tokio::time::sleep(2 * LEASE).await;
        let is_recorded = world.records().await.iter().any(|record| record.cause == id);
        assert!(!(was_told && is_recorded), "killed after {steps} steps: told as rejected, and the device is frozen");
        told += i32::from(was_told);
        came_true += i32::from(is_recorded);
    }
    assert!(told > 0 && came_true > 0, "{told} were told, {came_true} were ruled on again");
}

/// Three devices, a command, one that is refused once that one is granted, and a certificate of another CA.
async fn submit_all(world: &World) -> Vec<(Request, Option<&'static str>)> {
    let command = |id: &str, command| {
        let id = RequestId::parse(id).unwrap();
        Request { id, actor: operator(), body: RequestBody::Command(command) }
    };
    let gone = DeviceId::parse("sensor_gone").unwrap();
    let mut requests: Vec<_> = (0..3).map(|n| (certificate_connect(&world.ca.device(&format!("{n:04}"))), None)).collect();
    requests.push((command("delete", Command::DeleteDevice { device: gone.clone() }), None));
    requests.push((command("freeze", Command::FreezeDevice { device: gone }), Some("not_found")));
    requests.push((certificate_connect(&super::pki::Ca::new("stranger").device("0009")), Some("chain_refused")));
    for (request, _) in &requests {
        let kind = kind_of(request);
        let bytes = world.bytes(kind, &log(), &request.id, AnyRequest::Registry(request.clone()));
        world.backbone.requests.submit(&log(), kind, &request.id, bytes).await.unwrap();
    }
    requests
}
