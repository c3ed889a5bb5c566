//! The command line of `cargo xtask diff`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Level, Options, Report, diff, text};
use crate::source;

/// Arguments of `cargo xtask diff`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The older document
    old: PathBuf,
    /// The newer document
    new: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Also print changes of descriptions and of schemas that no operation uses
    #[arg(long)]
    all: bool,
    /// Treat a new enum value in a response as breaking, for clients that reject unknown values
    #[arg(long)]
    closed_enums: bool,
}

/// Compares the documents and prints the report. Exit code 1 if there are breaking changes.
///
/// # Errors
///
/// When one of the documents cannot be read.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (old, new) = (read(&args.old)?, read(&args.new)?);
    let report = diff(&old, &new, Options { closed_enums: args.closed_enums });
    if args.json {
        let changes: Vec<_> =
            report.changes.iter().filter(|change| args.all || change.level != Level::Documentation).collect();
        let printed = json!({
            "old": args.old.display().to_string(),
            "new": args.new.display().to_string(),
            "counts": counts(&report),
            "changes": changes,
        });
        println!("{}", serde_json::to_string_pretty(&printed)?);
    } else {
        print!("{}", text::render(&report, args.all));
        println!("{} → {}: {}", args.old.display(), args.new.display(), text::summary(&report));
    }
    Ok(if report.breaks() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn counts(report: &Report) -> Value {
    json!({
        "breaking": report.count(Level::Breaking),
        "deprecation": report.count(Level::Deprecation),
        "compatible": report.count(Level::Compatible),
        "documentation": report.count(Level::Documentation),
    })
}

fn read(path: &Path) -> anyhow::Result<Value> {
    let document = source::read_document(path)?;
    if !document["openapi"].is_string() {
        anyhow::bail!("{}: #/openapi is missing, so this is not an OpenAPI document", path.display());
    }
    Ok(document)
}
