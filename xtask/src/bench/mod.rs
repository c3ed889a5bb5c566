//! `cargo xtask bench`: builds the store or the server in release mode and measures it. The store is measured by an
//! example program of its crate, because xtask depends on no crate of the project. No measured time is a failure.

mod server;

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};

use crate::source;

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    target: Target,
}

#[derive(Debug, clap::Subcommand)]
enum Target {
    /// Measure the store: writes and reads per second, on SQLite and optionally PostgreSQL
    #[command(
        after_help = "Group commit and one commit per write are measured in alternating short rounds of the same run; \
        rates are medians.\nPostgreSQL is measured if RINGNITY_TEST_DATABASE_URL names a server on which databases can \
        be created.\n\n\
        Examples:\n  cargo xtask bench store\n  \
        cargo xtask bench store --seconds 20 --writers 1,4,16,64,256\n  \
        cargo xtask bench store --json | jq '.rows[] | {engine, work, callers, ratio}'"
    )]
    Store(StoreArgs),
    /// Measure the server: time from start to first response, idle memory, size of the binary
    #[command(after_help = "Example: cargo xtask bench server --starts 50")]
    Server(server::Args),
}

#[derive(Debug, clap::Args)]
struct StoreArgs {
    /// Duration of each measurement, over all its rounds
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS", value_parser = seconds)]
    seconds: f64,
    /// Numbers of concurrent writers, or readers
    #[arg(long, default_values_t = [1, 16, 64], value_delimiter = ',', value_name = "N,N", value_parser = clap::value_parser!(u16).range(1..))]
    writers: Vec<u16>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("expected a number from 0.1 to 3600".to_owned()),
    }
}

/// Builds and runs the benchmark. Exit code 2 if either fails.
///
/// # Errors
///
/// When cargo cannot be run.
pub fn run(args: &Args) -> Result<ExitCode> {
    match &args.target {
        Target::Store(args) => store(args),
        Target::Server(args) => server::run(args),
    }
}

/// Cargo in the root of the repository.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(source::root());
    command
}

fn store(args: &StoreArgs) -> Result<ExitCode> {
    let writers: Vec<String> = args.writers.iter().map(u16::to_string).collect();
    eprintln!("building the store in release mode (minutes the first time), then measuring");
    let mut command = cargo();
    command
        .args(["run", "--quiet", "--release", "--package", "ringnity-store", "--features", "test-util"])
        .args(["--example", "bench", "--", "--seconds", &args.seconds.to_string()])
        .args(["--writers", &writers.join(",")]);
    if args.json {
        command.arg("--json");
    }
    let status = command.status().context("cannot run cargo; is it on the PATH?")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}
