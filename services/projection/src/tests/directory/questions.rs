//! Questions thrown at a directory, and what the oracle says to them.

use std::collections::BTreeSet;

use rollcall_domain::{ids::Position, time::Timestamp};

use super::{EveryThird, Oracle, status};
use crate::{
    directory::{
        CertificateFilter, CertificateQuery, Condition, Cursor, DeviceQuery, DeviceStatus, DirectoryView, Online, Order,
        PrefixField, TextTest, ValueTest,
    },
    tests::history::{self, Dice},
};

/// The view answers so many random questions of each kind as the oracle does.
pub(super) fn assert_answers(view: &DirectoryView, oracle: &Oracle, dice: &mut Dice, questions: usize) {
    let all = view.list(&DeviceQuery::all(1000, &status)).unwrap().devices;
    assert_eq!(all, oracle.meant(&DeviceQuery::all(1000, &status)));
    for _ in 0..questions {
        let query = query(dice);
        let asked = format!("{:?} {:?} after {:?}", query.any_of, query.order, query.after);
        let meant = oracle.meant(&query);
        assert_eq!(view.count(&query), Some(meant.len() as u64), "the count of {asked}");
        assert_eq!(pages(view, query.clone()), meant, "the pages of {asked}");
        assert_part(view, &query, &meant, dice);
        search(view, oracle, dice);
    }
    for n in 0..20 {
        let id = history::device(n);
        let shown = oracle.devices.iter().find(|listed| listed.device.id == id).cloned();
        assert_eq!(view.show(&id), Some(shown));
        let records = oracle.history.get(&id).cloned().unwrap_or_default();
        assert_eq!(view.history(&id, None, 1000), Some(records.clone()), "the history of {id}");
        if let [_, second, third, ..] = *records {
            assert_eq!(view.history(&id, Some(second), 1), Some(vec![third]));
        }
    }
    certificates(view, oracle);
}

/// From the first page to the last, by the position of the last device.
fn pages(view: &DirectoryView, mut query: DeviceQuery<'_>) -> Vec<crate::directory::Listed> {
    let mut listed = Vec::new();
    query.limit = 3;
    loop {
        let page = view.list(&query).unwrap();
        query.after = page.last();
        let ended = page.devices.len() < query.limit;
        listed.extend(page.devices);
        if ended {
            return listed;
        }
    }
}

/// A part from anywhere, also from after a device that is not meant.
fn assert_part(view: &DirectoryView, query: &DeviceQuery<'_>, meant: &[crate::directory::Listed], dice: &mut Dice) {
    let (after, offset) = (Position(dice.roll(300)), dice.roll(3) as usize);
    let part = DeviceQuery { after: Some(after), offset, limit: 4, ..query.clone() };
    let is_after = |created: Position| match query.order {
        Order::NewestFirst => created < after,
        Order::OldestFirst => created > after,
    };
    let wanted: Vec<_> = meant.iter().filter(|listed| is_after(listed.created)).skip(offset).take(4).cloned().collect();
    assert_eq!(view.list(&part).unwrap().devices, wanted, "{:?} after {after}, without {offset}", query.any_of);
}

fn search(view: &DirectoryView, oracle: &Oracle, dice: &mut Dice) {
    let (field, prefix) = match dice.roll(3) {
        0 => (PrefixField::DeviceId, ["", "device-1", "device-11", "x"]),
        1 => (PrefixField::NodeId, ["", "node-", "node-1", "node-1x"]),
        _ => (PrefixField::Name, ["", "name", "name 1", "Name"]),
    };
    let prefix = prefix[dice.roll(4) as usize];
    let spaces = (dice.roll(2) == 0).then(|| BTreeSet::from([history::space_id(dice.roll(3))]));
    let mut wanted: Vec<_> = oracle.devices.iter().rev().cloned().collect();
    let key = |listed: &crate::directory::Listed| match field {
        PrefixField::DeviceId => Some(listed.device.id.as_str().to_owned()),
        PrefixField::NodeId => Some(listed.device.node_id.as_str().to_owned()),
        PrefixField::Name => listed.device.name.as_deref().map(str::to_owned),
    };
    wanted.retain(|listed| {
        let of_space = spaces.as_ref().is_none_or(|spaces| spaces.contains(&listed.device.space));
        of_space && key(listed).is_some_and(|key| key.starts_with(prefix))
    });
    wanted.sort_by_key(key);
    let mut found = Vec::new();
    let mut after: Option<Cursor> = None;
    loop {
        let page = view.find(prefix, field, spaces.as_ref(), after.as_ref(), 2).unwrap();
        found.extend(page.devices);
        let Some(next) = page.next else { break };
        after = Some(Cursor::from(next.as_bytes().to_vec()));
    }
    assert_eq!(found, wanted, "{field:?} {prefix:?} in {spaces:?}");
}

fn certificates(view: &DirectoryView, oracle: &Oracle) {
    let newest_first = || oracle.certificates.iter().rev();
    for known in newest_first() {
        assert_eq!(view.certificate(&known.id), Some(Some(known.clone())));
    }
    let scope = BTreeSet::from([history::space_id(1)]);
    for spaces in [None, Some(scope)] {
        let mut filters = vec![CertificateFilter::All];
        filters.extend(["", "cn-", "cn-1", "cn-1-1", "x"].map(|prefix| CertificateFilter::CommonNamePrefix(prefix.into())));
        filters.extend((0..20).map(|n| CertificateFilter::Fingerprint(history::fingerprint(n))));
        for filter in filters {
            let mut query = CertificateQuery { filter, spaces: spaces.clone(), limit: 2, ..CertificateQuery::default() };
            let wanted: Vec<_> = newest_first().filter(|known| query.means(known)).cloned().collect();
            let mut found = Vec::new();
            loop {
                let page = view.certificates(&query).unwrap();
                assert_eq!(page.count, wanted.len() as u64, "{query:?}");
                query.after = page.certificates.last().map(|last| last.id);
                let ended = page.certificates.len() < query.limit;
                found.extend(page.certificates);
                if ended {
                    break;
                }
            }
            assert_eq!(found, wanted, "{query:?}");
        }
    }
    for n in 0..history::NAMES_AND_KEYS + 1 {
        let ca = history::name_and_key(n);
        let below: Vec<_> = newest_first().filter(|known| known.path.contains(&ca)).cloned().collect();
        assert_eq!(view.certificates_below(&ca, None, 1000), Some(below));
    }
}

fn query(dice: &mut Dice) -> DeviceQuery<'static> {
    let order = if dice.roll(2) == 0 { Order::NewestFirst } else { Order::OldestFirst };
    let any_of = (0..dice.roll(3)).map(|_| (0..dice.roll(4)).map(|_| condition(dice)).collect()).collect();
    let online: Option<&'static dyn Online> = if dice.roll(4) == 0 { None } else { Some(&EveryThird) };
    let mut query = DeviceQuery { any_of, order, online, ..DeviceQuery::all(1000, &status) };
    if dice.roll(4) == 0 {
        query.narrow(&Condition::Space(TextTest::In(vec![history::space_id(dice.roll(3)).as_str().into()])));
    }
    query
}

fn condition(dice: &mut Dice) -> Condition {
    let mut text = |values: &[&str]| {
        let mut value = || -> Box<str> { values[dice.roll(values.len() as u64) as usize].into() };
        let (first, second) = (value(), value());
        match dice.roll(6) {
            0 | 1 => TextTest::Eq(first),
            2 => TextTest::Ne(first),
            3 => TextTest::Prefix(first),
            4 => TextTest::In(vec![first, second]),
            _ => TextTest::NotIn(vec![first, second]),
        }
    };
    let spaces = text(&["space-0", "space-1", "space-2", "space"]);
    let devices = text(&["device-0", "device-1", "device-7", "device-11", "not an id", "device-"]);
    let products = text(&["product-0", "product-1", "product-2", "product"]);
    let names = text(&["name 0", "name 1", "name 3", "name", "other"]);
    let nodes = text(&["node-0", "node-1", "node-5", "node-", "node"]);
    let keys = text(&["site", "stage", "size", "si", "none"]);
    let tag_values = text(&["north", "south", "9", "nor", "none"]);
    let position = Position(dice.roll(300));
    let time = Timestamp::from_unix_ms(1_700_000_000_000 + dice.roll(300) as i64);
    let end = history::not_after(dice.roll(21));
    let cas = (0..1 + dice.roll(2)).map(|_| history::name_and_key(dice.roll(4))).collect();
    match dice.roll(18) {
        0 => Condition::Space(spaces),
        1 | 2 => Condition::DeviceId(devices),
        3 => Condition::Product(products),
        4 => Condition::Name(names),
        5 => Condition::NodeId(nodes),
        6 => Condition::Status(value(dice, DeviceStatus::Online, DeviceStatus::Frozen)),
        14 => Condition::Status(value(dice, DeviceStatus::Offline, DeviceStatus::Inactive)),
        17 => Condition::ProvenBy(cas),
        15 | 16 => Condition::CertificateEnd(value(dice, end, end.plus_s(1))),
        7 => Condition::Constant(true),
        8 | 9 => Condition::TagKey(keys),
        10 => Condition::TagValue(tag_values),
        11 => Condition::CreateTime(value(dice, time, time.plus_s(0))),
        12 => Condition::Created(value(dice, position, position.next())),
        _ => Condition::Constant(false),
    }
}

fn value<T>(dice: &mut Dice, first: T, second: T) -> ValueTest<T> {
    match dice.roll(6) {
        0 => ValueTest::Eq(first),
        1 => ValueTest::Ne(first),
        2 => ValueTest::Gt(first),
        3 => ValueTest::Lt(first),
        4 => ValueTest::In(vec![first, second]),
        _ => ValueTest::NotIn(vec![first, second]),
    }
}
