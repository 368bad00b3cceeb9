//! Whether a change that a browser's session proves was caused by a page of this server.
//!
//! `SameSite=Strict` keeps the cookie from other sites' requests already; another host of the same site, or a browser that does
//! not know the attribute, is what this is for. Two things are asked for, and either alone would do: a header that no form and no
//! plain request of another origin can carry, and an origin that is this server's. Invariant: what cannot be told is refused.

use axum::http::{HeaderMap, HeaderName, Method, Uri, header};

use crate::http::{codes::Code, error::ApiError};

/// The header that a page of this server sends with each change; its value is `1`.
const CONSOLE_HEADER: HeaderName = HeaderName::from_static("x-rollcall-console");
/// Where browsers say how the page that causes a request stands to the server (Fetch Metadata Request Headers, section 2.4).
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a change unless a page of this server has caused it. A reading passes.
///
/// # Errors
/// [`Code::ForeignOrigin`].
pub(crate) fn check(method: &Method, uri: &Uri, headers: &HeaderMap, plain_http: bool) -> Result<(), ApiError> {
    if [Method::GET, Method::HEAD].contains(method) {
        return Ok(());
    }
    let refused = |text: &str| Err(ApiError::new(Code::ForeignOrigin, text));
    if one(headers, &CONSOLE_HEADER) != Some("1") {
        return refused("a change by a browser's session needs the header X-Rollcall-Console: 1");
    }
    if !headers.contains_key(header::ORIGIN) {
        return match one(headers, &SEC_FETCH_SITE) {
            Some("same-origin") => Ok(()),
            _ => refused("a change by a browser's session needs an Origin header, or Sec-Fetch-Site: same-origin"),
        };
    }
    let authority = uri.authority().map(|authority| authority.as_str()).or_else(|| one(headers, &header::HOST));
    match one(headers, &header::ORIGIN).zip(authority) {
        Some((origin, authority)) if is_own(origin, authority, plain_http) => Ok(()),
        _ => refused("the Origin is not this server's: a page of another server may change nothing with this one's session"),
    }
}

/// The value of a header that is there once.
fn one<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Whether an origin (`scheme://host[:port]`) is that of the server which was asked for by this authority (`host[:port]`). Served in
/// plain, behind a proxy that ends TLS, the page is an HTTPS one; without a proxy it is of this machine.
fn is_own(origin: &str, authority: &str, plain_http: bool) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else { return false };
    let default_port = match scheme {
        "https" => ":443",
        "http" if plain_http && is_this_machine(host) => ":80",
        _ => return false,
    };
    let bare = |text: &str| text.strip_suffix(default_port).unwrap_or(text).to_ascii_lowercase();
    !host.is_empty() && bare(host) == bare(authority)
}

fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(ipv6) => return ipv6.split_once(']').is_some_and(|(address, _)| address == "::1"),
        None => host.split_once(':').map_or(host, |(name, _port)| name),
    };
    name == "localhost" || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(method: &Method, uri: &str, sent: &[(&'static str, &str)], plain_http: bool) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, value.parse().unwrap());
        }
        match check(method, &uri.parse().unwrap(), &headers, plain_http) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error.code, Code::ForeignOrigin);
                false
            }
        }
    }

    fn posted(sent: &[(&'static str, &str)]) -> bool {
        let console = [("host", "console.example"), ("x-rollcall-console", "1")];
        checked(&Method::POST, "/a", &[&console[..], sent].concat(), false)
    }

    #[test]
    fn a_change_is_taken_from_a_page_of_this_server_alone() {
        assert!(posted(&[("origin", "https://console.example")]));
        assert!(posted(&[("origin", "https://console.example:443")]));
        for forged in [
            "https://evil.example",
            "http://console.example",
            "https://console.example.evil.example",
            "https://evil-console.example",
            "https://console.example:8443",
            "https://a.console.example",
            "https://console.example/",
            "https://user@console.example",
            "https://",
            "console.example",
            "null",
            "",
        ] {
            assert!(!posted(&[("origin", forged)]), "{forged}");
            assert!(!posted(&[("origin", forged), ("sec-fetch-site", "same-origin")]), "{forged}: the Origin decides");
        }
        let own = ("origin", "https://console.example");
        assert!(!posted(&[own, own]), "two");
        assert!(posted(&[("sec-fetch-site", "same-origin")]));
        for site in ["same-site", "cross-site", "none", ""] {
            assert!(!posted(&[("sec-fetch-site", site)]), "{site}");
        }
        assert!(!posted(&[]), "nothing tells");
    }

    #[test]
    fn a_change_needs_the_header_that_a_form_cannot_send() {
        let own = [("host", "console.example"), ("origin", "https://console.example")];
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            assert!(!checked(&method, "/a", &own, false), "{method}");
            assert!(!checked(&method, "/a", &[&own[..], &[("x-rollcall-console", "0")]].concat(), false), "{method}");
            assert!(checked(&method, "/a", &[&own[..], &[("x-rollcall-console", "1")]].concat(), false), "{method}");
        }
        assert!(checked(&Method::GET, "/a", &[], false) && checked(&Method::HEAD, "/a", &[], false));
    }

    #[test]
    fn the_server_is_what_was_asked_for_by_name_address_and_port() {
        let of = |origin: &str, host: &str, plain| {
            checked(&Method::PUT, "/a", &[("x-rollcall-console", "1"), ("origin", origin), ("host", host)], plain)
        };
        assert!(of("https://[2001:db8::1]:8943", "[2001:db8::1]:8943", false));
        assert!(of("https://console.example:8943", "Console.Example:8943", false));
        assert!(!of("https://console.example:8943", "console.example", false));
        // A proxy has ended TLS, or there is none.
        assert!(of("https://console.example", "console.example", true));
        assert!(of("http://127.0.0.1:8943", "127.0.0.1:8943", true) && of("http://localhost", "localhost:80", true));
        assert!(of("http://[::1]:8943", "[::1]:8943", true));
        assert!(
            !of("http://console.example", "console.example", true) && !of("http://127.0.0.1.evil", "127.0.0.1.evil", true)
        );
        // HTTP/2 has it in the target.
        let sent = [("x-rollcall-console", "1"), ("origin", "https://console.example")];
        assert!(checked(&Method::PUT, "https://console.example/a", &sent, false));
        assert!(!checked(&Method::PUT, "https://other.example/a", &sent, false));
    }
}
