//! Names that resolve to inside addresses, alone or beside a public one, in a network of the test's own: the
//! public addresses are on its loopback too, so that nothing leaves the machine.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use stack::Way;
use stack::origin::OriginSettings;
use tests::namespace::{self, succeeded};
use tests::reply::Reply;
use tests::scene::{APEX, Scene, builder};

/// Documentation addresses (RFC 5737, RFC 3849), which stand for public ones.
const PUBLIC: &str = "203.0.113.9";
const PUBLIC_6: &str = "2606:4700::1111";
/// The same public address as IPv6 transition mechanisms write it.
const PUBLIC_NAT64: &str = "64:ff9b::cb00:7109";
const PUBLIC_6TO4: &str = "2002:cb00:7109::1";
/// Nobody listens there.
const CLOSED: &str = "203.0.113.10";
const CLOSED_6: &str = "2606:4700::2222";

const INSIDE: [&str; 5] = ["127.0.0.1", "10.1.2.3", "100.64.1.1", "169.254.169.254", "192.168.7.7"];
const INSIDE_6: [&str; 8] = [
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "64:ff9b::7f00:1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::1",
    "2001:0:cb00:7109::80ff:fffe",
    "fd00::7",
];

const DENIED: &str = "destination_inside";

/// A way to the origin at one more address.
pub struct Door {
    entered: Arc<AtomicUsize>,
}

// === impl Door ===

impl Door {
    pub fn open(address: IpAddr, origin: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((address, origin.port()))?;
        let entered = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&entered);
        thread::spawn(move || {
            for guest in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                let Ok(inner) = TcpStream::connect(origin) else { continue };
                let (Ok(from), Ok(to)) = (guest.try_clone(), inner.try_clone()) else { continue };
                thread::spawn(move || pipe(from, to));
                thread::spawn(move || pipe(inner, guest));
            }
        });
        Ok(Self { entered })
    }

    fn entered(&self) -> usize {
        self.entered.load(Ordering::SeqCst)
    }
}

fn pipe(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Write);
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// What a name resolves to, and whether a request for it gets through.
pub fn cases() -> Vec<(Vec<IpAddr>, bool)> {
    let mut cases = vec![
        (addresses(&[PUBLIC]), true),
        (addresses(&[PUBLIC_6]), true),
        (addresses(&[PUBLIC_NAT64]), true),
        (addresses(&[PUBLIC_6TO4]), true),
    ];
    for (inside, open, closed) in INSIDE
        .map(|inside| (inside, PUBLIC, CLOSED))
        .into_iter()
        .chain(INSIDE_6.map(|inside| (inside, PUBLIC_6, CLOSED_6)))
    {
        cases.push((addresses(&[inside]), false));
        cases.push((addresses(&[closed, inside]), false));
        cases.push((addresses(&[inside, closed]), false));
        cases.push((addresses(&[open, inside]), true));
        cases.push((addresses(&[inside, open]), true));
    }
    cases
}

pub fn name(number: usize) -> String {
    format!("case-{number}.{APEX}")
}

/// Gives the loopback every address of the cases; those of the public ones and of the inside ones where somebody
/// is to listen.
pub fn assign_all() -> [Vec<IpAddr>; 2] {
    let public = [PUBLIC, PUBLIC_6, PUBLIC_NAT64, PUBLIC_6TO4];
    // The loopback has two of them, and an IPv4-mapped address is the system's word for an IPv4 one.
    let is_missing =
        |address: &&str| !["127.0.0.1", "::1"].contains(address) && !address.starts_with("::ffff:");
    let inside: Vec<_> = INSIDE.into_iter().chain(INSIDE_6).filter(is_missing).collect();
    public.into_iter().chain([CLOSED, CLOSED_6]).chain(inside.clone()).for_each(assign);
    let inside: Vec<_> = inside.into_iter().chain(["::1"]).collect();
    [addresses(&public), addresses(&inside)]
}

pub fn open_all(addresses: &[IpAddr], origin: SocketAddr) -> Vec<Door> {
    addresses.iter().map(|address| Door::open(*address, origin).unwrap()).collect()
}

fn assign(address: &str) {
    let length = if address.contains(':') { 128 } else { 32 };
    let mut ip = Command::new("ip");
    ip.args(["address", "add", &format!("{address}/{length}"), "dev", "lo"]);
    if length == 128 {
        ip.arg("nodad");
    }
    succeeded(&mut ip);
}

fn request(scene: &Scene, way: Way, host: &str) -> Reply {
    match way {
        Way::Explicit => scene.inside(host, scene.get(host, "/v1/a")).unwrap(),
        Way::Gateway => {
            let (session, edge) = (&scene.session, scene.edge());
            let request = format!(
                "GET /{}/v1/a HTTP/1.1\r\nHost: {edge}\r\nX-Leasehold-Session: {session}\r\n\r\n",
                scene.at(host)
            );
            tests::guest::plain(edge, request).unwrap()
        }
    }
}

#[test]
fn tunnel_to_an_inside_address_is_refused_wherever_it_stands_in_the_answer() {
    namespace::alone(
        "inside_addresses::tunnel_to_an_inside_address_is_refused_wherever_it_stands_in_the_answer",
        || play(Way::Explicit),
    );
}

#[test]
fn gateway_request_to_an_inside_address_is_refused_wherever_it_stands_in_the_answer() {
    namespace::alone(
        "inside_addresses::gateway_request_to_an_inside_address_is_refused_wherever_it_stands_in_the_answer",
        || play(Way::Gateway),
    );
}

fn play(way: Way) {
    let [public, inside] = assign_all();
    let cases = cases();
    let names = (0..cases.len()).map(name);
    let mut scene = Scene::start(builder().way(way).origin(OriginSettings::new(names)));
    scene.stack.restart_edge(|settings| settings.private_upstreams = false).unwrap();
    let origin = scene.stack.origin().unwrap().address();
    let (doors, inside) = (open_all(&public, origin), open_all(&inside, origin));
    if way == Way::Gateway {
        let reply = request(&scene, way, "127.0.0.1");
        assert_eq!((reply.status, reply.reason().as_deref()), (403, Some(DENIED)), "an address");
    }
    for (number, (addresses, passes)) in cases.into_iter().enumerate() {
        let host = name(number);
        scene.stack.dns().unwrap().resolve(&host, &addresses);
        let (before, through) = (scene.stack.origin().unwrap().record().count(), entered(&doors));
        let reply = request(&scene, way, &host);
        let reached = scene.stack.origin().unwrap().record().count() - before;
        let case = format!("{addresses:?}: {} {}", reply.status, reply.text());
        if passes {
            assert_eq!((reply.status, reached), (200, 1), "{case}");
            assert!(entered(&doors) > through, "{case}");
        } else {
            assert_eq!(reached, 0, "{case}");
            // Beside a public address that does not answer, the request fails as it would without.
            let is_alone = addresses.len() == 1;
            assert_eq!(reply.status, if is_alone { 403 } else { 503 }, "{case}");
            assert_eq!(reply.reason().as_deref(), is_alone.then_some(DENIED), "{case}");
            if is_alone {
                assert_problem(&reply);
            }
        }
        assert_eq!(entered(&inside), 0, "{case}");
    }
}

pub fn assert_problem(reply: &Reply) {
    assert_eq!(reply.header("content-type").as_deref(), Some("application/problem+json"));
    assert_eq!(reply.header("cache-control").as_deref(), Some("no-store"));
    let body = reply.json();
    assert_eq!(body["type"], format!("urn:leasehold:denial:{DENIED}"));
    assert_eq!((&body["reason"], &body["status"]), (&DENIED.into(), &403.into()));
    assert!(body["request_id"].as_str().is_some_and(|id| id.len() == 36), "{body}");
}

pub fn entered(doors: &[Door]) -> usize {
    doors.iter().map(Door::entered).sum()
}
