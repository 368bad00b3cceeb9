//! Telling a broker that is full from one that is away: the first stays full however long one waits.

use rollcall_log::BackboneError;

use crate::connection::Connection;

/// JetStream's errors that mean so: the account's resources, no server with room (in a cluster), insufficient resources,
/// streams, memory, storage, and a stream's bytes above what the account allows.
const CODES: [u64; 7] = [10002, 10005, 10023, 10027, 10028, 10047, 10122];

/// Whether a JetStream error means that there is no room.
pub(crate) fn is_full(code: u64) -> bool {
    CODES.contains(&code)
}

/// The error for it, with what the broker tells of its room. Most accounts may not ask; then it says only what is known.
pub(crate) async fn full(connection: &Connection, attempted: String, reason: String) -> BackboneError {
    let asking = connection.within(|| "asking what is reserved".to_owned(), connection.jetstream.query_account()).await;
    let usage = match asking {
        Ok(account) => {
            let mib = |bytes: u64| bytes / (1024 * 1024);
            let (used, reserved) = (mib(account.storage), mib(account.reserved_storage));
            let left = account.limits.max_storage.and_then(|max| u64::try_from(max).ok()).map_or_else(
                || "what the server has beyond that it does not say".to_owned(),
                |max| format!("{} MiB are left of {} MiB", mib(max).saturating_sub(reserved.max(used)), mib(max)),
            );
            let streams = account.streams;
            format!("{streams} streams hold {used} MiB of file storage and reserve {reserved} MiB; {left}")
        }
        Err(_not_permitted) => "this account may not ask what is reserved ($JS.API.INFO)".to_owned(),
    };
    BackboneError::Full { attempted, reason, usage }
}
