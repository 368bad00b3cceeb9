//! A server that falls silent while it is read from: silence is not the end of what there is.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::try_join_all;
use rollcall_conformance::nats_server::NatsServer;
use rollcall_domain::ids::DeviceId;
use rollcall_log::{
    Backbone, BackboneError,
    documents::{DocumentKey, Documents, Revision},
    presence::PresenceChange,
};
use rollcall_log_nats::{NatsConfig, connect};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    sync::Notify,
    time::timeout,
};

use super::{BOUND, SHARD, admin, instance, log, online, session};

const DEVICES: usize = 300;

/// A way to the server on which as many bytes come back as are let through.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<Option<usize>>, Notify)>);

impl Gate {
    /// Where it is entered.
    async fn open(&self, server: &NatsServer) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("nats://{}", listener.local_addr().unwrap());
        let (gate, server) = (self.clone(), server.url().trim_start_matches("nats://").to_owned());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                let ((mut from_client, to_client), (from_server, mut to_server)) =
                    (client.into_split(), server.into_split());
                tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
                tokio::spawn(gate.clone().pass(from_server, to_client));
            }
        });
        url
    }

    async fn pass(self, mut from: impl AsyncReadExt + Unpin, mut to: impl AsyncWriteExt + Unpin) {
        let mut buffer = [0; 1024];
        while let Ok(bytes) = from.read(&mut buffer).await {
            while !self.spend(bytes) {
                self.0.1.notified().await;
            }
            if bytes == 0 || to.write_all(&buffer[..bytes]).await.is_err() {
                return;
            }
        }
    }

    fn spend(&self, bytes: usize) -> bool {
        match &mut *self.0.0.lock().unwrap() {
            None => true,
            Some(left) if *left >= bytes => {
                *left -= bytes;
                true
            }
            Some(_) => false,
        }
    }

    /// `None`: all.
    fn let_through(&self, bytes: Option<usize>) {
        *self.0.0.lock().unwrap() = bytes;
        self.0.1.notify_one();
    }
}

async fn behind(gate: &Gate, server: &NatsServer) -> Backbone {
    let mut config = NatsConfig::new(gate.open(server).await);
    config.operation_timeout = Duration::from_secs(3);
    config.limits.presence_lease = BOUND * 10;
    connect(config).await.unwrap()
}

fn device(number: usize) -> DeviceId {
    DeviceId::parse(&format!("device-{number}")).unwrap()
}

async fn keep_sessions(documents: &dyn Documents, body: &Bytes) {
    documents.open_sessions(&log()).await.unwrap();
    let (within, body) = (&log(), &body);
    try_join_all((0..DEVICES).map(|number| async move {
        let key = DocumentKey::Session(device(number));
        documents.put(within, &key, Revision::NONE, (*body).clone()).await
    }))
    .await
    .unwrap();
}

/// How many are listed, and how the list ends. The server sends what is read and that reading has begun in any order, so it
/// may not begin behind a gate either.
async fn list(documents: &dyn Documents) -> (usize, Result<(), BackboneError>) {
    let mut listed = match documents.sessions(&log()).await {
        Ok(listed) => listed,
        Err(error) => return (0, Err(error)),
    };
    let mut count = 0;
    while let Some(next) = timeout(BOUND, listed.recv()).await.unwrap() {
        match next {
            Ok(_) => count += 1,
            Err(error) => return (count, Err(error)),
        }
    }
    (count, Ok(()))
}

#[tokio::test]
async fn a_list_of_sessions_that_stalls_is_not_taken_for_complete() {
    let (server, gate) = (NatsServer::start().await, Gate::default());
    let documents = behind(&gate, &server).await.documents;
    keep_sessions(&*documents, &Bytes::from(vec![b'x'; 1000])).await;
    gate.let_through(Some(100_000));
    let (count, ended) = list(&*documents).await;
    assert!(matches!(ended, Err(BackboneError::Unavailable { .. })), "{count} of {DEVICES}: {ended:?}");
    gate.let_through(None);
    let (count, ended) = list(&*documents).await;
    assert_eq!((count, ended.map_err(|error| error.to_string())), (DEVICES, Ok(())));
}

#[tokio::test]
async fn a_list_of_sessions_ends_although_some_are_gone_before_they_were_read() {
    let (server, gate) = (NatsServer::start().await, Gate::default());
    let documents = behind(&gate, &server).await.documents;
    keep_sessions(&*documents, &Bytes::from(vec![b'x'; 20_000])).await;
    let mut listed = loop {
        gate.let_through(Some(100_000));
        // What the server sends first may be the documents, and all that is let through.
        match documents.sessions(&log()).await {
            Ok(listed) => break listed,
            Err(_) => gate.let_through(None),
        }
    };
    timeout(BOUND, listed.recv()).await.unwrap().unwrap().unwrap();
    admin(&server).await.get_stream(format!("documents_{SHARD}")).await.unwrap().purge().await.unwrap();
    gate.let_through(None);
    let mut count = 1;
    while let Some(next) = timeout(BOUND, listed.recv()).await.unwrap() {
        next.expect("what is gone is no failure");
        count += 1;
    }
    assert!(count < DEVICES, "the server had sent all of them");
}

#[tokio::test]
async fn who_is_online_is_not_known_while_reading_it_stalls() {
    let (server, gate) = (NatsServer::start().await, Gate::default());
    let presence = behind(&gate, &server).await.presence;
    presence.open(&instance()).await.unwrap();
    let within = &instance();
    let announced =
        (0..DEVICES).map(|number| presence.announce(within, online(&format!("device-{number}"), session("c-1", 1))));
    try_join_all(announced).await.unwrap();
    gate.let_through(Some(30_000));
    match presence.watch(within).await {
        Ok(mut watched) => {
            let stalled = timeout(BOUND, watched.recv()).await.unwrap();
            assert_eq!(stalled, None, "nothing is said before all of it is there");
        }
        Err(error) => assert!(matches!(error, BackboneError::Unavailable { .. }), "{error}"),
    }
    gate.let_through(None);
    let (mut watched, mut count) = (presence.watch(within).await.unwrap(), 0);
    while let Some(change) = timeout(BOUND, watched.recv()).await.unwrap()
        && change != PresenceChange::CaughtUp
    {
        count += 1;
    }
    assert_eq!(count, DEVICES);
}
