//! The command line of `cargo xtask tidy`.

use std::process::ExitCode;

use super::tidy;
use crate::source;

/// Arguments of `cargo xtask tidy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print violations as JSON
    #[arg(long)]
    json: bool,
}

/// Checks the repository and prints violations. Exit code 1 if there are any; advice does not count.
///
/// # Errors
///
/// When the repository's files or its `cargo metadata` cannot be read.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let violations = tidy(&source::root())?;
    let errors = violations.iter().filter(|violation| !violation.advice).count();
    if args.json {
        println!("{}", serde_json::to_string_pretty(&violations)?);
    } else {
        for violation in &violations {
            println!("{violation}");
        }
        println!("tidy: {errors} errors, {} advice", violations.len() - errors);
    }
    Ok(if errors > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
