//! What pins and retired certificates are looked up by, as it stands in keys: kind of digest, digest, and the resource space of a
//! typed one.

use rollcall_domain::{ids::Fingerprint, registry::PinKey};

use crate::files::{Fault, SEPARATOR, id};

/// What tells the two digests apart.
const SHA256: u8 = 1;
const SHA1: u8 = 2;

pub(crate) fn write_pin_key(to: &mut Vec<u8>, key: &PinKey) {
    to.push(match key.fingerprint {
        Fingerprint::Sha256(_) => SHA256,
        Fingerprint::Sha1(_) => SHA1,
    });
    to.extend_from_slice(key.fingerprint.as_bytes());
    if let Some(space) = &key.space {
        to.push(SEPARATOR);
        to.extend_from_slice(space.as_str().as_bytes());
    }
}

pub(crate) fn read_pin_key(bytes: &[u8]) -> Result<PinKey, Fault> {
    let (fingerprint, rest) = read_fingerprint(bytes)?;
    match rest.split_first() {
        None => Ok(PinKey::proven(fingerprint)),
        Some((&SEPARATOR, space)) => {
            let text = std::str::from_utf8(space).map_err(|_| Fault("a resource space of the view is not UTF-8".into()))?;
            Ok(PinKey::typed(fingerprint, &id(text)?))
        }
        Some(_) => Err(Fault("a key of a retired certificate has no end".into())),
    }
}

/// The fingerprint of a key that has generation, kind and an instant before it.
pub(crate) fn fingerprint_at_end(key: &[u8]) -> Result<Fingerprint, Fault> {
    // Generation, kind, instant.
    const BEFORE: usize = size_of::<u32>() + 1 + size_of::<u64>();
    Ok(read_fingerprint(key.get(BEFORE..).unwrap_or_default())?.0)
}

fn read_fingerprint(bytes: &[u8]) -> Result<(Fingerprint, &[u8]), Fault> {
    let read = match bytes.split_first() {
        Some((&SHA256, rest)) => rest.split_first_chunk().map(|(digest, rest)| (Fingerprint::Sha256(*digest), rest)),
        Some((&SHA1, rest)) => rest.split_first_chunk().map(|(digest, rest)| (Fingerprint::Sha1(*digest), rest)),
        Some(_) | None => None,
    };
    read.ok_or_else(|| Fault("a fingerprint of the view ends too early".into()))
}
