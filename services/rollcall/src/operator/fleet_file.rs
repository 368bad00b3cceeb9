//! Fleet files: YAML that declares instances, resource spaces, products, policies, templates, CA certificates and bindings.
//!
//! [`document`] reads and checks the file without any registry; [`apply`] declares it to the API, one thing after the
//! other, as an operator. A file declares what must be there; what it does not mention is left alone. Applying it again
//! changes nothing.

mod apply;
mod document;
mod report;

pub(crate) use apply::{ApplyError, FleetFileClient};
pub(crate) use document::Document;
pub(crate) use report::{report, warn};
