//! Tools that do not go through the API: keys and certificates, a device's connection, and views and logs, which they open
//! themselves.

pub(crate) mod device;
pub(crate) mod log;
pub(crate) mod pki;
pub(crate) mod view;
