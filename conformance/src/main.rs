//! The command line of conformance. The checks live in the library.
//!
//! Exit codes: 0 clean; 1 a violation or a difference was found; 2 the check could not run.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

mod commands;

use commands::{diff, proxy, run};

/// Check a server against its OpenAPI contract
///
/// Exit codes: 0 clean; 1 a violation was found or coverage is too low; 2 the check could not run.
#[derive(Debug, Parser)]
#[command(name = "conformance", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a running server: every operation, with requests that must succeed and requests that must be rejected
    #[command(after_help = run::EXAMPLES)]
    Run(Box<run::Run>),
    /// Forward traffic between a client and a server, and report contract violations
    #[command(after_help = proxy::EXAMPLES)]
    Proxy(proxy::ProxyCommand),
    /// Compare the server's own description with the contract, without sending requests
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
