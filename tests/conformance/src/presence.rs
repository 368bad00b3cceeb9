//! Presence and its leases.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use rollcall_domain::{
    ids::{ConnectorId, DeviceId, InstanceId, Position},
    time::Timestamp,
};
use rollcall_log::presence::{Beat, FleetBeat, Presence, PresenceChange, Session};
use tokio::{sync::mpsc, time::Instant};

use super::{Failure, PATIENCE, UnderTest, ensure, next, nothing};

type Changes = mpsc::Receiver<PresenceChange>;

fn connector(name: &str) -> Result<ConnectorId, Failure> {
    ConnectorId::parse(name).map_err(|error| Failure(error.to_string()))
}

fn device(name: &str) -> Result<DeviceId, Failure> {
    DeviceId::parse(name).map_err(|error| Failure(error.to_string()))
}

fn online(of: &str, at: &str, number: u64) -> Result<PresenceChange, Failure> {
    let session = Session { connector: connector(at)?, number };
    Ok(PresenceChange::Online { device: device(of)?, session, at: Timestamp::from_unix_ms(1000) })
}

fn offline(of: &str, at: &str, number: u64) -> Result<PresenceChange, Failure> {
    let session = Session { connector: connector(at)?, number };
    Ok(PresenceChange::Offline { device: device(of)?, session, at: Timestamp::from_unix_ms(2000) })
}

fn lost(name: &str) -> Result<PresenceChange, Failure> {
    Ok(PresenceChange::ConnectorLost { connector: connector(name)? })
}

async fn open<'a>(under_test: &'a UnderTest, name: &str) -> Result<(&'a dyn Presence, InstanceId), Failure> {
    let instance = under_test.instance(name)?;
    under_test.backbone.presence.open(&instance).await?;
    Ok((&*under_test.backbone.presence, instance))
}

async fn expect(changes: &mut Changes, expected: &PresenceChange) -> Result<(), Failure> {
    let found = next(&format!("{expected:?}"), changes).await?;
    ensure!(found == *expected, "{expected:?} is seen next, not {found:?}");
    Ok(())
}

/// What a new watcher is told, which is what is online now, and the watcher.
async fn current(presence: &dyn Presence, instance: &InstanceId) -> Result<(BTreeMap<DeviceId, Session>, Changes), Failure> {
    let mut changes = presence.watch(instance).await?;
    let mut now = BTreeMap::new();
    loop {
        match next("what is online, then CaughtUp", &mut changes).await? {
            PresenceChange::Online { device, session, .. } => {
                let twice = now.insert(device, session);
                ensure!(twice.is_none(), "a watcher is told once of each device, not again of {twice:?}");
            }
            PresenceChange::CaughtUp => return Ok((now, changes)),
            other => return Err(Failure(format!("a watcher is told what is online first, not {other:?}"))),
        }
    }
}

async fn expect_current(
    presence: &dyn Presence,
    instance: &InstanceId,
    expected: &[(&str, &str, u64)],
) -> Result<Changes, Failure> {
    let (now, changes) = current(presence, instance).await?;
    let mut wanted = BTreeMap::new();
    for (of, at, number) in expected {
        wanted.insert(device(of)?, Session { connector: connector(at)?, number: *number });
    }
    ensure!(now == wanted, "a new watcher is told that {wanted:?} are online, not {now:?}");
    Ok(changes)
}

/// Who watches sees every change in the order in which it was announced; who watches later sees what is current.
pub async fn changes_are_seen_in_order(under_test: &UnderTest) -> Result<(), Failure> {
    let (presence, instance) = open(under_test, "changes").await?;
    presence.heartbeat(&instance, &connector("c1")?, Beat::default()).await?;
    let mut changes = expect_current(presence, &instance, &[]).await?;
    let announced = [
        online("d1", "c1", 1)?,
        online("d2", "c1", 2)?,
        offline("d1", "c1", 1)?,
        online("d1", "c1", 3)?,
        online("d3", "c1", 4)?,
        offline("d3", "c1", 4)?,
    ];
    for change in &announced {
        presence.announce(&instance, change.clone()).await?;
    }
    for change in &announced {
        expect(&mut changes, change).await?;
    }
    nothing("after the last change", &mut changes)?;
    expect_current(presence, &instance, &[("d1", "c1", 3), ("d2", "c1", 2)]).await?;
    Ok(())
}

/// A device that connects elsewhere is online there; that its earlier session is over then changes nothing.
pub async fn the_newer_session_stays(under_test: &UnderTest) -> Result<(), Failure> {
    let (presence, instance) = open(under_test, "takeover").await?;
    presence.announce(&instance, online("d1", "c1", 1)?).await?;
    presence.announce(&instance, online("d1", "c2", 1)?).await?;
    expect_current(presence, &instance, &[("d1", "c2", 1)]).await?;
    presence.announce(&instance, offline("d1", "c1", 1)?).await?;
    expect_current(presence, &instance, &[("d1", "c2", 1)]).await?;
    presence.announce(&instance, offline("d1", "c2", 1)?).await?;
    expect_current(presence, &instance, &[]).await?;
    Ok(())
}

/// Sessions of one connector that took over from each other: the end of the last ends those before it, announced or not;
/// never a later one, and never another connector's.
pub async fn an_end_is_the_end_of_earlier_sessions_too(under_test: &UnderTest) -> Result<(), Failure> {
    let (presence, instance) = open(under_test, "ends").await?;
    presence.announce(&instance, online("d1", "c1", 1)?).await?;
    let mut changes = expect_current(presence, &instance, &[("d1", "c1", 1)]).await?;
    presence.announce(&instance, offline("d1", "c1", 2)?).await?;
    expect(&mut changes, &offline("d1", "c1", 2)?).await?;
    expect_current(presence, &instance, &[]).await?;
    presence.announce(&instance, online("d1", "c1", 4)?).await?;
    presence.announce(&instance, offline("d1", "c1", 3)?).await?;
    presence.announce(&instance, offline("d1", "c2", 9)?).await?;
    expect_current(presence, &instance, &[("d1", "c1", 4)]).await?;
    Ok(())
}

/// Connectors that announce the same device at the same time: all watchers see one order, so one newest session.
pub async fn watchers_agree_on_the_order(under_test: &UnderTest) -> Result<(), Failure> {
    const CONNECTORS: u64 = 4;
    const EACH: u64 = 20;
    let (presence, instance) = open(under_test, "agree").await?;
    let instance = &instance;
    let mut watchers = [current(presence, instance).await?.1, current(presence, instance).await?.1];
    let announce = |number: u64| async move {
        for session in 0..EACH {
            presence.announce(instance, online("d1", &format!("c{number}"), session)?).await?;
        }
        Ok::<(), Failure>(())
    };
    try_join_all((0..CONNECTORS).map(announce)).await?;
    let mut orders = Vec::new();
    for watcher in &mut watchers {
        let mut order = Vec::new();
        while (order.len() as u64) < CONNECTORS * EACH {
            order.push(next("one of 80 changes", watcher).await?);
        }
        orders.push(order);
    }
    ensure!(orders[0] == orders[1], "two watchers see one order, not {orders:?}");
    let newest = orders[0].last().cloned();
    let (now, _) = current(presence, instance).await?;
    let now = now.get(&device("d1")?);
    ensure!(
        matches!(&newest, Some(PresenceChange::Online { session, .. }) if Some(session) == now),
        "the last session that watchers saw is the current one: {newest:?}, not {now:?}"
    );
    Ok(())
}

/// A connector that falls silent is lost when its lease has run out, and its devices with it; others stay.
pub async fn a_silent_connector_loses_its_devices(under_test: &UnderTest) -> Result<(), Failure> {
    let (presence, instance) = open(under_test, "silent").await?;
    let heard_at = Instant::now();
    presence.heartbeat(&instance, &connector("c1")?, Beat::default()).await?;
    presence.announce(&instance, online("d1", "c1", 1)?).await?;
    presence.announce(&instance, online("d2", "c2", 1)?).await?;
    presence.announce(&instance, online("d3", "c2", 2)?).await?;
    presence.announce(&instance, online("d3", "c1", 2)?).await?;
    let mut changes = expect_current(presence, &instance, &[("d1", "c1", 1), ("d2", "c2", 1), ("d3", "c1", 2)]).await?;
    await_lost(presence, &instance, &mut changes, "c1", &["c2"], under_test).await?;
    ensure!(
        heard_at.elapsed() >= under_test.presence_lease,
        "a connector is lost when it has been silent for {:?}, not after {:?}",
        under_test.presence_lease,
        heard_at.elapsed()
    );
    expect_current(presence, &instance, &[("d2", "c2", 1)]).await?;
    Ok(())
}

/// A connector that renews its lease keeps its devices for longer than one lease.
pub async fn a_heartbeat_keeps_a_connector(under_test: &UnderTest) -> Result<(), Failure> {
    let (presence, instance) = open(under_test, "heartbeat").await?;
    presence.heartbeat(&instance, &connector("silent")?, Beat::default()).await?;
    presence.announce(&instance, online("d1", "kept", 1)?).await?;
    let mut changes = expect_current(presence, &instance, &[("d1", "kept", 1)]).await?;
    // The silent one is the clock: twice it is lost, and the other has outlived two leases.
    for _ in 0..2 {
        presence.heartbeat(&instance, &connector("silent")?, Beat::default()).await?;
        await_lost(presence, &instance, &mut changes, "silent", &["kept"], under_test).await?;
    }
    expect_current(presence, &instance, &[("d1", "kept", 1)]).await?;
    Ok(())
}

/// A connector that was lost (its network was cut) comes back by announcing what it holds.
pub async fn a_lost_connector_announces_again(under_test: &UnderTest) -> Result<(), Failure> {
    let (presence, instance) = open(under_test, "back").await?;
    presence.heartbeat(&instance, &connector("c1")?, Beat::default()).await?;
    presence.announce(&instance, online("d1", "c1", 1)?).await?;
    let mut changes = expect_current(presence, &instance, &[("d1", "c1", 1)]).await?;
    await_lost(presence, &instance, &mut changes, "c1", &[], under_test).await?;
    presence.heartbeat(&instance, &connector("c1")?, Beat::default()).await?;
    expect_current(presence, &instance, &[]).await?;
    presence.announce(&instance, online("d1", "c1", 1)?).await?;
    expect(&mut changes, &online("d1", "c1", 1)?).await?;
    expect_current(presence, &instance, &[("d1", "c1", 1)]).await?;
    Ok(())
}

async fn expect_connectors(
    presence: &dyn Presence,
    instance: &InstanceId,
    expected: &[(&str, Beat)],
) -> Result<Vec<Timestamp>, Failure> {
    let found = presence.connectors(instance).await?;
    let told: Vec<(&str, Beat)> = found.iter().map(|found| (found.connector.as_str(), found.beat)).collect();
    ensure!(told == expected, "the connectors that are alive are {expected:?}, not {told:?}");
    Ok(found.iter().map(|found| found.at).collect())
}

/// Whoever asks is told the last beat of each connector, until its lease runs out; an announcement is no beat.
pub async fn connectors_tell_how_they_are(under_test: &UnderTest) -> Result<(), Failure> {
    let (presence, instance) = open(under_test, "beats").await?;
    let (_, other) = open(under_test, "beats-2").await?;
    let beat = |position: u64, sessions: u64| {
        let (digest, age_ms) = (Some([position as u8; 32]), Some(sessions));
        let fleet = FleetBeat { position: Position(position + 1), digest: [sessions as u8; 32], age_ms: None };
        Beat { position: Position(position), sessions, digest, age_ms, fleet: (position > 5).then_some(fleet) }
    };
    expect_connectors(presence, &instance, &[]).await?;
    let mut changes = expect_current(presence, &instance, &[]).await?;
    presence.announce(&instance, online("d1", "c3", 1)?).await?;
    expect(&mut changes, &online("d1", "c3", 1)?).await?;
    expect_connectors(presence, &instance, &[]).await?;
    presence.heartbeat(&instance, &connector("c2")?, beat(7, 0)).await?;
    presence.heartbeat(&instance, &connector("c1")?, beat(5, u64::MAX)).await?;
    let first = expect_connectors(presence, &instance, &[("c1", beat(5, u64::MAX)), ("c2", beat(7, 0))]).await?;
    presence.heartbeat(&instance, &connector("c1")?, beat(6, 2)).await?;
    let second = expect_connectors(presence, &instance, &[("c1", beat(6, 2)), ("c2", beat(7, 0))]).await?;
    ensure!(first[0] <= second[0] && first[1] == second[1], "a beat is dated: {first:?}, then {second:?}");
    expect_connectors(presence, &other, &[]).await?;
    await_lost(presence, &instance, &mut changes, "c2", &["c1", "c3"], under_test).await?;
    expect_connectors(presence, &instance, &[("c1", Beat::default()), ("c3", Beat::default())]).await?;
    Ok(())
}

/// The same device id in two instances is two devices.
pub async fn presence_of_instances_is_isolated(under_test: &UnderTest) -> Result<(), Failure> {
    let (presence, one) = open(under_test, "room-1").await?;
    let (_, two) = open(under_test, "room-2").await?;
    let mut of_two = expect_current(presence, &two, &[]).await?;
    presence.announce(&one, online("d1", "c1", 1)?).await?;
    presence.announce(&two, online("d1", "c2", 7)?).await?;
    expect(&mut of_two, &online("d1", "c2", 7)?).await?;
    expect_current(presence, &one, &[("d1", "c1", 1)]).await?;
    Ok(())
}

/// Waits until one connector is lost, while others renew their leases.
async fn await_lost(
    presence: &dyn Presence,
    instance: &InstanceId,
    changes: &mut Changes,
    silent: &str,
    alive: &[&str],
    under_test: &UnderTest,
) -> Result<(), Failure> {
    let give_up = Instant::now() + under_test.presence_lease + PATIENCE;
    let mut renewal = tokio::time::interval(under_test.presence_lease / 4);
    loop {
        tokio::select! {
            change = changes.recv() => {
                ensure!(
                    change == Some(lost(silent)?),
                    "connector {silent} is lost when its lease has run out; {change:?} is seen instead"
                );
                return Ok(());
            }
            now = renewal.tick() => {
                ensure!(now < give_up, "connector {silent} has been silent for its lease, and should be lost");
                for name in alive {
                    presence.heartbeat(instance, &connector(name)?, Beat::default()).await?;
                }
            }
        }
    }
}
