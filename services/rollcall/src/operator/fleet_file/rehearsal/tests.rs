//! What `rollcall check-config` says of fleet files that read well and would be refused.

use std::{fmt::Write as _, path::Path};

use super::*;
use crate::operator::fleet_file::report::check;

/// A folder with a CA certificate and its key in `ca.crt` and `ca.key`, and another's key in `other.key`.
fn data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["ca", "other"] {
        let subject = format!("CN={name}");
        let common = pki::Common { out: folder.path().into(), key: pki::KeyKind::P256, days: 30 };
        let arguments = pki::CaArguments { name: name.into(), subject, issuer: None, issuer_key: None, common };
        pki::run(&pki::PkiCommand::Ca(arguments)).expect("made");
    }
    folder
}

const GOOD: &str = r#"
instances:
  - id: north
    access_domain: north.example
    edition: standard
    region: cn-north-4
    resource_spaces:
      - id: vehicles
        products: [{ id: truck }]
        policies:
          - id: topics
            statement: [{ effect: ALLOW, actions: ["iotda:devices:publish"], resources: ["topic:a/*"] }]
            bind: { products: [truck] }
        ca_certificates:
          - id: ca
            certificate: $DATA/ca.crt
            proof_of_possession: { key: $DATA/ca.key }
            template: by-cn
    templates:
      - id: by-cn
        body:
          parameters: { "iotda::certificate::common_name": { type: String } }
          resources: { device: { node_id: { ref: "iotda::certificate::common_name" }, product_id: truck } }
"#;

fn said(text: &str, partial: bool) -> Result<usize, String> {
    let data = data();
    let document = Document::parse(Path::new("fleet.yaml"), text, data.path()).expect("of the right shape");
    check(document, partial).map_err(|error| error.to_string())
}

#[test]
fn a_good_file_and_the_demo_pass() {
    assert_eq!(said(GOOD, false), Ok(1));
    let demo = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/demo/fleet.yaml"));
    assert_eq!(said(&demo.expect("read").replace("$DATA/demo/", "$DATA/"), false), Ok(2));
}

#[test]
fn access_domains_are_held_to_the_rule_of_the_domain() {
    for domain in [
        "north.example:8883",
        "https://north.example",
        "192.0.2.1",
        "'*.example'",
        "nörd.example",
        "north_1.example",
        "a..b",
    ] {
        let said = said(&GOOD.replace("north.example", domain), false).expect_err(domain);
        assert!(said.contains("fleet.yaml:4: instances[0].access_domain: "), "{said}");
    }
}

#[test]
fn references_to_what_is_declared_nowhere_are_named_with_their_line() {
    for (from, to, expected) in [
        (
            "products: [truck]",
            "products: [lorry]",
            "fleet.yaml:13: instances[0].resource_spaces[0].policies[0].bind.products: product lorry",
        ),
        ("template: by-cn", "template: by-ou", "template by-ou is declared nowhere in this file"),
        ("product_id: truck", "product_id: lorry", "product lorry is declared nowhere in this file"),
    ] {
        let wrong = GOOD.replace(from, to);
        let reason = said(&wrong, false).expect_err(to);
        assert!(reason.contains(expected) && reason.contains("--partial"), "{reason}");
        assert_eq!(said(&wrong, true), Ok(1), "{to}: the deployment may have it");
    }
}

#[test]
fn the_eleventh_template_is_named() {
    let eleven = (1..11).fold(GOOD.to_owned(), |mut text, number| {
        let body = r#"{ parameters: { "iotda::certificate::common_name": { type: String } }, resources: { device: { node_id: { ref: "iotda::certificate::common_name" }, product_id: truck } } }"#;
        let _ = writeln!(text, "      - id: more-{number}\n        body: {body}");
        text
    });
    let reason = said(&eleven, false).expect_err("one too many");
    assert!(reason.contains("1 fault") && reason.contains("templates[10]"), "{reason}");
    assert!(reason.contains("the limit of 10 templates in this instance is reached"), "{reason}");
}

#[test]
fn a_proof_that_cannot_be_given_is_named() {
    let missing = said(&GOOD.replace("$DATA/ca.key", "$DATA/none.key"), false).expect_err("missing");
    assert!(missing.contains("fleet.yaml:17: ") && missing.contains("none.key"), "{missing}");
    let another = said(&GOOD.replace("$DATA/ca.key", "$DATA/other.key"), false).expect_err("another's");
    assert!(another.contains("fleet.yaml:17: ") && another.contains("proof_of_possession"), "{another}");
    let later = GOOD.replace("{ key: $DATA/ca.key }", "{ certificate: $DATA/not-yet.crt }");
    assert_eq!(said(&later, false), Ok(1), "its code comes with the upload");
}

#[test]
fn a_certificate_of_no_ca_is_named() {
    let data = data();
    let ca = [data.path().join("ca.crt"), data.path().join("ca.key")];
    let common = pki::Common { out: data.path().into(), key: pki::KeyKind::P256, days: 30 };
    pki::run(&pki::PkiCommand::Device(pki::DeviceArguments {
        ca: ca[0].clone(),
        ca_key: ca[1].clone(),
        subject: "CN=truck-1".into(),
        name: Some("leaf".into()),
        with_chain: false,
        common,
    }))
    .expect("made");
    let text = GOOD.replace("$DATA/ca.crt", "$DATA/leaf.crt");
    let document = Document::parse(Path::new("fleet.yaml"), &text, data.path()).expect("of the right shape");
    let reason = check(document, false).map_err(|error| error.to_string()).expect_err("a device's");
    assert!(reason.contains("ca_certificates[0]: the CA certificate is refused"), "{reason}");
}

#[test]
fn where_self_registration_is_not_available_is_a_warning() {
    let basic = GOOD.replace("edition: standard", "edition: basic");
    assert_eq!(said(&basic, false), Ok(1), "the registrars' own table may say otherwise");
}
