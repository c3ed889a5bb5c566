//! The command line: arguments → configuration → serve.

use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};
use ringnity_api::ResponseCheck;
use ringnity_server::clock::Clock;
use ringnity_server::config::ServeConfig;
use ringnity_server::serve;
use tracing_subscriber::EnvFilter;

/// The Ringnity Developer Platform: chat, calls, AI, webhooks and sign-in for many tenants.
#[derive(Debug, Parser)]
#[command(name = "ringnity-server", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API
    #[command(after_help = "Examples:\n  \
        ringnity-server serve --demo                       SQLite in ./data, two demo tenants, commands to try\n  \
        ringnity-server serve --listen 0.0.0.0:8192 --data-dir /var/lib/ringnity\n  \
        ringnity-server serve --database-url postgres://ringnity@db/ringnity\n\n\
        RUST_LOG sets what is logged, such as RUST_LOG=ringnity_server=debug")]
    Serve(ServeConfig),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let usual = "info,dropshot=warn";
    let wanted = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|wanted| !wanted.is_empty());
    let (filter, problem) = match EnvFilter::try_new(wanted.as_deref().unwrap_or(usual)) {
        Ok(filter) => (filter, None),
        Err(problem) => (EnvFilter::new(usual), Some(problem)),
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    if let Some(problem) = problem {
        tracing::warn!("RUST_LOG is not understood, so {usual} counts: {problem}");
    }
    let done = match cli.command {
        Command::Serve(config) => run(config).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: ServeConfig) -> Result<()> {
    let running = serve::start(&config, Clock::default(), ResponseCheck::Report).await?;
    println!("Ringnity is listening on http://{} (database: {})\n", running.address, running.database);
    if let Some(demo) = &running.demo {
        println!("{}", demo.sheet());
    }
    stop_signal().await?;
    tracing::info!("stopping: no new requests, finishing those that were taken");
    tokio::select! {
        done = running.stop() => done,
        again = stop_signal() => {
            again?;
            bail!("stopped at once, as asked twice: requests that were under way may not have been answered")
        }
    }
}

/// Waits for Ctrl-C or, where there is one, SIGTERM.
async fn stop_signal() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
        tokio::select! {
            done = tokio::signal::ctrl_c() => done.context("cannot wait for Ctrl-C"),
            _ = terminate.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")
}
