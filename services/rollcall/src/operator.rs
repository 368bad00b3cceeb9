//! What an operator asks of a deployment through its API: a fleet file, applied once or by `rollcall up`.

pub(crate) mod api_client;
pub(crate) mod apply;
pub(crate) mod fleet_file;
