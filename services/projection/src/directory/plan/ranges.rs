//! Where in the indexes the devices are that satisfy a condition.
//!
//! Does not choose between indexes. Invariant: what a condition comes to here holds every device that satisfies it.

use super::{
    super::query::{Condition, TextTest},
    Plan, Source, Unordered,
};
use crate::{
    files::{Fault, SEPARATOR},
    rows::{
        Counts,
        index::{PRODUCT, SPACE, TAG, end_of},
    },
};

/// Ranges that are walked at a time for one alternative.
pub(super) const RANGES_MAX: usize = 256;
/// Keys of tags that are tried where only the value is given.
const TAG_KEYS_TRIED_MAX: usize = 64;

impl Plan<'_> {
    /// By resource space and product, and how many devices that is, if it has been counted.
    pub(super) fn base(&self, all_of: &[Condition]) -> Result<(Source, Option<u64>), Fault> {
        let space = fewest(all_of.iter().filter_map(of_space));
        let product = fewest(all_of.iter().filter_map(of_product));
        let ranges: Vec<Vec<u8>> = match (&space, &product) {
            (None, None) => return Ok((Source::All, self.counts.map(|counts| counts.devices(|_, _| true)))),
            (Some(spaces), None) => spaces.iter().map(|space| self.rows.index_prefix(SPACE, &[space])).collect(),
            (Some(spaces), Some(products)) => {
                let pairs = products.iter().flat_map(|product| spaces.iter().map(move |space| [*product, *space]));
                pairs.map(|pair| self.rows.index_prefix(PRODUCT, &pair)).collect()
            }
            (None, Some(products)) => {
                let mut ranges = Vec::new();
                for product in products {
                    ranges.extend(self.closed_parts(&self.rows.index_prefix(PRODUCT, &[product]), RANGES_MAX)?);
                }
                ranges
            }
        };
        if ranges.len() > RANGES_MAX {
            return Ok((Source::All, None));
        }
        let is_one = |texts: &Option<Vec<&str>>, id: &str| texts.as_ref().is_none_or(|texts| texts.contains(&id));
        let of = |counts: &Counts| counts.devices(|s, p| is_one(&space, s.as_str()) && is_one(&product, p.as_str()));
        Ok((Source::Ranges(ranges), self.counts.map(of)))
    }

    pub(super) fn by_text(
        &self,
        kind: u8,
        test: &TextTest,
        ordered: &mut Vec<Vec<Vec<u8>>>,
        unordered: &mut Vec<Unordered<'_>>,
    ) {
        match test {
            TextTest::Eq(text) => ordered.push(vec![self.rows.index_prefix(kind, &[text])]),
            TextTest::In(texts) => {
                ordered.push(texts.iter().map(|text| self.rows.index_prefix(kind, &[text])).collect());
            }
            TextTest::Prefix(prefix) => unordered.push(Unordered::Index(self.begun(kind, &[], prefix))),
            TextTest::Ne(_) | TextTest::NotIn(_) => {}
        }
    }

    pub(super) fn by_tag(
        &self,
        all_of: &[Condition],
        ordered: &mut Vec<Vec<Vec<u8>>>,
        unordered: &mut Vec<Unordered<'_>>,
    ) -> Result<(), Fault> {
        let (keys, values) = (all_of.iter().filter_map(of_tag_key), all_of.iter().filter_map(of_tag_value));
        let (key, value) = (fewest(keys.clone()), fewest(values.clone()));
        let pairs = |keys: &[&str], values: &[&str]| -> Vec<Vec<u8>> {
            let pairs = keys.iter().flat_map(|key| values.iter().map(move |value| [*key, *value]));
            pairs.map(|pair| self.rows.index_prefix(TAG, &pair)).collect()
        };
        match (key, value) {
            (Some(keys), Some(values)) => ordered.push(pairs(&keys, &values)),
            (Some(keys), None) => {
                if let [key] = *keys {
                    let prefix = values.filter_map(begins).next().unwrap_or_default();
                    unordered.push(Unordered::Index(self.begun(TAG, &[key], prefix)));
                }
            }
            (None, Some(values)) => {
                let closed = self.closed_parts(&self.rows.index_prefix(TAG, &[]), TAG_KEYS_TRIED_MAX + 1)?;
                if closed.len() <= TAG_KEYS_TRIED_MAX {
                    let close = |key: &Vec<u8>, value: &str| [&**key, value.as_bytes(), &[SEPARATOR]].concat();
                    let ranges = closed.iter().flat_map(|key| values.iter().map(move |value| close(key, value)));
                    ordered.push(ranges.collect());
                }
            }
            (None, None) => {
                unordered
                    .extend(keys.filter_map(begins).next().map(|prefix| Unordered::Index(self.begun(TAG, &[], prefix))));
            }
        }
        Ok(())
    }

    /// What stands before each resource space's part of an index by space: of the spaces that are asked about, else of all.
    pub(super) fn by_space(&self, kind: u8, parts: &[&str], all_of: &[Condition]) -> Result<Vec<Vec<u8>>, Fault> {
        match fewest(all_of.iter().filter_map(of_space)) {
            Some(spaces) => {
                let of = |space: &&str| self.rows.index_prefix(kind, &[parts, &[*space]].concat());
                Ok(spaces.iter().map(of).collect())
            }
            None => self.closed_parts(&self.rows.index_prefix(kind, parts), usize::MAX),
        }
    }

    fn begun(&self, kind: u8, parts: &[&str], prefix: &str) -> Vec<u8> {
        [&*self.rows.index_prefix(kind, parts), prefix.as_bytes()].concat()
    }

    /// The different parts that follow a prefix, each with the prefix and closed: found by leaping from one to the next.
    fn closed_parts(&self, prefix: &[u8], max: usize) -> Result<Vec<Vec<u8>>, Fault> {
        let mut found: Vec<Vec<u8>> = Vec::new();
        let mut from = prefix.to_vec();
        while found.len() < max
            && let Some(key) = self.rows.database.first_key_from(&from)?
            && let Some(rest) = key.strip_prefix(prefix)
            && let Some(part) = rest.split(|byte| *byte == SEPARATOR).next()
        {
            let closed = [prefix, part, &[SEPARATOR]].concat();
            from = end_of(&closed);
            found.push(closed);
        }
        Ok(found)
    }
}

/// Of the tests that name texts, the texts of the one that names the fewest.
pub(super) fn fewest<'t>(tests: impl Iterator<Item = &'t TextTest>) -> Option<Vec<&'t str>> {
    tests.filter_map(exact).min_by_key(Vec::len)
}

pub(super) fn exact(test: &TextTest) -> Option<Vec<&str>> {
    match test {
        TextTest::Eq(text) => Some(vec![text]),
        TextTest::In(texts) => Some(texts.iter().map(|text| &**text).collect()),
        TextTest::Ne(_) | TextTest::Prefix(_) | TextTest::NotIn(_) => None,
    }
}

fn begins(test: &TextTest) -> Option<&str> {
    if let TextTest::Prefix(prefix) = test { Some(prefix) } else { None }
}

fn of_space(condition: &Condition) -> Option<&TextTest> {
    if let Condition::Space(test) = condition { Some(test) } else { None }
}

fn of_product(condition: &Condition) -> Option<&TextTest> {
    if let Condition::Product(test) = condition { Some(test) } else { None }
}

fn of_tag_key(condition: &Condition) -> Option<&TextTest> {
    if let Condition::TagKey(test) = condition { Some(test) } else { None }
}

fn of_tag_value(condition: &Condition) -> Option<&TextTest> {
    if let Condition::TagValue(test) = condition { Some(test) } else { None }
}
