//! `docs/reference/tls.md`: the table of what a device gets for which certificate is what a connector answers over a socket.
//! `BLESS=1` rewrites it, for review.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use rollcall_domain::{
    ids::{LogId, Position},
    registry::Actor,
};
use rollcall_log::codec::{AnyRequest, Attempt, decode_attempt};
use rustls::{
    SupportedProtocolVersion,
    pki_types::CertificateDer,
    version::{TLS12, TLS13},
};
use sha2::{Digest, Sha256};

use crate::{
    client,
    pki::{Authority, Identity},
    world::{ALPHA, Connector, NOW_MS, World, attempt, eventually, instance_id},
};

const PAGE: &str = "../../docs/reference/tls.md";

/// What a device presents, and whether people find it among the attempts.
struct Case {
    what: &'static str,
    identity: Option<Identity>,
    kept: bool,
}

fn case(what: &'static str, identity: Identity, kept: bool) -> Case {
    Case { what, identity: Some(identity), kept }
}

fn below(intermediate: &Authority, cn: &str) -> Identity {
    let mut identity = intermediate.device(cn);
    identity.chain.push(intermediate.der.clone());
    identity
}

fn cases(ca: &Authority) -> Vec<Case> {
    let (now_s, stranger) = (NOW_MS / 1000, Authority::root("Unknown CA"));
    let purposes = |cn: &str, purposes: &[ExtendedKeyUsagePurpose]| {
        let purposes = purposes.to_vec();
        ca.device_with(cn, |params| params.extended_key_usages = purposes)
    };
    let uses = |cn: &str, uses: &[KeyUsagePurpose]| {
        let uses = uses.to_vec();
        ca.device_with(cn, |params| params.key_usages = uses)
    };
    let with_extra = |cn: &str, extra: Vec<CertificateDer<'static>>| {
        let mut identity = ca.device(cn);
        identity.chain.extend(extra);
        identity
    };
    let plant = ca.intermediate("Plant CA");
    let narrow = ca.intermediate_with("Narrow CA", |params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let line = narrow.intermediate("Line CA");
    let no_ca = ca.intermediate_with("No CA", |params| params.is_ca = IsCa::ExplicitNoCa);
    let expired = ca.intermediate_with("Old CA", |params| {
        params.not_after = time::OffsetDateTime::from_unix_timestamp(now_s - 1).unwrap();
    });
    let mut too_deep = below(&line, "too-deep");
    too_deep.chain.push(narrow.der.clone());
    let mut v1_below = plant.device_v1("v1-below");
    v1_below.chain.push(plant.der.clone());
    let incomplete = Identity { chain: below(&plant, "incomplete").chain[..1].to_vec(), key: plant.device("x").key };
    let critical = ca.device_with("critical", |params| {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![0x05, 0x00]);
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
    });
    let padding = |n: usize| {
        stranger.device_with(&format!("padding-{n}"), |params| {
            let content = [&[0x04, 0x82, 0x25, 0x80][..], &[0; 9600]].concat();
            params.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 2], content));
        })
    };
    vec![
        case("no extensions at all, X.509 v1, directly under the CA", ca.device_v1("v1"), false),
        case("X.509 v3, no extKeyUsage, no keyUsage", ca.device("v3"), false),
        case("extKeyUsage clientAuth", purposes("client", &[ExtendedKeyUsagePurpose::ClientAuth]), false),
        case("keyUsage digitalSignature", uses("signs", &[KeyUsagePurpose::DigitalSignature]), false),
        case("P-384", ca.device_of_key("p384", &rcgen::PKCS_ECDSA_P384_SHA384), false),
        case("Ed25519", ca.device_of_key("ed25519", &rcgen::PKCS_ED25519), false),
        case("RSA of 2048 bits", ca.device_of_key("rsa", &rcgen::PKCS_RSA_SHA256), false),
        case("under an intermediate that is sent along", below(&plant, "below"), false),
        case(
            "a certificate that does not belong to the chain and cannot be read",
            with_extra("extra", vec![CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])]),
            false,
        ),
        case("expired a second ago", ca.device_until("expired", now_s - 1), true),
        case("valid in a second", ca.device_since("future", now_s + 1), true),
        case("extKeyUsage serverAuth alone", purposes("server", &[ExtendedKeyUsagePurpose::ServerAuth]), true),
        case("keyUsage keyEncipherment alone", uses("enciphers", &[KeyUsagePurpose::KeyEncipherment]), true),
        case(
            "basicConstraints CA:TRUE",
            ca.device_with("ca", |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            true,
        ),
        case("a critical extension that is not processed", critical, true),
        case("a negative serial number", ca.device_v1_of_serial("negative", 0x80), true),
        case("P-521", ca.device_of_key("p521", &rcgen::PKCS_ECDSA_P521_SHA512), true),
        case("X.509 v1 under an intermediate", v1_below, true),
        case("an intermediate that has expired", below(&expired, "below-old"), true),
        case("an intermediate without CA:TRUE", below(&no_ca, "below-no-ca"), false),
        case("more CA certificates than a pathLenConstraint allows", too_deep, true),
        case("the issuer's name in another encoding than in the CA certificate", ca.named_in_utf8().device("utf8"), true),
        case("without the intermediate that issued it", incomplete, false),
        case("of a CA that is not verified here", stranger.device("stranger"), false),
        case("of a CA of the same name with another key", Authority::root("Device CA").device("twin"), false),
        case("a chain of 7 certificates", with_extra("long", (0..6).map(|n| padding(n).chain.remove(0)).collect()), false),
        case(
            "4 certificates, but more bytes than a chain may have",
            with_extra("big", (0..4).map(|n| padding(n).chain.remove(0)).collect()),
            false,
        ),
        case(
            "a certificate whose key the device does not hold",
            Identity { chain: ca.device("stolen").chain, key: ca.device("thief").key },
            false,
        ),
        Case { what: "no certificate", identity: None, kept: false },
    ]
}

/// `let in`, or the alert as RFC 8446 spells it.
async fn answer(world: &World, connector: &Connector, case: &Case, version: &'static SupportedProtocolVersion) -> String {
    let config = Arc::new(client::config(&world.server_ca.der, case.identity.as_ref(), &[version]));
    let error = match attempt(connector, ALPHA, config).await {
        Ok(Ok(())) => return "let in".to_owned(),
        Ok(Err(refused)) => panic!("{}: refused after the handshake: {}", case.what, refused.reason),
        Err(error) => error.to_string(),
    };
    let alert = error.strip_prefix("received fatal alert: ").unwrap_or_else(|| panic!("{}: {error}", case.what));
    let alert = alert.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let mut name = String::new();
    for (at, c) in alert.char_indices() {
        let begins = c.is_ascii_uppercase() && at > 0 && !alert[..at].ends_with(|before: char| before.is_ascii_uppercase());
        name.extend(begins.then_some('_').into_iter().chain(c.to_lowercase()));
    }
    format!("`{name}`")
}

async fn kept(world: &World) -> BTreeMap<[u8; 32], Attempt> {
    let entries = world.backbone.attempts.read(&LogId::Instance(instance_id("alpha")), Position::START, 1000).await.unwrap();
    let attempts = entries.into_iter().map(|entry| decode_attempt(&entry.record).unwrap());
    let certificate = |attempt: Attempt| {
        let AnyRequest::Registry(request) = &attempt.request.request else { panic!("a fleet request of an instance") };
        let Actor::Certificate(sha256) = request.actor else { panic!("an operator's") };
        (sha256, attempt)
    };
    attempts.map(certificate).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reference_says_what_a_device_gets_for_its_certificate() {
    let (world, ca) = World::with_ca().await;
    let connector = world.connector().await;
    let cases = cases(&ca);
    let mut answers = Vec::new();
    for case in &cases {
        let with_1_2 = answer(&world, &connector, case, &TLS12).await;
        answers.push((answer(&world, &connector, case, &TLS13).await, with_1_2));
    }
    let expected = cases.iter().filter(|case| case.kept).count();
    eventually("what breaks a rule is kept", async || kept(&world).await.len() >= expected).await;
    let kept = kept(&world).await;
    assert_eq!(kept.len(), expected, "{kept:#?}");
    let mut table =
        "| the device presents | TLS 1.3 | TLS 1.2 | among the attempts as |\n| --- | --- | --- | --- |\n".to_owned();
    for (case, (with_1_3, with_1_2)) in cases.iter().zip(&answers) {
        let sha256: Option<[u8; 32]> = case.identity.as_ref().map(|identity| Sha256::digest(&identity.chain[0]).into());
        let attempt = sha256.and_then(|sha256| kept.get(&sha256));
        assert_eq!(attempt.is_some(), case.kept, "{}", case.what);
        let code = attempt.map(|attempt| attempt.rejection.code.as_str());
        let found = match (code, with_1_3.as_str()) {
            (Some(code), _) => format!("[`{code}`](../operate/codes/{code}.md)"),
            (None, "let in") => "–".to_owned(),
            (None, _) => "a line in the log".to_owned(),
        };
        writeln!(table, "| {} | {with_1_3} | {with_1_2} | {found} |", case.what).unwrap();
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let written = fs::read_to_string(&file).unwrap();
    let (begin, end) = ("<!-- certificates -->\n", "<!-- end of certificates -->");
    let (from, to) = (written.find(begin).unwrap() + begin.len(), written.find(end).unwrap());
    let mut page = written.clone();
    page.replace_range(from..to, &format!("\n{table}\n"));
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &page).unwrap();
    } else {
        assert_eq!(written, page, "{PAGE} is not what a connector answers: BLESS=1 rewrites it, for review");
    }
}
