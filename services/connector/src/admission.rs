//! From CONNECT to CONNACK: whether the device is accepted, registered first, or refused.

pub(crate) mod accept;
pub(crate) mod attempts;
pub(crate) mod authenticate;
pub(crate) mod registration;
pub(crate) mod staleness;
pub(crate) mod turn;
pub(crate) mod view_ready;
