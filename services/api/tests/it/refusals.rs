//! Every operation of the document, asked by those who may not.

use std::collections::BTreeSet;

use hyper::Method;
use rollcall_domain::{
    fleet::{FleetCommand, Role, Scope},
    ids::InstanceId,
};
use serde_json::{Value, json};

use crate::{
    client::{Answer, Client},
    world::{PROJECT, World, id},
};

/// Operations that tell of no instance, whoever asks.
const OF_NO_INSTANCE: [&str; 2] = ["/rollcall/v1/certificates/inspect", "/rollcall/v1/codes/{code}"];

/// One operation, with a path that could be asked.
struct Operation {
    method: Method,
    template: String,
    path: String,
    /// `None`: it is open.
    role: Option<String>,
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&rollcall_api::openapi_json()).unwrap();
    let mut all = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<Method>() else { continue };
            if !["GET", "POST", "PUT", "DELETE", "PATCH"].contains(&method.as_str()) {
                continue;
            }
            let mut path = template.replace("{project_id}", PROJECT).replace("{instance_id}", "alpha");
            while let Some((before, rest)) = path.split_once('{') {
                let (_, after) = rest.split_once('}').unwrap();
                path = format!("{before}none{after}");
            }
            let role = operation["x-rollcall-role"].as_str().map(str::to_owned);
            all.push(Operation { method, template: template.clone(), path, role });
        }
    }
    assert!(all.len() > 20, "the document has {} operations", all.len());
    all
}

fn guarded() -> impl Iterator<Item = Operation> {
    operations().into_iter().filter(|operation| operation.role.is_some())
}

impl Operation {
    async fn asked_by(&self, client: &Client) -> Answer {
        self.asked_with(client, &[]).await
    }

    async fn asked_with(&self, client: &Client, headers: &[(&str, &str)]) -> Answer {
        let body = (self.method != Method::GET && self.method != Method::DELETE).then(|| json!({}));
        client.send(self.method.clone(), &self.path, body, headers).await
    }

    fn is_own(&self) -> bool {
        self.template.starts_with("/rollcall/v1/me") || self.template == "/rollcall/v1/logout"
    }
}

#[tokio::test]
async fn login_and_health_are_all_that_is_open() {
    let open: BTreeSet<String> =
        operations().into_iter().filter(|operation| operation.role.is_none()).map(|operation| operation.template).collect();
    let expected = ["/rollcall/v1/health", "/rollcall/v1/login", "/rollcall/v1/session", "/v3/auth/tokens"];
    assert_eq!(open, expected.map(str::to_owned).into());
}

#[tokio::test]
async fn whoever_has_no_credentials_is_refused_everywhere() {
    let world = World::with_alpha().await;
    let nobody = world.nobody();
    for operation in guarded() {
        operation.asked_by(&nobody).await.refused(401, "IOTDA.000002");
    }
}

#[tokio::test]
async fn a_role_that_is_not_enough_is_refused_everywhere() {
    let world = World::with_alpha().await;
    let (viewer, operator) = (world.viewer().await, world.operator().await);
    for operation in guarded() {
        let least = operation.role.as_deref().unwrap();
        for (client, role, may) in
            [(&viewer, "viewer", ["viewer"].as_slice()), (&operator, "operator", &["viewer", "operator"])]
        {
            if !may.contains(&least) {
                let text = operation.asked_by(client).await.refused(403, "IOTDA.000021");
                assert!(text.contains(least) && text.contains(role), "{text}");
            }
        }
    }
}

#[tokio::test]
async fn another_project_is_refused_wherever_one_is_named() {
    let world = World::with_alpha().await;
    let admin = world.admin().await;
    for mut operation in guarded().filter(|operation| operation.template.contains("{project_id}")) {
        operation.path = operation.path.replace(PROJECT, "ffffffffffffffffffffffffffffffff");
        let text = operation.asked_by(&admin).await.refused(403, "IOTDA.000021");
        assert!(text.contains(PROJECT), "{text}");
    }
}

#[tokio::test]
async fn disabled_keys_and_operators_are_refused_everywhere() {
    let world = World::with_alpha().await;
    let (by_key, by_operator) = (world.admin().await, world.admin().await);
    let key = id(&by_key.access_key);
    world.fleet_command(FleetCommand::SwitchAccessKey { key, enabled: false }).await;
    let name = by_operator.get("/rollcall/v1/me").await.ok(200)["name"].as_str().unwrap().to_owned();
    let (role, scope, enabled) = (None, None, Some(false));
    world.fleet_command(FleetCommand::UpdateOperator { name: id(&name), role, scope, enabled }).await;
    for operation in guarded() {
        let texts = [operation.asked_by(&by_key).await, operation.asked_by(&by_operator).await];
        let texts = texts.map(|answer| answer.refused(401, "IOTDA.000002"));
        assert_eq!(texts[0], texts[1], "neither is to say why");
    }
}

#[tokio::test]
async fn an_operator_of_another_instance_is_refused_everywhere_here() {
    let world = World::with_alpha().await;
    world.create_instance("beta").await;
    let scope = Scope { instances: Some([id("beta")].into()), spaces: None };
    let by_host = world.client(Role::Admin, scope).await;
    let admin = by_host.of_instance("alpha");
    let foreign = world.fleet.borrow().fleet.instances[&id::<InstanceId>("alpha")].access_domain.clone();
    for operation in guarded() {
        if operation.is_own() || OF_NO_INSTANCE.contains(&operation.template.as_str()) {
            continue;
        }
        if operation.template.contains("{project_id}") {
            let of_host = async |host: &str| operation.asked_with(&by_host, &[("host", host)]).await;
            let (foreign, unknown) = (of_host(&foreign).await, of_host("nowhere.example").await);
            assert_eq!((foreign.status, &foreign.body), (unknown.status, &unknown.body), "{}", foreign.asked);
            assert!(!foreign.body.to_string().contains("alpha"), "{}: {}", foreign.asked, foreign.body);
        }
        if operation.method == Method::GET && operation.template == "/rollcall/v1/instances" {
            let listed = operation.asked_by(&admin).await.ok(200)["instances"].clone();
            let ids: Vec<&str> = listed.as_array().unwrap().iter().map(|shown| shown["id"].as_str().unwrap()).collect();
            assert_eq!(ids, ["beta"]);
            continue;
        }
        let answer = operation.asked_by(&admin).await;
        match answer.status {
            404 => answer.refused(404, "IOTDA.014907"),
            _ => answer.refused(403, "IOTDA.000021"),
        };
    }
}

/// What an operator who is limited to one resource space gets for an id of another one, and for an id that nothing has: the
/// same, whatever it is an id of.
#[tokio::test]
async fn an_id_of_another_resource_space_is_answered_as_one_that_nothing_has() {
    let (world, authority) = World::with_ca().await;
    world.create_space("alpha", "other").await;
    world.create_product("alpha", "other", "boat").await;
    world.connect("alpha", &authority.device("one"), None).await;
    let limited = world.operator_of(&["other"]).await;
    let v1 = "/rollcall/v1/instances/alpha";
    let certificate = world.operator().await.get("/device-certificates").await.ok(200);
    let certificate = certificate["device_certificates"][0]["certificate_id"].as_str().unwrap().to_owned();
    let absent_certificate = format!("{}{}", if certificate.starts_with('0') { "1" } else { "0" }, &certificate[1..]);
    let ids = [
        ("{space}", "space", "nowhere"),
        ("{product}", "truck", "nothing"),
        ("{device}", "truck_one", "nobody"),
        ("{ca}", "ca", "none"),
        ("{template}", "template", "none"),
        ("{policy}", "default-space", "none"),
        ("{certificate}", certificate.as_str(), absent_certificate.as_str()),
    ];
    let body = crate::templates::body("boat");
    let requests = [
        (Method::GET, "/apps/{space}".to_owned(), json!({})),
        (Method::PUT, "/apps/{space}".to_owned(), json!({"app_name": "mine"})),
        (Method::GET, "/devices?app_id={space}".to_owned(), json!({})),
        (Method::GET, "/products?app_id={space}".to_owned(), json!({})),
        (Method::GET, "/certificates?app_id={space}".to_owned(), json!({})),
        (Method::GET, "/device-policies?app_id={space}".to_owned(), json!({})),
        (Method::PUT, format!("{v1}/apps/{{space}}"), json!({"app_name": "mine"})),
        (Method::GET, "/products/{product}".to_owned(), json!({})),
        (Method::DELETE, "/products/{product}".to_owned(), json!({})),
        (Method::POST, "/devices".to_owned(), json!({"node_id": "n", "product_id": "{product}"})),
        (Method::GET, "/devices/{device}".to_owned(), json!({})),
        (Method::GET, "/devices/{device}/shadow".to_owned(), json!({})),
        (Method::POST, "/devices/{device}/messages".to_owned(), json!({"message": "x"})),
        (Method::GET, format!("{v1}/devices/{{device}}/history"), json!({})),
        (Method::GET, "/certificates/{ca}".to_owned(), json!({})),
        (Method::PUT, "/certificates/{ca}".to_owned(), json!({"provision_enable": false})),
        (Method::POST, "/certificates/{ca}/action?action_id=issue-code".to_owned(), json!({})),
        (Method::GET, "/provisioning-templates/{template}".to_owned(), json!({})),
        (Method::POST, format!("{v1}/templates/{{template}}/what-if"), json!({"template_body": body})),
        (Method::GET, "/device-policies/{policy}".to_owned(), json!({})),
        (Method::POST, "/device-policies/{policy}/bind".to_owned(), json!({"target_type": "app", "target_ids": ["other"]})),
        (Method::GET, "/device-certificates/{certificate}".to_owned(), json!({})),
        (Method::PUT, "/device-certificates/{certificate}".to_owned(), json!({"status": "INACTIVE"})),
    ];
    let product = json!({
        "app_id": "{space}", "name": "x", "device_type": "x", "protocol_type": "MQTT", "data_format": "json",
        "service_capabilities": [],
    });
    for (method, path, body) in requests.into_iter().chain([(Method::POST, "/products".to_owned(), product)]) {
        let (mut answers, mut any) = (Vec::new(), false);
        for foreign in [true, false] {
            let (mut path, mut text) = (path.clone(), body.to_string());
            for (name, theirs, none) in ids {
                any |= path.contains(name) || text.contains(name);
                let id = if foreign { theirs } else { none };
                (path, text) = (path.replace(name, id), text.replace(name, id));
            }
            let body: Value = serde_json::from_str(&text).unwrap();
            let body = (method != Method::GET && method != Method::DELETE).then_some(body);
            answers.push(limited.send(method.clone(), &path, body, &[]).await);
        }
        assert!(any, "{path} names nothing");
        let [theirs, none] = answers.try_into().ok().unwrap();
        assert!(theirs.status >= 400, "{method} {path}: {}", theirs.status);
        assert_eq!((theirs.status, &theirs.body["error_code"]), (none.status, &none.body["error_code"]), "{method} {path}");
    }
}
