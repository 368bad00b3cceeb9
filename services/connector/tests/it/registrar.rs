//! A registrar in the test's hands: takes requests, decides by the domain's rules, appends, announces. It can be held,
//! keep silent about its rulings, and be told of operators' commands.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use rollcall_chassis::{
    clock::{Clock, SetClock},
    entropy::{CountingEntropy, Entropy},
};
use rollcall_domain::{
    fleet::{AvailabilityRules, Instance},
    ids::{LogId, Position, RequestId},
    registry::{Actor, Command, Context, Decision, Event, Registry, Request, RequestBody, decide},
    rejection::Rejection,
    time::Timestamp,
};
use rollcall_log::{
    Backbone,
    codec::{
        AnyEvent, AnyRequest, Attempt, QueuedRequest, Record, RejectedRuling, Ruling, decode_request, encode_attempt,
        encode_record, encode_ruling,
    },
    requests::AnnouncedRuling,
};
use tokio::sync::watch;

pub(crate) struct Registrar {
    backbone: Backbone,
    instance: Instance,
    clock: SetClock,
    entropy: CountingEntropy,
    state: Mutex<(Registry, Position)>,
    appending: tokio::sync::Mutex<()>,
    held: watch::Sender<bool>,
    resting: watch::Sender<bool>,
    /// Rulings are not announced.
    pub(crate) silent: AtomicBool,
    pub(crate) devices_max: AtomicU64,
    pub(crate) registrations: AtomicU64,
}

impl Registrar {
    pub(crate) async fn start(backbone: Backbone, instance: Instance, clock: SetClock) -> Arc<Self> {
        let log = LogId::Instance(instance.id.clone());
        backbone.log.open(&log).await.unwrap();
        backbone.requests.open(&log).await.unwrap();
        let registrar = Arc::new(Self {
            backbone,
            instance,
            clock,
            entropy: CountingEntropy::seeded(1),
            state: Mutex::default(),
            appending: tokio::sync::Mutex::default(),
            held: watch::Sender::new(false),
            resting: watch::Sender::new(false),
            silent: AtomicBool::new(false),
            devices_max: AtomicU64::new(u64::MAX),
            registrations: AtomicU64::new(0),
        });
        tokio::spawn(registrar.clone().run());
        registrar
    }

    /// Where the log ends.
    pub(crate) fn position(&self) -> Position {
        self.state.lock().unwrap().1
    }

    /// An operator's command; must be granted.
    pub(crate) async fn command(&self, command: Command) -> Position {
        let id = RequestId::parse(&self.entropy.uuid_v4().to_string()).unwrap();
        let request = Request { id, actor: Actor::Operator("test".into()), body: RequestBody::Command(command) };
        self.rule(&request).await.unwrap()
    }

    /// From now on requests are left in the queue.
    pub(crate) async fn hold(&self) {
        self.held.send_replace(true);
        self.resting.subscribe().wait_for(|resting| *resting).await.unwrap();
    }

    /// Requests are taken again.
    pub(crate) fn resume(&self) {
        self.held.send_replace(false);
    }

    /// Reads something of the registry.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Registry) -> T) -> T {
        read(&self.state.lock().unwrap().0)
    }

    async fn run(self: Arc<Self>) {
        let log = LogId::Instance(self.instance.id.clone());
        loop {
            if *self.held.borrow() {
                self.resting.send_replace(true);
                self.held.subscribe().wait_for(|held| !held).await.unwrap();
                self.resting.send_replace(false);
            }
            for delivery in self.backbone.requests.take(&log, 64, std::time::Duration::from_millis(50)).await.unwrap() {
                let queued = decode_request(&delivery.request).unwrap();
                let AnyRequest::Registry(request) = &queued.request else {
                    panic!("a fleet request in an instance's queue")
                };
                let ruling = match self.rule(request).await {
                    Ok(position) => Ruling::Accepted { position },
                    Err(rejection) => Ruling::Rejected(self.keep(&queued, &rejection).await),
                };
                if !self.silent.load(Ordering::SeqCst) {
                    let announced = AnnouncedRuling { id: delivery.id, ruling: encode_ruling(&ruling) };
                    self.backbone.requests.announce(&log, vec![announced]).await.unwrap();
                }
                self.backbone.requests.finish(&log, vec![delivery.receipt]).await.unwrap();
            }
        }
    }

    async fn keep(&self, request: &QueuedRequest, rejection: &Rejection) -> RejectedRuling {
        let rejection = RejectedRuling::from(rejection);
        let attempt = Attempt {
            time: Timestamp::from_unix_ms(self.clock.unix_ms()),
            request: request.clone(),
            rejection: rejection.clone(),
            template: None,
            checks: Vec::new(),
            attribution: None,
        };
        let log = LogId::Instance(self.instance.id.clone());
        self.backbone.attempts.keep(&log, vec![encode_attempt(&attempt)]).await.unwrap();
        rejection
    }

    async fn rule(&self, request: &Request) -> Result<Position, Rejection> {
        let _turn = self.appending.lock().await;
        let now = Timestamp::from_unix_ms(self.clock.unix_ms());
        let (event, end) = {
            let state = self.state.lock().unwrap();
            let (registry, end) = &*state;
            let context = Context {
                now,
                instance: &self.instance,
                availability: &AvailabilityRules::default(),
                trust: &registry.configuration.trust_store(),
                verification_code: &self.entropy.uuid_v4().to_string(),
                devices_max_default: self.devices_max.load(Ordering::SeqCst),
            };
            match decide(&registry.configuration, registry, request, &context).outcome? {
                Decision::Record(event) => (event, *end),
                Decision::AlreadySo => return Ok(*end),
            }
        };
        let log = LogId::Instance(self.instance.id.clone());
        let record = Record {
            id: self.entropy.uuid_v7(now.unix_ms()),
            log: log.clone(),
            time: now,
            cause: request.id.clone(),
            actor: request.actor.clone(),
            traceparent: None,
            event: AnyEvent::Registry(event.clone()),
        };
        let position = self.backbone.log.append(&log, end, vec![encode_record(&record)].into()).await.unwrap();
        if matches!(event, Event::DeviceRegistered { .. }) {
            self.registrations.fetch_add(1, Ordering::SeqCst);
        }
        let mut state = self.state.lock().unwrap();
        state.0.evolve(&event, now);
        state.1 = position;
        Ok(position)
    }
}
