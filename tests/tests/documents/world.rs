//! The world that a walk needs: `api.github.com`, and an edge that finds it here.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stack::authority::Authority;
use stack::dns::Dns;
use stack::inside_addresses;
use stack::origin::{Origin, OriginSettings};
use tokio::runtime::Runtime;

pub const HOST: &str = "api.github.com";
const HTTPS: u16 = 443;

/// `api.github.com`, on the port that it has.
pub struct World {
    pub origin: Origin,
    dns: Dns,
    roots: PathBuf,
    _folder: tempfile::TempDir,
    _runtime: Runtime,
}

// === impl World ===

impl World {
    pub fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let authority = Authority::new("the world").unwrap();
        let mut settings = OriginSettings::new([HOST]);
        settings.port = HTTPS;
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let origin = Origin::start(runtime.handle(), local, &settings, &authority).unwrap();
        let names = [HOST.to_owned()];
        let dns = Dns::start(runtime.handle(), local, names, Ipv4Addr::LOCALHOST).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let roots = folder.path().join("roots.pem");
        fs::write(&roots, authority.pem()).unwrap();
        Self { origin, dns, roots, _folder: folder, _runtime: runtime }
    }

    /// Changes in an Envoy configuration what is different in this world, and nothing else: who
    /// resolves names, who is trusted, and that names may lead inward.
    pub fn found_by(&self, configuration: &Path) {
        let text = fs::read_to_string(configuration).unwrap();
        let mut root: Value = serde_yaml_ng::from_str(&text).unwrap();
        let mut changes = 0;
        self.change(&mut root, &mut changes);
        changes += inside_addresses::allow(&mut root).of_connections;
        // A file that was changed before has its resolvers to be changed again, and nothing else.
        assert!(changes >= 3, "{changes} places found");
        fs::write(configuration, root.to_string()).unwrap();
    }

    fn change(&self, value: &mut Value, changes: &mut usize) {
        match value {
            Value::Object(fields) => {
                let kind = fields.get("@type").and_then(Value::as_str).unwrap_or_default();
                if kind.ends_with(".CaresDnsResolverConfig") {
                    let (address, port) = (self.dns.address().ip(), self.dns.address().port());
                    let resolver = json!({"socket_address": {
                        "address": address.to_string(), "port_value": port, "protocol": "UDP",
                    }});
                    fields.insert("resolvers".to_owned(), json!([resolver]));
                    *changes += 1;
                }
                let roots = fields.get_mut("trusted_ca").and_then(|ca| ca.get_mut("filename"));
                if let Some(file) =
                    roots.filter(|file| *file == "/etc/ssl/certs/ca-certificates.crt")
                {
                    *file = json!(self.roots);
                    *changes += 1;
                }
                fields.values_mut().for_each(|value| self.change(value, changes));
            }
            Value::Array(items) => items.iter_mut().for_each(|value| self.change(value, changes)),
            _ => {}
        }
    }
}
