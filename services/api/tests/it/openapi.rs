//! The OpenAPI document: the one that is committed is the one that is served, and it says all that a client must know.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

use crate::{client::Answer, world::World};

/// Methods of a path item that are operations.
const METHODS: [&str; 5] = ["get", "post", "put", "delete", "patch"];
/// What every operation may answer with beside what it is for.
const ERRORS: [&str; 7] = ["400", "401", "403", "404", "405", "409", "503"];

/// Every operation, named by method and path.
fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    document["paths"].as_object().unwrap().iter().flat_map(|(path, item)| {
        let of_path = item.as_object().unwrap().iter().filter(|(method, _)| METHODS.contains(&method.as_str()));
        of_path.map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

fn document() -> Value {
    serde_json::from_str(&rollcall_api::openapi_json()).unwrap()
}

#[test]
fn the_committed_document_is_that_of_the_routes() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/generated/openapi.json");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, rollcall_api::openapi_json()).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    // Not by assert_eq!: two documents of half a megabyte in one message help nobody.
    assert!(
        committed == rollcall_api::openapi_json(),
        "{} is not what the routes say: BLESS=1 rewrites it, for review",
        file.display()
    );
}

/// What released versions offered: `tests/acceptance/fixtures/<version>/api.txt`, in the words of [`offered`].
const RELEASED: [(&str, &str); 1] = [("0.1", include_str!("../../../../tests/acceptance/fixtures/0.1/api.txt"))];

/// Each operation, and each parameter and field of it, as a line: what a script may rely on. Names of schemas are not among it.
fn offered(document: &Value) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (name, operation) in operations(document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let text = |field: &str| parameter[field].as_str().unwrap().to_owned();
            lines.insert(format!("{name} ? {} {}", text("in"), text("name")));
        }
        fields(
            document,
            &operation["requestBody"]["content"]["application/json"]["schema"],
            &format!("{name} < "),
            &mut lines,
            &[],
        );
        for (status, response) in operation["responses"].as_object().unwrap() {
            if status.starts_with('2') {
                let schema = &response["content"]["application/json"]["schema"];
                fields(document, schema, &format!("{name} {status} "), &mut lines, &[]);
                lines.insert(format!("{name} {status}"));
            }
        }
    }
    lines
}

/// A line for each field below a schema; `within` are the schemas that it is inside of, so that one that holds itself ends.
fn fields(document: &Value, schema: &Value, at: &str, lines: &mut BTreeSet<String>, within: &[&str]) {
    if let Some(named) = schema["$ref"].as_str() {
        if !within.contains(&named) {
            let target = document.pointer(named.trim_start_matches('#')).unwrap();
            fields(document, target, at, lines, &[within, &[named]].concat());
        }
        return;
    }
    for choice in ["allOf", "anyOf", "oneOf"].iter().flat_map(|kind| schema[*kind].as_array().into_iter().flatten()) {
        fields(document, choice, at, lines, within);
    }
    if schema["items"].is_object() {
        fields(document, &schema["items"], &format!("{at}[]"), lines, within);
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        fields(document, field, &at, lines, within);
        lines.insert(at);
    }
}

#[test]
fn nothing_that_a_released_version_offered_is_gone() {
    let now = offered(&document());
    if std::env::var_os("BLESS").is_some() {
        // What a release commits beside its fixtures; those of earlier ones are never rewritten.
        let text: String = now.iter().map(|line| format!("{line}\n")).collect();
        fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("api.txt"), text).unwrap();
    }
    for (version, then) in RELEASED {
        let gone: Vec<_> = then.lines().filter(|line| !now.contains(*line)).collect();
        assert!(gone.is_empty(), "{version} offered what is gone:\n{}", gone.join("\n"));
    }
    // What is offered is found.
    for line in [
        "get /v5/iot/{project_id}/devices ? query limit",
        "get /v5/iot/{project_id}/devices 200 .devices[].device_id",
        "post /rollcall/v1/login < .password",
    ] {
        assert!(now.contains(line), "{line}");
    }
}

#[test]
fn every_operation_says_what_it_does_who_may_and_how_it_fails() {
    let document = document();
    let mut open = Vec::new();
    for (name, operation) in operations(&document) {
        assert!(operation["summary"].as_str().is_some_and(|summary| !summary.is_empty()), "{name} has no summary");
        assert!(operation["tags"].as_array().is_some_and(|tags| !tags.is_empty()), "{name} has no tag");
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{name} cannot succeed");
        // Whether the service is there is not asked of the service.
        for status in ERRORS.iter().filter(|_| !name.ends_with("/health")) {
            let named = responses[*status]["$ref"].as_str().unwrap_or_else(|| panic!("{name}: {status}"));
            let error = document.pointer(named.trim_start_matches('#')).unwrap();
            assert_eq!(error["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/ErrorBody", "{named}");
        }
        match operation["x-rollcall-role"].as_str() {
            Some(role) => {
                assert!(["viewer", "operator", "admin"].contains(&role), "{name}: {role}");
                assert_eq!(operation["security"].as_array().map(Vec::len), Some(3), "{name}");
            }
            None => open.push(name),
        }
    }
    assert_eq!(
        open,
        [
            "get /rollcall/v1/health",
            "post /rollcall/v1/login",
            "delete /rollcall/v1/session",
            "get /rollcall/v1/session",
            "post /rollcall/v1/session",
            "post /v3/auth/tokens",
        ]
    );
}

/// Who may do what, in a file that a reviewer reads: a role that changes is a line of it that changes.
#[test]
fn every_operation_has_the_role_that_the_table_says() {
    let document = document();
    let role_of = |operation: &Value| operation["x-rollcall-role"].as_str().unwrap_or("open").to_owned();
    let lines = operations(&document).map(|(name, operation)| {
        let (method, path) = name.split_once(' ').unwrap();
        format!("{} {} {path}", role_of(operation), method.to_uppercase())
    });
    let table = lines.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join("\n") + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/roles.txt");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &table).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), table, "BLESS=1 rewrites it, for review");
}

#[test]
fn every_parameter_and_every_field_is_described() {
    let document = document();
    for (name, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let described = parameter["in"] == "path" || parameter["description"].is_string();
            assert!(described, "{name}: {}", parameter["name"]);
        }
    }
}

#[tokio::test]
async fn the_document_and_its_page_are_served_to_whoever_asks() {
    let world = World::empty().await;
    let nobody = world.nobody();
    let served = nobody.get("/openapi.json").await;
    assert_eq!(served.headers["content-type"], "application/json");
    let page = nobody.get("/docs").await;
    assert!(page.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    let policy = |answer: &Answer| answer.headers["content-security-policy"].to_str().unwrap().to_owned();
    assert_eq!(policy(&served), "default-src 'none'; frame-ancestors 'none'");
    assert_eq!(served.ok(200), document());
    let of_page = policy(&page);
    assert!(of_page.starts_with("default-src 'none'; script-src 'sha256-") && of_page.ends_with("frame-ancestors 'none'"));
    assert!(!of_page.contains("unsafe-inline") && !of_page.contains("sha256-47DEQpj8"), "nothing of it is empty: {of_page}");
    assert!(page.ok(200).as_str().unwrap().contains("openapi.json"));
}

#[tokio::test]
async fn a_query_is_held_to_the_document_with_the_services_codes() {
    let world = World::with_alpha().await;
    let admin = world.admin().await;
    let long = "x".repeat(37);
    for (query, code, told) in [
        ("limit=51", "IOTDA.000017", "limit"),
        ("offset=-1", "IOTDA.000018", "offset"),
        ("marker=x", "IOTDA.000018", "marker"),
        ("start_time=2026-01-01T00:00:00Z", "IOTDA.000009", "start_time"),
        ("start_time=20260230T000000Z", "IOTDA.000009", "start_time"),
        ("is_cascade_query=yes", "IOTDA.000006", "is_cascade_query"),
        (&*format!("product_id={long}"), "IOTDA.000006", "product_id: has 37 characters: give 0 to 36"),
    ] {
        let text = admin.get(&format!("/devices?{query}")).await.refused(400, code);
        assert!(text.contains(told), "{query}: {text}");
    }
    admin.get("/devices?unknown=x&limit=50&offset=500").await.ok(200);
}
