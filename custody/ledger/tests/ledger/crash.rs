//! `kill -9` under load, a hundred times: what was acknowledged is there, and nothing happened twice.
//!
//! The load is this test program once more, as a process of its own ([`load`]): it says on standard
//! output what it was told is done. Whatever it has said counts.

mod load;
mod witness;

use crate::store::{OnServer, Sqlite, Store};
use custody_ledger::Ledger;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use witness::Witness;

const ROUNDS: u64 = 100;
/// One round in so many kills the database too.
const DATABASE: u64 = 10;
/// So long that only something broken takes it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A load, from its start to its end.
struct Load {
    child: Child,
    lines: Receiver<String>,
}

impl Load {
    fn start(ledger: &[(String, String)], round: u64) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::load::writes_until_it_is_killed", "--nocapture"])
            .envs(ledger.iter().cloned())
            .env(load::ROUND, round.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    /// What it says first, so many lines of its own.
    fn hear(&self, most: u32) -> Vec<String> {
        let mut said = Vec::new();
        while said.len() < most as usize {
            let line = self.lines.recv_timeout(PATIENCE).expect("the load says nothing");
            said.extend(Some(line).filter(|line| load::is_said(line)));
        }
        said
    }

    /// Kills it; all it has said besides.
    fn kill(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.iter().collect()
    }
}

/// From 0 to one less.
fn random(most: u32) -> u32 {
    getrandom::u32().unwrap() % most
}

/// One round: load, a moment, the end of it. `strike` kills something else first.
fn round(ledger: &[(String, String)], number: u64, strike: impl FnOnce()) -> Vec<String> {
    let load = Load::start(ledger, number);
    // Some die while they open the ledger.
    let early = number % 8 == 7;
    let mut said = load.hear(if early { 0 } else { 1 + random(50) });
    std::thread::sleep(Duration::from_millis(random(if early { 200 } else { 10 }).into()));
    strike();
    said.extend(load.kill());
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_times_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let home = Sqlite::in_folder(folder.path()).make("killed").await;
    let path = folder.path().join("killed").display().to_string();
    let ledger = [(load::SQLITE.to_owned(), path)];
    let mut witness = Witness::default();
    let begin = Instant::now();
    for number in 0..ROUNDS {
        let said = tokio::task::block_in_place(|| round(&ledger, number, || ()));
        witness.hear(number, &said);
        let opened = home.open().await;
        witness.check(&*opened, number).await;
    }
    witness.conclude(begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_times_on_postgres() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = OnServer::in_folder(folder.path()).await;
    let home = store.make("killed").await;
    let server = store.server();
    let ledger = [
        (load::POSTGRES.to_owned(), server.url("killed")),
        (load::CA.to_owned(), server.ca().display().to_string()),
    ];
    let mut witness = Witness::default();
    let begin = Instant::now();
    for number in 0..ROUNDS {
        let strikes = number % DATABASE == DATABASE / 2;
        let said = tokio::task::block_in_place(|| {
            let server = store.server_mut();
            let strike = || {
                if strikes {
                    server.kill9().unwrap()
                }
            };
            let said = round(&ledger, number, strike);
            if strikes {
                server.restart().unwrap();
            }
            said
        });
        witness.hear(number, &said);
        let opened = home.open().await;
        witness.check(&*opened, number).await;
    }
    witness.conclude(begin.elapsed());
}

/// When a round is: its holders are dead in the next.
fn time_of(round: u64) -> u64 {
    crate::sample::NOW + 100 * round
}

async fn is_revoked(ledger: &dyn Ledger, session: &str) -> bool {
    crate::sample::access_state(ledger, session, "h", "a").await.session_revoked
}
