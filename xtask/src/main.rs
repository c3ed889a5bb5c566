//! Development commands of this workspace: the only program that reads openapi.json at development time.
//! The command line lives here; each command's work is in the module of its name.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{generate, model, source};

/// Development commands: one OpenAPI document in, types, client and server trait out.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write types, client and server trait from the contract
    #[command(
        after_help = "Examples:\n  cargo xtask generate\n  cargo xtask generate --check\n  cargo xtask generate --contract museum.json --out /tmp/museum && cargo check --manifest-path /tmp/museum/Cargo.toml"
    )]
    Generate(generate::Args),
    /// Print the effective document: contract plus overlay
    #[command(after_help = "Example: cargo xtask effective | jq '.paths | length'")]
    Effective {
        #[command(flatten)]
        inputs: source::Inputs,
    },
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Generate(args) => return generate::run(&args),
        Command::Effective { inputs } => {
            let source = source::load(&inputs)?;
            let contract = model::Contract::build(source)?;
            println!("{}", serde_json::to_string_pretty(&contract.effective)?);
            eprintln!(
                "{} operations, {} schemas ({} named here)",
                contract.operations.len(),
                contract.schemas.len(),
                contract.hoisted.len()
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
