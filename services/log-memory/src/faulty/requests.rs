//! The request queue with faults: requests come twice, rulings come late or never.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{LogId, RequestId};
use rollcall_log::{
    BackboneError,
    requests::{AnnouncedRuling, Delivery, Receipt, RequestKind, RequestQueue, Submitted},
};
use rollcall_log_embedded::in_memory::Redelivery;
use tokio::sync::mpsc;

use crate::fault_injection::{FaultInjection, Faults};

/// [`RequestQueue`] with faults.
pub(crate) struct FaultyRequests {
    pub(crate) inner: Arc<dyn RequestQueue>,
    pub(crate) redelivery: Redelivery,
    pub(crate) injection: Arc<FaultInjection>,
}

#[async_trait]
impl RequestQueue for FaultyRequests {
    async fn open(&self, log: &LogId) -> Result<(), BackboneError> {
        self.inner.open(log).await
    }

    async fn submit(
        &self,
        log: &LogId,
        kind: RequestKind,
        id: &RequestId,
        request: Bytes,
    ) -> Result<Submitted, BackboneError> {
        self.injection.reach("submitting a request")?;
        let submitted = self.inner.submit(log, kind, id, request).await?;
        self.injection.acknowledge("submitting a request")?;
        Ok(submitted)
    }

    async fn take(&self, log: &LogId, max: usize, wait: Duration) -> Result<Vec<Delivery>, BackboneError> {
        self.injection.reach("taking requests")?;
        let deliveries = self.inner.take(log, max, wait).await?;
        for delivery in &deliveries {
            if self.injection.happens(|faults| faults.redelivery) {
                self.redelivery.hand_out_again(log, &delivery.receipt);
            }
        }
        Ok(deliveries)
    }

    fn is_leased(&self, log: &LogId, receipt: &Receipt) -> bool {
        self.inner.is_leased(log, receipt)
    }

    async fn finish(&self, log: &LogId, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, BackboneError> {
        self.injection.reach("finishing requests")?;
        let finished = self.inner.finish(log, receipts).await?;
        self.injection.acknowledge("finishing requests")?;
        Ok(finished)
    }

    async fn announce(&self, log: &LogId, rulings: Vec<AnnouncedRuling>) -> Result<(), BackboneError> {
        self.injection.reach("announcing rulings")?;
        let mut prompt = Vec::with_capacity(rulings.len());
        for ruling in rulings {
            if self.injection.happens(|faults| faults.dropped_ruling) {
                continue;
            }
            if self.injection.happens(|faults| faults.delayed_ruling) {
                self.announce_late(log, ruling);
            } else {
                prompt.push(ruling);
            }
        }
        self.inner.announce(log, prompt).await
    }

    async fn rulings(&self, log: &LogId) -> Result<mpsc::Receiver<AnnouncedRuling>, BackboneError> {
        self.inner.rulings(log).await
    }
}

impl FaultyRequests {
    fn announce_late(&self, log: &LogId, ruling: AnnouncedRuling) {
        let (inner, log, delay) = (Arc::clone(&self.inner), log.clone(), self.injection.delay(Faults::RULING_DELAY_MAX));
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            // A late ruling that cannot be announced is a dropped one.
            let _ = inner.announce(&log, vec![ruling]).await;
        });
    }
}
