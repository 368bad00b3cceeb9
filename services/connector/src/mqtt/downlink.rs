//! Messages to the client: packet ids, how many are under way, and those that wait.
//!
//! Nothing is sent twice within a connection (MQTT 5 §4.4), and nothing outlives it. Everything that waits is counted
//! in messages and in bytes.

use std::{collections::VecDeque, num::NonZeroU16};

use bytes::{Bytes, BytesMut};
use rollcall_log::messages::{MessagePosition, MessageProperties};

use super::{
    connect::Peer,
    interface::{Delivered, Delivery, Undelivered},
    limits::{IDLE_QUEUE_LEN_MAX, Limits, OUTPUT_BYTES_MAX},
    outbound,
};

const MS_PER_S: u64 = 1000;

#[derive(Debug)]
struct Queued {
    topic: Box<str>,
    payload: Bytes,
    properties: MessageProperties,
    position: MessagePosition,
    since_ms: u64,
}

impl Queued {
    /// Lowers the Message Expiry Interval by the time it waited (§3.3.2.3.3); `false` if it has passed.
    fn age(&mut self, now_ms: u64) -> bool {
        let waited_s = u32::try_from(now_ms.saturating_sub(self.since_ms) / MS_PER_S).unwrap_or(u32::MAX);
        if let Some(expiry_s) = &mut self.properties.expiry_s {
            *expiry_s = expiry_s.saturating_sub(waited_s);
        }
        self.properties.expiry_s != Some(0)
    }
}

/// Messages to the client.
#[derive(Debug, Default)]
pub(super) struct Downlink {
    last_id: u16,
    in_flight: Vec<(NonZeroU16, MessagePosition)>,
    queue: VecDeque<Queued>,
    queued_bytes: usize,
}

impl Downlink {
    /// Sends at QoS 0, unless the client does not take its output.
    pub(super) fn send_once(&mut self, output: &mut BytesMut, peer: &Peer, delivery: &Delivery<'_>) -> Delivered {
        if output.len() > OUTPUT_BYTES_MAX {
            return Delivered::Not(Undelivered::Full);
        }
        if outbound::publish(output, peer, None, delivery.topic, delivery.payload, delivery.properties) {
            Delivered::Sent { qos: 0 }
        } else {
            Delivered::Not(Undelivered::TooLarge)
        }
    }

    /// Sends at QoS 1, or lets it wait behind those that wait already.
    pub(super) fn send_acknowledged(
        &mut self,
        output: &mut BytesMut,
        peer: &Peer,
        limits: &Limits,
        delivery: &Delivery<'_>,
        now_ms: u64,
    ) -> Delivered {
        if self.queue.is_empty() && self.has_room(output, peer, limits) {
            let packet_id = self.next_id();
            let properties = delivery.properties;
            if !outbound::publish(output, peer, Some(packet_id), delivery.topic, delivery.payload, properties) {
                return Delivered::Not(Undelivered::TooLarge);
            }
            self.in_flight.push((packet_id, delivery.position));
            return Delivered::Sent { qos: 1 };
        }
        let bytes = self.queued_bytes + delivery.payload.len();
        if self.queue.len() >= usize::from(limits.queued_messages_max) || bytes > limits.queued_bytes_max as usize {
            return Delivered::Not(Undelivered::Full);
        }
        self.queued_bytes = bytes;
        self.queue.push_back(Queued {
            topic: delivery.topic.into(),
            payload: delivery.payload.clone(),
            properties: delivery.properties.clone(),
            position: delivery.position,
            since_ms: now_ms,
        });
        Delivered::Queued
    }

    /// The client has acknowledged a message. An id that is not under way is ignored: it may be an echo.
    pub(super) fn acknowledged(&mut self, packet_id: NonZeroU16) {
        if let Some(index) = self.in_flight.iter().position(|(id, _)| *id == packet_id) {
            self.in_flight.swap_remove(index);
        }
    }

    /// Sends what waits, as far as there is room. A message that has expired, or that the client has no room for, is
    /// gone without a trace, as the standard has it.
    pub(super) fn send_queued(&mut self, output: &mut BytesMut, peer: &Peer, limits: &Limits, now_ms: u64) {
        while self.has_room(output, peer, limits) {
            let Some(mut queued) = self.queue.pop_front() else { break };
            self.queued_bytes -= queued.payload.len();
            let packet_id = self.next_id();
            if queued.age(now_ms)
                && outbound::publish(output, peer, Some(packet_id), &queued.topic, &queued.payload, &queued.properties)
            {
                self.in_flight.push((packet_id, queued.position));
            }
        }
        if self.queue.is_empty() {
            self.queue.shrink_to(IDLE_QUEUE_LEN_MAX);
        }
        if self.in_flight.is_empty() {
            self.in_flight.shrink_to(IDLE_QUEUE_LEN_MAX);
        }
    }

    /// Where the messages are that the client has not acknowledged, or not been sent yet.
    pub(super) fn unacknowledged(&self) -> impl Iterator<Item = MessagePosition> {
        let in_flight = self.in_flight.iter().map(|(_, position)| *position);
        in_flight.chain(self.queue.iter().map(|queued| queued.position))
    }

    /// Forgets what waits on other topics than these.
    pub(super) fn keep(&mut self, wanted: impl Fn(&str) -> bool) {
        self.queue.retain(|queued| wanted(&queued.topic));
        self.queued_bytes = self.queue.iter().map(|queued| queued.payload.len()).sum();
    }

    fn has_room(&self, output: &BytesMut, peer: &Peer, limits: &Limits) -> bool {
        let in_flight_max = peer.receive_maximum.min(limits.in_flight_max);
        output.len() <= OUTPUT_BYTES_MAX && self.in_flight.len() < usize::from(in_flight_max)
    }

    /// An id that is not under way. There always is one: far fewer than 65,535 are.
    fn next_id(&mut self) -> NonZeroU16 {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if let Some(id) = NonZeroU16::new(self.last_id)
                && !self.in_flight.iter().any(|(known, _)| *known == id)
            {
                return id;
            }
        }
    }
}
