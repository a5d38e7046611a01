//! A day in the life of an edge: what is allowed, what is denied, what breaks, what starts anew.

use serde_json::{Value, json};
use stack::origin::OriginSettings;
use stack::policy::ORIGIN_PORT;
use stack::sessions::now;
use stack::{Answer, Credential, Stack, StackBuilder};
use tests::reply::Reply;
use tests::scene::{API, OPEN, Scene};
use tests::wire::Wire;
use tests::{forge, guest};

use crate::wide::{Frozen, TWIN, new_session, shown};

// With characters that every encoding writes differently.
pub const BEARER: &str = "sk-live/Canary+Bearer?7f2=&\"q\"~e1d90b==";
pub const BASIC_PASSWORD: &str = "pw/Canary+Basic:%41?\"x\"~c44a71==";
pub const API_KEY: &str = "key/Canary+Header \"h\"~08be55==";
pub const FAULTY: &str = "Canary/of+a faulty~lease-93bd1f==";
/// A guest's own word in a path, which goes into the access log.
pub const PLANTED: &str = "planted/canary-5e0c";

/// A host that has an entry in the allow-list and a certificate of somebody else.
const ILL_NAMED: &str = "ill-named.demo.test";
/// A host whose credential is a header of its own.
const KEYED: &str = "keyed.demo.test";

/// Everything that guests held and got.
#[derive(Default)]
pub struct Run {
    pub sessions: Vec<String>,
    /// By what was done to get it.
    pub replies: Vec<(String, Vec<u8>)>,
}

/// Three types of credentials, a host whose certificate is wrong, and a short wait for custody.
pub fn builder() -> StackBuilder {
    let destination = |host: &str, handle: &str| {
        json!({
            "name": handle,
            "hosts": [host],
            "ports": [ORIGIN_PORT],
            "allow": [{"methods": ["GET", "POST"], "paths": ["/v1/**", "/status/*", "/ws", "/sse"]}],
            "sessions": {"claims": {"team": ["demo"]}},
            "credential": {"handle": handle},
        })
    };
    let custody = json!({
        "cluster": stack::policy::CUSTODY_CLUSTER,
        "authority": stack::policy::CUSTODY_AUTHORITY,
        "timeout": "500ms",
    });
    let destinations = [
        destination(API, "bearer"),
        destination(TWIN, "basic"),
        destination(KEYED, "keyed"),
        destination(ILL_NAMED, "ill-named"),
    ];
    Stack::builder()
        .policy(json!({"destinations": destinations, "custody": custody}))
        .origin(OriginSettings::new([API, TWIN, KEYED, OPEN]))
        .names([ILL_NAMED])
        .credential(Credential::bearer("bearer", BEARER))
        .credential(Credential::with("basic", &["--type", "basic", "--user", "ci"], BASIC_PASSWORD))
        .credential(Credential::with(
            "keyed",
            &["--type", "header", "--header", "X-Api-Key"],
            API_KEY,
        ))
        .credential(Credential::bearer("ill-named", BEARER))
}

// === impl Run ===

impl Run {
    pub fn everything(scene: &mut Scene) -> Self {
        let mut run = Self { sessions: vec![scene.session.clone()], ..Self::default() };
        run.allowed(scene);
        run.denied(scene);
        run.upstream_faults(scene);
        run.custody_faults(scene);
        scene.stack.restart_edge(|_| {}).unwrap();
        scene.stack.start_custody().unwrap();
        run.allowed(scene);
        run
    }

    pub fn at_a_gateway(scene: &mut Scene) -> Self {
        let mut run = Self { sessions: vec![scene.session.clone()], ..Self::default() };
        let edge = scene.edge();
        let ask = |run: &mut Self, scene: &Scene, case: &str, host: &str, carrier: &str| {
            let session = run.session(scene);
            let carrier = carrier.replace("SESSION", &session);
            let path = format!("/{}/v1/{PLANTED}", scene.at(host));
            let request = format!("GET {path} HTTP/1.1\r\nHost: {edge}\r\n{carrier}\r\n\r\n");
            run.got(case, guest::plain(edge, request));
        };
        let everybody = |run: &mut Self, scene: &Scene, case: &str| {
            for host in [API, TWIN, KEYED, ILL_NAMED, "nobody.test"] {
                ask(run, scene, case, host, "X-Leasehold-Session: SESSION");
                ask(run, scene, case, host, "Authorization: Bearer SESSION");
                ask(run, scene, case, host, "Authorization: Bearer not-SESSION");
            }
        };
        everybody(&mut run, scene, "custody there");
        scene.stack.kill_custody();
        everybody(&mut run, scene, "custody gone");
        for (case, answer) in faults() {
            scene.stack.fake_custody(answer).unwrap();
            ask(&mut run, scene, &case, API, "X-Leasehold-Session: SESSION");
        }
        scene.stack.start_custody().unwrap();
        scene.stack.restart_edge(|_| {}).unwrap();
        everybody(&mut run, scene, "started anew");
        run
    }

    fn allowed(&mut self, scene: &Scene) {
        for host in [API, TWIN, KEYED] {
            let session = self.session(scene);
            let own = "Authorization: Bearer mine\r\nX-Api-Key: mine\r\n";
            self.inside(scene, "allowed", (host, &session), &format!("GET /v1/{PLANTED}"), own);
            self.inside(scene, "cached", (host, &session), "GET /v1/again?query=1", "");
            let tunnel = scene.connect(&scene.at(host), &session).unwrap().tunnel().unwrap();
            let ca = scene.stack.guest_ca().unwrap();
            let mut http2 = tests::http2::Http2::over_tls(tunnel, ca, host).unwrap();
            let request = http::Request::post(format!("https://{}/v1/h2", scene.at(host)));
            self.got("h2", http2.request(request.body(()).unwrap(), b"a body", None));
            let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                           Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
            self.inside(scene, "a WebSocket", (host, &session), "GET /ws", upgrade);
            self.inside(scene, "events", (host, &session), "GET /sse?n=2&interval=1", "");
        }
    }

    fn denied(&mut self, scene: &Scene) {
        let session = self.session(scene);
        for line in ["DELETE /v1/a", "GET /elsewhere", "GET /v1/../a", "GET /v1/%00", "TRACE /v1/a"]
        {
            self.inside(scene, line, (API, &session), line, "");
        }
        let claims = json!({"team": "another"});
        let expired = json!({"team": "demo", "exp": now() - 3600, "iat": now() - 7200});
        for claims in [&claims, &expired] {
            let session = scene.stack.mint(claims).unwrap();
            self.sessions.push(session.clone());
            self.connect(scene, API, &[guest::bearer(&session)]);
        }
        let bent = forge::bent_signature(&session);
        self.connect(scene, API, &[guest::bearer(&bent)]);
        self.connect(scene, API, &[guest::basic("ci", &bent)]);
        self.connect(scene, API, &[guest::bearer(&session), guest::bearer(&bent)]);
        self.connect(scene, API, &[guest::bearer(&"x".repeat(9000))]);
        self.connect(scene, API, &[]);
        self.connect(scene, "nobody.test", &[guest::bearer(&session)]);
        let plain =
            format!("GET /v1 HTTP/1.1\r\nHost: {API}\r\n{}\r\n\r\n", guest::bearer(&session));
        self.got("in the clear", guest::plain(scene.edge(), plain));
        self.got("no HTTP", guest::plain(scene.edge(), format!("{session}\r\n\r\n")));
    }

    fn upstream_faults(&mut self, scene: &Scene) {
        for status in [301, 401, 403, 404, 500, 503] {
            let session = self.session(scene);
            self.inside(scene, "status", (API, &session), &format!("GET /status/{status}"), "");
        }
        // The origin's certificate does not carry this name: Envoy tells why in the response.
        let session = self.session(scene);
        self.inside(scene, "a wrong certificate", (ILL_NAMED, &session), "GET /v1/a", "");
    }

    fn custody_faults(&mut self, scene: &mut Scene) {
        let ask = |run: &mut Self, scene: &Scene, case: &str| {
            let session = run.session(scene);
            run.inside(scene, case, (API, &session), "GET /v1/fault", "");
        };
        let frozen = Frozen::custody(scene);
        ask(self, scene, "frozen");
        drop(frozen);
        scene.stack.kill_custody();
        ask(self, scene, "killed");
        for (case, answer) in faults() {
            scene.stack.fake_custody(answer).unwrap();
            ask(self, scene, &case);
        }
    }

    fn session(&mut self, scene: &Scene) -> String {
        let session = new_session(scene);
        self.sessions.push(session.clone());
        session
    }

    fn connect(&mut self, scene: &Scene, host: &str, headers: &[String]) {
        let connected = guest::connect(scene.edge(), &scene.at(host), headers);
        self.got("CONNECT", connected.and_then(guest::Connected::refused));
    }

    /// `line` through a tunnel of its own.
    fn inside(
        &mut self,
        scene: &Scene,
        case: &str,
        (host, session): (&str, &str),
        line: &str,
        headers: &str,
    ) {
        let at = scene.at(host);
        let request = format!("{line} HTTP/1.1\r\nHost: {at}\r\n{headers}\r\n");
        let tls = scene.tls_with(&at, Some(host), session).unwrap();
        self.got(case, Wire::new(tls).exchange(request));
    }

    /// What came, or how it broke off, which says what was read until then.
    fn got(&mut self, case: &str, reply: anyhow::Result<Reply>) {
        let text = match reply {
            Ok(reply) => format!("{}\n{}", reply.status, shown(&reply)),
            Err(error) => format!("{error:#}"),
        };
        self.replies.push((format!("response {} ({case})", self.replies.len()), text.into_bytes()));
    }
}

/// Answers of custody that hold a value and must not be used, by what is wrong with them.
fn faults() -> Vec<(String, Answer)> {
    let lease = |expires_at: u64, name: &str, value: &str| {
        json!({
            "lease_id": "lse_canary",
            "expires_at": expires_at,
            "renew_after": expires_at,
            "headers": [{"name": name, "value": value}],
            "binding": "session",
        })
    };
    let soon = now() + 60;
    let good = lease(soon, "authorization", FAULTY);
    let answers: [(&str, u16, Value); 8] = [
        ("expired", 200, lease(now() - 60, "authorization", FAULTY)),
        ("too long", 200, lease(now() + 3600, "authorization", FAULTY)),
        ("a newline", 200, lease(soon, "authorization", &format!("{FAULTY}\r\nX-Other: {FAULTY}"))),
        ("a NUL", 200, lease(soon, "authorization", &format!("{FAULTY}\0"))),
        ("Host", 200, lease(soon, "host", FAULTY)),
        ("a name", 200, lease(soon, FAULTY, FAULTY)),
        ("500", 500, good.clone()),
        ("403", 403, json!({"code": FAULTY})),
    ];
    let mut faults: Vec<_> = answers
        .into_iter()
        .map(|(case, status, body)| (case.to_owned(), Answer::json(status, &body)))
        .collect();
    let text = format!("<html>{FAULTY}</html>");
    faults.push(("a page".to_owned(), Answer::text(200, "text/html", text)));
    faults.push((
        "cut short".to_owned(),
        Answer::text(200, "application/json", format!("[\"{FAULTY}")),
    ));
    faults.push(("bytes".to_owned(), Answer::Bytes(FAULTY.as_bytes().to_vec())));
    faults.push(("closed".to_owned(), Answer::Close));
    faults
}
