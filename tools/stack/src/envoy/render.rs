//! Puts [`EdgeSettings`] into the shipped configuration, structurally: the file is parsed, the
//! few values that differ are replaced where they stand, and a place that is missing is an
//! error, so file and code cannot drift apart silently.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::place::{at, each_of_type};
use super::secrets::Secrets;
use super::{
    CustodyCluster, CustodyLink, EdgeSettings, EnvoyError, LeafCaLink, MutualTls, Posture,
};
use crate::inside_addresses;
use crate::issuer;

/// Where nobody answers: the discard port, for a custody that is not there.
const NOBODY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

/// The name of the filter that serves attempts.
const ATTEMPTS: &str = "leasehold_attempts";

/// The clusters that lead to destinations.
const DESTINATIONS: [&str; 2] = ["destinations", "destinations_http1"];

/// What a configuration needs to have the issuer's keys fetched.
const ISSUER: &str = include_str!("../../../../envoy/fragments/issuer.yaml");

// === impl EdgeSettings ===

impl EdgeSettings {
    /// The shipped file with these settings put in, as JSON for [`Envoy::start`](super::Envoy::start). Writes the files
    /// of secrets that it names, [`MutualTls::secrets`].
    ///
    /// # Errors
    /// [`EnvoyError::Template`] when the shipped file lacks a place that a setting belongs to,
    /// [`EnvoyError::Io`] when a file of secrets cannot be written.
    pub fn render(&self) -> Result<String, EnvoyError> {
        render(self)
    }
}

fn render(settings: &EdgeSettings) -> Result<String, EnvoyError> {
    let mut shipped = Shipped::of(&settings.posture)?;
    shipped.put("admin.address", socket_address(settings.admin))?;
    shipped.put("static_resources.listeners[guests].address", socket_address(settings.listen))?;
    if settings.retry {
        shipped.put_retry()?;
    }
    shipped.put_plugin(&settings.filter, &settings.plugin)?;
    for cluster in DESTINATIONS {
        let roots = "transport_socket.typed_config.common_tls_context.validation_context";
        let place = format!("static_resources.clusters[{cluster}].{roots}.trusted_ca.filename");
        shipped.put(&place, json!(settings.upstream_ca))?;
    }
    if let Some(resolver) = settings.resolver {
        shipped.put_resolver(resolver)?;
    }
    if let Some(file) = &settings.access_log {
        shipped.put_access_log(file)?;
    }
    if settings.private_upstreams {
        shipped.allow_private_upstreams()?;
    }
    if let Some(address) = settings.destinations {
        shipped.lead_destinations_to(address)?;
    }
    shipped.put_custody(settings.custody.as_ref())?;
    shipped.put_custody_cluster(settings.custody_cluster)?;
    if let Some(address) = settings.issuer {
        shipped.add_issuer(address, &settings.upstream_ca)?;
    }
    if let Posture::Explicit { leaf_ca } = &settings.posture {
        shipped.put_endpoint("leaf_ca", &leaf_ca_address(leaf_ca))?;
    }
    Ok(format!("{:#}\n", shipped.root))
}

/// One of the shipped files, parsed; aliases (`*name`) are expanded.
struct Shipped {
    file: &'static str,
    root: Value,
}

// === impl Shipped ===

impl Shipped {
    fn of(posture: &Posture) -> Result<Self, EnvoyError> {
        let (file, text) = match posture {
            Posture::Explicit { .. } => {
                ("explicit.yaml", include_str!("../../../../envoy/explicit.yaml"))
            }
            Posture::Gateway => ("gateway.yaml", include_str!("../../../../envoy/gateway.yaml")),
        };
        let root = serde_yaml_ng::from_str(text).map_err(|error| EnvoyError::Template {
            file,
            place: format!("YAML in it: {error}"),
        })?;
        Ok(Self { file, root })
    }

    fn missing(&self, place: &str) -> EnvoyError {
        EnvoyError::Template { file: self.file, place: place.to_owned() }
    }

    /// Replaces what is there; something must be there.
    fn put(&mut self, place: &str, value: Value) -> Result<(), EnvoyError> {
        let missing = self.missing(place);
        *at(&mut self.root, place).ok_or(missing)? = value;
        Ok(())
    }

    /// Calls `change` on every message of a type; there must be one, and it must be whole.
    fn each(
        &mut self,
        message: &str,
        mut change: impl FnMut(&mut Value) -> Option<()>,
    ) -> Result<(), EnvoyError> {
        match each_of_type(&mut self.root, message, &mut change) {
            Some(found) if found > 0 => Ok(()),
            _ => Err(self.missing(message)),
        }
    }

    /// The pieces of the variant but for the last, which is for whoever writes the policy.
    fn put_retry(&mut self) -> Result<(), EnvoyError> {
        let pieces = include_str!("../../../../envoy/variants/retry.yaml");
        let broken = |error| EnvoyError::Template {
            file: "variants/retry.yaml",
            place: format!("YAML in it: {error}"),
        };
        let pieces: Value = serde_yaml_ng::from_str(pieces).map_err(broken)?;
        self.each("Router", |router| {
            if let Some(filters) = router.get_mut("upstream_http_filters") {
                let filters = filters.as_array_mut()?;
                let codec = filters.len().checked_sub(1)?;
                filters.insert(codec, pieces["upstream_http_filter"].clone());
            }
            Some(())
        })?;
        let place = "static_resources.clusters[destinations].circuit_breakers.thresholds[0]";
        let missing = self.missing(place);
        let threshold = at(&mut self.root, place).and_then(Value::as_object_mut);
        let retries = pieces["circuit_breakers"]["max_retries"].clone();
        threshold.ok_or(missing)?.insert("max_retries".to_owned(), retries);
        self.each("HttpConnectionManager", |connections| {
            let Some(routes) = at(connections, "route_config.virtual_hosts[destinations].routes")
            else {
                return Some(());
            };
            let last = routes.as_array_mut()?.last_mut()?;
            let route = last.get_mut("route")?.as_object_mut()?;
            route.insert("retry_policy".to_owned(), pieces["retry_policy"].clone());
            Some(())
        })
    }

    /// The module and its configuration, in every filter that loads it; the filter for attempts has its
    /// own.
    fn put_plugin(&mut self, module: &Path, plugin: &Value) -> Result<(), EnvoyError> {
        self.each("Wasm", |filter| {
            *at(filter, "config.vm_config.code.local.filename")? = json!(module);
            if at(filter, "config.name")? == ATTEMPTS {
                return Some(());
            }
            // A StringValue: Envoy hands its text to the module as it is.
            *at(filter, "config.configuration.value")? = json!(plugin.to_string());
            Some(())
        })
    }

    /// The one DNS server to ask, in place of the machine's.
    fn put_resolver(&mut self, resolver: SocketAddr) -> Result<(), EnvoyError> {
        self.each("CaresDnsResolverConfig", |cares| {
            let fields = cares.as_object_mut()?;
            fields.insert("resolvers".to_owned(), json!([socket_address(resolver)]));
            Some(())
        })
    }

    fn put_access_log(&mut self, file: &Path) -> Result<(), EnvoyError> {
        self.each("StdoutAccessLog", |log| {
            let fields = log.as_object_mut()?;
            let kind = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
            fields.insert("@type".to_owned(), json!(kind));
            fields.insert("path".to_owned(), json!(file));
            Some(())
        })
    }

    /// Takes both refusals of inside addresses out: of what a name resolves to, and the router's.
    fn allow_private_upstreams(&mut self) -> Result<(), EnvoyError> {
        let taken = inside_addresses::allow(&mut self.root);
        if taken.of_names == 0 || taken.of_connections == 0 {
            return Err(self.missing("resolved_address_filter, envoy.filters.http.upstream_rbac"));
        }
        Ok(())
    }

    /// One address in place of name resolution. The forward proxy's filter, which resolves, lets
    /// requests pass that are for clusters of another type.
    fn lead_destinations_to(&mut self, address: SocketAddr) -> Result<(), EnvoyError> {
        for cluster in DESTINATIONS {
            let place = format!("static_resources.clusters[{cluster}]");
            let missing = self.missing(&place);
            let fields = at(&mut self.root, &place).and_then(Value::as_object_mut);
            let fields = fields.ok_or(missing)?;
            for resolving in ["cluster_type", "lb_policy"] {
                let gone = fields.remove(resolving);
                gone.ok_or_else(|| EnvoyError::Template {
                    file: self.file,
                    place: format!("{place}.{resolving}"),
                })?;
            }
            let endpoint = json!({"endpoint": {"address": socket_address(address)}});
            let endpoints = json!([{"lb_endpoints": [endpoint]}]);
            fields.insert("type".to_owned(), json!("STATIC"));
            fields.insert(
                "load_assignment".to_owned(),
                json!({"cluster_name": cluster, "endpoints": endpoints}),
            );
        }
        Ok(())
    }

    fn put_custody_cluster(&mut self, cluster: CustodyCluster) -> Result<(), EnvoyError> {
        match cluster {
            CustodyCluster::Shipped => Ok(()),
            CustodyCluster::Empty => {
                self.put("static_resources.clusters[custody].load_assignment.endpoints", json!([]))
            }
            CustodyCluster::Absent => {
                let missing = self.missing("static_resources.clusters");
                let clusters = at(&mut self.root, "static_resources.clusters");
                let clusters = clusters.and_then(Value::as_array_mut).ok_or(missing)?;
                clusters.retain(|cluster| cluster.get("name") != Some(&json!("custody")));
                Ok(())
            }
        }
    }

    fn add_issuer(&mut self, address: SocketAddr, roots: &Path) -> Result<(), EnvoyError> {
        let cluster = serde_yaml_ng::from_str(ISSUER).map_err(|error| EnvoyError::Template {
            file: "fragments/issuer.yaml",
            place: format!("YAML in it: {error}"),
        })?;
        let missing = self.missing("static_resources.clusters");
        let clusters = at(&mut self.root, "static_resources.clusters");
        clusters.and_then(Value::as_array_mut).ok_or(missing)?.push(cluster);
        self.put("static_resources.clusters[issuer].type", json!("STATIC"))?;
        self.put_endpoint(issuer::CLUSTER, &socket_address(address))?;
        let context = "static_resources.clusters[issuer].transport_socket.typed_config";
        self.put(&format!("{context}.sni"), json!(issuer::NAME))?;
        let validation = format!("{context}.common_tls_context.validation_context");
        self.put(&format!("{validation}.trusted_ca.filename"), json!(roots))?;
        let name = "match_typed_subject_alt_names[0].matcher.exact";
        self.put(&format!("{validation}.{name}"), json!(issuer::NAME))
    }

    fn put_custody(&mut self, link: Option<&CustodyLink>) -> Result<(), EnvoyError> {
        self.put("static_resources.clusters[custody].type", json!("STATIC"))?;
        let address = link.map_or(NOBODY, |link| link.address);
        self.put_endpoint("custody", &socket_address(address))?;
        match link.and_then(|link| link.tls.as_ref()) {
            Some(tls) => self.put_mutual_tls(tls),
            None => {
                let custody = "static_resources.clusters[custody]";
                let fields = at(&mut self.root, custody).and_then(Value::as_object_mut);
                let tls = fields.and_then(|fields| fields.remove("transport_socket"));
                tls.map(|_| ()).ok_or_else(|| self.missing(&format!("{custody}.transport_socket")))
            }
        }
    }

    fn put_mutual_tls(&mut self, tls: &MutualTls) -> Result<(), EnvoyError> {
        let context = "static_resources.clusters[custody].transport_socket.typed_config";
        let common = format!("{context}.common_tls_context");
        let client = format!("{common}.tls_certificate_sds_secret_configs[edge-client].sds_config");
        let validation = format!("{common}.combined_validation_context");
        let name = "default_validation_context.match_typed_subject_alt_names[0].matcher.exact";
        let ca = format!("{validation}.validation_context_sds_secret_config.sds_config");
        let Secrets { edge_client, custody_ca } = Secrets::write(tls)?;
        for (source, file) in [(client, edge_client), (ca, custody_ca)] {
            let source = format!("{source}.path_config_source");
            self.put(&format!("{source}.watched_directory.path"), json!(tls.secrets))?;
            self.put(&format!("{source}.path"), json!(file))?;
        }
        self.put(&format!("{context}.sni"), json!(tls.server_name))?;
        self.put(&format!("{validation}.{name}"), json!(tls.server_name))
    }

    fn put_endpoint(&mut self, cluster: &str, address: &Value) -> Result<(), EnvoyError> {
        let endpoint = "load_assignment.endpoints[0].lb_endpoints[0].endpoint.address";
        let place = format!("static_resources.clusters[{cluster}].{endpoint}");
        self.put(&place, address.clone())
    }
}

fn socket_address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

fn leaf_ca_address(link: &LeafCaLink) -> Value {
    match link {
        LeafCaLink::Pipe(path) => json!({"pipe": {"path": path}}),
        LeafCaLink::Tcp(address) => socket_address(*address),
    }
}

#[cfg(test)]
mod tests;
