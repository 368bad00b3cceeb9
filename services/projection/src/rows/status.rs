//! How a device stands: what its row says of that, and what is beside it.
//!
//! Does not know who is online. Invariant: [`DeviceStatus::of`] is the one place that says it.

use rollcall_domain::registry::Device;

/// How a device stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeviceStatus {
    Online,
    /// Was connected and is not now.
    Offline,
    /// Not of use as it is.
    Abnormal,
    /// Has never connected.
    Inactive,
    /// An operator keeps it out.
    Frozen,
}

impl DeviceStatus {
    /// Every status that a device is given.
    pub(crate) const GIVEN: [Self; 4] = [Self::Online, Self::Offline, Self::Inactive, Self::Frozen];

    /// How a device stands that is online or is not. Whether it was ever seen is asked only where that decides.
    ///
    /// # Errors
    /// That of `seen`.
    pub fn of<E>(device: &Device, online: bool, seen: impl FnOnce() -> Result<bool, E>) -> Result<Self, E> {
        if device.frozen {
            return Ok(Self::Frozen);
        }
        if online {
            return Ok(Self::Online);
        }
        // A proven certificate was shown by the device, which has therefore connected; a typed-in fingerprint says nothing.
        Ok(if is_proven(device) || seen()? { Self::Offline } else { Self::Inactive })
    }
}

/// Whether any certificate of the device has been proven.
pub(crate) fn is_proven(device: &Device) -> bool {
    device.credential.pins().any(|pin| pin.ca_name_and_key_sha256.is_some())
}
