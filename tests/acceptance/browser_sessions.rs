//! A browser signs in at one API process, is known at another, and is signed out of both at once.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
};

use rollcall_harness::{clients::folder, deployment::Deployment, wait};
use serde_json::{Value, json};

const SESSION: &str = "/rollcall/v1/session";
const ME: &str = "/rollcall/v1/me";

/// What a browser does with one API process, by curl.
struct Browser {
    url: String,
    address: String,
    server_ca: PathBuf,
}

/// Status, `Set-Cookie`, body.
struct Answer {
    status: u16,
    cookie: Option<String>,
    body: Value,
}

impl Browser {
    /// `announced`: as `up.json` says it of an API.
    fn at(announced: &Value) -> Self {
        let text = |name: &str| announced[name].as_str().expect("a text").to_owned();
        Self { url: text("url"), address: text("address"), server_ca: text("ca_file").into() }
    }

    fn send(&self, method: &str, path: &str, cookie: Option<&str>, origin: &str, body: Option<&Value>) -> Answer {
        let port = self.address.rsplit(':').next().expect("a port");
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-i", "--http1.1", "-X", method, "--resolve", &format!("localhost:{port}:127.0.0.1")]);
        curl.args(["-H", "X-Rollcall-Console: 1", "-H", "Content-Type: application/json"]);
        curl.args(["-H", &format!("Origin: {origin}")]).arg("--cacert").arg(&self.server_ca);
        if let Some(cookie) = cookie {
            curl.args(["-H", &format!("Cookie: {cookie}")]);
        }
        if let Some(body) = body {
            curl.args(["--data-raw", &body.to_string()]);
        }
        let done = curl.arg(format!("{}{path}", self.url)).stdin(Stdio::null()).output().expect("curl is installed");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let text = String::from_utf8(done.stdout).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let set = head.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        let cookie = set.and_then(|set| set.split(';').next()).map(str::to_owned);
        Answer { status, cookie, body: serde_json::from_str(body).unwrap_or_default() }
    }

    fn own(&self, method: &str, path: &str, cookie: Option<&str>, body: Option<&Value>) -> Answer {
        self.send(method, path, cookie, &self.url, body)
    }
}

#[test]
fn signing_out_at_one_process_ends_the_session_at_the_other() {
    let mut deployment = Deployment::empty(folder(), &[]);
    let first = deployment.start_api();
    let second = deployment.start_second_api();
    let (here, there) = (Browser::at(&first), Browser::at(&second));
    let credentials = json!({"operator": first["operator"], "password": first["password"]});
    let signed_in = here.own("POST", SESSION, None, Some(&credentials));
    assert_eq!((signed_in.status, &signed_in.body["role"]), (200, &json!("admin")), "{}", signed_in.body);
    let cookie = signed_in.cookie.expect("a cookie");
    let cookie = Some(cookie.as_str());
    // It follows the fleet by itself.
    wait::until("the other process to know the operator", || match there.own("GET", ME, cookie, None) {
        answer if answer.status == 200 => Ok(()),
        answer => Err(answer.body.to_string()),
    });
    let forged = there.send("DELETE", SESSION, cookie, &here.url, None);
    assert_eq!((forged.status, &forged.body["error_code"]), (403, &json!("IOTDA.014947")), "of another port");
    assert_eq!(here.own("GET", ME, cookie, None).status, 200);
    assert_eq!(there.own("DELETE", SESSION, cookie, None).status, 204);
    // No wait: it is over when the answer has come.
    assert_eq!(here.own("GET", ME, cookie, None).status, 401);
    assert_eq!(there.own("GET", ME, cookie, None).status, 401);
}
