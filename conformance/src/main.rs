//! The command line of conformance: arguments in, a verdict and an exit code out. What is checked lives in the
//! library. Exit 0: clean; 1: something is violated, or differs; 2: it could not be found out.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod commands;

use commands::{diff, proxy, run};

/// What a server does, against what its contract says.
///
/// Exit 0: clean. 1: something is violated, or coverage is too low. 2: it could not be found out.
#[derive(Debug, Parser)]
#[command(name = "conformance", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try a running server: every operation, what must work and what must be refused
    #[command(after_help = run::EXAMPLES)]
    Run(Box<run::Run>),
    /// Sit between a client and a server, and tell what breaks the contract
    #[command(after_help = proxy::EXAMPLES)]
    Proxy(proxy::ProxyCommand),
    /// Compare the server's description of itself with the contract, without running anything
    #[command(after_help = "Example: cargo run -p conformance --features static-diff -- diff --json")]
    Diff(diff::Diff),
}

#[tokio::main]
async fn main() -> ExitCode {
    let done: Result<bool> = match Cli::parse().command {
        Command::Run(arguments) => arguments.run().await,
        Command::Proxy(arguments) => arguments.run().await,
        Command::Diff(arguments) => arguments.run(),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
