//! The console as a browser asks for it: of a folder, so that the test knows what is in it. What is in the program is found in the
//! same way.

use std::{fs, path::Path};

use hyper::Method;
use tempfile::TempDir;

use crate::{
    client::{Answer, Client},
    world::World,
};

const INDEX: &str = "<!doctype html><title>the console</title>";
const SCRIPT: &str = "assets/index-Bx9a_1-Q.js";

/// A folder as the build leaves it.
fn built() -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write("index.html", INDEX);
    write(SCRIPT, "as it is");
    write(&format!("{SCRIPT}.br"), "by brotli");
    write(&format!("{SCRIPT}.gz"), "by gzip");
    write("color-scheme.js", "before the first paint");
    write("data.bin", "of no kind that the build makes");
    write(".env", "hidden");
    folder
}

async fn with_console(folder: &Path) -> (World, Client) {
    let folder = folder.to_owned();
    let world = World::with_config(|config| config.console_dir = Some(folder)).await;
    let browser = world.nobody();
    (world, browser)
}

async fn get(browser: &Client, path: &str, headers: &[(&str, &str)]) -> Answer {
    browser.send(Method::GET, path, None, headers).await
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn every_screen_has_an_address() {
    let folder = built();
    let (_world, browser) = with_console(folder.path()).await;
    for path in [
        "/console/",
        "/console/instances/north/devices?status=ONLINE",
        "/console/a%2e%2e/b",
        "/console/index.html",
        "/console/codes/IOTDA.014900",
    ] {
        let answer = get(&browser, path, &[]).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, Some(INDEX)), "{path}");
        assert_eq!(header(&answer, "content-type"), "text/html; charset=utf-8");
        assert_eq!(header(&answer, "cache-control"), "no-cache", "an old index names files that are gone");
    }
    for path in ["/", "/console"] {
        let answer = get(&browser, path, &[]).await;
        assert_eq!((answer.status, header(&answer, "location")), (307, "/console/"), "{path}");
    }
    browser.send(Method::POST, "/console/", None, &[]).await.refused(405, "IOTDA.014913");
}

#[tokio::test]
async fn only_files_of_the_build_are_served() {
    let folder = built();
    let (_world, browser) = with_console(folder.path()).await;
    for path in [
        "assets/index-none.js",
        "assets/index-Bx9a_1-Q.js.gz",
        "assets/",
        ".env.js",
        "../package.json",
        "..%2fpackage.json",
        "%2e%2e/package.json",
        "assets/../../x.js",
        "/etc/passwd.js",
    ] {
        get(&browser, &format!("/console/{path}"), &[]).await.refused(404, "IOTDA.014900");
    }
    for path in [".env", "data.bin", "../Cargo.toml", "%2fetc%2fpasswd"] {
        let answer = get(&browser, &format!("/console/{path}"), &[]).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, Some(INDEX)), "{path}");
    }
}

#[tokio::test]
async fn a_page_of_the_console_runs_nothing_but_the_console() {
    let folder = built();
    let (_world, browser) = with_console(folder.path()).await;
    for path in ["/console/", "/console/color-scheme.js"] {
        let answer = get(&browser, path, &[]).await;
        let policy = header(&answer, "content-security-policy");
        for rule in [
            "default-src 'self'",
            "script-src 'self'",
            "style-src 'self'",
            "style-src-attr 'unsafe-inline'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.split("; ").any(|part| part == rule), "{rule} in {policy}");
        }
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(header(&answer, "referrer-policy"), "no-referrer");
    }
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    let folder = built();
    let (_world, browser) = with_console(folder.path()).await;
    let script = format!("/console/{SCRIPT}");
    let mut etags = Vec::new();
    for (accepted, coding, text) in
        [("gzip, deflate, br", "br", "by brotli"), ("gzip, br;q=0", "gzip", "by gzip"), ("identity", "", "as it is")]
    {
        let answer = get(&browser, &script, &[("accept-encoding", accepted)]).await;
        assert_eq!((answer.status, header(&answer, "content-encoding")), (200, coding));
        assert_eq!(answer.body.as_str(), Some(text));
        assert_eq!(header(&answer, "content-type"), "text/javascript; charset=utf-8");
        assert_eq!(header(&answer, "vary"), "accept-encoding");
        assert_eq!(header(&answer, "cache-control"), "public, max-age=31536000, immutable");
        etags.push(header(&answer, "etag").to_owned());

        let head = browser.send(Method::HEAD, &script, None, &[("accept-encoding", accepted)]).await;
        assert_eq!((head.status, head.body.is_null()), (200, true));
        assert_eq!(header(&head, "content-length"), text.len().to_string());
        assert_eq!(header(&head, "etag"), header(&answer, "etag"));

        let etag = header(&answer, "etag").to_owned();
        let again = get(&browser, &script, &[("accept-encoding", accepted), ("if-none-match", &etag)]).await;
        assert_eq!((again.status, again.body.is_null()), (304, true));
        assert_eq!((header(&again, "etag"), header(&again, "vary")), (etag.as_str(), "accept-encoding"));
    }
    etags.sort();
    etags.dedup();
    assert_eq!(etags.len(), 3, "what differs has another tag: {etags:?}");

    let index = get(&browser, "/console/", &[]).await;
    let held = [("if-none-match", header(&index, "etag"))];
    assert_eq!(get(&browser, "/console/instances", &held).await.status, 304);
    fs::write(folder.path().join("index.html"), "of the next version").unwrap();
    assert_eq!(get(&browser, "/console/", &held).await.status, 200, "the folder is read at each request");
}

#[tokio::test]
async fn without_a_console_the_page_says_how_to_build_it() {
    let folder = TempDir::new().unwrap();
    let (_world, browser) = with_console(folder.path()).await;
    for path in ["/console/", "/console/instances/north/devices"] {
        let answer = get(&browser, path, &[]).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.as_str().unwrap().contains("deploy/build-console"), "{}", answer.body);
    }
    get(&browser, "/console/assets/index.js", &[]).await.refused(404, "IOTDA.014900");
}
