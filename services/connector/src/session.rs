//! What one session may publish, subscribe and be sent: the domain's answers in the state machine's words.

use std::sync::Arc;

use rollcall_backbone::messages::{DeviceMessage, Lane, StoredMessage};
use rollcall_domain::policy::{Action, TopicScope};

use crate::{
    instance::Instance,
    metrics::metrics,
    mqtt::{Delivery, FilterOutcome, FilterRequest, Publish},
    sessions::Session,
};

/// The message that a publish comes to, or `None` if the device may not publish it.
pub(crate) fn rule_on_publish(instance: &Instance, session: &Session, publish: Publish) -> Option<DeviceMessage> {
    let lane = match session.scope(&publish.topic) {
        TopicScope::OwnSystem(_) => Some(Lane::Uplink),
        TopicScope::Reserved => None,
        TopicScope::Custom => session
            .permits(Action::Publish, &publish.topic, &instance.view.configuration(), &instance.view)
            .then_some(Lane::Peer),
    };
    let Some(lane) = lane else {
        metrics().denied("publish");
        return None;
    };
    Some(DeviceMessage {
        lane,
        space: session.device.space.clone(),
        device: session.device.device.clone(),
        topic: publish.topic,
        payload: publish.payload,
        qos: publish.qos,
        properties: publish.properties,
    })
}

/// Rules on the filters of a SUBSCRIBE, and holds the ones that are granted.
pub(crate) fn rule_on_subscribe(
    instance: &Instance,
    session: &Arc<Session>,
    filters: &[FilterRequest],
) -> Vec<FilterOutcome> {
    let rule = |request: &FilterRequest| {
        let granted = match session.scope(&request.filter) {
            // The machine itself keeps these: they only raise the QoS of what comes anyway.
            TopicScope::OwnSystem(_) => true,
            TopicScope::Reserved => false,
            TopicScope::Custom => hold_if_permitted(instance, session, &request.filter),
        };
        if granted {
            FilterOutcome::Granted
        } else {
            metrics().denied("subscribe");
            FilterOutcome::Denied
        }
    };
    filters.iter().map(rule).collect()
}

/// Held first and asked then: a policy that changes in between is seen by the one or by the other.
fn hold_if_permitted(instance: &Instance, session: &Arc<Session>, filter: &str) -> bool {
    instance.sessions.subscribe(session, filter);
    let permitted = session.permits(Action::Subscribe, filter, &instance.view.configuration(), &instance.view);
    if !permitted {
        instance.sessions.unsubscribe(session, filter);
    }
    permitted
}

/// A stored message as the state machine takes it; `None` if its expiry has passed while it was on its way, or a policy
/// forbids its topic although it let the filter pass.
pub(crate) fn delivery<'a>(instance: &Instance, session: &Session, stored: &'a mut StoredMessage) -> Option<Delivery<'a>> {
    let message = &stored.message;
    let custom = message.lane == Lane::Peer;
    if custom && session.forbids_delivery(&message.topic, &instance.view.configuration(), &instance.view) {
        metrics().denied("deliver");
        return None;
    }
    let waited_s = instance.clock.unix_ms().saturating_sub(stored.stored_at_ms).max(0) / 1000;
    let message = &mut stored.message;
    if let Some(expiry_s) = &mut message.properties.expiry_s {
        let left_s = i64::from(*expiry_s) - waited_s;
        *expiry_s = u32::try_from(left_s).ok().filter(|left_s| *left_s > 0)?;
    }
    Some(Delivery {
        topic: &message.topic,
        payload: &message.payload,
        qos: message.qos,
        properties: &message.properties,
        implicit: message.lane == Lane::Downlink,
        own: message.lane == Lane::Peer && message.device == session.device.device,
    })
}
