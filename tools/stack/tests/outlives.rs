//! A test that is killed leaves no server behind, nor any process of one.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use stack::openbao::{OpenBao, Storage};
use stack::postgres::Postgres;

/// Set for the process that is going to be killed: the folder it works in.
const DOOMED: &str = "STACK_TEST_DOOMED";
/// Before the line in which it tells its folder's servers are up.
const UP: &str = "the doomed one is up";

/// The processes that have something of `folder` in their command line: servers that we started.
/// PostgreSQL's others are known by their parent.
fn processes_of(folder: &str) -> Vec<u32> {
    let all: Vec<(u32, u32, String)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let pid = entry.unwrap().file_name().to_str()?.parse().ok()?;
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
            Some((pid, parent, String::from_utf8_lossy(&line).into_owned()))
        })
        .collect();
    let ours = |(_, _, line): &&(u32, u32, String)| line.contains(folder);
    let servers: Vec<u32> = all.iter().filter(ours).map(|(pid, ..)| *pid).collect();
    let children = all.iter().filter(|(_, parent, _)| servers.contains(parent));
    let children: Vec<u32> = children.map(|(pid, ..)| *pid).collect();
    [servers, children].concat()
}

fn lives(pid: u32) -> bool {
    // Empty for one that has ended and is only waited for.
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[test]
fn nothing_outlives_a_test_that_is_killed() {
    if let Some(folder) = std::env::var_os(DOOMED) {
        let folder = std::path::Path::new(&folder);
        let _bao = OpenBao::start(folder, Storage::Memory).unwrap();
        let _postgres = Postgres::start(folder).unwrap();
        println!("{UP}");
        // Until it is killed, or the one that would have killed it is gone.
        std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let mut doomed = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_outlives_a_test_that_is_killed", "--nocapture"])
        .env(DOOMED, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(doomed.stdout.take().unwrap()).lines();
    assert!(said.map_while(Result::ok).any(|line| line.contains(UP)), "it did not come up");
    let processes = processes_of(path);
    // OpenBao, the postmaster, and at least one of its own.
    assert!(processes.len() >= 3, "{processes:?}");
    doomed.kill().unwrap();
    doomed.wait().unwrap();
    let killed = Instant::now();
    while let Some(left) = processes.iter().find(|pid| lives(**pid)) {
        assert!(killed.elapsed() < Duration::from_secs(30), "{left} lives on");
        thread::sleep(Duration::from_millis(10));
    }
}
