//! The embedded backbone.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use rollcall_backbone::{
    Backbone,
    embedded::{self, EmbeddedConfig},
};
use rollcall_domain::ids::{LogId, Position};

fn open(folder: &Path) -> Backbone {
    let ids = Arc::new(|| uuid::Uuid::from_u128(7));
    embedded::open(folder, EmbeddedConfig::new(Arc::new(|| 0), ids)).unwrap()
}

#[tokio::test]
async fn keeps_what_was_appended() {
    let folder = tempfile::tempdir().unwrap();
    let backbone = open(folder.path());
    let identity = backbone.log.open(&LogId::Fleet).await.unwrap();
    backbone.log.append(&LogId::Fleet, Position::START, vec![Bytes::from("a"), Bytes::from("b")]).await.unwrap();
    drop(backbone);
    let backbone = open(folder.path());
    assert_eq!(backbone.log.last(&LogId::Fleet).await.unwrap(), Position(2));
    assert_eq!(backbone.log.open(&LogId::Fleet).await.unwrap(), identity);
}
