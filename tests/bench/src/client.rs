//! The smallest client that does what a device does: full TLS 1.3 handshake with a certificate, CONNECT, CONNACK.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Mutex},
};

use anyhow::{Context as _, bail};
use rustls::{ClientConfig, RootCertStore, client::Resumption};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// Makes device certificates of one CA.
pub(crate) struct DeviceMaker {
    issuer: Mutex<rcgen::Issuer<'static, rcgen::KeyPair>>,
    roots: Arc<RootCertStore>,
}

/// A device that can connect.
pub(crate) struct Device {
    connector: TlsConnector,
    server_name: ServerName<'static>,
}

impl DeviceMaker {
    /// From a CA's PEM files and the CA that servers lead to.
    pub(crate) fn new(ca: &Path, ca_key: &Path, server_ca: &Path) -> anyhow::Result<Self> {
        let key = rcgen::KeyPair::from_pem(&std::fs::read_to_string(ca_key)?)?;
        let issuer = rcgen::Issuer::from_ca_cert_pem(&std::fs::read_to_string(ca)?, key)?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(server_ca)? {
            roots.add(certificate?)?;
        }
        Ok(Self { issuer: Mutex::new(issuer), roots: Arc::new(roots) })
    }

    /// A device with a new key and this CN, for the server of `server_name`.
    pub(crate) fn device(&self, common_name: &str, server_name: &str) -> anyhow::Result<Device> {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, common_name);
        let key = rcgen::KeyPair::generate()?;
        let certificate = params.signed_by(&key, &*self.issuer.lock().expect("no panic under this lock"))?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(self.roots.clone())
            .with_client_auth_cert(vec![certificate.der().clone()], key)?;
        // Every handshake is a full one.
        config.resumption = Resumption::disabled();
        Ok(Device {
            connector: TlsConnector::from(Arc::new(config)),
            server_name: ServerName::try_from(server_name.to_owned())?,
        })
    }
}

impl Device {
    /// Connects and waits for CONNACK 0.
    pub(crate) async fn connect(&self, address: SocketAddr) -> anyhow::Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let mut stream = self.connector.connect(self.server_name.clone(), socket).await?;
        stream.write_all(CONNECT).await?;
        let mut connack = [0; 4];
        stream.read_exact(&mut connack).await.context("no CONNACK")?;
        if connack != [0x20, 2, 0, 0] {
            bail!("CONNACK {}", connack[3]);
        }
        Ok(stream)
    }

    /// Connects, then disconnects.
    pub(crate) async fn connect_once(&self, address: SocketAddr) -> anyhow::Result<()> {
        let mut stream = self.connect(address).await?;
        stream.write_all(DISCONNECT).await?;
        stream.shutdown().await?;
        Ok(())
    }
}

/// MQTT 3.1.1 CONNECT: clean session, keep-alive 1200 s, client id `bench`.
const CONNECT: &[u8] = b"\x10\x11\x00\x04MQTT\x04\x02\x04\xb0\x00\x05bench";
const DISCONNECT: &[u8] = b"\xe0\x00";
