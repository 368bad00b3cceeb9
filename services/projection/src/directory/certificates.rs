//! Finding device certificates by what they say, newest first.
//!
//! Does not write their rows. Invariant: what is found is pinned to its device now.

use std::collections::BTreeSet;

use rollcall_domain::ids::{Fingerprint, SpaceId};

use crate::{
    files::{Fault, Walk},
    rows::{
        CertificateId, Counts, ListedCertificate, Rows,
        index::{self, CERTIFICATE, COMMON_NAME},
    },
};

/// Certificates gathered from the index by common name, to be brought into order; where more begin so, all are walked.
const GATHERED_MAX: usize = 4000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CertificateFilter {
    #[default]
    All,
    /// Those whose common name begins so.
    CommonNamePrefix(Box<str>),
    /// Those with this fingerprint.
    Fingerprint(Fingerprint),
}

/// Which certificates, and which part of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateQuery {
    pub filter: CertificateFilter,
    /// Only of devices of these resource spaces, if given.
    pub spaces: Option<BTreeSet<SpaceId>>,
    /// Only older ones than this.
    pub after: Option<CertificateId>,
    /// How many of those to leave out first.
    pub offset: usize,
    /// The most to answer with.
    pub limit: usize,
}

/// Part of a list of certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificatePage {
    /// The newest comes first.
    pub certificates: Vec<ListedCertificate>,
    /// How many the query means, whatever its `after`, `offset` and `limit`.
    pub count: u64,
}

/// See [`DirectoryView::certificates`](super::DirectoryView::certificates).
pub(crate) fn page(rows: &Rows, counts: Option<&Counts>, query: &CertificateQuery) -> Result<CertificatePage, Fault> {
    let mut certificates = Vec::new();
    let mut left_out = 0;
    let mut ids = ids(rows, &query.filter, query.after)?;
    while certificates.len() < query.limit
        && let Some(id) = ids.next().transpose()?
    {
        let Some(found) = rows.certificate(&id)?.filter(|found| query.means(found)) else { continue };
        if left_out < query.offset {
            left_out += 1;
        } else {
            certificates.push(found);
        }
    }
    Ok(CertificatePage { certificates, count: count(rows, counts, query)? })
}

/// See [`DirectoryView::certificates_below`](super::DirectoryView::certificates_below).
pub(crate) fn below(
    rows: &Rows,
    ca: &[u8; 32],
    after: Option<CertificateId>,
    max: usize,
) -> Result<Vec<ListedCertificate>, Fault> {
    let mut found = Vec::new();
    let mut ids = walk(rows, &rows.issuer_prefix(ca), after)?;
    while found.len() < max
        && let Some(id) = ids.next().transpose()?
    {
        found.extend(rows.certificate(&id)?);
    }
    Ok(found)
}

/// See [`DirectoryView::certificates_named`](super::DirectoryView::certificates_named).
pub(crate) fn named(rows: &Rows, prefix: &str, max: usize) -> Result<Vec<ListedCertificate>, Fault> {
    let mut found = Vec::new();
    let ids = walk(rows, &rows.key(COMMON_NAME, &[prefix.as_bytes()]), None)?;
    for id in ids.take(max) {
        found.extend(rows.certificate(&id?)?);
    }
    Ok(found)
}

impl CertificateQuery {
    /// Whether a certificate is meant, wherever it stands.
    pub(crate) fn means(&self, found: &ListedCertificate) -> bool {
        let filtered = match &self.filter {
            CertificateFilter::All => true,
            CertificateFilter::CommonNamePrefix(prefix) => found.common_name.starts_with(&**prefix),
            CertificateFilter::Fingerprint(Fingerprint::Sha256(sha256)) => found.sha256 == *sha256,
            CertificateFilter::Fingerprint(Fingerprint::Sha1(sha1)) => found.sha1 == Some(*sha1),
        };
        filtered && self.spaces.as_ref().is_none_or(|spaces| spaces.contains(&found.space))
    }
}

fn count(rows: &Rows, counts: Option<&Counts>, query: &CertificateQuery) -> Result<u64, Fault> {
    let prefix = match (&query.filter, counts) {
        (CertificateFilter::All, Some(counts)) => {
            let counted = |space: &SpaceId| query.spaces.as_ref().is_none_or(|spaces| spaces.contains(space));
            return Ok(counts.certificates(counted));
        }
        (filter, _) => prefix(rows, filter),
    };
    let mut count = 0;
    for id in walk(rows, &prefix, None)? {
        let id = id?;
        count += u64::from(rows.certificate(&id)?.is_some_and(|found| query.means(&found)));
    }
    Ok(count)
}

/// Ids in the order of lists.
enum Ids<'a> {
    Walk(KeyIds<'a>),
    Gathered(std::vec::IntoIter<CertificateId>),
}

impl Iterator for Ids<'_> {
    type Item = Result<CertificateId, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Walk(ids) => ids.next(),
            Self::Gathered(ids) => ids.next().map(Ok),
        }
    }
}

/// The ids at the ends of the keys of a walk.
struct KeyIds<'a>(Walk<'a>);

impl Iterator for KeyIds<'_> {
    type Item = Result<CertificateId, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|entry| CertificateId::at_end(&entry?.0))
    }
}

fn ids<'a>(rows: &'a Rows, filter: &CertificateFilter, after: Option<CertificateId>) -> Result<Ids<'a>, Fault> {
    let prefix = prefix(rows, filter);
    match filter {
        CertificateFilter::All | CertificateFilter::Fingerprint(_) => Ok(Ids::Walk(walk(rows, &prefix, after)?)),
        CertificateFilter::CommonNamePrefix(_) => {
            let mut found = walk(rows, &prefix, None)?.take(GATHERED_MAX + 1).collect::<Result<Vec<_>, Fault>>()?;
            if found.len() > GATHERED_MAX {
                return Ok(Ids::Walk(walk(rows, &rows.key(CERTIFICATE, &[]), after)?));
            }
            found.retain(|id| after.is_none_or(|after| id.position < after.position));
            found.sort_unstable_by(|a, b| b.cmp(a));
            Ok(Ids::Gathered(found.into_iter()))
        }
    }
}

fn prefix(rows: &Rows, filter: &CertificateFilter) -> Vec<u8> {
    match filter {
        CertificateFilter::All => rows.key(CERTIFICATE, &[]),
        CertificateFilter::CommonNamePrefix(prefix) => rows.key(COMMON_NAME, &[prefix.as_bytes()]),
        CertificateFilter::Fingerprint(fingerprint) => rows.digest_prefix(fingerprint),
    }
}

fn walk<'a>(rows: &'a Rows, prefix: &[u8], after: Option<CertificateId>) -> Result<KeyIds<'a>, Fault> {
    let range = index::after(prefix, after.map(|after| after.position));
    Ok(KeyIds(rows.database.walk(range, false)?))
}
