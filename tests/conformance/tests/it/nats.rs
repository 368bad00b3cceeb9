//! The log on a real nats-server.

use std::time::Duration;

use rollcall_conformance::{UnderTest, nats_server::NatsServer};
use rollcall_log_nats::{NatsConfig, connect};

/// A server of its own for each check, with short leases.
async fn under_test() -> (UnderTest, NatsServer) {
    let server = NatsServer::start().await;
    let mut config = NatsConfig::new(server.url());
    config.limits.request_lease = Duration::from_secs(1);
    config.limits.presence_lease = Duration::from_secs(1);
    let under_test = UnderTest {
        request_lease: config.limits.request_lease,
        presence_lease: config.limits.presence_lease,
        backbone: connect(config).await.expect("the server has started"),
        prefix: "check".to_owned(),
    };
    (under_test, server)
}

rollcall_conformance::conformance_tests!(under_test);
