//! A PostgreSQL server: a new cluster of databases, started, killed, started again.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::Signal;

use super::template::{Template, USER, write_private};
use super::{PostgresPrograms, crash};
use crate::authority::Authority;
use crate::child::{self, Running};
use crate::folder::own;
use crate::ports;

/// The database every cluster has.
const FIRST: &str = "postgres";
/// A start takes a tenth of a second; beside a whole test run, several seconds.
const PATIENCE: Duration = Duration::from_secs(60);
/// Ends a server at once, and yet it lets go of its shared memory, which SIGKILL would leave behind.
const AT_ONCE: Signal = Signal::QUIT;

/// How a server is to be.
#[derive(Clone, Copy, Debug)]
pub struct PostgresOptions {
    /// Takes TLS connections only, with a certificate for its address and `localhost`; otherwise
    /// none. Default: yes.
    pub tls: bool,
    /// Waits for the disk at every commit, as a real one does. Only a machine that loses power can
    /// tell the difference, and a measurement. Default: no.
    pub fsync: bool,
}

/// A running server; dropping it ends it, and so does the death of this process.
pub struct Postgres {
    running: Option<Running>,
    programs: PostgresPrograms,
    options: PostgresOptions,
    folder: PathBuf,
    address: SocketAddr,
    password: String,
}

// === impl PostgresOptions ===

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { tls: true, fsync: false }
    }
}

// === impl Postgres ===

impl Postgres {
    /// Starts a server with a new cluster, in a new folder `postgres` in `folder`. Passwords are SCRAM, the encoding UTF-8, the locale C.
    ///
    /// # Errors
    /// PostgreSQL cannot be had, or does not come up; with the end of its log.
    pub fn start(folder: &Path) -> Result<Self> {
        Self::start_with(folder, PostgresOptions::default())
    }

    /// As [`Postgres::start`].
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn start_with(folder: &Path, options: PostgresOptions) -> Result<Self> {
        let programs = PostgresPrograms::locate_or_fetch(&|line| eprintln!("{line}"))?;
        let folder = own(folder, "postgres")?;
        let address = ports::free(ports::address()).context("a port for PostgreSQL")?;
        let template = Template::of(&programs)?;
        let password = template.password()?;
        let mut server = Self { running: None, programs, options, folder, address, password };
        template.copy_to(&server.data())?;
        server.configure()?;
        server.restart()?;
        Ok(server)
    }

    /// Where a client finds `database`, as its superuser, password and all.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let Self { address, password, .. } = self;
        let tls = if self.options.tls { "verify-full" } else { "disable" };
        format!("postgres://{USER}:{password}@{address}/{database}?sslmode={tls}")
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The superuser's name.
    #[must_use]
    pub fn user(&self) -> &'static str {
        USER
    }

    /// The superuser's password.
    #[must_use]
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The CA certificate (PEM) that a client has to trust. Written only if TLS is on.
    #[must_use]
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// The server's own log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }

    #[must_use]
    pub fn programs(&self) -> &PostgresPrograms {
        &self.programs
    }

    /// Makes a new, empty database; its [`Postgres::url`].
    ///
    /// # Errors
    /// There is one of that name, or the server is not running.
    pub fn create_database(&self, name: &str) -> Result<String> {
        self.sql(FIRST, &format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\"")))?;
        Ok(self.url(name))
    }

    /// Runs `statements` in `database` with `psql`, each on its own, as the superuser; a line for a
    /// row, `|` between columns. Stops at the first that fails.
    ///
    /// # Errors
    /// A statement fails, with PostgreSQL's complaint, or the server is not running.
    pub fn sql(&self, database: &str, statements: &str) -> Result<String> {
        self.sql_as(USER, &self.password, database, statements)
    }

    /// As [`Postgres::sql`], as somebody else.
    ///
    /// # Errors
    /// As [`Postgres::sql`], and when the server does not know the user or the password.
    pub fn sql_as(
        &self,
        user: &str,
        password: &str,
        database: &str,
        statements: &str,
    ) -> Result<String> {
        let mut psql = self.programs.client("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--file=-"]);
        psql.args(["--set=ON_ERROR_STOP=1", "--no-password"]);
        psql.args(["--dbname", database, "--username", user]);
        psql.env("PGHOST", self.address.ip().to_string());
        psql.env("PGPORT", self.address.port().to_string());
        psql.env("PGPASSWORD", password);
        if self.options.tls {
            psql.env("PGSSLMODE", "verify-full").env("PGSSLROOTCERT", self.ca());
        } else {
            psql.env("PGSSLMODE", "disable");
        }
        child::run(&mut psql, statements)
    }

    /// Ends it in an orderly way, whoever is connected.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop_by(Signal::INT);
        }
    }

    /// Kills it and every one of its processes at once (SIGKILL), as a crash of the machine would.
    ///
    /// # Errors
    /// The system does not tell which processes it has.
    pub fn kill9(&mut self) -> Result<()> {
        self.running.take().map_or(Ok(()), crash::crash)
    }

    /// Starts it again on the same port with what it had stored. Stops it first if it runs.
    ///
    /// # Errors
    /// It does not come up; with the end of its log.
    pub fn restart(&mut self) -> Result<()> {
        self.stop();
        let data = self.data();
        let mut command = self.programs.server("postgres");
        command.arg("-D").arg(&data).current_dir(&data);
        let mut running = Running::start_ended_by(AT_ONCE, "postgres", &command, &self.log())?;
        // It writes its pid and then, once it takes connections, this word; the file of one that
        // was killed stays.
        let (pid, status) = (running.pid().to_string(), data.join("postmaster.pid"));
        running.wait_until("ready", PATIENCE, || {
            let status = fs::read_to_string(&status).unwrap_or_default();
            let mut lines = status.lines().map(str::trim);
            lines.next() == Some(&pid) && lines.next_back() == Some("ready")
        })?;
        self.running = Some(running);
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// What makes a copy of the template this server's own.
    fn configure(&self) -> Result<()> {
        let data = self.data();
        let way = if self.options.tls { "hostssl" } else { "hostnossl" };
        let access = data.join("pg_hba.conf");
        fs::write(&access, format!("{way} all all all scram-sha-256\n"))
            .with_context(|| format!("writing {}", access.display()))?;
        let settings = data.join("postgresql.auto.conf");
        fs::write(&settings, self.settings()?)
            .with_context(|| format!("writing {}", settings.display()))
    }

    fn settings(&self) -> Result<String> {
        let switch = |on| if on { "on" } else { "off" };
        let mut settings = vec![
            ("listen_addresses", self.address.ip().to_string()),
            ("port", self.address.port().to_string()),
            ("unix_socket_directories", String::new()),
            ("fsync", switch(self.options.fsync).to_owned()),
            ("ssl", switch(self.options.tls).to_owned()),
        ];
        if self.options.tls {
            let authority = Authority::new("leasehold test PostgreSQL CA")?;
            let names = [self.address.ip().to_string(), "localhost".to_owned()];
            let [certificate, key] = authority.identity(&names)?;
            let ca = self.ca();
            fs::write(&ca, authority.pem()).with_context(|| format!("writing {}", ca.display()))?;
            let certificate = write_private(&self.folder.join("server.pem"), &certificate)?;
            let key = write_private(&self.folder.join("server.key"), &key)?;
            settings.push(("ssl_cert_file", certificate.display().to_string()));
            settings.push(("ssl_key_file", key.display().to_string()));
        }
        let line =
            |(name, value): (&str, String)| format!("{name} = '{}'\n", value.replace('\'', "''"));
        Ok(settings.into_iter().map(line).collect())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop_by(AT_ONCE);
        }
    }
}
