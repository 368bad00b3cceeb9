//! What the codec promises: what is encoded decodes to itself, and no bytes make it panic.

use rollcall_domain::ids::InstanceId;

use super::*;

fn instance() -> LogId {
    LogId::Instance(InstanceId::parse("inst-a").unwrap())
}

#[test]
fn a_record_decodes_to_what_it_was_made_of() {
    let record = Record {
        id: uuid::Uuid::from_u128(7),
        log: instance(),
        time: Timestamp::from_unix_ms(1_795_439_539_042),
        cause: RequestId::parse("r-1").unwrap(),
        actor: Actor::Operator("fleet file".into()),
        traceparent: None,
        event: AnyEvent::Registry(Event::DeviceFrozen { device: "d-1".parse().unwrap() }),
    };
    let bytes = encode_record(&record);
    assert_eq!(
        std::str::from_utf8(&bytes).unwrap(),
        "{\"id\":\"00000000-0000-0000-0000-000000000007\",\"instance\":\"inst-a\",\"type\":\"DeviceFrozen\",\"version\":1,\
         \"time\":\"2026-11-23T13:12:19.042Z\",\"cause\":\"r-1\",\"actor\":{\"operator\":\"fleet file\"},\
         \"body\":{\"device\":\"d-1\"}}"
    );
    assert_eq!(decode_record(&instance(), &bytes).unwrap(), record);
}
