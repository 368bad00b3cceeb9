//! What would stop working if something were deleted, asked over HTTP: held against what a deletion then says.

use rollcall_domain::{
    fleet::{Role, Scope},
    ids::PolicyId,
    registry::{Command, event::PolicyTarget},
};
use serde_json::{Value, json};

use crate::{
    client::Client,
    world::{World, eventually, id},
};

const ALPHA: &str = "/rollcall/v1/instances/alpha";

async fn impact(client: &Client, of: &str) -> Value {
    client.get(&format!("{ALPHA}/{of}/impact")).await.ok(200)
}

fn users(answer: &Value) -> Vec<(&str, &str)> {
    let users = answer["users"].as_array().unwrap().iter();
    users.map(|user| (user["kind"].as_str().unwrap(), user["id"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn devices_of_a_ca_certificate_are_counted_and_a_renewal_is_told() {
    let (world, authority) = World::with_ca().await;
    let (viewer, operator) = (world.viewer().await, world.operator().await);
    for cn in ["one", "two"] {
        world.connect("alpha", &authority.device(cn), None).await;
    }
    let mut device = world.device("truck_one").await;
    device.arrive_known(&world, &operator).await;
    let told = impact(&viewer, "certificates/ca").await;
    assert_eq!((&told["devices"], &told["online"], &told["complete"]), (&json!(2), &json!(1), &json!(true)));
    assert_eq!((&told["would_be_distrusted"], &told["still_vouching"]), (&json!(true), &json!([])));
    assert_eq!((&told["devices_through_it"], &told["instances"]), (&json!(0), &json!([])));

    world.trust("alpha", &authority.renewed(), "renewed", "space", "template").await;
    let told = impact(&viewer, "certificates/ca").await;
    assert_eq!((&told["would_be_distrusted"], &told["still_vouching"]), (&json!(false), &json!(["renewed"])));
    assert_eq!(told["instances"][0]["certificate_id"], "renewed");
    let deleted = operator.delete("/certificates/ca").await;
    let said = |header: &str| deleted.headers[header].to_str().unwrap().to_owned();
    assert_eq!((said("rollcall-distrusted"), said("rollcall-still-vouching")), ("false".into(), "renewed".into()));
    viewer.get(&format!("{ALPHA}/certificates/ca/impact")).await.refused(404, "IOTDA.014904");
    let told = impact(&viewer, "certificates/renewed").await;
    assert_eq!(
        (&told["devices"], &told["would_be_distrusted"]),
        (&json!(2), &json!(true)),
        "by the CA, not by the certificate"
    );
}

#[tokio::test]
async fn other_instances_that_trust_the_ca_are_told_within_scope_alone() {
    let (world, authority) = World::with_ca().await;
    world.create_instance("beta").await;
    for space in ["space", "second"] {
        world.create_space("beta", space).await;
        let upload =
            Command::UploadCa { ca: id(&format!("in-{space}")), space: id(space), der: authority.der.clone().into() };
        world.command("beta", upload).await;
    }
    let viewer = world.viewer().await;
    eventually("beta is served", || async { impact(&viewer, "certificates/ca").await["instances_not_ready"] == json!([]) })
        .await;
    let of = |answer: &Value| -> Vec<String> {
        let found = answer["instances"].as_array().unwrap().iter();
        found
            .map(|ca| format!("{}/{}", ca["instance_id"].as_str().unwrap(), ca["certificate_id"].as_str().unwrap()))
            .collect()
    };
    assert_eq!(of(&impact(&viewer, "certificates/ca").await), ["beta/in-second", "beta/in-space"]);
    let of_space = world.operator_of(&["space"]).await;
    assert_eq!(of(&impact(&of_space, "certificates/ca").await), ["beta/in-space"]);
    let of_alpha = world.client(Role::Viewer, Scope { instances: Some([id("alpha")].into()), spaces: None }).await;
    assert_eq!(of(&impact(&of_alpha, "certificates/ca").await), [""; 0]);
    let of_second = world.operator_of(&["second"]).await;
    of_second.get(&format!("{ALPHA}/certificates/ca/impact")).await.refused(404, "IOTDA.014904");
}

#[tokio::test]
async fn what_depends_on_a_template_product_policy_and_space_is_told_and_the_registrar_agrees() {
    let (world, authority) = World::with_ca().await;
    let (viewer, operator) = (world.viewer().await, world.operator().await);
    for cn in ["one", "two"] {
        world.connect("alpha", &authority.device(cn), None).await;
    }
    let statement = json!([{"effect": "ALLOW", "actions": ["iotda:devices:publish"], "resources": ["topic:/a"]}]);
    let policy = json!({"policy_name": "topics", "app_id": "space", "statement": statement});
    let policy = operator.post("/device-policies", policy).await.ok(201)["policy_id"].as_str().unwrap().to_owned();
    let policy: PolicyId = id(&policy);

    let template = impact(&viewer, "templates/template").await;
    assert_eq!((&template["devices"], users(&template)), (&json!(2), vec![("certificate", "ca")]));
    let product = impact(&viewer, "apps/space/products/truck").await;
    assert_eq!((&product["devices"], users(&product)), (&json!(2), vec![("template", "template")]));
    let space = impact(&viewer, "apps/space").await;
    assert_eq!(&space["devices"], &json!(2));
    assert!(users(&space).contains(&("product", "truck")) && users(&space).contains(&("certificate", "ca")), "{space}");
    for (told, path) in [
        (&template, "/provisioning-templates/template"),
        (&product, "/products/truck?app_id=space"),
        (&space, "/apps/space"),
    ] {
        let refused = operator.delete(path).await;
        assert_eq!(told["rejection"]["code"], "in_use");
        assert!(
            refused.body["error_msg"].as_str().unwrap().contains(told["rejection"]["text"].as_str().unwrap()),
            "{refused:?}"
        );
    }

    let unbound = impact(&viewer, &format!("policies/{policy}")).await;
    assert_eq!((&unbound["devices"], users(&unbound), unbound.get("rejection")), (&json!(0), vec![], None));
    let bind = |target| Command::BindPolicy { policy: policy.clone(), target };
    world.command("alpha", bind(PolicyTarget::Device(id("truck_one")))).await;
    assert_eq!(impact(&viewer, &format!("policies/{policy}")).await["devices"], 1);
    world.command("alpha", bind(PolicyTarget::Product(id("space"), id("truck")))).await;
    let bound = impact(&viewer, &format!("policies/{policy}")).await;
    assert_eq!((&bound["devices"], users(&bound)), (&json!(2), vec![("product", "truck")]), "each device once");

    world.create_space("alpha", "second").await;
    let of_second = world.operator_of(&["second"]).await;
    for (of, status) in [("templates/template", 404), ("apps/space/products/truck", 403), ("apps/space", 403)] {
        assert_eq!(of_second.get(&format!("{ALPHA}/{of}/impact")).await.status, status, "{of}");
    }
    of_second.get(&format!("{ALPHA}/policies/{policy}/impact")).await.refused(404, "IOTDA.014902");
    assert_eq!(of_second.get(&format!("{ALPHA}/apps/second/products/truck/impact")).await.status, 404);
}

#[tokio::test]
async fn another_ca_in_between_counts_for_itself() {
    let (world, authority) = World::with_ca().await;
    let line = authority.below("line");
    world.trust("alpha", &line, "line", "space", "template").await;
    world.connect("alpha", &line.device("one"), None).await;
    let viewer = world.viewer().await;
    assert_eq!(impact(&viewer, "certificates/ca").await["devices"], 0);
    assert_eq!(impact(&viewer, "certificates/line").await["devices"], 1);
    assert_eq!(impact(&viewer, "certificates/line").await["certificates_ending_30_days"], 0);
}

#[tokio::test]
async fn every_code_is_explained_and_nothing_else_is() {
    let world = World::empty().await;
    let viewer = world.viewer().await;
    let page = viewer.get("/rollcall/v1/codes/ca_not_an_authority").await.ok(200);
    assert_eq!(page["code"], "ca_not_an_authority");
    assert!(page["title"].as_str().unwrap().starts_with("The certificate has no critical basicConstraints"), "{page}");
    assert!(page["markdown"].as_str().unwrap().contains("**What to do**"), "{page}");
    for code in rollcall_api::Code::ALL {
        assert!(rollcall_api::code_page(code.as_str()).is_some_and(|page| !page.title.is_empty()), "{}", code.as_str());
    }
    for none in ["README", "nothing", "not%20found", "ca_not_an_authority.md"] {
        viewer.get(&format!("/rollcall/v1/codes/{none}")).await.refused(404, "IOTDA.014900");
    }
    world.nobody().get("/rollcall/v1/codes/not_found").await.refused(401, "IOTDA.000002");
}
