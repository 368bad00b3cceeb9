//! Clients of the field that need something of TLS: another certificate, no tickets, small records.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use rollcall_connector::{Config, InstanceSettings};
use rollcall_projection::freshness::Freshness;
use rustls::{ClientConfig, pki_types::ServerName, version::TLS13};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
    process::Command,
};
use tokio_rustls::TlsConnector;

use crate::{
    client::{self, Client, within},
    world::{ALPHA, Connector, World, eventually, instance_id},
};

async fn connector(world: &World, alpha: InstanceSettings) -> Connector {
    let store = world.store("settings").await;
    let set = |config: &mut Config| config.instances = [(instance_id("alpha").to_string(), alpha)].into();
    let connector = world.configured(world.backbone.clone(), store, Freshness::unknown(), set).await;
    world.settled(&connector).await;
    connector
}

/// Whose signature an `openssl s_client` with these options is shown: `ECDSA`, `RSA` or `RSA-PSS`; what it says, if none.
async fn shown_to_openssl(connector: &Connector, options: &str) -> String {
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-servername", ALPHA, "-connect", &connector.address.to_string()]);
    openssl.args(options.split(' ')).stdin(std::process::Stdio::null()).kill_on_drop(true);
    let output = within(openssl.output()).await.unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    let signature = said.lines().find_map(|line| line.strip_prefix("Peer signature type: ")).map(str::to_owned);
    signature.unwrap_or(said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_client_is_shown_a_server_certificate_that_it_can_verify() {
    let (world, ca) = World::with_ca().await;
    world.write_server_certificate("alpha.rsa", &world.server_ca.rsa_server(ALPHA));
    let connector = world.connector().await;
    for (options, wanted) in [
        ("-tls1_3", "ECDSA"),
        ("-tls1_3 -sigalgs ecdsa_secp256r1_sha256", "ECDSA"),
        ("-tls1_3 -sigalgs rsa_pss_rsae_sha256", "RSA-PSS"),
        ("-tls1_2", "ECDSA"),
        ("-tls1_2 -cipher ECDHE-ECDSA-AES128-GCM-SHA256", "ECDSA"),
        ("-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256", "RSA-PSS"),
        ("-tls1_2 -sigalgs RSA+SHA256", "RSA"),
        ("-tls1_2 -sigalgs ECDSA+SHA256", "ECDSA"),
    ] {
        assert_eq!(shown_to_openssl(&connector, options).await, wanted, "{options}");
    }
    let said = shown_to_openssl(&connector, "-tls1_3 -sigalgs ed25519").await;
    assert!(said.contains("handshake failure"), "{said}");
    world.connect(&connector, &ca.device("0001")).await.unwrap().quiet().await;
    // Taken away, it is shown no more.
    for file in ["alpha.rsa.crt", "alpha.rsa.key"] {
        std::fs::remove_file(world.tls_folder().join(file)).unwrap();
    }
    let rsa_only = "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256";
    eventually("RSA is shown no more", async || shown_to_openssl(&connector, rsa_only).await.contains("handshake failure"))
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tickets_are_sent_unless_the_instance_is_not_to_send_any() {
    let (world, ca) = World::with_ca().await;
    let without = InstanceSettings { tls_session_tickets: Some(false), ..InstanceSettings::default() };
    for (settings, tickets, cn) in [(InstanceSettings::default(), 1, "0001"), (without, 0, "0002")] {
        let connector = connector(&world, settings).await;
        let config = Arc::new(client::config(&world.server_ca.der, Some(&ca.device(cn)), &[&TLS13]));
        for _ in 0..2 {
            let mut client = Client::handshake(connector.address, ALPHA, config.clone()).await.unwrap();
            client.connect("any client").await.unwrap().unwrap();
            client.quiet().await;
            assert_eq!(client.tls.get_ref().1.tls13_tickets_received(), tickets);
        }
        connector.shutdown.cancel();
        within(connector.ended).await.unwrap();
    }
}

/// Keeps what has been read.
struct Recorded {
    socket: TcpStream,
    read: Vec<u8>,
}

impl AsyncRead for Recorded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, into))?;
        self.read.extend_from_slice(&into.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// Lengths of the records of one handshake, as their headers say.
async fn records(connector: &Connector, config: ClientConfig) -> Vec<usize> {
    let recorded = Recorded { socket: TcpStream::connect(connector.address).await.unwrap(), read: Vec::new() };
    let name = ServerName::try_from(ALPHA).unwrap();
    let mut tls = within(TlsConnector::from(Arc::new(config)).connect(name, recorded)).await.unwrap();
    // Nothing is sent: the deadline for CONNECT or the certificate's absence ends it; what was read before is all that counts.
    drop(tokio::time::timeout(std::time::Duration::from_millis(1), tls.read_u8()).await);
    let (mut lengths, mut rest) = (Vec::new(), &*tls.get_ref().0.read);
    while let [_, _, _, high, low, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        lengths.push(length);
        rest = tail.get(length..).unwrap_or_default();
    }
    lengths
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_no_larger_than_the_instance_is_to_send() {
    let (world, ca) = World::with_ca().await;
    // A chain that does not fit into one record of the smallest size.
    let mut long = world.server_ca.server(ALPHA);
    long.chain.extend([world.server_ca.der.clone(), world.server_ca.der.clone()]);
    world.write_server_certificate("alpha", &long);
    let small = InstanceSettings { max_fragment_size: Some(512), ..InstanceSettings::default() };
    let connector = connector(&world, small).await;
    let config = client::config(&world.server_ca.der, Some(&ca.device("0001")), &[&TLS13]);
    let lengths = records(&connector, config).await;
    // What encryption adds: the kind of the record and a tag.
    assert!(lengths.iter().all(|length| *length <= 512 - 5 + 1 + 16), "{lengths:?}");
    assert!(lengths.iter().sum::<usize>() > 1024, "{lengths:?}");
    world.connect(&connector, &ca.device("0001")).await.unwrap().quiet().await;
}
