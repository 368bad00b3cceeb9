//! Fleet files: YAML that declares instances, resource spaces, products, policies, templates, CA certificates and bindings.
//!
//! [`document`] reads and checks the file without any registry; [`rehearsal`] has the domain rule on it as on an empty fleet;
//! [`apply`] declares it to the API, one thing after the
//! other, as an operator. A file declares what must be there; what it does not mention is left alone. Applying it again
//! changes nothing.

mod apply;
mod document;
mod rehearsal;
mod report;

pub(crate) use apply::{ApplyError, FleetFileClient};
pub(crate) use document::{Document, FleetFileError};
pub(crate) use report::{check, report};
