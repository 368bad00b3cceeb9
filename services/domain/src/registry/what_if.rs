//! What would become of a device if a template read otherwise: asked before the template is changed, for each device that
//! came by it.
//!
//! Not a permission: a device that is frozen or whose certificate is switched off stays out either way. Invariant: where
//! the answer is anything but [`WhatIf::Unchanged`], a connection that the template recognises now is refused as
//! `template_no_longer_derives` after the change. Clients that connect in the platform's standard form are not affected:
//! they name their device, its own record decides, and no template is asked (see [`crate::authenticate`]).

use crate::{
    certificate::CertificateFacts,
    ids::{DeviceId, ProductId},
    registry::state::{Ca, Device, Devices},
    template::{EvaluationFault, TemplateBody},
};

/// What another template would make of a device's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhatIf {
    /// The same device of the same product.
    Unchanged,
    /// Another device id, which is free.
    OtherDevice {
        /// The id that the certificate would come to.
        would_be: DeviceId,
    },
    /// Another device, and some device has that id, or had it before it was deleted.
    Collides {
        /// The id that the certificate would come to.
        would_be: DeviceId,
    },
    /// None at all.
    NoDevice(EvaluationFault),
    /// The same device id, but of another product or resource space than the device belongs to.
    ProductElsewhere {
        /// The product that the certificate would come to, in the resource space of its CA certificate.
        would_be: ProductId,
    },
}

impl WhatIf {
    /// `unchanged`, `other_device`, `collides`, `no_device` or `product_elsewhere`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::OtherDevice { .. } => "other_device",
            Self::Collides { .. } => "collides",
            Self::NoDevice(_) => "no_device",
            Self::ProductElsewhere { .. } => "product_elsewhere",
        }
    }
}

/// What `body` would make of `device`, whose certificate says `facts` and was proven by `ca`, if it were in force there.
pub fn what_if(body: &TemplateBody, ca: &Ca, device: &Device, facts: &CertificateFacts, devices: &dyn Devices) -> WhatIf {
    let derived = match body.evaluate(facts) {
        Ok(derived) => derived,
        Err(fault) => return WhatIf::NoDevice(fault),
    };
    let would_be = derived.device_id;
    if would_be != device.id {
        return match devices.entry(&would_be) {
            Some(_) => WhatIf::Collides { would_be },
            None => WhatIf::OtherDevice { would_be },
        };
    }
    if derived.product_id != device.product || ca.space != device.space {
        return WhatIf::ProductElsewhere { would_be: derived.product_id };
    }
    WhatIf::Unchanged
}
