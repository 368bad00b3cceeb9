//! Histories that were found once, step by step.

use rollcall_domain::registry::command::Distrust;

use crate::{
    operation::{Certificate, Connection, Operation, entered},
    run::{Failure, Trace, run_steps},
};

/// An operator enters a device by the SHA-1 of a certificate, it connects, and another device is entered by the SHA-256 of
/// the same certificate: the certificate is the other's from then on.
///
/// # Errors
/// [`Failure`]: a property does not hold.
pub fn a_certificate_is_given_to_another_device() -> Result<Trace, Box<Failure>> {
    let certificate = Certificate { ca: 1, leaf: 0 };
    let (first, second) = (entered(0), entered(1));
    run_steps(vec![
        Operation::PreRegister(first.clone(), Some(certificate.sha1())),
        Operation::Connect(Connection { connector: 0, certificate, named: Some(first) }),
        Operation::PreRegister(second.clone(), Some(certificate.sha256())),
        Operation::Connect(Connection { connector: 0, certificate, named: Some(second) }),
    ])
}

/// A device comes by a CA below a trusted one. That CA is trusted itself, and deleted because it is not believed any more.
///
/// # Errors
/// [`Failure`]: a property does not hold.
pub fn a_ca_below_another_is_distrusted() -> Result<Trace, Box<Failure>> {
    let certificate = Certificate { ca: 2, leaf: 0 };
    let connect = || Operation::Connect(Connection { connector: 0, certificate, named: None });
    run_steps(vec![
        Operation::DeleteCa(2, Distrust::No),
        connect(),
        Operation::Trust(2),
        Operation::DeleteCa(2, Distrust::UnlessRenewed),
        connect(),
        Operation::Trust(2),
        Operation::DeleteCa(2, Distrust::No),
        connect(),
    ])
}
