//! Connections through load balancers that say where they come from.

use std::{io, net::Ipv4Addr};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use rollcall_projection::freshness::Freshness;

use crate::{
    client::{Client, Refused, within},
    pki::Identity,
    world::{ALPHA, Connector, World},
};

const LISTED: [u8; 4] = [127, 0, 0, 2];
const UNLISTED: [u8; 4] = [127, 0, 0, 3];

/// What a load balancer sends first, with a TLV behind the addresses.
fn header(command: u8, source: [u8; 4]) -> Vec<u8> {
    let rest = [&source[..], &[192, 0, 2, 1, 200, 1, 34, 179], &[0x04, 0, 1, 0]].concat();
    [b"\r\n\r\n\0\r\nQUIT\n", &[command, 0x11, 0, 16][..], &rest].concat()
}

async fn connector(world: &World, registrations_per_source_per_s_max: u32) -> Connector {
    let store = world.store("proxied").await;
    let connector = world.configured(world.backbone.clone(), store, Freshness::unknown(), |config| {
        config.proxy_protocol_from = vec!["127.0.0.2/32".parse().unwrap()];
        config.limits.registrations_per_source_per_s_max = registrations_per_source_per_s_max;
    });
    let connector = connector.await;
    world.settled(&connector).await;
    connector
}

async fn socket_from(peer: [u8; 4], connector: &Connector) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::from(peer), 0).into()).unwrap();
    within(socket.connect(connector.address)).await.unwrap()
}

/// Connects from a peer that sends `first` before TLS.
async fn connect(
    (world, connector): (&World, &Connector),
    peer: [u8; 4],
    first: &[u8],
    device: &Identity,
) -> io::Result<Result<(), Refused>> {
    let mut socket = socket_from(peer, connector).await;
    socket.write_all(first).await?;
    let mut client = Client::over(socket, ALPHA, world.config(device)).await?;
    Ok(client.connect("any client").await?.map(drop))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f34_a_listed_load_balancer_names_the_source_and_each_source_is_paced_alone() {
    let (world, ca) = World::with_ca().await;
    let connector = connector(&world, 1).await;
    let from = async |source: [u8; 4], cn: &str| {
        connect((&world, &connector), LISTED, &header(0x21, source), &ca.device(cn)).await.unwrap()
    };
    for n in 0..6 {
        from([198, 51, 100, n], &format!("other-{n}")).await.unwrap();
    }
    let mut shed = 0;
    for n in 0..6 {
        if let Err(refused) = from([198, 51, 100, 99], &format!("same-{n}")).await {
            assert!(refused.reason.starts_with("registration_shed: "), "{}", refused.reason);
            shed += 1;
        }
    }
    assert!(shed > 0, "six at once of one source are too many");
    // The load balancer speaks for itself.
    connect((&world, &connector), LISTED, &header(0x20, [0; 4]), &ca.device("local")).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f34_without_a_header_a_listed_peer_is_refused_and_with_one_an_unlisted_peer_is() {
    let (world, ca) = World::with_ca().await;
    let connector = connector(&world, 100).await;
    let place = (&world, &connector);
    let device = ca.device("0001");
    assert!(connect(place, LISTED, &[], &device).await.is_err(), "no header");
    connect(place, UNLISTED, &[], &device).await.unwrap().unwrap();
    let mut socket = socket_from(UNLISTED, &connector).await;
    socket.write_all(&header(0x21, [198, 51, 100, 7])).await.unwrap();
    let mut said = Vec::new();
    within(socket.read_to_end(&mut said)).await.unwrap();
    assert_eq!(said.first(), Some(&21), "an alert of TLS: {said:?}");
}
