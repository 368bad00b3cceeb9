//! What a connector refuses by itself is found among the attempts: once, with its reason, and nothing of it is unproven.

use std::{
    net::Ipv4Addr,
    sync::{Arc, atomic::Ordering},
};

use rmqtt_codec::v5::{self, Packet};
use rollcall_domain::{
    fleet::Instance,
    ids::{LogId, Position},
    registry::{Actor, Command, RequestBody},
};
use rollcall_log::codec::{AnyRequest, Attempt, decode_attempt};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use crate::{
    client::{Client, within},
    pki::{Authority, Identity},
    world::{ALPHA, Connector, NOW_MS, World, eventually, id, instance, instance_id},
};

/// Client id and user name of a CONNECT.
type Naming<'a> = (&'a str, &'a str);

const ANY: Naming<'static> = ("any client", "anyone");

/// A connection that is refused; returns the code once the connector has done with it.
async fn refused(world: &World, connector: &Connector, identity: &Identity, (client_id, user_name): Naming<'_>) -> String {
    let mut client = Client::handshake(connector.address, ALPHA, world.config(identity)).await.unwrap();
    let connect = v5::Connect {
        client_id: client_id.to_owned().into(),
        username: Some(user_name.to_owned().into()),
        keep_alive: 120,
        clean_start: true,
        request_problem_info: true,
        ..v5::Connect::default()
    };
    client.send(Packet::Connect(Box::new(connect))).await;
    let Packet::ConnectAck(ack) = client.receive().await.unwrap() else { panic!("the answer to CONNECT is CONNACK") };
    // The socket ends after everything else.
    let mut rest = Vec::new();
    within(client.tls.into_inner().0.read_to_end(&mut rest)).await.unwrap();
    let reason = ack.reason_string.unwrap();
    reason.split_once(": ").unwrap().0.to_owned()
}

async fn attempts(world: &World) -> Vec<Attempt> {
    let log = LogId::Instance(instance_id("alpha"));
    let entries = world.backbone.attempts.read(&log, Position::START, 100).await.unwrap();
    entries.into_iter().map(|entry| decode_attempt(&entry.record).unwrap()).collect()
}

/// The codes that are kept, once there are as many as given.
async fn codes(world: &World, count: usize) -> Vec<String> {
    eventually("the refusals are kept", async || attempts(world).await.len() >= count).await;
    attempts(world).await.into_iter().map(|attempt| attempt.rejection.code).collect()
}

/// Registers `0001` and freezes it.
async fn frozen(world: &World, connector: &Connector, ca: &Authority) -> Identity {
    let device = ca.device("0001");
    drop(world.connect(connector, &device).await.unwrap());
    world.alpha.command(Command::FreezeDevice { device: id("truck_0001") }).await;
    world.settled(connector).await;
    device
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_device_that_tries_thrice_is_among_the_attempts_once_a_minute() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let device = frozen(&world, &connector, &ca).await;
    for _ in 0..3 {
        assert_eq!(refused(&world, &connector, &device, ANY).await, "device_frozen");
    }
    // Left after what came before, and kept in that order.
    let named = ("truck_0009_0_0_2026060100", "truck_0009");
    assert_eq!(refused(&world, &connector, &device, named).await, "device_mismatch");
    assert_eq!(codes(&world, 2).await, ["device_frozen", "device_mismatch"]);
    world.clock.set(NOW_MS + 60_000);
    assert_eq!(refused(&world, &connector, &device, ANY).await, "device_frozen");
    assert_eq!(codes(&world, 3).await, ["device_frozen", "device_mismatch", "device_frozen"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_refusal_holds_what_the_registrar_would_be_asked_and_what_was_found() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let device = frozen(&world, &connector, &ca).await;
    let named = ("truck_0001_0_0_2026060100", "truck_0001");
    assert_eq!(refused(&world, &connector, &device, named).await, "device_frozen");
    assert_eq!(codes(&world, 1).await, ["device_frozen"]);
    let attempt = attempts(&world).await.remove(0);
    let AnyRequest::Registry(request) = attempt.request.request else { panic!("a fleet request of an instance") };
    assert_eq!(request.actor, Actor::Certificate(Sha256::digest(&device.chain[0]).into()));
    let (chain, claimed) = (vec![device.chain[0].as_ref().into()], Some(id("truck_0001")));
    assert_eq!(request.body, RequestBody::CertificateConnect { chain, claimed });
    assert_eq!(attempt.rejection.message, "the device is frozen");
    assert_eq!((attempt.time.unix_ms(), attempt.template), (NOW_MS, Some((id("template"), 1))));
    let checks: Vec<_> = attempt.checks.iter().map(|(name, passed, _)| (name.as_str(), *passed)).collect();
    let expected = [
        ("chain_leads_to_verified_ca", true),
        ("ca_certificate_within_validity", true),
        ("certificate_readable", true),
        ("request_is_of_this_certificate", true),
        ("certificate_within_validity", true),
        ("certificate_not_retired", true),
        ("template_in_force", true),
        ("template_makes_a_device", true),
        ("claim_agrees_with_template", true),
        ("no_collision", false),
        ("let_in_by_connector", false),
    ];
    assert_eq!(checks, expected);
    let attribution = attempt.attribution.unwrap();
    assert_eq!((attribution.ca, attribution.device), (Some(id("ca")), Some(id("truck_0001"))));
    assert_eq!((attribution.source, attribution.key_proven), (Some([127, 0, 0, 1].into()), Some(true)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_record_of_an_instance_says_of_self_registration_outranks_the_connectors_table() {
    let (world, ca) = World::with_ca().await;
    let alpha = Instance { self_registration_available: Some(false), ..instance("alpha", ALPHA) };
    world.fleet.send_modify(|snapshot| {
        Arc::make_mut(snapshot).fleet.instances.insert(alpha.id.clone(), alpha);
    });
    let connector = world.connector().await;
    assert_eq!(refused(&world, &connector, &ca.device("0001"), ANY).await, "self_registration_unavailable");
    assert_eq!(world.alpha.registrations.load(Ordering::SeqCst), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_unproven_certificates_nor_what_the_registrar_has_kept_are_kept_by_a_connector() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let device = frozen(&world, &connector, &ca).await;
    let stranger = world.config(&Authority::root("Unknown CA").device("0001"));
    let said = world.refused_by_tls(&connector, ALPHA, stranger).await;
    assert!(said.contains("UnknownCA"), "{said}");
    world.alpha.devices_max.store(0, Ordering::SeqCst);
    assert_eq!(refused(&world, &connector, &ca.device("0002"), ANY).await, "limit_reached");
    assert_eq!(refused(&world, &connector, &device, ANY).await, "device_frozen");
    assert_eq!(codes(&world, 2).await, ["limit_reached", "device_frozen"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backbone_that_takes_no_attempts_changes_no_answer() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let device = frozen(&world, &connector, &ca).await;
    world.lose_backbone().await;
    assert_eq!(refused(&world, &connector, &device, ANY).await, "device_frozen");
    assert_eq!(refused(&world, &connector, &device, ANY).await, "device_frozen");
    world.find_backbone();
    let named = ("truck_0003_0_0_2026060100", "truck_0003");
    assert_eq!(refused(&world, &connector, &ca.device("0002"), named).await, "device_mismatch");
    eventually("refusals are kept again", async || {
        attempts(&world).await.last().is_some_and(|attempt| attempt.rejection.code == "device_mismatch")
    })
    .await;
}

/// Refused in the handshake: nobody has proven anything by then, and people who ask find it all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f29_a_known_device_whose_certificate_expires_is_among_the_attempts() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let device = ca.device_until("0001", NOW_MS / 1000 + 60);
    let resumable = world.config(&device);
    drop(
        Client::handshake(connector.address, ALPHA, resumable.clone()).await.unwrap().connect("any").await.unwrap().unwrap(),
    );
    world.clock.set(NOW_MS + 61_000);
    let said = world.refused_by_tls(&connector, ALPHA, world.config(&device)).await;
    assert!(said.contains("CertificateExpired"), "{said}");
    assert_eq!(codes(&world, 1).await, ["certificate_expired"]);
    let attempt = attempts(&world).await.remove(0);
    let message =
        "the device certificate (CN=0001) expired at 2026-06-01T00:01:00Z; the clock here says 2026-06-01T00:01:01Z";
    assert_eq!(attempt.rejection.message, message);
    assert_eq!(attempt.template, Some((id("template"), 1)));
    let attribution = attempt.attribution.unwrap();
    assert_eq!((attribution.ca, attribution.device), (Some(id("ca")), Some(id("truck_0001"))));
    assert_eq!((attribution.source, attribution.key_proven), (Some([127, 0, 0, 1].into()), Some(false)));
    let unheld = attempt.checks.iter().find(|(name, ..)| name == "client_holds_the_key").unwrap();
    assert!(!unheld.1 && unheld.2.contains("Certificates are public"), "{unheld:?}");

    // The same device by a session that it resumes: it has shown its key, and is told in CONNACK.
    let mut client = Client::handshake(connector.address, ALPHA, resumable).await.unwrap();
    let answer = client.connect("any").await.unwrap().unwrap_err();
    assert!(client.resumed());
    assert!(answer.reason.starts_with("certificate_expired: the device certificate (CN=0001) expired"), "{}", answer.reason);
    drop(client);
    assert_eq!(codes(&world, 2).await, ["certificate_expired"; 2]);
    assert_eq!(attempts(&world).await.remove(1).attribution.unwrap().key_proven, Some(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_mqtt_refuses_is_among_the_attempts_of_the_device() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let device = ca.device("0001");
    let mut client = Client::handshake(connector.address, ALPHA, world.config(&device)).await.unwrap();
    let connect = v5::Connect { auth_method: Some("SCRAM".into()), clean_start: true, ..v5::Connect::default() };
    let refused = client.connect_as(connect).await.unwrap().unwrap_err();
    assert!(refused.reason.starts_with("authentication_method: "), "{}", refused.reason);
    drop(client);
    assert_eq!(codes(&world, 1).await, ["authentication_method"]);
    let mut client = Client::handshake(connector.address, ALPHA, world.config(&device)).await.unwrap();
    client.send(Packet::PingRequest).await;
    drop(client.receive().await);
    drop(client);
    assert_eq!(codes(&world, 2).await, ["authentication_method", "protocol_error"]);
    let attempt = attempts(&world).await.remove(1);
    assert_eq!(attempt.rejection.message, "the first packet is not CONNECT");
    assert_eq!(attempt.attribution.unwrap().device, Some(id("truck_0001")), "made of the certificate");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_mismatch_shows_both_fingerprints() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let (first, second) = (ca.device("0001"), ca.device("0001"));
    drop(world.connect(&connector, &first).await.unwrap());
    assert_eq!(refused(&world, &connector, &second, ANY).await, "certificate_mismatch");
    assert_eq!(codes(&world, 1).await, ["certificate_mismatch"]);
    let attempt = attempts(&world).await.remove(0);
    let collision = attempt.checks.iter().find(|(name, ..)| name == "no_collision").unwrap();
    for identity in [&first, &second] {
        let fingerprint = hex::encode(Sha256::digest(&identity.chain[0]));
        assert!(collision.2.contains(&fingerprint), "{collision:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f33_one_certificate_from_two_addresses_in_turns_is_noticed_and_refused_nothing() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let device = ca.device("0001");
    let mut sessions = Vec::new();
    // The first takes nobody's place: of the take-overs after it the last is the first that comes back.
    for source in [1, 2, 1, 2].map(|last| Ipv4Addr::new(127, 0, 0, last)) {
        let config = world.config(&device);
        let mut client = Client::handshake_from(source, connector.address, ALPHA, config).await.unwrap();
        client.connect("any client").await.unwrap().expect("it is let in");
        sessions.push(client);
    }
    assert_eq!(codes(&world, 1).await, ["certificate_shared"]);
    let attempt = attempts(&world).await.remove(0);
    assert!(attempt.rejection.message.contains("device truck_0001 from 127.0.0.1 and 127.0.0.2 in turns"), "{attempt:?}");
    let AnyRequest::Registry(request) = attempt.request.request else { panic!("a fleet request of an instance") };
    let RequestBody::CertificateConnect { chain, claimed } = request.body else { panic!("a command") };
    assert_eq!((&*chain[0], claimed), (&*device.chain[0], Some(id("truck_0001"))));
    let kept = attempt.checks.iter().map(|(name, passed, _)| (name.as_str(), *passed));
    assert!(kept.into_iter().any(|check| check == ("certificate_used_from_one_source", false)));
}
