//! The command line of `cargo xtask`. Each command is implemented in the module of its name.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{bench, diff, generate, ledger, lint, model, source, status, tidy};

/// Generate code from the OpenAPI contract and check the repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Generate types, client and server trait from the contract
    #[command(
        after_help = "Examples:\n  cargo xtask generate\n  cargo xtask generate --check\n  cargo xtask generate --contract museum.json --out /tmp/museum && cargo check --manifest-path /tmp/museum/Cargo.toml"
    )]
    Generate(generate::Args),
    /// Print where each keyword of the contract takes effect: type, server boundary or documentation
    #[command(after_help = "Example: cargo xtask ledger")]
    Ledger(ledger::Args),
    /// Count the operations that the server implements, by tag
    #[command(after_help = "Example: cargo xtask status --missing")]
    Status(status::Args),
    /// Print the effective contract: the published document with the overlay applied
    #[command(after_help = "Example: cargo xtask effective | jq '.paths | length'")]
    Effective {
        #[command(flatten)]
        inputs: source::Inputs,
        /// Convert to OpenAPI 3.0.3 with complete paths; print what 3.0 cannot express to standard error
        #[arg(long)]
        lowered: bool,
    },
    /// Compare two OpenAPI documents and report breaking changes
    #[command(
        after_help = "Breaking: a request that accepts less, or a response that may contain more than before.\n\
        Exit codes: 0 no breaking change, 1 breaking changes, 2 a document cannot be read\n\n\
        Examples:\n  git show main:openapi.json > /tmp/old.json && cargo xtask diff /tmp/old.json openapi.json\n  \
        cargo xtask diff old.json new.json --json | jq '.changes[] | select(.level == \"breaking\")'"
    )]
    Diff(diff::Args),
    /// Find errors in an OpenAPI document
    #[command(after_help = "Output: severity  rule  #/json/pointer: what is wrong; what to do\n\
        Exit codes: 0 no errors, 1 errors, 2 the document cannot be read\n\n\
        Examples:\n  cargo xtask lint                     check the effective contract\n  \
        cargo xtask lint openapi.json        check the published contract\n  \
        cargo xtask lint --json | jq '.findings[] | select(.rule == \"enum-in-words\") | .pointer'")]
    Lint(lint::Args),
    /// Measure the performance of the store or the server in release mode
    #[command(after_help = "Examples:\n  cargo xtask bench store\n  cargo xtask bench server")]
    Bench(bench::Args),
    /// Check rules of this repository that the compiler does not check
    #[command(
        after_help = "Checks dependencies between crates and modules, import cycles, SQL outside the store, first lines and\n\
        length of files, debugging leftovers and retired names. The tables are in xtask/tidy.toml.\n\
        Exit codes: 0 no violations, 1 violations, 2 the repository cannot be read\n\n\
        Example: cargo xtask tidy && git push"
    )]
    Tidy(tidy::Args),
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
        Command::Ledger(args) => return ledger::run(&args),
        Command::Status(args) => return status::run(&args),
        Command::Effective { inputs, lowered } => {
            let source = source::load(&inputs)?;
            let contract = model::Contract::build(source)?;
            if lowered {
                let lowered = xtask::lower::lower(&contract)?;
                println!("{}", serde_json::to_string_pretty(&lowered.document)?);
                for loss in &lowered.losses {
                    eprintln!("{} {}: {}", loss.pointer, loss.keyword, loss.reason);
                }
                return Ok(ExitCode::SUCCESS);
            }
            println!("{}", serde_json::to_string_pretty(&contract.effective)?);
            eprintln!(
                "{} operations, {} schemas ({} named here)",
                contract.operations.len(),
                contract.schemas.len(),
                contract.hoisted.len()
            );
        }
        Command::Diff(args) => return diff::run(&args),
        Command::Bench(args) => return bench::run(&args),
        Command::Tidy(args) => return tidy::run(&args),
        Command::Lint(args) => return lint::run(&args),
    }
    Ok(ExitCode::SUCCESS)
}
