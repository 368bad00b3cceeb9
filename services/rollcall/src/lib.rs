//! The one binary: composition and tools, no rules.
//!
//! The job: put connector, registrar and backbone together (`up`, `connector`, `registrar`), turn a fleet file into
//! operators' commands, show what happens, make development certificates (`pki`), connect as a device would (`device`).
//! Not its job: deciding anything; that is the domain's, through the registrar.
//!
//! Read [`cli`] first.

pub mod cli;
pub mod device;
pub mod pki;
