//! Keeps what people should know of connections that were let in among the instance's attempts, where they look for what is
//! wrong with a device. Whoever finds it says how often; here each is kept.

use std::net::IpAddr;

use rollcall_domain::{ids::DeviceId, notice::Notice, registry::Attribution};
use rollcall_log::codec::RejectedRuling;

use super::{AttemptRecorder, Found, attempt};
use crate::{
    admission::registration::certificate_connect::Chain,
    metrics::{NotRecorded, metrics},
    transport::chain_verifier::VerifiedChain,
};

impl AttemptRecorder {
    /// Queues a notice of a connection of `device`; does not wait.
    pub(crate) fn record_notice(
        &self,
        verified: &VerifiedChain,
        device: &DeviceId,
        notice: &Notice,
        source: IpAddr,
        chain: Chain,
    ) {
        let (code, message) = (notice.code(), notice.to_string());
        tracing::warn!(%device, code, "{message}");
        let configuration = self.view.configuration();
        let Some(ca) = configuration.ca_of(&verified.path) else { return };
        let Ok(room) = self.waiting.try_reserve() else { return metrics().refusals_lost(NotRecorded::QueueFull, 1) };
        let proven = format!("CA certificate {} of resource space {}", ca.id, ca.space);
        let checks = vec![
            ("chain_leads_to_verified_ca".to_owned(), true, proven),
            ("let_in_by_connector".to_owned(), true, format!("as device {device}")),
            ("certificate_used_from_one_source".to_owned(), false, message.clone()),
        ];
        let attribution = Attribution::of(&configuration, &self.view, ca, chain.first().map_or(&[], |der| &**der));
        room.send(Box::new(attempt(Found {
            now: self.now(),
            sha256: verified.facts.sha256,
            chain,
            claimed: Some(device.clone()),
            rejection: RejectedRuling { code: code.to_owned(), message },
            attribution,
            checks,
            source,
            key_proven: true,
        })));
    }
}
