//! Random bytes out of the injected entropy, for keys, salts and passwords.

use rollcall_chassis::entropy::Entropy;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// How many version 4 UUIDs are hashed for 32 bytes. One holds 122 random bits: three hold more than 256.
const UUIDS: usize = 3;

/// 32 bytes, unpredictable if the entropy is the operating system's.
pub(super) fn bytes_32(entropy: &dyn Entropy) -> Zeroizing<[u8; 32]> {
    let mut hash = Sha256::new();
    for _ in 0..UUIDS {
        hash.update(entropy.uuid_v4().as_bytes());
    }
    Zeroizing::new(hash.finalize().into())
}
