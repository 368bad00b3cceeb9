//! Limits at both ends, and values that must stay data.

use proptest::prelude::*;

use super::*;
use crate::certificate::{
    CertificateFacts, X509Version,
    test_certificates::{self, NOW},
};

const NODE: &str = "iotda::certificate::common_name";
const UNIT: &str = "iotda::certificate::organizational_unit";

/// The facts of a certificate with these attributes.
fn facts(attributes: &[(SubjectAttribute, &str)]) -> CertificateFacts {
    CertificateFacts {
        sha256: [0; 32],
        sha1: [0; 20],
        version: X509Version::V3,
        not_before: NOW,
        not_after: NOW,
        subject: attributes.iter().map(|(attribute, text)| (*attribute, Ok((*text).into()))).collect(),
    }
}

fn named(cn: &str) -> CertificateFacts {
    facts(&[(SubjectAttribute::CommonName, cn)])
}

fn fixed(text: &str) -> DraftValue {
    DraftValue::Static(text.into())
}

fn reference(name: &str) -> DraftValue {
    DraftValue::Ref(name.into())
}

/// The least that is valid: node id from CN, a fixed product.
fn least() -> TemplateDraft {
    TemplateDraft {
        parameters: vec![(NODE.into(), "String".into())],
        node_id: Some(reference(NODE)),
        product_id: Some(fixed("prod")),
        ..TemplateDraft::default()
    }
}

/// Everything from CN and OU.
fn full() -> TemplateDraft {
    TemplateDraft {
        parameters: vec![(UNIT.into(), "string".into()), (NODE.into(), "STRING".into())],
        device_name: Some(reference(UNIT)),
        device_id: Some(reference(NODE)),
        node_id: Some(reference(NODE)),
        product_id: Some(reference(UNIT)),
        tags: vec![(fixed("unit"), reference(UNIT)), (reference(UNIT), fixed("设备"))],
        policy_ids: vec!["p1".into(), "p2".into()],
        on_certificate_change: Some("replace".into()),
    }
}

/// The fields that a draft is faulted for.
fn faulted(draft: &TemplateDraft) -> Vec<String> {
    draft.validate().err().unwrap_or_default().into_iter().map(|fault| fault.field).collect()
}

#[test]
fn a_default_device_id_is_product_and_node() {
    let device = least().validate().unwrap().evaluate(&named("node-1")).unwrap();
    assert_eq!(device.device_id.as_str(), "prod_node-1");
    assert_eq!((device.node_id.as_str(), device.product_id.as_str()), ("node-1", "prod"));
    assert_eq!((device.device_name, device.tags.len(), device.policy_ids.len()), (None, 0, 0));
}

#[test]
fn every_field_is_derived_as_written() {
    let body = full().validate().unwrap();
    assert_eq!(body.parameters, [SubjectAttribute::OrganizationalUnit, SubjectAttribute::CommonName]);
    let facts = facts(&[(SubjectAttribute::CommonName, "node"), (SubjectAttribute::OrganizationalUnit, "line-7")]);
    let device = body.evaluate(&facts).unwrap();
    assert_eq!(device.device_id.as_str(), "node");
    assert_eq!(device.product_id.as_str(), "line-7");
    assert_eq!(device.device_name.as_deref(), Some("line-7"));
    let tags: Vec<_> = device.tags.iter().map(|tag| (&*tag.key, &*tag.value)).collect();
    assert_eq!(tags, [("unit", "line-7"), ("line-7", "设备")]);
    assert_eq!(device.policy_ids.len(), 2);
}

#[test]
fn what_is_required_is_asked_for_and_every_fault_is_told() {
    assert_eq!(faulted(&TemplateDraft::default()), ["resources.device.node_id", "resources.device.product_id"]);
    let draft = TemplateDraft {
        parameters: vec![
            ("iotda::certificate::locality".into(), "String".into()),
            (NODE.into(), "Integer".into()),
            (NODE.into(), "String".into()),
        ],
        device_name: Some(fixed("name")),
        device_id: Some(fixed("id")),
        node_id: Some(fixed("node")),
        product_id: Some(fixed(&"p".repeat(37))),
        tags: vec![
            (fixed("iot_x"), fixed("v")),
            (fixed(""), fixed("a b")),
            (reference(UNIT), fixed("v")),
            (fixed("k"), fixed("v")),
            (fixed("k"), fixed("w")),
        ],
        policy_ids: vec!["p".into(), "p".into(), "a/b".into()],
        on_certificate_change: Some("ignore".into()),
    };
    assert_eq!(
        faulted(&draft),
        [
            "parameters.iotda::certificate::locality",
            "parameters.iotda::certificate::common_name.type",
            "parameters.iotda::certificate::common_name",
            "resources.device.device_name",
            "resources.device.device_id",
            "resources.device.node_id",
            "resources.device.product_id",
            "resources.device.tags[0].tag_key",
            "resources.device.tags[1].tag_key",
            "resources.device.tags[1].tag_value",
            "resources.device.tags[2].tag_key",
            "resources.device.tags[4].tag_key",
            "resources.policy.policy_ids[1]",
            "resources.policy.policy_ids[2]",
            "on_certificate_change",
        ]
    );
}

#[test]
fn limits_hold_at_the_limit_and_not_beyond() {
    let tags = |count: usize| TemplateDraft {
        tags: (0..count).map(|n| (fixed(&format!("k{n}")), fixed("v"))).collect(),
        ..least()
    };
    assert!(faulted(&tags(10)).is_empty());
    assert_eq!(faulted(&tags(11)), ["resources.device.tags"]);
    let policies = |count: usize| TemplateDraft { policy_ids: (0..count).map(|n| format!("p{n}")).collect(), ..least() };
    assert!(faulted(&policies(5)).is_empty());
    assert_eq!(faulted(&policies(6)), ["resources.policy.policy_ids"]);
    let tag = |key: usize, value: usize| TemplateDraft {
        tags: vec![(fixed(&"设".repeat(key)), fixed(&"v".repeat(value)))],
        ..least()
    };
    assert!(faulted(&tag(64, 128)).is_empty());
    assert_eq!(faulted(&tag(65, 129)), ["resources.device.tags[0].tag_key", "resources.device.tags[0].tag_value"]);
}

#[test]
fn a_ref_must_be_declared() {
    let draft = TemplateDraft { device_name: Some(reference(UNIT)), ..least() };
    assert_eq!(faulted(&draft), ["resources.device.device_name"]);
    let unknown = TemplateDraft { product_id: Some(reference("${devices.deviceId}")), ..least() };
    assert_eq!(faulted(&unknown), ["resources.device.product_id"]);
}

#[test]
fn f8_a_hostile_parameter_name_is_shown_escaped_and_short() {
    let draft = TemplateDraft { parameters: vec![(format!("a\r\n{}", "x".repeat(9999)), "String".into())], ..least() };
    let field = faulted(&draft).remove(0);
    assert!(field.starts_with("parameters.a\\r\\nxxx") && field.chars().count() < 100, "{field}");
}

#[test]
fn every_declared_parameter_must_be_there_even_if_unused() {
    let mut draft = least();
    draft.parameters.push((UNIT.into(), "String".into()));
    let fault = draft.validate().unwrap().evaluate(&named("node")).unwrap_err();
    let attribute = SubjectAttribute::OrganizationalUnit;
    assert_eq!(fault, EvaluationFault::Attribute { attribute, fault: AttributeFault::Absent });
}

#[test]
fn f7_f8_an_unusable_attribute_is_named() {
    for fault in
        [AttributeFault::Repeated, AttributeFault::ControlCharacter, AttributeFault::Undecodable, AttributeFault::Empty]
    {
        let mut certificate = named("node");
        certificate.subject[0].1 = Err(fault);
        let found = least().validate().unwrap().evaluate(&certificate).unwrap_err();
        assert_eq!(found, EvaluationFault::Attribute { attribute: SubjectAttribute::CommonName, fault });
    }
}

#[test]
fn f4_values_are_never_expanded_again() {
    let draft = TemplateDraft { device_name: Some(reference(UNIT)), ..full() };
    let body = draft.validate().unwrap();
    for value in [
        "${devices.deviceId}",
        "${iotda::certificate::common_name}",
        "{{cn}}",
        "$1",
        "$0",
        "\\1",
        "%s",
        "%CN%",
        "#{node}",
        "{\"ref\": \"iotda::certificate::common_name\"}",
        "<%= cn %>",
        "$(id)",
        "`id`",
    ] {
        let facts = facts(&[(SubjectAttribute::CommonName, "node"), (SubjectAttribute::OrganizationalUnit, value)]);
        let fault = body.evaluate(&facts).unwrap_err();
        let EvaluationFault::Field { field, value: shown, .. } = fault else { panic!("{value}: {fault:?}") };
        assert_eq!((&field[..], shown), ("product_id", crate::text::shown(value, 128)));
    }
    // In a field whose characters allow it, a placeholder is kept as it is.
    let name = TemplateDraft { product_id: Some(fixed("prod")), tags: Vec::new(), ..full() }.validate().unwrap();
    let facts =
        facts(&[(SubjectAttribute::CommonName, "node"), (SubjectAttribute::OrganizationalUnit, "%s #(common_name)")]);
    assert_eq!(name.evaluate(&facts).unwrap().device_name.as_deref(), Some("%s #(common_name)"));
}

#[test]
fn f5_f9_f10_metacharacters_never_reach_an_id() {
    let body = least().validate().unwrap();
    for value in ["$", "\\", "a.b", "a*", ">", "+", "#", "a/b", "$SYS", "a b", "(a+)+$", "..", "a%00", "é", "ѕсоре"] {
        let fault = body.evaluate(&named(value)).unwrap_err();
        assert!(matches!(fault, EvaluationFault::Field { ref field, .. } if field == "node_id"), "{value}: {fault}");
    }
}

#[test]
fn f25_lengths_and_cases_of_ids() {
    let body = least().validate().unwrap();
    for (chars, holds) in [(1, true), (64, true), (65, false), (256, false), (4000, false)] {
        let outcome = body.evaluate(&named(&"n".repeat(chars)));
        assert_eq!(outcome.is_ok(), holds, "{chars}");
        if let Err(EvaluationFault::Field { value, .. }) = outcome {
            assert!(value.chars().count() <= 129);
        }
    }
    let of = |cn: &str| body.evaluate(&named(cn)).unwrap().device_id;
    assert_ne!(of("Device"), of("device"), "case twins are two devices");
    let explicit = TemplateDraft { device_id: Some(reference(UNIT)), parameters: full().parameters, ..least() };
    let explicit = explicit.validate().unwrap();
    for (chars, holds) in [(128, true), (129, false)] {
        let unit = "u".repeat(chars);
        let facts = facts(&[(SubjectAttribute::CommonName, "n"), (SubjectAttribute::OrganizationalUnit, &unit)]);
        assert_eq!(explicit.evaluate(&facts).is_ok(), holds, "{chars}");
    }
}

#[test]
fn tags_from_a_certificate_keep_the_rules_of_tags() {
    let draft = |key: DraftValue| TemplateDraft {
        parameters: full().parameters,
        tags: vec![(fixed("line"), fixed("1")), (key, reference(UNIT))],
        ..least()
    };
    let field_of = |draft: TemplateDraft, unit: &str| {
        let facts = facts(&[(SubjectAttribute::CommonName, "n"), (SubjectAttribute::OrganizationalUnit, unit)]);
        match draft.validate().unwrap().evaluate(&facts) {
            Err(EvaluationFault::Field { field, .. }) => Some(field),
            Err(other) => panic!("{other}"),
            Ok(_) => None,
        }
    };
    assert_eq!(field_of(draft(reference(UNIT)), "unit"), None);
    for unit in ["line", "iot_secret", "a b", "a/b"] {
        assert_eq!(field_of(draft(reference(UNIT)), unit).as_deref(), Some("tags[1].tag_key"), "{unit}");
    }
    assert_eq!(field_of(draft(fixed("unit")), &"v".repeat(128)), None);
    assert_eq!(field_of(draft(fixed("unit")), &"v".repeat(129)).as_deref(), Some("tags[1].tag_value"));
}

#[test]
fn a_name_may_be_chinese_and_256_long() {
    let draft = TemplateDraft { parameters: full().parameters, device_name: Some(reference(UNIT)), ..least() };
    let body = draft.validate().unwrap();
    for (name, holds) in
        [("设备 (1)".to_owned(), true), ("设".repeat(256), true), ("n".repeat(257), false), ("a\"b".into(), false)]
    {
        let facts = facts(&[(SubjectAttribute::CommonName, "n"), (SubjectAttribute::OrganizationalUnit, &name)]);
        assert_eq!(body.evaluate(&facts).is_ok(), holds, "{name}");
    }
}

#[test]
fn a_whole_certificate_becomes_a_device() {
    let ca = test_certificates::Authority::root("ca");
    let facts = CertificateFacts::from_der(&ca.device("node-9")).unwrap();
    let device = least().validate().unwrap().evaluate(&facts).unwrap();
    assert_eq!(device.device_id.as_str(), "prod_node-9");
}

fn value() -> impl Strategy<Value = DraftValue> {
    prop_oneof![
        "[a-z]{1,8}".prop_map(DraftValue::Static),
        prop::sample::select(SubjectAttribute::ALL.to_vec()).prop_map(|found| reference(found.parameter())),
    ]
}

proptest! {
    #[test]
    fn a_body_written_down_is_the_same_body(
        name in prop::option::of(prop::sample::select(SubjectAttribute::ALL.to_vec())),
        id in prop::option::of(prop::sample::select(SubjectAttribute::ALL.to_vec())),
        product in value(),
        tags in prop::collection::vec((value(), value()), 0..4),
        policies in prop::collection::btree_set("[a-z0-9]{1,36}", 0..5),
        change in prop::sample::select(vec![None, Some("reject"), Some("replace")]),
    ) {
        let draft = TemplateDraft {
            parameters: SubjectAttribute::ALL.map(|found| (found.parameter().into(), "String".into())).to_vec(),
            device_name: name.map(|found| reference(found.parameter())),
            device_id: id.map(|found| reference(found.parameter())),
            node_id: Some(reference(NODE)),
            product_id: Some(product),
            tags,
            policy_ids: policies.into_iter().collect(),
            on_certificate_change: change.map(Into::into),
        };
        if let Ok(body) = draft.validate() {
            prop_assert_eq!(body.to_draft().validate(), Ok(body));
        }
    }

    /// Whatever a certificate says: no panic, and what comes out is what went in or nothing.
    #[test]
    fn f4_f5_values_come_out_as_they_went_in(cn in "\\PC{0,80}|[a-zA-Z0-9_-]{1,70}", unit in "\\PC{0,140}|[a-z]{1,36}") {
        let facts = facts(&[(SubjectAttribute::CommonName, &cn), (SubjectAttribute::OrganizationalUnit, &unit)]);
        if let Ok(device) = full().validate().unwrap().evaluate(&facts) {
            prop_assert_eq!(device.node_id.as_str(), &cn);
            prop_assert_eq!(device.product_id.as_str(), &unit);
            prop_assert_eq!(device.device_name.as_deref(), Some(&unit[..]));
            prop_assert_eq!(&*device.tags[0].value, &unit);
        }
    }
}

impl TemplateBody {
    /// This body as a draft, as an operator would have written it.
    fn to_draft(&self) -> TemplateDraft {
        let attribute = |attribute: SubjectAttribute| DraftValue::Ref(attribute.parameter().into());
        let value = |value: &Value| match value {
            Value::Static(text) => DraftValue::Static(text.to_string()),
            Value::Attribute(found) => attribute(*found),
        };
        TemplateDraft {
            parameters: self.parameters.iter().map(|found| (found.parameter().into(), "String".into())).collect(),
            device_name: self.device_name.map(attribute),
            device_id: self.device_id.map(attribute),
            node_id: Some(attribute(self.node_id)),
            product_id: Some(value(&self.product_id)),
            tags: self.tags.iter().map(|(key, tag)| (value(key), value(tag))).collect(),
            policy_ids: self.policy_ids.iter().map(ToString::to_string).collect(),
            on_certificate_change: match self.on_certificate_change {
                OnCertificateChange::Reject => None,
                OnCertificateChange::Replace => Some("replace".into()),
            },
        }
    }
}
