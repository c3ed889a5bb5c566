//! The command line of conformance: arguments in, a verdict and an exit code out. What is checked lives in the
//! library. Exit 0: clean; 1: something differs; 2: it could not be found out.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, Parser, Subcommand};
use conformance::diff::{Comparison, compare};
use serde_json::Value;

/// What a server does, against what its contract says
#[derive(Debug, Parser)]
#[command(name = "conformance", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare the server's description of itself with the contract, without running anything
    #[command(after_help = "Example: cargo run -p conformance -- diff --json")]
    Diff(Diff),
}

#[derive(Debug, Args)]
struct Diff {
    /// OpenAPI document in JSON to compare with, instead of the contract that the server was generated from
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// OpenAPI document in JSON that a server gave, instead of what the generated trait describes
    #[arg(long, value_name = "FILE")]
    description: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let Command::Diff(arguments) = Cli::parse().command;
    match diff(&arguments) {
        Ok(comparison) if comparison.differences.is_empty() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn diff(arguments: &Diff) -> Result<Comparison> {
    let contract = match &arguments.contract {
        Some(path) => read(path)?,
        None => serde_json::from_str(ringnity_api::CONTRACT).context("the contract of the server")?,
    };
    let (description, routes) = match &arguments.description {
        Some(path) => (read(path)?, [].as_slice()),
        None => (described()?, ringnity_api::routes()),
    };
    let comparison = compare(&contract, &description, routes);
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&comparison)?);
        return Ok(comparison);
    }
    for difference in &comparison.differences {
        println!("{difference}");
    }
    println!(
        "{} operations compared, {} reached through a variable path, {} differences",
        comparison.compared,
        comparison.dispatched.len(),
        comparison.differences.len()
    );
    Ok(comparison)
}

/// What dropshot says of the generated trait.
fn described() -> Result<Value> {
    let description =
        ringnity_api::described().map_err(|error| anyhow!("the trait cannot be described: {error}"))?;
    let version = semver::Version::new(0, 0, 0);
    description.openapi("description", version).json().context("the description of the trait")
}

fn read(path: &PathBuf) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))
}
