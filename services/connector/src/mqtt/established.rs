//! An open session: what each packet of the client and each answer of the owner leads to.

use std::{collections::VecDeque, num::NonZeroU16};

use bytes::BytesMut;
use rmqtt_codec::v5::{PublishAckReason, SubscribeAckReason, UnsubscribeAckReason};
use rollcall_domain::refusal::Refusal;
use rollcall_log::messages::MessagePosition;

use super::{
    connect::Peer,
    downlink::Downlink,
    inbound::{Filter, Packet, Published},
    interface::{
        Closing, Delivered, Delivery, Disconnected, Dropped, Effect, FilterOutcome, FilterRequest, Ignored, Publish,
        PublishOutcome, PublishRef, Subscribe, Undelivered, Version,
    },
    limits::Limits,
    outbound,
    subscriptions::{Subscription, Subscriptions},
    topic,
    uplink::{Aliases, Answer, Unanswered},
    violation::Violation,
};

/// What a session writes to.
pub(super) struct Sink<'a> {
    pub(super) output: &'a mut BytesMut,
    pub(super) effects: &'a mut VecDeque<Effect>,
    pub(super) limits: &'a Limits,
    pub(super) now_ms: u64,
}

/// An open session.
#[derive(Debug)]
pub(super) struct Established {
    pub(super) peer: Peer,
    pub(super) subscriptions: Subscriptions,
    unanswered: Unanswered,
    aliases: Aliases,
    downlink: Downlink,
    /// A QoS 1 message could not be stored: no later one is acknowledged.
    failed: bool,
    /// The owner knows that a retain flag of this session's messages was ignored.
    retain_reported: bool,
    /// The SUBSCRIBE that the owner has to answer.
    pending: Option<Box<PendingSubscribe>>,
    /// The client has said goodbye.
    pub(super) disconnected: Option<Disconnected>,
}

/// A SUBSCRIBE that is not acknowledged yet.
#[derive(Debug)]
struct PendingSubscribe {
    packet_id: NonZeroU16,
    filters: Vec<PendingFilter>,
}

#[derive(Debug)]
enum PendingFilter {
    /// Refused by the machine itself.
    Refused(SubscribeAckReason),
    /// For the owner to decide.
    Open(Filter),
}

impl Established {
    /// With the subscriptions that go on of an earlier session.
    pub(super) fn new(peer: Peer, subscriptions: Vec<Subscription>) -> Self {
        Self {
            peer,
            subscriptions: subscriptions.into(),
            unanswered: Unanswered::default(),
            aliases: Aliases::default(),
            downlink: Downlink::default(),
            failed: false,
            retain_reported: false,
            pending: None,
            disconnected: None,
        }
    }

    /// Whether no packet may be read until the owner has answered. A client that has more than Receive Maximum under way is
    /// read slower, not disconnected (0x93): some libraries send all that they are given at once.
    pub(super) fn waits_for_owner(&self, limits: &Limits) -> bool {
        let window_is_full = self.peer.version == Version::V5
            && self.unanswered.unacknowledged() >= usize::from(limits.receive_maximum.max(1));
        self.pending.is_some() || window_is_full || self.unanswered.len() >= limits.unanswered_max().max(1)
    }

    /// Whether messages that were taken have no answer yet, and an answer still matters.
    pub(super) fn owes_answers(&self) -> bool {
        !self.failed && self.unanswered.len() > 0
    }

    pub(super) fn packet(&mut self, packet: Packet, sink: &mut Sink<'_>) -> Result<(), Closing> {
        match packet {
            Packet::Publish(published) => self.publish(*published, sink),
            Packet::Puback { packet_id } => {
                self.downlink.acknowledged(packet_id);
                self.send_queued(sink);
                Ok(())
            }
            Packet::Subscribe { packet_id, filters } => {
                self.subscribe(packet_id, filters, sink);
                Ok(())
            }
            Packet::Unsubscribe { packet_id, filters } => {
                self.unsubscribe(packet_id, filters, sink);
                Ok(())
            }
            Packet::Pingreq => {
                outbound::pingresp(sink.output);
                Ok(())
            }
            Packet::Disconnect(Disconnected { session_expiry_s: Some(1..), .. }) if self.peer.session_expiry_s == 0 => {
                Err(Closing::Violated(Violation::SessionExpiry))
            }
            Packet::Disconnect(disconnected) => {
                self.disconnected = Some(disconnected);
                Err(Closing::Client)
            }
        }
    }

    fn publish(&mut self, published: Published, sink: &mut Sink<'_>) -> Result<(), Closing> {
        let limits = sink.limits;
        if published.payload.len() > limits.payload_bytes_max as usize {
            return Err(Closing::Violated(Violation::TooLarge));
        }
        // Before aliases: what they keep is within the limit too.
        if !topic::is_within_limit(&published.topic) {
            let publish = self.unanswered.push(published.packet_id);
            sink.effects.push_back(Effect::Dropped(Dropped::TopicTooLong));
            self.unanswered.answer(publish, Answer::TopicTooLong);
            return self.acknowledge(sink);
        }
        let topic = self.aliases.resolve(published.topic, published.alias, limits.topic_alias_maximum);
        let topic = topic.map_err(Closing::Violated)?;
        if published.retain_ignored && !self.retain_reported {
            self.retain_reported = true;
            sink.effects.push_back(Effect::Ignored(Ignored::Retain { topic: topic.clone() }));
        }
        let publish = self.unanswered.push(published.packet_id);
        sink.effects.push_back(Effect::Publish(Box::new(Publish {
            publish,
            qos: u8::from(published.packet_id.is_some()),
            topic,
            payload: published.payload,
            properties: published.properties,
        })));
        Ok(())
    }

    pub(super) fn published(
        &mut self,
        publish: PublishRef,
        outcome: PublishOutcome,
        sink: &mut Sink<'_>,
    ) -> Result<(), Closing> {
        self.unanswered.answer(publish, Answer::Owner(outcome));
        self.acknowledge(sink)
    }

    fn acknowledge(&mut self, sink: &mut Sink<'_>) -> Result<(), Closing> {
        if self.failed {
            return Ok(());
        }
        while let Some((packet_id, answer)) = self.unanswered.pop_answered() {
            let Some(packet_id) = packet_id else { continue };
            let refused = match answer {
                Answer::Owner(PublishOutcome::Stored) => None,
                Answer::Owner(PublishOutcome::Denied) => {
                    Some((PublishAckReason::NotAuthorized, "denied: this device may not publish to this topic"))
                }
                Answer::Owner(PublishOutcome::Failed) => {
                    self.failed = true;
                    return Err(Closing::Refused(Refusal::RegistryUnavailable));
                }
                Answer::TopicTooLong => Some((
                    PublishAckReason::TopicNameInvalid,
                    "topic_too_long: the topic is longer than this server accepts",
                )),
            };
            outbound::puback(sink.output, &self.peer, packet_id, refused);
        }
        Ok(())
    }

    fn subscribe(&mut self, packet_id: NonZeroU16, filters: Vec<Filter>, sink: &mut Sink<'_>) {
        let mut free = usize::from(sink.limits.subscriptions_max).saturating_sub(self.subscriptions.len());
        let filters: Vec<PendingFilter> = filters
            .into_iter()
            .map(|filter| {
                if topic::is_shared(&filter.filter) {
                    return PendingFilter::Refused(SubscribeAckReason::SharedSubscriptionNotSupported);
                }
                if !topic::is_within_limit(&filter.filter) {
                    return PendingFilter::Refused(SubscribeAckReason::TopicFilterInvalid);
                }
                if self.subscriptions.contains(&filter.filter) {
                    return PendingFilter::Open(filter);
                }
                if free == 0 {
                    return PendingFilter::Refused(SubscribeAckReason::QuotaExceeded);
                }
                free -= 1;
                PendingFilter::Open(filter)
            })
            .collect();
        let open = filters.iter().filter_map(|filter| match filter {
            PendingFilter::Open(filter) => Some(FilterRequest { filter: filter.filter.clone(), qos: filter.qos }),
            PendingFilter::Refused(_) => None,
        });
        let open: Vec<_> = open.collect();
        self.pending = Some(Box::new(PendingSubscribe { packet_id, filters }));
        if open.is_empty() {
            self.subscribed(&[], sink);
        } else {
            sink.effects.push_back(Effect::Subscribe(Subscribe { filters: open }));
        }
    }

    /// The owner's answer to the pending SUBSCRIBE.
    pub(super) fn subscribed(&mut self, outcomes: &[FilterOutcome], sink: &mut Sink<'_>) {
        let Some(pending) = self.pending.take() else { return };
        let mut outcomes = outcomes.iter();
        let mut status = Vec::with_capacity(pending.filters.len());
        for filter in pending.filters {
            status.push(match filter {
                PendingFilter::Refused(reason) => reason,
                PendingFilter::Open(filter) => match outcomes.next() {
                    Some(FilterOutcome::Granted) => {
                        self.subscriptions.insert(&filter.filter, filter.qos, filter.no_local);
                        if filter.qos == 0 { SubscribeAckReason::GrantedQos0 } else { SubscribeAckReason::GrantedQos1 }
                    }
                    Some(FilterOutcome::Denied) | None => SubscribeAckReason::NotAuthorized,
                },
            });
        }
        outbound::suback(sink.output, &self.peer, pending.packet_id, status);
    }

    fn unsubscribe(&mut self, packet_id: NonZeroU16, filters: Vec<String>, sink: &mut Sink<'_>) {
        let mut status = Vec::with_capacity(filters.len());
        let mut removed = Vec::new();
        for filter in filters {
            if self.subscriptions.remove(&filter) {
                status.push(UnsubscribeAckReason::Success);
                removed.push(filter);
            } else {
                status.push(UnsubscribeAckReason::NoSubscriptionExisted);
            }
        }
        outbound::unsuback(sink.output, &self.peer, packet_id, status);
        if !removed.is_empty() {
            sink.effects.push_back(Effect::Unsubscribed(removed));
        }
    }

    /// Sends a message, or lets it wait. An error ends the session: losing a QoS 1 message would break its promise,
    /// keeping it would have no limit.
    pub(super) fn deliver(&mut self, delivery: &Delivery<'_>, sink: &mut Sink<'_>) -> Result<Delivered, Closing> {
        let subscribed = self.subscriptions.qos_for(delivery.topic, delivery.own);
        let Some(qos) = subscribed.or(delivery.implicit.then_some(0)) else {
            return Ok(Delivered::Not(Undelivered::NotSubscribed));
        };
        if delivery.properties.expiry_s == Some(0) {
            return Ok(Delivered::Not(Undelivered::Expired));
        }
        if qos.min(delivery.qos) == 0 {
            return Ok(self.downlink.send_once(sink.output, &self.peer, delivery));
        }
        match self.downlink.send_acknowledged(sink.output, &self.peer, sink.limits, delivery, sink.now_ms) {
            Delivered::Not(Undelivered::Full) => Err(Closing::Refused(Refusal::SlowConsumer)),
            delivered => Ok(delivered),
        }
    }

    /// Takes subscriptions away, and what waits because of them and nothing else.
    pub(super) fn withdraw(&mut self, filters: &[Box<str>]) {
        for filter in filters {
            self.subscriptions.remove(filter);
        }
        let subscriptions = &self.subscriptions;
        // System topics need no subscription; only custom ones are ever withdrawn.
        self.downlink.keep(|topic| topic.starts_with('$') || subscriptions.qos_for(topic, false).is_some());
    }

    /// Where in the message stream those QoS 1 messages are that the client has not acknowledged, in no order.
    pub(super) fn unacknowledged(&self) -> impl Iterator<Item = MessagePosition> {
        self.downlink.unacknowledged()
    }

    pub(super) fn send_queued(&mut self, sink: &mut Sink<'_>) {
        self.downlink.send_queued(sink.output, &self.peer, sink.limits, sink.now_ms);
    }
}
