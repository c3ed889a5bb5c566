//! Development commands of this workspace: the only program that reads openapi.json at development time.
//! The command line lives here; each command's work is in the module of its name.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xtask::{bench, diff, generate, ledger, lint, model, source, status, tidy};

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
    /// Print where each keyword of the contract is honoured
    #[command(after_help = "Example: cargo xtask ledger")]
    Ledger(ledger::Args),
    /// Count the operations that the server implements, by tag
    #[command(after_help = "Example: cargo xtask status --missing")]
    Status(status::Args),
    /// Print the effective document: contract plus overlay
    #[command(after_help = "Example: cargo xtask effective | jq '.paths | length'")]
    Effective {
        #[command(flatten)]
        inputs: source::Inputs,
        /// In the words of OpenAPI 3.0.3, with every path as clients see it; what 3.0 lacks goes to standard error
        #[arg(long)]
        lowered: bool,
    },
    /// Tell what changed between two OpenAPI documents, and for whom it breaks
    #[command(after_help = "A request that narrows breaks callers, a response that widens breaks readers.\n\
        Exit code: 0 nothing breaks, 1 something breaks, 2 a document cannot be read\n\n\
        Examples:\n  git show main:openapi.json > /tmp/old.json && cargo xtask diff /tmp/old.json openapi.json\n  \
        cargo xtask diff old.json new.json --json | jq '.changes[] | select(.level == \"breaking\")'")]
    Diff(diff::Args),
    /// Find what is wrong in an OpenAPI document
    #[command(after_help = "Lines read: weight  rule  #/json/pointer: what is wrong; what to do\n\
        Exit code: 0 no errors, 1 errors, 2 the document cannot be read\n\n\
        Examples:\n  cargo xtask lint                     the contract as it takes effect\n  \
        cargo xtask lint openapi.json        the contract as published\n  \
        cargo xtask lint --json | jq '.findings[] | select(.rule == \"enum-in-words\") | .pointer'")]
    Lint(lint::Args),
    /// Measure how fast something is, against a baseline of the same run
    #[command(after_help = "Examples:\n  cargo xtask bench store\n  cargo xtask bench server")]
    Bench(bench::Args),
    /// Check the rules of this repository that a compiler does not
    #[command(
        after_help = "Crates that know each other, code in the wrong room, how files begin, what is left over.\n\
        Exit code: 0 tidy, 1 a rule is broken, 2 the repository cannot be read\n\n\
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
