//! `cargo xtask generate`: the whole pipeline, from the contract to the files of three crates.

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
    /// Change nothing; print what is stale as a diff and exit 1
    #[arg(long)]
    check: bool,
    /// Write a workspace of its own into this folder instead of the repository's crates
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What one run of the generator makes.
#[derive(Debug)]
pub struct Generated {
    /// Every file, by path.
    pub files: Vec<File>,
    /// Folders in which no other file may be.
    pub owned: Vec<PathBuf>,
    /// Why there is no server trait, when there is none.
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
    // What another document leaves to its readers is in its ledger; for this one it may never rise.
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
        eprintln!("{} generated files are stale; mend with: cargo xtask generate", stale.len());
        return Ok(ExitCode::FAILURE);
    }
    let touched = output::write(&root, files, owned)?;
    if args.out.is_some() {
        workspace_scaffold::copy_lock(&source::root(), &root)?;
    }
    // A new workspace is news as a whole.
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

/// The model of a document; refuses one with which the generator could only guess.
pub fn contract(source: source::Source) -> Result<Contract> {
    let findings: Vec<String> = lint::lint(&source.effective)
        .into_iter()
        .filter(lint::Finding::blocks_generation)
        .map(|finding| finding.to_string())
        .collect();
    if !findings.is_empty() {
        bail!("{}: code cannot be generated while this stands\n{}", source.file_name, findings.join("\n"));
    }
    Contract::build(source)
}

/// The generated files of this repository's crates.
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

/// A workspace of its own for any contract.
pub fn workspace(contract: &Contract) -> Result<Generated> {
    let home = source::root();
    workspace_scaffold::check_prefix(contract, &home)?;
    let reason = errors_differ(contract);
    let (mut generated, server) = crates(contract, reason.is_none())?;
    // Tests of the client are written by hand, and only here.
    let tests = PathBuf::from(emit::client::test_folder(contract));
    generated.files.retain(|file| !file.path.starts_with(&tests));
    match server.transpose() {
        Ok(files) => generated.files.extend(files.into_iter().flatten()),
        // Types and client stand without it.
        Err(error) => generated.without_server = Some(format!("{error:#}")),
    }
    generated.without_server = generated.without_server.or(reason);
    generated.files.extend(workspace_scaffold::files(contract, &home, generated.without_server.is_none())?);
    generated.files.push(lock_file(contract));
    generated.owned = workspace_scaffold::owned_folders(contract).into_iter().map(PathBuf::from).collect();
    Ok(sorted(generated))
}

/// Why the errors of an operation cannot be written in one shape; `None` when they all can.
fn errors_differ(contract: &Contract) -> Option<String> {
    let mut lines = Vec::new();
    for operation in &contract.operations {
        let mut shapes = BTreeSet::new();
        let mut odd = false;
        for response in operation.responses.iter().filter(|response| !response.status.is_success()) {
            let json = response.media.iter().find(|media| media.content_type.contains("json"));
            match (json.map(|media| &media.ty), response.media.first()) {
                (Some(TypeRef::Named(name)), _) => shapes.insert(name.clone()),
                (Some(_), _) => {
                    odd = true;
                    shapes.insert("a value without a schema of its own".to_owned())
                }
                (None, Some(media)) => {
                    odd = true;
                    shapes.insert(media.content_type.clone())
                }
                (None, None) => false,
            };
        }
        if shapes.len() > 1 || odd {
            let shapes: Vec<String> = shapes.into_iter().collect();
            lines.push(format!("{} ({}): {}", operation.pointer, operation.id, shapes.join(", ")));
        }
    }
    (!lines.is_empty())
        .then(|| format!("the errors of these operations share no schema\n  {}", lines.join("\n  ")))
}

/// Types and client, and the server trait where it is asked for. Each has a thread of its own, since most of
/// the time goes into parsing and formatting code.
fn crates(contract: &Contract, with_server: bool) -> Result<(Generated, Option<Result<Vec<File>>>)> {
    let (types, client, server) = std::thread::scope(|scope| {
        let types = scope.spawn(|| emit::types::emit(contract));
        let server = with_server.then(|| scope.spawn(|| server(contract)));
        let client = emit::client::emit(contract);
        (joined(types), client, server.map(joined))
    });
    let mut files = types?;
    let (client, losses) = client?;
    files.extend(client);
    let ledger = ledger_with(contract, losses)?;
    files.push(ledger.file(ledger_path(contract))?);
    Ok((Generated { files, owned: Vec::new(), without_server: None, ledger }, server))
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The server trait, and the contract beside it.
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

/// `generated.lock`, at the root.
fn lock_file(contract: &Contract) -> File {
    File::plain(lock::FILE, lock::text(&contract.inputs))
}

fn ledger_path(contract: &Contract) -> String {
    format!("{}/fidelity.json", emit::types::folder(contract))
}

/// Where the effective contract is committed: the server, its documentation and conformance read it there.
fn contract_path(contract: &Contract) -> String {
    format!("{}/contract.json", emit::api_folder(contract))
}
