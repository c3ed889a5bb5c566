//! `cargo xtask generate`: the pipeline from the contract to the files of three crates.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::emit;
use crate::ledger::{self, Ledger};
use crate::lint;
use crate::lock;
use crate::lower::Loss;
use crate::model::{Contract, TypeRef};
use crate::output::{self, File};
use crate::source::{self, Inputs};
use crate::workspace_scaffold;

/// Arguments of `generate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// Write nothing; print a diff of stale files and exit with 1 if there are any
    #[arg(long)]
    check: bool,
    /// Write a separate workspace into this folder instead of this repository's crates
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Output of the generator.
#[derive(Debug)]
pub struct Generated {
    /// Every file, by path.
    pub files: Vec<File>,
    /// Folders that contain generated files only; other files in them are stale.
    pub owned: Vec<PathBuf>,
    /// Why no server trait was generated; `None` when one was.
    pub without_server: Option<String>,
    ledger: Ledger,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<ExitCode> {
    let started = Instant::now();
    let contract = contract(source::load(&args.inputs)?)?;
    let generated = match args.out {
        Some(_) => workspace(&contract)?,
        None => this_repository(&contract)?,
    };
    let Generated { files, owned, without_server, ledger } = &generated;
    let root = args.out.clone().unwrap_or_else(source::root);
    // The committed ledger limits what is documented only. Other documents have no limit.
    if args.out.is_none()
        && let Ok(committed) = std::fs::read_to_string(root.join(ledger_path(&contract)))
    {
        ledger::guard(&committed, ledger)?;
    }
    if let Some(reason) = without_server {
        eprintln!("no server trait: {reason}");
    }
    if args.check {
        let stale = output::stale(&root, files, owned)?;
        for file in &stale {
            print!("{}", file.diff);
        }
        if stale.is_empty() {
            eprintln!("{} generated files are up to date ({:.2?})", files.len(), started.elapsed());
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!("{} generated files are stale; run: cargo xtask generate", stale.len());
        return Ok(ExitCode::FAILURE);
    }
    let touched = output::write(&root, files, owned)?;
    if args.out.is_some() {
        workspace_scaffold::copy_lock(&source::root(), &root)?;
    }
    // For a new workspace the summary is enough.
    if args.out.is_none() || touched.len() < files.len() {
        for path in &touched {
            eprintln!("wrote {}", path.display());
        }
    }
    eprintln!(
        "{} operations, {} schemas: {} of {} files changed ({:.2?})",
        contract.operations.len(),
        contract.schemas.len(),
        touched.len(),
        files.len(),
        started.elapsed()
    );
    Ok(ExitCode::SUCCESS)
}

/// Builds the model of a document. Fails if lint finds errors that make generated code wrong.
pub fn contract(source: source::Source) -> Result<Contract> {
    let findings: Vec<String> = lint::lint(&source.effective)
        .into_iter()
        .filter(lint::Finding::blocks_generation)
        .map(|finding| finding.to_string())
        .collect();
    if !findings.is_empty() {
        bail!(
            "{}: no code can be generated before these errors are fixed\n{}",
            source.file_name,
            findings.join("\n")
        );
    }
    Contract::build(source)
}

/// Generates the files of this repository's crates.
pub fn this_repository(contract: &Contract) -> Result<Generated> {
    let (mut generated, server) = crates(contract, true)?;
    generated.files.extend(server.transpose()?.into_iter().flatten());
    generated.files.push(emit::types::table::emit(contract)?);
    generated.files.push(lock_file(contract));
    generated.owned = vec![
        PathBuf::from(emit::types::folder(contract)),
        PathBuf::from(emit::types::table::folder(contract)),
        PathBuf::from(emit::client::folder(contract)),
        PathBuf::from(emit::client::test_folder(contract)),
        PathBuf::from(emit::api_folder(contract)),
    ];
    Ok(sorted(generated))
}

/// Generates a separate workspace, for any contract.
pub fn workspace(contract: &Contract) -> Result<Generated> {
    let home = source::root();
    workspace_scaffold::check_prefix(contract, &home)?;
    let reason = errors_differ(contract);
    let (mut generated, server) = crates(contract, reason.is_none())?;
    // The test table belongs to hand-written tests, which only this repository has.
    let tests = PathBuf::from(emit::client::test_folder(contract));
    generated.files.retain(|file| !file.path.starts_with(&tests));
    match server.transpose() {
        Ok(files) => generated.files.extend(files.into_iter().flatten()),
        // Types and client are complete without it.
        Err(error) => generated.without_server = Some(format!("{error:#}")),
    }
    generated.without_server = generated.without_server.or(reason);
    generated.files.extend(workspace_scaffold::files(contract, &home, generated.without_server.is_none())?);
    generated.files.push(lock_file(contract));
    generated.owned = workspace_scaffold::owned_folders(contract).into_iter().map(PathBuf::from).collect();
    Ok(sorted(generated))
}

/// Operations whose error responses do not share one schema, as a message; `None` if there are none. The server trait
/// needs one error type per operation.
fn errors_differ(contract: &Contract) -> Option<String> {
    let mut lines = Vec::new();
    for operation in &contract.operations {
        let mut shapes = BTreeSet::new();
        let mut has_unnamed = false;
        for response in operation.responses.iter().filter(|response| !response.status.is_success()) {
            let json = response.media.iter().find(|media| media.content_type.contains("json"));
            match (json.map(|media| &media.ty), response.media.first()) {
                (Some(TypeRef::Named(name)), _) => shapes.insert(name.clone()),
                (Some(_), _) => {
                    has_unnamed = true;
                    shapes.insert("a value without a schema of its own".to_owned())
                }
                (None, Some(media)) => {
                    has_unnamed = true;
                    shapes.insert(media.content_type.clone())
                }
                (None, None) => false,
            };
        }
        if shapes.len() > 1 || has_unnamed {
            let shapes: Vec<String> = shapes.into_iter().collect();
            lines.push(format!("{} ({}): {}", operation.pointer, operation.id, shapes.join(", ")));
        }
    }
    (!lines.is_empty())
        .then(|| format!("the errors of these operations do not share a schema\n  {}", lines.join("\n  ")))
}

/// Generates types and client, and the server trait if `with_server`. Each runs in a thread, because parsing and
/// formatting code takes most of the time.
fn crates(contract: &Contract, with_server: bool) -> Result<(Generated, Option<Result<Vec<File>>>)> {
    let (types, client, server) = std::thread::scope(|scope| {
        let types = scope.spawn(|| emit::types::emit(contract));
        let server = with_server.then(|| scope.spawn(|| server(contract)));
        let client = emit::client::emit(contract);
        (join(types), client, server.map(join))
    });
    let mut files = types?;
    let (client, losses) = client?;
    files.extend(client);
    let ledger = ledger_with(contract, losses)?;
    files.push(ledger.file(ledger_path(contract))?);
    Ok((Generated { files, owned: Vec::new(), without_server: None, ledger }, server))
}

fn join<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The server trait and the effective contract.
fn server(contract: &Contract) -> Result<Vec<File>> {
    let mut files = emit::api::emit(contract)?;
    let text = serde_json::to_string_pretty(&contract.effective)? + "\n";
    files.push(File::plain(contract_path(contract), text));
    Ok(files)
}

fn sorted(mut generated: Generated) -> Generated {
    generated.files.sort_by(|one, other| one.path.cmp(&other.path));
    generated
}

/// The fidelity ledger, including what progenitor cannot generate.
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

/// `generated.lock`, at the root.
fn lock_file(contract: &Contract) -> File {
    File::plain(lock::FILE, lock::text(&contract.inputs))
}

fn ledger_path(contract: &Contract) -> String {
    format!("{}/fidelity.json", emit::types::folder(contract))
}

/// Path of the committed effective contract, which the server, its reference page and conformance read.
fn contract_path(contract: &Contract) -> String {
    format!("{}/contract.json", emit::api_folder(contract))
}
