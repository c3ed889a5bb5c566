//! Rules about single files: their first line, their length, debugging leftovers, registry hosts.

use super::syntax::Syntax;
use super::{SourceFile, Violation};

/// Above this many lines, advise to split the file.
const LONG: usize = 500;
/// Above this many lines, the file must be split.
const TOO_LONG: usize = 700;
/// Macros for debugging and unfinished code.
const LEFTOVER_MACROS: [(&str, &str); 3] = [
    ("dbg", "remove it, or use tracing"),
    ("todo", "implement it"),
    ("unimplemented", "implement it, or return an error"),
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
        if let Some((line, error)) = &file.syntax_error {
            let message = format!("cannot be parsed: {error}");
            violations.push(Violation::new(file, *line, "syntax", message, "run cargo check"));
        }
        if let Some(syntax) = &file.syntax {
            leftovers(file, syntax, violations);
        }
        if file.is_rust() && !file.is_generated() {
            header(file, violations);
            length(file, violations);
        }
        hosts(file, violations);
    }
}

fn header(file: &SourceFile, violations: &mut Vec<Violation>) {
    // The rules about the contract check the mark of generated files.
    let openings = ["//!", "#![doc = include_str!(", "// @generated"];
    if !openings.iter().any(|opening| file.text.starts_with(opening)) {
        violations.push(Violation::new(
            file,
            1,
            "file-header",
            "the file does not begin with //!",
            "describe its contents in the first line",
        ));
    }
}

fn length(file: &SourceFile, violations: &mut Vec<Violation>) {
    let lines = file.text.lines().count();
    if lines > LONG {
        let message = format!("{lines} lines");
        let remedy = format!("split it by topic; the limit is {TOO_LONG} lines");
        let mut violation = Violation::new(file, lines, "file-length", message, remedy);
        violation.advice = lines <= TOO_LONG;
        violations.push(violation);
    }
}

fn leftovers(file: &SourceFile, syntax: &Syntax, violations: &mut Vec<Violation>) {
    let mut leftover = |line: usize, name: String, remedy: &str| {
        violations.push(Violation::new(file, line, "leftover", format!("{name} is left over"), remedy));
    };
    for (line, name) in &syntax.macros {
        if let Some((_, remedy)) = LEFTOVER_MACROS.iter().find(|(macro_name, _)| macro_name == name) {
            leftover(*line, format!("{name}!"), remedy);
        }
    }
    for (line, _) in syntax.attributes.iter().filter(|(_, name)| name == "ignore") {
        leftover(
            *line,
            "#[ignore]".to_owned(),
            "run the test, or remove it; print the reason in a test that cannot run here",
        );
    }
}

fn hosts(file: &SourceFile, violations: &mut Vec<Violation>) {
    // The lock file names its registry on every line, and the contract is published as it is.
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
                    "name the package only",
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
    fn requires_a_module_comment() {
        assert_eq!(rules("a/src/lib.rs", "//! All of it.\n"), []);
        assert_eq!(rules("a/src/lib.rs", "#![doc = include_str!(\"../README.md\")]\n"), []);
        assert_eq!(rules("a/src/lib.rs", "use std::fmt;\n"), [(1, "file-header", false)]);
        assert_eq!(rules("a/src/generated/x.rs", "use std::fmt;\n"), []);
        assert_eq!(rules("README.md", "Hello\n"), []);
    }

    #[test]
    fn limits_the_length_of_a_file() {
        let of = |lines: usize| format!("//! Long.\n{}", "\n".repeat(lines - 1));
        assert_eq!(rules("a.rs", &of(500)), []);
        assert_eq!(rules("a.rs", &of(501)), [(501, "file-length", true)]);
        assert_eq!(rules("a.rs", &of(701)), [(701, "file-length", false)]);
        assert_eq!(rules("a/generated/a.rs", &of(701)), []);
    }

    #[test]
    fn rejects_leftovers() {
        for leftover in ["dbg!(x)", "todo!()", "unimplemented!()", "#[ignore]", "#[ignore = \"slow\"]"] {
            let item = if leftover.starts_with('#') { "fn t() {}" } else { "" };
            let text = format!("//! A file.\n\nfn f() {{ {leftover} {item} }}\n");
            assert_eq!(rules("a.rs", &text), [(3, "leftover", false)], "{leftover}");
            let text =
                format!("//! A file without {leftover}.\nconst S: &str = r#\"{leftover}\"#; // {leftover}\n");
            assert_eq!(rules("a.rs", &text), [], "{leftover}");
        }
        assert_eq!(rules("a.rs", "//! A file.\nmy_todo!();\n"), []);
        assert_eq!(rules("a.rs", "//! A file.\nwrap! { fn f() { todo!() } }\n"), [(2, "leftover", false)]);
    }

    #[test]
    fn reports_files_that_cannot_be_parsed() {
        let broken = SourceFile::new("a.rs".to_owned(), "//! A file.\nfn f( {}\n".to_owned());
        let mut violations = Vec::new();
        check(&[broken], &mut violations);
        assert_eq!(
            violations.iter().map(|violation| (violation.line, violation.rule)).collect::<Vec<_>>(),
            [(2, "syntax")]
        );
    }

    #[test]
    fn rejects_registry_hosts() {
        let host = ["crates", "io"].join(".");
        assert_eq!(rules("README.md", &format!("From\nhttps://{host}/x\n")), [(2, "registry-host", false)]);
        assert_eq!(rules("Cargo.lock", &format!("source = \"{host}\"\n")), []);
        assert_eq!(rules("README.md", "The crate jsonschema.\n"), []);
    }
}
