//! Device messages arrive whole and in order, on their own lane and instance, and the latest are read back.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::future::try_join_all;
use rollcall_domain::ids::{DeviceId, InstanceId, SpaceId};
use rollcall_log::{
    BackboneError,
    messages::{
        DeviceMessage, DeviceMessages, LATEST_BYTES_MAX, LATEST_MAX, Lane, MessageCursor, MessagePosition,
        MessageProperties, MessagesOf, PAYLOAD_BYTES_MAX, PUBLISHED_TOGETHER_MAX, Replayed, StoredMessage, Unstored,
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
    of: &MessagesOf,
    after: MessageCursor,
) -> Result<(Vec<Bytes>, MessageCursor), Failure> {
    let lanes = &[Lane::Peer];
    let (mut replay, mut payloads) = (messages.replay(instance, lanes, of, after).await?, Vec::new());
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
    let all = MessagesOf::Instance;
    let beginning = messages.end(&instance).await?;
    let (found, end) = replayed(messages, &instance, &all, beginning).await?;
    ensure!(found.is_empty() && end.covers(&beginning), "nothing is there, not {found:?}");
    let wanted: Vec<Bytes> = (0..MESSAGES).map(|number| Bytes::from(number.to_string())).collect();
    let mut positions = Vec::new();
    for payload in &wanted {
        positions.push(messages.publish(&instance, message(Lane::Peer, "device-1", payload.clone())?).await?);
        messages.publish(&instance, message(Lane::Uplink, "device-1", "up")?).await?;
    }
    messages.publish(&other, message(Lane::Peer, "device-1", "elsewhere")?).await?;
    let (found, end) = replayed(messages, &instance, &all, beginning).await?;
    ensure!(found == wanted, "all {MESSAGES} are handed over once and in order, not {found:?}");
    let (again, _) = replayed(messages, &instance, &all, positions[2].into()).await?;
    ensure!(again == wanted[3..], "those after a position are handed over, not {again:?}");
    let of_space = |name: &str| -> Result<MessagesOf, Failure> {
        let space = SpaceId::parse(name).map_err(|error| Failure(error.to_string()))?;
        Ok(MessagesOf::Spaces([space].into()))
    };
    let (same, _) = replayed(messages, &instance, &of_space("space-1")?, beginning).await?;
    ensure!(same == wanted, "all are of this resource space, not {same:?}");
    let (none, other_end) = replayed(messages, &instance, &of_space("space-2")?, beginning).await?;
    ensure!(none.is_empty() && other_end.covers(&positions[MESSAGES - 1].into()), "none is of another, not {none:?}");
    let mut unread = end;
    unread.step_back(positions[MESSAGES - 2]);
    let (last, _) = replayed(messages, &instance, &all, unread).await?;
    ensure!(last == wanted[MESSAGES - 2..], "a cursor that steps back is before what was not read, not {last:?}");
    ensure!(messages.end(&instance).await?.covers(&positions[MESSAGES - 1].into()), "the end is after all");
    messages.publish(&instance, message(Lane::Peer, "device-1", "later")?).await?;
    let (found, _) = replayed(messages, &instance, &all, end).await?;
    ensure!(found == ["later"], "the next goes on from the end, not {found:?}");
    Ok(())
}

/// A message of a device of a resource space.
fn of_space(space: &SpaceId, device: &str, number: usize) -> Result<DeviceMessage, Failure> {
    Ok(DeviceMessage { space: space.clone(), ..message(Lane::Uplink, device, number.to_string())? })
}

fn device_of(space: &SpaceId, device: &str) -> Result<MessagesOf, Failure> {
    let device = DeviceId::parse(device).map_err(|error| Failure(error.to_string()))?;
    Ok(MessagesOf::Device { space: space.clone(), device })
}

/// Reads the latest messages to the oldest, in pages of `max`.
async fn all_latest(
    under_test: &UnderTest,
    instance: &InstanceId,
    of: &MessagesOf,
    max: usize,
) -> Result<Vec<StoredMessage>, Failure> {
    const PAGES_MAX: usize = 1000;
    let (mut found, mut before) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = under_test.backbone.messages.latest(instance, Lane::Uplink, of, before, max).await?;
        ensure!(page.messages.len() <= max.min(LATEST_MAX), "a page of {max} has {} messages", page.messages.len());
        ensure!(page.damaged == 0, "nothing is damaged");
        found.extend(page.messages);
        match page.next {
            None => return Ok(found),
            next => before = next,
        }
    }
    Err(Failure(format!("the oldest message is reached within {PAGES_MAX} pages")))
}

/// The latest messages of a device, of resource spaces and of an instance come newest first, each once, on pages of any
/// size; what is on other lanes, or comes while pages are read, does not.
pub async fn the_latest_are_read_back_page_by_page(under_test: &UnderTest) -> Result<(), Failure> {
    let (instance, other) = (open(under_test, "latest").await?, open(under_test, "latest-other").await?);
    let messages = &under_test.backbone.messages;
    let spaces: Vec<SpaceId> = ["space-1", "space-2", "space-3"].iter().filter_map(|id| SpaceId::parse(id).ok()).collect();
    let mut sent = Vec::new();
    for number in 0..45 {
        // One device id in every space: a device of another space is another device.
        let sending = of_space(&spaces[number % 3], ["device-1", "device-2"][number / 3 % 2], number)?;
        messages.publish(&other, message(Lane::Uplink, "device-1", "of another instance")?).await?;
        messages.publish(&instance, message(ALL[1 + number % 2], "device-1", "on another lane")?).await?;
        let position = messages.publish(&instance, sending.clone()).await?;
        sent.push((position, sending));
    }
    let some: BTreeSet<SpaceId> = spaces.iter().take(2).cloned().collect();
    let one = BTreeSet::from([spaces[2].clone()]);
    let asked = [
        MessagesOf::Instance,
        MessagesOf::Spaces(some),
        MessagesOf::Spaces(one),
        MessagesOf::Spaces(BTreeSet::new()),
        device_of(&spaces[0], "device-1")?,
        device_of(&spaces[1], "device-2")?,
        device_of(&spaces[0], "device-9")?,
    ];
    for of in &asked {
        let newest_first = sent.iter().rev();
        let expected: Vec<_> = newest_first
            .filter(|(_, sent)| of.holds(sent.space.as_str(), sent.device.as_str()))
            .map(|(position, sent)| (*position, &sent.payload))
            .collect();
        for max in [1, 4, 1000] {
            let found = all_latest(under_test, &instance, of, max).await?;
            let found: Vec<_> = found.iter().map(|found| (found.position, &found.message.payload)).collect();
            ensure!(found == expected, "the latest of {of:?} by {max} are {expected:?}, not {found:?}");
        }
    }
    let page = messages.latest(&instance, Lane::Uplink, &MessagesOf::Instance, None, 5).await?;
    messages.publish(&instance, of_space(&spaces[0], "device-1", 99)?).await?;
    let later = messages.latest(&instance, Lane::Uplink, &MessagesOf::Instance, page.next, 5).await?;
    let found: Vec<_> = [page, later].iter().flat_map(|page| page.messages.iter().map(|found| found.position)).collect();
    let expected: Vec<_> = sent.iter().rev().take(10).map(|(position, _)| *position).collect();
    ensure!(found == expected, "what comes meanwhile moves nothing: {expected:?}, not {found:?}");
    Ok(())
}

/// A device that says little among others that say much is found, and so is one that has been busy before.
pub async fn a_quiet_device_is_found_behind_busy_ones(under_test: &UnderTest) -> Result<(), Failure> {
    const BUSY: usize = 600;
    let instance = &open(under_test, "quiet").await?;
    let messages = &under_test.backbone.messages;
    let space = &SpaceId::parse("space-1").map_err(|error| Failure(error.to_string()))?;
    let publish = |device: &'static str, number: usize| async move {
        Ok::<_, Failure>(messages.publish(instance, of_space(space, device, number)?).await?)
    };
    publish("quiet", 0).await?;
    try_join_all((0..BUSY).map(|number| publish("busy", number))).await?;
    publish("quiet", 1).await?;
    try_join_all((0..BUSY).map(|number| publish("another", number))).await?;
    let found = all_latest(under_test, instance, &device_of(space, "quiet")?, 10).await?;
    let found: Vec<_> = found.iter().map(|found| &found.message.payload).collect();
    ensure!(found == ["1", "0"], "both messages of the quiet device are found, not {found:?}");
    for (device, max) in [("busy", 10), ("another", 1000)] {
        let found = all_latest(under_test, instance, &device_of(space, device)?, max).await?;
        let rises = found.windows(2).all(|two| two[0].position > two[1].position);
        ensure!(found.len() == BUSY && rises, "{BUSY} messages of device {device}, each once, not {}", found.len());
    }
    Ok(())
}

/// A page of large messages is short rather than too large for who gets it.
pub async fn a_page_of_large_messages_is_shorter(under_test: &UnderTest) -> Result<(), Failure> {
    const COUNT: usize = 12;
    let instance = open(under_test, "large-page").await?;
    let messages = &under_test.backbone.messages;
    for number in 0..COUNT {
        let payload = vec![b'a' + u8::try_from(number).unwrap_or_default(); PAYLOAD_BYTES_MAX];
        messages.publish(&instance, message(Lane::Uplink, "device-1", payload)?).await?;
    }
    let page = messages.latest(&instance, Lane::Uplink, &MessagesOf::Instance, None, 50).await?;
    let bytes: usize = page.messages.iter().map(|found| found.message.payload.len()).sum();
    ensure!(bytes <= LATEST_BYTES_MAX + PAYLOAD_BYTES_MAX, "a page has {bytes} bytes");
    ensure!(page.messages[0].message.payload[0] == b'a' + 11, "the newest is first");
    let found = all_latest(under_test, &instance, &MessagesOf::Instance, 50).await?;
    let found: Vec<_> = found.iter().map(|found| found.message.payload[0]).collect();
    ensure!(found.iter().rev().copied().eq((b'a'..).take(COUNT)), "all are found, newest first: {found:?}");
    Ok(())
}

/// A follower of some devices gets theirs and no others', kept ones and later ones.
pub async fn devices_are_followed_apart(under_test: &UnderTest) -> Result<(), Failure> {
    let instance = open(under_test, "apart").await?;
    let messages = &under_test.backbone.messages;
    let spaces: Vec<SpaceId> = ["space-1", "space-2", "space-3"].iter().filter_map(|id| SpaceId::parse(id).ok()).collect();
    let asked = [
        device_of(&spaces[1], "device-1")?,
        MessagesOf::Spaces(BTreeSet::from([spaces[0].clone()])),
        MessagesOf::Spaces(spaces.iter().skip(1).cloned().collect()),
    ];
    let mut followers = Vec::new();
    let mut sent = Vec::new();
    for number in 0..24 {
        if number == 12 {
            for of in &asked {
                let start = Some(MessageCursor::START);
                followers.push(messages.follow_of(&instance, &[Lane::Uplink], of, start).await?);
            }
        }
        let sending = of_space(&spaces[number % 3], ["device-1", "device-2"][number / 3 % 2], number)?;
        messages.publish(&instance, message(Lane::Peer, "device-1", "on another lane")?).await?;
        messages.publish(&instance, sending.clone()).await?;
        sent.push(sending);
    }
    for (of, follower) in asked.iter().zip(&mut followers) {
        for expected in sent.iter().filter(|sent| of.holds(sent.space.as_str(), sent.device.as_str())) {
            expect(follower, expected).await?;
        }
        nothing("after the last message", follower)?;
    }
    Ok(())
}

/// Where messages are kept from and to; following from the end gets what comes from then on.
pub async fn what_is_kept_is_known(under_test: &UnderTest) -> Result<(), Failure> {
    let instance = open(under_test, "kept").await?;
    let messages = &under_test.backbone.messages;
    let before = messages.kept(&instance).await?;
    ensure!(before.after <= before.last, "{before:?}");
    let first = messages.publish(&instance, message(Lane::Uplink, "device-1", "first")?).await?;
    let kept = messages.kept(&instance).await?;
    ensure!(kept.after < first && kept.last >= first, "{first} is kept: {kept:?}");
    let mut follower = messages.follow(&instance, &ALL, Some(kept.last.into())).await?;
    let second = message(Lane::Uplink, "device-1", "second")?;
    messages.publish(&instance, second.clone()).await?;
    expect(&mut follower, &second).await?;
    Ok(())
}
