//! What is played over and over.

use crate::support;
use host_sim::cases::{Algorithm, CaseFile, SessionSpec, Signer, Template};
use host_sim::{
    Answer, Cluster, Error, FaultPlan, Foreign, Host, Module, Outcome, Plugin, Request, Upstream,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

/// A guest asks each worker once, with custody answering the same each time.
#[derive(Clone)]
pub struct Scene {
    pub ask: Ask,
    pub workers: usize,
    pub answer: Answer,
    /// The guest goes away after this time.
    pub gone: Option<Duration>,
    /// What the issuer answers to who fetches its keys, where it is not its keys.
    pub keys: Option<Answer>,
    /// What the host makes of signatures, where it is not what Envoy makes of them.
    pub signatures: Option<Foreign>,
}

/// What the guest asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// A destination with a credential.
    Get,
    /// The same, with a body and trailers.
    Upload,
    /// Twice: the second time the lease is there.
    Twice,
    /// Two at once on each worker, both waiting for custody.
    Pair,
    /// As `Get`, with a session whose signature the host is asked about.
    Es256,
    Rs256,
    /// The same, and the signature is a stranger's.
    ForgedEs256,
    ForgedRs256,
    /// A forged session, again and again.
    Flood,
    /// As `Get`, with session keys that are fetched.
    Fetched,
    /// A destination without a credential.
    Open,
    /// As `Get`, by the gateway's name, and links of the response are rewritten.
    Linked,
    /// A CONNECT.
    Connect,
    /// A request inside a tunnel.
    Tunnelled,
    /// A destination whose leases are good for one operation, body and all.
    Operation,
}

pub struct SceneRun {
    pub host: Host,
    pub outcomes: Vec<Outcome>,
    /// Host calls before the first request.
    pub at_start: BTreeMap<&'static str, u64>,
}

pub const LEASE: &str = "Bearer LEASED-SECRET";
pub const OWN: &str = "Bearer GUESTS-OWN";

// === impl Ask ===

impl Ask {
    pub const ALL: [Self; 12] = [
        Self::Get,
        Self::Upload,
        Self::Twice,
        Self::Pair,
        Self::Es256,
        Self::ForgedEs256,
        Self::Fetched,
        Self::Open,
        Self::Linked,
        Self::Connect,
        Self::Tunnelled,
        Self::Operation,
    ];
    pub const ASSISTED: [Self; 4] =
        [Self::Es256, Self::Rs256, Self::ForgedEs256, Self::ForgedRs256];

    /// Requests a worker has at a time.
    pub fn at_once(self) -> usize {
        match self {
            Self::Pair => 2,
            Self::Flood => 500,
            _ => 1,
        }
    }

    pub fn is_forged(self) -> bool {
        matches!(self, Self::ForgedEs256 | Self::ForgedRs256 | Self::Flood)
    }

    fn session(self) -> (Algorithm, Signer) {
        match self {
            Self::Es256 => (Algorithm::Es256, Signer::Known),
            Self::Rs256 => (Algorithm::Rs256, Signer::Known),
            Self::ForgedEs256 => (Algorithm::Es256, Signer::Stranger),
            Self::ForgedRs256 => (Algorithm::Rs256, Signer::Stranger),
            Self::Flood => (Algorithm::EdDsa, Signer::Stranger),
            _ => (Algorithm::EdDsa, Signer::Known),
        }
    }

    fn is_explicit(self) -> bool {
        matches!(self, Self::Connect | Self::Tunnelled)
    }

    pub fn permit(self) -> &'static [u8] {
        if self == Self::Connect { b"connect" } else { b"request" }
    }

    pub fn takes_a_lease(self) -> bool {
        !matches!(self, Self::Open | Self::Connect)
    }

    fn request(self, token: &str) -> Request {
        let in_header =
            |request: Request| request.header("x-leasehold-session", token).header("x-other", OWN);
        let bearer = format!("Bearer {token}");
        match self {
            Self::Get
            | Self::Twice
            | Self::Pair
            | Self::Fetched
            | Self::Es256
            | Self::Rs256
            | Self::ForgedEs256
            | Self::ForgedRs256
            | Self::Flood => in_header(Request::get("models.demo.test", "/v1/models")),
            Self::Upload => in_header(Request::post("models.demo.test", "/v1/files", "content"))
                .trailer("x-checksum", "1"),
            Self::Operation => in_header(Request::post("payments.demo.test", "/v1/pay", "seven"))
                .trailer("x-a", "1"),
            Self::Open => in_header(Request::get("open.demo.test", "/")),
            Self::Linked => {
                in_header(Request::get("edge.demo.test:8080", "/models.demo.test/v1/models"))
            }
            Self::Connect => Request::new("CONNECT", "api.demo.test:443", "")
                .header("proxy-authorization", bearer),
            Self::Tunnelled => Request::get("api.demo.test", "/repos/acme/x")
                .header("authorization", OWN)
                .filter_state("leasehold.connect_authority", "api.demo.test:443")
                .filter_state("leasehold.connect_session", bearer)
                .property(&["connection", "requested_server_name"], "api.demo.test"),
        }
    }
}

// === impl Scene ===

impl Default for Scene {
    fn default() -> Self {
        let answer = lease(json!({}));
        Self { ask: Ask::Get, workers: 1, answer, gone: None, keys: None, signatures: None }
    }
}

impl Scene {
    pub fn run(&self, module: &Module, faults: FaultPlan) -> Result<SceneRun, Error> {
        let answer = match self.ask {
            Ask::Operation => for_one_operation(&self.answer),
            _ => self.answer.clone(),
        };
        let plugin = Plugin::new(module)
            .configuration(policy(self.ask))
            .allow_on_headers_stop_iteration(true);
        let builder = match &self.signatures {
            Some(foreign) => Host::builder().foreign("verify_signature", foreign.clone()),
            None => Host::builder(),
        };
        let keys =
            self.keys.clone().unwrap_or_else(|| Answer::json(200, template().jwks.to_string()));
        let mut host = builder
            .plugin(plugin)
            .workers(self.workers)
            .cluster("issuer", Cluster::answering_with(move |_| keys.clone()))
            .cluster("custody", Cluster::answering_with(move |_| answer.clone()))
            .faults(faults)
            .start()?;
        let at_start = host.transcript().calls().clone();
        let rounds = if self.ask == Ask::Twice { 2 } else { 1 };
        let mut outcomes = Vec::new();
        for _ in 0..rounds {
            outcomes = self.ask_every_worker(&mut host);
        }
        Ok(SceneRun { host, outcomes, at_start })
    }

    fn ask_every_worker(&self, host: &mut Host) -> Vec<Outcome> {
        let links =
            [("location", "https://models.demo.test/a"), ("link", "<//models.demo.test/b>")];
        let upstream = Upstream::answers(200, &links, "hello").after(Duration::from_millis(2));
        let mut streams = Vec::new();
        for worker in (0..self.workers).flat_map(|n| vec![n; self.ask.at_once()]) {
            let request = self.ask.request(token(self.ask)).upstream(upstream.clone());
            streams.push(host.send(request.on_worker(worker)));
        }
        if let Some(gone) = self.gone {
            host.advance(gone);
            streams.iter().for_each(|stream| host.cancel(*stream));
        }
        host.settle();
        // Whatever nobody has ended by now, the filter's own deadline does.
        host.advance(Duration::from_secs(5));
        host.settle();
        streams.iter().map(|stream| host.outcome(*stream)).collect()
    }
}

/// The policy of the cases, and its test key, as JSON.
fn policy(ask: Ask) -> &'static str {
    static GATEWAY: OnceLock<String> = OnceLock::new();
    static EXPLICIT: OnceLock<String> = OnceLock::new();
    static FETCHED: OnceLock<String> = OnceLock::new();
    static LINKED: OnceLock<String> = OnceLock::new();
    match ask {
        _ if ask.is_explicit() => EXPLICIT.get_or_init(|| {
            policy_with("explicit.yaml", |config| {
                config["destinations"][0]["sessions"] = json!({});
            })
        }),
        Ask::Fetched => FETCHED.get_or_init(|| {
            policy_with("custody.yaml", |config| {
                config["session"]["keys"] = json!({"cluster": "issuer", "path": "/jwks.json"});
            })
        }),
        Ask::Linked => LINKED.get_or_init(|| {
            policy_with("custody.yaml", |config| {
                config["gateway"]["rewrite_links"] = json!("http");
            })
        }),
        _ => GATEWAY.get_or_init(|| policy_with("custody.yaml", |_| {})),
    }
}

fn policy_with(name: &str, change: impl FnOnce(&mut Value)) -> String {
    let file = CaseFile::open(&support::root().join("tests/cases").join(name)).unwrap();
    let mut config = file.config.unwrap();
    let payments = json!({
        "name": "payments", "hosts": ["payments.demo.test"],
        "allow": [{"methods": ["POST"], "paths": ["/**"]}],
        "credential": {"handle": "payments", "binding": "single_use", "body_digest": true},
    });
    config["destinations"].as_array_mut().unwrap().push(payments);
    // What it asks by itself has nothing to do with a request.
    config["custody"]["sync"] = json!("off");
    change(&mut config);
    template().value(&config).unwrap().to_string()
}

fn token(ask: Ask) -> &'static str {
    static TOKENS: OnceLock<Vec<(Ask, String)>> = OnceLock::new();
    let tokens = TOKENS.get_or_init(|| {
        let token = |ask: Ask| {
            let (algorithm, key) = ask.session();
            let spec = SessionSpec { algorithm, key, ..SessionSpec::default() };
            (ask, spec.mint(now(), "session-1"))
        };
        Ask::ALL.into_iter().chain(Ask::ASSISTED).chain([Ask::Flood]).map(token).collect()
    });
    tokens.iter().find_map(|(whose, token)| (*whose == ask).then_some(token)).unwrap()
}

fn now() -> u64 {
    host_sim::Instant::default().unix_seconds()
}

fn template() -> Template {
    Template::new(now(), String::new())
}

/// A lease with some fields changed; null takes one out.
fn lease(changes: Value) -> Answer {
    let mut lease = json!({
        "lease_id": "l-1", "expires_at": now() + 300, "renew_after": now() + 240,
        "headers": [{"name": "authorization", "value": LEASE}], "binding": "session",
    });
    for (name, value) in changes.as_object().unwrap() {
        lease[name] = value.clone();
    }
    Answer::json(200, lease.to_string())
}

/// The same answer where the lease is to be for one operation.
fn for_one_operation(answer: &Answer) -> Answer {
    let mut answer = answer.clone();
    if let Answer::Response { response, .. } = &mut answer {
        let body = String::from_utf8_lossy(&response.body);
        response.body = body.replace("\"session\"", "\"single_use\"").into_bytes();
    }
    answer
}

/// Every way a callout can end.
pub fn answers() -> Vec<Answer> {
    let refusal = |status: u16, code: &str| Answer::json(status, json!({"code": code}).to_string());
    let header =
        |name: &str, value: &str| lease(json!({"headers": [{"name": name, "value": value}]}));
    vec![
        lease(json!({})),
        lease(json!({})).after(Duration::from_millis(1999)),
        lease(json!({})).after(Duration::from_millis(2001)),
        lease(json!({"expires_at": now()})),
        lease(json!({"expires_at": now() + 901})),
        lease(json!({"expires_at": null})),
        lease(json!({"binding": "single_use"})),
        lease(json!({"headers": []})),
        header(":authority", "evil.test"),
        header("authorization", "a\r\nb"),
        refusal(400, "bad_request"),
        refusal(401, "session_refused"),
        refusal(403, "not_granted"),
        refusal(409, "replay_rejected"),
        refusal(429, "rate_limited"),
        refusal(503, "unavailable"),
        Answer::respond(200, &[], ""),
        Answer::respond(200, &[], vec![0xff; 70_000]),
        Answer::respond(302, &[("location", "https://evil.test")], ""),
        Answer::respond(500, &[], "oops"),
        Answer::connect_failure(),
        Answer::reset(),
        Answer::Never,
        Answer::NoHealthyUpstream,
    ]
}

/// Ways a fetch of keys can end without one that signs sessions, each unlike the others to the filter.
pub fn useless_keys() -> Vec<Answer> {
    let strangers = json!({"keys": [{"kty": "oct", "kid": "test-1", "k": "AA"}]});
    vec![Answer::json(200, strangers.to_string()), Answer::connect_failure(), Answer::Never]
}

/// Further ways, each like one of [`useless_keys`].
pub fn more_useless_keys() -> Vec<Answer> {
    let slow = Answer::json(200, template().jwks.to_string()).after(Duration::from_secs(60));
    vec![
        slow,
        Answer::json(200, r#"{"keys": []}"#),
        Answer::json(404, template().jwks.to_string()),
        Answer::respond(200, &[], ""),
        Answer::respond(200, &[], "<html>"),
        Answer::respond(200, &[], vec![0xff; 70_000]),
        Answer::respond(302, &[("location", "https://evil.test")], ""),
        Answer::reset(),
        Answer::NoHealthyUpstream,
    ]
}
