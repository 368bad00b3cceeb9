//! TLS clients for tools: one with a certificate of its own, that talks to a server as a device would, and one without.
//!
//! Says what happened (version, suite, whether the certificate was asked for) because the tool's user wants to see it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{ClientConfig, RootCertStore, client::ResolvesClientCert, sign::CertifiedKey};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::pem::{self, PemFileError};

/// What the client shows and what it trusts; all PEM files.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The CA certificate(s) that the server's must lead to.
    pub server_ca: PathBuf,
    /// The client's certificate, followed by its intermediates.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// A connection after its handshake.
pub type Stream = TlsStream<TcpStream>;

/// What a handshake came to.
#[derive(Clone, Debug)]
pub struct Handshake {
    /// Such as `TLSv1_3`.
    pub version: String,
    /// Such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher_suite: String,
    /// Whether the server asked for a client certificate and got it.
    pub certificate_offered: bool,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum TlsClientError {
    /// A PEM file cannot be used.
    #[error(transparent)]
    File(#[from] PemFileError),
    /// What is to verify the server is no certificate.
    #[error("a server CA certificate in {file} cannot be used")]
    ServerCa {
        file: PathBuf,
        #[source]
        source: rustls::Error,
    },
    /// The name cannot be sent as SNI.
    #[error("{0:?} is not a DNS name, and only a DNS name can be sent as SNI")]
    Name(String),
    /// Certificate and key cannot be used together.
    #[error("certificate and key cannot be used")]
    Identity(#[source] rustls::Error),
    /// The handshake failed.
    #[error("the TLS handshake failed")]
    Handshake(#[source] std::io::Error),
}

/// Shakes hands on a connected socket, with `server_name` as SNI and the server's certificate verified against it.
///
/// # Errors
/// [`TlsClientError`].
pub async fn connect(
    socket: TcpStream,
    server_name: &str,
    identity: &Identity,
) -> Result<(Stream, Handshake), TlsClientError> {
    let name = match ServerName::try_from(server_name.to_owned()) {
        Ok(name @ ServerName::DnsName(_)) => name,
        _ => return Err(TlsClientError::Name(server_name.to_owned())),
    };
    let resolver = Arc::new(Offering { key: certified_key(identity)?, asked: std::sync::atomic::AtomicBool::new(false) });
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsClientError::Identity)?
        .with_root_certificates(roots(&identity.server_ca)?)
        .with_client_cert_resolver(resolver.clone());
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.map_err(TlsClientError::Handshake)?;
    let session = stream.get_ref().1;
    let handshake = Handshake {
        version: session.protocol_version().map(|v| format!("{v:?}")).unwrap_or_default(),
        cipher_suite: session.negotiated_cipher_suite().map(|s| format!("{:?}", s.suite())).unwrap_or_default(),
        certificate_offered: resolver.asked.load(std::sync::atomic::Ordering::SeqCst),
    };
    Ok((stream, handshake))
}

/// Shakes hands without a certificate, as clients of the API do; `server_name` is a DNS name or an IP address.
///
/// # Errors
/// [`TlsClientError`].
pub async fn connect_without_certificate(
    socket: TcpStream,
    server_name: &str,
    server_ca: &Path,
) -> Result<Stream, TlsClientError> {
    let name = ServerName::try_from(server_name.to_owned()).map_err(|_| TlsClientError::Name(server_name.to_owned()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsClientError::Identity)?
        .with_root_certificates(roots(server_ca)?)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await.map_err(TlsClientError::Handshake)
}

/// Offers one certificate, whatever the server hints at, and remembers that it was asked.
#[derive(Debug)]
struct Offering {
    key: Arc<CertifiedKey>,
    asked: std::sync::atomic::AtomicBool,
}

impl ResolvesClientCert for Offering {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[rustls::SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, std::sync::atomic::Ordering::SeqCst);
        Some(self.key.clone())
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn roots(server_ca: &Path) -> Result<RootCertStore, TlsClientError> {
    let mut roots = RootCertStore::empty();
    for certificate in pem::read_certificates(server_ca)? {
        roots.add(certificate).map_err(|source| TlsClientError::ServerCa { file: server_ca.to_owned(), source })?;
    }
    Ok(roots)
}

/// Without asking whether key and certificate match: X.509 v1 certificates cannot be read by that check, and a server
/// refuses a pair that does not match anyway.
fn certified_key(identity: &Identity) -> Result<Arc<CertifiedKey>, TlsClientError> {
    let (chain, key) = (pem::read_certificates(&identity.certificate)?, pem::read_private_key(&identity.key)?);
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).map_err(TlsClientError::Identity)?;
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}
