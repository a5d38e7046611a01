//! A guest in a network namespace of its own, with a wire to the edge and no other: it gets what the
//! policy allows, reaches nothing else, and nothing at all once the edge is down.

use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};

use serde_json::json;
use stack::Way;
use tests::namespace::{self, succeeded};
use tests::scene::{API, Scene, UNLISTED, builder};

const EDGE: &str = "10.77.0.1";
/// What `curl` ends with when nobody is there, or no way leads there.
const UNREACHABLE: [i32; 2] = [7, 28];

/// The guest's namespace, which lives as long as the program that holds it.
struct Guest {
    holder: Child,
}

// === impl Guest ===

impl Guest {
    /// A namespace with one wire, to [`EDGE`], and no route beyond it.
    fn new() -> Self {
        let mut hold = Command::new("unshare");
        hold.args(["--net", "sh", "-c", "echo held; exec sleep infinity"]);
        let mut holder = hold.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = [0; 4];
        holder.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        let guest = Self { holder };
        let pid = guest.holder.id().to_string();
        ip(&["link", "add", "edge0", "type", "veth", "peer", "name", "guest0", "netns", &pid]);
        ip(&["address", "add", &format!("{EDGE}/24"), "dev", "edge0"]);
        ip(&["link", "set", "edge0", "up"]);
        for words in ["address add 10.77.0.2/24 dev guest0", "link set guest0 up", "link set lo up"]
        {
            succeeded(guest.command("ip").args(words.split(' ')));
        }
        guest
    }

    /// A program in the guest's namespace.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.holder.id().to_string(), "--", program]);
        command.env_remove("HTTPS_PROXY").env_remove("https_proxy");
        command
    }

    fn curl(&self, arguments: &[&str]) -> Output {
        let mut curl = self.command("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20", "--connect-timeout", "2"]);
        curl.args(arguments).output().unwrap()
    }

    #[track_caller]
    fn cannot_reach(&self, what: &str, url: &str) {
        let output = self.curl(&["--insecure", url]);
        let code = output.status.code().unwrap();
        assert!(UNREACHABLE.contains(&code), "{what}, {url}: curl ended with {code}");
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn ip(arguments: &[&str]) {
    succeeded(Command::new("ip").args(arguments));
}

#[test]
fn a_guest_reaches_the_edge_and_nothing_else() {
    namespace::alone("topology::a_guest_reaches_the_edge_and_nothing_else", inside);
}

fn inside() {
    let guest = Guest::new();
    let listen: SocketAddr = format!("{EDGE}:3128").parse().unwrap();
    let mut scene = Scene::start(builder().way(Way::Explicit).listen(listen));
    let proxy = scene.stack.proxy_url(&scene.session);
    let ca = scene.stack.guest_ca().unwrap().to_str().unwrap().to_owned();
    let through = |guest: &Guest, scene: &Scene, host: &str| {
        let url = format!("https://{}/v1/models", scene.at(host));
        let status = "%{http_code} %{http_connect}";
        let output = guest.curl(&[
            "--proxy",
            &proxy,
            "--cacert",
            &ca,
            "--write-out",
            status,
            "--output",
            "/dev/null",
            &url,
        ]);
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(through(&guest, &scene, API), (0, "200 200".to_owned()));
    assert_eq!(through(&guest, &scene, UNLISTED).1, "000 403");

    let settings = scene.stack.settings();
    let custody = settings.custody.as_ref().unwrap().address;
    let health = scene.stack.custody().health();
    let admin = scene.stack.envoy().unwrap().admin().address();
    let origin = scene.stack.origin().unwrap().address();
    for (what, address) in [
        ("custody", custody),
        ("its health", health),
        ("Envoy's admin", admin),
        ("the origin", origin),
    ] {
        guest.cannot_reach(what, &format!("https://{address}/"));
        guest.cannot_reach(what, &format!("https://{EDGE}:{}/", address.port()));
    }
    guest.cannot_reach("the outside", "https://192.0.2.1/");

    // A policy that is refused ends the edge and lets no new one begin.
    assert!(scene.stack.restart_edge(|settings| settings.plugin = json!({})).is_err());
    let (code, said) = through(&guest, &scene, API);
    assert!(UNREACHABLE.contains(&code), "curl ended with {code}: {said}");
}
