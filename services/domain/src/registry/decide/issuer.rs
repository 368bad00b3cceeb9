//! Which CA certificate of an instance a chain is from: for a person who has a device certificate and does not know which CA
//! certificate to look at.
//!
//! Lets nobody in, and decides nothing: [`debug`](super::debug) asks the rules about the CA certificate that is found here.
//! Invariant: a CA certificate that the asker may not see is never named, also not by an error.

use super::Context;
use crate::{
    certificate::path::{PathError, TrustStore},
    ids::{CaId, SpaceId},
    limits,
    registry::state::{Ca, Configuration},
};

/// The CA certificate that a chain is from, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainIssuer {
    /// By signatures, of a CA certificate that is in force: the chain holds, or would but for another rule that it breaks.
    InForce(CaId),
    /// By signatures, of one that is uploaded, and not verified or distrusted: it vouches for nothing as it is.
    NotInForce(CaId),
    /// By the text of the issuer's name alone, which is written with other bytes: the chain does not hold.
    ByText(CaId),
}

impl ChainIssuer {
    /// The CA certificate.
    pub fn ca(&self) -> &CaId {
        match self {
            Self::InForce(ca) | Self::NotInForce(ca) | Self::ByText(ca) => ca,
        }
    }
}

/// The CA certificate that a chain (DER, the device's own first) is from, of those in resource spaces that are `visible`.
///
/// # Errors
/// [`PathError`]: none of these. [`PathError::UnknownIssuer`] too where the chain is from one that is not visible.
pub fn issuer_of(
    configuration: &Configuration,
    chain: &[Box<[u8]>],
    context: &Context<'_>,
    visible: &dyn Fn(&SpaceId) -> bool,
) -> Result<ChainIssuer, PathError> {
    let presented: Vec<&[u8]> = chain.iter().map(|certificate| &**certificate).collect();
    // As a connector does, before it reads any of it.
    let bytes = presented.iter().map(|certificate| certificate.len()).sum();
    if bytes > limits::CHAIN_BYTES_MAX {
        return Err(PathError::TooManyBytes { bytes, max: limits::CHAIN_BYTES_MAX });
    }
    let seen = |ca: &&Ca| visible(&ca.space);
    let judged = context.trust.judge(&presented, context.now);
    let found = match &judged {
        Ok(proven) => configuration.ca_of(proven),
        Err(unproven) => unproven.from.as_ref().and_then(|from| configuration.ca_from(from)),
    };
    if let Some(ca) = found.filter(seen) {
        return Ok(ChainIssuer::InForce(ca.id.clone()));
    }
    let in_force: Vec<&CaId> = configuration.in_force().map(|ca| &ca.id).collect();
    let others = configuration.cas.values().filter(seen).filter(|ca| !in_force.contains(&&ca.id));
    let others = TrustStore::new(others.map(|ca| (ca.id.clone(), &*ca.der))).judge(&presented, context.now);
    let by_others = match &others {
        Ok(proven) => Some(&proven.ca),
        Err(unproven) => unproven.from.as_ref().map(|from| &from.ca),
    };
    if let Some(ca) = by_others {
        return Ok(ChainIssuer::NotInForce(ca.clone()));
    }
    // What hides a CA certificate must not show by the error: a signature that is not genuine is so by somebody's key.
    let hides = !configuration.cas.values().all(|ca| seen(&ca))
        || !configuration.distrusted.values().all(|distrusted| visible(&distrusted.space));
    let judged = if hides { seen_alone(configuration, visible).judge(&presented, context.now) } else { judged };
    let errors = [judged.as_ref().err(), others.as_ref().err()].into_iter().flatten();
    let by_text = errors.filter_map(|unproven| match &unproven.error {
        PathError::IssuerEncoding { ca, .. } => configuration.cas.get(ca),
        _ => None,
    });
    if let Some(ca) = by_text.map(|ca| ca.id.clone()).next() {
        return Ok(ChainIssuer::ByText(ca));
    }
    // A chain that would hold is from a CA certificate that is hidden and nearer to the device.
    Err(judged.err().map_or(PathError::UnknownIssuer, |unproven| unproven.error))
}

/// What an instance would trust that had the visible resource spaces alone.
fn seen_alone(configuration: &Configuration, visible: &dyn Fn(&SpaceId) -> bool) -> TrustStore {
    let seen = configuration.in_force().filter(|ca| visible(&ca.space));
    let distrusted = configuration.distrusted.iter().filter(|(_, distrusted)| visible(&distrusted.space));
    TrustStore::without(seen.map(|ca| (ca.id.clone(), &*ca.der)), distrusted.map(|(ca, _)| *ca).collect())
}
