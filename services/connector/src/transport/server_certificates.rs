//! The server certificates of one instance, read again when their files change, and which of them a client is shown.
//!
//! There may be two: `<instance>.crt` with `.key`, and `<instance>.rsa.crt` with `.rsa.key` for clients that cannot verify the
//! first. Invariant: a certificate stays in use until a better one can be read.

use std::{error::Error as _, path::Path, sync::Arc};

use rollcall_chassis::server_certificate::{PemPair, ServerCertificate};
use rollcall_domain::ids::InstanceId;
use rollcall_log::repeats::Repeats;
use rustls::{
    crypto::CryptoProvider,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// The pairs of files of one instance.
pub(super) struct ServerCertificates {
    instance: InstanceId,
    first: Watched,
    /// May be absent.
    second: Watched,
}

struct Watched {
    certificate: ServerCertificate,
    repeats: Repeats,
    /// Whether its files have been looked for.
    looked: bool,
}

impl ServerCertificates {
    /// Reads nothing yet.
    pub(super) fn new(instance: InstanceId, folder: &Path) -> Self {
        let watched = |name: &str| Watched {
            certificate: ServerCertificate::new(PemPair::named(folder, name)),
            repeats: Repeats::default(),
            looked: false,
        };
        let (first, second) = (watched(instance.as_str()), watched(&format!("{instance}.rsa")));
        Self { instance, first, second }
    }

    /// Reads what has changed; whether others are in use now. Blocking, but a few `stat`s long unless something has.
    pub(super) fn refresh(&mut self, provider: &CryptoProvider) -> bool {
        let first = self.first.refresh(&self.instance, provider);
        let second =
            if self.second.is_there() { self.second.refresh(&self.instance, provider) } else { self.second.forget() };
        first || second
    }

    /// What is shown to clients; `None` until there is a certificate that can be used.
    pub(super) fn shown(&self) -> Option<Arc<Shown>> {
        let pairs = [&self.first, &self.second];
        let keys: Vec<_> = pairs.iter().filter_map(|pair| pair.certificate.current().cloned()).collect();
        (!keys.is_empty()).then(|| Arc::new(Shown(keys)))
    }
}

impl Watched {
    fn is_there(&self) -> bool {
        let PemPair { certificate, key } = self.certificate.pair();
        certificate.exists() || key.exists()
    }

    /// The files are gone, and nobody needs them; whether that changes anything.
    fn forget(&mut self) -> bool {
        let was_used = self.certificate.current().is_some();
        self.certificate = ServerCertificate::new(self.certificate.pair().clone());
        was_used
    }

    fn refresh(&mut self, instance: &InstanceId, provider: &CryptoProvider) -> bool {
        let is_first = !std::mem::replace(&mut self.looked, true);
        match self.certificate.refresh(provider) {
            Ok(replaced) => {
                if replaced && self.repeats.recovered() {
                    tracing::info!(%instance, "the server certificate can be used again");
                }
                replaced
            }
            // A new instance's certificate may be made a moment after the instance. What is still wrong at the next look is said
            // then: an error comes once for each change of the files.
            Err(_) if is_first => self.forget(),
            Err(error) => {
                let kept = self.certificate.current().is_some();
                let reason = error.source().map(ToString::to_string).unwrap_or_default();
                if let Some(left_out) = self.repeats.failed(format_args!("{error}: {reason}")) {
                    tracing::error!(%instance, kept, %error, reason, left_out, "the server certificate cannot be used");
                }
                false
            }
        }
    }
}

/// Certificates, of which each client is shown the first that it can verify.
#[derive(Debug)]
pub(super) struct Shown(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    /// rustls has taken those signature schemes out that no common cipher suite of TLS 1.2 goes with. If nothing fits, the
    /// first one is named all the same, and rustls says that nothing fits.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fits = |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        self.0.iter().find(fits).or_else(|| self.0.first()).cloned()
    }
}
