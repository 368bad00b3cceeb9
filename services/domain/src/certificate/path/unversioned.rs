//! X.509 v1 device certificates: no extensions, still what `openssl x509 -req` makes without an extension file.
//!
//! webpki reads v3 only. v1 cannot say what it is for or who may issue, so it is accepted in the one shape that leaves
//! nothing open: the device's own certificate, signed directly by an anchor. Whatever else was presented is ignored.

use super::{
    super::{
        keys::{self, SignatureFault},
        tbs::TbsCertificate,
    },
    Anchor, PathError, within,
};
use crate::time::Timestamp;

/// The anchor that signed a v1 certificate.
pub(super) fn prove<'a>(
    device: &TbsCertificate<'_>,
    anchors: &'a [Anchor],
    now: Timestamp,
) -> Result<&'a Anchor, PathError> {
    within(device.not_before, device.not_after, now)?;
    let mut error = PathError::UnknownIssuer;
    // Twin CAs share a name: the key tells which.
    for anchor in anchors.iter().filter(|anchor| *anchor.subject == *device.issuer) {
        match keys::verify(device, &anchor.public_key) {
            Ok(()) => return Ok(anchor),
            Err(SignatureFault::NotGenuine) => error = PathError::BadSignature,
            Err(SignatureFault::Algorithm) => {
                error = PathError::WeakKey { reason: "the signature algorithm of the device certificate".into() };
            }
        }
    }
    Err(error)
}
