//! A client of the API: JSON over HTTP/1.1 and TLS, signed with an access key or with a token.
//!
//! One request at a time, which is what the tools of this command need. Invariants: credentials go only to the server that
//! the CA certificate vouches for, and no error contains them; a request that fails for a passing reason is sent again with
//! the same `Idempotency-Key`, until a deadline.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Method, Request, Uri, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use rollcall_chassis::{
    clock::{Clock as _, SystemClock},
    entropy::{Entropy as _, SystemEntropy},
    retry::{Backoff, Retry},
    tls_client::{TlsClientError, connect_without_certificate},
};
use rollcall_request_signing::{DATE_HEADER, SignedRequest, date_text, sign};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// How long one request may take, its retries included.
const DEADLINE: Duration = Duration::from_secs(30);
/// How long to wait before a request is sent again.
const RETRY: Backoff = Backoff { min: Duration::from_millis(50), max: Duration::from_secs(1) };
/// Largest answer that is read, bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The code for more requests than an operator may send: trying again helps.
const RATE_LIMITED: &str = "IOTDA.021101";

/// Why there is no answer to act on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The URL cannot be used.
    #[error("{url:?} is no URL of an API: {reason}")]
    Url {
        /// As given, without what stands before an `@`.
        url: String,
        reason: &'static str,
    },
    #[error("the API at {authority} cannot be reached")]
    Connect {
        /// Host and port.
        authority: String,
        #[source]
        source: std::io::Error,
    },
    #[error("no TLS with the API at {authority}")]
    Tls {
        /// Host and port.
        authority: String,
        #[source]
        source: TlsClientError,
    },
    /// The connection ended, or what came is not HTTP.
    #[error("{operation}: the connection to the API failed")]
    Http {
        /// Method and path.
        operation: String,
        #[source]
        source: hyper::Error,
    },
    /// The API did not answer before the deadline, or answered each time that it is unavailable.
    #[error("{operation}: no answer within {} s; last: {last}", DEADLINE.as_secs())]
    TimedOut {
        /// Method and path.
        operation: String,
        /// What was said last.
        last: String,
    },
    /// The API refused the credentials, or failed.
    #[error("{operation}: {status}: {said}")]
    Refused {
        /// Method and path.
        operation: String,
        /// The HTTP status.
        status: u16,
        /// Its text and code.
        said: String,
    },
    /// The answer does not have the form that it should have.
    #[error("{operation}: the answer cannot be understood: {what}")]
    Answer {
        /// Method and path.
        operation: String,
        /// What is missing.
        what: &'static str,
    },
}

/// The operator that requests are made as, and what proves it.
#[derive(Clone, Debug)]
pub(crate) enum Credentials {
    /// With an access key: every request is signed.
    AccessKey { id: String, secret: SecretString },
    /// With name and password: logged in once, then by token.
    Password {
        /// The operator's name.
        operator: String,
        password: SecretString,
    },
}

/// What was answered: the body, or a refusal that is about the request.
pub(crate) type Answer = Result<Value, Refusal>;

/// A refusal that is about the request itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The API's own code.
    pub(crate) code: String,
    /// What was wrong, where, and what to do.
    pub(crate) message: String,
}

/// Holds one connection, which it opens when a request needs it and again when it breaks.
pub(crate) struct Client {
    https: bool,
    host: String,
    port: u16,
    ca_file: Option<PathBuf>,
    /// Where to connect to in place of what the host's name leads to.
    address: Option<SocketAddr>,
    credentials: Credentials,
    token: Option<SecretString>,
    connection: Option<http1::SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client of the API at `url`: `https://host[:port]`, or `http://` on a loopback address. `ca_file` has the CA
    /// certificate(s) that the API's must lead to. Nothing is connected yet.
    ///
    /// # Errors
    /// [`ClientError::Url`].
    pub(crate) fn new(url: &str, ca_file: Option<PathBuf>, credentials: Credentials) -> Result<Self, ClientError> {
        let shown = without_credentials(url);
        let refused = |reason| ClientError::Url { url: shown.clone(), reason };
        if url.contains('@') {
            return Err(refused(
                "credentials do not go into a URL: give --access-key with --secret-file, or --user with --password-file",
            ));
        }
        let uri: Uri = url.parse().map_err(|_| refused("give https://host:port"))?;
        let host = uri
            .host()
            .map(|host| host.trim_matches(['[', ']']).to_owned())
            .ok_or_else(|| refused("give https://host:port"))?;
        if uri.scheme().is_some() && (uri.path() != "/" || uri.query().is_some()) {
            return Err(refused("give scheme, host and port only"));
        }
        let is_loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let (https, default_port) = match uri.scheme_str() {
            Some("https") if ca_file.is_none() => {
                return Err(refused("give --ca-file: the CA certificate (PEM) that the API's certificate leads to"));
            }
            Some("https") => (true, 443),
            Some("http") if is_loopback => (false, 80),
            Some("http") => return Err(refused("plain HTTP is for loopback addresses: use https")),
            _ => return Err(refused("give https://host:port")),
        };
        let port = uri.port_u16().unwrap_or(default_port);
        Ok(Self { https, host, port, ca_file, address: None, credentials, token: None, connection: None })
    }

    /// Connects to this address in place of the host's: for a server whose certificate names a host that does not resolve to it.
    #[must_use]
    pub(crate) fn at(mut self, address: SocketAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// Sends a request, and retries failures that pass by themselves. `path` begins with `/` and has its query.
    ///
    /// # Errors
    /// [`ClientError`]; a refusal that is about the request is an [`Answer`].
    pub(crate) async fn ask(
        &mut self,
        method: &Method,
        path: &str,
        instance: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, ClientError> {
        let operation = format!("{method} {path}");
        let ends = tokio::time::Instant::now() + DEADLINE;
        let key = SystemEntropy.uuid_v4().to_string();
        let (mut retry, mut is_first) = (Retry::new(RETRY, Arc::new(SystemEntropy)), true);
        loop {
            let attempt = self.attempt(method, path, instance, body, &key);
            let last = match tokio::time::timeout_at(ends, attempt).await {
                Err(_) => "nothing".to_owned(),
                Ok(Ok(answer)) if (200..300).contains(&answer.status) => return Ok(Ok(answer.body)),
                Ok(Ok(answer)) => {
                    let refusal = answer.refusal();
                    let said = format!("{} ({})", refusal.message, refusal.code);
                    match answer.status {
                        503 => said,
                        _ if refusal.code == RATE_LIMITED => said,
                        // A token may have run out; an access key that is refused stays so.
                        401 | 403 if self.token.take().is_some() && is_first && is_about_the_token(&refusal) => said,
                        401 | 500.. => return Err(ClientError::Refused { operation, status: answer.status, said }),
                        _ => return Ok(Err(refusal)),
                    }
                }
                Ok(Err(error @ (ClientError::Connect { .. } | ClientError::Http { .. }))) => {
                    self.connection = None;
                    format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default())
                }
                Ok(Err(error)) => return Err(error),
            };
            let wait = retry.failed();
            if tokio::time::Instant::now() + wait >= ends {
                return Err(ClientError::TimedOut { operation, last });
            }
            tokio::time::sleep(wait).await;
            is_first = false;
        }
    }

    async fn attempt(
        &mut self,
        method: &Method,
        path: &str,
        instance: Option<&str>,
        body: Option<&Value>,
        key: &str,
    ) -> Result<Raw, ClientError> {
        if let (Credentials::Password { operator, password }, None) = (&self.credentials, &self.token) {
            let body = json!({ "operator": operator, "password": password.expose_secret() });
            let answer = self.send(&Method::POST, "/rollcall/v1/login", &[], &body.to_string()).await?;
            if answer.status != 200 {
                return Ok(answer);
            }
            let what = ClientError::Answer { operation: "POST /rollcall/v1/login".to_owned(), what: "no token" };
            self.token = Some(answer.body["token"].as_str().ok_or(what)?.to_owned().into());
        }
        let mut headers = vec![("idempotency-key", key.to_owned())];
        headers.extend(instance.map(|instance| ("instance-id", instance.to_owned())));
        if let Some(token) = &self.token {
            headers.push(("x-auth-token", token.expose_secret().to_owned()));
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        self.send(method, path, &headers, &body).await
    }

    /// One request and its answer; signed if there is an access key to sign with.
    async fn send(&mut self, method: &Method, path: &str, more: &[(&str, String)], body: &str) -> Result<Raw, ClientError> {
        let operation = format!("{method} {path}");
        let date = date_text(SystemClock.unix_ms());
        let authority = self.authority();
        let mut headers: Vec<(&str, &str)> =
            vec![("host", &authority), (DATE_HEADER, &date), ("content-type", "application/json")];
        headers.extend(more.iter().map(|(name, value)| (*name, value.as_str())));
        let authorization = match &self.credentials {
            Credentials::AccessKey { id, secret } => {
                let (path, query) = path.split_once('?').unwrap_or((path, ""));
                let signed: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
                let request =
                    SignedRequest { method: method.as_str(), path, query, headers: &signed, body: body.as_bytes() };
                let what = "the request cannot be signed";
                Some(sign(id, secret, &request).map_err(|_| ClientError::Answer { operation: operation.clone(), what })?)
            }
            Credentials::Password { .. } => None,
        };
        let mut request = Request::builder().method(method.clone()).uri(path);
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        if let Some(authorization) = &authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned())));
        let request =
            request.map_err(|_| ClientError::Answer { operation: operation.clone(), what: "the request cannot be sent" })?;
        let failed = |source| ClientError::Http { operation: operation.clone(), source };
        let connection = self.connected().await?;
        let (head, body) = connection.send_request(request).await.map_err(failed)?.into_parts();
        let whole = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let what = "it is too large, or did not arrive whole";
        let bytes = whole.map_err(|_| ClientError::Answer { operation: operation.clone(), what })?.to_bytes();
        Ok(Raw { status: head.status.as_u16(), body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    async fn connected(&mut self) -> Result<&mut http1::SendRequest<Full<Bytes>>, ClientError> {
        let is_good = match &mut self.connection {
            Some(connection) => connection.ready().await.is_ok(),
            None => false,
        };
        if !is_good {
            self.connection = None;
        }
        match &mut self.connection {
            Some(_) => {}
            none @ None => {
                *none =
                    Some(open(&self.host, self.port, self.address, self.ca_file.as_deref().filter(|_| self.https)).await?)
            }
        }
        let what = ClientError::Answer { operation: "connecting".to_owned(), what: "no connection" };
        self.connection.as_mut().ok_or(what)
    }
}

/// Connects; with TLS if there is a CA certificate.
async fn open(
    host: &str,
    port: u16,
    address: Option<SocketAddr>,
    ca_file: Option<&Path>,
) -> Result<http1::SendRequest<Full<Bytes>>, ClientError> {
    let authority = format!("{host}:{port}");
    let socket = match address {
        Some(address) => TcpStream::connect(address).await,
        None => TcpStream::connect((host, port)).await,
    };
    let socket = socket.map_err(|source| ClientError::Connect { authority: authority.clone(), source })?;
    match ca_file {
        Some(ca_file) => {
            let stream = connect_without_certificate(socket, host, ca_file).await;
            handshake(stream.map_err(|source| ClientError::Tls { authority: authority.clone(), source })?, authority).await
        }
        None => handshake(socket, authority).await,
    }
}

async fn handshake(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    authority: String,
) -> Result<http1::SendRequest<Full<Bytes>>, ClientError> {
    let failed = |source| ClientError::Http { operation: format!("connecting to {authority}"), source };
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Status and JSON body of an answer; `null` if the body is not JSON.
struct Raw {
    status: u16,
    body: Value,
}

impl Raw {
    fn refusal(&self) -> Refusal {
        let text = |field: &str| self.body[field].as_str().unwrap_or_default().to_owned();
        Refusal { code: text("error_code"), message: text("error_msg") }
    }
}

/// Whether a fresh token may help.
fn is_about_the_token(refusal: &Refusal) -> bool {
    ["IOTDA.000002", "IOTDA.000004"].contains(&refusal.code.as_str())
}

/// The URL for an error message, without what precedes the `@`.
fn without_credentials(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_no_credentials_and_plain_http_stays_on_the_machine() {
        let credentials = || Credentials::AccessKey { id: "AK".into(), secret: "secret".into() };
        let refused = |url: &str, ca: Option<&str>| {
            let client = Client::new(url, ca.map(Into::into), credentials());
            client.err().unwrap_or_else(|| panic!("{url} must be refused")).to_string()
        };
        let said = refused("https://admin:hunter2@api.example.com", Some("ca.crt"));
        assert!(said.contains("--password-file") && !said.contains("hunter2"), "{said}");
        assert!(refused("https://api.example.com", None).contains("--ca-file"));
        assert!(refused("http://api.example.com:80", None).contains("loopback"));
        assert!(refused("https://api.example.com/v5", Some("ca.crt")).contains("only"));
        assert!(refused("api.example.com", Some("ca.crt")).contains("https://host:port"));
        assert!(Client::new("http://127.0.0.1:8943", None, credentials()).is_ok());
        assert!(Client::new("https://[::1]:8943", Some("ca.crt".into()), credentials()).is_ok());
    }
}
