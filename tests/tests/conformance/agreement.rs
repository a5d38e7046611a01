//! Whether both hosts showed the world the same.

use std::collections::BTreeMap;

use host_sim::cases::Observed;

/// Headers of a request that Envoy's connections write, whatever a filter does: framing, the name of
/// the peer, the number in its log, the key of a WebSocket (RFC 8441, `envoy/*.yaml`).
const OF_THE_CONNECTION: [&str; 5] =
    ["content-length", "host", "sec-websocket-key", "transfer-encoding", "x-request-id"];

/// What could be seen from outside and is not the same.
pub fn disagreements(simulated: &Observed, real: &Observed) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, simulated: String, real: String| {
        if simulated != real {
            found.push(format!("{what}: host-sim {simulated}, Envoy {real}"));
        }
    };
    compare("verdict", simulated.verdict(), real.verdict());
    compare("status", format!("{:?}", status(simulated)), format!("{:?}", status(real)));
    compare("x-deny-reason", format!("{:?}", simulated.reason), format!("{:?}", real.reason));
    compare("callouts", simulated.callouts.len().to_string(), real.callouts.len().to_string());
    compare("upstream", format!("{:?}", upstream(simulated)), format!("{:?}", upstream(real)));
    compare("upstream body", body(simulated), body(real));
    found
}

/// The status of a refusal; how an upstream answers is not the filter's.
fn status(observed: &Observed) -> Option<u16> {
    observed.status.filter(|_| !observed.is_allowed())
}

fn body(observed: &Observed) -> String {
    let message = observed.upstream.as_ref().filter(|_| observed.is_allowed());
    message.map(host_sim::Message::body_text).unwrap_or_default()
}

fn upstream(observed: &Observed) -> Option<BTreeMap<String, Vec<String>>> {
    let message = observed.upstream.as_ref().filter(|_| observed.is_allowed())?;
    // A CONNECT ends in Envoy: nobody behind it sees one.
    if message.headers.get(":method") == Some(b"CONNECT") {
        return None;
    }
    let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in message.headers.iter() {
        if !OF_THE_CONNECTION.contains(&name) && name != ":scheme" {
            let values = headers.entry(name.to_owned()).or_default();
            values.push(String::from_utf8_lossy(value).into_owned());
        }
    }
    Some(headers)
}
