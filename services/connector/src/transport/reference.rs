//! `docs/reference/tls.md`: its first tables are what this TLS offers and what the rules on chains allow. What a device gets for
//! which certificate is written by `tests/it/reference.rs`, over sockets. `BLESS=1 cargo nextest run -p rollcall-connector
//! reference` rewrites both, for review.

use std::{fmt::Write as _, fs, path::Path};

use rollcall_domain::{
    certificate::path::PathError,
    limits::{CERTIFICATE_BYTES_MAX, CHAIN_BYTES_MAX, CHAIN_CERTIFICATES_MAX, RSA_BITS_MAX, RSA_BITS_MIN},
};
use rustls::{AlertDescription, SupportedCipherSuite};

use super::{
    client_verifier::alerting,
    failures::{alert_of, name},
    sni::HELLO_BYTES_MAX,
    trust::PROVIDER,
};
use crate::config::Limits;

const PAGE: &str = "../../docs/reference/tls.md";

fn list(items: impl Iterator<Item = String>) -> String {
    items.map(|item| format!("`{item}`")).collect::<Vec<_>>().join(", ")
}

fn offered() -> String {
    let suites = |tls13: bool| {
        let of = PROVIDER.cipher_suites.iter().filter(move |suite| matches!(suite, SupportedCipherSuite::Tls13(_)) == tls13);
        list(of.map(|suite| format!("{:?}", suite.suite())))
    };
    let schemes = PROVIDER.signature_verification_algorithms.supported_schemes();
    let rows = [
        ("versions", "TLS 1.2 and 1.3".to_owned()),
        ("cipher suites of TLS 1.3", suites(true)),
        ("cipher suites of TLS 1.2", suites(false)),
        ("groups, the preferred first", list(PROVIDER.kx_groups.iter().map(|group| format!("{:?}", group.name())))),
        ("signatures of a client's handshake", list(schemes.iter().map(|scheme| format!("{scheme:?}")))),
    ];
    table(["", "offered"], &rows)
}

fn limits() -> String {
    let settings = Limits::default();
    let rows = [
        ("certificates of a chain, the device's own included", CHAIN_CERTIFICATES_MAX.to_string()),
        ("bytes of one certificate, DER", CERTIFICATE_BYTES_MAX.to_string()),
        ("bytes of all certificates of a chain (`chain_bytes_max`)", settings.chain_bytes_max.to_string()),
        ("bytes of a ClientHello, record headers included", HELLO_BYTES_MAX.to_string()),
        ("bits of an RSA key, at least", RSA_BITS_MIN.to_string()),
        ("bits of an RSA key, at most", RSA_BITS_MAX.to_string()),
        (
            "milliseconds from the connection to the end of the handshake (`handshake_ms_max`)",
            settings.handshake_ms_max.to_string(),
        ),
    ];
    assert_eq!(settings.chain_bytes_max as usize, CHAIN_BYTES_MAX, "debugging a certificate goes by the default");
    table(["what", "limit"], &rows)
}

fn table(heads: [&str; 2], rows: &[(&str, String)]) -> String {
    let mut table = format!("| {} | {} |\n| --- | --- |\n", heads[0], heads[1]);
    for (name, value) in rows {
        writeln!(table, "| {name} | {value} |").expect("a text takes it");
    }
    table
}

#[test]
fn the_reference_says_what_tls_offers() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let written = fs::read_to_string(&file).expect("the page is there");
    let mut page = written.clone();
    for (name, table) in [("offered", offered()), ("limits", limits())] {
        let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
        let from = page.find(&begin).unwrap_or_else(|| panic!("{PAGE} has no {begin}")) + begin.len();
        let to = page.find(&end).unwrap_or_else(|| panic!("{PAGE} has no {end}"));
        page.replace_range(from..to, &format!("\n{table}\n"));
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &page).expect("written");
    } else {
        assert_eq!(written, page, "{PAGE} is not what TLS offers: BLESS=1 rewrites it, for review");
    }
}

#[test]
fn the_alert_that_is_counted_is_the_one_that_is_sent() {
    let reason = || "x".to_owned();
    for error in [
        PathError::Empty,
        PathError::TooLong { certificates: 7, max: 6 },
        PathError::TooManyBytes { bytes: 7, max: 6 },
        PathError::Malformed { index: 0, reason: reason() },
        PathError::Distrusted,
        PathError::UnknownIssuer,
        PathError::BadSignature,
        PathError::NotPermitted { reason: reason() },
        PathError::WeakKey { reason: reason() },
        PathError::WrongPurpose { reason: reason() },
    ] {
        assert_eq!(name(AlertDescription::from(alerting(&error))), alert_of(&error), "{error}");
    }
}
