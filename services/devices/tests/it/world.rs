//! One instance with one device, which is online or not, and a gate that messages to devices pass one at a time.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use rollcall_chassis::{clock::SetClock, entropy::CountingEntropy};
use rollcall_device_model::message::{Encoding, Message, PayloadFormat};
use rollcall_devices::{Devices, Parts, messages::NewMessage, start};
use rollcall_domain::{
    ids::{
        ConnectorId, DeviceId, Fingerprint, Incarnation, InstanceId, LogId, NodeId, Position, ProductId, RequestId, SpaceId,
    },
    registry::{
        Actor, Event,
        event::{DeclaredCredential, DeviceProfile},
    },
    time::Timestamp,
};
use rollcall_log::{
    Backbone, BackboneError,
    codec::{AnyEvent, Record, encode_record},
    messages::{
        DeviceMessage, DeviceMessages, KeptMessages, Lane, LatestMessages, MessageCursor, MessagePosition, MessagesOf,
        Replayed, StoredMessage, Unstored,
    },
    presence::{PresenceChange, Session},
    seal::SealKeys,
};
use rollcall_log_memory::MemoryConfig;
use rollcall_projection::{
    admission::{Store, StoreConfig},
    directory::Listed,
};
use tempfile::TempDir;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

/// Longest wait for a state.
const PATIENCE: Duration = Duration::from_secs(30);
const NOW_MS: i64 = 1_780_272_000_000;

pub(crate) struct World {
    pub(crate) backbone: Backbone,
    pub(crate) gate: Arc<Gate>,
    pub(crate) devices: Arc<Devices>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) listed: Listed,
    _folder: TempDir,
}

/// The message stream, behind a gate: publishing says that it has begun, and goes on when it is let through.
pub(crate) struct Gate {
    messages: Arc<dyn DeviceMessages>,
    begun: watch::Sender<usize>,
    let_through: Semaphore,
}

impl World {
    pub(crate) async fn new() -> Self {
        let memory = rollcall_log_memory::new(MemoryConfig { now_ms: Arc::new(|| NOW_MS), ..MemoryConfig::seeded(1) });
        let (instance, log) = (instance(), LogId::Instance(instance()));
        memory.log.open(&log).await.unwrap();
        memory.messages.open(&instance).await.unwrap();
        memory.documents.open(&log).await.unwrap();
        memory.presence.open(&instance).await.unwrap();
        let records = [space(), registered()].into_iter().enumerate().map(|(n, event)| encode_record(&record(n, event)));
        let last = memory.log.append(&log, Position::START, records.collect::<Vec<_>>().into()).await.unwrap();

        let gate = Arc::new(Gate {
            messages: Arc::clone(&memory.messages),
            begun: watch::Sender::new(0),
            let_through: Semaphore::new(0),
        });
        let backbone = Backbone { messages: gate.clone(), ..memory };
        let (folder, stop, tasks) = (TempDir::new().unwrap(), CancellationToken::new(), TaskTracker::new());
        let store = Store::open(&StoreConfig {
            folder: folder.path().join("views"),
            cache_bytes_max: 16 << 20,
            directory: true,
            keys: SealKeys::default(),
            retry_seed: 0,
        });
        let view = store.unwrap().directory(&instance, Incarnation::NIL, backbone.log.clone(), stop.clone()).unwrap();
        within("the view has read the log", view.admission().reached(last)).await.unwrap();
        let listed = view.show(&device()).flatten().unwrap();
        let devices = start(Parts {
            instance,
            view,
            backbone: backbone.clone(),
            clock: Arc::new(SetClock::at(NOW_MS)),
            entropy: Arc::new(CountingEntropy::seeded(1)),
            stop: stop.clone(),
            tasks: tasks.clone(),
        });
        Self { backbone, gate, devices, stop, tasks, listed, _folder: folder }
    }

    /// The device opens a session, and this process has seen that.
    pub(crate) async fn device_comes_online(&self) {
        let session = Session { connector: ConnectorId::parse("c1").unwrap(), number: 1 };
        let online = PresenceChange::Online { device: device(), session, at: Timestamp::from_unix_ms(NOW_MS) };
        self.backbone.presence.announce(&instance(), online).await.unwrap();
        let seen = async {
            while !self.devices.presence().is_online(&device()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within("the device is online", seen).await;
    }

    /// Has the instance stop; the caller may then wait for what runs.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
    }

    /// Waits until all that runs for the instance has ended but `left` tasks.
    pub(crate) async fn ended_but(&self, left: usize) {
        let ended = async {
            while self.tasks.len() > left {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        within("the others have ended", ended).await;
        assert_eq!(self.tasks.len(), left);
    }
}

impl Gate {
    /// Waits until publishing has begun so often.
    pub(crate) async fn has_begun(&self, times: usize) {
        within("a message is published", self.begun.subscribe().wait_for(|begun| *begun >= times)).await.unwrap();
    }

    /// How often publishing has begun.
    pub(crate) fn begun(&self) -> usize {
        *self.begun.borrow()
    }

    pub(crate) fn let_through(&self, messages: usize) {
        self.let_through.add_permits(messages);
    }
}

#[async_trait]
impl DeviceMessages for Gate {
    async fn open(&self, instance: &InstanceId) -> Result<(), BackboneError> {
        self.messages.open(instance).await
    }

    async fn publish_in_order(
        &self,
        instance: &InstanceId,
        messages: &[DeviceMessage],
    ) -> Result<MessagePosition, Unstored> {
        self.begun.send_modify(|begun| *begun += messages.len());
        self.let_through.acquire_many(messages.len().try_into().unwrap()).await.unwrap().forget();
        self.messages.publish_in_order(instance, messages).await
    }

    async fn follow_of(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        of: &MessagesOf,
        after: Option<MessageCursor>,
    ) -> Result<mpsc::Receiver<Result<StoredMessage, BackboneError>>, BackboneError> {
        self.messages.follow_of(instance, lanes, of, after).await
    }

    async fn latest(
        &self,
        instance: &InstanceId,
        lane: Lane,
        of: &MessagesOf,
        before: Option<MessagePosition>,
        max: usize,
    ) -> Result<LatestMessages, BackboneError> {
        self.messages.latest(instance, lane, of, before, max).await
    }

    async fn kept(&self, instance: &InstanceId) -> Result<KeptMessages, BackboneError> {
        self.messages.kept(instance).await
    }

    async fn end(&self, instance: &InstanceId) -> Result<MessageCursor, BackboneError> {
        self.messages.end(instance).await
    }

    async fn replay(
        &self,
        instance: &InstanceId,
        lanes: &[Lane],
        of: &MessagesOf,
        after: MessageCursor,
    ) -> Result<mpsc::Receiver<Result<Replayed, BackboneError>>, BackboneError> {
        self.messages.replay(instance, lanes, of, after).await
    }
}

/// Waits for a state, and says which one did not come.
pub(crate) async fn within<F: Future>(what: &str, state: F) -> F::Output {
    match tokio::time::timeout(PATIENCE, state).await {
        Ok(output) => output,
        Err(_) => panic!("not within {PATIENCE:?}: {what}"),
    }
}

/// A message of this id that may wait for an hour.
pub(crate) fn message(id: &str) -> NewMessage {
    let content = Message {
        message: "open the door".into(),
        name: None,
        encoding: Encoding::None,
        payload_format: PayloadFormat::Standard,
        topic: None,
        topic_full_name: None,
        properties: None,
    };
    NewMessage { id: id.to_owned(), content, ttl_min: 60 }
}

fn instance() -> InstanceId {
    InstanceId::parse("north").unwrap()
}

fn device() -> DeviceId {
    DeviceId::parse("truck_1").unwrap()
}

fn space_id() -> SpaceId {
    SpaceId::parse("space").unwrap()
}

fn space() -> Event {
    Event::SpaceCreated { space: space_id(), name: "Space".into(), default_space: true, default_policy: None }
}

fn registered() -> Event {
    let profile = DeviceProfile {
        device: device(),
        node_id: NodeId::parse("1").unwrap(),
        space: space_id(),
        product: ProductId::parse("truck").unwrap(),
        name: None,
        tags: Vec::new(),
        policies: Vec::new(),
    };
    let credential = DeclaredCredential::Certificates { primary: Some(Fingerprint::Sha256([7; 32])), secondary: None };
    Event::DevicePreRegistered { profile, credential, description: None, extension_info: None }
}

fn record(n: usize, event: Event) -> Record {
    Record {
        id: Uuid::from_u128(n as u128 + 1),
        log: LogId::Instance(instance()),
        time: Timestamp::from_unix_ms(NOW_MS),
        cause: RequestId::parse(&format!("request-{n}")).unwrap(),
        actor: Actor::Operator("test".into()),
        traceparent: None,
        event: AnyEvent::Registry(event),
    }
}
