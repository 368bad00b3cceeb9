//! What a session may publish, subscribe to and receive: the domain's policy rules, applied to what the MQTT machine
//! asks.

use std::sync::Arc;

use rollcall_domain::policy::{Action, TopicScope};
use rollcall_log::messages::{DeviceMessage, Lane, StoredMessage};

use crate::{
    instance::Instance,
    metrics::metrics,
    mqtt::{Delivery, FilterOutcome, FilterRequest, Publish},
    sessions::session::Session,
};

/// The message to store for a publish, or `None` if the device may not publish it.
pub(crate) fn authorize_publish(instance: &Instance, session: &Session, publish: Publish) -> Option<DeviceMessage> {
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

/// Authorizes the filters of a SUBSCRIBE, and adds the granted ones to the table.
pub(crate) fn authorize_subscribe(
    instance: &Instance,
    session: &Arc<Session>,
    filters: &[FilterRequest],
) -> Vec<FilterOutcome> {
    let rule = |request: &FilterRequest| {
        let granted = match session.scope(&request.filter) {
            // System topics are delivered without a subscription; one only raises their QoS, and the machine keeps that.
            TopicScope::OwnSystem(_) => true,
            TopicScope::Reserved => false,
            TopicScope::Custom => subscribe_if_permitted(instance, session, &request.filter),
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

/// Adds first, authorizes then: a policy that changes in between is seen here or by the reauthorization.
fn subscribe_if_permitted(instance: &Instance, session: &Arc<Session>, filter: &str) -> bool {
    instance.sessions.subscribe(session, filter);
    let permitted = session.permits(Action::Subscribe, filter, &instance.view.configuration(), &instance.view);
    if !permitted {
        instance.sessions.unsubscribe(session, filter);
    }
    permitted
}

/// A stored message as the state machine takes it; `None` if its expiry has passed while it was on its way, or a policy
/// forbids its topic although it let the filter pass.
pub(crate) fn authorize_delivery<'a>(
    instance: &Instance,
    session: &Session,
    stored: &'a mut StoredMessage,
) -> Option<Delivery<'a>> {
    let message = &stored.message;
    // Between devices there are no others; from the platform there are both.
    let custom = session.scope(&message.topic) == TopicScope::Custom;
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
        implicit: message.lane == Lane::Downlink && !custom,
        own: message.lane == Lane::Peer && message.device == session.device.device,
        position: stored.position,
    })
}
