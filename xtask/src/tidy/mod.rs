//! `cargo xtask tidy`: rules of this repository that the compiler does not check. Dependencies between crates and
//! modules, import cycles, first lines and length of files, retired names. Changes no file.

mod command;
mod contract;
mod crate_deps;
mod crate_imports;
mod cycles;
mod files;
mod module_deps;
mod retired_names;
mod rules;
mod syntax;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use serde::Serialize;

pub use command::{Args, run};
use syntax::{At, Syntax};

/// One place where a file breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Violation {
    /// The file, relative to the repository's root.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The rule's id.
    pub rule: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
    /// Whether it is only advice: `tidy` succeeds all the same.
    pub advice: bool,
}

impl Violation {
    fn new(
        file: &SourceFile,
        line: usize,
        rule: &'static str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (message, remedy) = (message.into(), remedy.into());
        Self { file: file.path.clone(), line, rule, message, remedy, advice: false }
    }
}

impl std::fmt::Display for Violation {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, line, rule, message, remedy, advice } = self;
        let severity = if *advice { "advice" } else { "error" };
        write!(formatter, "{file}:{line}: {severity} {rule}: {message}; {remedy}")
    }
}

/// A text file of the repository.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Relative to the root, with forward slashes.
    path: String,
    text: String,
    /// The parsed file; `None` when it is not Rust.
    syntax: Option<Syntax>,
    /// Why it could not be parsed, with the line.
    syntax_error: Option<At<String>>,
}

impl SourceFile {
    fn new(path: String, text: String) -> Self {
        let mut file = Self { path, text, syntax: None, syntax_error: None };
        if file.is_rust() {
            match Syntax::parse(&file.text) {
                Ok(syntax) => file.syntax = Some(syntax),
                Err(error) => file.syntax_error = Some(error),
            }
        }
        file
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it is in a folder that the generator writes.
    fn is_generated(&self) -> bool {
        self.path.contains("/generated/")
    }
}

/// Checks the repository at `root` and returns the violations by file and line.
///
/// # Errors
///
/// When the repository's files or its `cargo metadata` cannot be read.
pub fn tidy(root: &Path) -> Result<Vec<Violation>> {
    // Cargo takes a while to start; meanwhile the files are read.
    let (files, metadata) = std::thread::scope(|scope| {
        let metadata = scope.spawn(|| crate_deps::metadata(root));
        (files_below(root), join(metadata))
    });
    let files = files?;
    let mut violations = Vec::new();
    files::check(&files, &mut violations);
    crate_imports::check(&files, &mut violations);
    module_deps::check(&files, &mut violations);
    cycles::check(&files, &mut violations);
    retired_names::check(&files, &mut violations);
    contract::check(&files, &mut violations);
    crate_deps::check(&metadata?, &files, &mut violations);
    violations.sort();
    Ok(violations)
}

fn join<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The text files of the repository: tracked by git or not ignored; without git, all of them.
fn files_below(root: &Path) -> Result<Vec<SourceFile>> {
    let mut paths = Vec::new();
    if root.join(".git").exists() {
        let listed = std::process::Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .context("cannot run git ls-files")?;
        anyhow::ensure!(listed.status.success(), "git ls-files failed in {}", root.display());
        let listed = String::from_utf8_lossy(&listed.stdout);
        paths.extend(listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from));
    } else {
        walk(root, Path::new(""), &mut paths)?;
    }
    paths.sort();
    // Parsing takes most of the time, so the files are distributed over the processors.
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicUsize::new(0);
    let read = || {
        let mut files = Vec::new();
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            // A file that git lists may be deleted; a file that is not UTF-8 is not text.
            let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
            let Ok(text) = String::from_utf8(bytes) else { continue };
            files.push(SourceFile::new(path.to_string_lossy().replace('\\', "/"), text));
        }
        files
    };
    let mut files: Vec<SourceFile> = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..threads).map(|_| scope.spawn(read)).collect();
        readers.into_iter().flat_map(join).collect()
    });
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn walk(root: &Path, folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let full = root.join(folder);
    for entry in std::fs::read_dir(&full).with_context(|| format!("cannot list {}", full.display()))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            if !["target", ".git"].contains(&&*entry.file_name().to_string_lossy()) {
                walk(root, &path, paths)?;
            }
        } else {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with this text, which must be Rust if its name says so.
    pub(super) fn file(path: &str, text: &str) -> SourceFile {
        let file = SourceFile::new(path.to_owned(), text.to_owned());
        assert_eq!(file.syntax_error, None, "{text}");
        file
    }

    /// A workspace on disk with one crate that has this for its only source.
    fn workspace(name: &str, source: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"it\"]\n");
        write("it/Cargo.toml", &format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n"));
        write("it/src/lib.rs", source);
        write("target/debug/made.rs", "not ours");
        write("it/picture.png", "\u{1}");
        std::fs::write(folder.path().join("it/picture.png"), [0xff, 0xfe, 0x00]).unwrap();
        folder
    }

    #[test]
    fn reads_a_repository_from_disk() {
        let tidied = |name, source| {
            let folder = workspace(name, source);
            let violations = tidy(folder.path()).unwrap();
            violations.into_iter().map(|violation| (violation.file, violation.rule)).collect::<Vec<_>>()
        };
        assert_eq!(tidied("ringnity-types", "//! Types.\n"), []);
        assert_eq!(tidied("ringnity-types", "mod a;\n"), [("it/src/lib.rs".to_owned(), "file-header")]);
        assert_eq!(tidied("unlisted", "//! Who?\n"), [("it/Cargo.toml".to_owned(), "crate-unlisted")]);
    }

    #[test]
    fn fails_without_a_workspace() {
        let folder = tempfile::tempdir().unwrap();
        assert!(tidy(folder.path()).unwrap_err().to_string().contains("cargo metadata failed"));
    }

    #[test]
    fn prints_file_line_rule_message_and_remedy() {
        let violation =
            Violation::new(&file("a/b.rs", ""), 7, "file-header", "begins with nothing", "write //!");
        assert_eq!(violation.to_string(), "a/b.rs:7: error file-header: begins with nothing; write //!");
    }
}
