//! What is known of one instance at one position of its log.
//!
//! Configuration (small, read at every connect) is apart from devices (many, looked up one at a time), so that a reader
//! can hold the one in memory and the other in a store.

use std::collections::{BTreeMap, HashMap};

use crate::{
    certificate::lapse::{Lapse, Link},
    ids::{CaId, DeviceId, Fingerprint, NodeId, PolicyId, ProductId, SpaceId, TemplateId},
    policy::Policy,
    registry::retirement::{PinKey, Retired},
    rejection::Rejection,
    template::{Tag, TemplateBody},
    time::Timestamp,
};

/// Everything of an instance but its devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    pub spaces: BTreeMap<SpaceId, Space>,
    /// Products: an id is unique within its space.
    pub products: BTreeMap<(SpaceId, ProductId), Product>,
    pub policies: BTreeMap<PolicyId, Policy>,
    /// How many policies there ever were.
    pub policies_made: u64,
    /// Self-registration templates.
    pub templates: BTreeMap<TemplateId, Template>,
    pub cas: BTreeMap<CaId, Ca>,
    /// CAs that are refused wherever they stand above a device, by name and key.
    pub distrusted: BTreeMap<[u8; 32], Distrusted>,
}

impl Configuration {
    /// The template that makes devices of this CA certificate's certificates now; one that is bound but switched off, or
    /// is gone, does not.
    ///
    /// # Errors
    /// [`Rejection::TemplateNotBound`] or [`Rejection::SelfRegistrationDisabled`].
    pub(crate) fn template_in_force(&self, ca: &Ca) -> Result<&Template, Rejection> {
        let bound = ca.template.as_ref().and_then(|template| self.templates.get(template));
        let template = bound.ok_or(Rejection::TemplateNotBound)?;
        if ca.self_registration { Ok(template) } else { Err(Rejection::SelfRegistrationDisabled) }
    }

    /// The policies that apply to a device: its own, its product's, its resource space's. A policy of another space never
    /// does, nor one that has the id of a deleted one which was bound here.
    pub fn policies_of<'a>(&'a self, device: &'a Device) -> impl Iterator<Item = &'a Policy> {
        self.bindings_of(device).map(|(_, policy)| policy)
    }

    /// The same, each with what it is bound to: one that is bound twice is there twice.
    pub fn bindings_of<'a>(&'a self, device: &'a Device) -> impl Iterator<Item = (BoundTo, &'a Policy)> {
        let product = self.products.get(&(device.space.clone(), device.product.clone()));
        let space = self.spaces.get(&device.space);
        let ids = device.policies.iter().filter(|bound| self.is_bound(bound)).map(|bound| (BoundTo::Device, &bound.policy));
        let of_product = product.into_iter().flat_map(|product| &product.policies).map(|id| (BoundTo::Product, id));
        let of_space = space.into_iter().flat_map(|space| &space.policies).map(|id| (BoundTo::Space, id));
        let bound = ids.chain(of_product).chain(of_space).filter_map(|(to, id)| Some((to, self.policies.get(id)?)));
        bound.filter(|(_, policy)| policy.space == device.space)
    }

    /// Whether the policy that was bound is there still.
    pub(crate) fn is_bound(&self, bound: &BoundPolicy) -> bool {
        self.policies.get(&bound.policy).is_some_and(|policy| policy.made == bound.made)
    }
}

/// A resource space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    pub id: SpaceId,
    pub name: Box<str>,
    /// Whether requests without a space mean this one; the first space of an instance is.
    pub default_space: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// Policies bound to every device of the space.
    pub policies: Vec<PolicyId>,
}

/// What the v5 API keeps of a product beside its id and space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProductDetails {
    /// Name, up to 64 characters.
    pub name: Box<str>,
    /// Device type, up to 32 characters.
    pub device_type: Box<str>,
    /// `MQTT`, `CoAP`, ….
    pub protocol_type: Box<str>,
    /// `json` or `binary`.
    pub data_format: Box<str>,
    /// Manufacturer, up to 32 characters.
    pub manufacturer_name: Option<Box<str>>,
    /// Industry, up to 64 characters.
    pub industry: Option<Box<str>>,
    /// Description, up to 128 characters.
    pub description: Option<Box<str>>,
    /// The service capabilities as JSON text; opaque here.
    pub service_capabilities: Box<str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Product {
    pub id: ProductId,
    /// The resource space it belongs to.
    pub space: SpaceId,
    /// What the API shows.
    pub details: ProductDetails,
    /// When it was created.
    pub created_at: Timestamp,
    /// Policies bound to every device of the product.
    pub policies: Vec<PolicyId>,
}

/// A self-registration template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub id: TemplateId,
    /// Its name; never changes.
    pub name: Box<str>,
    pub description: Box<str>,
    /// What it makes of a certificate.
    pub body: TemplateBody,
    /// 1 when created, one more at each update.
    pub version: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// How far a CA certificate is trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaStatus {
    /// Uploaded; a verification certificate with this code as its CN is awaited.
    AwaitingProof {
        code: Box<str>,
        /// After this instant the code is no longer good.
        expires_at: Timestamp,
    },
    /// Its owner has proven to hold the key.
    Verified { at: Timestamp },
}

/// An uploaded CA certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ca {
    pub id: CaId,
    /// The resource space it belongs to; its devices are registered there.
    pub space: SpaceId,
    pub der: Box<[u8]>,
    /// Shown to people; no rule reads it.
    pub cn_name: Box<str>,
    /// SHA-256 over the DER.
    pub sha256: [u8; 32],
    /// SHA-256 over subject and key: equal for a renewed certificate of the same CA.
    pub name_and_key_sha256: [u8; 32],
    /// First instant of validity.
    pub not_before: Timestamp,
    /// Last instant of validity.
    pub not_after: Timestamp,
    /// Verified or not.
    pub status: CaStatus,
    /// The template bound to it.
    pub template: Option<TemplateId>,
    /// Whether unknown devices may register themselves with it.
    pub self_registration: bool,
    /// When it was uploaded.
    pub created_at: Timestamp,
}

impl Ca {
    /// Whether its owner has proven to hold the key.
    pub fn is_verified(&self) -> bool {
        matches!(self.status, CaStatus::Verified { .. })
    }

    /// How it is outside its validity at `now`, if it is.
    pub(crate) fn lapse_at(&self, now: Timestamp) -> Option<Lapse> {
        Lapse::of(Link::Ca(self.id.clone()), &self.cn_name, self.not_before, self.not_after, now)
    }

    /// Whether `now` is within its validity; both ends are inside (RFC 5280 section 4.1.2.5).
    pub(crate) fn is_valid_at(&self, now: Timestamp) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

/// A CA that was deleted because it is not believed any more. It is forgiven when the space that deleted it has verified a
/// certificate of it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distrusted {
    /// The resource space that had its certificate.
    pub space: SpaceId,
    /// The certificate that was deleted, by the id that it had.
    pub ca: CaId,
    /// Of that certificate; shown to people.
    pub cn_name: Box<str>,
    /// When it was deleted.
    pub since: Timestamp,
}

/// Which of a device's two fingerprints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// The one that a first connection pins.
    Primary,
    /// The spare, for a certificate change without interruption.
    Secondary,
}

/// A certificate that a device may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    pub fingerprint: Fingerprint,
    /// The CA that it was proven by, by name and key, once it has connected or registered.
    pub ca_name_and_key_sha256: Option<[u8; 32]>,
    /// Its notBefore, once a CA has proven it; what `replace` compares.
    pub not_before: Option<Timestamp>,
    /// Its notAfter, where the record that brought it says; until when it is remembered once it is retired.
    pub not_after: Option<Timestamp>,
    /// SHA-1 over the certificate, once a CA has proven it: what an operator may type of it.
    pub sha1: Option<[u8; 20]>,
    /// `false`: an operator has made this certificate INACTIVE.
    pub active: bool,
}

impl Pin {
    /// Whether the certificate was there when it was pinned, with a chain to a CA; else an operator typed the fingerprint.
    pub fn is_proven(&self) -> bool {
        self.not_before.is_some()
    }

    /// Whether a fingerprint is one of the certificate's, as far as those are known.
    pub(crate) fn has_digest(&self, fingerprint: &Fingerprint) -> bool {
        self.fingerprint == *fingerprint || self.sha1.map(Fingerprint::Sha1) == Some(*fingerprint)
    }

    /// What it is looked up by, as a pin of a device in `space`.
    pub fn key(&self, space: &SpaceId) -> PinKey {
        if self.is_proven() { PinKey::proven(self.fingerprint) } else { PinKey::typed(self.fingerprint, space) }
    }
}

/// How a device proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credential {
    /// By a secret. Rollcall keeps such a device in the registry and does not let it in.
    Secret,
    /// By certificates; no primary means "the next certificate of a fitting CA is pinned".
    Certificates { primary: Option<Pin>, secondary: Option<Pin> },
}

impl Credential {
    /// The pins there are, primary first.
    pub fn pins(&self) -> impl Iterator<Item = &Pin> {
        let (primary, secondary) = match self {
            Self::Secret => (None, None),
            Self::Certificates { primary, secondary } => (primary.as_ref(), secondary.as_ref()),
        };
        primary.into_iter().chain(secondary)
    }
}

/// A policy that is bound to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundPolicy {
    pub policy: PolicyId,
    /// [`Policy::made`] of the one that had the id then; 0, which none has, where there was none.
    pub made: u64,
}

/// What of a device a policy that applies to it is bound to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundTo {
    Device,
    Product,
    Space,
}

/// A device that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub id: DeviceId,
    /// What its owner calls it.
    pub node_id: NodeId,
    /// The resource space it belongs to.
    pub space: SpaceId,
    pub product: ProductId,
    pub name: Option<Box<str>>,
    pub description: Option<Box<str>>,
    /// Operator's own JSON, as text; opaque here.
    pub extension_info: Option<Box<str>>,
    /// Its tags, by key.
    pub tags: Vec<Tag>,
    /// Policies bound to this device. One that has been deleted stays here and means nothing.
    pub policies: Vec<BoundPolicy>,
    /// How it proves who it is.
    pub credential: Credential,
    /// Whether an operator has frozen it.
    pub frozen: bool,
    /// When it was registered or pre-registered.
    pub registered_at: Timestamp,
}

impl Device {
    /// Its pins, primary first, and what each is looked up by.
    pub fn pin_keys(&self) -> impl Iterator<Item = (PinKey, &Pin)> {
        self.credential.pins().map(|pin| (pin.key(&self.space), pin))
    }
}

/// What an id of a device means.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all entries are live: a box would cost each of them an allocation")]
pub enum DeviceEntry {
    Live(Device),
    /// It was deleted and does not come back by itself.
    Deleted {
        at: Timestamp,
        /// The resource space that it belonged to: only its operators, or one of the whole instance, have it back.
        space: SpaceId,
        /// Its certificates when it was deleted, those made INACTIVE left out: what a readmission lifts.
        certificates: Vec<PinKey>,
    },
}

impl DeviceEntry {
    /// The resource space that the device belongs to, or did.
    pub fn space(&self) -> &SpaceId {
        match self {
            Self::Live(device) => &device.space,
            Self::Deleted { space, .. } => space,
        }
    }
}

/// Looking up devices, wherever they are kept. A lookup reflects exactly the position of the configuration beside it.
pub trait Devices {
    /// The entry of an id.
    fn entry(&self, id: &DeviceId) -> Option<DeviceEntry>;
    /// The live device that has a fingerprint pinned, in either slot. What is retired is asked first.
    fn holder(&self, key: &PinKey) -> Option<DeviceId>;
    /// What is remembered of a certificate that was taken away from its device; of one that was proven, by either digest.
    fn retired(&self, key: &PinKey) -> Option<Retired>;
    /// Fingerprints of certificates that are retired, were proven and ended before `instant`: at most `max`, the first to
    /// end before the others.
    fn retired_and_ended(&self, instant: Timestamp, max: usize) -> Vec<Fingerprint>;
    /// How many certificates are retired in the instance, each counted by one digest.
    fn retired_count(&self) -> u64;
    /// Whether any live device belongs to the product.
    fn any_of_product(&self, space: &SpaceId, product: &ProductId) -> bool;
    /// Live devices in the instance.
    fn count(&self) -> u64;
}

/// A whole registry in memory: what tests, simulations and a registrar's look-ahead fold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registry {
    /// Everything but devices.
    pub configuration: Configuration,
    pub(crate) devices: BTreeMap<DeviceId, DeviceEntry>,
    pub(crate) holders: HashMap<PinKey, DeviceId>,
    pub(crate) retired: BTreeMap<PinKey, Retired>,
    pub(crate) live: u64,
}

impl Devices for Registry {
    fn entry(&self, id: &DeviceId) -> Option<DeviceEntry> {
        self.devices.get(id).cloned()
    }

    fn holder(&self, key: &PinKey) -> Option<DeviceId> {
        self.holders.get(key).cloned()
    }

    fn retired(&self, key: &PinKey) -> Option<Retired> {
        self.retired.get(key).cloned()
    }

    fn retired_and_ended(&self, instant: Timestamp, max: usize) -> Vec<Fingerprint> {
        let proven = self.retired.iter().filter(|(key, _)| key.space.is_none() && !key.is_second_digest());
        let ends = proven.filter_map(|(key, retired)| Some((retired.not_after?, key.fingerprint)));
        let mut ended: Vec<_> = ends.filter(|(not_after, _)| *not_after < instant).collect();
        ended.sort_unstable();
        ended.into_iter().take(max).map(|(_, fingerprint)| fingerprint).collect()
    }

    fn retired_count(&self) -> u64 {
        self.retired.keys().filter(|key| !key.is_second_digest()).count() as u64
    }

    fn any_of_product(&self, space: &SpaceId, product: &ProductId) -> bool {
        self.devices
            .values()
            .any(|entry| matches!(entry, DeviceEntry::Live(device) if device.space == *space && device.product == *product))
    }

    fn count(&self) -> u64 {
        self.live
    }
}
