//! Real handshakes: which certificate is shown to whom, what is agreed on, and what happens when files change.

use std::{net::SocketAddr, path::Path, time::Duration};

use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{TlsConnector, client};

use super::*;
use crate::{
    clock::{Clock as _, SystemClock},
    keys::PlatformCa,
};

/// How long a handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// A folder with a CA and the API's own certificate, and a server that says `hello`.
struct World {
    folder: tempfile::TempDir,
    ca: PlatformCa,
    names: watch::Sender<Vec<NamedPair>>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // The clients' verifier reads the real clock.
        let ca = PlatformCa::open_or_make(folder.path(), SystemClock.unix_ms()).expect("a CA");
        ca.issue_server_also_for(folder.path(), "api", "localhost", &["127.0.0.1", "::1"]).expect("issued");
        Self { folder, ca, names: watch::Sender::new(Vec::new()) }
    }

    fn pair(&self, name: &str) -> PemPair {
        let at = |extension: &str| self.folder.path().join(format!("{name}.{extension}"));
        PemPair { certificate: at("crt"), key: at("key") }
    }

    fn named(&self, name: &str, dns_name: &str) -> NamedPair {
        self.ca.issue_server(self.folder.path(), name, dns_name).expect("issued");
        NamedPair { dns_name: dns_name.to_owned(), pair: self.pair(name) }
    }

    fn acceptor(&self) -> Acceptor {
        Acceptor::new(self.config()).expect("an acceptor")
    }

    fn config(&self) -> TlsServerConfig {
        TlsServerConfig {
            default: self.pair("api"),
            named: self.names.subscribe(),
            handshake_max: HANDSHAKE_MAX,
            reread_every: Duration::ZERO,
        }
    }

    fn client(&self, versions: &[&'static SupportedProtocolVersion], protocols: &[&str]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(self.ca.certificate_file()).expect("the CA certificate");
        roots.add(ca).expect("added");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }

    /// What the server shows to a client that asks for `name`.
    async fn shown(&self, acceptor: &Acceptor, name: &str) -> Result<Vec<u8>, String> {
        let (client, server) = connected(acceptor, &self.client(&[&version::TLS13], &[]), name).await;
        drop(server);
        let stream = client.map_err(|error| error.to_string())?;
        Ok(stream.get_ref().1.peer_certificates().expect("a certificate")[0].to_vec())
    }
}

async fn connected(
    acceptor: &Acceptor,
    client: &TlsConnector,
    name: &str,
) -> (io::Result<client::TlsStream<TcpStream>>, io::Result<Stream>) {
    let (address, listener) = listening().await;
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let serve = async { acceptor.accept(listener.accept().await.expect("accepted").0).await };
    let connect = async { client.connect(name, TcpStream::connect(address).await.expect("connected")).await };
    tokio::join!(connect, serve)
}

async fn listening() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    (listener.local_addr().expect("an address"), listener)
}

fn certificate(pair: &PemPair) -> Vec<u8> {
    CertificateDer::from_pem_file(&pair.certificate).expect("a certificate").to_vec()
}

/// As a renewal does: aside, and renamed into place.
fn replace(file: &Path, text: &str) {
    let aside = file.with_extension("aside");
    std::fs::write(&aside, text).expect("written");
    std::fs::rename(&aside, file).expect("renamed");
}

#[tokio::test]
async fn both_versions_are_offered_and_what_is_served_is_agreed_on() {
    let world = World::new();
    let acceptor = world.acceptor();
    for (version, protocols, agreed) in
        [(&version::TLS13, ["h2", "http/1.1"], "http/1.1"), (&version::TLS12, ["http/1.1", "http/1.0"], "http/1.1")]
    {
        let (client, server) = connected(&acceptor, &world.client(&[version], &protocols), "localhost").await;
        let (mut client, mut server) = (client.expect("a client"), server.expect("a server"));
        assert_eq!(client.get_ref().1.protocol_version(), Some(version.version));
        let session = server.0.get_ref().1;
        assert_eq!((session.alpn_protocol(), session.server_name()), (Some(agreed.as_bytes()), Some("localhost")));
        server.write_all(b"hello").await.expect("written");
        server.shutdown().await.expect("shut down");
        let mut heard = String::new();
        client.read_to_string(&mut heard).await.expect("read");
        assert_eq!(heard, "hello");
    }
}

#[tokio::test]
async fn the_name_picks_the_certificate_and_an_address_gets_the_default() {
    let world = World::new();
    let north = world.named("north", "north.example");
    world.names.send_replace(vec![NamedPair { dns_name: "North.Example".to_owned(), ..north.clone() }]);
    let acceptor = world.acceptor();
    assert_eq!(world.shown(&acceptor, "north.example").await, Ok(certificate(&north.pair)));
    for name in ["localhost", "127.0.0.1", "::1"] {
        assert_eq!(world.shown(&acceptor, name).await, Ok(certificate(&world.pair("api"))), "{name}");
    }
    let refused = world.shown(&acceptor, "south.example").await.expect_err("a certificate for another name");
    assert!(refused.contains("not valid for name"), "{refused}");
}

#[tokio::test]
async fn names_may_come_and_go() {
    let world = World::new();
    // Files are not due for long: the change of names alone makes them be looked at.
    let acceptor = Acceptor::new(TlsServerConfig { reread_every: Duration::MAX, ..world.config() }).expect("an acceptor");
    let south = world.named("south", "south.example");
    assert!(world.shown(&acceptor, "south.example").await.is_err());
    world.names.send_replace(vec![south.clone()]);
    assert_eq!(world.shown(&acceptor, "south.example").await, Ok(certificate(&south.pair)));
    world.names.send_replace(Vec::new());
    assert!(world.shown(&acceptor, "south.example").await.is_err());
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_and_a_broken_one_is_not() {
    let world = World::new();
    let acceptor = world.acceptor();
    let first = world.shown(&acceptor, "localhost").await.expect("a certificate");
    world.ca.issue_server_also_for(world.folder.path(), "api", "localhost", &["api.example"]).expect("issued");
    let second = world.shown(&acceptor, "localhost").await.expect("a certificate");
    assert_ne!(first, second);
    assert_eq!(second, certificate(&world.pair("api")));
    replace(&world.pair("api").certificate, "nonsense");
    assert_eq!(world.shown(&acceptor, "localhost").await, Ok(second.clone()), "the last good one stays");
    std::fs::remove_file(world.pair("api").key).expect("removed");
    assert_eq!(world.shown(&acceptor, "localhost").await, Ok(second));
}

#[tokio::test]
async fn a_named_pair_that_cannot_be_used_leaves_the_others_alone() {
    let world = World::new();
    let north = world.named("north", "north.example");
    let broken = NamedPair { dns_name: "localhost".to_owned(), pair: world.pair("missing") };
    world.names.send_replace(vec![broken, north.clone()]);
    let acceptor = world.acceptor();
    assert_eq!(world.shown(&acceptor, "north.example").await, Ok(certificate(&north.pair)));
    assert_eq!(world.shown(&acceptor, "localhost").await, Ok(certificate(&world.pair("api"))));
}

#[tokio::test]
async fn who_does_not_speak_tls_is_refused_and_who_says_nothing_is_not_waited_for() {
    let world = World::new();
    let (address, listener) = listening().await;
    let mut plain = TcpStream::connect(address).await.expect("connected");
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("written");
    let socket = listener.accept().await.expect("accepted").0;
    let refused = world.acceptor().accept(socket).await.expect_err("no TLS");
    assert_eq!(refused.kind(), io::ErrorKind::InvalidData);

    let hasty = TlsServerConfig { handshake_max: Duration::from_millis(1), ..world.config() };
    let silent = TcpStream::connect(address).await.expect("connected");
    let socket = listener.accept().await.expect("accepted").0;
    let acceptor = Acceptor::new(hasty).expect("an acceptor");
    let late = acceptor.accept(socket).await.expect_err("silence");
    assert_eq!(late.kind(), io::ErrorKind::TimedOut);
    drop(silent);
}

#[tokio::test]
async fn without_a_default_there_is_no_acceptor_and_the_file_is_named() {
    let world = World::new();
    let refused = |default: PemPair| {
        Acceptor::new(TlsServerConfig { default, ..world.config() }).err().expect("must be refused").to_string()
    };
    assert!(refused(world.pair("missing")).contains("missing.crt"));
    world.named("north", "north.example");
    let mixed = PemPair { key: world.pair("north").key, ..world.pair("api") };
    assert!(refused(mixed).contains("cannot be used together"));
    std::fs::write(world.folder.path().join("empty.crt"), "").expect("written");
    assert!(refused(world.pair("empty")).contains("empty.crt holds no certificate that can be read: line 1: it is empty"));
}
