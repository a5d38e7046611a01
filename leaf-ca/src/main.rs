//! The command line of `leaf-ca`.

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use leaf_ca::authority::NewAuthority;
use leaf_ca::hardening::harden;
use leaf_ca::init::init;
use leaf_ca::listen::Listen;
use leaf_ca::minter::Limits;
use leaf_ca::policy::Pattern;
use leaf_ca::serve::{Names, Serve, serve};
use std::io::{ErrorKind, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use tracing_subscriber::EnvFilter;

/// Mints, per server name, the leaf certificates Envoy shows guests.
///
/// Exit codes: 0 ended as asked, 1 failed, 2 wrong command line.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a certificate authority: DIR/ca.pem for the guests, DIR/ca.key for this program
    Init(InitArgs),
    /// Hand leaves to Envoy over SDS (gRPC, delta), for the names of the policy, and with
    /// --max-refused-names for a few others
    #[command(
        after_help = "SIGHUP reads the policy again (a wrong one changes nothing); SIGTERM and SIGINT \
                      end it.\nThe keys of the leaves travel over the socket unencrypted: prefer \
                      unix:PATH, where only the owner may connect.\nRUST_LOG sets the detail of \
                      the log (default: info)."
    )]
    Serve(ServeArgs),
}

#[derive(Args)]
struct InitArgs {
    /// Folder for the two files; made with mode 0700 unless it is there
    dir: PathBuf,
    /// Common name, as guests see it when they look at the issuer
    #[arg(long, default_value = "Leasehold egress CA", value_parser = common_name)]
    name: String,
    /// Life of the authority in days
    #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
}

#[derive(Args)]
struct ServeArgs {
    /// Folder with ca.pem and ca.key (mode 0600)
    #[arg(long, value_name = "DIR")]
    ca: PathBuf,
    /// The filter's plugin configuration (its destinations[].hosts are read), or a file with just
    /// `hosts: [api.example.com, "*.example.com"]`; YAML or JSON
    #[arg(long, value_name = "FILE", required_unless_present = "allow")]
    policy: Option<PathBuf>,
    /// Mint for this host too: a name, or *.example.com for the names below it; may be repeated
    #[arg(long, value_name = "HOST")]
    allow: Vec<Pattern>,
    /// unix:PATH, or a loopback address such as 127.0.0.1:18001 (port 0: any free one)
    #[arg(long, value_name = "ADDRESS")]
    listen: Listen,
    /// Mode of the unix socket, octal: 0600, or 0660 when Envoy runs under another user of the group
    #[arg(long, value_name = "MODE", default_value = "0600", value_parser = socket_mode)]
    socket_mode: u32,
    /// Life of a leaf in days; it is renewed after half of it
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=90))]
    days: u32,
    /// Names held at once; beyond it the one asked for longest ago is withdrawn from Envoy
    #[arg(long, value_name = "N", default_value = "900", value_parser = names)]
    max_names: NonZeroUsize,
    /// Names outside the policy that get a leaf at once, so that the edge can tell guests why it denies them
    /// (`explicit.refuse_in_tunnel` of the filter); 0: none. Envoy holds a stream for each name: together with
    /// --max-names stay below `max_requests` of its cluster `leaf_ca`
    #[arg(long, value_name = "N", default_value = "0", value_parser = clap::value_parser!(u16).range(0..=1_000))]
    max_refused_names: u16,
    /// Form of the log lines on standard error
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let outcome = harden().context("turning core dumps off").and_then(|()| match command {
        Command::Init(args) => run_init(&args),
        Command::Serve(args) => run_serve(args),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "leaf-ca: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_init(args: &InitArgs) -> anyhow::Result<()> {
    let wanted = NewAuthority { name: args.name.clone(), life: days(args.days) };
    let text = init(&args.dir, &wanted)?;
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("standard output")
        }
        // The files are made; nobody reads what is next (`| head`).
        _ => Ok(()),
    }
}

fn run_serve(args: ServeArgs) -> anyhow::Result<()> {
    log_to_stderr(args.log_format);
    let options = Serve {
        ca: args.ca,
        names: Names { policy: args.policy, allow: args.allow },
        listen: args.listen,
        socket_mode: args.socket_mode,
        limits: Limits {
            life: days(args.days),
            names: args.max_names,
            refused_names: NonZeroUsize::new(args.max_refused_names.into()),
        },
    };
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(options))
}

fn log_to_stderr(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
}

fn days(days: u32) -> Duration {
    Duration::from_secs(u64::from(days) * 24 * 60 * 60)
}

fn common_name(text: &str) -> Result<String, String> {
    match text.chars().count() {
        1..=64 if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err("expected 1 to 64 printable characters".to_owned()),
    }
}

fn socket_mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode @ (0o600 | 0o660)) => Ok(mode),
        _ => Err("expected 0600 or 0660: whoever may connect is handed leaf keys".to_owned()),
    }
}

fn names(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<NonZeroUsize>() {
        Ok(count) if count.get() <= 100_000 => Ok(count),
        _ => Err("expected a number from 1 to 100000".to_owned()),
    }
}
