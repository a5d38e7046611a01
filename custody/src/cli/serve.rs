//! `custody serve`

use super::check::ConfigArgument;
use crate::config::Config;
use crate::server::Server;
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use std::io::IsTerminal;
use std::path::Path;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// How the log on standard error is written.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    /// The least that is logged.
    #[arg(long, value_enum, default_value_t = LogLevel::Info)]
    log_level: LogLevel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let config = Config::load(&arguments.config.config)?;
    start_log(arguments);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(serve(config, &arguments.config.config))
}

async fn serve(config: Config, file: &Path) -> Result<()> {
    // Before the sockets are open, so that no signal falls between.
    let interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    let terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut hangup = signal(SignalKind::hangup()).context("SIGHUP")?;
    let grants = config.grants.iter().count();
    let server = Server::start(config, file).await?;
    if grants == 0 {
        tracing::warn!("the configuration has no grants: custody denies every lease");
    }
    let (edge, health) = (server.edge_address()?, server.health_address()?);
    let admin = server.admin_address()?.map(tracing::field::display);
    let workers = server.workers_address()?.map(tracing::field::display);
    tracing::info!(%edge, admin, workers, %health, "listening");
    let (reloading, audit) = (server.grants(), server.audit());
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            // What is wrong is in the log, and until it is mended nothing is leased.
            let _ = audit.reopen().await;
            // What is wrong is in the log, and the old grants stay.
            let _ = reloading.reload("SIGHUP").await;
        }
    });
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        let name = either(interrupt, terminate).await;
        tracing::info!(signal = name, "stopping");
        // Nobody listens any more if the server has ended by itself.
        let _ = stop.send(true);
    });
    server.serve(stopping).await?;
    tracing::info!("stopped");
    Ok(())
}

async fn either(mut interrupt: Signal, mut terminate: Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

/// Below warnings only the lines of custody's own crates, whose names all begin like `custody`. No environment
/// variable changes that: at trace level the HTTP and TLS crates print what they carry.
fn start_log(arguments: &Arguments) {
    let level = match arguments.log_level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "warn,custody=info",
        LogLevel::Debug => "warn,custody=debug",
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match arguments.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
