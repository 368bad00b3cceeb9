//! Where a device comes from: who entered it, and by which CA certificate and template. Rollcall's own: the service does not say.
//!
//! Read off the record that created it, since the view keeps no more of it than what admits. Invariant: a device is shown also
//! while its record cannot be read; then this is left out.

use rollcall_domain::{ids::CaId, registry::Event};
use rollcall_projection::directory::{CertificateFilter, CertificateQuery, Listed};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    context::InstanceContext,
    instances::{
        records::{self, StoredRecord},
        served::ServedInstance,
    },
};

/// Where a device comes from.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Origin {
    /// `self_registration`, or `operator`, who entered it before it first connected.
    #[schema(example = "self_registration")]
    registered_by: &'static str,
    /// The CA certificate that its certificate was proven by, under the id that it had then. Absent while no certificate has
    /// been proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_id: Option<String>,
    /// The template that made it; absent where an operator entered it.
    #[serde(skip_serializing_if = "Option::is_none")]
    template_id: Option<String>,
    /// Which version of it, 1 for the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    template_version: Option<u32>,
}

/// `None`: the record that created the device cannot be read now.
pub(super) async fn of(context: &InstanceContext, listed: &Listed) -> Option<Origin> {
    let stored = records::at(&context.instance, listed.created).await.ok().flatten()?;
    match StoredRecord::event(&stored)? {
        Event::DeviceRegistered { certificate, template, template_version, .. } => Some(Origin {
            registered_by: "self_registration",
            certificate_id: Some(certificate.ca.to_string()),
            template_id: Some(template.to_string()),
            template_version: Some(*template_version),
        }),
        _ => {
            let listed = listed.clone();
            let ca = context.instance.lookup(move |instance| proven_by(instance, &listed)).await.ok()?;
            Some(Origin {
                registered_by: "operator",
                certificate_id: ca.map(|ca| ca.to_string()),
                template_id: None,
                template_version: None,
            })
        }
    }
}

/// The CA certificate that the first of the device's certificates which has connected was proven by.
fn proven_by(instance: &ServedInstance, listed: &Listed) -> Option<Option<CaId>> {
    for pin in listed.device.credential.pins() {
        let filter = CertificateFilter::Fingerprint(pin.fingerprint);
        let query = CertificateQuery { filter, spaces: None, after: None, offset: 0, limit: usize::MAX };
        let found = instance.view.certificates(&query)?.certificates;
        if let Some(certificate) = found.into_iter().find(|certificate| certificate.device == listed.device.id) {
            return Some(Some(certificate.ca));
        }
    }
    Some(None)
}
