//! Asking the registrar through a backbone that is away for a while.

use bytes::Bytes;
use rollcall_backbone::{
    Backbone, BackboneError,
    codec::{Ruling, encode_ruling},
    petition::{PetitionError, Petitioner, RESUBMIT},
    requests::{AnnouncedRuling, RequestKind},
};
use rollcall_domain::ids::{LogId, Position, RequestId};
use rollcall_log_memory::{Control, Faults, MemoryConfig, with_control};
use tokio_util::sync::CancellationToken;

/// A backbone that is away, and a petitioner of its fleet.
async fn petitioner_away() -> (Backbone, Control, Petitioner) {
    let config = MemoryConfig::seeded(1);
    let (backbone, control) = with_control(config);
    backbone.requests.open(&LogId::Fleet).await.unwrap();
    control.set_faults(Faults { unavailable: 1000, ..Faults::default() });
    let petitioner = Petitioner::start(LogId::Fleet, backbone.requests.clone(), CancellationToken::new());
    (backbone, control, petitioner)
}

#[tokio::test(start_paused = true)]
async fn f14_a_hiccup_of_the_backbone_is_outlived_by_whoever_asks() {
    let (backbone, control, petitioner) = petitioner_away().await;
    let id = RequestId::parse("request").unwrap();
    let asked = petitioner.ask(RequestKind::Connect, &id, || Bytes::from("request"), 4 * RESUBMIT);
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
    let (_backbone, control, petitioner) = petitioner_away().await;
    let id = RequestId::parse("request").unwrap();
    let ask = || petitioner.ask(RequestKind::Connect, &id, || Bytes::from("request"), 2 * RESUBMIT);
    let error = ask().await.unwrap_err();
    assert!(matches!(error, PetitionError::Backbone(BackboneError::Unavailable { .. })), "{error}");
    control.clear();
    let error = ask().await.unwrap_err();
    assert!(matches!(error, PetitionError::TimedOut { .. }), "queued, and nobody rules: {error}");
}
