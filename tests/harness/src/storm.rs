//! Many devices that connect for the first time at once, and keep trying until each is in.
//!
//! A client of the test's own: a process for each of 500 devices would measure the machine. Each device does what a real
//! one does: TLS 1.3 with its certificate, MQTT 3.1.1 CONNECT, wait for CONNACK, try again after a pause if it is not 0.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Runtime,
    sync::Semaphore,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{
    certificates::{Authority, Pair},
    clients::Target,
    raw::{Tls, client_config},
    wait,
    wire::{Connect, V311},
};

/// Connections at a time.
const CONCURRENT: usize = 32;
/// How long a device waits before it tries again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(15);

/// A device of a storm.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What it is called in what is seen, and its client id.
    pub name: String,
    /// Where it connects to.
    pub target: Target,
    pub pair: Pair,
}

/// A storm under way; it ends when it is dropped.
pub struct Storm {
    _runtime: Runtime,
    seen: Arc<Mutex<Seen>>,
    total: usize,
}

/// What has come of it so far.
#[derive(Clone, Debug, Default)]
struct Seen {
    admitted: BTreeSet<String>,
    refused: BTreeMap<String, usize>,
}

impl Storm {
    /// Starts `count` devices with the CNs `<prefix>-<n>`; their certificates lie in the target's folder, and are made where
    /// they do not lie there yet.
    ///
    /// # Panics
    /// When a certificate cannot be made.
    pub fn start(target: &Target, ca: &Authority, prefix: &str, count: usize) -> Self {
        let callers = (0..count).map(|number| {
            let name = format!("{prefix}-{number}");
            let made = Pair::at(&target.folder, &name);
            let pair = if made.key.exists() { made } else { ca.quick_device(&target.folder, &name) };
            Caller { name, target: target.clone(), pair }
        });
        Self::of(&callers.collect::<Vec<_>>())
    }

    /// Starts these devices, each wherever it connects to.
    ///
    /// # Panics
    /// When a certificate cannot be read.
    pub fn of(callers: &[Caller]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let seen = Arc::new(Mutex::new(Seen::default()));
        let turns = Arc::new(Semaphore::new(CONCURRENT));
        for Caller { name, target, pair } in callers {
            let config = client_config(target, Some(pair), Tls::V13).expect("a client's configuration");
            let connector = TlsConnector::from(Arc::new(config));
            let device = Device { name: name.clone(), target: target.clone(), connector };
            runtime.spawn(device.run(turns.clone(), seen.clone()));
        }
        Self { _runtime: runtime, seen, total: callers.len() }
    }

    /// Waits until at least this many have got CONNACK 0.
    ///
    /// # Panics
    /// When they have not.
    #[track_caller]
    pub fn admitted(&self, at_least: usize) {
        wait::within(wait::BOUND * 2, &format!("{at_least} devices to be let in"), || {
            let seen = self.seen.lock().expect("no device panics").clone();
            if seen.admitted.len() >= at_least {
                Ok(())
            } else {
                Err(format!("{}; {:?}", seen.admitted.len(), seen.refused))
            }
        });
    }

    /// Waits until every device has got CONNACK 0; their CNs.
    ///
    /// # Panics
    /// When they have not.
    #[track_caller]
    pub fn all_admitted(&self) -> BTreeSet<String> {
        self.admitted(self.total);
        self.so_far()
    }

    /// The CNs of those that have got CONNACK 0 so far.
    ///
    /// # Panics
    /// When a device has panicked.
    pub fn so_far(&self) -> BTreeSet<String> {
        self.seen.lock().expect("no device panics").admitted.clone()
    }

    /// How often a device had to try again, by what it was told or saw.
    ///
    /// # Panics
    /// When a device has panicked.
    pub fn refused(&self) -> BTreeMap<String, usize> {
        self.seen.lock().expect("no device panics").refused.clone()
    }
}

struct Device {
    name: String,
    target: Target,
    connector: TlsConnector,
}

impl Device {
    async fn run(self, turns: Arc<Semaphore>, seen: Arc<Mutex<Seen>>) {
        loop {
            let turn = turns.acquire().await.expect("never closed");
            let outcome = timeout(ATTEMPT, self.attempt()).await.unwrap_or_else(|_| Err("no answer".to_owned()));
            drop(turn);
            {
                let mut seen = seen.lock().expect("no device panics");
                match outcome {
                    Ok(()) => {
                        seen.admitted.insert(self.name);
                        return;
                    }
                    Err(why) => *seen.refused.entry(why).or_default() += 1,
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn attempt(&self) -> Result<(), String> {
        let name = ServerName::try_from(self.target.host.clone()).map_err(|error| error.to_string())?;
        let socket = TcpStream::connect(self.target.address).await.map_err(|error| error.to_string())?;
        let mut tls = self.connector.connect(name, socket).await.map_err(|error| error.to_string())?;
        let connect = Connect::new(V311, &self.name).bytes();
        tls.write_all(&connect).await.map_err(|error| error.to_string())?;
        let mut connack = [0; 4];
        tls.read_exact(&mut connack).await.map_err(|error| error.to_string())?;
        match connack {
            [0x20, 2, _, 0] => Ok(()),
            [0x20, 2, _, code] => Err(format!("CONNACK {code}")),
            other => Err(format!("{other:02x?}")),
        }
    }
}
