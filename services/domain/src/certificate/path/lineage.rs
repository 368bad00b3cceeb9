//! Whom a chain that does not hold is from: by which genuine signatures it leads to a verified CA certificate, whatever
//! other rule it breaks.
//!
//! Nobody is let in by this. It tells a device that is refused for a date or an extension from a stranger, and names the
//! certificate to blame. The CA certificate answers for it only if CAs alone are in between ([`Lineage::answered_for`]).
//!
//! Invariants: a lineage is made of verified signatures only. Anybody may ask for one, so what it costs is bounded whatever is
//! presented: at most [`SIGNATURES_MAX`] signatures are tried, beside those of path building; and for each that is genuine,
//! and once for the device's certificate, the name of the issuer is read as text, up to a size ([`NameText::of`]), not once
//! for each CA certificate.

use std::collections::HashSet;

use super::{
    super::{
        keys::{self, SignatureFault},
        name::NameText,
        tbs::TbsCertificate,
    },
    Anchor, PathError, presented,
};
use crate::limits;

/// Signatures that are tried for one chain.
const SIGNATURES_MAX: usize = 8;

/// Genuine signatures from a device's certificate to a verified CA certificate.
pub(super) struct Lineage<'s, 'a> {
    pub(super) anchor: &'s Anchor,
    /// Place in the chain and parts: the device's own first, then each issuer that was presented.
    pub(super) path: Vec<(usize, TbsCertificate<'a>)>,
}

impl<'s, 'a> Lineage<'s, 'a> {
    /// `None`: the chain is not from any of these, or that costs too much to find out.
    pub(super) fn trace(anchors: &'s [Anchor], chain: &[&'a [u8]]) -> Option<Self> {
        if chain.len() > limits::CHAIN_CERTIFICATES_MAX {
            return None;
        }
        let read = |(place, der): (usize, &&'a [u8])| Some((place, TbsCertificate::read_to_blame(der).ok()?));
        let presented: Vec<_> = chain.iter().enumerate().filter_map(read).collect();
        let device = *presented.first().filter(|(place, _)| *place == 0)?;
        let mut search = Search { anchors, presented, signatures_left: SIGNATURES_MAX };
        search.above(vec![device])
    }

    /// The CA certificate that answers for this, if each certificate in between is of a CA that may issue. A device's key signs
    /// too, and whoever has one, also of a device that is frozen or deleted, could make certificates that name any other.
    pub(super) fn answered_for(&self, chain: &[&[u8]], distrusted: &HashSet<[u8; 32]>) -> Option<&'s Anchor> {
        let issued = !self.is_distrusted(distrusted) && self.unfit(chain).is_none();
        issued.then_some(self.anchor)
    }

    /// Whether it leads through a CA that is distrusted.
    pub(super) fn is_distrusted(&self, distrusted: &HashSet<[u8; 32]>) -> bool {
        self.path.iter().skip(1).any(|(_, issuer)| distrusted.contains(&issuer.name_and_key_sha256()))
    }

    /// Why the first certificate of it, from the device upwards, that may not issue may not.
    pub(super) fn unfit(&self, chain: &[&[u8]]) -> Option<PathError> {
        let fault = |(place, issuer): &(usize, TbsCertificate<'a>)| {
            presented::fit_to_issue(*place, chain.get(*place)?, issuer).err()
        };
        self.path.iter().skip(1).find_map(fault)
    }

    /// Whether the name of the issuer stands in the last certificate as it stands in the CA certificate's subject, byte for byte.
    pub(super) fn names_its_anchor(&self) -> bool {
        self.path.last().is_some_and(|(_, last)| *last.issuer == *self.anchor.subject)
    }
}

struct Search<'s, 'a> {
    anchors: &'s [Anchor],
    presented: Vec<(usize, TbsCertificate<'a>)>,
    signatures_left: usize,
}

impl<'s, 'a> Search<'s, 'a> {
    /// Depth first; no certificate twice, so no deeper than the chain is long.
    fn above(&mut self, path: Vec<(usize, TbsCertificate<'a>)>) -> Option<Lineage<'s, 'a>> {
        let (_, last) = *path.last()?;
        let (anchors, issuer_text) = (self.anchors, NameText::of(last.issuer));
        for anchor in anchors {
            let reads_alike = || issuer_text.is_some() && anchor.subject_text == issuer_text;
            if (*anchor.subject == *last.issuer || reads_alike()) && self.signed(&last, &anchor.public_key) {
                return Some(Lineage { anchor, path });
            }
        }
        for next in 0..self.presented.len() {
            let (place, issuer) = self.presented[next];
            let used = path.iter().any(|(known, _)| *known == place);
            if used || issuer.subject != last.issuer || !self.signed(&last, issuer.public_key) {
                continue;
            }
            let longer = path.iter().copied().chain([(place, issuer)]).collect();
            if let Some(lineage) = self.above(longer) {
                return Some(lineage);
            }
        }
        None
    }

    fn signed(&mut self, certificate: &TbsCertificate<'_>, public_key: &[u8]) -> bool {
        if self.signatures_left == 0 {
            return false;
        }
        match keys::verify(certificate, public_key) {
            // Costs no arithmetic.
            Err(SignatureFault::Algorithm) => false,
            outcome => {
                self.signatures_left -= 1;
                outcome.is_ok()
            }
        }
    }
}
