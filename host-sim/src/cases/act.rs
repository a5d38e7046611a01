//! What a guest does, with nothing left to fill in: the same on every kind of proxy.

use super::file::{Case, CaseFile, Posture, Response, Step, Stream};
use super::session::SessionSpec;
use super::template::Template;
use super::tunnel::Tunnel;
use super::{Connect, CustodyScript, request_text};
use serde_json::{Map, Value};

/// One request or CONNECT of a step, ready to be done.
#[derive(Clone, Debug)]
pub struct Act {
    /// What placeholders stand for in this step.
    pub template: Template,
    /// The CONNECT, where there is one.
    pub tunnel: Option<Tunnel>,
    /// HTTP/1.1 text with the session in its place; absent where the CONNECT is all.
    pub request: Option<String>,
    /// See [`Step::body`].
    pub body: Vec<String>,
    pub response: Option<Response>,
    /// See [`Stream::goes_away`].
    pub goes_away: bool,
}

const SESSION_HEADER: &str = "x-leasehold-session";

// === impl Act ===

impl Act {
    /// What is done at once in a step at `now` (seconds since the epoch), with `jti` in a session that
    /// does not name its own.
    ///
    /// # Errors
    /// A placeholder that means nothing, a request that is none.
    pub fn all_of(
        file: &CaseFile,
        case: &Case,
        step: &Step,
        now: u64,
        jti: &str,
    ) -> Result<Vec<Self>, String> {
        let of = |stream: &Stream| {
            let session = stream.session.as_ref().or(step.session.as_ref());
            let session = session.or(case.session.as_ref()).unwrap_or(&file.session);
            Self::of(case.posture_in(file), step, stream, minted(session, now, jti)?)
        };
        step.streams().iter().map(of).collect()
    }

    fn of(
        posture: Posture,
        step: &Step,
        stream: &Stream,
        template: Template,
    ) -> Result<Self, String> {
        let text = stream.request.as_deref().map(|text| template.text(text)).transpose()?;
        let placed = stream.request.as_deref().is_some_and(|text| {
            ["${session}", "${basic}"].iter().any(|placeholder| text.contains(placeholder))
        });
        let tunnel = tunnel(step, posture, stream, &template)?;
        let unplaced = posture == Posture::Gateway && !placed && !template.session.is_empty();
        let request = text.map(|text| match unplaced {
            true => request_text::with_header(&text, SESSION_HEADER, &template.session),
            false => text,
        });
        let body =
            stream.body.iter().map(|piece| template.text(piece)).collect::<Result<_, _>>()?;
        let (response, goes_away) = (stream.response.clone(), stream.goes_away);
        Ok(Self { template, tunnel, request, body, response, goes_away })
    }
}

// === impl Case ===

impl Case {
    /// The plugin configuration it runs under, `${jwks}` not filled in.
    pub fn config_in(&self, file: &CaseFile) -> Option<Value> {
        merged(file.config.clone(), self.config.as_ref())
    }

    /// How the guest reaches the edge.
    pub fn posture_in(&self, file: &CaseFile) -> Posture {
        self.posture.unwrap_or_else(|| Posture::of_config(self.config_in(file).as_ref()))
    }

    /// What custody does from step `n` on (from 0); `None`: it goes on as before.
    pub fn custody_in<'a>(
        &'a self,
        file: &'a CaseFile,
        n: usize,
        step: &'a Step,
    ) -> Option<&'a CustodyScript> {
        let first = || (n == 0).then(|| self.custody.as_ref().unwrap_or(&file.custody));
        step.custody.as_ref().or_else(first)
    }
}

fn minted(spec: &SessionSpec, now: u64, jti: &str) -> Result<Template, String> {
    let plain = Template::new(now, String::new());
    let filled = |map: &Map<String, Value>| {
        let filled = plain.value(&Value::Object(map.clone()))?;
        Ok::<_, String>(filled.as_object().cloned().unwrap_or_default())
    };
    let spec = SessionSpec {
        claims: filled(&spec.claims)?,
        header: filled(&spec.header)?,
        token: spec.token.as_deref().map(|token| plain.text(token)).transpose()?,
        ..spec.clone()
    };
    Ok(Template { session: spec.mint(now, jti), ..plain })
}

fn tunnel(
    step: &Step,
    posture: Posture,
    stream: &Stream,
    template: &Template,
) -> Result<Option<Tunnel>, String> {
    let connect = match (&step.connect, posture) {
        (Some(connect), _) if connect.is_none() => return Ok(None),
        (Some(connect), _) => connect.clone(),
        (None, Posture::Explicit) => {
            let text = stream.request.as_deref().map(|text| template.text(text)).transpose()?;
            let message = text.as_deref().map(request_text::parse).transpose()?;
            let authority = message.and_then(|message| message.headers.text(":authority"));
            Connect::Authority(with_port(&authority.unwrap_or_default()))
        }
        (None, _) => return Ok(None),
    };
    let full = connect.full();
    let authority = template.text(&full.authority)?;
    let in_request = stream.request.as_ref().is_some_and(|text| text.contains("${session}"));
    let authorization = match full.authorization.as_deref() {
        Some("none") => None,
        Some(text) => Some(template.text(text)?),
        None if in_request || template.session.is_empty() => None,
        None => Some(template.text("Basic ${basic}")?),
    };
    let sni = match step.sni.as_deref() {
        Some("none") => None,
        Some(sni) => Some(sni.to_owned()),
        None => Some(host_of(&authority)),
    };
    let headers = full.headers.iter().map(|line| template.text(line)).collect::<Result<_, _>>()?;
    Ok(Some(Tunnel { authority, authorization, headers, checked: full.checked, sni }))
}

fn with_port(authority: &str) -> String {
    let behind_brackets = authority.rsplit_once(']').map_or(authority, |(_, rest)| rest);
    if behind_brackets.contains(':') { authority.to_owned() } else { format!("{authority}:443") }
}

fn host_of(authority: &str) -> String {
    authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_owned()
}

/// RFC 7396.
fn merged(base: Option<Value>, patch: Option<&Value>) -> Option<Value> {
    let Some(patch) = patch else { return base };
    let mut merged = base.unwrap_or_default();
    merge(&mut merged, patch);
    Some(merged)
}

fn merge(base: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *base = patch.clone();
        return;
    };
    if !base.is_object() {
        *base = Value::Object(Map::new());
    }
    let Some(fields) = base.as_object_mut() else { return };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name.clone()).or_insert(Value::Null), change);
        }
    }
}
