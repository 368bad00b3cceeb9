//! X.509 v1 device certificates: no extensions, still what `openssl x509 -req` makes without an extension file.
//!
//! webpki reads v3 only. v1 cannot say what it is for or who may issue, so it is accepted in the one shape that leaves
//! nothing open: the device's own certificate, signed directly by an anchor. Whatever else was presented is ignored.

use super::{
    super::{
        keys::{self, SignatureFault},
        tbs::TbsCertificate,
    },
    Anchor, PathError,
    fault::Fault,
    within,
};
use crate::time::Timestamp;

/// The anchor that signed a v1 certificate.
pub(super) fn prove<'a>(device: &TbsCertificate<'_>, anchors: &'a [Anchor], now: Timestamp) -> Result<&'a Anchor, Fault> {
    within(device.not_before, device.not_after, now)?;
    let mut fault = Fault::NoPath(None);
    // Twin CAs share a name: the key tells which.
    for anchor in anchors.iter().filter(|anchor| *anchor.subject == *device.issuer) {
        match keys::verify(device, &anchor.public_key) {
            Ok(()) => return Ok(anchor),
            Err(SignatureFault::NotGenuine) => fault = PathError::BadSignature.into(),
            Err(SignatureFault::Algorithm) => {
                let algorithm = keys::algorithm_name(device.signature_algorithm);
                fault = PathError::WeakKey { reason: format!("the device certificate is signed with {algorithm}") }.into();
            }
        }
    }
    Err(fault)
}
