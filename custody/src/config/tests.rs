use super::*;
use crate::keys::SessionKeySource;

const KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

fn good() -> String {
    format!(
        r#"
edge:
  listen: 127.0.0.1:8443
  tls: {{certificate: server.pem, key: server.key, client_ca: ca.pem}}
admin:
  listen: 127.0.0.1:8445
  tls: {{certificate: server.pem, key: server.key, client_ca: operator-ca.pem}}
health: {{listen: 127.0.0.1:8444}}
session:
  issuer: https://control-plane.example
  audience: leasehold-edge
  keys: {{jwks: {{keys: [{{kty: OKP, crv: Ed25519, kid: k1, x: {KEY}}}]}}}}
  leeway: 30s
store: {{path: custody.db, root_key: root.key}}
audit: {{path: audit.jsonl}}
grants:
  - handle: github-ci
    destinations: [api.github.com, "*.example.com:8443"]
    claims: {{team: [build]}}
    methods: [GET, HEAD]
    ttl: 5m
"#
    )
}

fn faults_of(text: &str) -> Vec<String> {
    match Config::parse(text, Path::new("/etc/custody")) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

/// The one fault after one change to a good file.
fn fault_after(from: &str, to: &str) -> String {
    let text = good().replacen(from, to, 1);
    assert_ne!(text, good(), "{from}");
    let faults = faults_of(&text);
    assert_eq!(faults.len(), 1, "{to}: {faults:?}");
    faults[0].clone()
}

#[test]
fn a_good_file() {
    let config = Config::parse(&good(), Path::new("/etc/custody")).unwrap();
    assert_eq!(config.storage.audit, Path::new("/etc/custody/audit.jsonl"));
    let Protection::MutualTls(tls) = &config.edge.protection else { panic!("plaintext") };
    assert_eq!(tls.key, Path::new("/etc/custody/server.key"));
    assert_eq!(config.grants.iter().next().unwrap().ttl, 300);
    assert_eq!(config.session.leeway, 30);
}

#[test]
fn every_fault_of_limits_and_of_what_grants_give_names_its_field() {
    for (from, to, begin) in [
        ("ttl: 5m", "binding: forever", "grants[0].binding: unknown variant"),
        ("ttl: 5m", "purpose: a b", "grants[0].purpose: is 1 to 64 of"),
        ("ttl: 5m", "narrow: {scope: [a]}", "grants[0].narrow.scope: unknown field"),
        ("ttl: 5m", "narrow: {scopes: [a b]}", "grants[0].narrow.scopes[0]: is one scope"),
        ("ttl: 5m", "narrow: {repositories: [a/b]}", "grants[0].narrow.repositories[0]: is the"),
        ("ttl: 5m", "narrow: {permissions: {contents: all}}", "grants[0].narrow.permissions.conte"),
        ("leeway: 30s", "idle: 0s", "session.idle: must be 1s to 86400s"),
        ("leeway: 30s", "idle: never", "session.idle: is a duration"),
        ("leeway: 30s", "absolute: 31d", "session.absolute: must be 1s to 2592000s"),
        (
            "{path: audit.jsonl}",
            "{path: a, segment_mib: 3}",
            "audit.segment_mib: must be 4 to 65536",
        ),
        ("audit:", "limits: {per_session: 60/d}\naudit:", "limits.per_session: is a number"),
        ("audit:", "limits: {per_handle: 0/m}\naudit:", "limits.per_handle: is a number"),
        ("audit:", "limits: {concurrent: 0}\naudit:", "limits.concurrent: must be 1 to 65536"),
        ("audit:", "limits: {pollers: 99999}\naudit:", "limits.pollers: must be 1 to 65536"),
        ("audit:", "limits: {poller: 9}\naudit:", "limits.poller: unknown field"),
        (
            "client_ca: ca.pem}",
            "client_ca: ca.pem, client_names: []}",
            "edge.tls.client_names: is e",
        ),
        (
            "client_ca: ca.pem}",
            "client_ca: ca.pem, client_names: ['*.a']}",
            "edge.tls.client_names[0]",
        ),
    ] {
        let fault = fault_after(from, to);
        assert!(fault.starts_with(begin), "{fault} | {begin}");
    }
}

#[test]
fn limits_of_sessions_and_of_load() {
    use crate::limits::{Limits, SessionLimits};
    let of = |from: &str, to: &str| {
        let config = Config::parse(&good().replacen(from, to, 1), Path::new("/")).unwrap();
        (config.session.limits, config.limits)
    };
    assert_eq!(of("x", "x"), (SessionLimits::default(), Limits::default()));
    let limits = SessionLimits { idle: Some(60), absolute: Some(43_200) };
    assert_eq!(of("leeway: 30s", "idle: 1m\n  absolute: 12h").0, limits);
    let off = SessionLimits { idle: None, absolute: None };
    assert_eq!(of("leeway: 30s", "idle: off\n  absolute: off").0, off);
    let limits = of("audit:", "limits: {per_session: 9/s, per_handle: off, pollers: 7}\naudit:").1;
    let (per_session, concurrent) = (Some("9/s".parse().unwrap()), Limits::default().concurrent);
    assert_eq!(limits, Limits { per_session, per_handle: None, concurrent, pollers: 7 });
}

#[test]
fn the_digest_is_of_what_the_grants_say() {
    let digest = |from: &str, to: &str| {
        let config = Config::parse(&good().replacen(from, to, 1), Path::new("/")).unwrap();
        config.grants.digest().to_owned()
    };
    assert_eq!(digest("ttl: 5m", "ttl:   '5m' # a comment"), digest("x", "x"));
    assert_ne!(digest("ttl: 5m", "ttl: 6m"), digest("x", "x"));
    assert_eq!(digest("x", "x").len(), 64);
}

#[test]
fn absolute_paths_stay() {
    let text = good().replace("audit.jsonl", "/var/log/audit.jsonl");
    let config = Config::parse(&text, Path::new("/etc/custody")).unwrap();
    assert_eq!(config.storage.audit, Path::new("/var/log/audit.jsonl"));
}

#[test]
fn every_fault_names_its_field() {
    let loopback = "tls: {certificate: server.pem, key: server.key, client_ca: ca.pem}";
    for (from, to, begin) in [
        (
            "api.github.com",
            "\"*.com\"",
            "grants[0].destinations[0]: \"*.com\" covers a public suffix",
        ),
        ("*.example.com:8443", "*.example.com:0", "grants[0].destinations[1]: "),
        ("github-ci", "../etc/passwd", "grants[0].handle: "),
        ("[GET, HEAD]", "[get]", "grants[0].methods[0]: "),
        ("[GET, HEAD]", "[]", "grants[0].methods: is empty"),
        ("ttl: 5m", "ttl: 901s", "grants[0].ttl: must be 1s to 900s"),
        ("ttl: 5m", "ttl: 0s", "grants[0].ttl: must be 1s to 900s"),
        ("ttl: 5m", "ttl: 1500ms", "grants[0].ttl: is a duration in whole seconds"),
        ("ttl: 5m", "ttl: soon", "grants[0].ttl: is a duration"),
        ("ttl: 5m", "tll: 5m", "grants[0].tll: unknown field"),
        ("claims: {team: [build]}", "claims: {}", "grants[0].claims: names no claim"),
        ("    claims: {team: [build]}\n", "", "grants[0]: missing field `claims`"),
        ("claims: {team: [build]}", "claims: {team: []}", "grants[0].claims"),
        ("leeway: 30s", "leeway: 10m", "session.leeway: must be 0s to 300s"),
        ("crv: Ed25519", "crv: X25519", "session.keys.jwks.keys[0]"),
        ("keys: {jwks: {", "keys: {jwks_file: a, jwks: {", "session.keys: has either"),
        ("crv: Ed25519", "crv: Ed25519, d: AAAA", "session.keys.jwks.keys[0].d: "),
        (
            "issuer: https://control-plane.example",
            "issuer: ''",
            "session.issuer: must not be empty",
        ),
        ("127.0.0.1:8443", "localhost:8443", "edge.listen: is an IP address and a port"),
        ("127.0.0.1:8444", "localhost", "health.listen: is an IP address and a port"),
        ("127.0.0.1:8445", "127.0.0.1:8443", "admin.listen: is edge.listen, too"),
        ("127.0.0.1:8445", "nowhere", "admin.listen: is an IP address and a port"),
        (
            "  tls: {certificate: server.pem, key: server.key, client_ca: operator-ca.pem}\n",
            "",
            "admin.tls: is missing",
        ),
        ("health: {listen: 127.0.0.1:8444}\n", "", "health: is missing"),
        (loopback, "plaintext: 'true'", "edge.plaintext: the only value"),
        (loopback, "", "edge.tls: is missing"),
        ("  tls:", "  plaintext: loopback-only\n  tls:", "edge.plaintext: contradicts edge.tls"),
        ("audit: {path: audit.jsonl}", "", "audit: is missing"),
        ("audit.jsonl", "..", "audit.path: names no file"),
        ("grants:", "grant: 1\ngrants:", "grant: unknown section"),
        ("root_key: root.key", "rootkey: root.key", "store.rootkey: unknown field"),
    ] {
        let fault = fault_after(from, to);
        assert!(fault.starts_with(begin), "{fault} | {begin}");
    }
}

#[test]
fn plaintext_only_on_loopback() {
    let tls = "tls: {certificate: server.pem, key: server.key, client_ca: ca.pem}";
    let plain = good().replace(tls, "plaintext: loopback-only");
    assert_eq!(faults_of(&plain), Vec::<String>::new());
    for address in ["127.0.0.9:1", "'[::1]:1'", "'[::ffff:127.0.0.1]:1'"] {
        assert_eq!(faults_of(&plain.replace("127.0.0.1:8443", address)), Vec::<String>::new());
    }
    for address in ["0.0.0.0:8443", "10.0.0.1:8443", "'[::]:8443'", "'[::ffff:10.0.0.1]:1'"] {
        let faults = faults_of(&plain.replace("127.0.0.1:8443", address));
        assert_eq!(faults.len(), 1, "{address}");
        assert!(faults[0].starts_with("edge.plaintext: refused:"), "{faults:?}");
    }
}

#[test]
fn all_faults_at_once() {
    let text = good()
        .replace("127.0.0.1:8443", "nowhere")
        .replace("audit: {path", "audit: {file")
        .replace("api.github.com", "\"*.com\"")
        .replace("github-ci", "a b");
    let faults = faults_of(&text);
    let paths: Vec<_> = faults.iter().map(|fault| fault.split(": ").next().unwrap()).collect();
    assert_eq!(
        paths,
        ["edge.listen", "audit.file", "grants[0].handle", "grants[0].destinations[0]"]
    );
}

#[test]
fn one_handle_has_one_actor() {
    let more = "  - {handle: github-ci, actor: other, destinations: [a.example], claims: {a: [b]}}";
    assert_eq!(
        faults_of(&format!("{}{more}\n", good())),
        ["grants[1].actor: differs from grants[0].actor for the same handle"]
    );
}

#[test]
fn an_actor_is_named_or_in_a_claim() {
    let with = |actor: &str| {
        format!(
            "{}  - {{handle: h, actor: {actor}, destinations: [a.example], claims: {{a: [b]}}}}\n",
            good()
        )
    };
    assert_eq!(faults_of(&with("{claim: sub}")), [""; 0]);
    for (actor, begin) in [
        ("{claim: ''}", "grants[1].actor.claim: is empty; name a claim"),
        ("{claim: [sub]}", "grants[1].actor.claim: invalid type"),
        ("{claims: sub}", "grants[1].actor.claims: unknown field"),
        ("7", "grants[1].actor: is an actor in quotes, or {claim: NAME}"),
        ("'a b'", "grants[1].actor: an actor is 1 to 128"),
    ] {
        let faults = faults_of(&with(actor));
        assert!(faults.len() == 1 && faults[0].starts_with(begin), "{faults:?}");
    }
    let both = format!(
        "{}  - {{handle: h, destinations: [a.example], claims: {{a: [b]}}}}\n",
        with("{claim: sub}")
    );
    let fault = "grants[2].actor: differs from grants[1].actor for the same handle";
    assert_eq!(faults_of(&both), [fault]);
}

#[test]
fn grant_with_a_wildcard_of_a_shared_suffix_needs_its_word() {
    let with = |host: &str, word: &str| {
        let grant = format!("handle: x, destinations: [\"{host}\"], claims: {{a: [b]}}{word}");
        format!("{}  - {{{grant}}}\n", good())
    };
    let [fault] = &faults_of(&with("*.googleapis.com", ""))[..] else { panic!() };
    let start =
        "grants[1].destinations[0]: \"*.googleapis.com\" covers a public suffix whose names";
    assert!(fault.starts_with(start), "{fault}");
    let word = ", allow_shared_suffixes: true";
    let text = with("*.googleapis.com", word);
    assert!(Config::parse(&text, Path::new("/etc/custody")).is_ok());
    assert_eq!(faults_of(&with("*.com", word)).len(), 1);
}

#[test]
fn what_is_no_configuration() {
    for (text, begin) in [
        ("- a", "a configuration is a mapping"),
        ("a: [", "not YAML"),
        ("", "is empty; `custody init"),
        ("# half a file\n", "is empty"),
    ] {
        let faults = faults_of(text);
        assert!(faults.len() == 1 && faults[0].starts_with(begin), "{faults:?} | {begin}");
    }
    let twice = format!("{}health: {{listen: 127.0.0.1:1}}\n", good());
    assert!(!faults_of(&twice).is_empty(), "the same section twice");
}

#[test]
fn no_grants_is_a_configuration_that_grants_nothing() {
    let text = good();
    let without = text.split("grants:").next().unwrap();
    for end in ["", "grants:\n", "grants: []\n"] {
        let config = Config::parse(&format!("{without}{end}"), Path::new("")).unwrap();
        assert_eq!(config.grants.iter().count(), 0);
    }
}

#[test]
fn without_its_section_there_is_no_admin_api() {
    let text = good();
    let (before, rest) = text.split_once("admin:").unwrap();
    let (_, after) = rest.split_once("health:").unwrap();
    let config = Config::parse(&format!("{before}health:{after}"), Path::new("")).unwrap();
    assert!(config.admin.is_none());
    let config = Config::parse(&text, Path::new("/etc/custody")).unwrap();
    let files = config.admin.unwrap().tls;
    assert_eq!(files.client_ca, Path::new("/etc/custody/operator-ca.pem"));
}

#[test]
fn session_keys_of_an_issuer() {
    let inline = format!("{{jwks: {{keys: [{{kty: OKP, crv: Ed25519, kid: k1, x: {KEY}}}]}}}}");
    let with = |keys: &str| {
        let text = good().replace(&inline, keys);
        assert_ne!(text, good());
        text
    };
    let url = "url: https://issuer.example/jwks";
    let keys = |keys: &str| {
        let config = Config::parse(&with(keys), Path::new("/etc/custody")).unwrap();
        let issuer = config.session.issuers.into_iter().next().unwrap();
        let SessionKeySource::Remote(remote) = issuer.keys else { panic!("fixed") };
        remote
    };
    let plain = keys(&format!("{{{url}}}"));
    assert_eq!((plain.schedule.refresh.as_secs(), plain.schedule.keep.as_secs()), (300, 86_400));
    assert_eq!(plain.reach.ca, None);
    let all = keys(&format!("{{{url}, ca: issuer.pem, refresh: 1m, keep: 2h}}"));
    assert_eq!((all.schedule.refresh.as_secs(), all.schedule.keep.as_secs()), (60, 7200));
    assert_eq!(all.reach.ca.as_deref(), Some(Path::new("/etc/custody/issuer.pem")));
    for (keys, begin) in [
        ("{}", "session.keys: has either"),
        ("{url: 'https://a.example', jwks_file: x}", "session.keys: has either"),
        ("{url: 'http://a.example'}", "session.keys.url: must begin with https://"),
        ("{url: 'https://a.example', refresh: 2h}", "session.keys.refresh: must be 1s to 3600s"),
        ("{url: 'https://a.example', keep: 1s}", "session.keys.keep: must be 60s to"),
        ("{jwks_file: /nowhere, ca: x}", "session.keys.ca: goes with session.keys.url only"),
    ] {
        let faults = faults_of(&with(keys));
        assert!(faults[0].starts_with(begin), "{faults:?}");
    }
}

#[test]
fn a_store_is_a_file_or_a_database() {
    use custody_ledger::LedgerPlace;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        custody_base::files::create_private(&folder.path().join(name), text.as_bytes()).unwrap();
    };
    write("url", "postgres://custody:canary-url@db.internal/custody\n");
    write("password", "canary-password\n");
    write("lines", "a\nb\n");
    std::fs::write(folder.path().join("open"), "canary-open").unwrap();
    let read = |store: &str| {
        let text = good().replace("path: custody.db,", store);
        Config::parse(&text, folder.path()).map_err(|faults| faults[0].to_string())
    };
    let place = "url: postgres://custody@db.internal/custody";
    for fine in [
        "postgres: {url_file: url, ca: ca.pem},".to_owned(),
        format!("postgres: {{{place}}},"),
        format!("postgres: {{{place}, password_file: password, connections: 40}},"),
    ] {
        let config = read(&fine).unwrap();
        let LedgerPlace::Postgres(place) = &config.storage.ledger else { panic!("{fine}") };
        assert_eq!(place.has_password(), fine.contains("_file"), "{fine}");
        assert!(!format!("{config:?}").contains("canary"), "{fine}");
    }
    for (store, begin) in [
        (String::new(), "store: has either path"),
        (format!("path: custody.db, postgres: {{{place}}},"), "store: has either path"),
        ("postgres: {},".into(), "store.postgres: has either url"),
        (format!("postgres: {{{place}, url_file: url}},"), "store.postgres: has either url"),
        ("postgres: {url: 'host=db'},".into(), "store.postgres.url: is a URL"),
        (
            "postgres: {url: 'postgres://u:canary@db.internal/c'},".into(),
            "store.postgres.url: holds a password; give it in password_file",
        ),
        (
            "postgres: {url: 'postgres://u@db.internal/c?sslmode=require'},".into(),
            "store.postgres.url: sslmode is verify-full",
        ),
        ("postgres: {url_file: none},".into(), "store.postgres.url_file: "),
        (format!("postgres: {{{place}, password_file: open}},"), "store.postgres.password_file: "),
        (format!("postgres: {{{place}, password_file: lines}},"), "store.postgres.password_file: "),
        (
            "postgres: {url_file: url, password_file: password},".into(),
            "store.postgres.password_file: the URL holds a password already",
        ),
        (format!("postgres: {{{place}, connections: 1}},"), "store.postgres.connections: must be"),
        (format!("postgres: {{{place}, sslmode: off}},"), "store.postgres.sslmode: unknown field"),
    ] {
        let fault = read(&store).unwrap_err();
        assert!(fault.starts_with(begin) && !fault.contains("canary"), "{fault} | {begin}");
    }
}

#[test]
fn a_webhook_and_what_may_be_wrong_with_it() {
    let with = |notify: &str| format!("{}notify: {notify}\n", good());
    let load = |text: &str| Config::parse(text, Path::new("/etc/custody"));
    assert_eq!(load(&good()).unwrap().webhook, None);
    let hook = "{webhook: {url: 'https://h.example/x', ca: ca.pem, secret: {handle: hmac}}}";
    let place = load(&with(hook)).unwrap().webhook.unwrap();
    assert_eq!(place.url.as_str(), "https://h.example/x");
    assert_eq!(place.reach.ca.as_deref(), Some(Path::new("/etc/custody/ca.pem")));
    assert_eq!(place.secret.1.as_str(), "hmac");
    for (from, to, begin) in [
        ("https:", "http:", "notify.webhook.url: must begin with https://"),
        ("{handle: hmac}", "{handle: 'a b'}", "notify.webhook.secret.handle: "),
        ("{handle: hmac}", "{handle: h, actor: ''}", "notify.webhook.secret.actor: "),
        ("ca:", "cert:", "notify.webhook.cert: unknown field"),
        ("{webhook", "{email: x, webhook", "notify.email: unknown field"),
    ] {
        let faults = faults_of(&with(&hook.replacen(from, to, 1)));
        assert!(faults.len() == 1 && faults[0].starts_with(begin), "{to}: {faults:?}");
    }
    assert_eq!(faults_of(&with("{}")).len(), 1);
}
