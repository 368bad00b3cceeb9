//! Asking the registrar through a backbone that is away for a while.

use bytes::Bytes;
use rollcall_domain::ids::{LogId, Position, RequestId};
use rollcall_log::{
    Backbone, BackboneError,
    codec::{Ruling, encode_ruling},
    request_client::{RESUBMIT, RequestClient, RequestClientError},
    requests::{AnnouncedRuling, RequestKind},
};
use rollcall_log_memory::{Control, Faults, MemoryConfig, with_control};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// A backbone that is away, and a request_client of its fleet.
async fn request_client_away() -> (Backbone, Control, RequestClient) {
    let config = MemoryConfig::seeded(1);
    let (backbone, control) = with_control(config);
    backbone.requests.open(&LogId::Fleet).await.unwrap();
    control.set_faults(Faults { unavailable: 1000, ..Faults::default() });
    let request_client =
        RequestClient::start(LogId::Fleet, backbone.requests.clone(), &TaskTracker::new(), CancellationToken::new());
    (backbone, control, request_client)
}

#[tokio::test(start_paused = true)]
async fn f14_a_hiccup_of_the_backbone_is_outlived_by_whoever_asks() {
    let (backbone, control, request_client) = request_client_away().await;
    let id = RequestId::parse("request").unwrap();
    let asked = request_client.ask(RequestKind::Connect, &id, || Bytes::from("request"), 4 * RESUBMIT);
    let ruled_on = async {
        // The first submission has been refused by then.
        tokio::time::sleep(RESUBMIT / 2).await;
        control.clear();
        let taken = backbone.requests.take(&LogId::Fleet, 1, 4 * RESUBMIT).await.unwrap();
        assert_eq!(taken.len(), 1, "it is submitted again");
        let ruling = encode_ruling(&Ruling::Accepted { position: Position(7) });
        backbone.requests.announce(&LogId::Fleet, vec![AnnouncedRuling { id: id.clone(), ruling }]).await.unwrap();
    };
    let (ruling, ()) = tokio::join!(asked, ruled_on);
    assert_eq!(ruling.unwrap(), Ruling::Accepted { position: Position(7) });
}

#[tokio::test(start_paused = true)]
async fn f14_whoever_asks_is_told_what_kept_the_request_from_its_queue() {
    let (_backbone, control, request_client) = request_client_away().await;
    let id = RequestId::parse("request").unwrap();
    let ask = || request_client.ask(RequestKind::Connect, &id, || Bytes::from("request"), 2 * RESUBMIT);
    let error = ask().await.unwrap_err();
    assert!(matches!(error, RequestClientError::Backbone(BackboneError::Unavailable { .. })), "{error}");
    control.clear();
    let error = ask().await.unwrap_err();
    assert!(matches!(error, RequestClientError::TimedOut { .. }), "queued, and nobody rules: {error}");
}
