//! What the registrar records by itself: retired certificates that are past their own end are forgotten.

use std::time::Duration;

use rollcall_domain::{
    ids::DeviceId,
    limits::RETIRED_BEYOND_END_S,
    registry::{Command, Devices as _, Event},
};
use rollcall_log::codec::AnyEvent;

use super::world::{World, accepted};

/// From one look to the next, and a little.
const HOUR: Duration = Duration::from_secs(3700);

#[tokio::test(start_paused = true)]
async fn a_retired_certificate_is_forgotten_by_one_record_once_it_has_ended() {
    let world = World::new(30).await;
    let _registrars = [0, 1].map(|number| world.registrar(number, world.backbone.clone()));
    world.furnish().await;
    let certificate = world.ca.device("0001");
    accepted(world.connect(&certificate).await);
    let not_after = rollcall_domain::certificate::CertificateFacts::from_der(&certificate).unwrap().not_after;
    world.grant("delete", Command::DeleteDevice { device: DeviceId::parse("sensor_0001").unwrap() }).await;
    assert_eq!(world.registry().await.retired_count(), 1);
    tokio::time::sleep(HOUR).await;
    assert_eq!(world.registry().await.retired_count(), 1, "while it is good it is remembered");
    world.clock.set(not_after.unix_ms() + RETIRED_BEYOND_END_S * 1000 + 1000);
    tokio::time::sleep(HOUR).await;
    assert_eq!(world.registry().await.retired_count(), 0);
    let forgotten = |event: &AnyEvent| matches!(event, AnyEvent::Registry(Event::RetiredForgotten { .. }));
    let records = world.records().await;
    assert_eq!(records.iter().filter(|record| forgotten(&record.event)).count(), 1, "two registrars, one record");
}
