//! Which role an operation needs. One table, computed from method and path; the OpenAPI document shows it.
//!
//! Not for scopes, which each operation checks against what it touches. Invariant: an operation that nobody has thought of
//! needs more, not less.

use axum::http::Method;
use rollcall_domain::fleet::Role;

/// POST operations that only read.
const READS: [&str; 6] = [
    "/v5/iot/{project_id}/device-certificates/{certificate_id}/list-device",
    "/v5/iot/{project_id}/device-policies/{policy_id}/list-targets",
    "/v5/iot/{project_id}/search/query-devices",
    "/v5/iot/{project_id}/tags/query-resources",
    "/rollcall/v1/instances/{instance_id}/certificates/{certificate_id}/debug",
    "/rollcall/v1/instances/{instance_id}/templates/{template_id}/what-if",
];

/// What only administrators do, whatever the method.
const ADMINISTRATION: [&str; 2] = ["/rollcall/v1/operators", "/rollcall/v1/access-keys"];

/// What everybody may change: what is their own.
const OWN: &str = "/rollcall/v1/me/password";

/// Where the fleet's instances are made and unmade.
const INSTANCES: [&str; 2] = ["/rollcall/v1/instances", "/rollcall/v1/instances/{instance_id}"];

/// The least role that may do `method` on the route `path`, as the router writes it.
pub(crate) fn needed(method: &Method, path: &str) -> Role {
    let under = |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if ADMINISTRATION.iter().any(|folder| under(folder)) {
        return Role::Admin;
    }
    let reads = method == Method::GET || method == Method::HEAD;
    if reads || path == OWN || (method == Method::POST && READS.contains(&path)) {
        return Role::Viewer;
    }
    if INSTANCES.contains(&path) { Role::Admin } else { Role::Operator }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_is_for_viewers_changing_for_operators_and_the_fleet_for_admins() {
        let cases = [
            (Method::GET, "/v5/iot/{project_id}/devices", Role::Viewer),
            (Method::POST, "/v5/iot/{project_id}/search/query-devices", Role::Viewer),
            (Method::POST, "/v5/iot/{project_id}/devices", Role::Operator),
            (Method::DELETE, "/v5/iot/{project_id}/devices/{device_id}", Role::Operator),
            (Method::GET, "/rollcall/v1/operators", Role::Admin),
            (Method::POST, "/rollcall/v1/access-keys/{access_key}/disable", Role::Admin),
            (Method::GET, "/rollcall/v1/instances", Role::Viewer),
            (Method::PUT, "/rollcall/v1/me/password", Role::Viewer),
            (Method::PUT, "/rollcall/v1/instances/{instance_id}", Role::Admin),
            (Method::POST, "/rollcall/v1/instances/{instance_id}/attempts/{attempt_id}/replay", Role::Operator),
        ];
        for (method, path, role) in cases {
            assert_eq!(needed(&method, path), role, "{method} {path}");
        }
    }
}
