//! A TLS connection with a device's certificate on which a test writes bytes of its own choice and reads packets.
//!
//! It does what mosquitto and paho do not: send packets that break the standard, and read the answers byte by byte.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    version::{TLS12, TLS13},
};

use crate::{
    certificates::Pair,
    clients::Target,
    wait,
    wire::{self, Answer, Connect},
};

/// How long a read may take.
const READ: Duration = Duration::from_secs(60);

/// An open connection.
pub struct Raw(StreamOwned<ClientConnection, TcpStream>);

/// Which TLS version to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Only 1.2.
    V12,
    /// Only 1.3.
    V13,
}

impl Raw {
    /// Connects and shakes hands. With TLS 1.3 a refused certificate shows at the first read.
    ///
    /// # Errors
    /// What went wrong, in rustls' words.
    pub fn open(target: &Target, device: Option<&Pair>, tls: Tls) -> Result<Self, String> {
        let config = client_config(target, device, tls)?;
        let name = ServerName::try_from(target.host.clone()).map_err(|error| error.to_string())?;
        let socket = TcpStream::connect(target.address).map_err(|error| error.to_string())?;
        socket.set_read_timeout(Some(READ)).map_err(|error| error.to_string())?;
        let connection = ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
        let mut stream = StreamOwned::new(connection, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(|error| error.to_string())?;
        }
        Ok(Self(stream))
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.0.write_all(bytes).and_then(|()| self.0.flush()).map_err(|error| error.to_string())
    }

    /// Reads one packet whole.
    ///
    /// # Errors
    /// When the connection is closed instead, or an alert comes.
    pub fn packet(&mut self) -> Result<Vec<u8>, String> {
        let mut packet = self.read(1)?;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.read(1)?[0];
            packet.push(byte);
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        packet.extend(self.read(length)?);
        Ok(packet)
    }

    fn read(&mut self, bytes: usize) -> Result<Vec<u8>, String> {
        let mut buffer = vec![0; bytes];
        self.0.read_exact(&mut buffer).map_err(|error| error.to_string())?;
        Ok(buffer)
    }

    /// Sends CONNECT and reads the answer.
    ///
    /// # Errors
    /// When another or no answer comes.
    pub fn connect(&mut self, connect: &Connect) -> Result<Answer, String> {
        self.send(&connect.bytes())?;
        wire::answer(connect.version, &self.packet()?)
    }

    /// Reads packets until the server says goodbye or closes: the DISCONNECT's answer (MQTT 5), or `None` for a close.
    pub fn goodbye(&mut self, version: u8) -> Option<Answer> {
        loop {
            match self.packet() {
                Ok(packet) if packet[0] == 0xe0 => return wire::answer(version, &packet).ok(),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }
}

/// What CONNECT is answered with on a connection of its own; `Err` when TLS or the server ends it first.
///
/// # Errors
/// In rustls' words.
pub fn connack(target: &Target, device: &Pair, connect: &Connect) -> Result<Answer, String> {
    Raw::open(target, Some(device), Tls::V13)?.connect(connect)
}

/// Waits until new handshakes of a device's certificate are accepted: a change of trust takes up to a second. Only TLS is
/// spoken, so nothing is registered by this.
///
/// # Panics
/// When they are not.
#[track_caller]
pub fn trusted(target: &Target, device: &Pair) {
    // In TLS 1.2 the handshake ends after the server has judged the client's certificate.
    wait::until(&format!("{} to trust {}", target.host, device.certificate.display()), || {
        Raw::open(target, Some(device), Tls::V12).map(drop)
    });
}

/// As [`trusted`], the other way round; says the alert.
///
/// # Panics
/// When they still are accepted.
#[track_caller]
pub fn not_trusted(target: &Target, device: &Pair) -> String {
    wait::until(&format!("{} to trust {} no more", target.host, device.certificate.display()), || {
        Raw::open(target, Some(device), Tls::V12).err().ok_or("accepted")
    })
}

pub(crate) fn client_config(target: &Target, device: Option<&Pair>, tls: Tls) -> Result<ClientConfig, String> {
    let versions = match tls {
        Tls::V12 => &[&TLS12],
        Tls::V13 => &[&TLS13],
    };
    let mut roots = RootCertStore::empty();
    let server_ca = CertificateDer::from_pem_file(&target.server_ca).map_err(|error| error.to_string())?;
    roots.add(server_ca).map_err(|error| error.to_string())?;
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let Some(device) = device else { return Ok(builder.with_no_client_auth()) };
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(&device.certificate).map_err(|error| error.to_string())?.collect();
    let key = PrivateKeyDer::from_pem_file(&device.key).map_err(|error| error.to_string())?;
    let chain = chain.map_err(|error| error.to_string())?;
    builder.with_client_auth_cert(chain, key).map_err(|error| error.to_string())
}
