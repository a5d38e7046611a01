//! The shipped Envoy configuration, changed in nothing but what is compared: every variant has the
//! listeners, limits, access log and routes that people get.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::variant::{CREDENTIAL, Facts, Variant, set, static_cluster};

/// Our filter and the net behind it, by their names in the shipped files.
const OURS: &str = "leasehold";
const NET: &str = "envoy.filters.http.rbac";
/// The clusters that lead to the destinations.
const DESTINATIONS: [&str; 2] = ["destinations", "destinations_http1"];

/// A rendered configuration with `variant` in place of our filter. `in_the_clear`: this origin, without
/// TLS, is every destination.
///
/// # Errors
/// The shipped file has another shape than this knows.
pub fn shaped(
    rendered: &str,
    variant: Variant,
    facts: &Facts<'_>,
    in_the_clear: Option<SocketAddr>,
) -> Result<String> {
    let mut root: Value = serde_json::from_str(rendered).context("the rendered configuration")?;
    let resources = root.get_mut("static_resources").context("no static_resources")?;
    for manager in managers(resources)? {
        let filters = array(manager, "http_filters")?;
        filters.retain(|filter| stays(filter, variant));
        if !opens_tunnels(filters) {
            filters.splice(..0, variant.filters(facts));
            put_route(manager, variant)?;
        }
    }
    let http1 = json!({"explicit_http_config": {"http_protocol_options": {}}});
    let clusters = array(resources, "clusters")?;
    if let Some(origin) = in_the_clear {
        clusters.iter_mut().filter(|cluster| leads_outside(cluster)).for_each(|cluster| {
            let name = cluster.get("name").cloned().unwrap_or_default();
            *cluster = static_cluster(&name, origin, http1.clone());
        });
    }
    clusters.extend(variant.cluster(facts));
    set(resources, "secrets", json!(variant.secrets()));
    Ok(root.to_string())
}

/// A rendered configuration with these filters in place of our filter and its net.
///
/// # Errors
/// As [`shaped`].
pub fn with_filters(rendered: &str, filters: &[Value]) -> Result<String> {
    let mut root: Value = serde_json::from_str(rendered).context("the rendered configuration")?;
    let resources = root.get_mut("static_resources").context("no static_resources")?;
    for manager in managers(resources)? {
        let present = array(manager, "http_filters")?;
        present.retain(|filter| stays(filter, Variant::NoFilter));
        present.splice(..0, filters.iter().cloned());
    }
    Ok(root.to_string())
}

fn array<'a>(parent: &'a mut Value, field: &str) -> Result<&'a mut Vec<Value>> {
    let items = parent.get_mut(field).and_then(Value::as_array_mut);
    items.with_context(|| format!("no list {field} in the shipped configuration"))
}

/// The HTTP connection manager of each listener.
fn managers(resources: &mut Value) -> Result<Vec<&mut Value>> {
    array(resources, "listeners")?.iter_mut().map(manager).collect()
}

fn manager(listener: &mut Value) -> Result<&mut Value> {
    let manager = listener.pointer_mut("/filter_chains/0/filters/0/typed_config");
    manager.context("a listener without an HTTP connection manager")
}

fn is_named(value: &Value, name: &str) -> bool {
    value.get("name").and_then(Value::as_str) == Some(name)
}

fn stays(filter: &Value, variant: Variant) -> bool {
    match variant {
        Variant::Leasehold => true,
        // The net would let nothing through.
        Variant::NoOp => !is_named(filter, NET),
        _ => !is_named(filter, NET) && !is_named(filter, OURS),
    }
}

/// What only decides whether a tunnel opens is no part of a request's way through it.
fn opens_tunnels(filters: &[Value]) -> bool {
    filters.iter().any(|filter| is_named(filter, "envoy.filters.http.set_filter_state"))
}

fn leads_outside(cluster: &Value) -> bool {
    DESTINATIONS.iter().any(|name| is_named(cluster, name))
}

fn put_route(manager: &mut Value, variant: Variant) -> Result<()> {
    let config = manager.get_mut("route_config").context("no route_config")?;
    match variant {
        Variant::StaticHeader => {
            let header = json!([{
                "header": {"key": "authorization", "value": CREDENTIAL},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }]);
            set(config, "request_headers_to_add", header);
        }
        Variant::Refusal => {
            let refusal = json!({"match": {"prefix": "/"}, "direct_response": {"status": 401}});
            for host in array(config, "virtual_hosts")? {
                set(host, "routes", json!([refusal]));
            }
        }
        _ => {}
    }
    Ok(())
}
