//! Which certificate is to blame for a chain that does not hold, and by which rule.
//!
//! A path builder says what was wrong with the last path it tried; people need the certificate to replace. Where the
//! signatures show whom the chain is from, the rules are looked at along those, nearest to the device first, so that an
//! intermediate that may not issue is blamed, and not the root above it.

use std::collections::HashSet;

use super::{
    super::{
        extensions::Extensions,
        facts,
        lapse::{Lapse, Link},
        tbs::{TbsCertificate, X509Version},
    },
    PathError,
    fault::Fault,
    lineage::Lineage,
};
use crate::time::Timestamp;

/// What to say of `chain`; `lineage` if it has one.
pub(super) fn explain(
    fault: Fault,
    chain: &[&[u8]],
    lineage: Option<&Lineage<'_, '_>>,
    distrusted: &HashSet<[u8; 32]>,
    now: Timestamp,
) -> PathError {
    match (fault, lineage) {
        (Fault::Of(error), _) => error,
        (Fault::Outside, _) => outside(chain, lineage, now),
        (Fault::PathLength, lineage) => PathError::NotPermitted {
            reason: lineage
                .and_then(path_length)
                .unwrap_or_else(|| "the path is longer than a CA certificate of it allows (pathLenConstraint)".into()),
        },
        (Fault::NoPath(left_out), Some(lineage)) => {
            broken_rule(chain, lineage, distrusted).or(left_out).unwrap_or(PathError::UnknownIssuer)
        }
        (Fault::NoPath(left_out), None) => left_out.unwrap_or(PathError::UnknownIssuer),
    }
}

/// The certificate outside its validity that is nearest to the device; of a chain from nobody, any.
fn outside(chain: &[&[u8]], lineage: Option<&Lineage<'_, '_>>, now: Timestamp) -> PathError {
    let of = |place: usize, certificate: &TbsCertificate<'_>| {
        let subject = facts::subject_shown(certificate.subject);
        Lapse::of(Link::Presented(place), &subject, certificate.not_before, certificate.not_after, now)
    };
    let on_lineage = lineage.and_then(|lineage| {
        lineage.path.iter().find_map(|(place, certificate)| of(*place, certificate)).or_else(|| {
            let anchor = lineage.anchor;
            let (subject, link) = (facts::subject_shown(&anchor.subject), Link::Ca(anchor.ca.clone()));
            Lapse::of(link, &subject, anchor.certificate.not_before, anchor.certificate.not_after, now)
        })
    });
    let any = || {
        let read = |(place, der): (usize, &&[u8])| of(place, &TbsCertificate::read_to_blame(der).ok()?);
        chain.iter().enumerate().find_map(read)
    };
    on_lineage.or_else(any).map_or(PathError::UnknownIssuer, PathError::from)
}

/// The first CA certificate of the path, from the device upwards, below which are more than it allows.
fn path_length(lineage: &Lineage<'_, '_>) -> Option<String> {
    let mut below = 0_u64;
    let says = |link: Link, subject: &[u8], max: u64, below: u64| {
        let subject = facts::subject_shown(subject);
        format!("{link} ({subject}) allows {max} CA certificates below it (pathLenConstraint), and {below} are there")
    };
    for (place, issuer) in lineage.path.iter().skip(1) {
        let constraints = Extensions::read(issuer.extensions).ok()?.basic_constraints;
        match constraints.and_then(|constraints| constraints.path_length) {
            Some(max) if below > max => return Some(says(Link::Presented(*place), issuer.subject, max, below)),
            Some(_) | None => below += u64::from(issuer.subject != issuer.issuer),
        }
    }
    let max = lineage.anchor.path_length.filter(|max| below > *max)?;
    Some(says(Link::Ca(lineage.anchor.ca.clone()), &lineage.anchor.subject, max, below))
}

/// Why there is no path although every signature is genuine.
fn broken_rule(chain: &[&[u8]], lineage: &Lineage<'_, '_>, distrusted: &HashSet<[u8; 32]>) -> Option<PathError> {
    let (_, device) = lineage.path.first()?;
    if lineage.is_distrusted(distrusted) {
        return Some(PathError::Distrusted);
    }
    if device.version == X509Version::V1 && lineage.path.len() > 1 {
        let reason = "the device certificate is X.509 v1, which is accepted only directly under a verified CA certificate: \
                      issue it as v3 (with an extension file), or verify the CA certificate that signed it";
        return Some(PathError::NotPermitted { reason: reason.into() });
    }
    lineage.unfit(chain).or_else(|| {
        let (place, _) = lineage.path.last().filter(|_| !lineage.names_its_anchor())?;
        Some(PathError::IssuerEncoding { link: Link::Presented(*place), ca: lineage.anchor.ca.clone() })
    })
}
