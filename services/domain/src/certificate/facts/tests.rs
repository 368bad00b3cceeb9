//! Hostile subjects, one certificate each, and bytes that are nearly a certificate.

use proptest::prelude::*;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::certificate::cross_check;
use crate::certificate::test_certificates::{self, Authority, Blank, CN, NOW, UTF8, attribute, rdn, tlv};

/// The facts of a genuine certificate with this Subject (content of the Name).
fn facts_of(subject: Vec<u8>) -> Result<CertificateFacts, FactsError> {
    let ca = Authority::root("ca");
    CertificateFacts::from_der(&ca.issue(&Blank::device(subject), &test_certificates::key()))
}

fn cn_of(subject: Vec<u8>) -> Result<String, AttributeFault> {
    facts_of(subject).unwrap().attribute(SubjectAttribute::CommonName).map(ToOwned::to_owned)
}

#[test]
fn all_seven_attributes_are_found_and_no_other() {
    let numbers = [
        test_certificates::C,
        test_certificates::O,
        test_certificates::OU,
        test_certificates::DN_QUALIFIER,
        test_certificates::ST,
        CN,
        test_certificates::SERIAL_NUMBER,
    ];
    let mut subject: Vec<u8> = numbers.iter().flat_map(|number| rdn(*number, UTF8, &[b'A' + number])).collect();
    subject.extend(rdn(7, UTF8, b"Locality"));
    let facts = facts_of(subject).unwrap();
    for (attribute, number) in SubjectAttribute::ALL.into_iter().zip(numbers) {
        assert_eq!(facts.attribute(attribute), Ok(std::str::from_utf8(&[b'A' + number]).unwrap()), "{attribute}");
    }
    assert_eq!(facts.subject.len(), 7);
}

#[test]
fn what_openssl_would_print_is_what_is_kept() {
    let ca = Authority::root("ca");
    let der = ca.issue(&Blank::v1(test_certificates::cn("device")).valid(-60, 60), &test_certificates::key());
    let facts = CertificateFacts::from_der(&der).unwrap();
    assert_eq!(facts.sha256, <[u8; 32]>::from(Sha256::digest(&der)));
    assert_eq!(facts.sha1, <[u8; 20]>::from(Sha1::digest(&der)));
    assert_eq!((facts.not_before, facts.not_after), (NOW.plus_s(-60), NOW.plus_s(60)));
    assert_eq!(facts.version, X509Version::V1);
    assert_eq!(CertificateFacts::from_der(&ca.der).unwrap().version, X509Version::V3);
}

#[test]
fn f6_text_is_read_by_its_tag() {
    use AttributeFault::{Empty, Undecodable};
    for (tag, bytes, expected) in [
        (0x0c, "设备-1".as_bytes(), Ok("设备-1")),
        (0x0c, b"\xff\xfe", Err(Undecodable)),
        (0x0c, b"\xed\xa0\x80", Err(Undecodable)),
        (0x12, b"00 42", Ok("00 42")),
        (0x12, b"42a", Err(Undecodable)),
        (0x13, b"Acme (1), x=y", Ok("Acme (1), x=y")),
        (0x13, b"under_score", Err(Undecodable)),
        (0x13, b"caf\xc3\xa9", Err(Undecodable)),
        (0x14, b"T61 plain", Ok("T61 plain")),
        (0x14, b"T61 \xe9", Err(Undecodable)),
        (0x14, b"cost$", Err(Undecodable)),
        (0x16, b"a@b_c", Ok("a@b_c")),
        (0x16, b"\x80", Err(Undecodable)),
        (0x1a, b"visible", Ok("visible")),
        (0x1a, b"tab\t", Err(Undecodable)),
        (0x1c, b"\0\0\0A\0\x01\xf6\0", Ok("A\u{1f600}")),
        (0x1c, b"\0\0\0", Err(Undecodable)),
        (0x1c, b"\x7f\xff\xff\xff", Err(Undecodable)),
        (0x1e, b"\0A\x8b\xbe", Ok("A设")),
        (0x1e, b"\0", Err(Undecodable)),
        (0x1e, b"\xd8\x3d\xde\0", Err(Undecodable)),
        (0x04, b"octets", Err(Undecodable)),
        (0x02, b"\x01", Err(Undecodable)),
        (0x1b, b"general", Err(Undecodable)),
        (0x2c, b"\x0c\x01a", Err(Undecodable)),
        (0x0c, b"", Err(Empty)),
        (0x1e, b"", Err(Empty)),
    ] {
        assert_eq!(cn_of(rdn(CN, tag, bytes)).as_deref(), expected.as_deref(), "tag {tag:#x}, {bytes:02x?}");
    }
}

#[test]
fn f6_a_dn_string_is_never_taken_apart() {
    for text in ["Acme, CN=admin", "a+CN=b", "a=b", r"a\,b", "a;b", "\"quoted\"", "<x>", "#04024869", "/CN=admin"] {
        let facts = facts_of(rdn(test_certificates::O, UTF8, text.as_bytes())).unwrap();
        assert_eq!(facts.attribute(SubjectAttribute::Organization), Ok(text));
        assert_eq!(facts.attribute(SubjectAttribute::CommonName), Err(AttributeFault::Absent));
    }
}

#[test]
fn f6_a_subject_is_read_to_its_end() {
    // A reader that stops at the first RDN it cannot read would see one CN here, and another reader the other.
    for hidden in [tlv(0x31, &[]), tlv(0x30, &[]), tlv(0x31, &tlv(0x30, &[0x06])), vec![0x31, 0x7f], rdn(CN, 0x1f, b"x")] {
        let subject = [test_certificates::cn("seen"), hidden, test_certificates::cn("unseen")].concat();
        assert!(matches!(facts_of(subject), Err(FactsError::Malformed { .. })));
    }
    let with_rest = tlv(0x31, &tlv(0x30, &[&attribute(CN, UTF8, b"a")[2..], &tlv(UTF8, b"b")].concat()));
    assert!(matches!(facts_of(with_rest), Err(FactsError::Malformed { .. })));
}

#[test]
fn f7_an_attribute_that_is_there_twice_is_not_there() {
    let apart = [test_certificates::cn("a"), test_certificates::cn("b")].concat();
    let multi_valued = tlv(0x31, &[attribute(CN, UTF8, b"a"), attribute(CN, UTF8, b"b")].concat());
    let thrice_and_the_same = [test_certificates::cn("a"), test_certificates::cn("a"), test_certificates::cn("a")].concat();
    for subject in [apart, multi_valued, thrice_and_the_same] {
        assert_eq!(cn_of(subject), Err(AttributeFault::Repeated));
    }
    // Several attributes in one RDN are just that.
    let mixed = tlv(0x31, &[attribute(CN, UTF8, b"a"), attribute(test_certificates::OU, UTF8, b"b")].concat());
    assert_eq!(cn_of(mixed).as_deref(), Ok("a"));
}

#[test]
fn f7_a_thousand_repetitions_keep_nothing() {
    let facts = facts_of((0..400).flat_map(|_| rdn(test_certificates::OU, UTF8, b"unit")).collect()).unwrap();
    assert_eq!(facts.subject, [(SubjectAttribute::OrganizationalUnit, Err(AttributeFault::Repeated))]);
}

#[test]
fn f8_what_cannot_be_seen_cannot_be_used() {
    for text in [
        "nul\0",
        "\0",
        "cr\r",
        "lf\nX-Header: 1",
        "crlf\r\n",
        "tab\t",
        "esc\u{1b}[31m",
        "del\u{7f}",
        "nel\u{85}",
        "line\u{2028}",
        "paragraph\u{2029}",
        "rlo\u{202e}moc",
        "isolate\u{2066}",
        "mark\u{200f}",
        "alm\u{61c}",
        "zero\u{200b}width",
        "joiner\u{200d}",
        "bom\u{feff}",
        "soft\u{ad}hyphen",
        "tag\u{e0041}",
        "filler\u{3164}",
    ] {
        assert_eq!(cn_of(test_certificates::cn(text)), Err(AttributeFault::ControlCharacter), "{text:?}");
    }
    assert_eq!(cn_of(rdn(CN, 0x1e, b"\0A\0\0")), Err(AttributeFault::ControlCharacter), "NUL in a BMPString");
    assert_eq!(cn_of(rdn(CN, 0x16, b"a\r\n")), Err(AttributeFault::ControlCharacter));
}

#[test]
fn f9_f10_separators_and_placeholders_are_text() {
    for text in
        ["a.b", "a*", ">", "+", "#", "a/b", "$SYS", "a b", "${devices.deviceId}", "{{cn}}", "$1", "%s", "<b>", "{\"a\":1}"]
    {
        assert_eq!(cn_of(test_certificates::cn(text)).as_deref(), Ok(text));
    }
}

#[test]
fn f25_long_names_and_look_alikes_are_themselves() {
    for chars in [64, 65, 256, 257, 4000] {
        assert_eq!(cn_of(test_certificates::cn(&"n".repeat(chars))).unwrap().len(), chars);
    }
    let ca = Authority::root("ca");
    let huge = ca.issue(&Blank::device(test_certificates::cn(&"n".repeat(32_000))), &test_certificates::key());
    assert!(matches!(CertificateFacts::from_der(&huge), Err(FactsError::TooLarge { max: 16384, .. })));
    for (one, other) in [("Device", "device"), ("scope", "ѕсоре"), ("é", "e\u{301}")] {
        assert_ne!(cn_of(test_certificates::cn(one)), cn_of(test_certificates::cn(other)));
    }
}

#[test]
fn f8_what_people_see_is_escaped_and_short() {
    let facts = facts_of(test_certificates::cn(&format!("\"{}", "n".repeat(100)))).unwrap();
    let shown = facts.display_name();
    assert!(shown.starts_with("\"nnn") && shown.ends_with('…') && shown.chars().count() == 65, "{shown}");
    assert_eq!(facts_of(test_certificates::cn("a\nb")).unwrap().display_name(), "");
    assert_eq!(facts_of(Vec::new()).unwrap().display_name(), "");
}

#[test]
fn only_one_whole_certificate_of_v1_or_v3_is_read() {
    let ca = Authority::root("ca");
    let of = |blank: Blank| CertificateFacts::from_der(&ca.issue(&blank, &test_certificates::key()));
    let device = || Blank::device(test_certificates::cn("d"));
    let v1 = || Blank::v1(test_certificates::cn("d"));
    assert!(of(device()).is_ok() && of(v1()).is_ok());
    let refused = [
        Blank { version: vec![0xa0, 0x03, 0x02, 0x01, 0x01], ..device() },
        Blank { version: vec![0xa0, 0x03, 0x02, 0x01, 0x00], ..device() },
        Blank { version: vec![0xa0, 0x03, 0x02, 0x01, 0x03], ..device() },
        Blank { serial: vec![0xff], ..device() },
        Blank { serial: vec![0x00, 0x01], ..device() },
        Blank { serial: vec![], ..device() },
        Blank { unique_ids: tlv(0x81, &[0, 1]), ..device() },
        Blank { unique_ids: tlv(0x82, &[0, 1]), ..v1() },
        v1().with(test_certificates::key_usage(0x80)),
        Blank { inner_algorithm: Some(tlv(0x30, &[0x06, 0x03, 0x2b, 0x65, 0x70])), ..v1() },
        device().valid(60, -60),
    ];
    for (n, blank) in refused.into_iter().enumerate() {
        assert!(matches!(of(blank), Err(FactsError::Malformed { .. })), "case {n}");
    }
    let mut trailing = ca.device("d");
    trailing.extend([0, 0]);
    assert_eq!(CertificateFacts::from_der(&trailing), Err(FactsError::TrailingBytes { bytes: 2 }));
    assert!(CertificateFacts::from_der(&[]).is_err());
}

#[test]
fn f26_a_megabyte_is_refused_unread() {
    let huge = vec![0x30; 1 << 20];
    assert_eq!(CertificateFacts::from_der(&huge), Err(FactsError::TooLarge { bytes: 1 << 20, max: 16384 }));
}

/// One genuine certificate for all mutations: making keys is slow.
fn genuine() -> &'static [u8] {
    static DER: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    DER.get_or_init(|| {
        let subject = [
            test_certificates::cn("device"),
            rdn(test_certificates::OU, 0x13, b"unit"),
            rdn(test_certificates::O, 0x1e, b"\0A"),
        ]
        .concat();
        Authority::root("ca")
            .issue(&Blank::device(subject).with(test_certificates::extended_key_usage(&[2])), &test_certificates::key())
    })
}

proptest! {
    #[test]
    fn mutated_certificates_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut der = genuine().to_vec();
        for (at, byte) in changes {
            let at = at.index(der.len());
            der[at] = byte;
        }
        let _ = CertificateFacts::from_der(&der);
        let _ = crate::certificate::authority::examine(&der, NOW);
    }

    #[test]
    fn cut_certificates_are_refused(at in any::<prop::sample::Index>()) {
        prop_assert!(CertificateFacts::from_der(&genuine()[..at.index(genuine().len())]).is_err());
    }

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(CertificateFacts::from_der(&bytes).is_err());
    }

    /// What is accepted, another reader accepts too and reads alike. (The reverse does not hold: ours is stricter.)
    #[test]
    fn another_reader_agrees(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3)) {
        let mut der = genuine().to_vec();
        for (at, byte) in changes {
            let at = at.index(der.len());
            der[at] = byte;
        }
        if let Ok(facts) = CertificateFacts::from_der(&der) {
            let names = |number: u8| -> Option<Vec<u8>> {
                let (_, other) = X509Certificate::from_der(&der).ok()?;
                let found: Vec<_> = other
                    .subject()
                    .iter_attributes()
                    .filter(|found| found.attr_type().as_bytes() == [0x55, 0x04, number])
                    .map(|found| found.as_slice().to_vec())
                    .collect();
                (found.len() == 1).then(|| found.concat())
            };
            if let (Ok(ours), Some(theirs)) = (facts.attribute(SubjectAttribute::CommonName), names(CN)) {
                prop_assert!(!ours.is_ascii() || theirs.len() != ours.len() || theirs == ours.as_bytes());
            }
        }
    }
}

#[test]
fn f31_what_is_written_down_is_read_alike_by_two_readers() {
    let ca = Authority::root("ca");
    let genuine = ca.issue(&Blank::device(test_certificates::cn("device")), &test_certificates::key());
    assert_eq!(CertificateFacts::confirmed_from_der(&genuine), CertificateFacts::from_der(&genuine));
    // Of this Subject x509-parser sees no CN: it stops at the attribute before, whose tag it does not know.
    let mut subject = rdn(test_certificates::O, 0x1f, b"x");
    subject.extend(rdn(CN, UTF8, b"device"));
    let ambiguous = ca.issue(&Blank::device(subject), &test_certificates::key());
    assert!(CertificateFacts::confirmed_from_der(&ambiguous).is_err());
}

#[test]
fn the_cross_check_notices_other_facts() {
    let ca = Authority::root("ca");
    let der = ca.issue(&Blank::device(test_certificates::cn("device")), &test_certificates::key());
    let facts = CertificateFacts::from_der(&der).unwrap();
    let other = |change: fn(&mut CertificateFacts)| {
        let mut facts = facts.clone();
        change(&mut facts);
        cross_check::confirm(&der, &facts).unwrap_err()
    };
    assert!(other(|facts| facts.subject[0].1 = Ok("another".into())).ends_with("its CN"));
    assert!(other(|facts| facts.subject.clear()).ends_with("its CN"));
    assert!(other(|facts| facts.not_after = facts.not_after.plus_s(1)).ends_with("its validity"));
    assert!(other(|facts| facts.version = X509Version::V1).ends_with("its version"));
}
