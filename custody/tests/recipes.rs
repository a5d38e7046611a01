//! docs/issuers.md: each entry verifies a token of its issuer's real shape, and the grant beside it fits.
#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use custody::config::Config;
use serde_json::{Map, Value, json};
use session::mint::SigningKey;
use session::{Algorithm, ClaimConditions, KeySet, Refusal, Rules, Session, Verifier};
use std::collections::BTreeMap;
use std::path::Path;

const NOW: u64 = 1_800_000_000;

/// A recipe, under the heading of its section.
struct Recipe {
    rules: Rules,
    grant: ClaimConditions,
    key: SigningKey,
}

/// The tokens as issuers make them, header and claims; `iss`, `aud`, `iat` and `exp` are added.
fn tokens() -> BTreeMap<&'static str, (Value, u64, Value)> {
    let jwt = || json!({"typ": "JWT"});
    BTreeMap::from([
        ("Kubernetes", (json!({}), 3607, kubernetes())),
        (
            "SPIFFE",
            (json!({"typ": "JOSE"}), 300, json!({"sub": "spiffe://prod.example/ns/agents/sa/web"})),
        ),
        (
            "GitHub Actions",
            (json!({"typ": "JWT", "x5t": "eBZ_cn3sXYAd0ch4THBKHIgOwOE"}), 300, github()),
        ),
        ("GitLab CI", (jwt(), 7200, gitlab())),
        ("Keycloak", (jwt(), 300, keycloak())),
        (
            "Auth0",
            (
                jwt(),
                86_400,
                json!({"sub": "abc@clients", "azp": "agents", "gty": "client-credentials",
            "scope": "lease:github", "permissions": ["lease:github", "lease:npm"]}),
            ),
        ),
        ("Entra", (json!({"typ": "JWT", "x5t": "H9nj5AOSswMphg1SFx7jaV-lB9w"}), 3900, entra())),
        (
            "Google",
            (
                jwt(),
                3600,
                json!({"sub": "113774264463038321964", "azp": "113774264463038321964",
            "email": "agent@acme-prod.iam.gserviceaccount.com", "email_verified": true}),
            ),
        ),
    ])
}

fn kubernetes() -> Value {
    json!({"sub": "system:serviceaccount:agents:builder", "nbf": NOW - 10,
        "kubernetes.io": {"namespace": "agents", "node": {"name": "n1", "uid": "u"},
            "pod": {"name": "p", "uid": "u"}, "serviceaccount": {"name": "builder", "uid": "u"},
            "warnafter": NOW + 3607}})
}

fn github() -> Value {
    json!({"jti": "example-id", "sub": "repo:acme/site:ref:refs/heads/main",
        "ref": "refs/heads/main", "repository": "acme/site", "repository_owner": "acme",
        "repository_owner_id": "65", "run_id": "example-run-id", "repository_visibility": "private",
        "job_workflow_ref": "acme/site/.github/workflows/ci.yml@refs/heads/main",
        "runner_environment": "github-hosted", "event_name": "push", "nbf": NOW - 600})
}

fn gitlab() -> Value {
    json!({"jti": "a-b-c", "sub": "project_path:acme/site:ref_type:branch:ref:main", "job_id": "302",
        "namespace_path": "acme", "project_path": "acme/site", "pipeline_source": "push",
        "ref": "main", "ref_type": "branch", "ref_protected": "true", "nbf": NOW - 15})
}

fn keycloak() -> Value {
    json!({"jti": "trrtcc:1", "sub": "f:1:svc", "typ": "Bearer", "azp": "agents", "sid": "s-1",
        "acr": "1", "allowed-origins": ["/*"], "scope": "profile email",
        "realm_access": {"roles": ["offline_access", "deployer"]},
        "resource_access": {"account": {"roles": ["view-profile"]}}})
}

fn entra() -> Value {
    json!({"sub": "oid", "oid": "oid", "tid": "11111111-2222-3333-4444-555555555555", "ver": "2.0",
        "uti": "Ym6b3Yx0aUuHRnKvdWgbAA", "azp": "app", "azpacr": "1", "roles": ["Lease.GitHub"],
        "rh": "0.AAAA", "aio": "E2ZgYM", "nbf": NOW - 300})
}

fn recipes() -> BTreeMap<String, Recipe> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = std::fs::read_to_string(root.join("docs/issuers.md")).unwrap();
    let sections = page.split("\n## ").skip(1);
    sections
        .map(|section| {
            let (heading, rest) = section.split_once('\n').unwrap();
            let (_, block) = rest.split_once("```yaml issuer\n").expect(heading);
            (heading.to_owned(), Recipe::read(block.split_once("```").unwrap().0))
        })
        .collect()
}

// === impl Recipe ===

impl Recipe {
    /// As custody reads the entry in a whole configuration, with a key of the test's.
    fn read(text: &str) -> Self {
        let mut entry: Map<String, Value> = serde_yaml_ng::from_str(text).unwrap();
        let grant = serde_json::from_value(entry.remove("grant").unwrap()).unwrap();
        let url = entry["keys"]["url"].as_str().unwrap();
        assert!(url.starts_with("https://"), "{url}");
        let algorithm = match entry.get("algorithms") {
            Some(named) => serde_json::from_value(named[0].clone()).unwrap(),
            None => Algorithm::EdDsa,
        };
        let key = SigningKey::generate(algorithm, Some("k1")).unwrap();
        let config = json!({
            "edge": {"listen": "127.0.0.1:0", "plaintext": "loopback-only"},
            "health": {"listen": "127.0.0.1:0"},
            "session": {"issuers": [entry]},
            "store": {"path": "db", "root_key": "key"}, "audit": {"path": "audit.jsonl"},
        });
        let config = Config::parse(&config.to_string(), Path::new(""));
        let config = config.unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
        let rules = config.session.issuers.into_iter().next().unwrap().rules;
        Self { rules, grant, key }
    }

    fn verify(&self, header: &Value, claims: &Value, now: u64) -> Result<Session, Refusal> {
        let mut header = header.clone();
        header["alg"] = json!(self.key.algorithm().name());
        header["kid"] = json!("k1");
        let token = self.key.sign_with_header(&header, claims).unwrap();
        let keys = KeySet::from_jwks(&self.key.public_jwks()).unwrap();
        Verifier::new(self.rules.clone(), keys).verify(token.as_bytes(), now)
    }
}

#[test]
fn every_recipe_verifies_a_token_of_its_issuer() {
    let (recipes, tokens) = (recipes(), tokens());
    let names: Vec<_> = recipes.keys().map(String::as_str).collect();
    assert_eq!(names, tokens.keys().copied().collect::<Vec<_>>());
    for (name, (header, life, own)) in tokens {
        let recipe = &recipes[name];
        let mut claims = own;
        claims["iss"] = json!(recipe.rules.issuer);
        claims["aud"] = json!([recipe.rules.audiences[0]]);
        claims["iat"] = json!(NOW);
        claims["exp"] = json!(NOW + life);
        let session = recipe.verify(&header, &claims, NOW + 1);
        let session = session.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert!(recipe.grant.met_by(&session), "{name}");
        assert!(session.id().starts_with(&format!("{}#", recipe.rules.issuer)), "{name}");
        let end = NOW + life.min(recipe.rules.max_lifetime);
        assert_eq!(session.expires_at(), end, "{name}");
        assert!(recipe.verify(&header, &claims, end).is_err(), "{name}");
        // The twin: of another audience, and whatever the recipe demands taken away.
        let mut other = claims.clone();
        other["aud"] = json!("another");
        assert_eq!(recipe.verify(&header, &other, NOW).unwrap_err(), Refusal::Audience, "{name}");
    }
}

#[test]
fn a_recipe_refuses_tokens_of_others_at_its_issuer() {
    let recipes = recipes();
    let tokens = tokens();
    for (name, member, value, meets_grant) in [
        ("Kubernetes", "kubernetes.io", json!({"namespace": "other"}), None),
        ("SPIFFE", "sub", json!("spiffe://evil.example/ns/agents/sa/web"), None),
        ("SPIFFE", "sub", json!("spiffe://prod.example/ns/other/sa/web"), Some(false)),
        ("GitHub Actions", "repository_owner_id", json!("66"), None),
        (
            "GitHub Actions",
            "sub",
            json!("repo:acme/site:environment:x:ref:refs/heads/main"),
            Some(false),
        ),
        ("GitLab CI", "ref_protected", json!("false"), Some(false)),
        ("Keycloak", "azp", json!("another"), None),
        ("Keycloak", "realm_access", json!({"roles": ["offline_access"]}), Some(false)),
        ("Auth0", "permissions", json!([]), Some(false)),
        ("Entra", "tid", json!("another"), None),
        ("Google", "email_verified", json!(false), None),
        ("Google", "email", json!("x@acme-prod.iam.gserviceaccount.com.evil.example"), Some(false)),
    ] {
        let (recipe, (header, life, own)) = (&recipes[name], &tokens[name]);
        let mut claims = own.clone();
        claims["iss"] = json!(recipe.rules.issuer);
        claims["aud"] = json!(recipe.rules.audiences[0]);
        claims["iat"] = json!(NOW);
        claims["exp"] = json!(NOW + life);
        claims[member] = value;
        let outcome = recipe.verify(header, &claims, NOW);
        assert_eq!(
            outcome.map(|session| recipe.grant.met_by(&session)).ok(),
            meets_grant,
            "{name} {member}"
        );
    }
}

/// A token that the API server extended to a year ends an hour after it was issued.
#[test]
fn a_kubernetes_token_of_a_year_ends_with_max_lifetime() {
    let recipes = recipes();
    let recipe = &recipes["Kubernetes"];
    let mut claims = kubernetes();
    claims["iss"] = json!(recipe.rules.issuer);
    claims["aud"] = json!(["leasehold"]);
    (claims["iat"], claims["exp"]) = (json!(NOW), json!(NOW + 365 * 86_400));
    assert!(recipe.verify(&json!({}), &claims, NOW + 3599).is_ok());
    assert_eq!(recipe.verify(&json!({}), &claims, NOW + 3600).unwrap_err(), Refusal::Lifetime);
}
