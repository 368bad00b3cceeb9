//! Which schemas of the document allow no further fields: those of bodies that are refused for one ([`unknown`]).
//!
//! A schema that a body of v5 has too stays open, since there a field too many is only warned of.
//!
//! [`unknown`]: crate::http::unknown

use std::collections::BTreeSet;

use serde_json::Value;

use crate::http::unknown::OWN_PATHS;

pub(super) fn close(document: &mut Value) {
    let (own, others) = (of_bodies(document, true), of_bodies(document, false));
    for name in own.difference(&others) {
        let schema = document["components"]["schemas"].get_mut(name).and_then(Value::as_object_mut);
        if let Some(schema) = schema.filter(|schema| schema.contains_key("properties")) {
            schema.entry("additionalProperties").or_insert(false.into());
        }
    }
}

/// The schemas that bodies of requests are made of: those of Rollcall's own paths, or of all others.
fn of_bodies(document: &Value, own: bool) -> BTreeSet<String> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let operations = paths.filter(|(path, _)| path.starts_with(OWN_PATHS) == own).flat_map(|(_, item)| item.as_object());
    let mut found = BTreeSet::new();
    for operation in operations.flat_map(|item| item.values()) {
        follow(document, &operation["requestBody"], &mut found);
    }
    found
}

fn follow(document: &Value, part: &Value, found: &mut BTreeSet<String>) {
    match part {
        Value::Object(fields) => {
            for (name, value) in fields {
                let referred = value.as_str().filter(|_| name == "$ref").and_then(|reference| reference.rsplit('/').next());
                match referred {
                    Some(schema) if found.insert(schema.to_owned()) => {
                        follow(document, &document["components"]["schemas"][schema], found);
                    }
                    Some(_) => {}
                    None => follow(document, value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| follow(document, value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_only_bodies_of_our_own_are_made_of_is_closed() {
        let to = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
        let body = |name: &str| json!({"requestBody": {"content": {"application/json": {"schema": to(name)}}}});
        let object = |field: Value| json!({"type": "object", "properties": {"field": field}});
        let mut document = json!({
            "paths": {"/rollcall/v1/a": {"put": body("Own")}, "/v5/a": {"post": body("Shared")}},
            "components": {"schemas": {
                "Own": object(json!({"type": "array", "items": to("Inner")})),
                "Inner": object(to("Shared")),
                "Shared": object(json!({})),
                "Answer": object(json!({})),
            }},
        });
        close(&mut document);
        let closed = |name: &str| document["components"]["schemas"][name].get("additionalProperties").is_some();
        assert_eq!(["Own", "Inner", "Shared", "Answer"].map(closed), [true, true, false, false]);
    }
}
