//! A registrar that dies between any two steps, and the one that takes over.

use std::collections::BTreeSet;

use rollcall_domain::{
    ids::{DeviceId, RequestId},
    registry::{Command, Devices, Request, RequestBody},
};
use rollcall_log::codec::AnyRequest;

use super::{
    mortal::{Life, mortal},
    world::{World, accepted, certificate_connect, kind_of, log, operator, rejected},
};

/// Steps of one batch: taken; before and after append, announce, keep, finish.
const STEPS: i64 = 9;

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
        let life = Life::of(steps);
        let victim = world.registrar(1, mortal(&world.backbone, &life));
        // Whichever comes first: it dies, or it has nothing left to do.
        let died = tokio::time::timeout(std::time::Duration::from_secs(5), life.over.cancelled()).await.is_ok();
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
