//! A real PostgreSQL serves and keeps.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use stack::postgres::{Postgres, PostgresOptions};

#[test]
fn two_servers_know_nothing_of_each_other() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [one, other] = folders.each_ref().map(|folder| Postgres::start(folder.path()).unwrap());
    assert_ne!(one.address(), other.address());
    let url = one.create_database("shop").unwrap();
    assert!(url.ends_with("/shop?sslmode=verify-full"), "{url}");
    one.sql("shop", "CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2);").unwrap();
    assert_eq!(one.sql("shop", "SELECT n, n * n FROM t ORDER BY n").unwrap(), "1|1\n2|4\n");
    let error = other.sql("shop", "SELECT 1").unwrap_err().to_string();
    assert!(error.contains("\"shop\" does not exist"), "{error}");
    let error = one.create_database("shop").unwrap_err().to_string();
    assert!(error.contains("already exists"), "{error}");
}

#[test]
fn a_restart_and_a_crash_keep_what_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Postgres::start(folder.path()).unwrap();
    server.create_database("kept").unwrap();
    server.sql("kept", "CREATE TABLE t (n int); INSERT INTO t VALUES (1);").unwrap();
    server.restart().unwrap();
    server.sql("kept", "INSERT INTO t VALUES (2)").unwrap();
    server.kill9().unwrap();
    assert!(server.sql("kept", "SELECT 1").is_err(), "it was killed");
    server.restart().unwrap();
    assert_eq!(server.sql("kept", "SELECT n FROM t ORDER BY n").unwrap(), "1\n2\n");
    server.stop();
    assert!(server.sql("kept", "SELECT 1").is_err(), "it was stopped");
}

#[test]
fn it_is_as_the_options_say_and_asks_for_a_password() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    for (tls, folder) in [true, false].into_iter().zip(&folders) {
        let options = PostgresOptions { tls, fsync: tls };
        let server = Postgres::start_with(folder.path(), options).unwrap();
        let expected = if options.fsync { "on\n" } else { "off\n" };
        assert_eq!(server.sql("postgres", "SHOW fsync").unwrap(), expected);
        let asks = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        let expected = if tls { "t\n" } else { "f\n" };
        assert_eq!(server.sql("postgres", asks).unwrap(), expected);
        let refused = |url: &str| {
            let mut psql = server.programs().client("psql");
            let output = psql.args(["--no-password", "-c", "SELECT 1", url]).output().unwrap();
            assert!(!output.status.success(), "{url}");
            String::from_utf8(output.stderr).unwrap()
        };
        let url = server.url("postgres");
        let (base, _) = url.split_once('?').unwrap();
        let other = if tls { "disable" } else { "require" };
        let complaint = refused(&format!("{base}?sslmode={other}"));
        assert!(
            complaint.contains("no pg_hba.conf entry") || complaint.contains("SSL"),
            "{complaint}"
        );
        let wrong = base.replace(server.password(), "wrong");
        let same = if tls { "require" } else { "disable" };
        let complaint = refused(&format!("{wrong}?sslmode={same}"));
        assert!(complaint.contains("password authentication failed"), "{complaint}");
    }
}

#[test]
fn dropped_it_is_gone_soon_and_with_it_its_processes() {
    let folder = tempfile::tempdir().unwrap();
    let server = Postgres::start(folder.path()).unwrap();
    let listed = server.sql("postgres", "SELECT pid FROM pg_stat_activity").unwrap();
    let pids: Vec<u32> = listed.lines().map(|pid| pid.parse().unwrap()).collect();
    assert!(pids.len() > 1, "{pids:?}");
    let started = Instant::now();
    drop(server);
    assert!(started.elapsed() < Duration::from_secs(5), "it had to be killed");
    for pid in pids {
        assert!(!std::fs::exists(format!("/proc/{pid}/cmdline")).unwrap(), "{pid} lives on");
    }
}
