//! Before CONNACK: what of the session is to outlive its connection is written down.

use std::sync::Arc;

use super::{keep::keep, will::KeptWill};
use crate::{
    instance::Instance,
    mqtt::{Connect, SessionGrant},
    sessions::{persistent, session::Session},
};

/// Keeps the session and the will of a connection that has just been let in. To be called before presence hears of it.
pub(crate) async fn begin(instance: &Instance, session: &Arc<Session>, connect: &Connect) -> SessionGrant {
    let grant = persistent::begin::begin(instance, session, connect).await;
    if let Some(will) = &connect.will
        && let Some(holder) = session.holder(&instance.view)
    {
        session.set_will(keep(instance, session, KeptWill::new(holder, will, grant.expiry_s)).await);
    }
    grant
}
