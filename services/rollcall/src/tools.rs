//! Tools that do not go through the API: keys and certificates, a device's connection, and views and logs, which they open
//! themselves.

pub mod device;
pub mod log;
pub mod pki;
pub mod view;
