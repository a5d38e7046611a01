use super::super::credentials;
use super::*;
use custody_backends::exec::{Format, JsonFields, Variable};
use custody_backends::github_app::{Installation, TokenForm};
use custody_backends::oauth::{Client, ClientAuth, Grant};
use custody_backends::openbao::{Fields, OpenBaoAuth, SecretPath};
use custody_backends::settings::{Credentials, SourcePair};
use custody_base::credential::{CredentialType, Shape};

const BACKENDS: &str = "
bao:
  type: openbao
  address: https://bao.internal:8200
  ca: bao-ca.pem
  namespace: team/a
  auth: {approle: {role_id_file: role-id, secret_id_file: /run/secret-id}}
";
const CREDENTIALS: &str = "
llm:
  primary: {backend: bao, kv: {mount: secret, path: apps/llm}, field: key}
  backup: {backend: sealed}
db:
  primary: {backend: bao, dynamic: {path: database/creds/app}, type: basic}
";

fn parse(backends: &str, credentials: &str) -> (Vec<String>, Backends, Credentials) {
    let mut faults = Faults::default();
    let section = |text: &str| serde_yaml_ng::from_str(text).unwrap();
    let backends = read(section(backends), Path::new("/etc/custody"), &mut faults);
    let backends = backends.unwrap_or_default();
    let credentials = credentials::read(section(credentials), &backends, &mut faults);
    let faults = faults.0.iter().map(ToString::to_string).collect();
    (faults, backends, credentials.unwrap_or_default())
}

#[test]
fn a_good_file() {
    let (faults, backends, credentials) = parse(BACKENDS, CREDENTIALS);
    assert_eq!(faults, Vec::<String>::new());
    let Backend::OpenBao(bao) = &backends.0["bao"] else { panic!("another") };
    assert_eq!(bao.reach.ca.as_deref(), Some(Path::new("/etc/custody/bao-ca.pem")));
    assert_eq!(
        bao.auth,
        OpenBaoAuth::AppRole {
            mount: "approle".into(),
            role_id_file: "/etc/custody/role-id".into(),
            secret_id_file: "/run/secret-id".into(),
            is_wrapped: false,
        }
    );
    let llm = &credentials.0[&"llm".parse().unwrap()];
    assert_eq!(llm.backup.as_ref().unwrap().of, SourceOf::Sealed);
    let at = |pair: &SourcePair| match &pair.primary.of {
        SourceOf::OpenBao(source) => source.clone(),
        _ => panic!("another"),
    };
    assert_eq!(at(llm).fields, Fields::Bearer { token: "key".into() });
    let db = at(&credentials.0[&"db".parse().unwrap()]);
    assert_eq!(db.at, SecretPath::Dynamic { path: "database/creds/app".into() });
    let (user, password) = ("username".into(), "password".into());
    assert_eq!(db.fields, Fields::Basic { user, password });
}

#[test]
fn nothing_is_fine_too() {
    for nothing in ["", "{}", "null"] {
        let (faults, backends, credentials) = parse(nothing, nothing);
        assert!(faults.is_empty() && backends.0.is_empty() && credentials.0.is_empty());
    }
}

#[test]
fn every_fault_names_its_field() {
    for (from, to, begin) in [
        ("type: openbao", "type: vault", "backends.bao.type: there are openbao"),
        ("  type: openbao\n", "", "backends.bao.type: is missing"),
        ("bao:", "Bao:", "backends.Bao: a name is"),
        ("bao:", "sealed:", "backends.sealed: a name is"),
        ("https://bao", "http://bao", "backends.bao.address: must begin with https://"),
        ("ca: bao-ca.pem", "cacert: x", "backends.bao.cacert: unknown field"),
        ("team/a", "/team", "backends.bao.namespace: is a path"),
        ("role_id_file: role-id", "role_id: x", "backends.bao.auth.approle.role_id: unknown"),
        ("auth: {", "auth: {token_file: t, ", "backends.bao.auth: has one of"),
        ("namespace: team/a", "timeout: 2m", "backends.bao.timeout: must be 1s to 30s"),
        (
            "{approle: {role_id_file: role-id, secret_id_file: /run/secret-id}}",
            "{wrapped: true, jwt: {role: r, jwt_file: j}}",
            "backends.bao.auth.wrapped: goes with approle",
        ),
        ("auth: {", "auth: {wrapped: 1, ", "backends.bao.auth.wrapped: invalid type"),
    ] {
        let text = BACKENDS.replacen(from, to, 1);
        assert_ne!(text, BACKENDS, "{from}");
        let (faults, ..) = parse(&text, "");
        assert!(faults.len() == 1 && faults[0].starts_with(begin), "{faults:?} | {begin}");
    }
    for (from, to, begin) in [
        ("backend: bao, kv", "backend: boa, kv", "credentials.llm.primary.backend: no backend"),
        ("backend: bao, kv", "kv", "credentials.llm.primary.backend: is missing"),
        ("backend: sealed", "backend: sealed, field: x", "credentials.llm.backup: a source in"),
        ("llm:", "a b:", "credentials.a b: "),
        ("primary", "first", "credentials.llm.first: unknown field"),
        ("apps/llm", "../llm", "credentials.llm.primary.kv.path: is a path"),
        ("apps/llm", "a%2fb", "credentials.llm.primary.kv.path: is a path"),
        ("kv: {", "dynamic: {path: x}, kv: {", "credentials.llm.primary: has either kv or"),
        (
            "kv: {mount",
            "kv: {engine: 3, mount",
            "credentials.llm.primary.kv.engine: is the version",
        ),
        (
            "kv: {mount",
            "kv: {engine: 1, version: 2, mount",
            "credentials.llm.primary.kv.version: goes with",
        ),
        ("kv: {mount", "kv: {mound", "credentials.llm.primary.kv.mound: unknown field"),
        ("field: key", "user_field: key", "credentials.llm.primary.user_field: does not go with"),
        ("field: key", "type: api_key", "credentials.llm.primary.header: is missing"),
        ("field: key", "type: api_key, header: host", "credentials.llm.primary.header: "),
        ("field: key", "type: header_set", "credentials.llm.primary.headers: names each"),
        (
            "field: key",
            "type: header_set, field: a, headers: {x-a: b}",
            "credentials.llm.primary.field: does not go with",
        ),
        ("field: key", "type: secret", "credentials.llm.primary.type: unknown variant"),
    ] {
        let text = CREDENTIALS.replacen(from, to, 1);
        assert_ne!(text, CREDENTIALS, "{from}");
        let (faults, ..) = parse(BACKENDS, &text);
        assert!(faults.len() == 1 && faults[0].starts_with(begin), "{faults:?} | {begin}");
    }
}

#[test]
fn every_type_has_its_fields() {
    for (fields, kind) in [
        ("field: a", CredentialType::Bearer),
        ("type: basic, user_field: u, field: p", CredentialType::Basic),
        ("type: api_key, header: x-key", CredentialType::ApiKey),
        ("type: header_set, headers: {x-a: a, x-b: b}", CredentialType::HeaderSet),
        ("type: ssh_certificate, certificate_field: c", CredentialType::SshCertificate),
        ("type: kerberos_ticket, principal_field: p", CredentialType::KerberosTicket),
        ("type: opaque", CredentialType::Opaque),
    ] {
        let text = CREDENTIALS.replacen("field: key", fields, 1);
        let (faults, _, credentials) = parse(BACKENDS, &text);
        assert_eq!(faults, Vec::<String>::new());
        let SourceOf::OpenBao(source) = &credentials.0[&"llm".parse().unwrap()].primary.of else {
            panic!("sealed");
        };
        assert_eq!(source.fields.kind(), kind);
    }
}

const OAUTH: &str = "
corp:
  type: oauth2
  issuer: https://login.example/tenant
  client_id: leasehold
  client_secret: {handle: corp-client}
direct:
  type: oauth2
  token_endpoint: https://login.example/token
  ca: login.pem
  timeout: 9s
  client_id: leasehold
  auth_method: private_key_jwt
  private_key: {handle: corp-key, actor: ops}
  key_id: k1
gh: {type: github_app, app_id: 123, private_key: {handle: gh-app-key}}
";
const OAUTH_CREDENTIALS: &str = "
a: {primary: {backend: corp, grant: client_credentials, scopes: [read, write]}}
b:
  primary: {backend: corp, grant: refresh_token, refresh_token: {handle: corp-refresh}}
  backup: {backend: direct, grant: token_exchange, audience: api, resources: ['https://a.example']}
github-ci: {primary: {backend: gh, installation: 42}}
github-git: {primary: {backend: gh, installation: 42, as: basic}}
";

#[test]
fn oauth_and_github() {
    let (faults, backends, credentials) = parse(OAUTH, OAUTH_CREDENTIALS);
    assert_eq!(faults, Vec::<String>::new());
    let Backend::OAuth2(direct) = &backends.0["direct"] else { panic!("another") };
    assert_eq!(direct.reach.total.as_secs(), 9);
    let (actor, key) = ("ops".parse().unwrap(), "corp-key".parse().unwrap());
    let auth = ClientAuth::PrivateKey { actor, key, key_id: Some("k1".into()) };
    assert_eq!(direct.client, Client { id: "leasehold".into(), auth });
    let Backend::GitHubApp(app) = &backends.0["gh"] else { panic!("another") };
    assert_eq!((&*app.app_id, app.api.as_str()), ("123", "https://api.github.com/"));
    let pair = |handle: &str| &credentials.0[&handle.parse().unwrap()];
    let SourceOf::OAuth2(request) = &pair("b").primary.of else { panic!("another") };
    assert_eq!(request.grant, Grant::RefreshToken { handle: "corp-refresh".parse().unwrap() });
    let of = |form| SourceOf::GitHubApp(Installation { id: 42, form });
    assert_eq!(pair("github-ci").primary.of, of(TokenForm::Bearer));
    assert_eq!(pair("github-git").primary.of, of(TokenForm::Basic));
}

#[test]
fn what_oauth_and_github_lack_is_named() {
    for (from, to, begin) in [
        ("issuer: https://login.example/tenant", "", "backends.corp: has either issuer"),
        ("issuer: https://", "issuer: http://", "backends.corp.issuer: must begin with https"),
        ("token_endpoint: https", "token_endpoint: http", "backends.direct.token_endpoint: must"),
        ("timeout: 9s", "timeout: 1h", "backends.direct.timeout: must be 1s to 30s"),
        ("  client_secret: {handle: corp-client}", "", "backends.corp.auth_method: client_sec"),
        ("{handle: corp-client}", "{handle: ../x}", "backends.corp.client_secret.handle: "),
        ("{handle: gh-app-key}", "{handle: a, actor: /}", "backends.gh.private_key.actor: "),
        ("private_key_jwt", "none", "backends.direct.key_id: goes with"),
        ("key_id: k1", "basic_encoding: form", "backends.direct.basic_encoding: goes with auth"),
        (
            "client_id: leasehold",
            "client_id: 'a:b'\n  basic_encoding: none",
            "backends.corp.basic_",
        ),
        ("timeout: 9s", "lifetime: 25h", "backends.direct.lifetime: must be 1s to 86400s"),
        ("app_id: 123", "app_id: []", "backends.gh.app_id: "),
        ("type: github_app", "type: gitlab", "backends.gh.type: there are openbao, oauth2"),
    ] {
        let text = OAUTH.replacen(from, to, 1);
        assert_ne!(text, OAUTH, "{from}");
        let (faults, ..) = parse(&text, "{}");
        assert!(faults.first().is_some_and(|f| f.starts_with(begin)), "{begin}: {faults:?}");
    }
    for (from, to, begin) in [
        ("installation: 42", "installation: x", "credentials.github-ci.primary.installation: "),
        ("as: basic", "as: digest", "credentials.github-git.primary.as: unknown variant"),
        ("grant: client_credentials", "grant: password", "credentials.a.primary.grant: "),
        ("[read, write]", "[read write]", "credentials.a.primary.scopes[0]: "),
        (", refresh_token: {", ", x: {", "credentials.b.primary.x: unknown field"),
        ("grant: token_exchange", "grant: refresh_token", "credentials.b.backup.refresh_token: "),
    ] {
        let text = OAUTH_CREDENTIALS.replacen(from, to, 1);
        assert_ne!(text, OAUTH_CREDENTIALS, "{from}");
        let (faults, ..) = parse(OAUTH, &text);
        assert!(faults.first().is_some_and(|f| f.starts_with(begin)), "{begin}: {faults:?}");
    }
}

const EXEC: &str = "
op:
  type: exec
  command: [/usr/bin/op, read, --no-color]
  environment: {HOME: /var/lib/custody, OP_TOKEN: {handle: op-token, actor: ops}}
  timeout: 9s
  keep: 1m
";
const EXEC_CREDENTIALS: &str = "
a: {primary: {backend: op, arguments: ['op://prod/{actor}/key']}}
b: {primary: {backend: op, type: basic, user: x, json: {value: /a/b, expires_at: /end}}}
";

#[test]
fn a_command_and_its_arguments() {
    let (faults, backends, credentials) = parse(EXEC, EXEC_CREDENTIALS);
    assert_eq!(faults, Vec::<String>::new());
    let Backend::Exec(program) = &backends.0["op"] else { panic!("another") };
    assert_eq!(program.path, Path::new("/usr/bin/op"));
    assert_eq!(program.arguments, ["read", "--no-color"]);
    assert_eq!((program.limit.as_secs(), program.keep.as_secs()), (9, 60));
    let stored =
        Variable::Stored { actor: "ops".parse().unwrap(), handle: "op-token".parse().unwrap() };
    assert_eq!(program.environment["OP_TOKEN"], stored);
    let at = |handle: &str| match &credentials.0[&handle.parse().unwrap()].primary.of {
        SourceOf::Exec(request) => request.clone(),
        _ => panic!("another"),
    };
    assert_eq!((at("a").shape, at("a").format), (Shape::Bearer, Format::Text));
    assert_eq!(at("a").arguments, ["op://prod/{actor}/key"]);
    let fields = JsonFields { value: "/a/b".into(), expires_at: Some("/end".into()) };
    assert_eq!(at("b").shape, Shape::Basic { user: "x".into() });
    assert_eq!(at("b").format, Format::Json(fields));
}

#[test]
fn what_a_command_lacks_is_named() {
    for (from, to, begin) in [
        ("[/usr/bin/op, read", "[op, read", "backends.op.command[0]: is the absolute path"),
        ("[/usr/bin/op, read, --no-color]", "[]", "backends.op.command[0]: is the absolute path"),
        ("[/usr/bin/op, read, --no-color]", "op read", "backends.op.command: invalid type"),
        ("read, --no-color", "\"a\\0b\"", "backends.op.command[1]: has a zero byte"),
        ("HOME: /var", "1HOME: /var", "backends.op.environment.1HOME: a name is"),
        ("HOME: /var/lib/custody", "HOME: 1", "backends.op.environment.HOME: is a text (in"),
        ("{handle: op-token, ", "{handler: x, ", "backends.op.environment.OP_TOKEN.handler: unk"),
        ("timeout: 9s", "timeout: 31s", "backends.op.timeout: must be 1s to 30s"),
        ("keep: 1m", "keep: 25h", "backends.op.keep: must be 1s to 86400s"),
        ("keep: 1m", "shell: true", "backends.op.shell: unknown field"),
    ] {
        let text = EXEC.replacen(from, to, 1);
        assert_ne!(text, EXEC, "{from}");
        let (faults, ..) = parse(&text, "{}");
        assert!(faults.len() == 1 && faults[0].starts_with(begin), "{begin}: {faults:?}");
    }
    for (from, to, begin) in [
        ("['op://prod/{actor}/key']", "x", "credentials.a.primary.arguments: invalid"),
        ("op, type: basic", "op, type: bearer", "credentials.b.primary.type: is bearer (the"),
        ("type: basic, user: x", "type: api_key", "credentials.b.primary.type: is bearer"),
        ("basic, user: x", "api_key, header: host", "credentials.b.primary.header: "),
        ("type: basic, user: x", "type: header_set", "credentials.b.primary.type: is bearer"),
        ("value: /a/b", "value: a", "credentials.b.primary.json.value: is a JSON pointer"),
        ("value: /a/b", "value: /a~2b", "credentials.b.primary.json.value: is a JSON pointer"),
        ("value: /a/b", "value: /a~", "credentials.b.primary.json.value: is a JSON pointer"),
        ("value: /a/b", "value: /a~~0", "credentials.b.primary.json.value: is a JSON pointer"),
        ("value: /a/b, ", "", "credentials.b.primary.json: missing field"),
        ("expires_at: /end", "expires_at: end", "credentials.b.primary.json.expires_at: is a J"),
    ] {
        let text = EXEC_CREDENTIALS.replacen(from, to, 1);
        assert_ne!(text, EXEC_CREDENTIALS, "{from}");
        let (faults, ..) = parse(EXEC, &text);
        assert!(faults.len() == 1 && faults[0].starts_with(begin), "{begin}: {faults:?}");
    }
}
