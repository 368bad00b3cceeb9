//! What is asked of the registrar when a certificate connects that belongs to no known device.

use std::net::IpAddr;

use rollcall_domain::ids::{CaId, DeviceId, RequestId};

/// A presented chain, DER, the device's own certificate first.
pub(crate) type Chain = Vec<Box<[u8]>>;

/// A certificate that chains to a verified CA and belongs to no known device has connected.
#[derive(Clone, Debug)]
pub(crate) struct CertificateConnect {
    /// SHA-256 over the device's certificate.
    pub(crate) sha256: [u8; 32],
    /// The CA certificate that it leads to; for the rate limit only, the registrar finds its own.
    pub(crate) ca: CaId,
    /// Where it comes from; for the rate limit only.
    pub(crate) source: IpAddr,
    /// The device that the CONNECT names, where no template names one.
    pub(crate) claimed: Option<DeviceId>,
    /// With the claim, all that the registrar is told.
    pub(crate) chain: Chain,
}

/// The same however often and wherever a certificate connects with this claim.
pub(crate) fn request_id(sha256: &[u8; 32], claimed: Option<&DeviceId>) -> RequestId {
    match claimed {
        Some(claimed) => RequestId::of_claim(sha256, claimed),
        None => RequestId::of_certificate(sha256),
    }
}
