//! Generated files: formats and writes them, and finds stale ones. `emit` makes their content.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};

/// One generated file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Path below the output root.
    pub path: PathBuf,
    /// Whole content.
    pub text: String,
}

impl File {
    /// A Rust file: the mark of generated files, a module comment and formatted code.
    pub fn rust(
        path: impl Into<PathBuf>,
        mark: &str,
        module_doc: &str,
        tokens: proc_macro2::TokenStream,
    ) -> Result<Self> {
        let path = path.into();
        let file = syn::parse2(tokens.clone()).map_err(|error| {
            anyhow!("{}: the generated code does not parse: {error}\n{tokens}", path.display())
        })?;
        let mut text = format!("// {mark}\n");
        for line in module_doc.lines() {
            text.push_str("//!");
            if !line.is_empty() {
                text.push(' ');
                text.push_str(line);
            }
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&prettyplease::unparse(&file));
        Ok(Self { path, text })
    }

    /// A file with this text.
    pub fn plain(path: impl Into<PathBuf>, text: String) -> Self {
        Self { path: path.into(), text }
    }
}

/// A file whose content on disk differs from the generated one.
#[derive(Debug)]
pub struct Stale {
    /// Path below the output root.
    pub path: PathBuf,
    /// Unified diff from the content on disk to the generated one.
    pub diff: String,
}

/// Compares `files` with the disk. Other files in `owned` folders are stale, too.
pub fn stale(root: &Path, files: &[File], owned: &[PathBuf]) -> Result<Vec<Stale>> {
    let mut out = Vec::new();
    for file in files {
        let path = root.join(&file.path);
        let current = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        };
        if current != file.text {
            out.push(Stale { path: file.path.clone(), diff: unified(&file.path, &current, &file.text) });
        }
    }
    for path in leftovers(root, files, owned)? {
        let current = std::fs::read_to_string(root.join(&path)).unwrap_or_default();
        out.push(Stale { diff: unified(&path, &current, ""), path });
    }
    Ok(out)
}

/// Writes files that differ, and removes other files from `owned` folders. Returns the paths of both.
pub fn write(root: &Path, files: &[File], owned: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut touched = Vec::new();
    for file in files {
        let path = root.join(&file.path);
        if std::fs::read_to_string(&path).is_ok_and(|current| current == file.text) {
            continue;
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        std::fs::write(&path, &file.text).with_context(|| format!("cannot write {}", path.display()))?;
        touched.push(file.path.clone());
    }
    for path in leftovers(root, files, owned)? {
        std::fs::remove_file(root.join(&path))
            .with_context(|| format!("cannot remove {}", path.display()))?;
        touched.push(path);
    }
    Ok(touched)
}

fn leftovers(root: &Path, files: &[File], owned: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut out = Vec::new();
    for folder in owned {
        let mut pending = vec![root.join(folder)];
        while let Some(folder) = pending.pop() {
            let Ok(entries) = std::fs::read_dir(&folder) else { continue };
            for entry in entries {
                let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
                if path.is_dir() {
                    pending.push(path);
                    continue;
                }
                let relative = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
                if !files.iter().any(|file| file.path == relative) {
                    out.push(relative);
                }
            }
        }
    }
    out.sort();
    Ok(out)
}

fn unified(path: &Path, before: &str, after: &str) -> String {
    let name = path.display().to_string();
    similar::TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(2)
        .header(&format!("a/{name}"), &format!("b/{name}"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edited_and_leftover_files_are_stale() {
        let root = std::env::temp_dir().join(format!("xtask-output-{}", std::process::id()));
        let owned = [PathBuf::from("generated")];
        let files = [File::plain("generated/a.rs", "one\ntwo\n".into())];
        assert_eq!(write(&root, &files, &owned).expect("writes"), [PathBuf::from("generated/a.rs")]);
        assert!(stale(&root, &files, &owned).expect("reads").is_empty());
        assert!(write(&root, &files, &owned).expect("writes").is_empty());

        std::fs::write(root.join("generated/a.rs"), "one\nthree\n").expect("edits");
        std::fs::write(root.join("generated/old.rs"), "gone\n").expect("edits");
        let stale = stale(&root, &files, &owned).expect("reads");
        assert_eq!(stale.len(), 2);
        assert!(stale[0].diff.contains("-three\n+two"), "{}", stale[0].diff);
        assert!(stale[1].diff.contains("-gone"), "{}", stale[1].diff);
        std::fs::remove_dir_all(&root).expect("cleans up");
    }
}
