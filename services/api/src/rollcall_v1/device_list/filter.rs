//! Which devices a list of them, or its CSV, is of: the parameters that both have, as conditions.
//!
//! Invariant: all that is given must hold, and of what `q` may mean one thing must.

use std::collections::BTreeMap;

use rollcall_domain::{
    ids::{DeviceId, Fingerprint, SpaceId},
    registry::{Devices as _, PinKey},
    time::Timestamp,
};
use rollcall_projection::directory::{
    CertificateFilter, CertificateQuery, Condition, DeviceStatus, DirectoryView, TextTest, ValueTest,
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    context::InstanceContext,
    http::{error::ApiError, times},
    instances::served::ServedInstance,
    v5::{certificates, devices::list, templates},
};

/// Certificates whose common name begins with `q` that are looked at.
const NAMED_MAX: usize = 1000;
/// Characters of `q`: no field is longer.
const SOUGHT_CHARS_MAX: usize = 256;
/// Devices that are looked at for a page, and for the number of all: what is asked may lead to every device for a few.
pub(super) const ROWS_MAX: u64 = 20_000;

/// How a device stands.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    Online,
    Offline,
    /// It has never connected.
    Inactive,
    Frozen,
}

/// Which devices to list. All that is given must hold. Times are `20151212T121212Z`, and their seconds are within.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// What the device's id, node id or name begins with, or the CN of a certificate of it (1000 certificates are looked at); or
    /// the whole fingerprint of a certificate of it; or `key=value`, a tag of it. Case counts. From indexes; where one leads to
    /// more than 4000 devices, by looking at the devices in the order of the list, 20000 for a page.
    #[param(max_length = 256)]
    q: Option<String>,
    /// Of this resource space.
    #[param(max_length = 36)]
    app_id: Option<String>,
    /// Of this product.
    #[param(max_length = 36)]
    product_id: Option<String>,
    /// With a certificate that this CA certificate's CA has proven. From an index; of more than 4000 certificates, by looking at the
    /// devices in the order of the list, 20000 for a page.
    #[param(max_length = 36)]
    certificate_id: Option<String>,
    /// With a certificate that the CA of a CA certificate has proven to which this template is bound now: which template a device was
    /// made by is not kept beside it. Served as `certificate_id` is.
    #[param(max_length = 36)]
    template_id: Option<String>,
    /// How they stand.
    #[param(inline)]
    status: Option<Status>,
    /// Registered at this time or later.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    registered_since: Option<String>,
    /// Registered at this time or earlier.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    registered_until: Option<String>,
    /// With a certificate that ends at this time or later.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    certificate_ends_since: Option<String>,
    /// With a certificate that ends at this time or earlier.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    certificate_ends_until: Option<String>,
    /// Refused at this time or later, by their certificate or under their id, as far as attempts are kept.
    #[param(pattern = "^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3])[0-5][0-9][0-5][0-9]Z$")]
    refused_since: Option<String>,
}

/// What the parameters come to.
pub(super) struct Found {
    /// A device is meant that satisfies all of one of these.
    pub(super) any_of: Vec<Vec<Condition>>,
    /// When each was last refused, if that is asked about.
    pub(super) refused: BTreeMap<DeviceId, Timestamp>,
    /// Whether `any_of` means all that is asked for: not, where too many certificates have the name that is sought.
    pub(super) is_whole: bool,
}

impl Wanted {
    /// # Errors
    /// [`ApiError::invalid`] for what cannot be read; that something named does not exist, or is out of scope.
    pub(super) async fn found(mut self, context: &InstanceContext) -> Result<Found, ApiError> {
        let sought = self.q.take().filter(|q| !q.is_empty());
        let refused_since = self.refused_since.take();
        let mut all_of = self.conditions(context)?;
        let refused = match refused_since {
            Some(text) => {
                let refused = refused_since_time(context, times::read("refused_since", &text)?).await?;
                let named = refused.keys().map(|id| id.as_str().into()).collect();
                all_of.push(Condition::DeviceId(TextTest::In(named)));
                refused
            }
            None => BTreeMap::new(),
        };
        let Some(sought) = sought else { return Ok(Found { any_of: vec![all_of], refused, is_whole: true }) };
        if sought.chars().count() > SOUGHT_CHARS_MAX {
            return Err(ApiError::invalid("q", format!("give at most {SOUGHT_CHARS_MAX} characters")));
        }
        let spaces: Vec<SpaceId> = context.configuration().spaces.keys().cloned().collect();
        let meant = context.instance.lookup(move |instance| meant(&instance.view, &sought, &spaces)).await?;
        let any_of = meant.0.into_iter().map(|one| one.into_iter().chain(all_of.iter().cloned()).collect()).collect();
        Ok(Found { any_of, refused, is_whole: meant.1 })
    }

    fn conditions(self, context: &InstanceContext) -> Result<Vec<Condition>, ApiError> {
        let equal = |text: String| TextTest::Eq(text.into());
        let mut conditions = Vec::new();
        let space = context.space_filter(self.app_id.as_deref())?;
        conditions.extend(space.map(|space| Condition::Space(equal(space.to_string()))));
        let product = self.product_id.filter(|id| !id.is_empty());
        conditions.extend(product.map(|product| Condition::Product(equal(product))));
        if let Some(certificate) = self.certificate_id.filter(|id| !id.is_empty()) {
            conditions.push(Condition::ProvenBy(vec![certificates::found(context, &certificate)?.name_and_key_sha256]));
        }
        if let Some(template) = self.template_id.filter(|id| !id.is_empty()) {
            let template = templates::found(context, &template)?.id;
            let configuration = context.configuration();
            let bound = configuration.cas.values().filter(|ca| ca.template.as_ref() == Some(&template));
            conditions.push(Condition::ProvenBy(bound.map(|ca| ca.name_and_key_sha256).collect()));
        }
        conditions.extend(self.status.map(|status| {
            Condition::Status(ValueTest::Eq(match status {
                Status::Online => DeviceStatus::Online,
                Status::Offline => DeviceStatus::Offline,
                Status::Inactive => DeviceStatus::Inactive,
                Status::Frozen => DeviceStatus::Frozen,
            }))
        }));
        let registered = [("registered_since", self.registered_since), ("registered_until", self.registered_until)];
        conditions.extend(list::period(registered, Condition::CreateTime)?);
        let ends = [
            ("certificate_ends_since", self.certificate_ends_since),
            ("certificate_ends_until", self.certificate_ends_until),
        ];
        conditions.extend(list::period(ends, Condition::CertificateEnd)?);
        Ok(conditions)
    }
}

/// What a text may mean, each with its conditions, and whether that is all. Bare values of tags are not sought: no index leads from
/// them to devices.
fn meant(view: &DirectoryView, sought: &str, spaces: &[SpaceId]) -> Option<(Vec<Vec<Condition>>, bool)> {
    let begins = || TextTest::Prefix(sought.into());
    let mut any_of =
        vec![vec![Condition::DeviceId(begins())], vec![Condition::NodeId(begins())], vec![Condition::Name(begins())]];
    if let Some((key, value)) = sought.split_once('=') {
        let [key, value] = [key, value].map(|text| TextTest::Eq(text.into()));
        any_of.push(vec![Condition::TagKey(key), Condition::TagValue(value)]);
    }
    let named = view.certificates_named(sought, NAMED_MAX)?;
    let is_whole = named.len() < NAMED_MAX;
    let mut holders: Vec<DeviceId> = named.into_iter().map(|certificate| certificate.device).collect();
    if let Some(fingerprint) = Fingerprint::parse(sought) {
        holders.extend(holders_of(view, fingerprint, spaces)?);
    }
    if !holders.is_empty() {
        let holders = holders.iter().map(|id| id.as_str().into()).collect();
        any_of.push(vec![Condition::DeviceId(TextTest::In(holders))]);
    }
    Some((any_of, is_whole))
}

/// The devices that have a certificate with this fingerprint: proven, or typed by an operator of any resource space.
fn holders_of(view: &DirectoryView, fingerprint: Fingerprint, spaces: &[SpaceId]) -> Option<Vec<DeviceId>> {
    let query =
        CertificateQuery { filter: CertificateFilter::Fingerprint(fingerprint), limit: 1, ..CertificateQuery::default() };
    let proven = view.certificates(&query)?.certificates.into_iter().map(|certificate| certificate.device);
    let typed = spaces.iter().filter_map(|space| view.admission().holder(&PinKey::typed(fingerprint, space)));
    Some(proven.chain(typed).collect())
}

/// The devices that were refused, each with the last time: the one that the attempt says the certificate was of, else the one
/// that has the certificate now, else the one that was claimed.
async fn refused_since_time(context: &InstanceContext, since: Timestamp) -> Result<BTreeMap<DeviceId, Timestamp>, ApiError> {
    let (instance, log) = (&context.instance, context.instance.log());
    let refusals = instance.attempts.refusals_since(&*instance.backbone.attempts, &log, since).await?;
    let look = move |instance: &ServedInstance| {
        let view = instance.view.admission();
        let mut refused = BTreeMap::new();
        for refusal in &refusals {
            let key = refusal.certificate.map(|sha256| PinKey::proven(Fingerprint::Sha256(sha256)));
            let holder = || key.and_then(|key| view.holder(&key));
            let device = refusal.attributed.clone().or_else(holder).or_else(|| refusal.device.clone());
            refused.extend(device.map(|device| (device, refusal.time)));
        }
        Some(refused)
    };
    instance.lookup(look).await
}
