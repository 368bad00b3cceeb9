//! What an operator asks of a deployment through its API: a fleet file, applied once or by `rollcall up`.

pub mod api_client;
pub mod apply;
pub mod fleet_file;
