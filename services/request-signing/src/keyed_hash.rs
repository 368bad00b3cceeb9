//! HMAC-SHA256 over parts of a message: making it, and comparing it in constant time.
//!
//! The parts are joined as they are. Invariant of the callers: no two different lists of parts join to one message.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Length of a code, bytes.
pub const CODE_BYTES: usize = 32;

/// The code of the joined parts.
pub fn code(key: &[u8], parts: &[&[u8]]) -> [u8; CODE_BYTES] {
    keyed(key, parts).finalize().into_bytes().into()
}

/// Whether `claimed` is the code of the joined parts. Takes the same time wherever they differ.
pub fn is_code(key: &[u8], parts: &[&[u8]], claimed: &[u8]) -> bool {
    keyed(key, parts).verify_slice(claimed).is_ok()
}

fn keyed(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac
}
