//! Device messages arrive whole and in order, on their own lane and instance.

use bytes::Bytes;
use futures_util::future::try_join_all;
use rollcall_domain::ids::{DeviceId, InstanceId, SpaceId};
use rollcall_log::{
    BackboneError,
    messages::{
        DeviceMessage, DeviceMessages, Lane, MessageCursor, MessagePosition, MessageProperties, PAYLOAD_BYTES_MAX,
        PUBLISHED_TOGETHER_MAX, Replayed, StoredMessage, Unstored,
    },
};
use tokio::sync::mpsc;

use super::{Failure, UnderTest, ensure, next, nothing};

type Follower = mpsc::Receiver<Result<StoredMessage, BackboneError>>;

const ALL: [Lane; 3] = [Lane::Uplink, Lane::Downlink, Lane::Peer];

fn message(lane: Lane, device: &str, payload: impl Into<Bytes>) -> Result<DeviceMessage, Failure> {
    let device = DeviceId::parse(device).map_err(|error| Failure(error.to_string()))?;
    Ok(DeviceMessage {
        lane,
        space: SpaceId::parse("space-1").map_err(|error| Failure(error.to_string()))?,
        topic: format!("$oc/devices/{device}/sys/messages/up"),
        device,
        payload: payload.into(),
        qos: 1,
        properties: MessageProperties::default(),
    })
}

async fn open(under_test: &UnderTest, name: &str) -> Result<InstanceId, Failure> {
    let instance = under_test.instance(name)?;
    under_test.backbone.messages.open(&instance).await?;
    Ok(instance)
}

async fn expect(follower: &mut Follower, expected: &DeviceMessage) -> Result<MessagePosition, Failure> {
    let payload = String::from_utf8_lossy(&expected.payload[..expected.payload.len().min(40)]);
    let found = next(&format!("the message {payload:?}"), follower).await??;
    ensure!(found.message == *expected, "the message {payload:?} is next, as it was published, not {found:?}");
    Ok(found.position)
}

/// Every field and property of a message arrives as it was published, also what is empty, binary, or largest.
pub async fn a_message_arrives_whole(under_test: &UnderTest) -> Result<(), Failure> {
    let instance = open(under_test, "whole").await?;
    let messages = &under_test.backbone.messages;
    let mut full = message(Lane::Peer, "device-1", vec![0, 255, 10, 13])?;
    full.topic = "a/ü/*/> .b".to_owned();
    full.qos = 0;
    full.properties = MessageProperties {
        payload_format: Some(1),
        expiry_s: Some(3600),
        content_type: Some("application/json; ü".to_owned()),
        response_topic: Some("reply/to".to_owned()),
        correlation_data: Some(Bytes::from_static(&[0, 1, 255])),
        user: vec![("k".to_owned(), "1".to_owned()), ("k".to_owned(), "2\r\n".to_owned()), (String::new(), String::new())],
    };
    let empty = message(Lane::Uplink, "device-2", "")?;
    let large = message(Lane::Downlink, "device-3", vec![b'x'; PAYLOAD_BYTES_MAX])?;
    let mut follower = messages.follow(&instance, &ALL, Some(MessageCursor::START)).await?;
    for expected in [full, empty, large] {
        let position = messages.publish(&instance, expected.clone()).await?;
        let found = expect(&mut follower, &expected).await?;
        ensure!(found == position, "the message has the position {position} that publishing returned, not {found}");
    }
    Ok(())
}

/// Several publishers at a time: positions rise, and what one publishes keeps its order.
pub async fn publishers_keep_their_order(under_test: &UnderTest) -> Result<(), Failure> {
    const PUBLISHERS: u64 = 4;
    const EACH: u64 = 25;
    let instance = &open(under_test, "order").await?;
    let messages = &under_test.backbone.messages;
    let mut follower = messages.follow(instance, &[Lane::Uplink], None).await?;
    let publish = |publisher: u64| async move {
        for number in 0..EACH {
            let message = message(Lane::Uplink, &format!("device-{publisher}"), number.to_string())?;
            messages.publish(instance, message).await?;
        }
        Ok::<(), Failure>(())
    };
    try_join_all((0..PUBLISHERS).map(publish)).await?;
    let (mut last, mut published) = (MessagePosition::default(), vec![0; 4]);
    for _ in 0..PUBLISHERS * EACH {
        let found = next("the next of 100 messages", &mut follower).await??;
        ensure!(found.position > last, "positions rise: {} comes after {last}", found.position);
        last = found.position;
        let publisher: usize = found.message.device.as_str().trim_start_matches("device-").parse().unwrap_or(9);
        let number = published.get_mut(publisher).ok_or_else(|| Failure(format!("nobody published {found:?}")))?;
        ensure!(
            found.message.payload == number.to_string(),
            "message {number} of publisher {publisher} is next, not {found:?}"
        );
        *number += 1;
    }
    nothing("after the last message", &mut follower)
}

/// What one call stores has the call's order, and what one sender stores by calls one after the other has the sender's:
/// with few messages and with more than a runtime's cooperative budget (128 polls), alone and among other senders.
pub async fn a_sequence_keeps_its_order(under_test: &UnderTest) -> Result<(), Failure> {
    const SENDERS: usize = 3;
    const SEQUENCES: [usize; 8] = [1, 2, 16, 17, 128, 129, 250, PUBLISHED_TOGETHER_MAX];
    let instance = &open(under_test, "sequence").await?;
    let messages = &under_test.backbone.messages;
    let mut follower = messages.follow(instance, &[Lane::Uplink], None).await?;
    let send = |sender: usize| async move {
        let mut next = 0;
        for length in SEQUENCES {
            let numbers = next..next + length;
            next = numbers.end;
            let sequence = numbers.map(|number| message(Lane::Uplink, &format!("device-{sender}"), number.to_string()));
            let sequence = sequence.collect::<Result<Vec<_>, _>>()?;
            let last = messages.publish_in_order(instance, &sequence).await;
            last.map_err(|unstored| Failure(format!("a sequence of {length} is stored, not {unstored:?}")))?;
        }
        Ok::<(), Failure>(())
    };
    // In one task: its budget is spent by all of them together.
    let sending = try_join_all((0..SENDERS).map(send));
    let reading = async {
        let (mut last, mut seen) = (MessagePosition::default(), [0; SENDERS]);
        for _ in 0..SENDERS * SEQUENCES.iter().sum::<usize>() {
            let found = next("the next message of a sequence", &mut follower).await??;
            ensure!(found.position > last, "positions rise: {} comes after {last}", found.position);
            last = found.position;
            let sender: usize = found.message.device.as_str().trim_start_matches("device-").parse().unwrap_or(SENDERS);
            let number = seen.get_mut(sender).ok_or_else(|| Failure(format!("nobody sent {found:?}")))?;
            ensure!(
                found.message.payload == number.to_string(),
                "message {number} of sender {sender} is next, not {found:?}"
            );
            *number += 1;
        }
        Ok::<(), Failure>(())
    };
    let (sent, read) = tokio::join!(sending, reading);
    sent?;
    read?;
    nothing("after the last message", &mut follower)
}

/// A message that is over a limit by itself is told by its place; those before it are stored, and those behind it are not.
pub async fn a_sequence_ends_before_what_is_too_large(under_test: &UnderTest) -> Result<(), Failure> {
    let instance = open(under_test, "cut").await?;
    let messages = &under_test.backbone.messages;
    let mut follower = messages.follow(&instance, &ALL, Some(MessageCursor::START)).await?;
    let of = |payload: Vec<u8>| message(Lane::Uplink, "device-1", payload);
    let large = of(vec![b'x'; PAYLOAD_BYTES_MAX + 1])?;
    let sequence = [of(b"1".to_vec())?, of(b"2".to_vec())?, large, of(b"4".to_vec())?];
    match messages.publish_in_order(&instance, &sequence).await {
        Err(Unstored { stored: 2, error: BackboneError::LimitReached { .. } }) => {}
        other => return Err(Failure(format!("the third of four messages is over its limit, not {other:?}"))),
    }
    for stored in &sequence[..2] {
        expect(&mut follower, stored).await?;
    }
    messages.publish(&instance, sequence[3].clone()).await?;
    expect(&mut follower, &sequence[3]).await?;
    let many = vec![sequence[0].clone(); PUBLISHED_TOGETHER_MAX + 1];
    match messages.publish_in_order(&instance, &many).await {
        Err(Unstored { stored: 0, error: BackboneError::LimitReached { .. } }) => {}
        other => return Err(Failure(format!("more messages than one call takes are LimitReached, not {other:?}"))),
    }
    nothing("of a call that is refused", &mut follower)
}

/// A follower gets the lanes that it asked for, in one order.
pub async fn lanes_are_told_apart(under_test: &UnderTest) -> Result<(), Failure> {
    let instance = open(under_test, "lanes").await?;
    let messages = &under_test.backbone.messages;
    let mut sent = Vec::new();
    for number in 0..12 {
        let message = message(ALL[number % 3], "device-1", number.to_string())?;
        messages.publish(&instance, message.clone()).await?;
        sent.push(message);
    }
    for lanes in [&ALL[..], &[Lane::Uplink], &[Lane::Downlink], &[Lane::Peer], &[Lane::Peer, Lane::Downlink]] {
        let mut follower = messages.follow(&instance, lanes, Some(MessageCursor::START)).await?;
        for expected in sent.iter().filter(|message| lanes.contains(&message.lane)) {
            expect(&mut follower, expected).await?;
        }
    }
    Ok(())
}

/// `Some(position)` starts after it, whatever it is; `None` starts with what is stored next.
pub async fn following_starts_after_a_position_or_now(under_test: &UnderTest) -> Result<(), Failure> {
    let instance = open(under_test, "start").await?;
    let messages = &under_test.backbone.messages;
    let (mut sent, mut positions) = (Vec::new(), vec![MessageCursor::START]);
    for number in 0..6 {
        sent.push(message(Lane::Uplink, "device-1", number.to_string())?);
        positions.push(messages.publish(&instance, sent[number].clone()).await?.into());
    }
    let mut from_now = messages.follow(&instance, &ALL, None).await?;
    sent.push(message(Lane::Uplink, "device-1", "live")?);
    messages.publish(&instance, sent[6].clone()).await?;
    expect(&mut from_now, &sent[6]).await?;
    for (first, after) in positions.into_iter().enumerate() {
        let mut follower = messages.follow(&instance, &ALL, Some(after)).await?;
        for expected in &sent[first..] {
            expect(&mut follower, expected).await?;
        }
        nothing("after the last message", &mut follower)?;
    }
    Ok(())
}

/// A payload over the service's limit is refused by name of the limit, and not stored.
pub async fn what_is_too_large_is_not_published(under_test: &UnderTest) -> Result<(), Failure> {
    let instance = open(under_test, "large").await?;
    let messages = &under_test.backbone.messages;
    let large = message(Lane::Uplink, "device-1", vec![b'x'; PAYLOAD_BYTES_MAX + 1])?;
    match messages.publish(&instance, large).await {
        Err(BackboneError::LimitReached { .. }) => {}
        other => return Err(Failure(format!("a payload over the limit is LimitReached, not {other:?}"))),
    }
    let small = message(Lane::Uplink, "device-1", "small")?;
    messages.publish(&instance, small.clone()).await?;
    let mut follower = messages.follow(&instance, &ALL, Some(MessageCursor::START)).await?;
    expect(&mut follower, &small).await?;
    Ok(())
}

/// Messages of one instance are not among those of another.
pub async fn messages_of_instances_are_isolated(under_test: &UnderTest) -> Result<(), Failure> {
    let (one, two) = (open(under_test, "instance-1").await?, open(under_test, "instance-2").await?);
    let messages = &under_test.backbone.messages;
    let mut followers = [
        messages.follow(&one, &ALL, Some(MessageCursor::START)).await?,
        messages.follow(&two, &ALL, Some(MessageCursor::START)).await?,
    ];
    let sent = [message(Lane::Uplink, "device-1", "one")?, message(Lane::Uplink, "device-1", "two")?];
    messages.publish(&one, sent[0].clone()).await?;
    messages.publish(&two, sent[1].clone()).await?;
    for (follower, expected) in followers.iter_mut().zip(&sent) {
        expect(follower, expected).await?;
        nothing("after the instance's only message", follower)?;
    }
    Ok(())
}

/// What a replay hands over: payloads, then the cursor of its end.
async fn replayed(
    messages: &dyn DeviceMessages,
    instance: &InstanceId,
    lanes: &[Lane],
    after: MessageCursor,
) -> Result<(Vec<Bytes>, MessageCursor), Failure> {
    let (mut replay, mut payloads) = (messages.replay(instance, lanes, after).await?, Vec::new());
    loop {
        match next("the end of the replay", &mut replay).await?? {
            Replayed::Message(stored) => payloads.push(stored.message.payload),
            Replayed::End(cursor) => {
                ensure!(replay.recv().await.is_none(), "the end is the last that a replay hands over");
                return Ok((payloads, cursor));
            }
        }
    }
}

/// A replay hands over what of its lanes was stored after a cursor, once, and ends; the next goes on from its end. So it
/// does from the end of all, where a reader starts that wants nothing that is there.
pub async fn a_replay_ends_where_the_next_begins(under_test: &UnderTest) -> Result<(), Failure> {
    const MESSAGES: usize = 700;
    let (instance, other) = (open(under_test, "replay").await?, open(under_test, "replay-other").await?);
    let messages = &*under_test.backbone.messages;
    let peers = [Lane::Peer];
    let beginning = messages.end(&instance).await?;
    let (found, end) = replayed(messages, &instance, &peers, beginning).await?;
    ensure!(found.is_empty() && end.covers(&beginning), "nothing is there, not {found:?}");
    let wanted: Vec<Bytes> = (0..MESSAGES).map(|number| Bytes::from(number.to_string())).collect();
    let mut positions = Vec::new();
    for payload in &wanted {
        positions.push(messages.publish(&instance, message(Lane::Peer, "device-1", payload.clone())?).await?);
        messages.publish(&instance, message(Lane::Uplink, "device-1", "up")?).await?;
    }
    messages.publish(&other, message(Lane::Peer, "device-1", "elsewhere")?).await?;
    let (found, end) = replayed(messages, &instance, &peers, beginning).await?;
    ensure!(found == wanted, "all {MESSAGES} are handed over once and in order, not {found:?}");
    let (again, _) = replayed(messages, &instance, &peers, positions[2].into()).await?;
    ensure!(again == wanted[3..], "those after a position are handed over, not {again:?}");
    let mut unread = end;
    unread.step_back(positions[MESSAGES - 2]);
    let (last, _) = replayed(messages, &instance, &peers, unread).await?;
    ensure!(last == wanted[MESSAGES - 2..], "a cursor that steps back is before what was not read, not {last:?}");
    ensure!(messages.end(&instance).await?.covers(&positions[MESSAGES - 1].into()), "the end is after all");
    messages.publish(&instance, message(Lane::Peer, "device-1", "later")?).await?;
    let (found, _) = replayed(messages, &instance, &peers, end).await?;
    ensure!(found == ["later"], "the next goes on from the end, not {found:?}");
    Ok(())
}
