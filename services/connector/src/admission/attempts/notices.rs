//! Keeps what people should know of connections that were let in among the instance's attempts, where they look for what is
//! wrong with a device. Whoever finds it says how often; here each is kept.

use rollcall_domain::{
    ids::DeviceId,
    notice::Notice,
    registry::{Actor, Request, RequestBody},
    time::Timestamp,
};
use rollcall_log::codec::{AnyRequest, Attempt, QueuedRequest, RejectedRuling};

use super::{AttemptRecorder, template};
use crate::{
    admission::registration::certificate_connect::{Chain, request_id},
    metrics::{NotRecorded, metrics},
    transport::chain_verifier::VerifiedChain,
};

impl AttemptRecorder {
    /// Queues a notice of a connection of `device`; does not wait.
    pub(crate) fn record_notice(&self, verified: &VerifiedChain, device: &DeviceId, notice: &Notice, chain: Chain) {
        let (code, message) = (notice.code(), notice.to_string());
        tracing::warn!(%device, code, "{message}");
        let configuration = self.view.configuration();
        let Some(ca) = configuration.ca_of(&verified.path) else { return };
        let Ok(room) = self.waiting.try_reserve() else { return metrics().refusals_lost(NotRecorded::QueueFull, 1) };
        let (now, sha256) = (Timestamp::from_unix_ms(self.clock.unix_ms()), verified.facts.sha256);
        let claimed = Some(device.clone());
        let id = request_id(&sha256, claimed.as_ref());
        let (actor, body) = (Actor::Certificate(sha256), RequestBody::CertificateConnect { chain, claimed });
        let proven = format!("CA certificate {} of resource space {}", ca.id, ca.space);
        let checks = vec![
            ("chain_leads_to_verified_ca".to_owned(), true, proven),
            ("let_in_by_connector".to_owned(), true, format!("as device {device}")),
            ("certificate_used_from_one_source".to_owned(), false, message.clone()),
        ];
        let request = AnyRequest::Registry(Request { id, actor, body });
        room.send(Box::new(Attempt {
            time: now,
            request: QueuedRequest { submitted_at: now, traceparent: None, request },
            rejection: RejectedRuling { code: code.to_owned(), message },
            template: template(&configuration, ca),
            checks,
        }));
    }
}
