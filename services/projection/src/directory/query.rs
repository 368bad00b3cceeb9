//! What may be asked of the directory: conditions on devices, the order and the part of the answer that is wanted.
//!
//! Does not say how an answer is found. Invariant: [`Condition`]s say what a device must be like and nothing else, so whatever
//! index an answer is found by, each device in it was held against all of them.

use rollcall_domain::{
    ids::{DeviceId, Position, SpaceId},
    registry::{BoundPolicy, Device},
    time::Timestamp,
};

use super::Listed;
use crate::rows::DeviceStatus;

/// A test on a text. What a device does not have passes [`TextTest::Ne`] and [`TextTest::NotIn`] and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextTest {
    Eq(Box<str>),
    /// Anything but this.
    Ne(Box<str>),
    /// Begins with this.
    Prefix(Box<str>),
    /// One of these.
    In(Vec<Box<str>>),
    /// None of these.
    NotIn(Vec<Box<str>>),
}

impl TextTest {
    /// Whether a value passes.
    pub fn holds(&self, value: Option<&str>) -> bool {
        match self {
            Self::Eq(wanted) => value == Some(&**wanted),
            Self::Ne(unwanted) => value != Some(&**unwanted),
            Self::Prefix(prefix) => value.is_some_and(|value| value.starts_with(&**prefix)),
            Self::In(wanted) => value.is_some_and(|value| wanted.iter().any(|wanted| **wanted == *value)),
            Self::NotIn(unwanted) => !value.is_some_and(|value| unwanted.iter().any(|unwanted| **unwanted == *value)),
        }
    }
}

/// A test on what has an order or is one of a few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueTest<T> {
    Eq(T),
    /// Anything but this.
    Ne(T),
    /// More or later than this.
    Gt(T),
    /// Less or earlier than this.
    Lt(T),
    /// One of these.
    In(Vec<T>),
    /// None of these.
    NotIn(Vec<T>),
}

impl<T: PartialOrd> ValueTest<T> {
    /// Whether a value passes.
    pub fn holds(&self, value: &T) -> bool {
        match self {
            Self::Eq(wanted) => value == wanted,
            Self::Ne(unwanted) => value != unwanted,
            Self::Gt(bound) => value > bound,
            Self::Lt(bound) => value < bound,
            Self::In(wanted) => wanted.contains(value),
            Self::NotIn(unwanted) => !unwanted.contains(value),
        }
    }
}

/// What a device must be like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Its resource space (`app_id`).
    Space(TextTest),
    DeviceId(TextTest),
    Product(TextTest),
    Name(TextTest),
    /// Its node id.
    NodeId(TextTest),
    /// How it stands, as the query's `status` says.
    Status(ValueTest<DeviceStatus>),
    /// The key of a tag. It and every [`Condition::TagValue`] beside it must hold for one and the same tag.
    TagKey(TextTest),
    /// The value of a tag; see [`Condition::TagKey`].
    TagValue(TextTest),
    /// Its resource space, and a policy that is bound to it itself: not only to its product or that space.
    Policy(SpaceId, BoundPolicy),
    /// A CA, by name and key, that has proven a certificate of it: one of these.
    ProvenBy(Vec<[u8; 32]>),
    /// When it was registered.
    CreateTime(ValueTest<Timestamp>),
    /// The position of the record that created it: where it stands in a list.
    Created(ValueTest<Position>),
    /// When a certificate of it ends. It and every other one beside it must hold for one and the same certificate.
    CertificateEnd(ValueTest<Timestamp>),
    /// The same for every device: what is asked of a field that all have alike, or none has.
    Constant(bool),
}

/// In which order devices are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By the record that created them, latest first.
    #[default]
    NewestFirst,
    /// By the record that created them, earliest first.
    OldestFirst,
}

/// Which devices, in which order, and which part of them.
#[derive(Clone)]
pub struct DeviceQuery<'a> {
    /// A device is meant if it satisfies every condition of any of these; all devices, if there are none.
    pub any_of: Vec<Vec<Condition>>,
    /// In which order.
    pub order: Order,
    /// Only those that come, in the order, after the device that the record here created.
    pub after: Option<Position>,
    /// How many of those to leave out first.
    pub offset: usize,
    /// The most to answer with.
    pub limit: usize,
    /// How a device stands; only asked where a [`Condition::Status`] needs it. Must be what [`DeviceStatus::of`] says with those
    /// that `online` names and those that have been [seen](super::DirectoryView::seen): indexes go by that.
    pub status: &'a (dyn Fn(&Device) -> DeviceStatus + Sync),
    /// Who is online, as has been [noted](super::DirectoryView::note_seen); without it, neither index nor count is used for what
    /// asks about that.
    pub online: Option<&'a dyn Online>,
}

/// Who is online, where the directory is read.
pub trait Online: Sync {
    fn is_online(&self, device: &DeviceId) -> bool;

    /// All that are online, if they are not more than `max`.
    fn at_most(&self, max: usize) -> Option<Vec<DeviceId>>;
}

/// The statuses that all tests on it leave; `None`: there is no such test.
pub(crate) fn statuses(all_of: &[Condition]) -> Option<Vec<DeviceStatus>> {
    let test = |condition: &'_ Condition| matches!(condition, Condition::Status(_));
    let passes = |status: &DeviceStatus| {
        all_of.iter().all(|condition| if let Condition::Status(test) = condition { test.holds(status) } else { true })
    };
    all_of.iter().any(test).then(|| DeviceStatus::GIVEN.into_iter().filter(passes).collect())
}

impl<'a> DeviceQuery<'a> {
    /// All devices, newest first; `status` says how one stands.
    pub fn all(limit: usize, status: &'a (dyn Fn(&Device) -> DeviceStatus + Sync)) -> Self {
        Self { any_of: Vec::new(), order: Order::NewestFirst, after: None, offset: 0, limit, status, online: None }
    }

    /// The same question, of devices that satisfy this too: how an operator's scope is laid over what they ask.
    pub fn narrow(&mut self, condition: &Condition) {
        if self.any_of.is_empty() {
            self.any_of.push(Vec::new());
        }
        for all_of in &mut self.any_of {
            all_of.push(condition.clone());
        }
    }

    /// Whether a device cannot be meant, as far as who is online says so alone: its row need not be read then.
    pub(crate) fn leaves_out(&self, id: &DeviceId) -> bool {
        let (Some(online), [all_of]) = (self.online, &*self.any_of) else { return false };
        let Some(wanted) = statuses(all_of) else { return false };
        let possible: &[DeviceStatus] = match online.is_online(id) {
            true => &[DeviceStatus::Frozen, DeviceStatus::Online],
            false => &[DeviceStatus::Frozen, DeviceStatus::Offline, DeviceStatus::Inactive],
        };
        !possible.iter().any(|status| wanted.contains(status))
    }

    /// Whether a device satisfies the conditions, wherever it stands.
    pub(crate) fn means(&self, listed: &Listed) -> bool {
        self.any_of.is_empty() || self.any_of.iter().any(|all_of| self.satisfies(listed, all_of))
    }

    fn satisfies(&self, listed: &Listed, all_of: &[Condition]) -> bool {
        let device = &listed.device;
        let alone = all_of.iter().all(|condition| match condition {
            Condition::Space(test) => test.holds(Some(device.space.as_str())),
            Condition::DeviceId(test) => test.holds(Some(device.id.as_str())),
            Condition::Product(test) => test.holds(Some(device.product.as_str())),
            Condition::Name(test) => test.holds(device.name.as_deref()),
            Condition::NodeId(test) => test.holds(Some(device.node_id.as_str())),
            Condition::Status(test) => test.holds(&(self.status)(device)),
            Condition::TagKey(_) | Condition::TagValue(_) | Condition::CertificateEnd(_) => true,
            Condition::Policy(space, bound) => device.space == *space && device.policies.contains(bound),
            Condition::ProvenBy(cas) => {
                let mut by = device.credential.pins().filter_map(|pin| pin.ca_name_and_key_sha256);
                by.any(|ca| cas.contains(&ca))
            }
            Condition::CreateTime(test) => test.holds(&device.registered_at),
            Condition::Created(test) => test.holds(&listed.created),
            Condition::Constant(holds) => *holds,
        });
        alone && satisfies_tags(device, all_of) && satisfies_ends(device, all_of)
    }
}

/// Whether one certificate passes every test on their ends, if there is any.
fn satisfies_ends(device: &Device, all_of: &[Condition]) -> bool {
    let tests: Vec<_> = all_of
        .iter()
        .filter_map(|condition| if let Condition::CertificateEnd(test) = condition { Some(test) } else { None })
        .collect();
    let mut ends = device.credential.pins().filter_map(|pin| pin.not_after);
    tests.is_empty() || ends.any(|end| tests.iter().all(|test| test.holds(&end)))
}

/// Whether one tag passes every test on tags, if there is any.
fn satisfies_tags(device: &Device, all_of: &[Condition]) -> bool {
    let (mut keys, mut values) = (Vec::new(), Vec::new());
    for condition in all_of {
        if let Condition::TagKey(test) = condition {
            keys.push(test);
        } else if let Condition::TagValue(test) = condition {
            values.push(test);
        }
    }
    let passes = |key: &str, value: &str| {
        keys.iter().all(|test| test.holds(Some(key))) && values.iter().all(|test| test.holds(Some(value)))
    };
    keys.is_empty() && values.is_empty() || device.tags.iter().any(|tag| passes(&tag.key, &tag.value))
}
