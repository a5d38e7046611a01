//! Destinations as the world has them: of every version of TLS, and of both versions of HTTP.

use std::net::{IpAddr, Ipv4Addr};

use stack::Way;
use stack::authority::Authority;
use stack::origin::{Origin, OriginSettings};
use tests::guest;
use tests::reply::Reply;
use tests::scene::{APEX, LEASED, Scene, builder};
use tokio::runtime::Runtime;

type Versions = &'static [&'static rustls::SupportedProtocolVersion];

const TLS12: Versions = &[&rustls::version::TLS12];
const TLS13: Versions = &[&rustls::version::TLS13];

/// Origins beside that of the stack, on addresses of their own; each name is below [`APEX`].
struct Destinations {
    scene: Scene,
    authority: Authority,
    runtime: Runtime,
}

// === impl Destinations ===

impl Destinations {
    fn start(way: Way) -> Self {
        let authority = Authority::new("the destinations").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let roots = folder.path().join("roots.pem");
        std::fs::write(&roots, authority.pem()).unwrap();
        let scene = Scene::start(builder().way(way).upstream_ca(&roots));
        Self { scene, authority, runtime: Runtime::new().unwrap() }
    }

    /// An origin for `name`, which resolves to `on`.
    fn origin(&self, name: &str, on: IpAddr, change: impl FnOnce(&mut OriginSettings)) -> Origin {
        let mut settings = OriginSettings::new([name]);
        settings.port = self.scene.stack.origin().unwrap().port();
        change(&mut settings);
        let origin = Origin::start(self.runtime.handle(), on, &settings, &self.authority).unwrap();
        self.scene.stack.dns().unwrap().resolve(name, &[on]);
        origin
    }

    fn get(&self, name: &str) -> anyhow::Result<Reply> {
        match self.scene.stack.way() {
            Way::Explicit => self.scene.inside(name, self.scene.get(name, "/v1")),
            Way::Gateway => {
                let session = &self.scene.session;
                let header = format!("\r\nX-Leasehold-Session: {session}\r\n\r\n");
                let request = self.scene.get(name, "/v1").replace("\r\n\r\n", &header);
                guest::plain(self.scene.edge(), request)
            }
        }
    }
}

#[test]
fn a_destination_of_each_tls_version_is_reached_over_each_http_version() {
    for way in [Way::Explicit, Way::Gateway] {
        let destinations = Destinations::start(way);
        for (at, (versions, alpn)) in
            [(TLS12, "h2"), (TLS12, "http/1.1"), (TLS13, "h2"), (TLS13, "http/1.1")]
                .into_iter()
                .enumerate()
        {
            let name = format!("d{at}.{APEX}");
            let on = Ipv4Addr::new(127, 0, 0, 2 + u8::try_from(at).unwrap()).into();
            let origin = destinations.origin(&name, on, |settings| {
                settings.tls_versions = versions;
                settings.alpn = vec![alpn.to_owned()];
            });
            let case = format!("{way:?}: {:?} and {alpn}", versions[0].version);
            let reply = destinations.get(&name).unwrap_or_else(|error| panic!("{case}: {error:#}"));
            assert_eq!((reply.status, reply.reason()), (200, None), "{case}: {}", reply.text());
            let seen = origin.record().last().unwrap();
            assert_eq!(seen.authorization().as_deref(), Some(LEASED.as_bytes()), "{case}");
            let protocol = if alpn == "h2" { "HTTP/2.0" } else { "HTTP/1.1" };
            assert_eq!(seen.protocol, protocol, "{case}");
        }
    }
}
