//! Connections that prove nothing: what they keep from others, and who is closed when they are too many.

use std::{io, net::Ipv4Addr, sync::Arc, time::Duration};

use rustls::{ClientConnection, pki_types::ServerName};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    sync::Semaphore,
    task::JoinSet,
};

use crate::{
    client::{Client, within},
    world::{ALPHA, Connector, World, eventually},
};

/// Nothing in these tests is to end by a deadline.
const LONG_MS: u64 = 600_000;

/// Every address of 127.0.0.0/8 is this machine's own: one for each source.
async fn socket_from(source: [u8; 4], connector: &Connector) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::from(source), 0).into()).unwrap();
    within(socket.connect(connector.address)).await.unwrap()
}

/// Bytes of a ClientHello for alpha.
fn client_hello(world: &World, cn: &str) -> Vec<u8> {
    let config = world.config(&world.server_ca.device(cn));
    let mut tls = ClientConnection::new(config, ServerName::try_from(ALPHA).unwrap()).unwrap();
    let mut bytes = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// Connections that have sent a ClientHello, have been answered, and say nothing more.
async fn half_open(count: usize, source: [u8; 4], connector: &Connector, hello: &[u8]) -> Vec<TcpStream> {
    let mut sockets = Vec::new();
    for _ in 0..count {
        let mut socket = socket_from(source, connector).await;
        socket.write_all(hello).await.unwrap();
        // The flight has begun to come; or the connection has been closed already.
        within(socket.readable()).await.unwrap();
        sockets.push(socket);
    }
    sockets
}

/// Reads what is there; whether the connection is closed.
fn is_closed(socket: &TcpStream) -> bool {
    let mut scratch = [0; 4096];
    loop {
        match socket.try_read(&mut scratch) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != io::ErrorKind::WouldBlock,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f44_half_open_handshakes_of_one_source_do_not_keep_a_device_of_another_out() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector_with(|limits| {
        limits.connections_max = 10_000;
        limits.handshake_ms_max = LONG_MS;
    });
    let connector = connector.await;
    let hanging = half_open(4096, [127, 0, 0, 2], &connector, &client_hello(&world, "flood")).await;
    world.connect(&connector, &ca.device("0001")).await.unwrap().quiet().await;
    assert!(!hanging.iter().any(is_closed), "the device got in while all of them hung");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f44_two_thousand_devices_behind_one_address_all_get_in() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector_with(|limits| {
        limits.connections_max = 10_000;
        for limit in [&mut limits.handshake_ms_max, &mut limits.connect_ms_max, &mut limits.registration_ms_max] {
            *limit = LONG_MS;
        }
    });
    let connector = connector.await;
    let mut sockets = Vec::new();
    for _ in 0..2000 {
        sockets.push(socket_from([127, 0, 0, 2], &connector).await);
    }
    // All are there at once; this machine computes the devices' part too, and that not for all at once.
    let (turns, mut devices) = (Arc::new(Semaphore::new(100)), JoinSet::new());
    for (n, socket) in sockets.into_iter().enumerate() {
        let (turns, config) = (turns.clone(), world.config(&ca.device(&format!("{n:04}"))));
        devices.spawn(async move {
            let _turn = turns.acquire_owned().await.unwrap();
            let mut client = Client::over(socket, ALPHA, config).await.unwrap();
            client.connect("any client").await.unwrap().unwrap();
            client
        });
    }
    let devices = devices.join_all().await;
    connector.until(|status| status.instances.iter().map(|instance| instance.sessions).sum::<usize>() == 2000).await;
    drop(devices);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f44_too_many_unproven_connections_cost_the_source_that_has_most() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector_with(|limits| {
        limits.unproven_max = 40;
        limits.handshake_ms_max = LONG_MS;
    });
    let (connector, hello) = (connector.await, client_hello(&world, "flood"));
    let few = half_open(5, [127, 0, 0, 3], &connector, &hello).await;
    let flood = half_open(60, [127, 0, 0, 2], &connector, &hello).await;
    let closed = || flood.iter().filter(|socket| is_closed(socket)).count();
    eventually("as many are closed as were too many", async || closed() == 25).await;
    assert!(flood[..25].iter().all(is_closed), "those that hung longest");
    world.connect(&connector, &ca.device("0001")).await.unwrap().quiet().await;
    assert!(!few.iter().any(is_closed));
    assert_eq!(closed(), 26, "and one for the device");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f44_a_slow_handshake_ends_by_its_own_deadline_while_places_are_free_and_sooner_when_they_are_not() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector_with(|limits| {
        limits.unproven_max = 20;
        limits.handshake_answer_ms_max = 1;
        limits.handshake_ms_max = LONG_MS;
    });
    let (connector, hello) = (connector.await, client_hello(&world, "slow"));
    let slow = half_open(10, [127, 0, 0, 2], &connector, &hello).await;
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert!(!slow.iter().any(is_closed));
    // The eleventh is more than half.
    world.connect(&connector, &ca.device("0001")).await.unwrap().quiet().await;
    eventually("one is closed", async || slow.iter().filter(|socket| is_closed(socket)).count() == 1).await;
    assert!(is_closed(&slow[0]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f44_who_holds_all_connections_that_sessions_leave_makes_way_for_a_device_of_another_source() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector_with(|limits| {
        limits.connections_max = 64;
        limits.handshake_answer_ms_max = LONG_MS;
        limits.handshake_ms_max = LONG_MS;
    });
    let connector = connector.await;
    // So few are left that they are never half of those that may be unproven.
    let mut sessions = Vec::new();
    for n in 0..56 {
        sessions.push(world.connect(&connector, &ca.device(&format!("{n:04}"))).await.unwrap());
    }
    let flood = half_open(20, [127, 0, 0, 2], &connector, &client_hello(&world, "flood")).await;
    let closed = || flood.iter().filter(|socket| is_closed(socket)).count();
    eventually("the flood has all that are left, and no more", async || closed() == 12).await;
    for n in 0..4 {
        sessions.push(world.connect(&connector, &ca.device(&format!("late{n}"))).await.unwrap());
    }
    eventually("one made way for each", async || closed() == 16).await;
    assert!(flood[..4].iter().all(is_closed), "those that hung longest");
    for session in &mut sessions {
        session.quiet().await;
    }
}
