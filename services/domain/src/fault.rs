//! Whose fault a refusal or a rejection is.

/// Whose fault something is: decides log level, status and who is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The device or its certificate.
    Device,
    /// Whoever configured the instance.
    Operator,
    /// Rollcall itself, or its limits.
    Service,
    /// Something that Rollcall depends on.
    Dependency,
}
