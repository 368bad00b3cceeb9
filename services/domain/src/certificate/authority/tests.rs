//! Every check of an upload and of a proof, each with a certificate that fails it alone.

use super::*;
use crate::certificate::test_certificates::{self, Authority, Blank, NOW, basic_constraints, extension, key_usage, tlv};

const CODE: &str = "2c8b5905-b34a-4b64-8112-f6c047ae065c";

fn examined(blank: Blank) -> Result<AuthorityFacts, AuthorityFault> {
    examine(&Authority::made(blank, test_certificates::key()).der, NOW)
}

fn plain() -> Blank {
    Blank { extensions: Vec::new(), ..Blank::authority(test_certificates::cn("ca")) }
}

#[test]
fn a_proper_ca_certificate_is_accepted() {
    let facts = examined(Blank::authority(test_certificates::cn("Acme Devices"))).unwrap();
    assert_eq!(facts.cn_name, "Acme Devices");
    assert_eq!(
        (facts.not_before, facts.not_after),
        (NOW.plus_s(-test_certificates::DAY_S), NOW.plus_s(test_certificates::DAY_S))
    );
    assert!(examined(plain().with(basic_constraints(true, true, Some(0)))).is_ok(), "keyUsage may be absent");
}

#[test]
fn an_intermediate_may_be_uploaded() {
    let below = Authority::root("root").below(Blank::authority(test_certificates::cn("plant")));
    assert_eq!(examine(&below.der, NOW).unwrap().cn_name, "plant");
}

#[test]
fn every_accepted_algorithm_is_accepted() {
    for algorithm in [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_RSA_SHA256] {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        assert!(examine(&Authority::made(Blank::authority(test_certificates::cn("ca")), key).der, NOW).is_ok());
    }
}

#[test]
fn a_renewed_certificate_has_the_same_name_and_key() {
    let key = test_certificates::key();
    let of = |blank: Blank| examine(&blank.issued(&test_certificates::cn("ca"), &key, &key), NOW).unwrap();
    let old = of(Blank::authority(test_certificates::cn("ca")));
    let new = of(Blank::authority(test_certificates::cn("ca")).valid(-10, 10_000_000));
    assert_eq!(old.name_and_key_sha256, new.name_and_key_sha256);
    assert_ne!(old.sha256, new.sha256);
    let twin = examined(Blank::authority(test_certificates::cn("ca"))).unwrap();
    assert_ne!(twin.name_and_key_sha256, old.name_and_key_sha256);
}

#[test]
fn f2_what_is_no_ca_is_not_accepted_as_one() {
    assert!(matches!(examined(plain()), Err(AuthorityFault::NotAnAuthority { .. })));
    assert!(matches!(
        examined(plain().with(basic_constraints(true, false, None))),
        Err(AuthorityFault::NotAnAuthority { .. })
    ));
    assert!(matches!(
        examined(plain().with(basic_constraints(false, true, None))),
        Err(AuthorityFault::NotAnAuthority { .. })
    ));
    let ca = || plain().with(basic_constraints(true, true, None));
    assert_eq!(examined(ca().with(key_usage(0x80))), Err(AuthorityFault::MayNotSign));
    assert_eq!(examined(Blank::v1(test_certificates::cn("ca"))), Err(AuthorityFault::NotVersion3));
    let v2 = Blank { version: vec![0xa0, 0x03, 0x02, 0x01, 0x01], ..plain() };
    assert_eq!(examined(v2), Err(AuthorityFault::NotVersion3));
}

#[test]
fn f29_dates_are_kept_to_the_second() {
    let blank = Blank::authority(test_certificates::cn("ca"));
    assert_eq!(examined(blank.clone().valid(-10, -1)), Err(AuthorityFault::NotValidNow));
    assert_eq!(examined(blank.clone().valid(1, 10)), Err(AuthorityFault::NotValidNow));
    assert!(examined(blank.clone().valid(0, 0)).is_ok());
}

#[test]
fn unknown_critical_extensions_are_named() {
    let fault = |oid: &str| Err(AuthorityFault::UnknownCriticalExtension { oid: oid.into() });
    let blank = || Blank::authority(test_certificates::cn("ca"));
    assert_eq!(examined(blank().with(extension(36, true, &[0x30, 0x00]))), fault("2.5.29.36"));
    assert!(examined(blank().with(extension(36, false, &[0x30, 0x00]))).is_ok());
    let private =
        test_certificates::sequence(&[&[0x06, 0x05, 0x2b, 0x06, 0x01, 0x81, 0x00], &[0x01, 0x01, 0xff], &[0x04, 0x00]]);
    assert_eq!(examined(blank().with(private)), fault("1.3.6.1.128"));
    let server_only = extension(37, true, &tlv(0x30, &tlv(0x06, &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01])));
    assert_eq!(examined(blank().with(server_only)), fault("2.5.29.37"));
}

#[test]
fn an_extension_that_is_there_twice_is_malformed() {
    let twice = Blank::authority(test_certificates::cn("ca")).with(basic_constraints(true, false, None));
    assert!(matches!(examined(twice), Err(AuthorityFault::Malformed { .. })));
}

#[test]
fn an_empty_subject_names_nobody() {
    assert_eq!(examined(Blank::authority(Vec::new())), Err(AuthorityFault::EmptySubject));
}

fn rsa_public_key(bytes: usize) -> Vec<u8> {
    let key =
        test_certificates::sequence(&[&tlv(0x02, &[&[0x00], &vec![0xc1; bytes][..]].concat()), &[0x02, 0x03, 1, 0, 1]]);
    let rsa = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
    test_certificates::sequence(&[&tlv(0x30, &rsa), &tlv(0x03, &[&[0x00], &key[..]].concat())])
}

#[test]
fn f26_keys_too_short_and_too_long_are_refused_by_their_size() {
    for (bytes, says) in [(128, "1024 bits"), (255, "2040 bits"), (1025, "8200 bits"), (2048, "16384 bits")] {
        let weak =
            examined(Blank { public_key: Some(rsa_public_key(bytes)), ..Blank::authority(test_certificates::cn("ca")) });
        assert!(matches!(&weak, Err(AuthorityFault::WeakKey { reason }) if reason.contains(says)), "{weak:?}");
    }
    for algorithm in [&[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01][..], &[0x06, 0x03, 0x2b, 0x65, 0x71]] {
        let key = test_certificates::sequence(&[&tlv(0x30, algorithm), &tlv(0x03, &[0; 58])]);
        let other = examined(Blank { public_key: Some(key), ..Blank::authority(test_certificates::cn("ca")) });
        assert!(matches!(other, Err(AuthorityFault::WeakKey { .. })));
    }
}

#[test]
fn old_hashes_and_false_self_signatures_are_refused() {
    // sha1WithRSAEncryption, md5WithRSAEncryption, ecdsa-with-SHA1.
    for oid in [
        &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x05, 0x05, 0x00][..],
        &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x04, 0x05, 0x00],
        &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01],
    ] {
        let old = examined(Blank { algorithm: Some(tlv(0x30, oid)), ..Blank::authority(test_certificates::cn("ca")) });
        assert!(matches!(old, Err(AuthorityFault::WeakSignature { .. })));
    }
    let not_its_own = Blank::authority(test_certificates::cn("ca")).issued(
        &test_certificates::cn("ca"),
        &test_certificates::key(),
        &test_certificates::key(),
    );
    assert!(matches!(examine(&not_its_own, NOW), Err(AuthorityFault::WeakSignature { .. })));
}

#[test]
fn name_constraints_are_only_those_that_can_be_honoured() {
    let constrained = |base: &[u8]| {
        let value = test_certificates::sequence(&[&tlv(0xa0, &tlv(0x30, base))]);
        examined(Blank::authority(test_certificates::cn("ca")).with(extension(30, true, &value)))
    };
    assert!(constrained(&tlv(0x82, b"example.com")).is_ok());
    assert!(constrained(&tlv(0x87, &[192, 0, 2, 0, 255, 255, 254, 0])).is_ok());
    for (base, kind) in [
        (tlv(0xa4, &tlv(0x30, &test_certificates::cn("x"))), "directoryName"),
        (tlv(0x81, b"example.com"), "rfc822Name"),
        (tlv(0x86, b"example.com"), "uniformResourceIdentifier"),
    ] {
        assert_eq!(constrained(&base), Err(AuthorityFault::NameConstraints { kind: kind.into() }));
    }
    for mask in [[255, 0, 255, 0], [255, 254, 1, 0], [254, 255, 0, 0], [127, 0, 0, 0]] {
        let base = tlv(0x87, &[[192, 0, 2, 0], mask].concat());
        assert!(matches!(constrained(&base), Err(AuthorityFault::Malformed { .. })), "{mask:?}");
    }
}

#[test]
fn a_name_for_people_is_made_of_what_there_is() {
    let of = |subject: Vec<u8>| examined(Blank::authority(subject)).unwrap().cn_name;
    let parts = [
        test_certificates::rdn(test_certificates::O, test_certificates::UTF8, b"Acme"),
        test_certificates::rdn(test_certificates::OU, test_certificates::UTF8, b"\"x\""),
    ]
    .concat();
    assert_eq!(of(parts), "O=Acme, OU=\"x\"");
    assert_eq!(of([test_certificates::cn("a"), test_certificates::cn("b")].concat()), "");
    assert!(of(test_certificates::cn(&"n".repeat(200))).chars().count() <= 65);
}

#[test]
fn f28_possession_is_proven_by_the_current_code_under_this_very_key() {
    let ca = Authority::root("ca");
    let prove = |proof: &[u8]| prove_possession(&ca.der, proof, CODE, NOW);
    let key = test_certificates::key();
    for blank in [Blank::v1(test_certificates::cn(CODE)), Blank::device(test_certificates::cn(CODE))] {
        assert_eq!(prove(&ca.issue(&blank, &key)), Ok(()));
        assert_eq!(prove(&ca.issue(&blank.clone().valid(-10, -1), &key)), Err(ProofFault::NotValidNow));
        assert_eq!(prove(&ca.issue(&blank.clone().valid(1, 10), &key)), Err(ProofFault::NotValidNow));
        let twin = Authority::root("ca");
        assert_eq!(prove(&twin.issue(&blank, &key)), Err(ProofFault::NotSignedByCa));
        let below = ca.below(Blank::authority(test_certificates::cn("plant")));
        assert_eq!(prove(&below.issue(&blank, &key)), Err(ProofFault::NotSignedByCa), "not signed directly");
        let other_name = blank.issued(&test_certificates::cn("other"), &key, &ca.key);
        assert_eq!(prove(&other_name), Err(ProofFault::NotSignedByCa));
    }
    for subject in [
        test_certificates::cn("another-code"),
        test_certificates::cn(&CODE.to_uppercase()),
        test_certificates::cn(&format!("{CODE} ")),
        [test_certificates::cn(CODE), test_certificates::cn(CODE)].concat(),
        test_certificates::rdn(test_certificates::OU, test_certificates::UTF8, CODE.as_bytes()),
        Vec::new(),
    ] {
        assert!(matches!(prove(&ca.issue(&Blank::device(subject), &key)), Err(ProofFault::WrongCode { .. })));
    }
    let sha1 = Blank {
        algorithm: Some(tlv(0x30, &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01])),
        ..Blank::device(test_certificates::cn(CODE))
    };
    let fault = prove(&ca.issue(&sha1, &key)).unwrap_err();
    assert_eq!(fault, ProofFault::WeakSignature { algorithm: "ECDSA with SHA-1".into() });
    let other = prove(&ca.issue(&Blank::device(test_certificates::cn("O'Brien")), &key)).unwrap_err();
    assert_eq!(other.to_string(), "the verification certificate's CN is not the current verification code: it is O'Brien");
    let none = prove(&ca.issue(&Blank::device(Vec::new()), &key)).unwrap_err();
    assert!(none.to_string().ends_with("it is not in the Subject"), "{none}");
    assert!(matches!(prove(b"-----BEGIN"), Err(ProofFault::Malformed { .. })));
}

#[test]
fn a_ca_certificate_as_easy_rsa_and_keytool_make_it_is_told_the_way_out() {
    let fault = examined(plain().with(basic_constraints(false, true, None))).unwrap_err().to_string();
    assert!(fault.contains("not critical") && fault.contains("easy-rsa and keytool"), "{fault}");
    let leaf = examined(plain().with(basic_constraints(true, false, None))).unwrap_err().to_string();
    assert!(leaf.contains("CA:FALSE") && !leaf.contains("easy-rsa"), "{leaf}");
}

#[test]
fn a_ca_certificate_whose_issuers_name_is_no_der_is_refused() {
    let key = test_certificates::key();
    let blank = Blank::authority(test_certificates::cn("ca"));
    let issuer = [test_certificates::cn("above"), vec![0x31, 0x00]].concat();
    let fault = examine(&blank.issued(&issuer, &key, &key), NOW).unwrap_err();
    assert!(matches!(&fault, AuthorityFault::Malformed { reason } if reason.contains("its issuer's name")), "{fault}");
}
