//! What is logged of clients that do what MQTT, or this server, does not have, and whose version cannot tell them so.
//!
//! Not of those with an open session that is closed for it: that is a line of its own each time. Invariant: however many
//! clients do it and however often, there are no more lines than [`Repeats`] lets through; the metrics count all of them.

use std::net::IpAddr;

use rollcall_domain::{
    certificate::CertificateFacts,
    ids::{DeviceId, InstanceId},
};
use rollcall_log::repeats::Repeats;

use crate::{
    metrics::metrics,
    mqtt::{Ignored, Violation},
};

/// What has been said of the clients of one instance.
#[derive(Debug, Default)]
pub(crate) struct ClientReports {
    violations: Repeats,
    ignored: Repeats,
}

impl ClientReports {
    /// A CONNECT broke the standard. `facts` are those of the client's certificate, if it leads to a verified CA
    /// certificate.
    pub(crate) fn violated(
        &self,
        instance: &InstanceId,
        source: IpAddr,
        facts: Option<&CertificateFacts>,
        violation: Violation,
    ) {
        let refusal = violation.refusal();
        metrics().refused(&refusal);
        let reason = violation.to_string();
        let Some(left_out) = self.violations.failed(&reason) else { return };
        let (code, certificate) = (refusal.code(), facts.map(|facts| hex::encode(facts.sha256)));
        tracing::info!(%instance, %source, certificate, code, reason, left_out, "connection refused");
    }

    /// A client asked for something that it does not get. Devices are told apart as far as [`Repeats`] does.
    pub(crate) fn ignored(&self, instance: &InstanceId, device: &DeviceId, ignored: &Ignored) {
        let Ignored::Retain { topic } = ignored;
        metrics().denied("retain");
        if let Some(left_out) = self.ignored.failed(device) {
            tracing::info!(
                %instance, %device, ?topic, left_out,
                "the retain flag is ignored: nothing is retained here, and MQTT before 5.0 cannot tell the device"
            );
        }
    }
}
