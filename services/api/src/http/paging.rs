//! Pages of lists: `limit`, `marker`, `offset`, and the order of entries.
//!
//! Newest first, by a key of 24 hex digits that every listed thing has: its id, if it has this form, or one made of its time and
//! id. Invariant: a list read to its end by markers holds each thing once, whatever is added meanwhile.

use rollcall_domain::{ids::Position, time::Timestamp};
use rollcall_projection::directory::CertificateId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use crate::http::{codes::Code, error::ApiError};

/// Entries of a page without a `limit`.
pub(crate) const LIMIT_DEFAULT: usize = 10;
/// Most entries of a page.
pub(crate) const LIMIT_MAX: usize = 50;
/// Most entries skipped after the marker.
pub(crate) const OFFSET_MAX: usize = 500;
/// Digits of a marker.
const MARKER_DIGITS: usize = 24;

/// The part of a query that says which page.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Entries of the page, 1 to 50; 10 when absent.
    #[param(minimum = 1, maximum = 50)]
    pub(crate) limit: Option<i64>,
    /// The `marker` of the page before; 24 hex digits.
    #[param(pattern = "^[0-9a-fA-F]{24}$")]
    pub(crate) marker: Option<String>,
    /// Entries to skip after the marker, 0 to 500; 0 when absent.
    #[param(minimum = 0, maximum = 500)]
    pub(crate) offset: Option<i64>,
}

/// A page that is within its ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageRequest {
    /// 1 to 50.
    pub(crate) limit: usize,
    /// 24 lower-case hex digits, if there is one.
    pub(crate) marker: Option<String>,
    /// 0 to 500.
    pub(crate) offset: usize,
}

impl PageQuery {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Code::LimitOutOfRange`] or [`Code::PageOutOfRange`].
    pub(crate) fn wanted(&self) -> Result<PageRequest, ApiError> {
        let limit = limit(self.limit)?;
        let offset = match self.offset {
            None => 0,
            Some(offset) => usize::try_from(offset)
                .ok()
                .filter(|offset| *offset <= OFFSET_MAX)
                .ok_or_else(|| ApiError::new(Code::PageOutOfRange, format!("offset is {offset}: give 0 to {OFFSET_MAX}")))?,
        };
        let marker = match self.marker.as_deref() {
            None => None,
            Some(marker) if is_marker(marker) => Some(marker.to_ascii_lowercase()),
            Some(_) => {
                let rule = format!("marker: give the {MARKER_DIGITS} hex digits that the page before came with");
                return Err(ApiError::new(Code::PageOutOfRange, rule));
            }
        };
        Ok(PageRequest { limit, marker, offset })
    }
}

/// The entries of a page: 1 to [`LIMIT_MAX`], [`LIMIT_DEFAULT`] when absent.
///
/// # Errors
/// [`Code::LimitOutOfRange`].
pub(crate) fn limit(given: Option<i64>) -> Result<usize, ApiError> {
    let Some(limit) = given else { return Ok(LIMIT_DEFAULT) };
    let within = usize::try_from(limit).ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    within.ok_or_else(|| ApiError::new(Code::LimitOutOfRange, format!("limit is {limit}: give 1 to {LIMIT_MAX}")))
}

/// What a list says beside its entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Page {
    /// How many entries match in all.
    pub(crate) count: u64,
    /// Where the next page begins; absent when this one is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) marker: Option<String>,
}

/// Whether a text is a marker: 24 hex digits.
pub(crate) fn is_marker(text: &str) -> bool {
    text.len() == MARKER_DIGITS && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The marker of a device, which stands in a list where the record that created it stands in the log.
pub(crate) fn marker_of(created: Position) -> String {
    format!("{:0MARKER_DIGITS$x}", created.0)
}

/// Where a marker stands. One larger than any position, such as `ffffffffffffffffffffffff`, stands before everything when the
/// newest come first.
pub(crate) fn position_of(marker: &str) -> Option<Position> {
    let value = is_marker(marker).then(|| u128::from_str_radix(marker, 16).ok())??;
    Some(Position(u64::try_from(value).unwrap_or(u64::MAX)))
}

/// A certificate's id as the API gives it, which has the form of a marker.
pub(crate) fn certificate_text(id: &CertificateId) -> String {
    hex::encode(id.to_bytes())
}

/// The id that [`certificate_text`] gave, in either case.
pub(crate) fn certificate_of(text: &str) -> Option<CertificateId> {
    CertificateId::from_bytes(&hex::decode(text).ok()?)
}

/// The key that a thing of the configuration is listed by: its id if that is 24 hex digits, else one of its own.
pub(crate) fn list_key(id: &str, created_at: Timestamp) -> String {
    if is_marker(id) {
        return id.to_ascii_lowercase();
    }
    let digest = Sha256::digest(id.as_bytes());
    time_ordered_id(created_at, digest.first_chunk::<6>().copied().unwrap_or_default())
}

/// An id that rises with time: seconds, milliseconds, and six bytes that tell apart what was made in one millisecond.
pub(crate) fn time_ordered_id(at: Timestamp, tail: [u8; 6]) -> String {
    let seconds = u32::try_from(at.unix_s()).unwrap_or(0);
    format!("{seconds:08x}{:04x}{}", at.unix_ms().rem_euclid(1000), hex::encode(tail))
}

/// One page of things that are all in memory; `key` is each one's [`key_of`].
pub(crate) fn page<T>(mut all: Vec<T>, wanted: &PageRequest, key: impl Fn(&T) -> String) -> (Vec<T>, Page) {
    let count = all.len() as u64;
    all.sort_by_cached_key(|entry| std::cmp::Reverse(key(entry)));
    let after = |entry: &T| wanted.marker.as_ref().is_none_or(|marker| key(entry) < *marker);
    let entries: Vec<T> = all.into_iter().filter(after).skip(wanted.offset).take(wanted.limit).collect();
    let marker = entries.last().map(key);
    (entries, Page { count, marker })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(limit: usize, marker: Option<String>, offset: usize) -> PageRequest {
        PageRequest { limit, marker, offset }
    }

    #[test]
    fn markers_of_devices_are_read_as_they_are_shown() {
        let marker = marker_of(Position(0xAB12));
        assert_eq!(marker, "00000000000000000000ab12");
        for text in [marker.clone(), marker.to_uppercase()] {
            assert_eq!(position_of(&text), Some(Position(0xAB12)));
        }
        assert_eq!(position_of(&"f".repeat(24)), Some(Position(u64::MAX)), "before everything");
        for text in ["", "ab12", "+0000000000000000000ab12", "00000000000000000000ab1g", "é0000000000000000000ab1"] {
            assert_eq!(position_of(text), None, "{text:?}");
        }
    }

    #[test]
    fn ids_of_certificates_are_read_as_they_are_shown() {
        let id = CertificateId::of(Position(0x1F), &[0xC0; 32]);
        assert_eq!(certificate_text(&id), "000000000000001fc0c0c0c0");
        assert_eq!(certificate_of(&certificate_text(&id).to_uppercase()), Some(id));
        for text in ["", "ab12", "+0000000000000000000ab12", "00000000000000000000ab1g", "é0000000000000000000ab1"] {
            assert_eq!(certificate_of(text), None, "{text:?}");
        }
    }

    #[test]
    fn markers_lead_through_a_whole_list_newest_first() {
        let at = |n: i64| Timestamp::from_unix_ms(1_700_000_000_000 + n);
        let all: Vec<(String, Timestamp)> = (0..23)
            .map(|n| (if n % 2 == 0 { format!("by-name-{n}") } else { time_ordered_id(at(n), [7; 6]) }, at(n)))
            .collect();
        let (mut seen, mut marker) = (Vec::new(), None);
        loop {
            let (entries, found) = page(all.clone(), &wanted(5, marker, 0), |(id, at)| list_key(id, *at));
            assert_eq!(found.count, 23);
            if entries.is_empty() {
                assert_eq!(found.marker, None);
                break;
            }
            marker = found.marker;
            seen.extend(entries);
        }
        let mut newest_first = all;
        newest_first.reverse();
        assert_eq!(seen, newest_first);
    }

    #[test]
    fn a_page_out_of_range_is_refused_with_the_services_code() {
        let query = |limit, marker: Option<&str>, offset| PageQuery { limit, marker: marker.map(str::to_owned), offset };
        let cases = [
            (query(Some(0), None, None), Code::LimitOutOfRange),
            (query(Some(51), None, None), Code::LimitOutOfRange),
            (query(None, Some("x"), None), Code::PageOutOfRange),
            (query(None, None, Some(501)), Code::PageOutOfRange),
            (query(None, None, Some(-1)), Code::PageOutOfRange),
        ];
        for (query, code) in cases {
            assert_eq!(query.wanted().unwrap_err().code, code, "{query:?}");
        }
        let good = query(None, Some("FFFFFFFFFFFFFFFFFFFFFFFF"), None).wanted().unwrap();
        assert_eq!(good, wanted(10, Some("f".repeat(24)), 0));
    }
}
