//! Chains that hold, and every way that one does not.

use proptest::prelude::*;
use rcgen::KeyPair;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::certificate::{
    name,
    test_certificates::{self, Authority, Blank, NOW, basic_constraints, cn, extended_key_usage, key_usage, tlv},
};

fn ca(id: &str) -> CaId {
    CaId::parse(id).unwrap()
}

fn store(anchors: &[(&str, &Authority)]) -> TrustStore {
    TrustStore::new(anchors.iter().map(|(id, authority)| (ca(id), &authority.der[..])))
}

fn proven(store: &TrustStore, chain: &[&[u8]]) -> Result<String, PathError> {
    store.prove(chain, NOW).map(|proven| proven.ca.to_string())
}

/// What is kept of an authority in a path: its hash is the one that an upload records.
fn kept(authority: &Authority) -> ChainCertificate {
    let facts = crate::certificate::authority::examine(&authority.der, NOW).unwrap();
    let (not_before, not_after) = (facts.not_before, facts.not_after);
    ChainCertificate { name_and_key_sha256: facts.name_and_key_sha256, not_before, not_after }
}

fn below(issuer: &Authority, name: &str) -> Authority {
    issuer.below(Blank::authority(cn(name)))
}

#[test]
fn a_device_is_proven_directly_or_through_intermediates() {
    let root = Authority::root("root");
    let plant = below(&root, "plant");
    let line = below(&plant, "line");
    let trusted = store(&[("root", &root)]);
    assert_eq!(proven(&trusted, &[&root.device("d")]).as_deref(), Ok("root"));
    assert_eq!(proven(&trusted, &[&plant.device("d"), &plant.der]).as_deref(), Ok("root"));
    assert_eq!(proven(&trusted, &[&line.device("d"), &line.der, &plant.der]).as_deref(), Ok("root"));
    assert_eq!(proven(&trusted, &[&line.device("d"), &line.der, &plant.der, &root.der]).as_deref(), Ok("root"));
}

#[test]
fn the_path_is_handed_back_nearest_first_without_what_it_did_not_need() {
    let root = Authority::root("root");
    let plant = below(&root, "plant");
    let line = below(&plant, "line");
    let beside = below(&root, "beside");
    let trusted = store(&[("root", &root)]);
    let device = line.device("d");
    for presented in [
        [&device, &line.der, &plant.der, &beside.der].map(|der| &der[..]),
        [&device, &beside.der, &plant.der, &line.der].map(|der| &der[..]),
        [&device, &plant.der, &root.der, &line.der].map(|der| &der[..]),
    ] {
        let proven = trusted.prove(&presented, NOW).unwrap();
        assert_eq!(proven.chain, [kept(&line), kept(&plant), kept(&root)]);
    }
    // An anchor that is not a root ends the path.
    let nearer = store(&[("plant", &plant)]).prove(&[&device, &line.der, &plant.der], NOW).unwrap();
    assert_eq!(nearer.chain, [kept(&line), kept(&plant)]);
    // X.509 v1: by the CA itself, whatever comes with it.
    let v1 = root.issue(&Blank::v1(cn("d")), &test_certificates::key());
    assert_eq!(trusted.prove(&[&v1, &plant.der], NOW).unwrap().chain, [kept(&root)]);
}

#[test]
fn every_accepted_kind_of_key_is_proven_v1_and_v3() {
    for algorithm in
        [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_RSA_SHA256]
    {
        let root = Authority::made(Blank::authority(cn("root")), KeyPair::generate_for(algorithm).unwrap());
        let trusted = store(&[("root", &root)]);
        for (blank, v1) in [(Blank::v1(cn("d")), true), (Blank::device(cn("d")), false)] {
            let der = root.issue(&blank, &test_certificates::key());
            let ca_sha256 = Sha256::digest(&root.der).into();
            assert_eq!(trusted.prove(&[&der], NOW), Ok(Proven { ca: ca("root"), ca_sha256, v1, chain: vec![kept(&root)] }));
        }
    }
}

#[test]
fn nothing_and_nobody() {
    let root = Authority::root("root");
    assert!(TrustStore::new([]).is_empty() && !store(&[("root", &root)]).is_empty());
    assert_eq!(proven(&TrustStore::new([]), &[&root.device("d")]), Err(PathError::UnknownIssuer));
    assert_eq!(proven(&store(&[("root", &root)]), &[]), Err(PathError::Empty));
    let damaged = TrustStore::new([(ca("root"), &root.der[1..])]);
    assert!(damaged.is_empty());
}

#[test]
fn f2_a_leaf_never_issues() {
    let root = Authority::root("root");
    let trusted = store(&[("root", &root)]);
    let no_constraints = || Blank { extensions: Vec::new(), ..Blank::authority(cn("leaf")) };
    for blank in [
        no_constraints(),
        no_constraints().with(basic_constraints(true, false, None)),
        no_constraints().with(basic_constraints(true, true, None)).with(key_usage(0x80)),
        no_constraints().with(basic_constraints(true, true, None)).with(key_usage(0x02)),
    ] {
        let leaf = root.below(blank);
        assert!(matches!(proven(&trusted, &[&leaf.device("d"), &leaf.der]), Err(PathError::NotPermitted { .. })));
    }
    let v1 = root.below(Blank::v1(cn("leaf")));
    assert!(matches!(proven(&trusted, &[&v1.device("d"), &v1.der]), Err(PathError::NotPermitted { .. })));
}

#[test]
fn f2_path_lengths_of_anchors_and_intermediates_are_kept() {
    let of = |length| {
        Authority::made(
            Blank {
                extensions: vec![basic_constraints(true, true, length), key_usage(0x04)],
                ..Blank::authority(cn("root"))
            },
            test_certificates::key(),
        )
    };
    for (length, holds) in [(None, true), (Some(1), true), (Some(0), false)] {
        let root = of(length);
        let plant = below(&root, "plant");
        let trusted = store(&[("root", &root)]);
        assert_eq!(proven(&trusted, &[&plant.device("d"), &plant.der]).is_ok(), holds, "{length:?}");
        assert!(proven(&trusted, &[&root.device("d")]).is_ok());
    }
    let root = Authority::root("root");
    let plant = root.below(Blank {
        extensions: vec![basic_constraints(true, true, Some(0)), key_usage(0x04)],
        ..Blank::authority(cn("plant"))
    });
    let line = below(&plant, "line");
    let error = proven(&store(&[("root", &root)]), &[&line.device("d"), &line.der, &plant.der]);
    assert!(matches!(error, Err(PathError::NotPermitted { .. })), "{error:?}");
}

#[test]
fn f2_f29_everything_on_the_path_is_within_its_validity() {
    let (old, young) = ((-100, -1), (1, 100));
    for ((from, to), kind) in [(old, "expired"), (young, "not_yet_valid")] {
        let kind_of = |outcome: Result<String, PathError>| outcome.map_err(|error| error.kind());
        let root = Authority::root("root");
        let trusted = store(&[("root", &root)]);
        for blank in [Blank::device(cn("d")), Blank::v1(cn("d"))] {
            let der = root.issue(&blank.valid(from, to), &test_certificates::key());
            assert_eq!(kind_of(proven(&trusted, &[&der])), Err(kind));
        }
        let plant = root.below(Blank::authority(cn("plant")).valid(from, to));
        assert_eq!(kind_of(proven(&trusted, &[&plant.device("d"), &plant.der])), Err(kind));
        let anchor = Authority::made(Blank::authority(cn("anchor")).valid(from, to), test_certificates::key());
        let trusted = store(&[("anchor", &anchor)]);
        assert_eq!(kind_of(proven(&trusted, &[&anchor.device("d")])), Err(kind), "the anchor itself");
        let v1 = anchor.issue(&Blank::v1(cn("d")), &test_certificates::key());
        assert_eq!(kind_of(proven(&trusted, &[&v1])), Err(kind));
    }
}

#[test]
fn f29_validity_is_kept_to_the_millisecond() {
    let root = Authority::root("root");
    let trusted = store(&[("root", &root)]);
    for blank in [Blank::device(cn("d")), Blank::v1(cn("d"))] {
        let der = root.issue(&blank.valid(1, 2), &test_certificates::key());
        for (ms, expected) in [(999, Err("not_yet_valid")), (1000, Ok(())), (2000, Ok(())), (2001, Err("expired"))] {
            let now = Timestamp::from_unix_ms(NOW.unix_ms() + ms);
            assert_eq!(trusted.prove(&[&der], now).map(|_| ()).map_err(|error| error.kind()), expected, "{ms} ms");
        }
    }
}

#[test]
fn f3_order_and_extra_certificates_do_not_matter() {
    let root = Authority::root("root");
    let (plant, stranger) = (below(&root, "plant"), Authority::root("stranger"));
    let line = below(&plant, "line");
    let device = line.device("d");
    let trusted = store(&[("root", &root)]);
    for chain in [
        &[&device[..], &plant.der, &line.der][..],
        &[&device, &line.der, &line.der, &plant.der],
        &[&device, &device, &line.der, &plant.der],
        &[&device, &stranger.der, &line.der, &plant.der],
        &[&device, &line.der, &plant.der, &root.der, &stranger.device("other")],
    ] {
        assert_eq!(proven(&trusted, chain).as_deref(), Ok("root"));
    }
}

#[test]
fn f3_a_chain_without_its_links_does_not_hold() {
    let root = Authority::root("root");
    let plant = below(&root, "plant");
    let line = below(&plant, "line");
    let trusted = store(&[("root", &root)]);
    for chain in [&[&line.device("d")[..]][..], &[&line.device("d"), &line.der], &[&line.device("d"), &plant.der]] {
        assert_eq!(proven(&trusted, chain), Err(PathError::UnknownIssuer));
    }
    // An anchor that the device brings along is no anchor.
    let stranger = Authority::root("stranger");
    assert_eq!(proven(&trusted, &[&stranger.device("d"), &stranger.der]), Err(PathError::UnknownIssuer));
}

#[test]
fn f3_the_first_certificate_is_the_device_whatever_follows() {
    let (root, stranger) = (Authority::root("root"), Authority::root("stranger"));
    let trusted = store(&[("root", &root)]);
    assert_eq!(proven(&trusted, &[&stranger.device("d"), &root.device("d")]), Err(PathError::UnknownIssuer));
    // Reversed: then the CA certificate is the device, which it may not be.
    let plant = below(&root, "plant");
    assert!(matches!(proven(&trusted, &[&plant.der, &plant.device("d")]), Err(PathError::WrongPurpose { .. })));
}

#[test]
fn f3_a_cross_signed_intermediate_leads_to_either_root() {
    let (one, other) = (Authority::root("one"), Authority::root("other"));
    let plant = below(&one, "plant");
    let crossed = other.issue(&Blank::authority(cn("plant")), &plant.key);
    let device = plant.device("d");
    for (id, root) in [("one", &one), ("other", &other)] {
        let trusted = store(&[(id, root)]);
        assert_eq!(proven(&trusted, &[&device, &plant.der, &crossed]).as_deref(), Ok(id));
        assert_eq!(proven(&trusted, &[&device, &crossed, &plant.der]).as_deref(), Ok(id));
    }
}

#[test]
fn f18_the_nearest_anchor_owns_the_device() {
    let root = Authority::root("root");
    let plant = below(&root, "plant");
    let device = plant.device("d");
    for anchors in [[("root", &root), ("plant", &plant)], [("plant", &plant), ("root", &root)]] {
        let trusted = store(&anchors);
        assert_eq!(proven(&trusted, &[&device, &plant.der, &root.der]).as_deref(), Ok("plant"));
        assert_eq!(proven(&trusted, &[&device]).as_deref(), Ok("plant"));
        assert_eq!(proven(&trusted, &[&root.device("d")]).as_deref(), Ok("root"));
    }
}

#[test]
fn f18_the_shorter_of_two_paths_wins_in_any_order() {
    // plant is known to a far root through a holding, and directly to a near one.
    let (far, near) = (Authority::root("far"), Authority::root("near"));
    let holding = below(&far, "holding");
    let plant = below(&holding, "plant");
    let crossed = near.issue(&Blank::authority(cn("plant")), &plant.key);
    let device = plant.device("d");
    let trusted = store(&[("far", &far), ("near", &near)]);
    for chain in [
        [&device[..], &plant.der, &holding.der, &crossed],
        [&device, &crossed, &plant.der, &holding.der],
        [&device, &holding.der, &plant.der, &crossed],
    ] {
        assert_eq!(proven(&trusted, &chain).as_deref(), Ok("near"));
    }
}

#[test]
fn f18_an_expired_nearest_anchor_does_not_hand_its_devices_to_a_wider_one() {
    let root = Authority::root("root");
    let plant = root.below(Blank::authority(cn("plant")).valid(-100, -1));
    let renewed = root.issue(&Blank::authority(cn("plant")), &plant.key);
    let trusted = store(&[("root", &root), ("plant", &plant)]);
    let error = proven(&trusted, &[&plant.device("d"), &renewed]).unwrap_err();
    assert!(matches!(&error, PathError::Expired(lapse) if lapse.link == Link::Ca(ca("plant"))), "{error}");
    // The renewed certificate of the same CA, once it is an anchor, takes its place.
    let both = TrustStore::new([(ca("old"), &plant.der[..]), (ca("new"), &renewed[..])]);
    assert_eq!(proven(&both, &[&plant.device("d")]).as_deref(), Ok("new"));
}

#[test]
fn f19_twins_are_told_apart_by_their_keys() {
    let (one, other) = (Authority::root("twin"), Authority::root("twin"));
    let trusted = store(&[("one", &one), ("other", &other)]);
    for (id, twin) in [("one", &one), ("other", &other)] {
        for blank in [Blank::v1(cn("d")), Blank::device(cn("d"))] {
            assert_eq!(proven(&trusted, &[&twin.issue(&blank, &test_certificates::key())]).as_deref(), Ok(id));
        }
        let plant = below(twin, "plant");
        assert_eq!(proven(&trusted, &[&plant.device("d"), &plant.der]).as_deref(), Ok(id));
    }
    let stranger = Authority::root("twin");
    for blank in [Blank::v1(cn("d")), Blank::device(cn("d"))] {
        assert_eq!(proven(&trusted, &[&stranger.issue(&blank, &test_certificates::key())]), Err(PathError::BadSignature));
    }
    assert!(proven(&trusted, &[&stranger.device("d"), &stranger.der]).is_err());
}

#[test]
fn a_device_certificate_is_for_client_authentication() {
    let root = Authority::root("root");
    let trusted = store(&[("root", &root)]);
    let of =
        |extension| proven(&trusted, &[&root.issue(&Blank::device(cn("d")).with(extension), &test_certificates::key())]);
    assert!(of(extended_key_usage(&[2])).is_ok() && of(extended_key_usage(&[1, 2])).is_ok());
    assert!(of(key_usage(0x80)).is_ok() && of(key_usage(0xa0)).is_ok());
    for extension in
        [extended_key_usage(&[1]), extended_key_usage(&[]), basic_constraints(true, true, None), key_usage(0x20)]
    {
        assert!(matches!(of(extension), Err(PathError::WrongPurpose { .. })));
    }
    assert!(matches!(of(test_certificates::extension(99, true, &[])), Err(PathError::Malformed { index: 0, .. })));
}

#[test]
fn v1_is_accepted_only_when_signed_directly_by_an_anchor() {
    let root = Authority::root("root");
    let plant = below(&root, "plant");
    let trusted = store(&[("root", &root)]);
    let v1 = plant.issue(&Blank::v1(cn("d")), &test_certificates::key());
    let indirect = proven(&trusted, &[&v1, &plant.der]).unwrap_err();
    assert!(indirect.to_string().contains("X.509 v1, which is accepted only directly under a verified CA"), "{indirect}");
    let direct = root.issue(&Blank::v1(cn("d")), &test_certificates::key());
    assert_eq!(proven(&trusted, &[&direct, &plant.der]).as_deref(), Ok("root"), "what else is presented is ignored");
    for blank in [
        Blank { unique_ids: tlv(0x81, &[0, 1]), ..Blank::v1(cn("d")) },
        Blank { inner_algorithm: Some(tlv(0x30, &[0x06, 0x03, 0x2b, 0x65, 0x70])), ..Blank::v1(cn("d")) },
        Blank::v1(cn("d")).with(key_usage(0x80)),
    ] {
        let der = root.issue(&blank, &test_certificates::key());
        assert!(matches!(proven(&trusted, &[&der]), Err(PathError::Malformed { index: 0, .. })));
    }
}

#[test]
fn a_v1_handshake_is_verified_with_the_key_of_the_certificate() {
    use rcgen::{PublicKeyData, SigningKey};
    let root = Authority::root("root");
    let key = test_certificates::key();
    let der = root.issue(&Blank::v1(cn("d")), &key);
    let public_key = raw_public_key(&der).unwrap();
    assert_eq!(public_key, key.subject_public_key_info());
    let entity = rustls_pki_types::SubjectPublicKeyInfoDer::from(public_key);
    let entity = webpki::RawPublicKeyEntity::try_from(&entity).unwrap();
    let signature = key.sign(b"handshake").unwrap();
    let algorithm = webpki::aws_lc_rs::ECDSA_P256_SHA256;
    assert!(entity.verify_signature(algorithm, b"handshake", &signature).is_ok());
}

#[test]
fn one_changed_bit_breaks_the_signature() {
    let root = Authority::root("root");
    let trusted = store(&[("root", &root)]);
    for blank in [Blank::v1(cn("device")), Blank::device(cn("device"))] {
        let mut der = root.issue(&blank, &test_certificates::key());
        let at = der.windows(6).position(|window| window == b"device").unwrap();
        der[at] ^= 1;
        assert_eq!(proven(&trusted, &[&der]), Err(PathError::BadSignature));
    }
}

#[test]
fn weak_keys_and_old_hashes_do_not_hold() {
    let root = Authority::root("root");
    let trusted = store(&[("root", &root)]);
    let short = {
        let modulus = tlv(0x02, &[&[0x00], &[0xc1; 128][..]].concat());
        let key = test_certificates::sequence(&[&modulus, &[0x02, 0x03, 1, 0, 1]]);
        let rsa = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];
        test_certificates::sequence(&[&tlv(0x30, &rsa), &tlv(0x03, &[&[0x00], &key[..]].concat())])
    };
    let p521 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let sha1 = tlv(0x30, &[0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01]);
    for blank in [Blank::v1(cn("d")), Blank::device(cn("d"))] {
        let ders = [
            root.issue(&Blank { public_key: Some(short.clone()), ..blank.clone() }, &test_certificates::key()),
            root.issue(&blank, &p521),
            root.issue(&Blank { algorithm: Some(sha1.clone()), ..blank.clone() }, &test_certificates::key()),
        ];
        for der in ders {
            assert!(matches!(proven(&trusted, &[&der]), Err(PathError::WeakKey { .. })));
        }
    }
    let plant = root.issue(&Blank { public_key: Some(short), ..Blank::authority(cn("plant")) }, &test_certificates::key());
    let device = Blank::device(cn("d")).issued(&cn("plant"), &test_certificates::key(), &test_certificates::key());
    assert!(matches!(proven(&trusted, &[&device, &plant]), Err(PathError::WeakKey { .. })));
}

#[test]
fn f26_long_huge_and_tangled_chains_are_refused_before_any_signature() {
    let root = Authority::root("root");
    let trusted = store(&[("root", &root)]);
    let device = root.device("d");
    let hundred: Vec<&[u8]> = std::iter::repeat_n(&device[..], 100).collect();
    assert_eq!(proven(&trusted, &hundred), Err(PathError::TooLong { certificates: 100, max: 6 }));
    let huge = root.issue(
        &Blank::device(cn("d")).with(test_certificates::extension(17, false, &vec![0; 1 << 20])),
        &test_certificates::key(),
    );
    assert!(matches!(proven(&trusted, &[&huge]), Err(PathError::Malformed { index: 0, .. })));
    assert_eq!(proven(&trusted, &[&device, &huge]).as_deref(), Ok("root"), "what does not belong is left out");
    // Many CAs of one name that issue each other: every order of them would be a path to try.
    let tangle: Vec<Authority> = (0..5).map(|_| Authority::root("root")).collect();
    let mut chain = vec![&device[..]];
    chain.extend(tangle.iter().map(|authority| &authority.der[..]));
    assert!(matches!(proven(&trusted, &chain), Err(PathError::Malformed { index: 3, .. })));
}

#[test]
fn bytes_after_a_certificate_are_refused() {
    let root = Authority::root("root");
    let trusted = store(&[("root", &root)]);
    for blank in [Blank::v1(cn("d")), Blank::device(cn("d"))] {
        let mut der = root.issue(&blank, &test_certificates::key());
        der.push(0);
        assert!(matches!(proven(&trusted, &[&der]), Err(PathError::Malformed { index: 0, .. })));
    }
    let plant = below(&root, "plant");
    let mut trailing = plant.der.clone();
    trailing.push(0);
    assert!(matches!(proven(&trusted, &[&plant.device("d"), &trailing]), Err(PathError::Malformed { index: 1, .. })));
}

/// A store and a chain with an intermediate, made once: keys are slow.
fn genuine() -> &'static (TrustStore, [Vec<u8>; 2]) {
    static GENUINE: std::sync::OnceLock<(TrustStore, [Vec<u8>; 2])> = std::sync::OnceLock::new();
    GENUINE.get_or_init(|| {
        let root = Authority::root("root");
        let plant = below(&root, "plant");
        (store(&[("root", &root)]), [plant.device("device"), plant.der])
    })
}

proptest! {
    /// No byte of a proven chain can be another: strict DER leaves no second spelling of what is not signed.
    #[test]
    fn no_mutation_of_a_chain_is_proven(at in any::<prop::sample::Index>(), byte in any::<u8>(), which in 0..2_usize) {
        let (trusted, chain) = genuine();
        let mut chain = chain.clone();
        let at = at.index(chain[which].len());
        let changed = chain[which][at] != byte;
        chain[which][at] = byte;
        let holds = trusted.prove(&[&chain[0], &chain[1]], NOW).is_ok();
        prop_assert_eq!(holds, !changed);
    }
}

/// What is said of a chain that does not hold, and whom it is from.
fn blamed(store: &TrustStore, chain: &[&[u8]]) -> (String, Option<String>) {
    let unproven = store.judge(chain, NOW).unwrap_err();
    (unproven.error.to_string(), unproven.from.map(|from| from.ca.to_string()))
}

#[test]
fn what_breaks_a_rule_is_told_from_what_is_from_nobody() {
    let root = Authority::root("root");
    let trusted = store(&[("root", &root)]);
    let p521 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512).unwrap();
    let key = test_certificates::key();
    let device = || Blank::device(cn("d"));
    for (blank, key, says) in [
        (
            device().valid(-100, -1),
            &key,
            "the device certificate (CN=d) expired at 2025-12-31T23:59:59Z; the clock here says 2026-01-01T00:00:00Z",
        ),
        (
            device().valid(1, 100),
            &key,
            "the device certificate (CN=d) is not valid before 2026-01-01T00:00:01Z; the clock here says 2026-01-01T00:00:00Z",
        ),
        (device().with(extended_key_usage(&[1])), &key, "its extended key usage leaves out client authentication"),
        (device().with(key_usage(0x20)), &key, "its keyUsage does not allow digitalSignature"),
        (device().with(basic_constraints(true, true, None)), &key, "it is a CA certificate (basicConstraints CA:TRUE)"),
        (
            device().with(test_certificates::extension(99, true, &[])),
            &key,
            "it has the critical extension 2.5.29.99, which is not processed",
        ),
        (Blank { serial: vec![0x80], ..device() }, &key, "it has a negative serial number"),
        (Blank { serial: vec![0x80], ..Blank::v1(cn("d")) }, &key, "it has a negative serial number"),
        (device(), &p521, "the device certificate has an elliptic curve other than P-256 and P-384"),
    ] {
        let genuine = root.issue(&blank, key);
        let (said, from) = blamed(&trusted, &[&genuine]);
        assert!(said.contains(says), "{said}");
        assert_eq!(from.as_deref(), Some("root"), "{said}");
        let twin = Authority::root("root");
        assert_eq!(blamed(&trusted, &[&twin.issue(&blank, key)]).1, None, "{said}");
        assert_eq!(blamed(&trusted, &[&twin.issue(&blank, key), &root.der]).1, None, "{said}");
    }
}

#[test]
fn the_intermediate_that_breaks_a_rule_is_blamed_and_not_what_is_above_it() {
    let root = Authority::root("root");
    let trusted = store(&[("root", &root)]);
    let plain = |name: &str| Blank { extensions: Vec::new(), ..Blank::authority(cn(name)) };
    let plant = |blank: Blank| {
        let plant = root.below(blank);
        let line = below(&plant, "line");
        blamed(&trusted, &[&line.device("d"), &line.der, &plant.der, &root.der])
    };
    for (blank, says, from_root) in [
        (
            Blank::authority(cn("plant")).valid(-100, -1),
            "certificate 2 of the chain (CN=plant) expired at 2025-12-31T23:59:59Z",
            true,
        ),
        // Whoever has the key of a certificate that may not issue is no CA: it could name any device.
        (plain("plant"), "certificate 2 of the chain (CN=plant) is not a CA certificate (basicConstraints)", false),
        (
            plain("plant").with(basic_constraints(true, true, None)).with(key_usage(0x02)),
            "certificate 2 of the chain (CN=plant) may not sign certificates (keyUsage has no keyCertSign)",
            false,
        ),
        (
            plain("plant").with(basic_constraints(true, true, Some(0))),
            "certificate 2 of the chain (CN=plant) allows 0 CA certificates below it (pathLenConstraint), and 1 are there",
            true,
        ),
    ] {
        let (said, from) = plant(blank);
        assert!(said.contains(says), "{said}");
        assert_eq!(from.as_deref(), from_root.then_some("root"), "{said}");
    }
}

#[test]
fn an_issuer_that_is_named_with_other_bytes_is_told_so() {
    let root = Authority::root("Acme  Root");
    let printable = test_certificates::rdn(test_certificates::CN, 0x13, b"acme root");
    let device = Blank::device(cn("d")).issued(&printable, &test_certificates::key(), &root.key);
    let (said, from) = blamed(&store(&[("root", &root)]), &[&device]);
    assert!(
        said.starts_with("the issuer of the device certificate matches CA certificate root by text, not by encoding"),
        "{said}"
    );
    assert_eq!(from.as_deref(), Some("root"));
    let stranger = Blank::device(cn("d")).issued(&printable, &test_certificates::key(), &test_certificates::key());
    assert_eq!(blamed(&store(&[("root", &root)]), &[&stranger]).1, None);
}

#[test]
fn f26_no_more_signatures_are_tried_for_a_refused_chain_than_for_a_good_one() {
    let (root, key) = (Authority::root("root"), test_certificates::key());
    let trusted = store(&[("root", &root)]);
    // Each issues each: every order of them would be a lineage to try.
    let tangle: Vec<Authority> =
        (0..5).map(|_| Authority::made(Blank::authority(cn("tangle")), test_certificates::key())).collect();
    let device = Blank::device(cn("d")).valid(-2, -1).issued(&cn("tangle"), &key, &tangle[4].key);
    let mut chain = vec![&device[..]];
    chain.extend(tangle.iter().map(|authority| &authority.der[..]));
    assert_eq!(blamed(&trusted, &chain).1, None);
}

#[test]
fn f26_an_issuers_name_is_read_once_for_all_ca_certificates_and_not_if_it_is_huge() {
    let cas: Vec<_> = (0..limits::CA_CERTIFICATES_PER_INSTANCE_MAX).map(|n| Authority::root(&format!("root-{n}"))).collect();
    let ids: Vec<_> = (0..cas.len()).map(|n| format!("ca-{n}")).collect();
    let trusted = store(&ids.iter().map(String::as_str).zip(&cas).collect::<Vec<_>>());
    // A stranger's certificate, whose issuer has that many attributes of that many bytes.
    let read = |attributes: usize, bytes: usize| {
        let issuer = test_certificates::rdn(test_certificates::CN, test_certificates::UTF8, &vec![b'x'; bytes]);
        let key = test_certificates::key();
        let der = Blank::device(cn("d")).issued(&issuer.repeat(attributes), &key, &key);
        let before = name::texts_read();
        assert_eq!(blamed(&trusted, &[&der]).1, None);
        name::texts_read() - before
    };
    assert_eq!(read(32, 1), 32, "once, however many CA certificates there are");
    assert!(read(33, 1) <= 32);
    assert_eq!((read(1200, 1), read(2, 600)), (0, 0), "not at all");
}

#[test]
fn a_devices_key_makes_nothing_that_is_from_its_ca() {
    let root = Authority::root("root");
    let trusted = store(&[("root", &root)]);
    let victim = || Blank::device(cn("victim")).valid(-100, -1);
    let plain = || Blank { extensions: Vec::new(), ..Blank::authority(cn("thief")) };
    for blank in [
        Blank::device(cn("thief")),
        Blank::device(cn("thief")).with(key_usage(0x80)),
        plain().with(basic_constraints(true, true, None)).with(key_usage(0x80)),
        Blank::v1(cn("thief")),
    ] {
        let thief = root.below(blank);
        let forged = thief.issue(&victim(), &test_certificates::key());
        for chain in [&[&forged[..], &thief.der][..], &[&forged, &thief.der, &root.der]] {
            let (said, from) = blamed(&trusted, chain);
            assert_eq!(from, None, "{said}");
        }
        // A CA that it has made itself stands between.
        let made = below(&thief, "made");
        let forged = made.issue(&victim(), &test_certificates::key());
        assert_eq!(blamed(&trusted, &[&forged, &made.der, &thief.der]).1, None);
    }
    let plant = below(&root, "plant");
    let genuine = plant.issue(&victim(), &test_certificates::key());
    assert_eq!(blamed(&trusted, &[&genuine, &plant.der]).1.as_deref(), Some("root"), "a CA may issue");
}

#[test]
fn what_a_distrusted_intermediate_signed_is_from_nobody() {
    let root = Authority::root("root");
    let plant = below(&root, "plant");
    let distrusted = [kept(&plant).name_and_key_sha256].into_iter().collect();
    let trusted = TrustStore::without([(ca("root"), &root.der[..])], distrusted);
    for (blank, kind) in [
        (Blank::device(cn("d")), "distrusted"),
        (Blank::device(cn("d")).valid(-100, -1), "expired"),
        (Blank::v1(cn("d")), "distrusted"),
    ] {
        let device = plant.issue(&blank, &test_certificates::key());
        let unproven = trusted.judge(&[&device, &plant.der], NOW).unwrap_err();
        assert_eq!((unproven.error.kind(), unproven.from), (kind, None));
    }
}

#[test]
fn no_text_names_an_error_of_a_library() {
    for error in [webpki::Error::BadDer, webpki::Error::UnknownIssuer, webpki::Error::ExtensionValueInvalid] {
        assert!(!words(&error).contains(&format!("{error:?}")));
    }
}
