//! The suite that every backbone passes.

use std::time::Duration;

use rollcall_backbone::{
    conformance::UnderTest,
    nats::{NatsConfig, connect},
};

use crate::nats_server::NatsServer;

/// A server of its own for each check, with short leases.
async fn under_test() -> (UnderTest, NatsServer) {
    let server = NatsServer::start().await;
    let mut config = NatsConfig::new(server.url());
    config.limits.request_lease = Duration::from_secs(1);
    config.limits.presence_lease = Duration::from_secs(1);
    let under_test = UnderTest {
        request_lease: config.limits.request_lease,
        presence_lease: config.limits.presence_lease,
        backbone: connect(config).await.unwrap(),
        prefix: "check".to_owned(),
    };
    (under_test, server)
}

rollcall_backbone::conformance_tests!(under_test);
