//! What is read, what is said of everything else, and that no text repeats a private key.

use std::{error::Error, os::unix::fs::PermissionsExt as _, sync::OnceLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use rcgen::KeyPair;

use super::*;
use crate::{
    keys::read_issuer,
    server_certificate::{PemPair, ServerCertificate},
};

/// A certificate and its key, both PEM.
fn pair() -> &'static (String, KeyPair) {
    static PAIR: OnceLock<(String, KeyPair)> = OnceLock::new();
    PAIR.get_or_init(|| {
        let key = KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec!["north.example".to_owned()]).expect("a name");
        (params.self_signed(&key).expect("a certificate").pem(), key)
    })
}

fn certificate_pem() -> String {
    pair().0.replace("\r\n", "\n")
}

fn key_pem() -> String {
    pair().1.serialize_pem().replace("\r\n", "\n")
}

fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn certificates_and_keys_are_read_whichever_way_lines_end() {
    let (certificate_text, key_text) = (certificate_pem(), key_pem());
    for end in ["\n", "\r\n", "\r"] {
        let ended = |text: &str| text.replace('\n', end);
        assert_eq!(certificates(ended(&certificate_text.repeat(3)).as_bytes()).map(|found| found.len()), Ok(3));
        assert!(certificate(ended(&format!("north's\n{certificate_text}")).as_bytes()).is_ok());
        let both = ended(&format!("{certificate_text}{key_text}"));
        assert!(certificate(both.as_bytes()).is_ok(), "other sections are passed over");
        let der = pair().1.serialize_der();
        assert_eq!(private_key(both.as_bytes()).map(|key| key.secret_der().to_vec()), Ok(der));
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    use Fault as F;
    use Wanted::{Certificate as C, PrivateKey as K};
    let (good, key) = (certificate_pem(), key_pem());
    let other = |found, wanted| F::OtherKind { found, wanted };
    let labelled = |label: &str| good.replace("CERTIFICATE", label);
    let encrypted = key.replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n", 1);
    let damaged = {
        let mut lines: Vec<&str> = good.lines().collect();
        lines[2] = "not!base64";
        lines.join("\n")
    };
    let der = STANDARD.decode(good.lines().filter(|line| !line.starts_with('-')).collect::<String>()).expect("base64");
    let bare: String = good.lines().filter(|line| !line.starts_with('-')).map(|line| format!("{line}\n")).collect();
    let cases: Vec<(Wanted, Vec<u8>, usize, Fault)> = vec![
        (C, b" \n".to_vec(), 1, F::Empty),
        (C, utf16(&good), 1, F::Utf16),
        (C, [b"\xef\xbb\xbf", good.as_bytes()].concat(), 1, F::ByteOrderMark),
        (C, der, 1, F::Der),
        (K, pair().1.serialize_der(), 1, F::Der),
        (C, b"\x30\x82\x01\x00\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02".to_vec(), 1, F::Pkcs7),
        (C, b"\x30\x82\x01\x00\x02\x01\x03\x30".to_vec(), 1, F::Pkcs12),
        (K, b"\xfe\xed\xfe\xed\0\0\0\x02".to_vec(), 1, F::JavaKeystore),
        (C, good.replace('\n', "\\n").into_bytes(), 1, F::WrittenOutNewlines),
        (K, key.replace('\n', "\\n").into_bytes(), 1, F::WrittenOutNewlines),
        (C, good.replace('\n', " ").into_bytes(), 1, F::JoinedLines),
        (C, good.replace('\n', "").into_bytes(), 1, F::JoinedLines),
        (C, format!("# one\n  {good}").into_bytes(), 2, F::NotAtLineStart),
        (C, format!("{good}key: \"{good}\"").into_bytes(), good.lines().count() + 1, F::NotAtLineStart),
        (C, format!("\n{bare}").into_bytes(), 2, F::NoFrame),
        (C, b"\nhello".to_vec(), 2, F::NotPem),
        (C, good.as_bytes()[..100].to_vec(), 1, F::NoEnd),
        (C, good.replace("END CERT", "END OTHER CERT").into_bytes(), good.lines().count(), F::OtherEnd),
        (C, damaged.into_bytes(), 3, F::Damaged),
        (K, encrypted.into_bytes(), 2, F::Encrypted),
        (K, key.replace("PRIVATE", "ENCRYPTED PRIVATE").into_bytes(), 1, F::Encrypted),
        (C, format!("\n{key}").into_bytes(), 2, other(Label::PrivateKey, C)),
        (K, good.clone().into_bytes(), 1, other(Label::Certificate, K)),
        (C, labelled("CERTIFICATE REQUEST").into_bytes(), 1, other(Label::Request, C)),
        (C, labelled("TRUSTED CERTIFICATE").into_bytes(), 1, other(Label::TrustedCertificate, C)),
        (C, labelled("X509 CRL").into_bytes(), 1, other(Label::RevocationList, C)),
        (C, labelled("PKCS7").into_bytes(), 1, other(Label::Pkcs7, C)),
        (K, labelled("PUBLIC KEY").into_bytes(), 1, other(Label::PublicKey, K)),
        (K, labelled("EC PARAMETERS").into_bytes(), 1, other(Label::Parameters, K)),
        (C, labelled("SECRET").into_bytes(), 1, other(Label::Other, C)),
    ];
    for (wanted, text, line, fault) in cases {
        let said = match wanted {
            C => certificate(&text).map(drop),
            K => private_key(&text).map(drop),
        };
        assert_eq!(said, Err(PemError { line, fault }), "{}", String::from_utf8_lossy(&text));
    }
    let line = good.lines().count() + 1;
    assert_eq!(certificate(good.repeat(3).as_bytes()), Err(PemError { line, fault: F::Several(3) }));
}

#[test]
fn a_key_that_others_may_read_is_refused_and_taken_once_they_may_not() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = PemPair::named(folder.path(), "north");
    std::fs::write(&files.certificate, certificate_pem()).expect("written");
    std::fs::write(&files.key, key_pem()).expect("written");
    let allow = |mode| std::fs::set_permissions(&files.key, std::fs::Permissions::from_mode(mode)).expect("permissions");
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let mut server = ServerCertificate::new(files.clone());
    allow(0o644);
    let said = server.refresh(&provider).expect_err("exposed").to_string();
    assert!(said.contains("north.key") && said.contains("chmod 600"), "{said}");
    allow(0o600);
    assert!(server.refresh(&provider).expect("its mode has changed"));
}

/// What people and programs do to a key file.
#[derive(Clone, Debug)]
enum Mutation {
    Newlines(&'static str),
    Prefix(&'static str),
    Label(&'static str),
    WithoutFrame,
    Utf16,
    Der,
    Cut(usize),
    Insert(usize, char),
    Remove(usize),
    AfterCertificate,
    Twice,
}

fn mutations() -> impl Strategy<Value = Vec<Mutation>> {
    use Mutation as M;
    let ends = prop::sample::select(vec!["\\n", "\\r\\n", "\r\n", "\r", " ", "", "\\\\n", "\n\n", "\t"]);
    let prefixes = prop::sample::select(vec![
        "\u{feff}",
        " ",
        "key: |\n  ",
        "\"",
        "KEY=",
        "-----BEGIN ",
        "-----BEGIN CERTIFICATE-----\n",
    ]);
    let labels =
        prop::sample::select(vec!["CERTIFICATE", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "CERTIFICATE REQUEST", "X", ""]);
    let one = prop_oneof![
        ends.prop_map(M::Newlines),
        prefixes.prop_map(M::Prefix),
        labels.prop_map(M::Label),
        Just(M::WithoutFrame),
        Just(M::Utf16),
        Just(M::Der),
        (0_usize..260).prop_map(M::Cut),
        (0_usize..260, prop::sample::select(vec!['\\', '-', '!', '\n', '=', 'ü', ':'])).prop_map(|(at, c)| M::Insert(at, c)),
        (0_usize..260).prop_map(M::Remove),
        Just(M::AfterCertificate),
        Just(M::Twice),
    ];
    prop::collection::vec(one, 0..4)
}

fn mutated(mutations: &[Mutation]) -> Vec<u8> {
    let mut text = key_pem();
    for mutation in mutations {
        let at = |at: &usize| (0..=(*at).min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text = match mutation {
            Mutation::Newlines(end) => text.replace('\n', end),
            Mutation::Prefix(prefix) => format!("{prefix}{text}"),
            Mutation::Label(label) => text.replace("PRIVATE KEY", label),
            Mutation::WithoutFrame => {
                text.lines().filter(|line| !line.starts_with('-')).map(|line| format!("{line}\n")).collect()
            }
            Mutation::Utf16 => return utf16(&text),
            Mutation::Der => return pair().1.serialize_der(),
            Mutation::Cut(end) => text[..at(end)].to_owned(),
            Mutation::Insert(place, character) => {
                let at = at(place);
                format!("{}{character}{}", &text[..at], &text[at..])
            }
            Mutation::Remove(place) => text.chars().enumerate().filter(|(at, _)| at != place).map(|(_, c)| c).collect(),
            Mutation::AfterCertificate => format!("{}{text}", certificate_pem()),
            Mutation::Twice => text.repeat(2),
        };
    }
    text.into_bytes()
}

/// Everything that can be printed of an error.
fn said(error: &dyn Error) -> String {
    let mut said = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        said = format!("{said} {error} {error:?}");
        cause = error.source();
    }
    said
}

/// Where eight of the key's bytes, or of those of the file that holds it, stand in a text.
fn leak(said: &str, file: &[u8]) -> Option<String> {
    const RUN: usize = 8;
    let said_in_one_line: String = said.split_whitespace().collect::<Vec<_>>().join(" ").replace(",]", "]");
    let lower = said.to_lowercase();
    let der = pair().1.serialize_der();
    for run in der.windows(RUN).chain(file.windows(RUN)) {
        let listed: Vec<String> = run.iter().map(u8::to_string).collect();
        let hex_listed: Vec<String> = run.iter().map(|byte| format!("{byte:02x}")).collect();
        let base64 = STANDARD.encode(run);
        let found = said_in_one_line.contains(&listed.join(", "))
            || lower.contains(&hex::encode(run))
            || [" ", ":", ", "].iter().any(|between| lower.contains(&hex_listed.join(between)))
            || said.contains(&base64[..10]);
        if found {
            return Some(format!("{run:02x?}"));
        }
    }
    // The bytes in the base64 of the file itself, whichever of them a group of four begins with.
    let body: String = key_pem().lines().filter(|line| !line.starts_with('-')).collect();
    let frame = "-----BEGIN PRIVATE KEY-----";
    (0..body.len() - 10)
        .map(|at| &body[at..at + 10])
        .find(|run| !frame.contains(run) && said.contains(run))
        .map(str::to_owned)
}

proptest! {
    #[test]
    fn f43_no_error_repeats_a_private_key(mutations in mutations()) {
        let text = mutated(&mutations);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str, content: &[u8]| {
            let file = folder.path().join(name);
            std::fs::write(&file, content).expect("written");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("permissions");
            file
        };
        let (mutant, good_certificate, good_key) =
            (at("mutant.pem", &text), at("good.crt", certificate_pem().as_bytes()), at("good.key", key_pem().as_bytes()));
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let shown = |certificate: &PathBuf, key: &PathBuf| {
            ServerCertificate::new(PemPair { certificate: certificate.clone(), key: key.clone() }).refresh(&provider)
        };
        let errors: Vec<Option<Box<dyn Error>>> = vec![
            certificates(&text).err().map(Into::into),
            certificate(&text).err().map(Into::into),
            private_key(&text).err().map(Into::into),
            read_certificates(&mutant).err().map(Into::into),
            read_certificate(&mutant).err().map(Into::into),
            read_private_key(&mutant).err().map(Into::into),
            shown(&mutant, &good_key).err().map(Into::into),
            shown(&good_certificate, &mutant).err().map(Into::into),
            read_issuer(&mutant, &good_key).err().map(Into::into),
            read_issuer(&good_certificate, &mutant).err().map(Into::into),
        ];
        for error in errors.iter().flatten() {
            let said = said(error.as_ref());
            prop_assert_eq!(leak(&said, &text), None, "{}", said);
        }
    }
}

#[test]
fn the_search_for_leaks_finds_what_the_parser_says() {
    let text = key_pem().replace('\n', "\\n");
    let error = PrivateKeyDer::from_pem_slice(text.as_bytes()).expect_err("no line of its own");
    assert!(leak(&said(&error), text.as_bytes()).is_some(), "{error}");
}
