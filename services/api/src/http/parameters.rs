//! Middleware that holds the query parameters of a request to what the OpenAPI document says of them.
//!
//! Does not judge what a value means: an id that no product has is of the right form. What the document does not name is warned of or
//! refused ([`unknown`](crate::http::unknown)); a missing parameter is reported by the operation itself, after authentication.
//! Invariant: a value that the document forbids does not reach an operation.

use std::{collections::HashMap, ops::RangeInclusive, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use regex::Regex;
use rollcall_domain::text::shown;
use serde_json::Value;

use crate::http::{codes::Code, error::ApiError, extract, unknown::Unknown};

/// Characters of a value that an error repeats.
const SHOWN_CHARS_MAX: usize = 64;

/// The middleware inside authentication, where there is one.
pub(super) async fn check(
    State(rules): State<Arc<ParameterRules>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str).unwrap_or_default();
    // A HEAD is answered by the same operation.
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let parameters = rules.0.get(path).into_iter().flatten().find(|(of, _)| of == method);
    if let Some((_, parameters)) = parameters {
        let query = extract::pairs(request.uri())?;
        check_query(parameters, &query)?;
        let is_known = |name: &String| parameters.iter().any(|parameter| parameter.name == *name);
        let mut names: Vec<_> = query.into_iter().map(|(name, _)| name).filter(|name| !is_known(name)).collect();
        names.dedup();
        request.extensions().get::<Unknown>().map_or(Ok(()), |unknown| unknown.note("query parameter", &names))?;
    }
    Ok(next.run(request).await)
}

/// The query parameters of every operation, by path.
pub(super) struct ParameterRules(HashMap<String, Vec<(Method, Vec<Parameter>)>>);

struct Parameter {
    name: String,
    constraint: Constraint,
    /// Goes into the error.
    description: String,
}

/// The values that a parameter may have.
enum Constraint {
    /// A text with so many characters, of a pattern if there is one.
    Text { chars: RangeInclusive<usize>, pattern: Option<Regex> },
    /// One of these.
    OneOf(Vec<String>),
    /// A whole number.
    Integer(RangeInclusive<i64>),
    /// `true` or `false`.
    Boolean,
}

impl ParameterRules {
    /// Those of a document. `None`: a parameter is of a form that is not known here.
    pub(super) fn of(document: &Value) -> Option<Self> {
        let mut all = HashMap::new();
        for (path, item) in document["paths"].as_object()? {
            let mut of_path = Vec::new();
            for (method, operation) in item.as_object()? {
                let method: Method = method.to_uppercase().parse().ok()?;
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let queried = parameters.filter(|parameter| parameter["in"] == "query");
                of_path.push((method, queried.map(Parameter::read).collect::<Option<_>>()?));
            }
            all.insert(path.clone(), of_path);
        }
        Some(Self(all))
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.values().flatten().all(|(_, parameters)| parameters.is_empty())
    }
}

impl Parameter {
    fn read(parameter: &Value) -> Option<Self> {
        Some(Self {
            name: parameter["name"].as_str()?.to_owned(),
            constraint: Constraint::read(&parameter["schema"])?,
            description: parameter["description"].as_str()?.replace('\n', " "),
        })
    }

    /// What is wrong with a value. `None`: nothing.
    fn violation(&self, value: &str) -> Option<String> {
        let shown = || format!("is {:?}", shown(value, SHOWN_CHARS_MAX));
        match &self.constraint {
            Constraint::Text { chars, .. } if !chars.contains(&value.chars().count()) => {
                let count = value.chars().count();
                Some(format!("has {count} characters: give {} to {}", chars.start(), chars.end()))
            }
            Constraint::Text { pattern: Some(pattern), .. } if !pattern.is_match(value) => {
                Some(format!("{}: give what matches {pattern}. {}", shown(), self.description))
            }
            Constraint::Text { .. } => None,
            Constraint::OneOf(values) if values.iter().any(|one| one == value) => None,
            Constraint::OneOf(values) => Some(format!("{}: give one of {}", shown(), values.join(", "))),
            Constraint::Integer(range) if value.parse().is_ok_and(|number: i64| range.contains(&number)) => None,
            Constraint::Integer(range) => {
                Some(format!("{}: give a whole number from {} to {}", shown(), range.start(), range.end()))
            }
            Constraint::Boolean if ["true", "false"].contains(&value) => None,
            Constraint::Boolean => Some(format!("{}: give true or false", shown())),
        }
    }

    fn error(&self, violation: &str) -> ApiError {
        let code = match self.name.as_str() {
            "limit" => Code::LimitOutOfRange,
            "marker" | "offset" | "cursor" => Code::PageOutOfRange,
            "start_time" | "end_time" | "since" | "until" => Code::TimeFormat,
            name => return ApiError::invalid(name, violation),
        };
        ApiError::new(code, format!("{} {violation}", self.name))
    }
}

impl Constraint {
    fn read(schema: &Value) -> Option<Self> {
        let number = |name: &str, absent| schema.get(name).map_or(Some(absent), Value::as_i64);
        let chars = |name: &str, absent| usize::try_from(number(name, absent)?).ok();
        match (schema["type"].as_str()?, &schema["enum"]) {
            ("string", Value::Array(values)) => {
                values.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<_>>().map(Self::OneOf)
            }
            ("string", _) => Some(Self::Text {
                chars: chars("minLength", 0)?..=chars("maxLength", i64::MAX)?,
                pattern: match schema.get("pattern") {
                    None => None,
                    Some(pattern) => Some(Regex::new(pattern.as_str()?).ok()?),
                },
            }),
            ("integer", _) => Some(Self::Integer(number("minimum", i64::MIN)?..=number("maximum", i64::MAX)?)),
            ("boolean", _) => Some(Self::Boolean),
            _ => None,
        }
    }
}

/// Whether a query has what the parameters of its operation must be.
fn check_query(parameters: &[Parameter], query: &[(String, String)]) -> Result<(), ApiError> {
    for parameter in parameters {
        let mut values = query.iter().filter(|(name, _)| *name == parameter.name).map(|(_, value)| value);
        if let Some(violation) = values.find_map(|value| parameter.violation(value)) {
            return Err(parameter.error(&violation));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parameter(name: &str, schema: &Value) -> Parameter {
        Parameter::read(&json!({"name": name, "in": "query", "schema": schema, "description": "What it is."})).unwrap()
    }

    #[test]
    fn a_value_is_held_to_the_schema_of_its_parameter() {
        let text = json!({"type": "string", "minLength": 1, "maxLength": 2});
        let pattern = json!({"type": "string", "pattern": "^[a-z]+$"});
        let whole = json!({"type": "integer", "minimum": 1, "maximum": 50});
        let cases = [
            ("app_id", &text, "\u{7535}\u{7535}", "abc", Code::InvalidInput, "app_id: has 3 characters: give 1 to 2"),
            ("app_id", &text, "a", "", Code::InvalidInput, "has 0 characters"),
            (
                "marker",
                &pattern,
                "ab",
                "a\n",
                Code::PageOutOfRange,
                "marker is \"a\\\\n\": give what matches ^[a-z]+$. What",
            ),
            ("since", &pattern, "ab", "1", Code::TimeFormat, "since is"),
            ("limit", &whole, "50", "51", Code::LimitOutOfRange, "limit is \"51\": give a whole number from 1 to 50"),
            ("offset", &whole, "1", "x", Code::PageOutOfRange, "offset is"),
            ("before", &json!({"type": "integer"}), "-1", "9223372036854775808", Code::InvalidInput, "before: is"),
            ("by", &json!({"type": "string", "enum": ["a", "b"]}), "a", "c", Code::InvalidInput, "give one of a, b"),
            ("all", &json!({"type": "boolean"}), "false", "0", Code::InvalidInput, "give true or false"),
        ];
        for (name, schema, good, wrong, code, text) in cases {
            let parameters = [parameter(name, schema)];
            let query = |value: &str| [(name.to_owned(), value.to_owned()), ("unknown".to_owned(), "\0".to_owned())];
            check_query(&parameters, &query(good)).unwrap();
            let error = check_query(&parameters, &query(wrong)).unwrap_err();
            assert_eq!(error.code, code, "{}", error.message);
            assert!(error.message.contains(text), "{}", error.message);
        }
    }
}
