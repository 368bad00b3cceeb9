//! Three nats-servers that are one cluster, with the shipped accounts. What has replicas is tested here.

use std::{
    net::{TcpListener, TcpStream},
    process::Command,
};

use rollcall_domain::ids::LogId;
use tempfile::TempDir;

use crate::{
    nats::{NatsLogin, login, make_users, program},
    process::Process,
    wait,
};

/// Servers, and copies of each stream.
pub const SERVERS: usize = 3;

/// A running cluster and its stores.
pub struct NatsCluster {
    ports: Vec<u16>,
    _servers: Vec<Process>,
    folder: TempDir,
}

impl NatsCluster {
    /// Starts one; returns when it has a leader and makes streams.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        make_users(folder.path());
        // Each has to know the others' ports before it starts: the system gives them, and keeps them apart while all are held.
        let held: Vec<TcpListener> =
            (0..3 * SERVERS).map(|_| TcpListener::bind(("127.0.0.1", 0)).expect("a free port")).collect();
        let ports: Vec<u16> = held.iter().map(|held| held.local_addr().expect("an address").port()).collect();
        drop(held);
        let (clients, rest) = ports.split_at(SERVERS);
        let (routes, monitors) = rest.split_at(SERVERS);
        let urls: Vec<_> = routes.iter().map(|port| format!("\"nats-route://127.0.0.1:{port}\"")).collect();
        let servers = (0..SERVERS).map(|number| {
            let (client, route, monitor) = (clients[number], routes[number], monitors[number]);
            let text = format!(
                "server_name: server-{number}\nlisten: \"127.0.0.1:{client}\"\nhttp: \"127.0.0.1:{monitor}\"\nmax_payload: 2MB\n\
                 jetstream {{ store_dir: {:?}, sync_interval: always, max_file_store: 1TB }}\n\
                 cluster {{ name: rollcall, listen: \"127.0.0.1:{route}\", routes: [{}] }}\ninclude \"accounts.conf\"\n",
                folder.path().join(format!("store-{number}")),
                urls.join(", "),
            );
            let config = folder.path().join(format!("server-{number}.conf"));
            std::fs::write(&config, text).expect("written");
            Process::start(&format!("nats-server-{number}"), Command::new(program()).arg("-c").arg(&config), folder.path())
        });
        let mut servers: Vec<_> = servers.collect();
        for (server, monitor) in servers.iter_mut().zip(monitors) {
            wait::until("a server of the cluster to be healthy", || {
                server.assert_running();
                healthy(*monitor)
            });
        }
        let cluster = Self { ports: clients.to_vec(), _servers: servers, folder };
        cluster.has_leader();
        cluster
    }

    /// Waits until it makes streams: a server is healthy before the cluster has found a leader.
    fn has_leader(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let config = self.login("registrar").config();
        let backbone = runtime.block_on(rollcall_log_nats::connect(config)).expect("the cluster can be reached");
        wait::until("the cluster to make a stream", || runtime.block_on(backbone.log.open(&LogId::Fleet)));
    }

    /// How a user reaches it: all its servers.
    pub fn login(&self, user: &str) -> NatsLogin {
        let urls: Vec<_> = self.ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect();
        login(self.folder.path(), urls.join(","), user, SERVERS)
    }
}

/// What the server's monitoring says: healthy once JetStream has a leader and is current.
fn healthy(port: u16) -> Result<(), String> {
    use std::io::{Read as _, Write as _};
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    let asked = stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n");
    asked.map_err(|error| error.to_string())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.to_string())?;
    if answer.contains(" 200 ") { Ok(()) } else { Err(answer) }
}
