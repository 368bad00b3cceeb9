//! How far the procedure has come that lets devices register themselves: product, template, policy, CA certificate, proof,
//! binding, first device.
//!
//! Read off what the log says is there, never off what somebody has clicked; the log knows nothing of debugging a certificate,
//! so that step is not among it. Of several CA certificates the one is told of with which most is done, and what belongs to it.
//! Invariant: everything named is in the caller's scope.

use rollcall_domain::{
    fleet::Scope,
    policy::Policy,
    registry::{Ca, Configuration, Product, Template},
    template::Value,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{instances::served::ServedInstance, v5::templates::concerns};

/// Certificates of one CA that are looked at, newest first, for a device that is online.
const CERTIFICATES_LOOKED_AT_MAX: usize = 20;

/// What is there; a step of which nothing is there is absent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetUp {
    #[serde(skip_serializing_if = "Option::is_none")]
    product: Option<SetUpProduct>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<SetUpTemplate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<SetUpPolicy>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_certificate: Option<SetUpCa>,
    /// A device with a certificate of that CA: one that is online, else the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_device: Option<SetUpDevice>,
}

/// The product that the template names, else the newest: of the CA certificate's resource space, where there is one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetUpProduct {
    product_id: String,
    /// Its resource space.
    app_id: String,
    name: String,
}

/// The template that is bound to the CA certificate, else the newest.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetUpTemplate {
    template_id: String,
    name: String,
}

/// A policy that the template names, else the newest, and a default one last: of the CA certificate's resource space, where
/// there is one.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetUpPolicy {
    policy_id: String,
    /// Its resource space.
    app_id: String,
    name: String,
    /// Whether it is the one that the resource space was made with, unchanged.
    is_default: bool,
}

/// The CA certificate with which most is done; of two alike the newer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetUpCa {
    certificate_id: String,
    /// Its resource space.
    app_id: String,
    /// The CN of its Subject, or its whole Subject where there is none.
    cn_name: String,
    /// Whether its owner has proven to hold the key.
    verified: bool,
    /// The template that is bound to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    template_id: Option<String>,
    /// Whether devices may register themselves with it.
    self_registration: bool,
}

/// A device with a certificate of the CA.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SetUpDevice {
    device_id: String,
    /// Whether it is connected now.
    online: bool,
}

impl SetUp {
    /// As far as the scope reaches. `None`: the view is being built again.
    pub(super) fn of(instance: &ServedInstance, configuration: &Configuration, scope: &Scope) -> Option<Self> {
        let mut furthest: Option<((usize, _), &Ca, Option<SetUpDevice>)> = None;
        for ca in configuration.cas.values().filter(|ca| scope.holds_space(&ca.space)) {
            let device = device(instance, ca)?;
            let template = ca.template.as_ref().filter(|template| configuration.templates.contains_key(template));
            let done = [ca.is_verified(), template.is_some(), ca.self_registration, device.is_some()];
            let rank = (done.into_iter().filter(|done| *done).count(), ca.created_at);
            if furthest.as_ref().is_none_or(|(furthest, _, _)| rank >= *furthest) {
                furthest = Some((rank, ca, device));
            }
        }
        let (ca, first_device) = furthest.map_or((None, None), |(_, ca, device)| (Some(ca), device));
        let template = template(configuration, scope, ca);
        let product = product(configuration, scope, ca, template);
        let policy = policy(configuration, scope, ca, template);
        Some(Self {
            product: product.map(SetUpProduct::from),
            template: template.map(SetUpTemplate::from),
            policy: policy.map(SetUpPolicy::from),
            ca_certificate: ca.map(SetUpCa::from),
            first_device,
        })
    }
}

/// A device of the resource space with a certificate of the CA. Where another space has the same CA, and all of the newest
/// certificates are there, none is found.
fn device(instance: &ServedInstance, ca: &Ca) -> Option<Option<SetUpDevice>> {
    let newest = instance.view.certificates_below(&ca.name_and_key_sha256, None, CERTIFICATES_LOOKED_AT_MAX)?;
    let of_space = newest.into_iter().filter(|certificate| certificate.space == ca.space);
    let devices = of_space.map(|certificate| SetUpDevice {
        device_id: certificate.device.to_string(),
        online: instance.devices.presence().is_online(&certificate.device),
    });
    // Of those that are alike the last is taken: the newest come first.
    let devices: Vec<SetUpDevice> = devices.collect();
    Some(devices.into_iter().rev().max_by_key(|device| device.online))
}

fn template<'a>(configuration: &'a Configuration, scope: &Scope, ca: Option<&Ca>) -> Option<&'a Template> {
    let bound = ca.and_then(|ca| configuration.templates.get(ca.template.as_ref()?));
    bound.or_else(|| {
        let usable = configuration.templates.values().filter(|template| concerns(scope, configuration, template));
        usable.max_by_key(|template| template.created_at)
    })
}

fn product<'a>(
    configuration: &'a Configuration,
    scope: &Scope,
    ca: Option<&Ca>,
    template: Option<&Template>,
) -> Option<&'a Product> {
    let named = template.and_then(|template| match &template.body.product_id {
        Value::Static(id) => Some(id),
        Value::Attribute(_) => None,
    });
    let is_of_ca = |product: &&Product| ca.is_none_or(|ca| ca.space == product.space);
    let usable = configuration.products.values().filter(|product| scope.holds_space(&product.space)).filter(is_of_ca);
    usable.max_by_key(|product| (named.is_some_and(|named| **named == *product.id.as_str()), product.created_at))
}

fn policy<'a>(
    configuration: &'a Configuration,
    scope: &Scope,
    ca: Option<&Ca>,
    template: Option<&Template>,
) -> Option<&'a Policy> {
    let is_of_ca = |policy: &&Policy| ca.is_none_or(|ca| ca.space == policy.space);
    let usable = configuration.policies.values().filter(|policy| scope.holds_space(&policy.space)).filter(is_of_ca);
    usable.max_by_key(|policy| {
        let is_named = template.is_some_and(|template| template.body.policy_ids.contains(&policy.id));
        (is_named, !policy.is_system_default(), policy.created_at)
    })
}

impl From<&Product> for SetUpProduct {
    fn from(product: &Product) -> Self {
        Self {
            product_id: product.id.to_string(),
            app_id: product.space.to_string(),
            name: product.details.name.to_string(),
        }
    }
}

impl From<&Template> for SetUpTemplate {
    fn from(template: &Template) -> Self {
        Self { template_id: template.id.to_string(), name: template.name.to_string() }
    }
}

impl From<&Policy> for SetUpPolicy {
    fn from(policy: &Policy) -> Self {
        Self {
            policy_id: policy.id.to_string(),
            app_id: policy.space.to_string(),
            name: policy.name.to_string(),
            is_default: policy.is_system_default(),
        }
    }
}

impl From<&Ca> for SetUpCa {
    fn from(ca: &Ca) -> Self {
        Self {
            certificate_id: ca.id.to_string(),
            app_id: ca.space.to_string(),
            cn_name: ca.cn_name.to_string(),
            verified: ca.is_verified(),
            template_id: ca.template.as_ref().map(ToString::to_string),
            self_registration: ca.self_registration,
        }
    }
}
