//! The floor: a bare tokio-rustls acceptor that requires a client certificate of one CA and answers CONNACK. What any
//! MQTT server over mutual TLS on this stack must at least spend.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use rustls::{RootCertStore, ServerConfig, server::WebPkiClientVerifier};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// Files that it needs.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The device CA's certificate.
    #[arg(long)]
    ca: PathBuf,
    /// The server's certificate.
    #[arg(long)]
    certificate: PathBuf,
    #[arg(long)]
    key: PathBuf,
}

/// Serves until it is killed; says its address on standard output.
#[expect(clippy::print_stdout, reason = "the address is for the process that started this one")]
pub(crate) async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&arguments.ca)?)?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()?;
    let chain = CertificateDer::pem_file_iter(&arguments.certificate)?.collect::<Result<Vec<_>, _>>()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(&arguments.key)?)?;
    config.send_tls13_tickets = 0;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        let acceptor = acceptor.clone();
        tokio::spawn(async move { answer(acceptor, socket).await });
    }
}

async fn answer(acceptor: TlsAcceptor, socket: TcpStream) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut stream = acceptor.accept(socket).await?;
    let mut packet = [0; 256];
    if stream.read(&mut packet).await? > 0 {
        stream.write_all(&[0x20, 2, 0, 0]).await?;
    }
    while stream.read(&mut packet).await? > 0 {}
    stream.shutdown().await
}
