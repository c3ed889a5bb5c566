//! `cargo xtask tidy`: the rules of this repository that a compiler does not check. Which crate may know
//! which, what stays out of which room, how a file begins. Reads files; changes none.

mod code;
mod command;
mod contract;
mod crate_deps;
mod crate_imports;
mod files;
mod module_deps;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;

pub use command::{Args, run};

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
        let weight = if *advice { "advice" } else { "error" };
        write!(formatter, "{file}:{line}: {weight} {rule}: {message}; {remedy}")
    }
}

/// A text file of the repository.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Relative to the root, with forward slashes.
    path: String,
    /// What is in it.
    text: String,
}

impl SourceFile {
    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it stands where the generator writes.
    fn is_generated(&self) -> bool {
        self.path.contains("/generated/")
    }
}

/// Everything that is untidy below `root`.
///
/// # Errors
///
/// When the repository's files or its `cargo metadata` cannot be read.
pub fn tidy(root: &Path) -> Result<Vec<Violation>> {
    let files = files_below(root)?;
    let mut violations = Vec::new();
    files::check(&files, &mut violations);
    crate_imports::check(&files, &mut violations);
    module_deps::check(&files, &mut violations);
    contract::check(&files, &mut violations);
    crate_deps::check(&crate_deps::metadata(root)?, &files, &mut violations);
    violations.sort();
    Ok(violations)
}

/// The text files that belong to the repository: what git knows or would add; without git, all of them.
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
    let mut files = Vec::new();
    for path in paths {
        // What git lists may be gone from the disk; what is not text is none of our business.
        let Ok(bytes) = std::fs::read(root.join(&path)) else { continue };
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let path = path.to_string_lossy().replace('\\', "/");
        files.push(SourceFile { path, text });
    }
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

    /// A file as a test writes it.
    pub(super) fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
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
    fn a_repository_is_read_from_disk() {
        let tidied = |name, source| {
            let folder = workspace(name, source);
            let told = tidy(folder.path()).unwrap();
            told.into_iter().map(|violation| (violation.file, violation.rule)).collect::<Vec<_>>()
        };
        assert_eq!(tidied("ringnity-types", "//! Types.\n"), []);
        assert_eq!(tidied("ringnity-types", "mod a;\n"), [("it/src/lib.rs".to_owned(), "file-header")]);
        assert_eq!(tidied("stranger", "//! Who?\n"), [("it/Cargo.toml".to_owned(), "crate-unknown")]);
    }

    #[test]
    fn a_folder_without_a_workspace_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(tidy(folder.path()).unwrap_err().to_string().contains("cargo metadata failed"));
    }

    #[test]
    fn a_violation_names_file_line_rule_fault_and_remedy() {
        let violation =
            Violation::new(&file("a/b.rs", ""), 7, "file-header", "begins with nothing", "write //!");
        assert_eq!(violation.to_string(), "a/b.rs:7: error file-header: begins with nothing; write //!");
    }
}
