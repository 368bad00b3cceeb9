//! The limits of the v5 service, at their edges, and what fields may hold.

use super::world::{World, authorities, cn_template, details, id, pinned, profile, word};
use crate::{
    fleet::Edition,
    ids::PolicyId,
    limits,
    policy::{Statement, system_default},
    registry::{
        BoundTo, Command, Decision, DeviceEntry, Devices, ProductDetails,
        command::TemplateChange,
        event::{DeviceProfile, PolicyTarget},
    },
    template::{Tag, TemplateDraft},
};

fn template(n: usize) -> Command {
    let (template, name) = (id(&format!("t{n}")), format!("t{n}").into());
    Command::CreateTemplate { template, name, description: "".into(), body: cn_template("meter") }
}

fn statements() -> Vec<Statement> {
    system_default(id("p"), 1, id("s"), crate::time::Timestamp::from_unix_s(1)).statements
}

fn policy(policy: &str, space: &str) -> Command {
    Command::CreatePolicy { policy: id(policy), space: id(space), name: policy.into(), statements: statements() }
}

#[test]
fn the_tenth_template_is_granted_and_the_eleventh_refused() {
    let mut world = World::furnished();
    for n in 1..=limits::TEMPLATES_PER_INSTANCE_MAX {
        assert_eq!(world.word(template(n)), "granted", "template {n}");
    }
    assert_eq!(world.word(template(11)), "limit_reached");
    assert_eq!(world.word(template(10)), "already so", "a full house still says what is so");
    world.grant(Command::DeleteTemplate { template: id("t1") });
    assert_eq!(world.word(template(11)), "granted");
}

#[test]
fn spaces_products_and_policies_have_their_limits() {
    let mut world = World::furnished();
    for n in 3..=limits::SPACES_PER_INSTANCE_MAX + 1 {
        let space = format!("s{n}");
        let command = Command::CreateSpace {
            space: id(&space),
            name: space.as_str().into(),
            default_policy: Some(id(&format!("{space}-p"))),
        };
        let expected = if n <= limits::SPACES_PER_INSTANCE_MAX { "granted" } else { "limit_reached" };
        assert_eq!(world.word(command), expected, "space {n}");
    }
    for n in 11..=limits::POLICIES_PER_INSTANCE_MAX + 1 {
        let expected = if n <= limits::POLICIES_PER_INSTANCE_MAX { "granted" } else { "limit_reached" };
        assert_eq!(world.word(policy(&format!("p{n}"), "acme")), expected, "policy {n}");
    }
    for n in 5..=limits::PRODUCTS_PER_INSTANCE_MAX + 1 {
        let command = Command::CreateProduct { space: id("acme"), product: id(&format!("p{n}")), details: details() };
        let expected = if n <= limits::PRODUCTS_PER_INSTANCE_MAX { "granted" } else { "limit_reached" };
        assert_eq!(world.word(command), expected, "product {n}");
    }
}

#[test]
fn five_policies_are_bound_to_one_target_and_no_more() {
    let mut world = World::furnished();
    world.pre_register("d", "acme", "meter", pinned(None, None));
    let targets =
        [PolicyTarget::Device(id("d")), PolicyTarget::Product(id("acme"), id("meter")), PolicyTarget::Space(id("acme"))];
    (1..=6).for_each(|n| world.grant(policy(&format!("p{n}"), "acme")));
    world.grant(Command::UnbindPolicy { policy: id("acme-default"), target: PolicyTarget::Space(id("acme")) });
    for target in targets {
        for n in 1..=5 {
            world.grant(Command::BindPolicy { policy: id(&format!("p{n}")), target: target.clone() });
        }
        let sixth = || Command::BindPolicy { policy: id("p6"), target: target.clone() };
        assert_eq!(world.word(sixth()), "limit_reached", "{target:?}");
        world.grant(Command::DeletePolicy { policy: id("p1") });
        assert_eq!(world.word(sixth()), "granted", "a deleted policy is bound to nothing: {target:?}");
        world.grant(Command::DeletePolicy { policy: id("p6") });
        world.grant(policy("p1", "acme"));
        world.grant(policy("p6", "acme"));
    }
}

#[test]
fn policies_of_a_device_are_its_own_its_products_and_its_spaces() {
    let mut world = World::furnished();
    world.pre_register("d", "acme", "meter", pinned(None, None));
    for (name, target) in
        [("own", PolicyTarget::Device(id("d"))), ("products", PolicyTarget::Product(id("acme"), id("meter")))]
    {
        world.grant(policy(name, "acme"));
        world.grant(Command::BindPolicy { policy: id(name), target });
    }
    let names = |world: &World| {
        let Some(DeviceEntry::Live(device)) = world.registry.entry(&id("d")) else { panic!("d is not live") };
        world.registry.configuration.policies_of(&device).map(|policy| policy.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&world), ["own", "products", "acme-default"]);
    world.grant(Command::BindPolicy { policy: id("own"), target: PolicyTarget::Space(id("acme")) });
    let Some(DeviceEntry::Live(device)) = world.registry.entry(&id("d")) else { panic!("d is not live") };
    let bound: Vec<_> = world.registry.configuration.bindings_of(&device).map(|(to, it)| (to, it.id.as_str())).collect();
    let expected = [
        (BoundTo::Device, "own"),
        (BoundTo::Product, "products"),
        (BoundTo::Space, "acme-default"),
        (BoundTo::Space, "own"),
    ];
    assert_eq!(bound, expected, "through what each applies");
    world.grant(Command::UnbindPolicy { policy: id("own"), target: PolicyTarget::Space(id("acme")) });
    world.grant(Command::DeletePolicy { policy: id("own") });
    assert_eq!(names(&world), ["products", "acme-default"]);
    world.grant(policy("own", "globex"));
    assert_eq!(names(&world), ["products", "acme-default"], "an id that is used again in another space binds nothing here");
}

#[test]
fn the_quota_of_devices_counts_the_live_ones() {
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    world.devices_max = 2;
    let [a, b, c] = ["a", "b", "c"].map(|name| authorities()[0].device(name));
    assert!(world.connect(&a).outcome.is_ok() && world.connect(&b).outcome.is_ok());
    assert_eq!(word(&world.connect(&c).outcome), "limit_reached");
    assert_eq!(word(&world.connect(&a).outcome), "already so", "who is there stays");
    world.grant(Command::DeleteDevice { device: id("meter_a") });
    assert_eq!(word(&world.connect(&c).outcome), "granted");
}

#[test]
fn what_the_record_of_the_instance_says_outranks_the_registrars_configuration() {
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    let [a, b] = ["a", "b"].map(|name| authorities()[0].device(name));
    world.instance.devices_max = Some(1);
    assert_eq!(word(&world.connect(&a).outcome), "granted");
    assert_eq!(word(&world.connect(&b).outcome), "limit_reached");
    world.instance.devices_max = Some(2);
    world.instance.self_registration_available = Some(false);
    assert_eq!(word(&world.connect(&b).outcome), "self_registration_unavailable");
    world.instance.self_registration_available = Some(true);
    world.instance.edition = Edition::Basic;
    assert_eq!(word(&world.connect(&b).outcome), "granted", "the table is for records that say nothing");
}

#[test]
fn tags_are_ten_unique_and_not_the_platforms() {
    let mut world = World::furnished();
    world.pre_register("d", "acme", "meter", pinned(None, None));
    let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
    let mut put = |tags: Vec<Tag>| world.word(Command::TagDevice { device: id("d"), tags });
    assert_eq!(put((0..10).map(|n| tag(&format!("k{n}"), "v")).collect()), "granted");
    assert_eq!(put(vec![tag("k10", "v")]), "limit_reached");
    assert_eq!(put(vec![tag("k0", "w")]), "granted", "a key that is there takes a new value");
    assert_eq!(put(vec![tag("k1", "a"), tag("k1", "b")]), "invalid_field");
    let long = ["k".repeat(65), "v".repeat(129)];
    for bad in [tag("", "v"), tag("k", ""), tag("iot_k", "v"), tag("k k", "v"), tag(&long[0], "v"), tag("k", &long[1])] {
        assert_eq!(put(vec![bad.clone()]), "invalid_field", "{bad:?}");
    }
}

#[test]
fn an_update_leaves_out_what_it_does_not_name_and_an_empty_text_clears() {
    let mut world = World::furnished();
    world.pre_register("d", "acme", "meter", pinned(None, None));
    let update = |name: Option<&str>, description: Option<&str>| Command::UpdateDevice {
        device: id("d"),
        name: name.map(Into::into),
        description: description.map(Into::into),
        extension_info: None,
    };
    world.grant(update(Some("north gate"), Some("of the plant")));
    world.grant(update(None, Some("")));
    let Some(DeviceEntry::Live(device)) = world.registry.entry(&id("d")) else { panic!("d is not live") };
    assert_eq!((device.name.as_deref(), device.description), (Some("north gate"), None));
    assert_eq!(world.word(update(Some(&"n".repeat(257)), None)), "invalid_field");
}

#[test]
fn a_space_goes_when_it_is_empty_and_takes_its_policies_along() {
    let mut world = World::furnished();
    let delete = || Command::DeleteSpace { space: id("acme") };
    assert_eq!(world.word(delete()), "in_use");
    for product in ["meter", "lamp"] {
        world.grant(Command::DeleteProduct { space: id("acme"), product: id(product) });
    }
    assert_eq!(world.word(delete()), "in_use", "its CA certificate is still there");
    world.delete_ca("acme-ca");
    world.grant(delete());
    assert!(!world.registry.configuration.policies.contains_key(&id::<PolicyId>("acme-default")));
    let default_policy = Some(id("initech-default"));
    let again = Command::CreateSpace { space: id("initech"), name: "initech".into(), default_policy };
    world.grant(again);
    assert!(world.registry.configuration.spaces[&id("initech")].default_space, "the default space was deleted");
}

fn create(name: &str, body: TemplateDraft) -> Command {
    Command::CreateTemplate { template: id(name), name: name.into(), description: "".into(), body }
}

/// A template whose product is what the certificate says.
fn by_attribute(policy: &str) -> TemplateDraft {
    let node_id = cn_template("meter").node_id;
    TemplateDraft { product_id: node_id, policy_ids: vec![policy.into()], ..cn_template("meter") }
}

#[test]
fn a_template_is_saved_only_if_what_it_names_is_in_some_one_space() {
    let mut world = World::furnished();
    let draft = |product: &str, policies: &[&str]| {
        let policy_ids = policies.iter().map(|policy| (*policy).into()).collect();
        TemplateDraft { policy_ids, ..cn_template(product) }
    };
    let globex_alone = draft("pump", &["globex-default"]);
    let cases = [
        (draft("none", &[]), "not_found"),
        (draft("meter", &["none"]), "not_found"),
        (draft("pump", &["acme-default"]), "policy_in_another_space"),
        (draft("meter", &["acme-default", "globex-default"]), "policy_in_another_space"),
        (by_attribute("none"), "not_found"),
        (by_attribute("globex-default"), "granted"),
        (globex_alone.clone(), "granted"),
    ];
    for (body, expected) in &cases {
        assert_eq!(world.clone().word(create("t", body.clone())), *expected, "{body:?}");
        let mut other = world.clone();
        other.grant(create("t", cn_template("meter")));
        let update = Command::UpdateTemplate { template: id("t"), description: None, body: Some(body.clone()) };
        assert_eq!(other.word(update), *expected, "{body:?}");
    }
    world.grant(create("t", globex_alone));
    let deleted = Command::DeletePolicy { policy: id("globex-default") };
    world.grant(deleted);
    let described = Command::UpdateTemplate { template: id("t"), description: Some("old".into()), body: None };
    assert_eq!(world.word(described), "granted", "what it names is not what is changed");
}

#[test]
fn a_product_stays_while_a_bound_template_names_it() {
    let mut world = World::furnished();
    world.put_in_force("t", cn_template("meter"), "acme-ca");
    world.grant(create("unbound", cn_template("lamp")));
    let delete = |product: &str| Command::DeleteProduct { space: id("acme"), product: id(product) };
    assert_eq!(world.word(delete("meter")), "in_use");
    assert_eq!(world.word(delete("lamp")), "granted", "it is bound to nothing");
    world.configure("acme-ca", TemplateChange::Unbind, Some(false));
    assert_eq!(world.word(delete("meter")), "granted");
}

#[test]
fn a_template_is_bound_only_where_its_product_and_policies_are() {
    let mut world = World::furnished();
    let draft = |product: &str, policy: &str| TemplateDraft { policy_ids: vec![policy.into()], ..cn_template(product) };
    let cases = [
        ("ok", draft("meter", "acme-default"), "granted"),
        ("foreign", draft("pump", "globex-default"), "product_in_another_space"),
        ("foreign-product", cn_template("pump"), "product_in_another_space"),
        ("foreign-policy", by_attribute("globex-default"), "policy_in_another_space"),
    ];
    for (name, body, expected) in cases {
        world.grant(create(name, body));
        let bind =
            Command::ConfigureCa { ca: id("acme-ca"), template: TemplateChange::Bind(id(name)), self_registration: None };
        assert_eq!(world.word(bind), expected, "{name}");
    }
    world.grant(Command::DeletePolicy { policy: id("acme-default") });
    let enable = Command::ConfigureCa { ca: id("acme-ca"), template: TemplateChange::Keep, self_registration: Some(true) };
    assert_eq!(world.word(enable), "not_found", "looked up again when switched on");
}

#[test]
fn a_product_says_what_the_service_lets_it_say() {
    let mut world = World::furnished();
    let mut create =
        |details: ProductDetails| world.word(Command::CreateProduct { space: id("acme"), product: id("new"), details });
    let bad = [
        ProductDetails { name: "".into(), ..details() },
        ProductDetails { name: "n".repeat(65).into(), ..details() },
        ProductDetails { device_type: "a\tb".into(), ..details() },
        ProductDetails { protocol_type: "mqtt".into(), ..details() },
        ProductDetails { data_format: "xml".into(), ..details() },
        ProductDetails { industry: Some("i".repeat(65).into()), ..details() },
        ProductDetails { service_capabilities: "x".repeat(500 * 1024 + 1).into(), ..details() },
    ];
    for bad in bad {
        assert_eq!(create(bad.clone()), "invalid_field", "{:?}", bad.name);
    }
    assert_eq!(create(ProductDetails { manufacturer_name: Some("中文 Co.".into()), ..details() }), "granted");
}

#[test]
fn a_pre_registered_device_starts_with_what_it_was_given() {
    let mut world = World::furnished();
    let tags = vec![Tag { key: "b".into(), value: "2".into() }, Tag { key: "a".into(), value: "1".into() }];
    let policies = vec![id("acme-default")];
    let full = DeviceProfile { name: Some("gate".into()), tags, policies, ..profile("d", "acme", "meter") };
    let said = |profile: &DeviceProfile, description: &str, extension_info: &str| Command::PreRegisterDevice {
        profile: profile.clone(),
        credential: pinned(None, None),
        description: Some(description.into()),
        extension_info: Some(extension_info.into()),
    };
    let command = |profile: &DeviceProfile| said(profile, "behind the boiler", r#"{"floor":3}"#);
    assert!(matches!(world.command(command(&full)), Ok(Decision::Record(_))));
    assert_eq!(world.word(command(&full)), "already so");
    let Some(DeviceEntry::Live(device)) = world.registry.entry(&id("d")) else { panic!("the device is there") };
    assert_eq!(device.description.as_deref(), Some("behind the boiler"));
    assert_eq!(device.extension_info.as_deref(), Some(r#"{"floor":3}"#));
    assert_eq!(world.word(said(&full, "in the attic", r#"{"floor":3}"#)), "already_exists");
    assert_eq!(world.word(said(&full, "behind the boiler", r#"{"floor":4}"#)), "already_exists");
    let other = profile("e", "acme", "meter");
    assert_eq!(world.word(said(&other, "line\nbreak", "")), "invalid_field");
    assert_eq!(world.word(said(&other, "", &"x".repeat(1025))), "invalid_field");
    assert_eq!(world.word(said(&other, "", "")), "granted");
    let Some(DeviceEntry::Live(device)) = world.registry.entry(&id("e")) else { panic!("the device is there") };
    assert_eq!((device.description, device.extension_info), (None, None), "an empty text is none");
    let six = DeviceProfile { policies: vec![id("acme-default"), id("acme-default")], ..profile("f", "acme", "meter") };
    assert_eq!(world.word(command(&six)), "invalid_field");
    let foreign = DeviceProfile { policies: vec![id("globex-default")], ..profile("f", "acme", "meter") };
    assert_eq!(world.word(command(&foreign)), "policy_in_another_space");
}

#[test]
fn a_space_may_begin_without_a_policy() {
    let mut world = World::furnished();
    let create = |default_policy: Option<&str>| Command::CreateSpace {
        space: id("initech"),
        name: "initech".into(),
        default_policy: default_policy.map(id),
    };
    let policies = world.registry.configuration.policies.len();
    world.grant(create(None));
    let initech: crate::ids::SpaceId = id("initech");
    assert_eq!(world.registry.configuration.policies.len(), policies);
    assert_eq!(world.registry.configuration.spaces[&initech].policies, []);
    assert_eq!(world.word(create(None)), "already so");
    assert_eq!(world.word(create(Some("initech-default"))), "already so", "it may have been deleted since");
    // One that allows everything is another.
    assert_eq!(
        world.word(Command::CreateSpace { space: id("acme"), name: "acme".into(), default_policy: None }),
        "already_exists"
    );
}

#[test]
fn own_policies_beside_an_open_one_are_found() {
    let mut world = World::furnished();
    let (acme, policy): (crate::ids::SpaceId, PolicyId) = (id("acme"), id("own"));
    let beside = |world: &World| {
        let found = world.registry.configuration.beside_default(&acme);
        found.map(|beside| {
            (beside.open.id.to_string(), beside.others.iter().map(|own| own.id.to_string()).collect::<Vec<_>>())
        })
    };
    let statement =
        |effect| Statement { effect, actions: vec![crate::policy::Action::Publish], resources: vec!["topic:own/*".into()] };
    let create = |effect| Command::CreatePolicy {
        policy: policy.clone(),
        space: acme.clone(),
        name: "own".into(),
        statements: vec![statement(effect)],
    };
    assert_eq!(beside(&world), None, "the default policy alone");
    world.grant(create(crate::policy::Effect::Deny));
    assert_eq!(beside(&world), None, "a DENY counts beside it");
    let statements = Some(vec![statement(crate::policy::Effect::Allow)]);
    world.grant(Command::UpdatePolicy { policy: policy.clone(), name: None, statements });
    assert_eq!(beside(&world), Some(("acme-default".into(), vec!["own".into()])));
    let target = || PolicyTarget::Space(id("acme"));
    world.grant(Command::UnbindPolicy { policy: id("acme-default"), target: target() });
    assert_eq!(beside(&world), None, "unbound, it allows nothing");
    assert_eq!(world.registry.configuration.default_policy(&acme), None);
    world.grant(Command::BindPolicy { policy: id("acme-default"), target: target() });
    assert!(world.registry.configuration.default_policy(&acme).is_some());
    world.grant(Command::DeletePolicy { policy: id("acme-default") });
    assert_eq!(beside(&world), None);
}
