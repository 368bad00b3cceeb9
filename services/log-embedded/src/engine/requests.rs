//! The request queue on the local store.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use rollcall_domain::ids::{LogId, RequestId};
use rollcall_log::{
    BackboneError,
    requests::{AnnouncedRuling, Delivery, REQUEST_BYTES_MAX, Receipt, RequestKind, RequestQueue, Submitted},
};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use super::{
    core::Core,
    frame,
    leases::Lease,
    queue::{self, LeaseGuard, Queue},
    rulings::Rulings,
    stream::{StreamKind, StreamName},
};

/// [`RequestQueue`] on a [`Core`].
pub(crate) struct LocalRequests {
    pub(crate) core: Arc<Core>,
    pub(crate) rulings: Rulings,
}

#[async_trait]
impl RequestQueue for LocalRequests {
    async fn open(&self, log: &LogId) -> Result<(), BackboneError> {
        self.core.declare(StreamName::queue(log), StreamKind::Queue).await.map(|_| ())
    }

    async fn submit(
        &self,
        log: &LogId,
        kind: RequestKind,
        id: &RequestId,
        request: Bytes,
    ) -> Result<Submitted, BackboneError> {
        if request.len() > REQUEST_BYTES_MAX {
            let what = format!("request {id} of {} bytes", request.len());
            return Err(BackboneError::LimitReached { what, max: REQUEST_BYTES_MAX as u64 });
        }
        let (stream, id) = (StreamName::queue(log), id.clone());
        self.core.write(move |batch| batch.enqueue(&stream, kind, &id, &request)).await
    }

    async fn take(&self, log: &LogId, max: usize, wait: Duration) -> Result<Vec<Delivery>, BackboneError> {
        let stream = StreamName::queue(log);
        let queue = self.queue(&stream)?;
        let give_up = Instant::now() + wait;
        loop {
            let arrival = queue.arrival.notified();
            tokio::pin!(arrival);
            arrival.as_mut().enable();
            let (taken, next_end) = {
                let mut leases = queue.leases();
                (leases.take(max.max(1), Instant::now()), leases.next_end())
            };
            if !taken.is_empty() {
                let deliveries = self.load(&stream, LeaseGuard::new(&queue, taken)).await?;
                if !deliveries.is_empty() {
                    return Ok(deliveries);
                }
                continue;
            }
            if Instant::now() >= give_up {
                return Ok(Vec::new());
            }
            let wake = next_end.map_or(give_up, |end| end.min(give_up));
            tokio::select! {
                () = arrival => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    fn is_leased(&self, log: &LogId, receipt: &Receipt) -> bool {
        let queue = self.core.shared.queues.get(&StreamName::queue(log));
        queue.zip(lease_of(receipt)).is_some_and(|(queue, lease)| queue.leases().is_counted_on(lease, Instant::now()))
    }

    async fn finish(&self, log: &LogId, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, BackboneError> {
        let stream = StreamName::queue(log);
        let queue = self.queue(&stream)?;
        let settled: Vec<Lease> = {
            let (mut leases, now) = (queue.leases(), Instant::now());
            receipts.iter().filter_map(lease_of).filter(|lease| leases.settle(*lease, now)).collect()
        };
        if settled.is_empty() {
            return Ok(Vec::new());
        }
        let finished = settled.iter().copied().map(receipt_of).collect();
        let positions = settled.iter().map(|lease| lease.position).collect();
        let held = LeaseGuard::new(&queue, settled);
        self.core.write(move |batch| batch.dequeue(&stream, positions).map(Ok::<(), BackboneError>)).await?;
        held.keep();
        Ok(finished)
    }

    async fn announce(&self, log: &LogId, rulings: Vec<AnnouncedRuling>) -> Result<(), BackboneError> {
        self.rulings.announce(log, &rulings);
        Ok(())
    }

    async fn rulings(&self, log: &LogId) -> Result<mpsc::Receiver<AnnouncedRuling>, BackboneError> {
        Ok(self.rulings.listen(log))
    }
}

impl LocalRequests {
    /// Makes a delivery come again although its lease has not run out.
    pub(crate) fn hand_out_again(&self, log: &LogId, receipt: &Receipt) {
        if let (Some(queue), Some(lease)) = (self.core.shared.queues.get(&StreamName::queue(log)), lease_of(receipt)) {
            drop(LeaseGuard::new(&queue, vec![lease]));
        }
    }

    fn queue(&self, stream: &StreamName) -> Result<Arc<Queue>, BackboneError> {
        self.core.shared.queues.get(stream).ok_or_else(|| stream.undeclared())
    }

    /// Reads what was taken. What has been removed meanwhile (its finish was cut short, then committed) is passed over.
    async fn load(&self, stream: &StreamName, held: LeaseGuard) -> Result<Vec<Delivery>, BackboneError> {
        let (name, leases) = (stream.clone(), held.leases().to_vec());
        let read = self.core.shared.store.read("reading queued requests", move |transaction| {
            let table = transaction.open_table(name.rows())?;
            let (mut deliveries, mut removed) = (Vec::with_capacity(leases.len()), Vec::new());
            for lease in leases {
                let Some(frame) = table.get(lease.position)? else {
                    removed.push(lease.position);
                    continue;
                };
                let row = frame::decode(&name, lease.position, frame.value())?;
                let (kind, id, request) = queue::decode(&name, &row)?;
                deliveries.push(Delivery { kind, id, request, receipt: receipt_of(lease) });
            }
            Ok((deliveries, removed))
        });
        let (deliveries, removed) = read.await?;
        held.keep();
        self.core.shared.queues.removed(stream, &removed);
        Ok(deliveries)
    }
}

fn receipt_of(lease: Lease) -> Receipt {
    Receipt(format!("{}.{}", lease.position, lease.delivery))
}

fn lease_of(receipt: &Receipt) -> Option<Lease> {
    let (position, delivery) = receipt.0.split_once('.')?;
    Some(Lease { position: position.parse().ok()?, delivery: delivery.parse().ok()? })
}
