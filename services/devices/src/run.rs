//! Composition: what runs for the devices of an instance.

use std::sync::Arc;

use futures_util::{FutureExt as _, future::BoxFuture};
use rollcall_domain::ids::DeviceId;

use crate::{
    desired,
    error::DevicesError,
    instance::{Devices, Parts},
    messages, on_connect, reports, requests, watch,
};

/// Starts what runs for the devices of an instance, until `parts.stop`.
pub fn start(parts: Parts) -> Arc<Devices> {
    let (stop, tasks) = (parts.stop.clone(), parts.tasks.clone());
    let devices = Arc::new(Devices::new(parts));
    // Before presence is watched: a device that is online then has come online too.
    let connects = devices.presence().connects();
    let jobs: [BoxFuture<'static, ()>; 4] = [
        on_connect::run(Arc::clone(&devices), connects).boxed(),
        requests::run(Arc::clone(&devices)).boxed(),
        reports::run(Arc::clone(&devices)).boxed(),
        watch::run(Arc::clone(&devices)).boxed(),
    ];
    for job in jobs {
        let stop = stop.clone();
        tasks.spawn(async move { stop.run_until_cancelled(job).await });
    }
    devices
}

/// Deletes what is kept of a device that has been deleted. What stays because this fails takes room and is shown to
/// nobody: a later device of the id has documents of its own.
///
/// # Errors
/// [`DevicesError::Backbone`].
pub async fn forget(devices: &Devices, device: &DeviceId) -> Result<(), DevicesError> {
    messages::forget(devices, device).await?;
    desired::forget(devices, device).await
}
