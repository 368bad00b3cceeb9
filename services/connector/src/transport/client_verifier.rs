//! The client-certificate verifier of rustls, backed by the domain's path building.
//!
//! Does not decide who the device is; admission verifies the chain again on every connection, because rustls does not
//! ask about a resumed session. Invariant: what is accepted is a chain up to a verified CA certificate of the one
//! instance that the SNI named; while the view is not ready, admission refuses the connection.

use std::sync::Arc;

use rollcall_domain::certificate::path::{PathError, raw_public_key};
use rollcall_projection::admission::ViewStatus;
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerMisbehaved, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use tokio::sync::watch;
use webpki::RawPublicKeyEntity;

use crate::{
    admission::view_ready::view_ready,
    transport::{
        chain_verifier::ChainVerifier,
        refused_chain::{self, RefusedChain},
    },
};

/// Requests a client certificate and verifies its chain.
#[derive(Debug)]
pub(crate) struct ClientVerifier {
    chain_verifier: Arc<ChainVerifier>,
    view: watch::Receiver<ViewStatus>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientVerifier {
    /// For one instance and trust epoch.
    pub(crate) fn new(
        chain_verifier: Arc<ChainVerifier>,
        view: watch::Receiver<ViewStatus>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Self {
        Self { chain_verifier, view, algorithms }
    }
}

impl ClientCertVerifier for ClientVerifier {
    /// None: the list would tell every anonymous client of an access domain who its owner's suppliers are.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    /// `_now` is not used: the chain verifier has the injected clock.
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.chain_verifier.verify(std::iter::once(end_entity).chain(intermediates)) {
            Ok(_) => Ok(ClientCertVerified::assertion()),
            // Which CA certificates are trusted is not known yet. "Unknown CA" would be wrong, and final to some
            // clients; so the handshake goes on, and admission, which has no verified chain either, says "not ready".
            Err(_) if !view_ready(&self.view.borrow()) => Ok(ClientCertVerified::assertion()),
            Err(unproven) => {
                let alerting = alerting(&unproven.error);
                refused_chain::put(|| RefusedChain::of(unproven, std::iter::once(end_entity).chain(intermediates)));
                Err(Error::InvalidCertificate(alerting))
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let spki = public_key(cert)?;
        let key = RawPublicKeyEntity::try_from(&spki).map_err(|_| CertificateError::BadEncoding)?;
        let candidates = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == dss.scheme);
        let (_, candidates) = candidates.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        // A TLS 1.2 scheme names no curve: whichever of its algorithms fits the key decides.
        let genuine = candidates.iter().any(|algorithm| key.verify_signature(*algorithm, message, dss.signature()).is_ok());
        if genuine { Ok(HandshakeSignatureValid::assertion()) } else { Err(CertificateError::BadSignature.into()) }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature_with_raw_key(message, &public_key(cert)?, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The key of a client certificate. rustls takes it out of version 3 certificates only, and `openssl x509 -req` without
/// an extension file still makes version 1; so the domain's reader, which reads both, takes it out of either.
fn public_key<'a>(certificate: &'a CertificateDer<'_>) -> Result<SubjectPublicKeyInfoDer<'a>, CertificateError> {
    let key = raw_public_key(certificate).map_err(|_| CertificateError::BadEncoding)?;
    Ok(SubjectPublicKeyInfoDer::from(key))
}

/// The rustls error whose alert tells the device what is wrong with its chain (RFC 8446 §6.2).
pub(super) fn alerting(error: &PathError) -> CertificateError {
    match error {
        PathError::UnknownIssuer | PathError::IssuerEncoding { .. } => CertificateError::UnknownIssuer,
        PathError::Distrusted => CertificateError::Revoked,
        PathError::Expired(_) => CertificateError::Expired,
        PathError::NotYetValid(_) => CertificateError::NotValidYet,
        PathError::BadSignature => CertificateError::BadSignature,
        PathError::WrongPurpose { .. } => CertificateError::InvalidPurpose,
        PathError::Malformed { .. } => CertificateError::BadEncoding,
        PathError::Empty
        | PathError::TooLong { .. }
        | PathError::TooManyBytes { .. }
        | PathError::NotPermitted { .. }
        | PathError::WeakKey { .. } => CertificateError::Other(OtherError(Arc::new(error.clone()))),
    }
}
