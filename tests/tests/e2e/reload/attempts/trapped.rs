//! A VM that traps while requests wait or are with their upstream, and the VM that is started in its place.

use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use stack::altered;
use stack::envoy::Envoy;
use tests::guest;
use tests::reply::Reply;
use tests::scene::{OPEN, Scene};
use tests::wire::Wire;

use super::super::verdict;
use super::{GUESTS, Guest, MODELS, TEAMS, assert_own_credentials, builder, start, with_attempts};
use crate::wide::{Frozen, wait_until};

/// Far enough behind a trap and a new VM.
const REFUSED_LATE: &str = "/delay?ms=4000&status=401";
/// What is not answered then has been left by its VM.
const BRIEFLY: Duration = Duration::from_secs(5);

/// An edge of one worker, whose module traps when a body is shown to it.
struct Trapping {
    envoy: Envoy,
    _folder: tempfile::TempDir,
}

// === impl Trapping ===

impl Trapping {
    fn start(scene: &Scene) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = scene.stack.settings().clone();
        with_attempts(&mut settings);
        let module = fs::read(&settings.filter).unwrap();
        settings.filter = folder.path().join("trapping.wasm");
        let module = altered::trapping(&module, "proxy_on_request_body").unwrap();
        fs::write(&settings.filter, module).unwrap();
        let envoy = start(scene, &settings.render().unwrap(), 1, folder.path());
        Self { envoy, _folder: folder }
    }

    fn edge(&self) -> SocketAddr {
        self.envoy.listen_address()
    }

    /// The one VM traps.
    fn trap(&self, scene: &Scene) {
        let (host, session) = (scene.at(OPEN), &scene.session);
        let request = format!(
            "POST /v1/trap HTTP/1.1\r\nHost: {host}\r\nX-Leasehold-Session: {session}\r\n\
             Content-Length: 2\r\n\r\n{{}}"
        );
        let reply = guest::plain(self.edge(), request).unwrap();
        assert_eq!((reply.status, reply.reason()), (503, None), "{}", reply.text());
    }

    /// Asks until a new VM judges.
    fn wait_until_reloaded(&self, guest: &Guest<'_>) {
        wait_until("a new VM", || verdict(&guest.ask(self.edge(), MODELS)) == (200, None));
    }
}

/// What is answered soon, if anything is.
fn ask_briefly(edge: SocketAddr, request: &str) -> Option<Reply> {
    let stream = guest::dial(edge).unwrap();
    stream.set_read_timeout(Some(BRIEFLY)).unwrap();
    Wire::new(stream).exchange(request).ok()
}

#[test]
fn requests_held_while_their_vm_traps_get_their_own_credential_or_none() {
    let scene = Scene::start(builder());
    let trapping = Trapping::start(&scene);
    for round in 0..2 {
        let frozen = Frozen::custody(&scene);
        let replies: Vec<_> = thread::scope(|scope| {
            let guests = (0..GUESTS).flat_map(|_| TEAMS.map(|team| Guest::new(&scene, team)));
            let edge = trapping.edge();
            let asked: Vec<_> = guests
                .map(|guest| scope.spawn(move || ask_briefly(edge, &guest.request(MODELS, ""))))
                .collect();
            let waiting = "http.guests.downstream_rq_active";
            wait_until("all are held", || {
                trapping.envoy.admin().stat(waiting).unwrap() == 2 * GUESTS as u64
            });
            trapping.trap(&scene);
            drop(frozen);
            asked.into_iter().map(|asked| asked.join().unwrap()).collect()
        });
        for reply in replies.into_iter().flatten() {
            assert!([200, 503].contains(&reply.status), "round {round}: {}", reply.text());
        }
        for team in TEAMS {
            trapping.wait_until_reloaded(&Guest::new(&scene, team));
        }
        assert_own_credentials(&scene);
    }
    trapping.envoy.stop().unwrap();
}

/// Their first attempt is with the upstream while the VM traps; their second would begin in the new VM, which has
/// tickets of the other team's requests.
#[test]
fn second_attempt_after_its_vm_trapped_is_denied() {
    let scene = Scene::start(builder());
    let trapping = Trapping::start(&scene);
    let edge = trapping.edge();
    let [red, blue] =
        TEAMS.map(|team| (0..GUESTS).map(|_| Guest::new(&scene, team)).collect::<Vec<_>>());
    let record = scene.stack.origin().unwrap().record();
    thread::scope(|scope| {
        let first: Vec<_> = red
            .iter()
            .map(|guest| scope.spawn(move || guest::plain(edge, guest.request(REFUSED_LATE, ""))))
            .collect();
        wait_until("the first attempts arrived", || record.count() == GUESTS);
        trapping.trap(&scene);
        trapping.wait_until_reloaded(&blue[0]);
        let later: Vec<_> =
            blue.iter().map(|guest| scope.spawn(move || guest.ask(edge, REFUSED_LATE))).collect();
        wait_until("the others arrived", || record.count() > 2 * GUESTS);
        for reply in first.into_iter().flat_map(|first| first.join().unwrap()) {
            assert_eq!(reply.status, 503, "{}", reply.text());
        }
        for reply in later.into_iter().map(|later| later.join().unwrap()) {
            assert_eq!(verdict(&reply), (401, None));
        }
    });
    // One attempt of each request whose judge is gone, two of each of the others.
    assert_eq!(assert_own_credentials(&scene), [GUESTS, 2 * GUESTS + 1]);
    trapping.envoy.stop().unwrap();
}
