//! Other people's documents, and small ones of our own with what public documents have: each becomes a
//! workspace, twice the same, and the compiler takes all of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::generate::{self, Generated};
use xtask::model::Contract;
use xtask::source::{self, Inputs};
use xtask::{frame, output};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents")
}

/// Name and path of every document, by name.
fn documents() -> BTreeMap<String, PathBuf> {
    let entries = std::fs::read_dir(folder()).expect("the folder of documents");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| (path.file_stem().expect("a name").to_string_lossy().into_owned(), path))
        .collect()
}

fn load(path: &Path) -> Contract {
    let inputs = Inputs { contract: Some(path.to_owned()), overlay: None, settings: None };
    let source = source::load(&inputs).unwrap_or_else(|error| panic!("{}: {error:#}", path.display()));
    Contract::build(source).unwrap_or_else(|error| panic!("{error:#}"))
}

fn generated(path: &Path) -> Generated {
    generate::workspace(&load(path)).unwrap_or_else(|error| panic!("{}: {error:#}", path.display()))
}

#[test]
fn two_runs_give_the_same_bytes_and_leave_nothing_stale() {
    for (name, path) in documents() {
        let (first, second) = (generated(&path), generated(&path));
        assert!(first.files == second.files, "{name} differs from one run to the next");
        let out = tempfile::tempdir().expect("a folder");
        output::write(out.path(), &first.files, &first.owned).expect("writes");
        assert!(output::stale(out.path(), &second.files, &second.owned).expect("reads").is_empty(), "{name}");
    }
}

#[test]
fn documents_whose_errors_share_a_schema_have_a_server_trait() {
    let server = |path: &Path| {
        let generated = generated(path);
        let there = generated.files.iter().any(|file| file.path.ends_with("dispatch.rs"));
        assert_eq!(there, generated.without_server.is_none());
        there
    };
    assert!(server(&folder().join("keeper.json")));
    assert!(server(&folder().join("museum.json")));
}

/// Writes every workspace below the target folder and lets one `cargo check --offline` after the other read
/// it. They share one target folder, so that dependencies are read once: minutes when cold, seconds when warm.
#[test]
fn every_generated_workspace_compiles() {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR")).join("documents");
    for (name, path) in documents() {
        let generated = generated(&path);
        let out = base.join(&name);
        output::write(&out, &generated.files, &generated.owned).expect("writes");
        frame::lock(&source::root(), &out).expect("copies the lock file");
        let run = Command::new(env!("CARGO"))
            .args(["check", "--workspace", "--offline", "--quiet", "--color=never"])
            .current_dir(&out)
            .env("CARGO_TARGET_DIR", base.join("target"))
            .output()
            .expect("cargo runs");
        let text = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.success(), "{name} does not compile\n{text}");
        assert!(!text.contains("warning"), "{name} compiles with warnings\n{text}");
    }
}
