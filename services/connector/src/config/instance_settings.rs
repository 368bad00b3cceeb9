//! What is configured for single instances.

use serde::{Deserialize, Serialize};

/// Smallest and largest [`InstanceSettings::max_fragment_size`].
pub(super) const FRAGMENT_SIZES: std::ops::RangeInclusive<usize> = 512..=16 * 1024;

/// What becomes of live sessions when the view is older than its bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StaleSessions {
    /// They go on.
    #[default]
    Stay,
    /// They are closed.
    End,
}

/// Settings of one instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InstanceSettings {
    /// Replaces the setting of the connector of this name, if present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_admission_s_max: Option<u64>,
    /// Replaces the setting of the connector of this name, if present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale_sessions: Option<StaleSessions>,
    /// Whether clients are sent TLS 1.3 tickets, for resuming their sessions; they are, if absent. wolfSSL ends a connection on a
    /// ticket of rustls, unless it is built for nonces of 32 bytes. TLS 1.2 sessions are resumed either way, by their ids.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_session_tickets: Option<bool>,
    /// Largest TLS record that clients are sent, for those with small buffers; bytes with its header, before encryption adds up
    /// to 24.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_fragment_size: Option<usize>,
}

impl InstanceSettings {
    /// [`Self::max_fragment_size`] is one that TLS and clients can work with.
    pub(super) fn is_fragment_size_usable(&self) -> bool {
        self.max_fragment_size.is_none_or(|size| FRAGMENT_SIZES.contains(&size))
    }
}
