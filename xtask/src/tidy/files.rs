//! Tidy rules about single files: how they begin, how long they are, what does not stay in them.

use super::code::Code;
use super::{SourceFile, Violation};

/// A file of this many lines is worth splitting soon.
const LONG: usize = 500;
/// A file of more lines has to be split.
const TOO_LONG: usize = 700;
/// Macros and attributes that are left over from writing.
const LEFTOVERS: [(&str, &str); 4] = [
    ("dbg!", "remove it, or use tracing"),
    ("todo!", "write it"),
    ("unimplemented!", "write it, or answer an error"),
    ("#[ignore", "let the test run, or remove it; a test that cannot run here says so in its output"),
];
/// Hosts of package registries, in two halves so that this file does not hold them.
const HOSTS: [(&str, &str); 8] = [
    ("crates", ".io"),
    ("npmjs", ".org"),
    ("npmjs", ".com"),
    ("pypi", ".org"),
    ("pythonhosted", ".org"),
    ("rubygems", ".org"),
    ("proxy.golang", ".org"),
    ("registry.yarnpkg", ".com"),
];

pub(super) fn check(files: &[SourceFile], violations: &mut Vec<Violation>) {
    for file in files {
        if file.is_rust() {
            let code = Code::of(&file.text);
            leftovers(file, &code, violations);
            if !file.is_generated() {
                header(file, violations);
                length(file, violations);
            }
        }
        hosts(file, violations);
    }
}

fn header(file: &SourceFile, violations: &mut Vec<Violation>) {
    // The mark of generated files is the contract's business.
    let opens = ["//!", "#![doc = include_str!(", "// @generated"];
    if !opens.iter().any(|opening| file.text.starts_with(opening)) {
        violations.push(Violation::new(
            file,
            1,
            "file-header",
            "the file does not open with //!",
            "say in its first line what lives there and what may not",
        ));
    }
}

fn length(file: &SourceFile, violations: &mut Vec<Violation>) {
    let lines = file.text.lines().count();
    if lines > LONG {
        let message = format!("{lines} lines");
        let remedy = format!("split it by what it is about; {TOO_LONG} is the limit");
        let mut violation = Violation::new(file, lines, "file-length", message, remedy);
        violation.advice = lines <= TOO_LONG;
        violations.push(violation);
    }
}

fn leftovers(file: &SourceFile, code: &Code, violations: &mut Vec<Violation>) {
    for (number, line) in code.lines() {
        for (leftover, remedy) in LEFTOVERS {
            let found = line.match_indices(leftover).any(|(at, _)| {
                !line[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_')
            });
            if found {
                let shown = leftover.trim_start_matches("#[");
                violations.push(Violation::new(
                    file,
                    number,
                    "leftover",
                    format!("{shown} is left over"),
                    remedy,
                ));
            }
        }
    }
}

fn hosts(file: &SourceFile, violations: &mut Vec<Violation>) {
    // The lock file names its registry on every line, and the contract is not ours to edit.
    if file.path == "Cargo.lock" || file.path == "openapi.json" {
        return;
    }
    for (first, second) in HOSTS {
        let host = format!("{first}{second}");
        for (index, line) in file.text.lines().enumerate() {
            if line.contains(&host) {
                violations.push(Violation::new(
                    file,
                    index + 1,
                    "registry-host",
                    format!("names the registry host {host}"),
                    "name the package, not where it is fetched from",
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::file;
    use super::*;

    fn rules(path: &str, text: &str) -> Vec<(usize, &'static str, bool)> {
        let mut violations = Vec::new();
        check(&[file(path, text)], &mut violations);
        violations.into_iter().map(|violation| (violation.line, violation.rule, violation.advice)).collect()
    }

    #[test]
    fn a_file_opens_with_what_it_is_for() {
        assert_eq!(rules("a/src/lib.rs", "//! All of it.\n"), []);
        assert_eq!(rules("a/src/lib.rs", "#![doc = include_str!(\"../README.md\")]\n"), []);
        assert_eq!(rules("a/src/lib.rs", "use std::fmt;\n"), [(1, "file-header", false)]);
        assert_eq!(rules("a/src/generated/x.rs", "use std::fmt;\n"), []);
        assert_eq!(rules("README.md", "Hello\n"), []);
    }

    #[test]
    fn a_file_is_not_endless() {
        let of = |lines: usize| format!("//! Long.\n{}", "\n".repeat(lines - 1));
        assert_eq!(rules("a.rs", &of(500)), []);
        assert_eq!(rules("a.rs", &of(501)), [(501, "file-length", true)]);
        assert_eq!(rules("a.rs", &of(701)), [(701, "file-length", false)]);
        assert_eq!(rules("a/generated/a.rs", &of(701)), []);
    }

    #[test]
    fn nothing_is_left_over() {
        for leftover in ["dbg!(x)", "todo!()", "unimplemented!()", "#[ignore]", "#[ignore = \"slow\"]"] {
            let text = format!("//! A file.\n\nfn f() {{ {leftover} }}\n");
            assert_eq!(rules("a.rs", &text), [(3, "leftover", false)], "{leftover}");
            let text =
                format!("//! A file without {leftover}.\nconst S: &str = r#\"{leftover}\"#; // {leftover}\n");
            assert_eq!(rules("a.rs", &text), [], "{leftover}");
        }
        assert_eq!(rules("a.rs", "//! A file.\nmy_todo!();\n"), []);
    }

    #[test]
    fn no_file_names_a_registry() {
        let host = ["crates", "io"].join(".");
        assert_eq!(rules("README.md", &format!("From\nhttps://{host}/x\n")), [(2, "registry-host", false)]);
        assert_eq!(rules("Cargo.lock", &format!("source = \"{host}\"\n")), []);
        assert_eq!(rules("README.md", "The crate jsonschema.\n"), []);
    }
}
