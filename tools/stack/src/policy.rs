//! The plugin configuration a stack runs with: what somebody wrote, completed by what only the
//! running stack knows (its keys, its custody, the origin's port).

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::sessions::Sessions;

/// The cluster of the shipped Envoy configuration that leads to custody.
pub const CUSTODY_CLUSTER: &str = "custody";
/// The name on custody's certificate in the shipped Envoy configuration.
pub const CUSTODY_AUTHORITY: &str = "custody.internal";

/// Stands in a policy for the port of the demo origin, which is known only once it runs: alone it
/// becomes the number, inside a longer text its digits.
pub const ORIGIN_PORT: &str = "$ORIGIN_PORT";

/// The name of the demo origin.
pub const DEMO_HOST: &str = "api.demo.test";
/// `--max-refused-names` of the shipped leaf-ca.
const REFUSED_NAMES: u16 = 64;

/// A name that exists and that no destination covers.
pub const OTHER_HOST: &str = "other.demo.test";
/// The handle of the demo's credential.
pub const DEMO_HANDLE: &str = "demo-api";

/// The demo's policy: one origin, two things to do there, for team `demo`.
pub fn demo() -> Value {
    json!({
        "destinations": [{
            "name": "demo",
            "hosts": [DEMO_HOST],
            "ports": [ORIGIN_PORT],
            "allow": [
                {"methods": ["GET", "HEAD"], "paths": ["/v1/**"]},
                {"methods": ["POST"], "paths": ["/v1/messages"]},
            ],
            "sessions": {"claims": {"team": ["demo"]}},
            "credential": {"handle": DEMO_HANDLE},
        }],
    })
}

/// Reads a policy file, YAML or JSON.
///
/// # Errors
/// The file cannot be read or is neither.
pub fn read(path: &Path) -> Result<Value> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let policy: Value = serde_yaml_ng::from_str(&text)
        .with_context(|| format!("{} is neither YAML nor JSON", path.display()))?;
    if !policy.is_object() {
        bail!("{}: expected the fields of a plugin configuration", path.display());
    }
    Ok(policy)
}

/// `policy` with every [`ORIGIN_PORT`] in it replaced.
pub fn with_origin_port(policy: &Value, port: u16) -> Value {
    match policy {
        Value::String(text) if text == ORIGIN_PORT => json!(port),
        Value::String(text) => json!(text.replace(ORIGIN_PORT, &port.to_string())),
        Value::Array(items) => items.iter().map(|item| with_origin_port(item, port)).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, item)| (name.clone(), with_origin_port(item, port)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// `policy` with the parts filled in that its author left to us: `session` (or only its issuer,
/// audience or keys), `custody`, and the posture.
pub fn complete(policy: &Value, sessions: &Sessions, posture: &str) -> Value {
    let mut defaults = json!({
        "posture": posture,
        "session": {
            "issuer": sessions.issuer(),
            "audience": sessions.audience(),
            "keys": {"jwks": sessions.jwks()},
        },
    });
    let needs_custody = policy.get("custody").is_none() && names_a_credential(policy);
    if needs_custody {
        defaults["custody"] = json!({"cluster": CUSTODY_CLUSTER, "authority": CUSTODY_AUTHORITY});
    }
    if policy.pointer("/session/issuers").is_some() {
        // They are written out.
        defaults["session"] = json!({});
    }
    let mut policy = policy.clone();
    fill(&mut policy, &defaults, 2);
    policy
}

/// Does the edge fetch an issuer's keys?
pub fn fetches_keys(policy: &Value) -> bool {
    issuers(policy).any(|issuer| issuer.pointer("/keys/cluster").is_some())
}

/// The issuers, whichever way they are written.
fn issuers(policy: &Value) -> impl Iterator<Item = &Value> {
    let session = policy.get("session");
    let several = session.and_then(|session| session.get("issuers")).and_then(Value::as_array);
    let single = if several.is_none() { session } else { None };
    several.into_iter().flatten().chain(single)
}

/// The section `session` for custody. Where a session stands in a request is the edge's business alone,
/// and keys that the edge fetches, a stack's custody has in its configuration. `own`: what is custody's
/// alone.
pub fn session_of_custody(policy: &Value, sessions: &Sessions, own: &Value) -> Value {
    let mut session = policy.get("session").cloned().unwrap_or_default();
    let inline = |issuer: &mut Value| {
        if issuer.pointer("/keys/cluster").is_some() {
            issuer["keys"] = json!({"jwks": sessions.jwks()});
        }
    };
    inline(&mut session);
    session
        .pointer_mut("/issuers")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .for_each(inline);
    if let Some(fields) = session.as_object_mut() {
        // Where a session may come from is a matter of the edge alone.
        fields.remove("carriers");
        fields.remove("bind");
        fields.extend(own.as_object().cloned().unwrap_or_default());
    }
    session
}

/// Tells a gateway under which names it is called itself, unless the policy says so already.
pub fn name_the_gateway(policy: &mut Value, listen: SocketAddr) {
    let own = [listen.to_string(), format!("localhost:{}", listen.port())];
    fill(policy, &json!({"gateway": {"authorities": own}}), 2);
}

/// Has denied CONNECT requests open a tunnel, unless the policy says otherwise.
pub fn refuse_in_tunnel(policy: &mut Value) {
    fill(policy, &json!({"explicit": {"refuse_in_tunnel": true}}), 2);
}

/// For how many names outside the policy leaf-ca mints at once: as shipped, where the edge denies requests in
/// the tunnel of a refused CONNECT, else none.
pub fn refused_names(policy: &Value) -> u16 {
    match policy.pointer("/explicit/refuse_in_tunnel") {
        Some(Value::Bool(true)) => REFUSED_NAMES,
        _ => 0,
    }
}

/// Grants that let every session the policy allows lease what the policy names: good enough for
/// one machine, where nobody has written grants.
pub fn grants_for(policy: &Value) -> Vec<Value> {
    destinations(policy)
        .filter_map(|destination| {
            let handle = destination.pointer("/credential/handle")?;
            // Custody wants it said when every session of an issuer is meant.
            let names: Vec<_> = issuers(policy).filter_map(|issuer| issuer.get("issuer")).collect();
            let everybody = json!({"iss": names});
            let named =
                destination.pointer("/sessions/claims").filter(|claims| **claims != json!({}));
            let claims = named.unwrap_or(&everybody);
            let mut grant = json!({
                "handle": handle,
                "destinations": authorities(destination),
                "claims": claims,
            });
            if let Some(binding) = destination.pointer("/credential/binding") {
                grant["binding"] = binding.clone();
            }
            Some(grant)
        })
        .collect()
}

/// The handles a policy names, in its order.
pub fn handles(policy: &Value) -> Vec<String> {
    let named = destinations(policy).filter_map(|destination| {
        Some(destination.pointer("/credential/handle")?.as_str()?.to_owned())
    });
    let mut handles: Vec<String> = Vec::new();
    for handle in named {
        if !handles.contains(&handle) {
            handles.push(handle);
        }
    }
    handles
}

/// Every host of a destination with every port of it, as custody's grants want them.
fn authorities(destination: &Value) -> Vec<String> {
    let listed = |name| destination.get(name).and_then(Value::as_array).into_iter().flatten();
    let mut ports: Vec<_> = listed("ports").filter_map(Value::as_u64).collect();
    if ports.is_empty() {
        ports.push(443);
    }
    let hosts = listed("hosts").filter_map(Value::as_str);
    hosts.flat_map(|host| ports.iter().map(move |port| format!("{host}:{port}"))).collect()
}

fn names_a_credential(policy: &Value) -> bool {
    destinations(policy).any(|destination| destination.get("credential").is_some())
}

fn destinations(policy: &Value) -> impl Iterator<Item = &Value> {
    policy.get("destinations").and_then(Value::as_array).into_iter().flatten()
}

/// Puts what is missing in `value` in from `defaults`, down to `depth` levels of objects.
fn fill(value: &mut Value, defaults: &Value, depth: usize) {
    let (Some(fields), Some(defaults)) = (value.as_object_mut(), defaults.as_object()) else {
        return;
    };
    for (name, default) in defaults {
        match fields.get_mut(name) {
            None => {
                fields.insert(name.clone(), default.clone());
            }
            Some(inner) if depth > 1 => fill(inner, default, depth - 1),
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_port_goes_in_as_number_and_as_text() {
        let policy = json!({"ports": ["$ORIGIN_PORT", 443], "at": "edge:$ORIGIN_PORT"});
        let expected = json!({"ports": [8443, 443], "at": "edge:8443"});
        assert_eq!(with_origin_port(&policy, 8443), expected);
    }

    #[test]
    fn what_is_written_stays_and_what_is_missing_is_filled_in() {
        let sessions = Sessions::generate().unwrap();
        let policy = json!({"session": {"issuer": "https://mine.example"}, "destinations": []});
        let completed = complete(&policy, &sessions, "explicit");
        assert_eq!(completed["session"]["issuer"], "https://mine.example");
        assert_eq!(completed["session"]["audience"], sessions.audience());
        assert_eq!(completed["session"]["keys"]["jwks"], sessions.jwks());
        assert_eq!(completed.get("custody"), None);
        assert_eq!(completed["posture"], "explicit");
    }

    #[test]
    fn grants_cover_what_the_policy_names() {
        let policy = with_origin_port(&demo(), 4443);
        let expected = json!([{
            "handle": "demo-api",
            "destinations": ["api.demo.test:4443"],
            "claims": {"team": ["demo"]},
        }]);
        assert_eq!(json!(grants_for(&policy)), expected);
        let mut for_all = complete(&policy, &Sessions::generate().unwrap(), "explicit");
        for_all["destinations"][0]["sessions"] = json!({});
        let issuer = &for_all["session"]["issuer"];
        assert_eq!(grants_for(&for_all)[0]["claims"], json!({"iss": [issuer]}));
        assert_eq!(handles(&policy), ["demo-api"]);
        assert_eq!(
            complete(&policy, &Sessions::generate().unwrap(), "explicit")["custody"]["cluster"],
            "custody"
        );
    }
}
