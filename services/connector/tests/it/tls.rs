//! Who gets through TLS, and what the others are told.

use std::sync::Arc;

use rollcall_domain::registry::{Command, command::Distrust};
use rustls::{
    ClientConfig, NamedGroup,
    client::{ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue},
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    client::{self, Client, within},
    pki::{Authority, Identity},
    world::{ALPHA, BETA, Connector, World, attempt, eventually, id, set_up, trust},
};

/// The client's TLS session is saved once the server has said something after the handshake.
async fn connect(connector: &Connector, name: &str, config: &Arc<ClientConfig>) -> Client {
    let mut client = Client::handshake(connector.address, name, config.clone()).await.unwrap();
    client.connect("any client").await.unwrap().unwrap();
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f24_only_the_exact_access_domain_in_any_case_leads_to_an_instance() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let config = world.config(&ca.device("0001"));
    for name in [ALPHA, "ALPHA.IoT.example"] {
        connect(&connector, name, &config).await;
    }
    for name in ["iot.example", "x.alpha.iot.example", "alpha.iot.example.evil", "127.0.0.1", "::1"] {
        let said = world.refused_by_tls(&connector, name, config.clone()).await;
        assert!(said.contains("UnrecognisedName") || said.contains("UnrecognizedName"), "{name}: {said}");
    }
    let mut nameless = client::config(&world.server_ca.der, Some(&ca.device("0002")), &[&TLS13]);
    nameless.enable_sni = false;
    let said = world.refused_by_tls(&connector, ALPHA, Arc::new(nameless)).await;
    assert!(said.contains("UnrecognisedName") || said.contains("UnrecognizedName"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f24_a_ca_of_one_instance_proves_nothing_at_another() {
    let (world, ca) = World::with_ca().await;
    set_up(&world.beta, "other").await;
    trust(&world.beta, &Authority::root("Another CA"), "ca", "other").await;
    let connector = world.connector().await;
    let said = world.refused_by_tls(&connector, BETA, world.config(&ca.device("0001"))).await;
    assert!(said.contains("UnknownCA"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f19_a_twin_of_a_ca_with_another_key_proves_nothing() {
    let (world, _) = World::with_ca().await;
    let connector = world.connector().await;
    let twin = Authority::root("Device CA");
    let said = world.refused_by_tls(&connector, ALPHA, world.config(&twin.device("0001"))).await;
    assert!(said.contains("UnknownCA") || said.contains("DecryptError"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_certificate_nobody_gets_in() {
    let (world, _) = World::with_ca().await;
    let connector = world.connector().await;
    let config = client::config(&world.server_ca.der, None, &[&TLS13]);
    let said = world.refused_by_tls(&connector, ALPHA, Arc::new(config)).await;
    assert!(said.contains("CertificateRequired"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn version_1_and_3_certificates_get_in_over_tls_1_2_and_1_3() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    for (n, version) in [&TLS12, &TLS13].into_iter().enumerate() {
        for identity in [ca.device(&format!("v3-{n}")), ca.device_v1(&format!("v1-{n}"))] {
            let config = Arc::new(client::config(&world.server_ca.der, Some(&identity), &[version]));
            let client = connect(&connector, ALPHA, &config).await;
            assert_eq!(client.tls.get_ref().1.protocol_version(), Some(version.version));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_v1_certificate_without_its_key_does_not_get_in() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let stolen = Identity { chain: ca.device_v1("0001").chain, key: ca.device("0002").key };
    for version in [&TLS12, &TLS13] {
        let config = client::config(&world.server_ca.der, Some(&stolen), &[version]);
        let said = world.refused_by_tls(&connector, ALPHA, Arc::new(config)).await;
        assert!(said.contains("DecryptError"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f3_an_intermediate_is_taken_and_a_chain_too_long_is_not() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let intermediate = ca.intermediate("Intermediate CA");
    let mut device = intermediate.device("0001");
    device.chain.push(intermediate.der.clone());
    connect(&connector, ALPHA, &world.config(&device)).await;

    let mut long = ca.device("0002");
    long.chain.extend((0..12).map(|n| Authority::root(&format!("Extra {n}")).der));
    let said = world.refused_by_tls(&connector, ALPHA, world.config(&long)).await;
    assert!(said.contains("CertificateUnknown"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_resumed_and_judged_again() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    for (n, version) in [&TLS12, &TLS13].into_iter().enumerate() {
        let device = ca.device(&format!("{n:04}"));
        let config = Arc::new(client::config(&world.server_ca.der, Some(&device), &[version]));
        assert!(!connect(&connector, ALPHA, &config).await.resumed());
        assert!(connect(&connector, ALPHA, &config).await.resumed(), "{version:?}");
    }
    let config = world.config(&ca.device("frozen"));
    drop(connect(&connector, ALPHA, &config).await);
    world.alpha.command(Command::FreezeDevice { device: id("truck_frozen") }).await;
    world.settled(&connector).await;
    let mut client = Client::handshake(connector.address, ALPHA, config).await.unwrap();
    let refused = client.connect("any client").await.unwrap().unwrap_err();
    assert!(client.resumed());
    assert!(refused.reason.starts_with("device_frozen: "), "{}", refused.reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_not_resumed_after_its_ca_is_gone() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let config = world.config(&ca.device("0001"));
    drop(connect(&connector, ALPHA, &config).await);
    world.alpha.command(Command::DeleteCa { ca: id("ca"), distrust: Distrust::No }).await;
    world.settled(&connector).await;
    let said = world.refused_by_tls(&connector, ALPHA, config).await;
    assert!(said.contains("UnknownCA"), "{said}");
}

/// Offers the sessions of one server name to every other.
#[derive(Debug)]
struct Promiscuous(ClientSessionMemoryCache);

impl Promiscuous {
    fn name() -> ServerName<'static> {
        ServerName::try_from("one.example").unwrap()
    }
}

impl ClientSessionStore for Promiscuous {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(Self::name(), group);
    }
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&Self::name())
    }
    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(Self::name(), value);
    }
    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&Self::name())
    }
    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&Self::name());
    }
    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(Self::name(), value);
    }
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&Self::name())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_of_one_instance_is_not_resumed_at_another() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let device = ca.device("0001");
    for version in [&TLS12, &TLS13] {
        let mut config = client::config(&world.server_ca.der, Some(&device), &[version]);
        config.resumption = Resumption::store(Arc::new(Promiscuous(ClientSessionMemoryCache::new(8))));
        let config = Arc::new(config);
        drop(connect(&connector, ALPHA, &config).await);
        let said = world.refused_by_tls(&connector, BETA, config).await;
        assert!(said.contains("UnknownCA"), "{version:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_server_certificate_is_shown_and_a_broken_one_is_not() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let device = ca.device("0001");
    let shown = async || {
        let config = world.config(&device);
        let client = connect(&connector, ALPHA, &config).await;
        client.tls.get_ref().1.peer_certificates().unwrap()[0].clone()
    };
    let before = shown().await;
    std::fs::write(world.tls_folder().join("alpha.crt"), "-----BEGIN NONSENSE-----").unwrap();
    assert_eq!(shown().await, before);
    let renewed = world.server_ca.server(ALPHA);
    world.write_server_certificate("alpha", &renewed);
    eventually("the renewed certificate is shown", async || shown().await == renewed.chain[0]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f26_silent_and_slow_clients_do_not_keep_others_out_and_are_let_go() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector_with(|limits| {
        limits.handshake_ms_max = 3000;
        limits.connect_ms_max = 3000;
        limits.handshakes_max = 4;
    });
    let connector = connector.await;
    let mut silent = Vec::new();
    for n in 0..200 {
        let mut socket = tokio::net::TcpStream::connect(connector.address).await.unwrap();
        // Half of them begin a ClientHello and never end it.
        if n % 2 == 0 {
            socket.write_all(&[22, 3, 1, 0, 200, 1, 0]).await.unwrap();
        }
        silent.push(socket);
    }
    let shaken = Client::handshake(connector.address, ALPHA, world.config(&ca.device("silent"))).await.unwrap();
    connect(&connector, ALPHA, &world.config(&ca.device("0001"))).await;
    for mut socket in silent {
        let mut rest = Vec::new();
        // An alert or nothing, then the end; a reset counts as an end too.
        drop(within(socket.read_to_end(&mut rest)).await);
    }
    drop(within(shaken.tls.into_inner().0.readable()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f26_a_client_hello_that_does_not_end_is_refused_at_its_limit() {
    let (world, _) = World::with_ca().await;
    // Nothing is to end by a deadline.
    let connector = world.connector_with(|limits| limits.handshake_ms_max = 600_000).await;
    // Records of 1 KB, as a handshake message may be cut; it announces almost as much as TLS implementations hold.
    let record = |payload: &[u8]| [&[22, 3, 1, 4, 0], payload].concat();
    let first = record(&[&[1, 0, 0xff, 0xf0], &[0; 1020][..]].concat());
    let further = record(&[0; 1024]);
    let mut socket = tokio::net::TcpStream::connect(connector.address).await.unwrap();
    socket.write_all(&first).await.unwrap();
    for _ in 1..17 {
        socket.write_all(&further).await.unwrap();
    }
    let mut alert = [0; 7];
    within(socket.read_exact(&mut alert)).await.unwrap();
    assert_eq!(alert, [21, 3, 3, 0, 2, 2, 50], "decode_error");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f26_more_connections_than_allowed_are_closed_at_once() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector_with(|limits| limits.connections_max = 2).await;
    let (one, two) = (ca.device("0001"), ca.device("0002"));
    let held = [world.connect(&connector, &one).await.unwrap(), world.connect(&connector, &two).await.unwrap()];
    assert!(attempt(&connector, ALPHA, world.config(&ca.device("0003"))).await.is_err());
    drop(held);
    eventually("there is room again", async || {
        matches!(attempt(&connector, ALPHA, world.config(&ca.device("0003"))).await, Ok(Ok(())))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f29_an_expired_or_future_certificate_is_refused() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let now_s = crate::world::NOW_MS / 1000;
    let said = world.refused_by_tls(&connector, ALPHA, world.config(&ca.device_until("0001", now_s - 1))).await;
    assert!(said.contains("CertificateExpired"), "{said}");
}
