//! Fleet files: faults are named with file, line, field and rule; applied again they change nothing; SIGHUP applies them;
//! a CA certificate is proven by the certificate that its owner makes with openssl. They are applied through the API, by an
//! operator.

use std::{fs, path::Path, process::Command};

use rollcall_harness::{
    api::Api,
    certificates::{Authority, Form, Key, Pair, from_now},
    clients::{PahoOptions, folder, success},
    deployment::Deployment,
    fleet::{self, Instance},
    process::{rollcall, run},
    raw,
    up::Up,
};
use serde_json::json;

/// What `rollcall check-config` says of a fleet file with this text.
fn faults(folder: &Path, yaml: &str) -> String {
    let file = folder.join("checked.yaml");
    fs::write(&file, yaml).expect("written");
    let done = Command::new(rollcall()).args(["check-config", "--config"]).arg(&file).output().expect("it starts");
    assert!(!done.status.success(), "a fault goes unnoticed in\n{yaml}");
    assert!(done.stdout.is_empty());
    String::from_utf8_lossy(&done.stderr).into_owned()
}

/// The line on which `text` stands in `yaml`, from 1.
fn line_of(yaml: &str, text: &str) -> usize {
    yaml.lines().position(|line| line.contains(text)).expect("the text is in the file") + 1
}

#[test]
fn every_fault_names_file_line_field_and_rule() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let good = fleet::yaml(&[Instance::new("north", &ca.pair.certificate)]);
    // What is changed, into what, and what must be said beside file and line.
    let table = [
        ("id: north", "id: no.rth", "instances[0].id"),
        ("id: vehicles", "id: \"\"", "instances[0].resource_spaces[0].id"),
        ("id: truck", "id: tr uck", "products[0].id"),
        ("edition: standard", "edition: golden", "golden"),
        ("access_domain:", "acess_domain:", "did you mean `access_domain`"),
        ("self_registration: true", "self_registration: perhaps", "true or false"),
        ("certificate: ", "certificate: /nowhere/", "ca_certificates[0].certificate"),
        ("product_id: truck", "product_id: a.b", "templates[0].body.resources.device.product_id"),
        ("{ ref: \"iotda::certificate::common_name\" }", "{ ref: \"iotda::certificate::country\" }", "templates[0].body"),
        ("iotda::certificate::common_name: {", "iotda::certificate::nickname: {", "templates[0].body"),
    ];
    for (from, to, said) in table {
        let yaml = good.replacen(from, to, 1);
        assert_ne!(yaml, good, "{from} is in the file");
        let errors = faults(folder.path(), &yaml);
        let place = format!("checked.yaml:{}", line_of(&yaml, to));
        // A template's faults are named at the line of its body.
        let of_body = format!("checked.yaml:{}", line_of(&yaml, "        body:") + 1);
        assert!(errors.contains(&place) || errors.contains(&of_body), "{from} → {to}: no {place} in\n{errors}");
        assert!(errors.contains(said), "{from} → {to}: no {said:?} in\n{errors}");
    }
    // All faults at once, and a file that is not YAML, or not there.
    let errors = faults(folder.path(), &good.replace("id: vehicles", "id: \"\"").replacen("id: truck", "id: tr uck", 1));
    assert!(errors.contains("2 faults"), "{errors}");
    assert!(faults(folder.path(), "instances: [").contains("checked.yaml:"));
    let policy = "          - id: p\n            statement: [{ effect: ALLOW, actions: [\"iotda:devices:fly\"], resources: [\"topic:a\"] }]\n";
    let with_policy = Instance { policies: policy.into(), ..Instance::new("north", &ca.pair.certificate) };
    let errors = faults(folder.path(), &fleet::yaml(&[with_policy]));
    assert!(errors.contains("policies[0].statement") && errors.contains("iotda:devices:fly"), "{errors}");
}

#[test]
fn an_instance_with_a_fault_is_not_touched_and_ends_nothing() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let north = Instance::new("north", &ca.pair.certificate);
    let mut up = Up::embedded(folder, std::slice::from_ref(&north));
    let before = up.records().len();
    up.apply(std::slice::from_ref(&north));
    assert_eq!(up.records().len(), before, "applied again, it changes nothing");
    up.apply_text(&fleet::yaml(&[north.clone(), Instance::new("so.uth", &ca.pair.certificate)]));
    assert!(up.process().errors().contains("instances[1].id"), "{}", up.process().errors());
    assert_eq!(up.records().len(), before, "of an instance with a fault nothing is applied");
    up.apply(&[north, Instance::new("south", &ca.pair.certificate)]);
    assert_eq!(up.records_of("south", "CaVerified").len(), 1, "SIGHUP applies what is new");
    let device = ca.quick_device(up.folder(), "truck-1");
    assert_eq!(up.target("south.test").paho(&device, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-1"));

    let done = Command::new(rollcall())
        .args(["up", "--listen", "127.0.0.1:0", "--data"])
        .arg(up.folder().join("other"))
        .arg("--fleet")
        .arg(up.folder().join("nothing.yaml"))
        .output()
        .expect("it starts");
    assert!(!done.status.success());
    assert!(String::from_utf8_lossy(&done.stderr).contains("nothing.yaml"));
    assert!(!up.folder().join("other/log").exists(), "nothing was touched");
}

/// A fault, or text that is no YAML, does not keep `up` from serving what is without fault or there already; SIGHUP takes the
/// mended file.
#[test]
fn up_starts_with_a_fault_in_its_fleet_file() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let [north, south] = ["north", "south"].map(|id| Instance::new(id, &ca.pair.certificate));
    let faulty = Instance { id: "so.uth".into(), ..south.clone() };
    let mut up = Up::start_text(folder, &fleet::yaml(&[faulty, north.clone()]), None);
    assert!(up.process().errors().contains("instances[0].id"), "{}", up.process().errors());
    let device = ca.quick_device(up.folder(), "truck-1");
    raw::trusted(&up.target("north.test"), &device);
    assert_eq!(up.target("north.test").paho(&device, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-1"));
    fs::write(up.folder().join("fleet.yaml"), "instances: [").expect("written");
    up.process().stop();
    up.restart();
    assert!(up.process().errors().contains("fleet.yaml:"), "{}", up.process().errors());
    assert_eq!(up.target("north.test").paho(&device, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-1"));
    up.apply(&[north.clone(), south.clone()]);
    assert_eq!(up.records_of("south", "CaVerified").len(), 1, "the mended file is applied");
    // A name that is refused takes no instance's certificate away and ends nothing.
    for wrong in ["north.test:8883", "nörd.test", "south.test"] {
        let renamed = Instance { access_domain: wrong.into(), ..north.clone() };
        let unnamed = Instance { access_domain: "öst.test".into(), ..Instance::new("east", &ca.pair.certificate) };
        up.apply_text(&fleet::yaml(&[south.clone(), renamed, unnamed]));
        assert_eq!(
            up.target("north.test").paho(&device, &PahoOptions::default()).accepted().as_deref(),
            Some("truck_truck-1")
        );
    }
}

/// What the registrar rejects is named with its line and code, and does not stop the rest.
#[test]
fn what_is_rejected_is_named_with_its_place_and_code() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let north = Instance::new("north", &ca.pair.certificate);
    let taken = Instance { access_domain: "NORTH.test".into(), ..Instance::new("taken", &ca.pair.certificate) };
    let long = Instance { region: "r".repeat(33), ..Instance::new("long", &ca.pair.certificate) };
    let twins = fleet::yaml(&[north, long, Instance::new("south", &ca.pair.certificate)])
        + "      - { id: twin, name: by-cn, body: { parameters: { \"iotda::certificate::common_name\": { type: String } }, resources: { \
           device: { node_id: { ref: \"iotda::certificate::common_name\" }, product_id: truck } } } }\n";
    let same_ca = |id: &str| {
        format!(
            "          - id: {id}\n            certificate: {}\n            proof_of_possession: {{ key: {} }}\n",
            ca.pair.certificate.display(),
            ca.pair.key.display()
        )
    };
    // The first of the two lists of templates is north's: its CA list ends right before it.
    let twins = twins.replacen("    templates:\n", &(same_ca("again") + "    templates:\n"), 1);
    let mut up = Up::start_text(folder, &twins, None);
    // Within one file this is a fault of the file.
    up.apply_text(&fleet::yaml(&[taken]));
    let errors = up.process().errors();
    for (code, field) in [
        ("access_domain_taken", "instances[0]"),
        ("invalid_field", "instances[1]"),
        ("already_exists", "instances[0].resource_spaces[0].ca_certificates[1]"),
        ("name_taken", "instances[2].templates[1]"),
    ] {
        let line = errors.lines().find(|line| line.contains(&format!("({code})")));
        let line = line.unwrap_or_else(|| panic!("no {code} in\n{errors}"));
        assert!(line.contains("fleet.yaml:") && line.contains(field), "{line}");
    }
    let device = ca.quick_device(up.folder(), "truck-1");
    for instance in ["north", "south"] {
        let target = up.target(&format!("{instance}.test"));
        raw::trusted(&target, &device);
        target.paho(&device, &PahoOptions::default()).accepted();
    }
}

/// A certificate that should not be a CA certificate of a platform, made by openssl or rcgen, and its code.
fn unfit(folder: &Path) -> Vec<(&'static str, Pair)> {
    let ca = Authority::root(folder, "good", Key::P256);
    let openssl = |name: &str, extensions: Option<&str>| {
        let pair = Pair::at(folder, name);
        let request = folder.join(format!("{name}.req"));
        run(Command::new("openssl")
            .args(["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-subj"])
            .arg(format!("/CN={name}"))
            .arg("-keyout")
            .arg(&pair.key)
            .arg("-out")
            .arg(&request));
        let mut sign = Command::new("openssl");
        sign.args(["x509", "-req", "-days", "30", "-in"])
            .arg(&request)
            .arg("-signkey")
            .arg(&pair.key)
            .arg("-out")
            .arg(&pair.certificate);
        if let Some(extensions) = extensions {
            let file = folder.join(format!("{name}.ext"));
            fs::write(&file, extensions).expect("written");
            sign.arg("-extfile").arg(&file);
        }
        run(&mut sign);
        pair
    };
    let is_ca = "basicConstraints=critical,CA:TRUE\n";
    let rsa = |name: &str, bits: &str, digest: &str| {
        let pair = Pair::at(folder, name);
        run(Command::new("openssl")
            .args(["req", "-x509", "-newkey", &format!("rsa:{bits}"), "-noenc", digest, "-days", "30", "-subj", "/CN=weak"])
            .args(["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign", "-keyout"])
            .arg(&pair.key)
            .arg("-out")
            .arg(&pair.certificate));
        pair
    };
    let rcgen = |name: &str, change: &dyn Fn(&mut rcgen::CertificateParams)| {
        let pair = Pair::at(folder, name);
        let key = rcgen::KeyPair::generate().expect("a key");
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        fs::write(&pair.certificate, params.self_signed(&key).expect("a certificate").pem()).expect("written");
        pair.write_key(&key.serialize_pem());
        pair
    };
    let named = |params: &mut rcgen::CertificateParams| params.distinguished_name.push(rcgen::DnType::CommonName, "a CA");
    let malformed = Pair::at(folder, "malformed");
    fs::write(&malformed.certificate, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n").expect("written");
    fs::copy(&ca.pair.key, &malformed.key).expect("copied");
    vec![
        ("ca_malformed", malformed),
        ("ca_not_version_3", openssl("v1", None)),
        ("ca_not_an_authority", openssl("leaf", Some("basicConstraints=critical,CA:FALSE\n"))),
        ("ca_may_not_sign", openssl("may-not", Some(&format!("{is_ca}keyUsage=critical,digitalSignature\n")))),
        (
            "ca_unknown_critical_extension",
            openssl(
                "unknown",
                Some(&format!("{is_ca}keyUsage=critical,keyCertSign\n1.2.3.4.5=critical,ASN1:UTF8String:what\n")),
            ),
        ),
        (
            "ca_name_constraints",
            openssl(
                "names",
                Some(&format!(
                    "{is_ca}keyUsage=critical,keyCertSign\nnameConstraints=critical,permitted;dirName:dn\n[dn]\nCN=x\n"
                )),
            ),
        ),
        ("ca_weak_key", rsa("weak-key", "1024", "-sha256")),
        ("ca_weak_signature", rsa("weak-signature", "2048", "-sha1")),
        ("ca_empty_subject", rcgen("nameless", &|_| {})),
        (
            "ca_not_valid_now",
            rcgen("late", &|params| {
                named(params);
                params.not_before = from_now(-time::Duration::days(3));
                params.not_after = from_now(-time::Duration::days(1));
            }),
        ),
    ]
}

/// F2, F28, F29: what is no CA is not taken as one, and who cannot prove to hold the key is not verified.
#[test]
fn f2_f28_f29_a_ca_certificate_must_be_fit_and_its_key_must_be_proven() {
    let folder = folder();
    let owner = Authority::root(folder.path(), "owner", Key::Rsa2048);
    let stranger = Authority::root(folder.path(), "stranger", Key::P256);
    let unfit = unfit(folder.path());
    let entries: String = unfit
        .iter()
        .map(|(code, pair)| {
            let id = code.replace('_', "-");
            format!(
                "          - id: {id}\n            certificate: {}\n            proof_of_possession: {{ key: {} }}\n",
                pair.certificate.display(),
                pair.key.display()
            )
        })
        .collect();
    let proof = folder.path().join("verification.crt");
    let with_proof = fleet::yaml(&[Instance::new("north", &owner.pair.certificate)]).replacen(
        &format!("              key: {}", owner.pair.key.display()),
        &format!("              certificate: {}", proof.display()),
        1,
    );
    let mut up = Up::start_text(folder, &with_proof.replacen("    templates:\n", &(entries + "    templates:\n"), 1), None);
    let errors = up.process().errors();
    for (code, _) in &unfit {
        let line = errors.lines().find(|line| line.contains(&format!("({code})")));
        assert!(line.is_some_and(|line| line.contains("fleet.yaml:")), "no {code} in\n{errors}");
    }
    assert_eq!(up.records_of("north", "CaUploaded").len(), 1, "only the fit one");
    let device = owner.device(up.folder(), "truck-1", "/CN=truck-1", Key::P256, Form::V3);
    let target = up.target("north.test");
    let alert = raw::not_trusted(&target, &device);
    assert!(alert.contains("UnknownCA"), "{alert}");

    // The note says the code and the line that makes the proof; the owner uses openssl instead.
    let note =
        errors.lines().find(|line| line.contains("awaits proof of possession")).expect("a note says what to do").to_owned();
    let code =
        note.split("verification code is ").nth(1).and_then(|rest| rest.split('.').next()).expect("the code").to_owned();
    let folder = up.folder().to_owned();
    let prove = |ca: &Authority, cn: &str, name: &str| {
        let pair = ca.issue(&folder, name, &format!("/CN={cn}"), Key::P256, None);
        fs::copy(&pair.certificate, &proof).expect("copied");
    };
    prove(&stranger, &code, "by-a-stranger");
    up.apply_text(&with_proof);
    prove(&owner, "another code", "with-another-code");
    up.apply_text(&with_proof);
    let late = owner.rcgen_device(up.folder(), "too-late", |params| {
        params.distinguished_name.push(rcgen::DnType::CommonName, code.as_str());
        params.not_before = from_now(-time::Duration::days(3));
        params.not_after = from_now(-time::Duration::days(1));
    });
    fs::copy(&late.certificate, &proof).expect("copied");
    up.apply_text(&with_proof);
    let errors = up.process().errors();
    for code in ["proof_not_signed_by_ca", "proof_wrong_code", "proof_not_valid_now"] {
        assert!(errors.contains(&format!("({code})")), "no {code} in\n{errors}");
    }
    assert!(up.records_of("north", "CaVerified").is_empty());

    let pair = owner.issue(up.folder(), "proof", &format!("/CN={code}"), Key::P256, None);
    fs::copy(&pair.certificate, &proof).expect("copied");
    up.apply_text(&with_proof);
    assert_eq!(up.records_of("north", "CaVerified").len(), 1, "{}", up.process().errors());
    raw::trusted(&target, &device);
    assert_eq!(target.paho(&device, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-1"));
}

/// A fleet file is what its operator may do, in their name; who has only the broker applies none.
#[test]
fn f37_a_file_is_applied_through_the_api_as_far_as_its_operator_may() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let north = Instance::new("north", &ca.pair.certificate);
    let deployment = Deployment::start(folder, std::slice::from_ref(&north));
    let administrator = deployment.administrator();
    let policy = "          - id: up\n            statement: [{ effect: ALLOW, actions: [\"iotda:devices:publish\"], resources: [\"topic:a\"] }]\n            bind: { products: [truck] }\n";
    let yaml = fleet::yaml(&[Instance { policies: policy.into(), ..north.clone() }]);
    let records = || deployment.operator().records("north");
    let before = records().len();
    let password = |name: &str, role: &str| {
        let made = administrator.post("/rollcall/v1/operators", &json!({ "name": name, "role": role }));
        made["password"].as_str().expect("a password").to_owned()
    };

    let viewer = password("vera", "viewer");
    let done = deployment.apply_as(&yaml, "vera", &viewer);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && said.contains("fleet.yaml:") && said.contains("(IOTDA.000021)"), "{said}");
    let done = deployment.apply_as(&yaml, "vera", "not the password");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && said.contains("401") && !said.contains("not the password"), "{said}");
    assert_eq!(records().len(), before, "a viewer changes nothing");

    let operator = password("olga", "operator");
    success(&deployment.apply_as(&yaml, "olga", &operator)).expect("an operator may do all but make instances");
    let made: Vec<_> = records().split_off(before);
    assert_eq!(made.len(), 2, "the policy, and its binding: {made:?}");
    assert!(made.iter().all(|record| format!("{:?}", record.actor).contains("olga")), "{made:?}");
    success(&deployment.apply_as(&yaml, "olga", &operator)).expect("applied again");
    assert_eq!(records().len(), before + 2, "applied again, it changes nothing");
    let unbound = yaml.replace("products: [truck]", "products: []");
    success(&deployment.apply_as(&unbound, "olga", &operator)).expect("unbound");
    assert_eq!(records().len(), before + 3, "what is not declared bound is unbound");
    let more = fleet::yaml(&[north, Instance::new("south", &ca.pair.certificate)]);
    let done = deployment.apply_as(&more, "olga", &operator);
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && said.contains("instances[1]") && said.contains("(IOTDA.000021)"), "{said}");

    let file = deployment.folder().join("fleet.yaml");
    let mut gone = Command::new(rollcall());
    let done = gone.args(["apply", "--nats", &deployment.nats.url(), "--fleet"]).arg(&file).output().expect("it starts");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success() && said.contains("--api URL") && said.contains("--access-key"), "{said}");
}

/// `rollcall up` applies its file as an operator, who is one like any other.
#[test]
fn who_disables_the_operator_of_the_file_ends_its_being_applied() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let north = Instance::new("north", &ca.pair.certificate);
    let mut up = Up::embedded(folder, std::slice::from_ref(&north));
    let actors: Vec<_> =
        up.records_of("north", "TemplateCreated").iter().map(|line| line["record"]["actor"].clone()).collect();
    assert_eq!(actors, [json!({ "operator": "fleet-file" })]);
    let api = Api::of(&up.announced()["api"]);
    api.put("/rollcall/v1/operators/fleet-file", &json!({ "enabled": false }));
    let before = up.records().len();
    up.apply_text(&fleet::yaml(&[north.clone(), Instance::new("south", &ca.pair.certificate)]));
    assert!(up.process().errors().contains("was not applied"), "{}", up.process().errors());
    assert_eq!(up.records().len(), before, "nothing is changed");

    up.process().stop();
    up.restart();
    assert!(up.process().errors().contains("no enabled operator fleet-file"), "{}", up.process().errors());
    let device = ca.quick_device(up.folder(), "truck-1");
    let target = up.target("north.test");
    raw::trusted(&target, &device);
    assert_eq!(target.paho(&device, &PahoOptions::default()).accepted().as_deref(), Some("truck_truck-1"), "devices get in");
}

/// Whoever declares policies beside the default one is told, before it is applied and whenever it is.
#[test]
fn own_policies_beside_the_default_one_are_warned_of() {
    let folder = folder();
    let ca = Authority::root(folder.path(), "ca", Key::P256);
    let policy = "          - id: own\n            statement: [{ effect: ALLOW, actions: [\"iotda:devices:publish\"], resources: [\"topic:own/*\"] }]\n            bind: { products: [truck] }\n";
    let north = Instance { policies: policy.into(), ..Instance::new("north", &ca.pair.certificate) };
    let open = fleet::yaml(std::slice::from_ref(&north));
    let closed = open.replace("- id: vehicles", "- id: vehicles\n        default_policy: none");
    let file = folder.path().join("checked.yaml");
    let check = |yaml: &str| {
        fs::write(&file, yaml).expect("written");
        let done = Command::new(rollcall()).args(["check-config", "--config"]).arg(&file).output().expect("it starts");
        assert!(done.status.success(), "a warning is no fault");
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    let said = check(&open);
    let place = format!("checked.yaml:{}: instances[0].resource_spaces[0].policies[0]: ", line_of(&open, "id: own"));
    assert!(said.contains(&place) && said.contains("default_policy: none"), "{said}");
    assert_eq!(check(&closed), "");

    let mut up = Up::start_text(folder, &open, None);
    let warning = format!("fleet.yaml:{}: instances[0].resource_spaces[0]: policy ", line_of(&open, "id: vehicles"));
    let warnings = |up: &mut Up| up.process().errors().matches(&warning).count();
    assert_eq!(warnings(&mut up), 1, "{}", up.process().errors());
    up.apply_text(&open);
    assert_eq!(warnings(&mut up), 2, "as long as it is so");
    up.apply_text(&closed);
    assert_eq!(warnings(&mut up), 2, "{}", up.process().errors());
    assert_eq!(up.records_of("north", "PolicyUnbound").len(), 1, "the default policy is unbound where there is to be none");
    let before = up.records().len();
    up.apply_text(&closed);
    assert_eq!(up.records().len(), before, "applied again, it changes nothing");
}
