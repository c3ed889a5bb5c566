//! `cargo xtask generate`: the whole pipeline, from the contract to the files of three crates.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

use crate::emit;
use crate::ledger::{self, Ledger};
use crate::lower::Loss;
use crate::model::Contract;
use crate::output::{self, File};
use crate::scaffold;
use crate::source::{self, Inputs};

/// Arguments of `generate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// Change nothing; print what is stale as a diff and exit 1
    #[arg(long)]
    check: bool,
    /// Write a workspace of its own into this folder instead of the repository's crates
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<ExitCode> {
    let started = Instant::now();
    let contract = Contract::build(source::load(&args.inputs)?)?;
    let (mut files, ledger) = files(&contract, args.out.is_none())?;
    let owned = owned(&contract);
    let root = args.out.clone().unwrap_or_else(source::root);
    if args.out.is_some() {
        files.extend(scaffold::files(&contract, &source::root())?);
    }
    if let Ok(committed) = std::fs::read_to_string(root.join(ledger_path(&contract))) {
        ledger::guard(&committed, &ledger)?;
    }
    let code = if args.check {
        let stale = output::stale(&root, &files, &owned)?;
        for file in &stale {
            print!("{}", file.diff);
        }
        if stale.is_empty() {
            eprintln!("{} generated files are up to date ({:.2?})", files.len(), started.elapsed());
            ExitCode::SUCCESS
        } else {
            eprintln!("{} generated files are stale; mend with: cargo xtask generate", stale.len());
            ExitCode::FAILURE
        }
    } else {
        let touched = output::write(&root, &files, &owned)?;
        for path in &touched {
            eprintln!("wrote {}", path.display());
        }
        eprintln!(
            "{} operations, {} schemas: {} of {} files changed ({:.2?})",
            contract.operations.len(),
            contract.schemas.len(),
            touched.len(),
            files.len(),
            started.elapsed()
        );
        ExitCode::SUCCESS
    };
    Ok(code)
}

/// Every generated file of `contract`, and its ledger. A document by others may have no server trait; the
/// repository's own must.
fn files(contract: &Contract, own: bool) -> Result<(Vec<File>, Ledger)> {
    let mut files = emit::types::emit(contract)?;
    files.push(emit::types::table::emit(contract)?);
    let (client, losses) = emit::client::emit(contract)?;
    files.extend(client);
    match emit::api::emit(contract) {
        Ok(api) => files.extend(api),
        Err(error) if own => return Err(error),
        Err(error) => eprintln!("no server trait: {error:#}"),
    }
    let ledger = ledger_with(contract, losses)?;
    files.push(ledger.file(ledger_path(contract))?);
    files.push(File::plain(
        contract_path(contract),
        serde_json::to_string_pretty(&contract.effective)? + "\n",
    ));
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok((files, ledger))
}

/// The fidelity ledger, with what the emitters could not leave to other generators.
pub fn ledger(contract: &Contract) -> Result<Ledger> {
    ledger_with(contract, emit::client::losses(contract)?)
}

fn ledger_with(contract: &Contract, losses: Vec<Loss>) -> Result<Ledger> {
    let mut ledger = Ledger::of(contract)?;
    ledger.lowered = losses
        .into_iter()
        .map(|loss| format!("{} {}: {}", loss.pointer, loss.keyword, loss.reason))
        .collect();
    Ok(ledger)
}

fn ledger_path(contract: &Contract) -> String {
    format!("{}/fidelity.json", emit::types::folder(contract))
}

/// Where the effective contract is committed: the server, its documentation and conformance read it there.
fn contract_path(contract: &Contract) -> String {
    format!("{}/contract.json", emit::api_folder(contract))
}

/// Folders in which every file is generated.
fn owned(contract: &Contract) -> Vec<PathBuf> {
    vec![
        PathBuf::from(emit::types::folder(contract)),
        PathBuf::from(emit::types::table::folder(contract)),
        PathBuf::from(emit::client::folder(contract)),
        PathBuf::from(emit::client::test_folder(contract)),
        PathBuf::from(emit::api_folder(contract)),
    ]
}
