//! Randomness, injected. The only file of the workspace that draws it.

use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

/// Makes ids and codes.
pub trait Entropy: Send + Sync + 'static {
    /// Unpredictable: verification codes, connector ids.
    fn uuid_v4(&self) -> Uuid;
    /// Rises with time: record and request ids. `unix_ms` is the injected clock's.
    fn uuid_v7(&self, unix_ms: i64) -> Uuid;
}

/// The operating system's randomness.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(clippy::disallowed_methods, reason = "this is the injected entropy itself")]
    fn uuid_v4(&self) -> Uuid {
        Uuid::new_v4()
    }

    fn uuid_v7(&self, unix_ms: i64) -> Uuid {
        from_parts(unix_ms, self.uuid_v4().as_u128())
    }
}

/// A counter in place of randomness: one seed gives one history. For tests.
#[derive(Debug, Default)]
pub struct CountingEntropy(AtomicU64);

impl CountingEntropy {
    /// Starts at `seed`.
    pub const fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Entropy for CountingEntropy {
    fn uuid_v4(&self) -> Uuid {
        let n = self.0.fetch_add(1, Ordering::SeqCst);
        uuid::Builder::from_random_bytes(u128::from(n).to_be_bytes()).into_uuid()
    }

    fn uuid_v7(&self, unix_ms: i64) -> Uuid {
        from_parts(unix_ms, u128::from(self.0.fetch_add(1, Ordering::SeqCst)))
    }
}

fn from_parts(unix_ms: i64, random: u128) -> Uuid {
    let mut bytes = [0; 10];
    bytes.copy_from_slice(&random.to_be_bytes()[6..]);
    uuid::Builder::from_unix_timestamp_millis(u64::try_from(unix_ms).unwrap_or(0), &bytes).into_uuid()
}
