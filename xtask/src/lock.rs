//! `generated.lock`: which files the generated code was made from, and the SHA-256 of each. The generator writes
//! it; the build script and `cargo xtask tidy` compare it with the files. The build script includes this module
//! by its path, so it uses only the standard library and sha2.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest as _, Sha256};

/// File name of the lock, at the root of a workspace.
pub const FILE: &str = "generated.lock";

/// Folder of this repository's overlay, below its root.
pub const OVERLAY: &str = "openapi.overlay";

const HEADER: &str = "\
# The files that the generated code was made from, each with its SHA-256.
# Written by `cargo xtask generate`; do not edit. `sha256sum --check generated.lock` compares it with the files.
# After a merge conflict here, resolve the conflicts in the files listed and run `cargo xtask generate`.
";

/// One input of the generator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Path below the workspace's root, with forward slashes.
    pub name: String,
    /// Hex SHA-256 of its bytes.
    pub sha256: String,
}

impl Input {
    /// Hashes the content of an input.
    pub fn new(name: impl Into<String>, bytes: &[u8]) -> Self {
        let sha256 = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Self { name: name.into(), sha256 }
    }
}

/// Paths of this repository's inputs below its root.
///
/// # Errors
///
/// When a folder of inputs cannot be listed.
pub fn inputs(root: &Path) -> std::io::Result<Vec<String>> {
    let mut paths = vec!["openapi.json".to_owned(), "openapi.settings.toml".to_owned()];
    paths.extend(overlay_files(&root.join(OVERLAY))?.into_iter().map(|name| format!("{OVERLAY}/{name}")));
    Ok(paths)
}

/// Names of the files of an overlay folder in the order in which they are applied.
///
/// # Errors
///
/// When the folder cannot be listed.
pub fn overlay_files(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The text of the lock. There is no hash over everything and an empty line between the inputs, so that git
/// merges two branches that changed different inputs.
pub fn text(inputs: &[Input]) -> String {
    let mut sorted: Vec<&Input> = inputs.iter().collect();
    sorted.sort_by_key(|input| &input.name);
    let mut text = HEADER.to_owned();
    for Input { name, sha256 } in sorted {
        let _ = write!(text, "\n{sha256}  {name}\n");
    }
    text
}

/// Every input whose state differs from what the text of a lock records, as a sentence.
pub fn differences(lock: &str, inputs: &[Input]) -> Vec<String> {
    let mut recorded: BTreeMap<&str, &str> = lock
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once("  "))
        .map(|(sha256, name)| (name, sha256))
        .collect();
    let mut out = Vec::new();
    for input in inputs {
        match recorded.remove(input.name.as_str()) {
            Some(sha256) if sha256 == input.sha256 => {}
            Some(_) => out.push(format!("{} has changed", input.name)),
            None => out.push(format!("{} is not in {FILE}", input.name)),
        }
    }
    out.extend(recorded.keys().map(|name| format!("{name} is in {FILE} and was removed")));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(name: &str, text: &str) -> Input {
        Input::new(name, text.as_bytes())
    }

    #[test]
    fn has_no_differences_from_its_own_inputs() {
        let inputs = [input("b.json", "{}"), input("a.json", "[]")];
        let lock = text(&inputs);
        assert_eq!(differences(&lock, &inputs), [""; 0]);
        let names: Vec<&str> = lock.lines().filter_map(|line| line.split_once("  ")).map(|it| it.1).collect();
        assert_eq!(names, ["a.json", "b.json"]);
    }

    #[test]
    fn names_changed_added_and_removed_inputs() {
        let lock = text(&[input("a", "1"), input("b", "2")]);
        assert_eq!(
            differences(&lock, &[input("a", "3"), input("c", "2")]),
            ["a has changed", "c is not in generated.lock", "b is in generated.lock and was removed"]
        );
        assert_eq!(differences("", &[input("a", "1")]), ["a is not in generated.lock"]);
    }

    #[test]
    fn git_merges_changes_of_neighbouring_inputs() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, inputs: &[Input]| {
            let path = folder.path().join(name);
            std::fs::write(&path, text(inputs)).unwrap();
            path
        };
        let base = write("base", &[input("a", "1"), input("b", "1")]);
        let ours = write("ours", &[input("a", "2"), input("b", "1")]);
        let theirs = write("theirs", &[input("a", "1"), input("b", "2")]);
        let run = std::process::Command::new("git").arg("merge-file").args([&ours, &base, &theirs]).output();
        assert!(run.unwrap().status.success(), "conflict:\n{}", std::fs::read_to_string(&ours).unwrap());
        assert_eq!(std::fs::read_to_string(ours).unwrap(), text(&[input("a", "2"), input("b", "2")]));
    }
}
