//! Messages that are not as we write them, on a stream that others may publish to.

use bytes::Bytes;
use rollcall_conformance::nats_server::NatsServer;
use rollcall_log::messages::{Lane, MessageCursor, MessagesOf};
use tokio::time::timeout;

use super::{BOUND, SHARD, admin, backbone, instance, message};

/// F21: one message that cannot be read costs none of the others.
#[tokio::test]
async fn f21_damaged_messages_are_stepped_over_and_counted() {
    let server = NatsServer::start().await;
    let backbone = backbone(&server).await;
    backbone.messages.open(&instance()).await.unwrap();
    let subject = format!("messages.{SHARD}.inst-1.platform.up.space.device");
    let admin = admin(&server).await;
    for number in 1..=3 {
        let sent = message(Lane::Uplink, number, Bytes::from(number.to_string()));
        backbone.messages.publish(&instance(), sent).await.unwrap();
        admin.publish(subject.clone(), Bytes::from_static(b"not a message")).await.unwrap().await.unwrap();
    }
    let from_start = Some(MessageCursor::START);
    let mut follower = backbone.messages.follow(&instance(), &[Lane::Uplink], from_start).await.unwrap();
    for number in 1..=3 {
        let found = timeout(BOUND, follower.recv()).await.unwrap().unwrap().unwrap();
        assert_eq!(found.message.payload, number.to_string());
    }
    let latest = backbone.messages.latest(&instance(), Lane::Uplink, &MessagesOf::Instance, None, 10).await.unwrap();
    let found: Vec<_> = latest.messages.iter().map(|found| &found.message.payload).collect();
    assert_eq!(found, ["3", "2", "1"]);
    assert_eq!((latest.damaged, latest.next), (3, None));
}
