//! Fleet files with faults: each is named with file, line, field and rule.

use std::path::Path;

use super::*;

/// A data folder with a CA certificate in `ca.crt`.
fn data() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let made = params.self_signed(&rcgen::KeyPair::generate().expect("a key")).expect("a certificate");
    std::fs::write(folder.path().join("ca.crt"), made.pem()).expect("written");
    folder
}

fn parse(text: &str) -> Result<Document, String> {
    let data = data();
    let document = Document::parse(Path::new("fleet.yaml"), text, data.path()).and_then(Document::without_fault);
    document.map_err(|error| error.to_string())
}

const GOOD: &str = r#"
instances:
  - id: north
    access_domain: North.Example
    edition: standard
    region: cn-north-4
    resource_spaces:
      - id: vehicles
        products: [{ id: truck }]
        policies:
          - id: topics
            statement: [{ effect: ALLOW, actions: ["iotda:devices:publish"], resources: ["topic:a/*"] }]
            bind: { resource_space: true, products: [truck] }
        ca_certificates:
          - id: ca
            certificate: $DATA/ca.crt
            template: by-cn
    templates:
      - id: by-cn
        body:
          parameters: { "iotda::certificate::common_name": { type: String } }
          resources: { device: { node_id: { ref: "iotda::certificate::common_name" }, product_id: truck } }
"#;

#[test]
fn a_good_file_is_read_whole() {
    let document = parse(GOOD).expect("without fault");
    let instance = &document.instances[0].item;
    assert_eq!(&*instance.instance.access_domain, "north.example", "names are compared in lower case");
    assert_eq!(instance.instance.devices_max, None, "no word about it leaves what there is");
    let bounded = parse(&GOOD.replace("cn-north-4", "cn-north-4\n    devices_max: 50000")).expect("without fault");
    assert_eq!(bounded.instances[0].item.instance.devices_max, Some(50_000));
    let space = &instance.spaces[0].item;
    assert_eq!((&*space.name, space.products.len()), ("vehicles", 1), "an id does for a name");
    let ca = &space.cas[0].item;
    assert!(ca.self_registration, "a template without a word about self-registration means it");
    assert_eq!(ca.proof, Proof::Later);
    assert!(space.policies[0].item.bound_to_space);
}

#[test]
fn the_demo_is_without_fault() {
    let data = data();
    std::fs::create_dir(data.path().join("demo")).expect("made");
    std::fs::rename(data.path().join("ca.crt"), data.path().join("demo/ca.crt")).expect("moved");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/demo/fleet.yaml");
    let document = Document::read(&file, data.path()).and_then(Document::without_fault).expect("without fault");
    assert_eq!(document.instances.len(), 2);
    assert_eq!(document.warnings, [], "its policies isolate");
}

#[test]
fn own_policies_beside_the_default_one_are_warned_of() {
    let with = |line: &str| parse(&GOOD.replace("- id: vehicles", &format!("- id: vehicles\n        {line}")));
    let warnings = |document: Document| document.warnings.iter().map(ToString::to_string).collect::<Vec<_>>();
    let plain = parse(GOOD).expect("without fault");
    assert_eq!(plain.instances[0].item.spaces[0].item.default_policy, None);
    let said = warnings(plain);
    assert!(said.len() == 1 && said[0].starts_with("11: instances[0].resource_spaces[0].policies[0]: "), "{said:?}");
    assert!(said[0].contains("topics") && said[0].contains("`default_policy: none` into vehicles"), "{said:?}");
    assert_eq!(warnings(with("default_policy: none").expect("without fault")), [""; 0]);
    assert_eq!(warnings(with("default_policy: allow").expect("without fault")).len(), 1);
    let said = with("default_policy: deny").expect_err("must be refused");
    assert!(said.starts_with("fleet.yaml:9:") && said.contains("deny"), "{said}");
    let denying = parse(&GOOD.replace("effect: ALLOW", "effect: DENY")).expect("without fault");
    assert_eq!(warnings(denying), [""; 0], "a DENY counts beside it");
}

#[test]
fn every_fault_is_named_with_its_line_and_field() {
    let faulty = GOOD
        .replace("id: vehicles", "id: vehicles!")
        .replace("topic:a/*", "a/*")
        .replace("$DATA/ca.crt", "$DATA/none.crt")
        .replace("product_id: truck }", "product_id: tru.ck }");
    let said = parse(&faulty).expect_err("must be refused");
    for expected in [
        "4 faults",
        "fleet.yaml:8: instances[0].resource_spaces[0].id: resource space id holds '!'",
        "fleet.yaml:12: instances[0].resource_spaces[0].policies[0].statement[0].resources[0]: ",
        "fleet.yaml:16: instances[0].resource_spaces[0].ca_certificates[0].certificate: cannot read ",
        "instances[0].templates[0].body.resources.device.product_id: ",
    ] {
        assert!(said.contains(expected), "{expected:?} is not in\n{said}");
    }
}

#[test]
fn an_unknown_field_is_refused_with_its_place_and_the_nearest() {
    let said = parse(&GOOD.replace("access_domain:", "acces_domain:")).expect_err("must be refused");
    assert!(said.starts_with("fleet.yaml:4:"), "{said}");
    assert!(said.ends_with("(did you mean `access_domain`?)"), "{said}");
}

#[test]
fn self_registration_without_a_template_is_refused() {
    let said = parse(&GOOD.replace("template: by-cn", "self_registration: true")).expect_err("must be refused");
    assert!(said.contains("self_registration: needs a template"), "{said}");
}

#[test]
fn what_is_no_yaml_is_refused_with_its_place() {
    let said = parse("instances:\n  - id: [\n").expect_err("must be refused");
    assert!(said.starts_with("fleet.yaml:"), "{said}");
}

#[test]
fn what_is_declared_twice_is_refused() {
    let twice = GOOD.replace("products: [{ id: truck }]", "products: [{ id: truck }, { id: truck }]");
    let said = parse(&twice).expect_err("must be refused");
    assert!(said.contains("products[1]: product truck is declared at line 9 already"), "{said}");
}

#[test]
fn f43_a_key_in_place_of_a_ca_certificate_is_named_and_not_quoted() {
    let data = data();
    let key = rcgen::KeyPair::generate().expect("a key").serialize_pem().replace("\r\n", "\n").replace('\n', "\\n");
    std::fs::write(data.path().join("ca.crt"), &key).expect("written");
    let said = Document::parse(Path::new("fleet.yaml"), GOOD, data.path()).and_then(Document::without_fault);
    let said = said.map_err(|error| format!("{error} {error:?}"));
    let said = said.map(drop).expect_err("must be refused");
    assert!(
        said.contains("ca.crt holds no certificate that can be read: line 1: its line breaks are written out"),
        "{said}"
    );
    assert!(!said.contains(&key[40..50]) && !said.contains("45, 45"), "{said}");
}

#[test]
fn a_bundle_in_place_of_one_ca_certificate_is_refused() {
    let data = data();
    let file = data.path().join("ca.crt");
    let one = std::fs::read_to_string(&file).expect("read");
    std::fs::write(&file, one.repeat(2)).expect("written");
    let said = Document::parse(Path::new("fleet.yaml"), GOOD, data.path())
        .and_then(Document::without_fault)
        .map(drop)
        .expect_err("must be refused")
        .to_string();
    assert!(said.contains("a second certificate begins here, 2 in all"), "{said}");
}

#[test]
fn what_the_reader_finds_is_said_in_the_words_of_the_file() {
    for (from, to, place, expected) in [
        ("region: cn-north-4", "region: [cn-north-4]", "fleet.yaml:6:", "give a text here"),
        (
            "region: cn-north-4",
            "region: cn-north-4\n    devices_max: many",
            "fleet.yaml:7:",
            "give a whole number from 0 here",
        ),
        ("region: cn-north-4", "region:", "fleet.yaml:6:", "nothing is given here: give a text"),
        ("region: cn-north-4", "edition: basic", "fleet.yaml:6:", "`edition` stands twice in one place: keep one"),
        ("    region: cn-north-4\n", "", "fleet.yaml:17:", "the field `region` is missing"),
        ("edition: standard", "edition: gold", "fleet.yaml:5:", "`gold` cannot stand here: give one of basic, standard"),
        (
            "products: [{ id: truck }]",
            "products: { id: truck }",
            "fleet.yaml:9:",
            "give a list (lines that begin with `- `) here",
        ),
        ("resource_space: true", "resource_space: maybe", "fleet.yaml:13:", "give true or false here"),
        ("region: cn-north-4", "\tregion: cn-north-4", "fleet.yaml:5:", "a tab is no indentation: use blanks"),
        ("region: cn-north-4", "region: *everywhere", "fleet.yaml:6:", "names nothing that an anchor"),
    ] {
        let said = parse(&GOOD.replace(from, to)).expect_err(to);
        assert!(said.starts_with(place) && said.contains(expected), "{to:?}: {said}");
        for private in ["Raw", "struct", "invalid type", "Option<", "Policy in Options", "unit value"] {
            assert!(!said.contains(private), "{to:?}: {said}");
        }
    }
    assert!(parse("").expect_err("empty").contains("it begins with `instances:`"));
}

#[test]
fn only_data_is_replaced_and_that_is_said() {
    for path in ["$HOME/ca.crt", "${DATA}/ca.crt", "~/ca.crt", "$DATABASE/ca.crt"] {
        let said = parse(&GOOD.replace("$DATA/ca.crt", path)).expect_err(path);
        assert!(
            said.contains("fleet.yaml:16: ") && said.contains("only $DATA/ at the start of a path is replaced"),
            "{said}"
        );
    }
}

#[test]
fn an_instance_with_a_fault_is_left_out_and_the_others_are_not() {
    let data = data();
    let south = GOOD.split_once("instances:\n").expect("begins so").1.replace("north", "south").replace("North", "South");
    let both = format!("{}{}", GOOD.replace("id: vehicles", "id: vehicles!"), south);
    let document = Document::parse(Path::new("fleet.yaml"), &both, data.path()).expect("of the right shape");
    let left: Vec<_> = document.instances.iter().map(|instance| instance.item.instance.id.as_str()).collect();
    assert_eq!(left, ["south"]);
    assert!(document.faults.iter().all(|fault| fault.place.field.starts_with("instances[0]")), "{:?}", document.faults);
    document.without_fault().expect_err("the file as a whole has one");
}
