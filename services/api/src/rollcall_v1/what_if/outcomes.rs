//! Counts the outcomes of device certificates under another template, with examples of those that would change.
//!
//! Does not find the certificates. Invariant: each certificate counts once, and no list of examples is longer than
//! [`EXAMPLES_MAX`].

use std::collections::HashSet;

use rollcall_domain::{
    certificate::CertificateFacts,
    ids::DeviceId,
    registry::{Ca, DeviceEntry, Devices, WhatIf, what_if},
    template::TemplateBody,
};
use rollcall_projection::directory::ListedCertificate;
use serde::Serialize;
use utoipa::ToSchema;

/// Examples of one outcome.
const EXAMPLES_MAX: usize = 100;

/// How many device certificates would fare how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Counts {
    /// All that were examined.
    examined: u64,
    /// Those that would come to the same device as now.
    unchanged: u64,
    /// Those that would come to another device id, which is free: they would register anew.
    other_device: u64,
    /// Those that would come to the id of another device, or of a deleted one, or to the same id as one before.
    collides: u64,
    /// Those that would come to no device at all, and be refused.
    no_device: u64,
    /// Those that would come to the same device id in another product, and be refused.
    product_elsewhere: u64,
    /// Those that the template does not recognise as it is, so that nothing changes for them.
    not_by_template: u64,
    /// Those that cannot be read any more.
    unreadable: u64,
}

/// Some of those that would not fare as now.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub(super) struct Examples {
    /// They would register anew.
    other_device: Vec<Example>,
    /// They would be refused: that id is taken.
    collides: Vec<Example>,
    /// They would come to no device.
    no_device: Vec<Example>,
    /// They would come to another product.
    product_elsewhere: Vec<Example>,
}

/// One device certificate.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct Example {
    /// The device that it belongs to.
    device_id: String,
    /// SHA-256 over it, hex.
    fingerprint: String,
    /// The device id that it would come to.
    #[serde(skip_serializing_if = "Option::is_none")]
    would_be: Option<String>,
    /// What would happen, for people.
    reason: String,
}

#[derive(Default)]
pub(super) struct OutcomeCounts {
    counts: Counts,
    examples: Examples,
    /// Free ids that a certificate before would take.
    taken: HashSet<DeviceId>,
}

impl OutcomeCounts {
    pub(super) fn examined(&self) -> u64 {
        self.counts.examined
    }

    pub(super) fn shown(self) -> (Counts, Examples) {
        (self.counts, self.examples)
    }

    /// Counts one device certificate. `der`: as the log has it; `now` and `proposed`: the template today, if
    /// there is one, and as it would be.
    pub(super) fn add(
        &mut self,
        certificate: &ListedCertificate,
        der: Option<&[u8]>,
        ca: &Ca,
        now: Option<&TemplateBody>,
        proposed: &TemplateBody,
        devices: &dyn Devices,
    ) {
        self.counts.examined += 1;
        let facts = der.and_then(|der| CertificateFacts::from_der(der).ok());
        let entry = devices.entry(&certificate.device);
        let (Some(facts), Some(DeviceEntry::Live(device))) = (facts, entry) else {
            self.counts.unreadable += 1;
            return;
        };
        if now.is_none_or(|now| what_if(now, ca, &device, &facts, devices) != WhatIf::Unchanged) {
            self.counts.not_by_template += 1;
            return;
        }
        let (count, examples, would_be, reason) = match what_if(proposed, ca, &device, &facts, devices) {
            WhatIf::Unchanged => {
                self.counts.unchanged += 1;
                return;
            }
            WhatIf::OtherDevice { would_be } if self.taken.insert(would_be.clone()) => {
                let reason = "the template would no longer name this device: it would register as another".to_owned();
                (&mut self.counts.other_device, &mut self.examples.other_device, Some(would_be), reason)
            }
            WhatIf::OtherDevice { would_be } => {
                let reason =
                    "another certificate would come to this device id too: whoever connects first has it".to_owned();
                (&mut self.counts.collides, &mut self.examples.collides, Some(would_be), reason)
            }
            WhatIf::Collides { would_be } => {
                let reason = "this device id belongs to another device, or did before it was deleted".to_owned();
                (&mut self.counts.collides, &mut self.examples.collides, Some(would_be), reason)
            }
            WhatIf::NoDevice(fault) => (&mut self.counts.no_device, &mut self.examples.no_device, None, fault.to_string()),
            WhatIf::ProductElsewhere { would_be } => {
                let reason = format!("the device would have to belong to product {would_be}, and does not");
                let same = Some(device.id.clone());
                (&mut self.counts.product_elsewhere, &mut self.examples.product_elsewhere, same, reason)
            }
        };
        *count += 1;
        if examples.len() < EXAMPLES_MAX {
            examples.push(Example {
                device_id: device.id.to_string(),
                fingerprint: hex::encode(certificate.sha256),
                would_be: would_be.map(|id| id.to_string()),
                reason,
            });
        }
    }
}
