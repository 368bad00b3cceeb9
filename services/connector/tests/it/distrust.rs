//! A CA is its name and its key: what a deleted CA certificate, or one that has its id now, lets in and what it does not.

use rollcall_domain::registry::{Command, command::Distrust};

use crate::{
    pki::{Authority, Identity},
    world::{ALPHA, Connector, NOW_MS, World, id, template_body, trust},
};

/// A device of a CA below the one that is trusted, with the certificate in between.
fn below(line: &Authority, cn: &str) -> Identity {
    let mut device = line.device(cn);
    device.chain.push(line.der.clone());
    device
}

async fn delete(world: &World, connector: &Connector, ca: &str, distrust: Distrust) {
    world.alpha.command(Command::DeleteCa { ca: id(ca), distrust }).await;
    world.settled(connector).await;
}

/// A world whose template replaces the certificates of devices.
async fn replacing() -> (World, Authority) {
    let (world, ca) = World::with_ca().await;
    let mut body = template_body("truck");
    body.on_certificate_change = Some("replace".into());
    let command = Command::UpdateTemplate { template: id("template"), description: None, body: Some(body) };
    world.alpha.command(command).await;
    (world, ca)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f41_an_intermediate_that_is_distrusted_gets_nobody_in_and_ends_its_sessions() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let line = ca.intermediate("Line CA");
    let device = below(&line, "0001");
    let config = world.config(&device);
    let mut through_root = world.connect(&connector, &device).await.unwrap();
    trust(&world.alpha, &line, "line", "space").await;
    world.settled(&connector).await;
    let mut direct = world.connect(&connector, &below(&line, "0002")).await.unwrap();
    let mut roots_own = world.connect(&connector, &ca.device("0003")).await.unwrap();
    through_root.quiet().await;

    delete(&world, &connector, "line", Distrust::UnlessRenewed).await;
    for session in [&mut through_root, &mut direct] {
        let (said, reason) = session.disconnected().await;
        assert_eq!((said, reason.starts_with("ca_distrusted: ")), (0x98, true), "{reason}");
    }
    roots_own.quiet().await;
    // The TLS session is not resumed either: it is of an earlier trust epoch.
    let said = world.refused_by_tls(&connector, ALPHA, config).await;
    assert!(said.contains("CertificateRevoked"), "{said}");
    let said = world.refused_by_tls(&connector, ALPHA, world.config(&line.device("0002"))).await;
    assert!(said.contains("UnknownCA"), "without the certificate in between nobody knows the CA: {said}");

    trust(&world.alpha, &line, "line", "space").await;
    world.settled(&connector).await;
    world.connect(&connector, &device).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_intermediate_that_is_not_needed_leaves_its_devices_to_the_root() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let line = ca.intermediate("Line CA");
    trust(&world.alpha, &line, "line", "space").await;
    world.settled(&connector).await;
    let device = below(&line, "0001");
    let mut session = world.connect(&connector, &device).await.unwrap();
    delete(&world, &connector, "line", Distrust::No).await;
    let (_, reason) = session.disconnected().await;
    assert!(reason.starts_with("ca_not_trusted: "), "{reason}");
    world.connect(&connector, &device).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f3_a_cross_signed_intermediate_gets_in_by_the_root_that_is_not_distrusted() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let other = Authority::root("Other CA");
    trust(&world.alpha, &other, "other", "space").await;
    let line = ca.intermediate("Line CA");
    let mut device = below(&line, "0001");
    device.chain.push(other.signs(&line));
    world.settled(&connector).await;
    world.connect(&connector, &device).await.unwrap();
    delete(&world, &connector, "ca", Distrust::Yes).await;
    world.connect(&connector, &device).await.unwrap();
    delete(&world, &connector, "other", Distrust::Yes).await;
    let said = world.refused_by_tls(&connector, ALPHA, world.config(&device)).await;
    assert!(said.contains("UnknownCA"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn f18_f40_another_ca_under_a_used_id_replaces_no_certificate() {
    let (world, ca) = replacing().await;
    let connector = world.connector().await;
    let mut session = world.connect(&connector, &ca.device("0001")).await.unwrap();
    delete(&world, &connector, "ca", Distrust::No).await;
    session.disconnected().await;
    let other = Authority::root("Device CA");
    trust(&world.alpha, &other, "ca", "space").await;
    world.settled(&connector).await;
    let refused = world.connect(&connector, &other.device_since("0001", NOW_MS / 1000 - 60)).await.err().unwrap();
    assert!(refused.reason.starts_with("certificate_not_newer: "), "{}", refused.reason);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_certificate_replaces_after_its_ca_was_deleted_and_uploaded_under_another_id() {
    let (world, ca) = replacing().await;
    let connector = world.connector().await;
    world.connect(&connector, &ca.device("0001")).await.unwrap();
    delete(&world, &connector, "ca", Distrust::UnlessRenewed).await;
    trust(&world.alpha, &ca, "again", "space").await;
    world.settled(&connector).await;
    world.connect(&connector, &ca.device_since("0001", NOW_MS / 1000 - 60)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_ca_certificate_lets_the_devices_of_the_old_one_in() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let device = ca.device("0001");
    let mut session = world.connect(&connector, &device).await.unwrap();
    trust(&world.alpha, &ca.renewed(), "renewed", "space").await;
    world.settled(&connector).await;
    session.quiet().await;
    delete(&world, &connector, "ca", Distrust::UnlessRenewed).await;
    session.disconnected().await;
    world.connect(&connector, &device).await.unwrap();
}
