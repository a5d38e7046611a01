//! A module on Envoy.

use std::thread;
use std::time::{Duration, Instant};

use stack::envoy::running::Options;
use stack::envoy::{Envoy, EnvoyBinary};
use tests::guest;
use tests::wire::Wire;

use super::{ASKS, AUTHORITY, Guest, ORIGIN, Told, trace};
use crate::guests::real;
use crate::guests::scenario::{Ask, Filter, Seen};
use crate::guests::server::{Says, Server};

/// After so long no answer is to be expected.
const PATIENCE: Duration = Duration::from_secs(2);
/// The log is whole when it has not grown for so long.
const QUIET: Duration = Duration::from_millis(150);
const LONGEST: Duration = Duration::from_secs(10);

pub fn tell(guest: &Guest) -> Told {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("guest.wasm");
    std::fs::write(&module, &guest.module).unwrap();
    let origin = Server::start(Says::Answer(200, ORIGIN));
    let authority = Server::start(Says::Answer(AUTHORITY.0, AUTHORITY.1));
    let clusters = [real::cluster("origin", &origin), real::cluster("authority", &authority)];
    // A filter of the scenarios holds texts of the program itself.
    let configuration = guest.configuration.clone().leak();
    let filter = Filter { name: "guest", root_id: "root", configuration, vm_id: "vm" };
    let config = real::config(&module, &[filter], &clusters).to_string();
    let binary = EnvoyBinary::locate_or_fetch(&|line| eprintln!("{line}")).unwrap();
    let options = Options { workers: 1, traces_wasm: true, ..Options::default() };
    let mut envoy = match Envoy::start_with(options, &binary, &config, folder.path()) {
        Ok(envoy) => envoy,
        Err(error) => {
            let text = error.to_string();
            let short = if text.contains("signal") { "crashes" } else { "refused" };
            eprintln!("{}: {text}", guest.name);
            return Told { refused: Some(short.to_owned()), ..Told::default() };
        }
    };
    let seen = ASKS.iter().map(|ask| exchange(&envoy, &origin, ask)).collect();
    let log = settled_log(&envoy);
    if let Some(status) = envoy.ended().unwrap() {
        eprintln!("{}: Envoy ended ({status})\n{}", guest.name, end_of(&log));
        return Told { refused: Some("crashes at a request".to_owned()), ..Told::default() };
    }
    let starts = trace::starts(&log);
    let trace::Trace { calls, log, .. } = trace::of_worker(&log);
    let log = log.into_iter().map(guest.comparable).collect();
    Told { refused: None, starts, calls, seen, log }
}

/// On a connection of its own, as Envoy has one worker.
fn exchange(envoy: &Envoy, origin: &Server, ask: &Ask) -> Option<Seen> {
    let stream = guest::dial(envoy.listen_address()).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let reply = Wire::new(stream).exchange(real::request_text(ask)).ok();
    let upstream = origin.take();
    Some(real::seen(&reply?, upstream))
}

fn end_of(log: &str) -> String {
    let lines: Vec<_> = log.lines().filter(|line| line.contains("][wasm] [")).collect();
    lines.get(lines.len().saturating_sub(25)..).unwrap_or_default().join("\n")
}

fn settled_log(envoy: &Envoy) -> String {
    let since = Instant::now();
    let mut before = envoy.log().unwrap();
    loop {
        thread::sleep(QUIET);
        let now = envoy.log().unwrap();
        if now.len() == before.len() || since.elapsed() > LONGEST {
            return now;
        }
        before = now;
    }
}
