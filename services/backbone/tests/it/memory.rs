//! The backbone in memory.

use bytes::Bytes;
use rollcall_backbone::{
    log::Followed,
    memory::{self, MemoryConfig},
};
use rollcall_domain::ids::{LogId, Position};

#[tokio::test]
async fn appends_and_follows() {
    let backbone = memory::new(MemoryConfig::seeded(1));
    backbone.log.open(&LogId::Fleet).await.unwrap();
    let last = backbone.log.append(&LogId::Fleet, Position::START, vec![Bytes::from("a"), Bytes::from("b")]).await;
    assert_eq!(last.unwrap(), Position(2));
    let mut follower = backbone.log.follow(&LogId::Fleet, Position(1)).await.unwrap();
    assert!(matches!(follower.recv().await.unwrap().unwrap(), Followed::Entry(entry) if entry.record == "b"));
    assert_eq!(follower.recv().await.unwrap().unwrap(), Followed::CaughtUp(Position(2)));
}
