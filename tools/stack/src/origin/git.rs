//! A git server over HTTPS, as GitHub is one: `git http-backend` behind Basic authentication. A bearer
//! token is answered with 401.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderName, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Bytes of a pushed pack, at most.
const LIMIT: usize = 64 << 20;
/// What GitHub has installation tokens be the password of.
const USER: &str = "x-access-token";

/// A folder of bare repositories.
#[derive(Clone, Debug)]
pub struct Repositories {
    pub folder: PathBuf,
    /// The first segment of their paths.
    pub below: &'static str,
}

/// Answers a request for a repository below `root`; `path` is below it.
pub(super) async fn serve(root: PathBuf, path: String, request: Request<Body>) -> Response {
    if !is_authenticated(&request) {
        let challenge = [(WWW_AUTHENTICATE, "Basic realm=\"git\"")];
        return (StatusCode::UNAUTHORIZED, challenge).into_response();
    }
    match run(&root, &path, request).await {
        Ok(response) => response,
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
    }
}

fn is_authenticated(request: &Request<Body>) -> bool {
    let value = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let pair = value.and_then(|value| value.strip_prefix("Basic "));
    let pair = pair.and_then(|pair| STANDARD.decode(pair).ok());
    let pair = pair.and_then(|pair| String::from_utf8(pair).ok());
    pair.and_then(|pair| pair.split_once(':').map(|(user, _)| user == USER)).unwrap_or(false)
}

/// One run of the CGI program.
async fn run(root: &Path, path: &str, request: Request<Body>) -> Result<Response> {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
    let mut backend = Command::new("git");
    backend.arg("http-backend").kill_on_drop(true);
    backend
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REMOTE_USER", USER)
        .env("REQUEST_METHOD", head.method.as_str())
        .env("PATH_INFO", format!("/{path}"))
        .env("QUERY_STRING", head.uri.query().unwrap_or_default());
    for (variable, name) in [
        ("CONTENT_TYPE", CONTENT_TYPE.as_str()),
        ("HTTP_CONTENT_ENCODING", "content-encoding"),
        ("HTTP_GIT_PROTOCOL", "git-protocol"),
    ] {
        if let Some(value) = header(name) {
            backend.env(variable, value);
        }
    }
    backend.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let body = to_bytes(body, LIMIT).await.context("reading the body")?;
    backend.env("CONTENT_LENGTH", body.len().to_string());
    let mut child = backend.spawn().context("starting git http-backend")?;
    let mut input = child.stdin.take().context("it has no input")?;
    let writing = async move { input.write_all(&body).await };
    let (written, output) = tokio::join!(writing, child.wait_with_output());
    written.context("writing the body")?;
    response_of(&output.context("reading the answer")?.stdout)
}

/// RFC 3875 section 6: headers, an empty line, the body.
fn response_of(output: &[u8]) -> Result<Response> {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n");
    let Some(end) = end else { bail!("git http-backend answered nothing") };
    let (head, body) = (&output[..end], &output[end + 4..]);
    let mut response = Response::new(Body::from(body.to_vec()));
    for line in String::from_utf8_lossy(head).lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().unwrap_or_default();
            *response.status_mut() = code.parse().context("its status")?;
        } else {
            let name: HeaderName = name.parse().context("the name of a header")?;
            response.headers_mut().append(name, value.parse().context("a header")?);
        }
    }
    Ok(response)
}
