//! Rulings on their way back: published on one subject of core NATS, several to a message, and not kept. Only registrars may
//! publish there, and what comes there in another way is passed over.
//!
//! A message is a row of frames: the length of the request's id (2 bytes) and the id, the length of the ruling (4 bytes)
//! and the ruling.

use std::sync::Arc;

use async_nats::Message;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures_util::StreamExt;
use rollcall_domain::ids::{LogId, RequestId};
use rollcall_log::{BackboneError, repeats::Repeats, requests::AnnouncedRuling};
use tokio::sync::mpsc;

use crate::{connection::Connection, subjects};

/// Bytes of rulings in one message, unless one alone is larger.
const MESSAGE_BYTES_MAX: usize = 128 * 1024;
/// Rulings that wait for a slow listener.
const LISTENED_WAITING_MAX: usize = 4096;

/// Publishes rulings; they have left for the server when this returns.
pub(super) async fn announce(
    connection: &Connection,
    log: &LogId,
    rulings: &[AnnouncedRuling],
) -> Result<(), BackboneError> {
    let attempted = || format!("announcing rulings of {log}");
    let subject = subjects::rulings(log);
    for message in messages(rulings) {
        connection.within(attempted, connection.client.publish(subject.clone(), message)).await?;
    }
    connection.within(attempted, connection.client.flush()).await
}

/// Subscribes; the server has the subscription when this returns.
pub(super) async fn listen(
    connection: &Arc<Connection>,
    log: &LogId,
) -> Result<mpsc::Receiver<AnnouncedRuling>, BackboneError> {
    let attempted = || format!("listening for rulings of {log}");
    let subscribing = connection.client.subscribe(subjects::rulings(log));
    let mut subscription = connection.within(attempted, subscribing).await?;
    connection.round_trip(attempted).await?;
    let (sender, receiver) = mpsc::channel(LISTENED_WAITING_MAX);
    let (log, told) = (log.clone(), Repeats::default());
    tokio::spawn(async move {
        loop {
            let message = tokio::select! {
                () = sender.closed() => return,
                message = subscription.next() => match message {
                    Some(message) => message,
                    None => return,
                },
            };
            if !is_announcement(&message, &log) {
                if let Some(left_out) = told.failed("not announced") {
                    tracing::warn!(%log, subject = %message.subject, left_out, "what came as rulings was not announced; passed over");
                }
                continue;
            }
            let (rulings, rest) = read(message.payload);
            if rest > 0
                && let Some(left_out) = told.failed("unreadable")
            {
                tracing::warn!(%log, rest, left_out, "the end of a message of rulings cannot be read");
            }
            for ruling in rulings {
                if sender.send(ruling).await.is_err() {
                    return;
                }
            }
        }
    });
    Ok(receiver)
}

/// Whether a registrar has published it. Who may make a consumer may have it deliver to any subject that is listened to,
/// and with it stored bytes of their choice; but what a consumer delivers keeps the subject that it was stored under, and
/// names where to acknowledge it.
fn is_announcement(message: &Message, log: &LogId) -> bool {
    message.subject.as_str() == subjects::rulings(log) && message.reply.is_none() && message.status.is_none()
}

fn messages(rulings: &[AnnouncedRuling]) -> Vec<Bytes> {
    let mut messages = Vec::new();
    let mut message = BytesMut::new();
    for AnnouncedRuling { id, ruling } in rulings {
        if !message.is_empty() && message.len() + ruling.len() > MESSAGE_BYTES_MAX {
            messages.push(message.split().freeze());
        }
        let id = id.as_str().as_bytes();
        let (Ok(id_bytes), Ok(ruling_bytes)) = (u16::try_from(id.len()), u32::try_from(ruling.len())) else { continue };
        message.put_u16(id_bytes);
        message.put_slice(id);
        message.put_u32(ruling_bytes);
        message.put_slice(ruling);
    }
    if !message.is_empty() {
        messages.push(message.freeze());
    }
    messages
}

/// The frames of a message, and how many bytes at its end are none.
fn read(mut message: Bytes) -> (Vec<AnnouncedRuling>, usize) {
    let mut rulings = Vec::new();
    while message.has_remaining() {
        let rest = message.len();
        match frame(&mut message) {
            Some(ruling) => rulings.push(ruling),
            None => return (rulings, rest),
        }
    }
    (rulings, 0)
}

fn frame(message: &mut Bytes) -> Option<AnnouncedRuling> {
    let id_bytes = usize::from(message.try_get_u16().ok()?);
    if message.len() < id_bytes {
        return None;
    }
    let id = message.split_to(id_bytes);
    let id = RequestId::parse(std::str::from_utf8(&id).ok()?).ok()?;
    let ruling_bytes = usize::try_from(message.try_get_u32().ok()?).ok()?;
    if message.len() < ruling_bytes {
        return None;
    }
    Some(AnnouncedRuling { id, ruling: message.split_to(ruling_bytes) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rulings_come_back_as_they_were(bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..8), padding in 0..200_000_usize) {
            let rulings: Vec<_> = (0..).zip(bodies).map(|(number, body)| AnnouncedRuling {
                id: RequestId::parse(&format!("r{number}")).unwrap(),
                ruling: body.into(),
            }).collect();
            let mut rulings = rulings;
            rulings.push(AnnouncedRuling { id: RequestId::parse("large").unwrap(), ruling: vec![0; padding].into() });
            let read_back: Vec<_> = messages(&rulings).into_iter().flat_map(|message| read(message).0).collect();
            prop_assert_eq!(read_back, rulings);
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = read(bytes.into());
        }
    }
}
